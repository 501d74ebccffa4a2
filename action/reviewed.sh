#!/usr/bin/env bash
# Finds the plan that was reviewed: the one that the workflow WORKFLOW saved for the head of the pull request which this
# commit merges. Any run may upload a file under any name, those of strangers too; so what counts is which workflow ran,
# and that GitHub started it for its own branch (`workflow_run`), where no pull request can change it.
source "$ACTION_PATH/action/common.sh"

command -v gh >/dev/null || fail "there is no \`gh\`, which looks the reviewed plan up" 2
[[ $WORKFLOW =~ ^[A-Za-z0-9_.-]+$ ]] || fail "\`reviewed-by\` is the name of a file in \`.github/workflows\`" 2
[ -n "$ARTIFACT" ] || fail "\`reviewed-by\` needs the name of the artifact, \`plan-artifact\`" 2

pull=$(gh api "repos/$GITHUB_REPOSITORY/commits/$GITHUB_SHA/pulls" \
  --jq "[.[] | select(.merge_commit_sha == \"$GITHUB_SHA\" and .merged_at != null)][0] | select(.) | \"\(.number) \(.head.sha)\"") \
  || fail "GitHub does not say which pull request $GITHUB_SHA merges" 5
[[ $pull =~ ^([0-9]+)\ ([0-9a-f]{40,64})$ ]] \
  || fail "$GITHUB_SHA merges no pull request: nobody reviewed a plan for it. Start this workflow by hand to plan anew" 4
number=${BASH_REMATCH[1]} head=${BASH_REMATCH[2]}

runs=$(gh api "repos/$GITHUB_REPOSITORY/actions/artifacts?name=$ARTIFACT-$head&per_page=100" \
  --jq '.artifacts[] | select(.expired | not) | .workflow_run.id') || fail "GitHub does not list the saved plans" 5
folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/seawall-reviewed.XXXXXX")
# The newest first, as GitHub lists them.
for run in $runs; do
  trusted=$(gh api "repos/$GITHUB_REPOSITORY/actions/runs/$run" --jq \
    "select(.event == \"workflow_run\" and .path == \".github/workflows/$WORKFLOW\" and .head_repository.full_name == \"$GITHUB_REPOSITORY\") | .id")
  [ "$trusted" = "$run" ] || continue
  gh run download "$run" --repo "$GITHUB_REPOSITORY" --name "$ARTIFACT-$head" --dir "$folder" \
    || fail "the plan of #$number cannot be downloaded" 5
  [ -f "$folder/plan.json" ] || fail "what was saved for #$number holds no plan" 4
  echo "The plan that was reviewed in #$number, of $head"
  output plan "$folder/plan.json"
  exit 0
done
fail "no plan of $WORKFLOW is left for #$number at $head. Start this workflow by hand to plan anew" 4
