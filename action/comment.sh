#!/usr/bin/env bash
# Posts the plan to the pull request. A comment that cannot be posted fails the step, not the plan.
source "$ACTION_PATH/action/common.sh"

case $COMMENT in
  true) arguments=() ;;
  always) arguments=(--always) ;;
  *) fail "\`comment\` is \`true\`, \`always\` or \`false\`" 2 ;;
esac
[ -z "${KEY:-}" ] || arguments+=("--key=$KEY")
[ -z "${REPORT:-}" ] || arguments+=("--report=$REPORT")
[ -z "${INSIDE:-}" ] || arguments+=("--folder=$INSIDE")
as_text "$SEAWALL" comment "--plan=$PLAN" "${arguments[@]}"
