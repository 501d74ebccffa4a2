//! The effect that a change would have had on recorded requests.

use proptest::prelude::*;
use seawall::evidence::replay::{Input, Replay, RuleOrigins, Side, replay};
use seawall::model::TeamDirectory;
use serde_json::{Value, json};

use super::world::{Answer, Organization, organization};
use super::{Workspace, connect, lines, policy, record, run};

#[test]
fn what_is_newly_denied_says_by_which_rule_whom_and_how_often() {
    let before = policy(
        "Research",
        &["research"],
        &["files allow files.example.org:443", "cve allow cve.mitre.org"],
    );
    let after = policy("Research", &["research"], &["cve allow cve.mitre.org"]);
    let workspace = Workspace::new(&before, &after);
    workspace.write("teams.yaml", "ana: [research]\nbob: [research]\ncy: []\n");
    let records = [
        connect("1", "ana", "files.example.org:443", "ALLOW"),
        connect("2", "bob", "files.example.org:443", "ALLOW"),
        connect("3", "bob", "files.example.org:443", "ALLOW"),
        connect("4", "cy", "files.example.org:443", "DENY"),
        connect("5", "ana", "cve.mitre.org:443", "ALLOW"),
        connect("6", "dan", "cve.mitre.org:443", "ALLOW"), // whose teams nobody knows
        connect("7", "ana", "cve.mitre.org:443", "DENY"),
    ];
    let found = workspace.replay(&records, &["--teams", "../teams.yaml"]);
    assert_eq!(
        found,
        json!({
            "format_version": 1,
            "window": {"first": "2026-11-10T12:00:00Z", "last": "2026-11-10T12:00:00Z", "records": 7, "requests": 2, "users": 4,
                "skipped": {"not_a_decision": 0, "not_enforced": 0, "duplicate": 0, "broken": 0, "connection": 0, "resolution": 0}},
            "agreement": {"agree": 5, "disagree": 1, "unknown": 1, "disagreements": [
                {"request": "connect:tcp cve.mitre.org:443", "recorded": "deny", "computed": "allow", "count": 1}]},
            "newly_denied": [{"request": "connect:tcp files.example.org:443", "teams": ["research"], "count": 3, "users": 2,
                "first": "2026-11-10T12:00:00Z", "last": "2026-11-10T12:00:00Z",
                "because": ["no longer allow `Research › files` (../then:all.pol.yaml:6:5)"]}],
            "newly_allowed": [],
            "denied_users": 2,
            "unchanged": 3,
            "unknown": [{"reason": "team_unknown", "count": 1, "example": "connect:tcp cve.mitre.org:443"}],
        })
    );
    let text = found.to_string();
    assert!(
        !["ana", "bob", "laptop"].iter().any(|name| text.contains(&format!("\"{name}\""))),
        "{text}"
    );
    let (code, stdout, _) = workspace.run(&[
        "replay",
        "--before",
        "../then",
        "--records",
        "../records.jsonl",
        "--teams",
        "../teams.yaml",
        "--detailed-exitcode",
    ]);
    assert_eq!(code, 3);
    let agreement = stdout.find("Agreement: 5 decided as recorded, 1 differently").unwrap();
    assert!(
        agreement < stdout.find("Newly denied: 3 requests (1 distinct) by 2 users").unwrap(),
        "{stdout}"
    );
    assert!(
        stdout.contains("connect:tcp files.example.org:443  3 times by 2 users of research"),
        "{stdout}"
    );
}

#[test]
fn a_deny_that_comes_is_behind_the_change_and_one_that_goes_too() {
    let open = policy("P", &[], &["all allow **.example.org", "more allow x.example.com"]);
    let closed = policy(
        "P",
        &[],
        &["all allow **.example.org", "no deny a.example.org:443", "more allow x.example.com"],
    );
    let records = [connect("1", "ana", "a.example.org:443", "ALLOW")];
    let found = Workspace::new(&open, &closed).replay(&records, &[]);
    assert_eq!(
        found["newly_denied"][0]["because"],
        json!(["now deny `P › no` (all.pol.yaml:6:5)"])
    );
    let found = Workspace::new(&closed, &open).replay(&records, &[]);
    assert_eq!(
        found["newly_allowed"][0]["because"],
        json!(["no longer deny `P › no` (../then:all.pol.yaml:6:5)"])
    );
}

