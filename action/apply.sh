#!/usr/bin/env bash
# Carries out just the saved plan. The program refuses it when what it touches has moved since.
source "$ACTION_PATH/action/common.sh"

# An endpoint or an organization is part of the plan; the flags say where credentials may go.
as_text "$SEAWALL" --color never apply "${settings[@]}" "--plan=$PLAN" --yes -- "$WORKSPACE"
output exit-code $?
