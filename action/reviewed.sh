#!/usr/bin/env bash
# Finds the plan that was reviewed: the one that the workflow WORKFLOW saved for the head of the pull request which this
# commit merges.
source "$ACTION_PATH/action/common.sh"
source "$ACTION_PATH/action/artifact.sh"

[ -n "$ARTIFACT" ] || fail "\`reviewed-by\` needs the name of the artifact, \`plan-artifact\`" 2
pull=$(ask "/commits/$GITHUB_SHA/pulls" \
  "[.[] | select(.merge_commit_sha == \"$GITHUB_SHA\" and .merged_at != null)][0] | select(.) | \"\(.number) \(.head.sha)\"") \
  || fail "GitHub does not say which pull request $GITHUB_SHA merges" 5
[[ $pull =~ ^([0-9]+)\ ([0-9a-f]{40,64})$ ]] \
  || fail "$GITHUB_SHA merges no pull request: nobody reviewed a plan for it. Start this workflow by hand to plan anew" 4
number=${BASH_REMATCH[1]} head=${BASH_REMATCH[2]}

# It runs after the check of a pull request, which is not a run of its own pull request.
find_artifact "$WORKFLOW" "$ARTIFACT-$head" workflow_run \
  || fail "no plan of $WORKFLOW is left for #$number at $head. Start this workflow by hand to plan anew" 4
# The last plan is the one that people saw, or did not see: an older one is not what they reviewed.
[ "$ended" = success ] || fail "the last run of $WORKFLOW for #$number did not succeed: its plan was refused, or not shown \
to anybody. Start this workflow by hand to plan anew" 4
download "$ARTIFACT-$head" plan.json plan
echo "The plan that was reviewed in #$number, of $head"
