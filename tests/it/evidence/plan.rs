//! Recorded requests as a section of a plan, and the guard that judges them.

use std::path::Path;

use serde_json::{Value, json};

use super::{Workspace, connect, lines, policy, record, run};

/// An applied workspace, with a proposal under which `files.example.org` is denied to the research
/// team.
struct Proposal(Workspace);

const RECORDS: [&str; 4] = ["--records", "../records.jsonl", "--teams", "../teams.yaml"];

impl Proposal {
    fn new() -> Self {
        let rules = ["files allow files.example.org:443", "cve allow cve.mitre.org:443"];
        let workspace = Workspace::new("", &policy("P", &["research"], &rules));
        let proposal = Self(workspace);
        assert_eq!(proposal.run(&["apply", "--yes"]).0, 0);
        proposal.0.write(
            "now/all.pol.yaml",
            policy("P", &["research"], &["cve allow cve.mitre.org:443"]),
        );
        proposal.0.write("teams.yaml", "ana: [research]\nbob: [research]\n");
        let records = [
            connect("1", "ana", "files.example.org:443", "ALLOW"),
            connect("2", "bob", "files.example.org:443", "ALLOW"),
            connect("3", "bob", "cve.mitre.org:443", "ALLOW"),
            connect("4", "cy", "files.example.org:443", "ALLOW"), // whose teams nobody knows
        ];
        proposal.0.write("records.jsonl", lines(&records));
        proposal
    }

    fn folder(&self) -> std::path::PathBuf {
        self.0.folder.path().join("now")
    }

    fn guards(&self, guards: &str) {
        settings(&self.folder(), guards);
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        run(&self.folder(), arguments, "")
    }

    fn plan(&self, more: &[&str]) -> (i32, Value) {
        let (code, stdout, stderr) = self.run(&[&["plan", "--format", "json"], more].concat());
        (code, serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}")))
    }
}

fn settings(folder: &Path, guards: &str) {
    let text = format!(
        "apiVersion: seawall/v1\nkind: Workspace\ninclude: ['*.pol.yaml']\ndocker: {{org: acme, endpoint: embedded}}\nguards: {guards}\n"
    );
    std::fs::write(folder.join("seawall.yaml"), text).unwrap();
}