#[test]
fn what_a_record_does_not_say_is_unknown_with_its_reason() {
    let mounts = "---\napiVersion: seawall/v1\nkind: FilesystemPolicy\nname: F\nrules:\n  \
        - {name: data, decision: allow, actions: [read], resources: ['/data/**']}\n  \
        - {name: tmp, decision: allow, actions: [read, write], resources: ['/tmp/**']}\n";
    let mcp = "---\napiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar: |\n  \
        permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };\n  \
        permit (principal, action == MCP::Action::\"getPrompt\", resource);\n";
    let documents = format!(
        "{}{mounts}{mcp}",
        policy("P", &[], &["net allow 10.0.0.0/8", "api allow api.example:443"])
    );
    let workspace = Workspace::new(&documents, &documents);
    let mut written = record("w", "ana", "filesystem_mount", "/data/x", "DENY");
    written["deny_reason"] =
        json!(["no applicable policies for op(action=fs:mount:write, resource=fs:path:/data/x)"]);
    let mut local = connect("l", "ana", "api.example:443", "DENY");
    local["deny_reason"] = json!([
        "denied: rule \"local:x\" matched op(action=net:connect:tcp, resource=net:domain:api.example:443)"
    ]);
    let records = [
        connect("1", "ana", "db.corp.example:5432", "ALLOW"), // its address is not recorded
        connect("2", "ana", "10.1.2.3:5432", "ALLOW"),        // an address itself
        connect("3", "ana", "api.example:443", "ALLOW"),
        record("4", "ana", "filesystem_mount", "/data/x", "ALLOW"), // for reading or writing?
        record("5", "ana", "filesystem_mount", "/tmp/x", "ALLOW"),
        record("6", "ana", "tool_invocation", "notion/search", "ALLOW"),
        record("7", "ana", "prompt", "docs/summary", "ALLOW"), // decided by the action alone
        record("8", "ana", "server_registration", "x", "DENY"),
        connect("9", "ana", "no port", "DENY"),
        written,
        local,
    ];
    let found = workspace.replay(&records, &[]);
    let reasons: Vec<(&str, u64)> = found["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["reason"].as_str().unwrap(), one["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("not_readable", 1),
            ("local_rule", 1),
            ("address_not_recorded", 1),
            ("mode_not_recorded", 1),
            ("attributes_not_recorded", 1)
        ]
    );
    assert_eq!((&found["unchanged"], &found["agreement"]["disagree"]), (&json!(6), &json!(0)));
}

#[test]
fn a_connection_that_is_unknown_has_the_reason_that_would_settle_it() {
    let http = |decision: &str| {
        format!(
            "  - {{name: http, decision: {decision}, actions: [request:get], \
             http_resources: [{{host: a.example, path: /v1/**}}]}}\n"
        )
    };
    let table = [
        // the decision on a host with rules for its requests is that on the request
        (vec![], http("allow"), Some("path_not_recorded")),
        (vec!["net allow 10.0.0.0/8"], http("allow"), Some("path_not_recorded")),
        (vec!["net allow 10.0.0.0/8"], http("deny"), Some("path_not_recorded")),
        // but not where the name as a whole is denied
        (vec!["no deny a.example"], http("allow"), None),
        (vec!["net allow 10.0.0.0/8"], String::new(), Some("address_not_recorded")),
        (
            vec!["all allow 0.0.0.0/0", "net deny 10.0.0.0/8"],
            String::new(),
            Some("address_not_recorded"),
        ),
        (vec!["odd allow *.exam*"], String::new(), Some("not_documented")),
        (vec!["odd allow *.exam*", "net allow 10.0.0.0/8"], String::new(), Some("not_documented")),
        (vec!["name allow a.example"], String::new(), None),
    ];
    for (rules, more, expected) in table {
        let mut documents = policy("P", &[], &rules);
        if rules.is_empty() {
            documents = documents.replace("rules: []", "rules:");
        }
        documents.push_str(&more);
        let workspace = Workspace::new(&documents, &documents);
        let found = workspace.replay(&[connect("1", "ana", "a.example:443", "DENY")], &[]);
        assert_eq!(found["unknown"][0]["reason"].as_str(), expected, "{documents}");
    }
}

#[test]
fn the_outcome_of_an_approval_counts_once() {
    let documents = policy("P", &[], &["a allow a.example:443"]);
    let workspace = Workspace::new(&documents, &policy("P", &[], &["b allow b.example"]));
    let step = |id: &str, decision: &str| {
        let mut one = connect(id, "ana", "a.example:443", decision);
        one["approval"] = json!({"approval_request_id": "b7e2"});
        one.as_object_mut().unwrap().remove("enforcement_mode");
        one
    };
    let found =
        workspace.replay(&[step("1", "APPROVAL_REQUIRED"), step("2", "APPROVAL_ALLOW")], &[]);
    assert_eq!(
        (&found["window"]["records"], &found["window"]["skipped"]["resolution"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&found["agreement"]["unknown"], &found["newly_denied"][0]["count"]),
        (&json!(1), &json!(1))
    );
    // The same question twice is no outcome.
    let asked = [step("1", "APPROVAL_REQUIRED"), step("2", "APPROVAL_REQUIRED")];
    let skipped = workspace.replay(&asked, &[])["window"]["skipped"].clone();
    assert_eq!((&skipped["resolution"], &skipped["duplicate"]), (&json!(0), &json!(1)));
}

#[test]
fn frequent_requests_become_tests_that_pass() {
    let documents = policy("P", &["research"], &["a allow a.example:443"]);
    let workspace = Workspace::new(&documents, &documents);
    workspace.write("teams.yaml", "ana: [research]\nbob: []\n");
    workspace.write(
        "records.jsonl",
        lines(&[
            connect("1", "ana", "a.example:443", "ALLOW"),
            connect("2", "bob", "a.example:443", "DENY"),
            connect("3", "bob", "b.example:443", "ALLOW"), // not as the documents say: nothing to rely on
        ]),
    );
    let arguments = [
        "replay",
        "--before",
        "../then",
        "--records",
        "../records.jsonl",
        "--teams",
        "../teams.yaml",
        "--write-tests",
        "frozen.pol.yaml",
    ];
    let (code, _, stderr) = workspace.run(&arguments);
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, stderr) = workspace.run(&["test"]);
    assert!(code == 0 && stdout.contains("2 tests"), "{stdout}{stderr}");
    let written = std::fs::read_to_string(workspace.path("now/frozen.pol.yaml")).unwrap();
    assert!(!written.contains("b.example") && written.contains("- research"), "{written}");
    let (code, _, stderr) = workspace.run(&arguments);
    assert!(code == 2 && stderr.contains("is there already"), "{stderr}");
}

