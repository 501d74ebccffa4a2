//! What is suggested for requests that no rule matched, and what becomes of a pasted one.

use serde_json::json;

use super::{Workspace, connect, lines, policy, record, run};

fn workspace() -> Workspace {
    let documents =
        policy("P", &["research"], &["cve allow cve.mitre.org:443", "no deny **.bad.example"]);
    let workspace = Workspace::new(&documents, &documents);
    workspace.write("teams.yaml", "ana: [research]\nbob: [research, web]\ncy: [web]\n");
    workspace
}

const COMMON: [&str; 5] = ["suggest", "--records", "../records.jsonl", "--teams", "../teams.yaml"];

#[test]
fn denied_requests_become_the_narrowest_rule_for_the_teams_that_made_them() {
    let workspace = workspace();
    let mut records = vec![
        connect("1", "ana", "files.example.org:443", "DENY"),
        connect("2", "bob", "files.example.org:443", "DENY"),
        connect("3", "cy", "web.example.com:8443", "DENY"),
        connect("4", "ana", "x.bad.example:443", "DENY"), // a deny is about it
        connect("5", "ana", "cve.mitre.org:443", "DENY"), // allowed by now
        connect("6", "ana", "cve.mitre.org:22", "DENY"),
    ];
    for (number, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        records.push(connect(
            &format!("g{number}"),
            "ana",
            &format!("{name}.many.org:443"),
            "DENY",
        ));
    }
    let mut local = connect("l", "ana", "local.example.org:443", "DENY");
    local["deny_reason"] = json!(["denied: rule \"kit:x\" matched op(action=net:connect:tcp)"]);
    records.push(local);
    let mut get = record("h", "cy", "http_request", "api.example.com:443", "DENY");
    get["http_request"] = json!({"method": "HTTP_METHOD_GET", "host": "api.example.com", "port": "443", "path": "/v1/x"});
    records.push(get);
    workspace.write("records.jsonl", lines(&records));
    let (code, stdout, stderr) = workspace.run(&COMMON);
    assert_eq!(code, 0, "{stderr}");
    for text in [
        "teams: [research]",
        "resources: [files.example.org:443]",
        "# Asked for 2 times by 2 users.",
        "teams: [web]",
        "resources: [web.example.com:8443]",
        "resources: [cve.mitre.org:22]",
        "resources: [\"*.many.org:443\"]",
        "# In place of a.many.org:443, b.many.org:443",
        "- {host: api.example.com, port: 443, path: \"/v1/x\"}",
        "# Left out: connect:tcp x.bad.example:443 (once): a deny is about it",
        "# Left out: connect:tcp local.example.org:443 (once): a rule of the machine or of a kit denied it",
    ] {
        assert!(stdout.contains(text), "{text}:\n{stdout}");
    }
    let (code, _, stderr) =
        workspace.run(&[&COMMON[..], &["--write", "suggested.pol.yaml"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, stderr) = workspace.run(&["validate"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    // Applied, it allows just that: members of no team get nothing.
    let found = workspace.replay(&records, &["--teams", "../teams.yaml"]);
    assert_eq!(found["newly_denied"], json!([]));
    let allowed: u64 = found["newly_allowed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["count"].as_u64().unwrap())
        .sum();
    assert_eq!(allowed, 2 + 1 + 1 + 5 + 1);
    let (_, stdout, _) = workspace.run(&["can", "connect:tcp", "files.example.org:443"]);
    assert!(stdout.starts_with("deny"), "{stdout}");
    // Nothing is left to suggest.
    let (code, stdout, stderr) = workspace.run(&COMMON);
    assert!(
        code == 0 && stdout.is_empty() && stderr.contains("Nothing to suggest"),
        "{stdout}{stderr}"
    );
}

#[test]
fn a_domain_of_which_a_deny_may_name_a_host_is_suggested_host_by_host() {
    let names = ["a", "b", "c", "d", "e"].map(|name| format!("{name}.many.org:443"));
    let records: Vec<_> = names.iter().map(|name| connect(name, "ana", name, "DENY")).collect();
    let table = [
        ("x allow z.many.org:443", true),
        ("x deny z.other.org", true),
        ("x deny any.org", true), // ends alike
        ("x deny z.many.org", false),
        ("x deny many.org", false),
        ("x deny **.Many.org:22", false),
        ("x deny *.org:22", false),
        ("x deny api-*.other.org:22", false),
    ];
    for (rule, is_grouped) in table {
        let documents = policy("P", &["research"], &[rule]);
        let workspace = Workspace::new(&documents, &documents);
        workspace.write("teams.yaml", "ana: [research]\n");
        workspace.write("records.jsonl", lines(&records));
        let (code, stdout, stderr) = workspace.run(&COMMON);
        assert_eq!(code, 0, "{rule}: {stderr}");
        let is_alone = |name: &String| stdout.contains(&format!("resources: [{name}]"));
        assert_eq!(stdout.contains("*.many.org:443"), is_grouped, "{rule}:\n{stdout}");
        assert_eq!(names.iter().all(is_alone), !is_grouped, "{rule}:\n{stdout}");
    }
}

#[test]
fn each_request_that_is_left_out_has_its_reason() {
    let taken = policy("'Suggested from records: network for research'", &["research"], &[]);
    let rules = ["cve allow cve.mitre.org:443", "block deny 10.0.0.0/8"];
    let documents = format!("{}---\n{taken}", policy("P", &["research"], &rules));
    let workspace = Workspace::new(&documents, &documents);
    workspace.write("teams.yaml", "ana: [research]\ndee: []\n");
    let denied = |user: &str, resource: &str, reason: &str| {
        let mut one = connect(&format!("{user} {resource}"), user, resource, "DENY");
        one["deny_reason"] = json!([reason]);
        one
    };
    let by_default = "no applicable policies for op(action=net:connect:tcp)";
    workspace.write(
        "records.jsonl",
        lines(&[
            denied("ana", "10.1.2.3:443", by_default),
            denied("ana", "unsaid.example.org:443", "denied"), // perhaps it resolves to a denied address
            denied(
                "ana",
                "old.example.org:443",
                "denied: rule \"old\" matched op(action=net:connect:tcp)",
            ),
            denied("ana", "[2001:db8::1]:443", by_default),
            denied("ana", "192.0.2.7:443", by_default),
            denied("ana", "web.example.org:443", by_default),
            denied("dee", "web.example.org:443", by_default),
            denied("eve", "web.example.org:443", by_default),
        ]),
    );
    let (code, stdout, stderr) = workspace.run(&COMMON);
    assert_eq!(code, 0, "{stderr}");
    for text in [
        "name: \"Suggested from records: network for research (2)\"",
        "resources: [\"192.0.2.7:443\"]",
        "# Asked for once by 1 user.\n  - name: \"tcp web.example.org:443\"",
        "10.1.2.3:443 (once): a deny is about it",
        "unsaid.example.org:443 (once): the address is not recorded, and a rule for addresses decides",
        "old.example.org:443 (once): a rule denied it when it was recorded",
        "[2001:db8::1]:443 (once): no documented rule is about an IPv6 address",
        "web.example.org:443 (once): a rule for the teams that asked does not reach a member of no team",
        "web.example.org:443 (once): the teams of the user are not known",
    ] {
        assert!(stdout.contains(text), "{text}:\n{stdout}");
    }
    assert_eq!(stdout.matches("resources: [").count(), 2, "{stdout}");
}

#[test]
fn the_fewest_teams_reach_all_that_asked() {
    let workspace = workspace();
    workspace.write("teams.yaml", "ana: [alpha, web]\nbob: [beta, web]\n");
    let mut records =
        ["ana", "bob"].map(|user| connect(user, user, "files.example.org:443", "DENY")).to_vec();
    records.push(connect("nobody", "", "nobody.example.org:443", "DENY"));
    for name in ["a", "b", "c", "d", "e"] {
        records.push(connect(name, "ana", &format!("{name}.many.org:443"), "DENY"));
    }
    workspace.write("records.jsonl", lines(&records));
    let (code, stdout, stderr) = workspace.run(&[&COMMON[..], &["--min-users", "1"]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("teams: [web]") && !stdout.contains("teams: [beta]"), "{stdout}");
    assert!(stdout.contains("# Asked for 5 times by 1 user.\n"), "{stdout}");
    assert!(stdout.contains("nobody.example.org:443 (once): too few asked for it"), "{stdout}");
    let (_, stdout, _) = workspace.run(&COMMON);
    assert!(
        stdout.contains("# Without a scope: nobody who asked is known to be in a team.\nrules:\n  # Asked for once by 0 users."),
        "{stdout}"
    );
}

#[test]
fn too_few_requests_suggest_nothing() {
    let workspace = workspace();
    workspace.write(
        "records.jsonl",
        lines(&[
            connect("1", "ana", "files.example.org:443", "DENY"),
            connect("2", "bob", "files.example.org:443", "DENY"),
            connect("3", "ana", "once.example.org:443", "DENY"),
        ]),
    );
    for more in [["--min-users", "2"], ["--min-count", "2"]] {
        let (code, stdout, stderr) = workspace.run(&[&COMMON[..], &more].concat());
        assert_eq!(code, 0, "{stderr}");
        assert!(
            stdout.contains("files.example.org") && !stdout.contains("resources: [once"),
            "{stdout}"
        );
        assert!(stdout.contains("too few asked for it"), "{stdout}");
    }
}

#[test]
fn a_pasted_record_is_answered() {
    let workspace = workspace();
    let now = workspace.folder.path().join("now");
    workspace.write("one.json", connect("1", "ana", "cve.mitre.org:22", "DENY").to_string());
    let (code, stdout, stderr) =
        workspace.run(&["can", "--record", "../one.json", "--team", "research"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("deny  connect:tcp cve.mitre.org:22"), "{stdout}");
    assert!(
        stdout.contains("`P › cve` allows port 443 only, not 22")
            && stderr.contains("recorded as denied")
            && stderr.contains("a rule that allows `connect:tcp cve.mitre.org:22` is missing"),
        "{stdout}{stderr}"
    );
    let reason = "blocked: denied: rule \"no\" matched op(action=net:connect:tcp, resource=net:domain:x.bad.example:443)";
    let (code, stdout, stderr) =
        run(&now, &["can", "--record", "-", "--team", "research", "--format", "json"], reason);
    assert!(stderr.contains("no allow helps while a rule denies it"), "{stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, &answer["decision"], &answer["because"][0]["rule"]),
        (0, &json!("deny"), &json!("no"))
    );
    assert_eq!(answer["because"][0]["source"]["file"], "all.pol.yaml");
    let (code, _, stderr) = run(&now, &["can", "--record", "-"], "403 Forbidden");
    assert!(code == 2 && stderr.contains("it names no request"), "{stderr}");
}