fn verdict(plan: &Value) -> (bool, String) {
    let guards = plan["guards"].as_array().unwrap();
    let own = guards.iter().find(|one| one["guard"] == "blocked_requests").unwrap();
    (own["ok"].as_bool().unwrap(), own["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_plan_holds_what_replay_prints_and_shows_it_everywhere() {
    let proposal = Proposal::new();
    let (_, replay, _) = proposal.run(&[&["replay", "--format", "json"], &RECORDS[..]].concat());
    let replay: Value = serde_json::from_str(&replay).unwrap();
    assert_eq!(
        (&replay["newly_denied"][0]["count"], &replay["unknown"][0]["count"]),
        (&json!(2), &json!(1))
    );
    let (code, plan) = proposal.plan(&[&RECORDS[..], &["--out", "plan.json"]].concat());
    assert_eq!((code, &plan["recorded"]), (0, &replay));
    let saved: Value =
        serde_json::from_str(&std::fs::read_to_string(proposal.0.path("now/plan.json")).unwrap())
            .unwrap();
    assert_eq!(saved, plan);
    let (_, human, _) = proposal.run(&[&["plan"], &RECORDS[..]].concat());
    assert_eq!(proposal.run(&["show", "plan.json"]).1, human);
    for text in [
        "would deny 2 recorded requests of 2 users",
        "Agreement: 3 decided as recorded, 0 differently, 1 unknown",
        "because no longer allow `P › files` (live)",
        "- connect:tcp files.example.org:443  2 times by 2 users of research",
        "Unknown: 1",
    ] {
        assert!(human.contains(text), "{text}\n{human}");
    }
    let (access, own, steps) =
        (human.find("Access"), human.find("Recorded requests"), human.find("Changes"));
    assert!(access < own && own < steps, "{human}");
    let (_, comment, stderr) = proposal.run(&["comment", "--plan", "plan.json", "--print"]);
    for text in [
        "#### Recorded requests",
        "| **2** | 0 | 1 | 1 |",
        "<code>connect&#58;tcp files.example.org&#58;443</code>",
    ] {
        assert!(comment.contains(text), "{text}\n{comment}{stderr}");
    }
    assert!(!comment.contains("ana"), "{comment}");
    let (_, named) = proposal.plan(&[&RECORDS[..], &["--users"]].concat());
    assert_eq!(named["recorded"]["newly_denied"][0]["names"], json!(["ana", "bob"]));
    // A rule that changes has the place of its declaration.
    let moved = ["files allow other.example.org:443", "cve allow cve.mitre.org:443"];
    proposal.0.write("now/all.pol.yaml", policy("P", &["research"], &moved));
    let (_, plan) = proposal.plan(&RECORDS);
    assert_eq!(
        plan["recorded"]["newly_denied"][0]["because"],
        json!(["no longer allow `P › files` (all.pol.yaml:6:5)"])
    );
}

#[test]
fn a_statement_of_a_live_text_has_a_place_while_it_is_declared_as_it_is() {
    let mcp = |name: &str, scope: &str, actions: &[&str]| {
        let permit = |action: &&str| {
            format!("  permit (principal, action == MCP::Action::\"{action}\", resource);\n")
        };
        let text: String = actions.iter().map(permit).collect();
        format!("apiVersion: seawall/v1\nkind: McpPolicy\nname: {name}\n{scope}cedar: |\n{text}")
    };
    let beside = format!("---\n{}", mcp("N", "", &["getPrompt"]));
    let documents = |scope: &str, actions: &[&str]| format!("{}{beside}", mcp("M", scope, actions));
    let actions = ["invokeTool", "readResource"];
    let proposal = Proposal(Workspace::new("", &documents("", &actions)));
    assert_eq!(proposal.run(&["apply", "--yes"]).0, 0);
    proposal.0.write("teams.yaml", "ana: [research]\n");
    proposal.0.write(
        "records.jsonl",
        lines(&[record("1", "ana", "tool_invocation", "notion/search", "ALLOW")]),
    );
    let table = [
        (documents("scope: {teams: [design]}\n", &actions), "all.pol.yaml:6:3"),
        // The first statement is another one.
        (documents("", &["readResource"]), "live"),
    ];
    for (documents, place) in table {
        proposal.0.write("now/all.pol.yaml", &documents);
        let (_, plan) = proposal.plan(&RECORDS);
        assert_eq!(
            plan["recorded"]["newly_denied"][0]["because"],
            json!([format!("no longer allow `M › statement 1` ({place})")]),
            "{documents}"
        );
        let because = "no longer allow `M › permit (principal, action == MCP::Action::\"invokeTool\", resource);`";
        let (_, human, _) = proposal.run(&["plan"]);
        assert!(human.contains(&format!("{because} ({place})")), "{human}");
    }
}

#[test]
fn a_plan_from_other_documents_holds_what_replay_prints_of_them() {
    let proposal = Proposal::new();
    let files = policy(
        "P",
        &["research"],
        &["files allow files.example.org:443", "cve allow cve.mitre.org:443"],
    );
    proposal.0.write("then/all.pol.yaml", files);
    let before = [&["--before", "../then", "--format", "json"], &RECORDS[..]].concat();
    let (_, replay, stderr) = proposal.run(&[&["replay"], &before[..]].concat());
    let replay: Value = serde_json::from_str(&replay).unwrap_or_else(|_| panic!("{stderr}"));
    assert_eq!(
        replay["newly_denied"][0]["because"],
        json!(["no longer allow `P › files` (../then:all.pol.yaml:6:5)"])
    );
    let (_, plan, stderr) = proposal.run(&[&["plan"], &before[..]].concat());
    let plan: Value = serde_json::from_str(&plan).unwrap_or_else(|_| panic!("{stderr}"));
    assert_eq!(plan["recorded"], replay);
}

#[test]
fn the_guard_judges_records_and_says_where_it_cannot() {
    let proposal = Proposal::new();
    proposal.0.write("empty.jsonl", "");
    let with = &RECORDS[..];
    let unknown = &RECORDS[..2]; // nobody's teams are known
    let empty = &["--records", "../empty.jsonl"][..];
    let table = [
        ("{}", &[][..], true, "no limit is set"),
        (
            "{}",
            with,
            true,
            "denies 2 of 4 recorded requests; of 1 it is not known; no limit is set",
        ),
        (
            "{blocked_requests: 0}",
            with,
            false,
            "denies 2 of 4 recorded requests; of 1 it is not known; at most 0 may",
        ),
        ("{blocked_requests: 1}", with, false, "at most 1 may be denied"),
        ("{blocked_requests: 2}", with, true, "at most 2 may be denied"),
        ("{blocked_requests: 49%}", with, false, "at most 49% may be denied"),
        ("{blocked_requests: 50%}", with, true, "at most 50% may be denied"),
        ("{blocked_requests: 0}", &[], true, "it could not be judged: no records were given"),
        (
            "{blocked_requests: 0}",
            empty,
            true,
            "it could not be judged: the records hold no decision",
        ),
        (
            "{blocked_requests: 0}",
            unknown,
            true,
            "it could not be judged: of none of the 4 recorded requests",
        ),
        ("{blocked_requests: 0, require_records: true}", &[], false, "no records were given"),
        (
            "{blocked_requests: 100%, require_records: true}",
            empty,
            false,
            "the records hold no decision",
        ),
        ("{blocked_requests: 100%, require_records: true}", unknown, false, "records are required"),
        ("{require_records: true}", &[], false, "records are required"),
        ("{require_records: true}", with, true, "no limit is set"),
    ];
    for (guards, records, ok, says) in table {
        proposal.guards(guards);
        let (code, plan) = proposal.plan(records);
        let (own, message) = verdict(&plan);
        assert_eq!((own, code), (ok, if ok { 0 } else { 4 }), "{guards} {records:?}: {message}");
        assert!(message.contains(says), "{guards} {records:?}: {message}");
    }
    // What could not be judged is said where people read.
    proposal.guards("{blocked_requests: 0}");
    let (_, human, _) = proposal.run(&["plan"]);
    assert!(
        human.contains("Not judged by `blocked_requests`: it could not be judged: no records"),
        "{human}"
    );
    let (_, markdown, _) = proposal.run(&["plan", "--format", "markdown"]);
    assert!(markdown.contains("Not judged by `blocked_requests`"), "{markdown}");
    for records in [empty, unknown] {
        let (_, human, _) = proposal.run(&[&["plan"], records].concat());
        assert!(human.contains("Not judged by `blocked_requests`: "), "{records:?}\n{human}");
    }
    proposal.guards("{blocked_requests: 2}");
    let arguments = [&["plan"][..], with].concat();
    let (_, judged, _) = proposal.run(&arguments);
    assert!(!judged.contains("Not judged"), "{judged}");
    // What changes nothing blocks nobody.
    proposal.guards("{blocked_requests: 0, require_records: true}");
    proposal.0.write(
        "now/all.pol.yaml",
        policy(
            "P",
            &["research"],
            &["files allow files.example.org:443", "cve allow cve.mitre.org:443"],
        ),
    );
    assert_eq!(verdict(&proposal.plan(&[]).1), (true, "no access changes".to_owned()));
}

#[test]
fn a_saved_plan_is_judged_by_what_the_records_said() {
    let proposal = Proposal::new();
    assert_eq!(proposal.plan(&[&RECORDS[..], &["--out", "plan.json"]].concat()).0, 0);
    // The guards of the base hold too, and the records are no longer needed.
    std::fs::remove_file(proposal.0.path("records.jsonl")).unwrap();
    let base = proposal.0.folder.path().join("base");
    std::fs::create_dir_all(&base).unwrap();
    let apply = ["apply", "--plan", "plan.json", "--yes", "--guards-from", "../base"];
    for (guards, code) in
        [("{blocked_requests: 1}", 4), ("{blocked_requests: 2, require_records: true}", 0)]
    {
        settings(&base, guards);
        let (found, stdout, stderr) = proposal.run(&apply);
        assert_eq!(found, code, "{guards}: {stdout}{stderr}");
        assert!(stdout.contains("Newly denied: 2 requests"), "{stdout}");
    }
    let proposal = Proposal::new();
    proposal.guards("{blocked_requests: 1}");
    assert_eq!(proposal.plan(&[&RECORDS[..], &["--out", "plan.json"]].concat()).0, 4);
    let (code, _, stderr) = proposal.run(&["apply", "--plan", "plan.json", "--yes"]);
    assert!(code == 4 && stderr.contains("refused by blocked_requests"), "{stderr}");
    let (code, _, stderr) =
        proposal.run(&["apply", "--plan", "plan.json", "--yes", "--allow", "blocked_requests"]);
    assert_eq!(code, 0, "{stderr}");
    // Without a saved plan, records are taken by apply itself.
    let proposal = Proposal::new();
    proposal.guards("{blocked_requests: 1, require_records: true}");
    let (code, _, stderr) = proposal.run(&["apply", "--yes"]);
    assert!(code == 4 && stderr.contains("refused by blocked_requests"), "{stderr}");
    let (code, stdout, _) = proposal.run(&[&["apply", "--yes"], &RECORDS[..]].concat());
    assert!(code == 4 && stdout.contains("at most 1 may be denied"), "{stdout}");
    proposal.guards("{blocked_requests: 2, require_records: true}");
    assert_eq!(proposal.run(&[&["apply", "--yes"], &RECORDS[..]].concat()).0, 0);
}

#[test]
fn records_are_of_one_organization_of_docker() {
    let proposal = Proposal::new();
    let text = "apiVersion: seawall/v1\nkind: Workspace\ninclude: ['*.pol.yaml']\ndocker: {orgs: [acme, labs], endpoint: embedded}\n";
    proposal.0.write("now/seawall.yaml", text);
    let plan = [&["plan"], &RECORDS[..]].concat();
    let (code, _, stderr) = proposal.run(&plan);
    assert!(
        code == 2 && stderr.contains("pick the one that the records are of with `--org`"),
        "{stderr}"
    );
    let (code, stdout, stderr) = proposal.run(&[&plan[..], &["--org", "acme"]].concat());
    assert!(code == 0 && stdout.contains("Newly denied: 2 requests"), "{stdout}{stderr}");
    proposal.0.write("now/seawall.yaml", text.replace("orgs: [acme, labs]", "org: acme"));
    for (arguments, says) in [
        (&["plan", "--teams", "../teams.yaml"][..], "--records"),
        (&["plan", "--users"], "--records"),
        (&["plan", "--records", "../none.jsonl"], "cannot be read"),
        (&["apply", "--plan", "plan.json", "--records", "../records.jsonl"], "cannot be used with"),
    ] {
        let (code, _, stderr) = proposal.run(arguments);
        assert!(code == 2 && stderr.contains(says), "{arguments:?}: {stderr}");
    }
    // A broken line is counted and told; with `--strict` the run says so, and apply writes nothing.
    proposal.0.write(
        "broken.jsonl",
        format!("{}{{\n", lines(&[connect("1", "ana", "files.example.org:443", "ALLOW")])),
    );
    let broken = ["--records", "../broken.jsonl"];
    assert_eq!(proposal.run(&[&["plan"], &broken[..]].concat()).0, 0);
    assert_eq!(proposal.run(&[&["plan", "--strict"], &broken[..]].concat()).0, 1);
    let (code, _, stderr) = proposal.run(&[&["apply", "--yes", "--strict"], &broken[..]].concat());
    assert!(code == 1 && stderr.contains("nothing was written"), "{stderr}");
}

#[test]
fn plans_do_not_depend_on_order_and_split_of_records() {
    let proposal = Proposal::new();
    let text = std::fs::read_to_string(proposal.0.path("records.jsonl")).unwrap();
    let whole = proposal.run(&[&["plan", "--format", "json"], &RECORDS[..]].concat()).1;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.reverse();
    let (one, other) = lines.split_at(1);
    proposal.0.write("split/b.jsonl", one.join("\n"));
    proposal.0.write("split/a.jsonl", other.join("\n"));
    let split = ["plan", "--format", "json", "--records", "../split", "--teams", "../teams.yaml"];
    assert_eq!(proposal.run(&split).1, whole);
}
