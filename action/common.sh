# Shared by the action's scripts. Sourced, not run.
#
# What others wrote (names of policies, paths, branches) is only ever an argument behind `--` or `--flag=`, or the text of
# a file: never a word of a script, never a line that the runner takes for a command.
# shellcheck shell=bash

set -o pipefail
unset BASH_ENV ENV CDPATH

# Whether a folder is of the checkout.
in_checkout() {
  local checkout real
  [ -n "${GITHUB_WORKSPACE:-}" ] && checkout=$(cd -- "$GITHUB_WORKSPACE" 2>/dev/null && pwd -P) || return 1
  real=$(cd -- "$1" 2>/dev/null && pwd -P) || return 1
  case $real/ in "$checkout"/*) ;; *) return 1 ;; esac
}

# Programs come from the machine: `PATH` keeps no relative folder, and none of the checkout.
clean_path() {
  local folder kept=''
  local -a folders
  IFS=: read -r -a folders <<<"$PATH"
  for folder in "${folders[@]}"; do
    case $folder in /*) in_checkout "$folder" || kept=$kept${kept:+:}$folder ;; esac
  done
  PATH=$kept
}
clean_path

# Ends with a message on the pull request's page.
fail() {
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  echo "::error title=seawall::${text//$'\n'/%0A}"
  exit "${2:-1}"
}

# An output of the step. Values are numbers, words and paths on one line.
output() {
  case $2 in *$'\n'* | *$'\r'*) fail "\`$1\` holds a line end" 2 ;; esac
  printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

# Runs a command while the runner takes nothing that it prints for a workflow command. Both streams become one, since the
# runner reads two in any order.
as_text() {
  local mark code
  mark=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "::stop-commands::$mark"
  "$@" 2>&1
  code=$?
  printf '\n::%s::\n' "$mark"
  return "$code"
}

# Standard input as lines that no runner takes for a command, and no terminal acts on.
inert() {
  LC_ALL=C tr -c '\n\t -~' '?' | sed -e 's/^/| /' -e 's/##\[/# #[/g'
}

# Runs `gh` or `git`. The caller takes the standard output; what the tool says beside it, names that others gave among it,
# is shown as text.
tool() {
  local said code
  said=$(mktemp "${RUNNER_TEMP:-/tmp}/seawall-said.XXXXXX")
  "$@" 2>"$said"
  code=$?
  inert <"$said" >&2
  rm -f -- "$said"
  return "$code"
}

# Standard input as part of the job's summary, which takes 1 MiB a step.
summary() {
  head -c 900000 >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
}

# Standard input as preformatted text in the summary.
summary_text() {
  { echo '<pre>'; sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g'; echo '</pre>'; } | summary
}

# The settings that the inputs give, as flags in `settings`.
settings=()
[ -z "${ORGANIZATION:-}" ] || settings+=("--org=$ORGANIZATION")
[ -z "${DOCKER_ENDPOINT:-}" ] || settings+=("--docker-endpoint=$DOCKER_ENDPOINT")
[ -z "${VIJIL_ENDPOINT:-}" ] || settings+=("--vijil-endpoint=$VIJIL_ENDPOINT")
