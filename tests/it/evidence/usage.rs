//! Which rules recorded requests rest on.

use proptest::prelude::*;
use seawall::evidence::usage::{Input, Use, usage};
use serde_json::{Value, json};

use super::world::{Answer, Organization, organization};
use super::{Workspace, connect, lines, policy, record};

fn used(workspace: &Workspace, more: &[&str]) -> Value {
    let arguments = ["usage", "--records", "../records.jsonl", "--format", "json"];
    let (code, stdout, stderr) = workspace.run(&[&arguments[..], more].concat());
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn uses(found: &Value) -> Vec<(String, String)> {
    let text = |rule: &Value, key: &str| rule[key].as_str().unwrap().to_owned();
    found["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (text(rule, "rule"), text(rule, "use")))
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(rule, used)| ((*rule).to_owned(), (*used).to_owned())).collect()
}

const HTTP: &str = "  - {name: get, decision: allow, actions: [request:get], http_resources: [{host: api.example, path: /v1/**}]}\n";
const MORE: &str = "---\napiVersion: seawall/v1\nkind: FilesystemPolicy\nname: F\nrules:\n  \
    - {name: data, decision: allow, actions: [read], resources: ['/data/**']}\n  \
    - {name: opt, decision: allow, actions: [read, write], resources: ['/opt/**']}\n\
    ---\napiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar: |\n  permit (principal, action, resource);\n";

#[test]
fn each_rule_has_its_verdict_and_none_is_unused_where_records_cannot_tell() {
    let rules = [
        "cve allow cve.mitre.org:443",
        "both allow **.mitre.org",
        "dead allow dead.example",
        "block deny 10.0.0.0/8",
        "no deny no.example",
        "needless deny a.no2.example",
    ];
    let documents = format!(
        "{}  - {{name: udp, decision: allow, actions: [connect:udp], resources: [time.example]}}\n{HTTP}{MORE}",
        policy("P", &[], &rules)
    );
    let workspace = Workspace::new(&documents, &documents);
    let mut first = connect("1", "ana", "cve.mitre.org:443", "ALLOW");
    first["timestamp"] = "2026-11-01T00:00:00Z".into();
    workspace.write(
        "records.jsonl",
        lines(&[
            first,
            connect("2", "bob", "x.mitre.org:443", "ALLOW"),
            connect("3", "bob", "a.no2.example:443", "DENY"), // denied without the rule too
            connect("4", "bob", "api.example:443", "ALLOW"),  // by which path?
            record("5", "bob", "filesystem_mount", "/data/x", "ALLOW"), // for reading or writing?
        ]),
    );
    let found = used(&workspace, &[]);
    assert_eq!(
        uses(&found),
        owned(&[
            ("data", "unknown"),
            ("opt", "unused"),
            ("statement 1", "unknown"),
            ("cve", "redundant"),
            ("both", "decides"),
            ("dead", "unused"),
            ("block", "unknown"),
            ("no", "unused"),
            ("needless", "redundant"),
            ("udp", "unknown"),
            ("get", "unknown"),
        ])
    );
    let both = &found["rules"][4];
    assert_eq!(
        both,
        &json!({"policy": "P", "rule": "both", "use": "decides", "matches": 2, "users": 2, "machines": 1,
            "last": "2026-11-10T12:00:00Z", "source": {"file": "all.pol.yaml", "line": 6, "column": 5}})
    );
    // Nine days are too few for ten.
    let short = used(&workspace, &["--min-window", "10d"]);
    assert!(uses(&short).iter().all(|(_, used)| used != "unused"), "{short}");
    assert_eq!(short["rules"][5]["why"], "window_too_short");
    for format in ["human", "markdown"] {
        let (code, stdout, _) =
            workspace.run(&["usage", "--records", "../records.jsonl", "--format", format]);
        assert!(code == 0 && stdout.contains("dead"), "{stdout}");
    }
}

#[test]
fn a_wildcard_becomes_the_hosts_that_were_asked_for_and_comments_stay() {
    let documents = "# Why this is here.\napiVersion: seawall/v1\nkind: NetworkPolicy\nname: P\nrules:\n  \
        - name: all   # as agreed\n    decision: allow\n    actions: [connect:tcp]\n    resources:\n      \
        - '*.example.org:443'\n      - other.example\n  \
        - {name: no, decision: deny, actions: [connect:tcp], resources: [c.example.org]}\n";
    let workspace = Workspace::new(documents, documents);
    workspace.write(
        "records.jsonl",
        lines(&[
            connect("1", "ana", "b.example.org:443", "ALLOW"),
            connect("2", "ana", "a.example.org:443", "ALLOW"),
            connect("3", "ana", "c.example.org:443", "DENY"), // what is denied is not asked to be allowed
            connect("4", "ana", "d.example.org:22", "DENY"),
        ]),
    );
    let found = used(&workspace, &["--narrow"]);
    assert_eq!(
        found["narrow"],
        json!([{"policy": "P", "rule": "all", "from": "*.example.org:443", "to": ["a.example.org:443", "b.example.org:443"],
            "requests": 2, "source": {"file": "all.pol.yaml", "line": 6, "column": 5}}])
    );
    assert_eq!(std::fs::read_to_string(workspace.path("now/all.pol.yaml")).unwrap(), documents);
    used(&workspace, &["--narrow", "--write"]);
    let written = std::fs::read_to_string(workspace.path("now/all.pol.yaml")).unwrap();
    for kept in [
        "# Why this is here.",
        "# as agreed",
        "a.example.org:443",
        "b.example.org:443",
        "other.example",
    ] {
        assert!(written.contains(kept), "{kept}: {written}");
    }
    assert!(!written.contains("*.example.org"), "{written}");
    let (code, stdout, _) = workspace.run(&["validate"]);
    assert_eq!(code, 0, "{stdout}");
    let found = workspace.replay(
        &[
            connect("1", "ana", "b.example.org:443", "ALLOW"),
            connect("2", "ana", "a.example.org:443", "ALLOW"),
        ],
        &[],
    );
    assert_eq!((&found["unchanged"], &found["newly_denied"]), (&json!(2), &json!([])));
    assert_eq!(used(&workspace, &["--narrow"])["narrow"], json!([]));
}

#[test]
fn what_leaves_the_use_of_a_rule_unknown_is_no_redundancy() {
    let mcp = "---\napiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar: |\n  \
        permit (principal, action == MCP::Action::\"getPrompt\", resource);\n  \
        permit (principal, action == MCP::Action::\"getPrompt\", resource);\n";
    let named = policy("P", &[], &["name allow a.example", "net allow 10.0.0.0/8"]);
    let mounts = "---\napiVersion: seawall/v1\nkind: FilesystemPolicy\nname: F\nrules:\n  \
        - {name: kit, decision: allow, actions: [read, write], resources: ['/kit/**']}\n  \
        - {name: other, decision: allow, actions: [read], resources: ['/other/**']}\n";
    let team = policy("R", &["research"], &["some allow b.example"]);
    let all = policy("S", &[], &["all allow b.example"]);
    let documents = format!("{named}---\n{team}---\n{all}{mounts}{mcp}");
    let workspace = Workspace::new(&documents, &documents);
    let mut of_kit = record("2", "ana", "filesystem_mount", "/kit/x", "DENY");
    of_kit["deny_reason"] =
        json!(["denied: rule \"kit:x\" matched op(action=fs:mount:read, resource=fs:path:/kit/x)"]);
    let mut of_nobody = connect("4", "", "b.example:443", "ALLOW");
    of_nobody["hostname"] = "".into();
    workspace.write(
        "records.jsonl",
        lines(&[
            connect("1", "ana", "a.example:443", "ALLOW"), // the address may be in the block
            of_kit,
            connect("3", "ana", "b.example:443", "ALLOW"), // ana may be in the team
            of_nobody,
            record("5", "ana", "prompt", "docs/summary", "ALLOW"),
        ]),
    );
    let found = used(&workspace, &["--min-window", "0d"]);
    let about = |rule: &str| {
        let rules = found["rules"].as_array().unwrap();
        let one = rules.iter().find(|one| one["rule"] == rule).unwrap();
        json!([one["use"], one["why"], one["matches"], one["users"], one["machines"]])
    };
    for (rule, expected) in [
        ("name", json!(["unknown", "may_match", 1, 1, 1])),
        ("net", json!(["unknown", "may_match", 0, 0, 0])),
        ("kit", json!(["unknown", "may_match", 1, 1, 1])),
        ("some", json!(["unknown", "team_unknown", 0, 0, 0])),
        ("all", json!(["unknown", "team_unknown", 2, 1, 1])),
        ("statement 1", json!(["redundant", null, 1, 1, 1])),
        ("statement 2", json!(["redundant", null, 1, 1, 1])),
    ] {
        assert_eq!(about(rule), expected, "{rule}");
    }
}

#[test]
fn a_rule_that_also_allows_udp_is_not_narrowed() {
    let rule = |actions: &str| {
        let head = policy("P", &[], &[]).replace("rules: []", "rules:");
        format!(
            "{head}  - {{name: all, decision: allow, actions: [{actions}], resources: ['*.example.org']}}\n"
        )
    };
    for (actions, is_narrowed) in [("connect:tcp", true), ("connect:tcp, connect:udp", false)] {
        let workspace = Workspace::new(&rule(actions), &rule(actions));
        workspace
            .write("records.jsonl", lines(&[connect("1", "ana", "a.example.org:443", "ALLOW")]));
        let found = used(&workspace, &["--narrow"]);
        assert_eq!(found["narrow"] != json!([]), is_narrowed, "{actions}: {found}");
    }
}

/// So many are counted in several parts, of which each has its share.
#[test]
fn a_thousand_requests_count_for_a_rule_about_addresses() {
    let named = |host: &str, number: usize| {
        connect(&number.to_string(), &format!("u{number}"), &format!("{host}:443"), "ALLOW")
    };
    let mut records: Vec<Value> =
        (0..999).map(|number| named(&format!("h{number}.example.org"), number)).collect();
    records.push(named("other.example", 999));
    for (names, used_by) in [("unused.example", "unknown"), ("**.example.org", "redundant")] {
        let rules = [&format!("names allow {names}"), "all allow 0.0.0.0/0 ::/0"];
        let documents = policy("P", &[], &rules);
        let workspace = Workspace::new(&documents, &documents);
        workspace.write("records.jsonl", lines(&records));
        let found = used(&workspace, &[]);
        assert_eq!(uses(&found), owned(&[("names", used_by), ("all", "decides")]), "{names}");
        let all = &found["rules"][1];
        assert_eq!((&all["matches"], &all["users"]), (&json!(1000), &json!(1000)), "{names}");
    }
}

#[test]
fn a_rule_for_teams_that_are_not_known_names_the_cure() {
    let all = policy("Q", &[], &["x allow x.example"]);
    let team = policy("P", &["research"], &["cve allow cve.mitre.org:443"]);
    let documents = format!("{team}---\n{all}");
    let workspace = Workspace::new(&documents, &documents);
    workspace.write("records.jsonl", lines(&[connect("1", "ana", "cve.mitre.org:443", "ALLOW")]));
    workspace.write("teams.yaml", "ana: [research]\n");
    let rule = |more: &[&str]| used(&workspace, more)["rules"][0].clone();
    let unknown = rule(&[]);
    assert_eq!((&unknown["use"], &unknown["why"]), (&json!("unknown"), &json!("team_unknown")));
    let (_, stdout, _) = workspace.run(&["usage", "--records", "../records.jsonl"]);
    let expected = "  `P › cve`  the teams of the user are not known (`--teams FILE` lists them)  ";
    assert!(stdout.contains(expected), "{stdout}");
    assert_eq!(rule(&["--teams", "../teams.yaml"])["use"], "decides");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// A rule decides exactly where an evaluation without it gives another certain answer.
    #[test]
    fn a_rule_decides_exactly_where_its_removal_flips_a_request(world in organization()) {
        let (requests, declared, memberships) = (world.recorded(), world.declared(), Organization::memberships());
        let found = usage(Input { requests: &requests, declared: &declared, memberships: &memberships, least: 0 });
        prop_assert_eq!(found.rules.len(), world.rules.len());
        for (number, rule) in found.rules.iter().enumerate() {
            let flips = world.requests.iter().any(|asked| {
                match (world.answer(asked), world.answer_without(asked, Some(number))) {
                    (Answer::Known(with), Answer::Known(without)) => with != without,
                    _ => false,
                }
            });
            prop_assert_eq!(rule.used == Use::Decides, flips, "rule {} of {:?}", number, world);
        }
    }
}
