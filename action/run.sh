#!/usr/bin/env bash
# Runs one command, and tells the job what came of it. An `apply` ends here with its plan: `apply.sh` carries it out.
source "$ACTION_PATH/action/common.sh"

# What the saved plan says, as outputs. The program writes one key a line, and no text holds a line end, so that what
# stands at a depth is the plan's own.
tell_of_plan() {
  awk '
    /^  "plans": \[/ { in_several = 1 }
    { depth = match($0, /[^ ]/) - 1 - (in_several ? 4 : 0) }
    depth == 2 { section = $1; gsub(/[":]/, "", section) }
    section == "summary" && depth == 4 { name = $1; gsub(/[":]/, "", name); count[name] += $2 }
    section == "access" && depth == 4 && $1 == "\"widened\":" && $2 == "[" { widens = "true" }
    section == "access" && depth == 8 && $1 == "\"widens\":" && $2 ~ /^true/ && widens == "" { widens = "uncertain" }
    section == "access" && depth == 4 && $1 == "\"incomplete\":" && widens == "" { widens = "uncertain" }
    # Another sentence of a rule for agents may well be stricter: people read it.
    section == "vijil" && depth == 8 && $1 == "\"what\":" { weakens = $2 !~ /^"sentence"/ }
    section == "vijil" && depth == 8 && $1 == "\"certain\":" && weakens {
      if ($2 ~ /^true/) widens = "true"; else if (widens == "") widens = "uncertain"
    }
    section == "guards" && depth == 6 && $1 == "\"ok\":" && $2 ~ /^false/ { refused = "true" }
    END {
      split("create update delete approve reject activate", names, " ")
      for (i = 1; i in names; i++) { print names[i] "=" count[names[i]] + 0; changes += count[names[i]] }
      print "changes=" changes + 0
      print "widens=" (widens == "" ? "false" : widens)
      print "refused=" (refused == "" ? "false" : refused)
    }' "$1" >>"$GITHUB_OUTPUT"
}

refused() { grep -qx 'refused=true' "$GITHUB_OUTPUT"; }

# The records to judge the plan by, one a line, as `arguments`.
records() {
  local record
  while IFS= read -r record; do
    record=${record%$'\r'}
    [ -z "$record" ] || arguments+=("--records=$record")
  done <<<"${RECORDS:-}"
  [ -z "${TEAMS:-}" ] || arguments+=("--teams=$TEAMS")
}

# A new plan: shown in the log, saved, and told.
plan() {
  local folder arguments=(plan "${settings[@]}") code
  folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/seawall-plan.XXXXXX")
  arguments+=("--out=$folder/plan.json")
  [ -z "${LIVE_FROM:-}" ] || arguments+=("--live-from=$LIVE_FROM")
  [ -z "${GUARDS_FROM:-}" ] || arguments+=("--guards-from=$GUARDS_FROM")
  [ "${DENY_WIDENING:-false}" = false ] || arguments+=(--deny-widening)
  records
  as_text "$SEAWALL" --color never "${arguments[@]}" -- "$WORKSPACE"
  code=$?
  # A plan that its guards refuse ends with 4; it is saved and shown all the same.
  [ "$code" = 0 ] || { [ "$code" = 4 ] && [ -s "$folder/plan.json" ]; } || return "$code"
  tell "$folder/plan.json"
  [ "${REPORT:-false}" = false ] || report "$folder"
}

# The access report, against what the plan was made from.
report() {
  local arguments=(report "${settings[@]}" "--out=$1/report.html")
  [ "$REPORT" = true ] || fail "\`report\` is \`true\` or \`false\`" 2
  if [ -n "${LIVE_FROM:-}" ]; then arguments+=("--live-from=$LIVE_FROM"); else arguments+=(--live); fi
  records
  as_text "$SEAWALL" --color never "${arguments[@]}" -- "$WORKSPACE" || return
  output report-file "$1/report.html"
}

# Prints the path of the workspace within its repository, for links to its documents; nothing outside a repository.
folder_of_workspace() {
  local inside
  # Files of the workspace that look like a repository are none.
  inside=$(git -c safe.bareRepository=explicit -C "$WORKSPACE" rev-parse --show-prefix 2>/dev/null) || return 0
  case $inside in *$'\n'* | *$'\r'*) return 0 ;; esac
  printf '%s' "${inside:-.}"
}

# The saved plan, in the summary and in the outputs.
tell() {
  local arguments=(comment "--plan=$1" --print) inside
  inside=$(folder_of_workspace)
  [ -z "$inside" ] || arguments+=("--folder=$inside")
  "$SEAWALL" "${arguments[@]}" | summary
  output folder "$inside"
  tell_of_plan "$1"
  output plan "$1"
  output saved true
}

case $COMMAND in
  validate)
    # Its findings are workflow commands, made safe by the program itself: they become annotations.
    "$SEAWALL" validate --format github -- "$WORKSPACE"
    code=$?
    [ "$code" = 0 ] || "$SEAWALL" --color never validate -- "$WORKSPACE" 2>&1 | summary_text
    ;;
  test)
    text=$(mktemp "${RUNNER_TEMP:-/tmp}/seawall-test.XXXXXX")
    "$SEAWALL" --color never test -- "$WORKSPACE" >"$text" 2>&1
    code=$?
    as_text cat "$text"
    summary_text <"$text"
    ;;
  plan)
    plan
    code=$?
    # A plan that its guards refuse is shown all the same, and no apply will carry it out.
    if [ "$code" = 0 ] && refused; then code=4; fi
    ;;
  apply)
    if [ -n "${PLAN:-}" ]; then
      [ -f "$PLAN" ] || fail "\`plan\` names no file" 2
      tell "$PLAN"
      code=0
    else
      plan
      code=$?
    fi
    ;;
  drift)
    folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/seawall-drift.XXXXXX")
    [ -z "${SINCE:-}" ] || settings+=("--since=$SINCE")
    "$SEAWALL" --color never drift "${settings[@]}" --format markdown -- "$WORKSPACE" >"$folder/report.md" 2>"$folder/notes"
    code=$?
    as_text cat "$folder/notes" "$folder/report.md"
    summary <"$folder/report.md"
    # Of several organizations, one that fails hides no other.
    if [ "$code" = 3 ] || grep -q '^### seawall: drift' "$folder/report.md"; then output report "$folder/report.md"; fi
    ;;
  snapshot)
    folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/seawall-live.XXXXXX")
    as_text "$SEAWALL" --color never snapshot "${settings[@]}" "--out=$folder/live.json" -- "$WORKSPACE"
    code=$?
    if [ "$code" = 0 ]; then output snapshot "$folder/live.json" && output saved true; fi
    ;;
  *) fail "there is no command \`$COMMAND\`: \`validate\`, \`test\`, \`plan\`, \`apply\`, \`drift\` or \`snapshot\`" 2 ;;
esac
output exit-code "$code"
