#!/usr/bin/env bash
# Carries out just the saved plan. The program refuses it when what it touches has moved since.
source "$ACTION_PATH/action/common.sh"

# The guards of the default branch by now hold beside those that the plan was made under.
[ -z "${GUARDS_FROM:-}" ] || settings+=("--guards-from=$GUARDS_FROM")
# An endpoint or an organization is part of the plan; the flags say where credentials may go.
as_text "$SEAWALL" --color never apply "${settings[@]}" "--plan=$PLAN" --yes -- "$WORKSPACE"
output exit-code $?
