#!/usr/bin/env bash
# Finds the `seawall` to run: one that is there (BINARY), a release with its checksum and its provenance, or, in a job that
# holds no secret, the action's own source, built. Nothing here runs in the checkout, whose files configure tools.
source "$ACTION_PATH/action/common.sh"

# The name of a release is part of an address.
is_release() { [[ $1 =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]]; }

# The release that the action's own source is: the tag that it is used at, or the tag of its version when that is just
# the commit that it is used at.
own_release() {
  local version commit
  if is_release "${ACTION_REF:-}"; then
    echo "$ACTION_REF"
  elif [[ ${ACTION_REF:-} =~ ^[0-9a-f]{40}$ ]]; then
    version=v$(sed -n 's/^version = "\(.*\)"$/\1/p' "$ACTION_PATH/Cargo.toml" | head -n 1)
    is_release "$version" || return 0
    # A tag with a message names its commit in a line of its own, which comes last.
    commit=$(tool git ls-remote "$SERVER/$ACTION_REPOSITORY" "refs/tags/$version" "refs/tags/$version^{}" | tail -n 1 | cut -f 1)
    [ "$commit" != "$ACTION_REF" ] || echo "$version"
  fi
}

target() {
  case ${RUNNER_OS:-}-${RUNNER_ARCH:-} in
    Linux-X64) echo x86_64-unknown-linux-musl ;;
    Linux-ARM64) echo aarch64-unknown-linux-musl ;;
    macOS-X64) echo x86_64-apple-darwin ;;
    macOS-ARM64) echo aarch64-apple-darwin ;;
    Windows-X64) echo x86_64-pc-windows-msvc ;;
  esac
}

# Fetches one file of a release; 22 when there is none.
fetch() {
  local only='=https'
  case $SERVER in http://127.0.0.1:*) only='=http' ;; esac
  curl -fsSL --proto "$only" --proto-redir "$only" --retry 3 --max-time 300 -o "$folder/$1" \
    "$SERVER/$ACTION_REPOSITORY/releases/download/$release/$1"
}

checksum() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

install_release() {
  local archive=seawall-$release-$triple.tar.gz wanted
  fetch "$archive" || return 1
  fetch SHA256SUMS || fail "the release $release has no checksums"
  wanted=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$folder/SHA256SUMS")
  [ -n "$wanted" ] && [ "$(checksum "$folder/$archive")" = "$wanted" ] \
    || fail "the checksum of $archive is not the one of the release $release"
  # Checksums come from where the archive comes from; the provenance is signed by the workflow that built it.
  if command -v gh >/dev/null && [ -n "${GH_TOKEN:-}" ]; then
    gh attestation verify "$folder/$archive" --repo "$ACTION_REPOSITORY" \
      --signer-workflow "$ACTION_REPOSITORY/.github/workflows/release.yml" >"$folder/provenance" 2>&1 \
      || { inert <"$folder/provenance"; fail "$archive was not built by the release workflow of $ACTION_REPOSITORY"; }
    echo "seawall $release: checksum and provenance are right"
  else
    echo "seawall $release: the checksum is right; without \`gh\`, nobody looked at the provenance"
  fi
  tar -xzf "$folder/$archive" -C "$folder" --strip-components 1
  binary=$folder/seawall
  [ "${RUNNER_OS:-}" != Windows ] || binary=$binary.exe
}

# What of this job is secret: the variables with credentials, and commands that take them from elsewhere.
secrets() {
  local name
  case ${COMMAND:-} in apply | drift | snapshot) echo "the credentials of \`$COMMAND\`" ;; esac
  for name in $(compgen -e); do
    case $name in
      DOCKER_PASSWORD | DOCKER_PASSWORD_* | DOCKER_AUDIT_TOKEN | VIJIL_CLIENT_SECRET | VIJIL_API_KEY)
        [ -z "${!name}" ] || echo "$name"
        ;;
    esac
  done
}

# Runs a command with what a build needs of the environment, and nothing that configures one: no token either.
plainly() {
  local name kept=()
  for name in PATH HOME USERPROFILE TMPDIR TMP TEMP LANG SYSTEMROOT SystemRoot windir COMSPEC PATHEXT APPDATA \
    LOCALAPPDATA PROCESSOR_ARCHITECTURE NUMBER_OF_PROCESSORS HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY \
    NO_PROXY no_proxy SSL_CERT_FILE SSL_CERT_DIR; do
    [ -z "${!name:-}" ] || kept+=("$name=${!name}")
  done
  [ -z "${RUSTUP_HOME:-}" ] || in_checkout "$RUSTUP_HOME" || kept+=("RUSTUP_HOME=$RUSTUP_HOME")
  env -i "${kept[@]}" "$@"
}

# The build scripts of many packages run in a build: none of them shall see a secret, and no file of the checkout may say
# how it is done. `cargo` and `rustup` look for files in the current folder and all around it, and `cargo` for a workspace
# around the source; so the source is copied to a folder of its own.
build() {
  local held
  held=$(secrets | paste -s -d , -)
  [ -z "$held" ] || fail "there is no release of seawall for this machine at \`${VERSION:-${ACTION_REF:-this commit}}\`, \
and it is not built in a job that holds a secret ($held). Use the action at the commit of a release, name one with \
\`version\`, or build seawall in a job without secrets and give it as \`binary\`"
  command -v cargo >/dev/null || fail "there is no release for this machine, and no Rust toolchain to build one with"
  echo "seawall is built from the source of the action"
  mkdir "$folder/source" "$folder/cargo"
  tar -C "$ACTION_PATH" --exclude ./target --exclude ./.git -cf - . | tar -C "$folder/source" -xf - \
    || fail "the source of the action cannot be copied"
  (cd "$folder/source" && plainly CARGO_HOME="$folder/cargo" \
    cargo build --release --locked --quiet --manifest-path "$folder/source/Cargo.toml" --target-dir "$folder/target" 2>&1) | inert
  [ "${PIPESTATUS[0]}" = 0 ] || fail "seawall cannot be built"
  binary=$folder/target/release/seawall
  [ "${RUNNER_OS:-}" != Windows ] || binary=$binary.exe
}

folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/seawall.XXXXXX")
binary=${BINARY:-}
case $binary in '' | /* | [A-Za-z]:*) ;; *) binary=$PWD/$binary ;; esac
cd -- "$folder" || fail "\`$folder\` cannot be used"
if [ -z "$binary" ]; then
  [ -z "${VERSION:-}" ] || is_release "$VERSION" || fail "\`version\` is not a release, as \`v0.1.0\` is" 2
  release=${VERSION:-$(own_release)} triple=$(target)
  if [ -z "$release" ] || [ -z "$triple" ] || ! install_release; then
    [ -z "${VERSION:-}" ] || echo "::warning title=seawall::there is no release $VERSION for this machine"
    build
  fi
fi
[ -x "$binary" ] || fail "\`$binary\` is not a program" 2
"$binary" --version
output binary "$binary"
