# Shared by the action's scripts. Sourced, not run.
#
# What others wrote (names of policies, paths, branches) is only ever an argument behind `--` or `--flag=`, or the text of
# a file: never a word of a script, never a line that the runner takes for a command.
# shellcheck shell=bash

set -o pipefail

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

# Runs a command while the runner takes nothing that it prints for a workflow command.
as_text() {
  local mark code
  mark=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "::stop-commands::$mark"
  "$@"
  code=$?
  printf '\n::%s::\n' "$mark"
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
