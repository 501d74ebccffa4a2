# Looks up what a trusted workflow saved. Sourced, not run; needs `common.sh`.
#
# Any run may upload a file under any name: a pull request can edit a workflow, add another one, and come from a fork
# whose branch has the name of ours. So a file counts only when it was saved by the named workflow file, in a run of this
# repository, which GitHub started in the version of the default branch.
# shellcheck shell=bash

# The most pages of artifacts that are looked through.
most_pages=20

command -v gh >/dev/null || fail "there is no \`gh\`, which looks up what other runs saved" 2

# What GitHub answers to a GET, through a filter of `jq`.
ask() { tool gh api "repos/$GITHUB_REPOSITORY$1" --jq "$2"; }

# Whether the default branch holds a commit.
on_default_branch() {
  local branch tip relation
  [[ $1 =~ ^[0-9a-f]{40,64}$ ]] || return 1
  branch=$(ask '' '.default_branch | @uri') && tip=$(ask "/branches/$branch" .commit.sha) || return 1
  relation=$(ask "/compare/$tip...$1" .status) || return 1
  [ "$relation" = identical ] || [ "$relation" = behind ]
}

# Whether GitHub started a run in the version of the default branch. For a schedule or the end of another run, it takes no
# other; by hand, people start any branch and any tag.
of_default_branch() {
  case $1 in
    schedule | workflow_run) ;;
    workflow_dispatch) on_default_branch "$2" ;;
    *) return 1 ;;
  esac
}

# The runs that saved an artifact of this name, the newest first, as GitHub lists them.
runs_with() {
  local page listed
  for ((page = 1; page <= most_pages; page++)); do
    # The first line says how many there are on the page; runs of forks need no second look.
    listed=$(ask "/actions/artifacts?name=$1&per_page=100$( ((page == 1)) || echo "&page=$page")" \
      '(.artifacts | length), (.artifacts[] | select((.expired | not)
        and .workflow_run.head_repository_id == .workflow_run.repository_id) | .workflow_run.id)') || return 1
    sed 1d <<<"$listed"
    [ "$(head -n 1 <<<"$listed")" = 100 ] || return 0
  done
}

# find_artifact WORKFLOW ARTIFACT EVENT…: the newest trusted run that saved the artifact, in `run`, and how it ended, in
# `ended`. `EVENT…` is what may have started the run.
find_artifact() {
  local saver=$1 name=$2 runs found event commit
  shift 2
  [[ $saver =~ ^[A-Za-z0-9_.-]+$ ]] || fail "\`$saver\` is not the name of a file in \`.github/workflows\`" 2
  [[ $name =~ ^[A-Za-z0-9_.-]+$ ]] || fail "\`$name\` is not the name of an artifact" 2
  runs=$(runs_with "$name") || fail "GitHub does not list what was saved as $name" 5
  for run in $runs; do
    [[ $run =~ ^[0-9]+$ ]] || continue
    found=$(ask "/actions/runs/$run" "select(.id == $run and .head_repository.full_name == \"$GITHUB_REPOSITORY\"
      and .path == \".github/workflows/$saver\") | \"\(.event) \(.conclusion) \(.head_sha)\"")
    read -r event ended commit <<<"$found"
    [ -n "$event" ] || continue
    case " $* " in *" $event "*) ;; *) continue ;; esac
    of_default_branch "$event" "$commit" || continue
    [ "$ended" = success ] || [ -z "${only_success:-}" ] || continue
    return 0
  done
  run='' ended=''
  return 1
}

# download ARTIFACT FILE OUTPUT: one file of an artifact of `run`, as an output of the step.
download() {
  local name=$1 file=$2 folder
  folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/seawall-saved.XXXXXX")
  tool gh run download "$run" --repo "$GITHUB_REPOSITORY" --name "$name" --dir "$folder" | inert
  [ "${PIPESTATUS[0]}" = 0 ] || fail "$name of run $run cannot be downloaded" 5
  [ -f "$folder/$file" ] && [ ! -L "$folder/$file" ] || fail "$name of run $run holds no $file" 4
  output "$3" "$folder/$file"
}
