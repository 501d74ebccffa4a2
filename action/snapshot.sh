#!/usr/bin/env bash
# Finds the newest snapshot that the workflow WORKFLOW saved on the default branch.
source "$ACTION_PATH/action/common.sh"
source "$ACTION_PATH/action/artifact.sh"

[ -z "${LIVE_FROM:-}" ] || fail "\`live-from\` and \`snapshot-by\` both name a snapshot: give one" 2
only_success=true
find_artifact "$WORKFLOW" "$ARTIFACT" schedule workflow_run workflow_dispatch \
  || fail "$WORKFLOW saved no $ARTIFACT that can be used: start it on the default branch, and look whether it succeeds" 5
download "$ARTIFACT" live.json live
echo "The snapshot of run $run of $WORKFLOW"