#[test]
fn live_state_is_compared_with_what_the_plan_would_leave() {
    let documents = policy("P", &["research"], &["a allow a.example:443"]);
    let workspace = Workspace::new(&documents, &documents);
    let now = workspace.folder.path().join("now");
    assert_eq!(run(&now, &["apply", "--yes"], "").0, 0);
    workspace.write("now/all.pol.yaml", policy("P", &["research"], &["b allow b.example:443"]));
    workspace.write("teams.yaml", "ana: research\n");
    workspace.write("records.jsonl", lines(&[connect("1", "ana", "a.example:443", "ALLOW")]));
    assert_eq!(run(&now, &["snapshot", "--out", "../live.json"], "").0, 0);
    let common =
        ["replay", "--records", "../records.jsonl", "--teams", "../teams.yaml", "--format", "json"];
    let (code, stdout, stderr) = run(&now, &common, "");
    assert_eq!(code, 0, "{stderr}");
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(found["newly_denied"][0]["teams"], json!(["research"]), "{found}");
    assert_eq!(found["newly_denied"][0]["because"], json!(["no longer allow `P › a` (live)"]));
    let (_, offline, _) = run(&now, &[&common[..], &["--live-from", "../live.json"]].concat(), "");
    assert_eq!(offline, stdout);
}

fn replayed(old: &Organization, new: &Organization) -> Replay {
    let (requests, memberships) = (new.recorded(), Organization::memberships());
    let places = RuleOrigins::default();
    replay(Input {
        requests: &requests,
        before: Side { policies: &old.policies(), places: &places },
        after: Side { policies: &new.policies(), places: &places },
        memberships: &memberships,
        teams: &TeamDirectory::default(),
        named: true,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Each answer is that of an evaluation that tries everything, one request after another.
    #[test]
    fn a_replay_agrees_with_an_exhaustive_evaluation(old in organization(), rules in organization()) {
        let new = Organization { requests: old.requests.clone(), ..rules };
        let found = replayed(&old, &new);
        let (mut denied, mut allowed, mut unchanged, mut unknown) = (0, 0, 0, 0);
        let (mut agree, mut disagree, mut untold) = (0, 0, 0);
        for request in &new.requests {
            let (before, after) = (old.answer(request), new.answer(request));
            match before {
                Answer::Unknown => untold += 1,
                Answer::Known(before) if before == request.allowed => agree += 1,
                Answer::Known(_) => disagree += 1,
            }
            match (before, after) {
                (Answer::Unknown, _) | (_, Answer::Unknown) => unknown += 1,
                (Answer::Known(before), Answer::Known(after)) if before == after => unchanged += 1,
                (Answer::Known(true), _) => denied += 1,
                (Answer::Known(false), _) => allowed += 1,
            }
        }
        let sum = |changes: &[seawall::evidence::replay::Change]| changes.iter().map(|one| one.count).sum::<u64>();
        prop_assert_eq!((sum(&found.newly_denied), sum(&found.newly_allowed)), (denied, allowed));
        prop_assert_eq!(found.unchanged, unchanged);
        prop_assert_eq!(found.unknown.iter().map(|one| one.count).sum::<u64>(), unknown);
        prop_assert_eq!((found.agreement.agree, found.agreement.disagree, found.agreement.unknown), (agree, disagree, untold));
    }
    /// Records that the policies themselves made: nothing changes, and all that can be told is as
    /// it was recorded.
    #[test]
    fn records_of_the_very_policies_agree_and_change_nothing(mut world in organization()) {
        let answers: Vec<Answer> = world.requests.iter().map(|request| world.answer(request)).collect();
        let mut known = 0;
        for (request, answer) in world.requests.iter_mut().zip(answers) {
            if let Answer::Known(allowed) = answer {
                (request.allowed, known) = (allowed, known + 1);
            }
        }
        let found = replayed(&world, &world);
        prop_assert!(found.is_empty() && found.adds_up(), "{:?}", found);
        prop_assert_eq!((found.agreement.agree, found.agreement.disagree, found.unchanged), (known, 0, known));
        prop_assert_eq!(found.agreement.disagreements, Vec::new());
    }
}
