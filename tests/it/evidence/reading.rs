//! Every form that records come in.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Workspace, connect, lines, policy, record, run};

fn workspace() -> Workspace {
    Workspace::new(
        &policy("P", &[], &["a allow a.example:443", "b allow b.example"]),
        &policy("P", &[], &["b allow b.example"]),
    )
}

fn records() -> Vec<Value> {
    let mut all = vec![
        connect("1", "ana", "a.example:443", "ALLOW"),
        connect("2", "bob", "a.example:443", "ALLOW"),
        connect("3", "ana", "b.example:22", "ALLOW"),
        connect("4", "ana", "c.example:443", "DENY"),
    ];
    for (number, record) in (0..).zip(&mut all) {
        record["timestamp"] = json!(format!("2026-11-1{number}T12:00:00Z"));
    }
    all
}

/// The replay of a file with these bytes, without what was passed over.
fn replayed(workspace: &Workspace, name: &str, bytes: impl AsRef<[u8]>) -> Value {
    workspace.write(name, bytes);
    let path = format!("../{name}");
    let (code, stdout, stderr) = workspace.run(&[
        "replay",
        "--before",
        "../then",
        "--records",
        &path,
        "--format",
        "json",
        "--users",
    ]);
    assert_eq!(code, 0, "{name}: {stderr}");
    serde_json::from_str(&stdout).unwrap()
}

pub(super) fn of_the_api(record: &Value) -> Value {
    let top =
        ["audit_event_id", "category", "decision", "action_type", "enforcement_mode", "username"];
    let (mut outer, mut payload) = (
        json!({"created_at": record["timestamp"], "ingested_at": "2027-01-01T00:00:00Z"}),
        json!({}),
    );
    for (key, value) in record.as_object().unwrap() {
        let place = if top.contains(&key.as_str()) { &mut outer } else { &mut payload };
        place[key] = value.clone();
    }
    payload.as_object_mut().unwrap().remove("timestamp");
    outer["payload"] = payload;
    outer
}

pub(super) fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zst(text: &str) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn every_form_says_the_same() {
    let workspace = workspace();
    let records = records();
    let plain = lines(&records);
    let expected = replayed(&workspace, "plain.jsonl", &plain);
    assert_eq!(expected["window"]["records"], 4);
    assert_eq!(expected["newly_denied"][0]["names"], json!(["ana", "bob"]));
    assert_eq!(expected["window"]["first"], "2026-11-10T12:00:00Z");

    let events: Vec<Value> = records.iter().map(of_the_api).collect();
    let page = |events: &[Value], token: &str| json!({"events": events, "next_page_token": token});
    let pages = [page(&events[..2], "x"), page(&events[2..], "")];
    let rows: String = records
        .iter()
        .map(|one| {
            let field = |name: &str| one[name].as_str().unwrap().to_owned();
            format!(
                "{},Network egress,{},{},{},claude\n",
                field("timestamp"),
                field("username"),
                field("resource_id"),
                &field("decision")[15..]
            )
        })
        .collect();
    let table = format!("Time,Event,Principal,Resource,Decision,Agent\n{rows}");
    let aggregated: Vec<Value> = records
        .iter()
        .map(|one| {
            json!({"decision": "allow", "action_type": "network_egress", "resource_id": one["resource_id"],
            "protocol": "tcp", "method": "", "path": null, "reason": "", "user": one["username"], "count": 1,
            "first": one["timestamp"], "last": one["timestamp"], "more": true})
        })
        .map(|mut row| {
            if row["resource_id"] == "c.example:443" {
                row["decision"] = "AUDIT_DECISION_DENY".into();
            }
            row
        })
        .collect();
    let columns = "last,user,decision,action_type,resource_id,protocol,method,path,reason,count,first,other\n";
    let cells: String = aggregated
        .iter()
        .map(|row| {
            let field = |name: &str| row[name].as_str().unwrap().to_owned();
            format!(
                "{},{},{},network_egress,{},tcp,,,,1,{},x\n",
                field("last"),
                field("user"),
                field("decision"),
                field("resource_id"),
                field("first")
            )
        })
        .collect();
    let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0any".as_slice();
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("windows.jsonl", plain.replace('\n', "\r\n").into_bytes()),
        ("cut.jsonl", plain.trim_end().into()),
        // Each line is parsed by itself, and none is taken for one that differs in texts alone.
        ("escaped.jsonl", plain.replace("AUDIT", "\\u0041UDIT").into_bytes()),
        ("marked.jsonl", format!("\u{feff}{plain}").into()),
        ("packed.jsonl.gz", gz(&plain)),
        ("twice.jsonl.gz", [gz(&plain[..100]), gz(&plain[100..])].concat()),
        ("packed.jsonl.zst", zst(&plain)),
        ("twice.jsonl.zst", [zst(&plain[..100]), zst(&plain[100..])].concat()),
        // Tools that compress in parallel put frames without data between the others.
        ("frames.jsonl.zst", [skipped, &zst(&plain[..100]), skipped, &zst(&plain[100..])].concat()),
        ("events.jsonl", lines(&events).into()),
        ("page.json", page(&events, "").to_string().into()),
        ("pages.json", lines(&pages).into()),
        ("pretty.json", pages.iter().map(|page| format!("{page:#}\n")).collect::<String>().into()),
        ("pretty.json.gz", gz(&format!("{:#}", page(&events, "")))),
        ("list.json", format!("{:#}", Value::Array(records.clone())).into()),
        ("export.csv", table.clone().into()),
        ("export.csv.zst", zst(&table)),
        ("aggregated.jsonl", lines(&aggregated).into()),
        ("aggregated.csv", format!("{columns}{cells}").into()),
    ];
    for (name, bytes) in forms {
        assert_eq!(replayed(&workspace, name, bytes), expected, "{name}");
    }
    let (_, stdout, _) = run(
        &workspace.folder.path().join("now"),
        &["replay", "--before", "../then", "--records", "-", "--format", "json", "--users"],
        &plain,
    );
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), expected);
}

#[test]
fn order_and_division_change_nothing_and_an_identity_counts_once() {
    let workspace = workspace();
    let mut all: Vec<Value> = (0..400)
        .map(|number| {
            let host = ["a.example:443", "b.example:443", "c.example:443"][number % 3];
            connect(&format!("id {number}"), &format!("user {}", number % 7), host, "ALLOW")
        })
        .collect();
    let expected = replayed(&workspace, "all.jsonl", lines(&all));
    for round in 0..4 {
        fastrand::Rng::with_seed(round).shuffle(&mut all);
        let folder = format!("divided{round}");
        for (number, part) in all.chunks(57).enumerate() {
            let (name, bytes) = match number % 3 {
                0 => (format!("{folder}/audit-{number}.jsonl"), lines(part).into_bytes()),
                1 => (format!("{folder}/deep/audit-{number}.jsonl.gz"), gz(&lines(part))),
                _ => (
                    format!("{folder}/audit-{number}.json.zst"),
                    zst(&json!({"events": part}).to_string()),
                ),
            };
            workspace.write(&name, bytes);
        }
        workspace.write(&format!("{folder}/audit-9.jsonl.tmp"), "half a rec");
        workspace.write(&format!("{folder}/notes.md"), "no records");
        let path = format!("../{folder}");
        let arguments =
            ["replay", "--before", "../then", "--records", &path, "--format", "json", "--users"];
        let (code, stdout, stderr) = workspace.run(&arguments);
        assert_eq!(
            (code, serde_json::from_str::<Value>(&stdout).unwrap()),
            (0, expected.clone()),
            "{stderr}"
        );
        assert!(stderr.contains("1 other files"), "{stderr}");
        // The same folder and a file of it again: nothing counts twice.
        let again = format!("../{folder}/audit-0.jsonl");
        let (_, stdout, _) = workspace.run(&[&arguments[..], &["--records", &again]].concat());
        let mut twice: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(twice["window"]["skipped"]["duplicate"], 57);
        twice["window"]["skipped"]["duplicate"] = 0.into();
        assert_eq!(twice, expected);
    }
}

#[test]
fn what_grows_when_it_is_read_costs_no_more_than_one_record() {
    let workspace = workspace();
    let good = lines(&[connect("1", "ana", "a.example:443", "ALLOW")]);
    let long = "x".repeat(18 << 20);
    let items = |item: &str| vec![item; 60_000].join(",");
    let row = "decision,action_type,resource_id,protocol,user,count\nallow,network_egress,a.example:443,tcp,ana,1\n";
    let table = [
        ("numbers.jsonl.gz", gz(&format!("{good}[{}]\n", items("1"))), "holds too many values"),
        (
            "records.jsonl.zst",
            zst(&format!("{good}{{\"events\":[{}]}}\n", items("{}"))),
            "holds too many values",
        ),
        (
            "reasons.json.gz",
            gz(&format!("[\n{good},\n{{\"reason\":[{}]}}]", items("1"))),
            "holds too many values",
        ),
        ("deep.jsonl.gz", gz(&format!("{good}{}\n", "[".repeat(40_000))), "is not JSON"),
        ("line.jsonl.gz", gz(&format!("{good}{long}\n")), "is too long"),
        ("text.json.gz", gz(&format!("[\n{good},\n{{\"reason\":\"{long}\"}}]")), "is too long"),
        ("cell.csv.gz", gz(&format!("{row}allow,\"{long}")), "is too long"),
    ];
    for (name, bytes, says) in table {
        workspace.write(name, bytes);
        let path = format!("../{name}");
        let arguments = ["replay", "--before", "../then", "--records", &path, "--format", "json"];
        let (code, stdout, stderr) = workspace.run(&arguments);
        let found: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, &found["window"]["records"]), (0, &json!(1)), "{name}: {stderr}");
        let broken = found["window"]["skipped"]["broken"].as_u64();
        assert!(broken > Some(0) && stderr.contains(says), "{name}: {broken:?} {stderr}");
    }
}

/// Lines without end.
enum Endless<'a> {
    /// The same ones again and again.
    Same(String),
    /// This text, each time with another number.
    Other(&'a str),
}

/// The exit and the errors of a run whose input are these lines, until the run ends or for a
/// minute; without lines, its input is empty.
fn endless(
    folder: &Path,
    arguments: &[&str],
    limit: (&str, &str),
    lines: Option<&Endless<'_>>,
) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(arguments).current_dir(folder).env("NO_COLOR", "1").env("HOME", folder);
    command.env(limit.0, limit.1).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, started) = (child.stdin.take().unwrap(), Instant::now());
    for number in 0.. {
        let Some(lines) = lines else { break };
        let is_read = match lines {
            Endless::Same(lines) => stdin.write_all(lines.as_bytes()),
            Endless::Other(line) => {
                stdin.write_all(line.replace("NUMBER", &number.to_string()).as_bytes())
            }
        };
        if is_read.is_err() || started.elapsed().as_secs() >= 60 {
            break;
        }
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn records_without_end_end() {
    let workspace = workspace();
    let folder = workspace.folder.path().join("now");
    let record = |number: usize| connect(&number.to_string(), "ana", "a.example:443", "ALLOW");
    let records = Endless::Same(lines(&(0..1_000).map(record).collect::<Vec<Value>>()));
    let commands: [&[&str]; 6] = [
        &["replay", "--before", "../then"],
        &["plan", "--out", "../out"],
        &["usage"],
        &["suggest", "--write", "../out"],
        &["report", "--out", "../out"],
        &["apply", "--yes"],
    ];
    for command in commands {
        let arguments = [command, &["--records", "-"]].concat();
        let (code, said) =
            endless(&folder, &arguments, ("SEAWALL_MAX_SECONDS", "1"), Some(&records));
        let says = format!("`{}` takes more than 1 s (reading the records)", command[0]);
        assert!(code == 5 && said.contains(&says), "{code} {said}");
        assert!(said.contains("the records do not end") && !folder.join("../out").exists());
        assert!(!folder.join(".seawall").exists(), "{command:?}");
    }
    // Lines that are empty cost time too, and a file may hold any number of them.
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    member.write_all(&vec![b'\n'; 1 << 20]).unwrap();
    workspace.write("lines.jsonl.gz", member.finish().unwrap().repeat(64_000));
    let arguments = ["replay", "--before", "../then", "--records", "../lines.jsonl.gz"];
    let (code, said) = endless(&folder, &arguments, ("SEAWALL_MAX_SECONDS", "1"), None);
    assert!(code == 5 && said.contains("takes more than 1 s (reading the records)"), "{said}");
    // Memory grows with the number of different requests.
    let host = format!("hNUMBER{}.example:443", "/x".repeat(300));
    let record = lines(&[connect("1", "ana", &host, "ALLOW")]);
    let arguments = ["usage", "--records", "-"];
    let (code, said) =
        endless(&folder, &arguments, ("SEAWALL_MAX_MEMORY", "200"), Some(&Endless::Other(&record)));
    let says = "`usage` takes more than 200 MiB of memory (reading the records)";
    assert!(code == 5 && said.contains(says), "{said}");
}

#[test]
fn records_for_the_emulator_are_no_larger_than_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, is_read) in [
        ("some.jsonl.gz", gz(&lines(&[connect("1", "ana", "a.example:443", "ALLOW")])), true),
        ("large.jsonl.gz", gz(&" ".repeat((128 << 20) + 1)), false),
        ("many.jsonl.gz", gz(&format!("[{}1]", "1,".repeat(10_000_000))), false),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let read = seawall::evidence::raw(&file).map(|records| records.len());
        assert_eq!(read.ok(), is_read.then_some(1), "{name}");
    }
}

#[test]
fn records_without_an_enforced_decision_are_counted_separately() {
    let workspace = workspace();
    let mut records = vec![
        connect("1", "ana", "a.example:443", "ALLOW"),
        connect("1", "ana", "a.example:443", "ALLOW"),
        record("2", "ana", "session", "x", "ALLOW"),
        record("3", "ana", "network_egress_execution", "a.example:443", "ALLOW"),
    ];
    for (number, (key, value)) in [
        ("enforcement_mode", "audit"),
        ("enforcement_mode", "off"),
        ("category", "AUDIT_CATEGORY_EXECUTION"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut one = connect(&format!("other {number}"), "ana", "a.example:443", "ALLOW");
        one[key] = value.into();
        records.push(one);
    }
    let text = format!("{}{{\"audit_event_id\":\"half\n\nno JSON\n[1]\n{{}}\n", lines(&records));
    workspace.write("mixed.jsonl", format!("{text}\u{0}{}", &text[..100]));
    let arguments =
        ["replay", "--before", "../then", "--records", "../mixed.jsonl", "--format", "json"];
    let (code, stdout, stderr) = workspace.run(&arguments);
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        found["window"]["skipped"],
        json!({"not_a_decision": 3, "not_enforced": 2, "duplicate": 1, "broken": 5, "connection": 0, "resolution": 0})
    );
    assert_eq!(found["window"]["records"], 1);
    for place in [
        "mixed.jsonl:8: it is only half written",
        "mixed.jsonl:10: it is not JSON",
        "mixed.jsonl:12: it has no field",
    ] {
        assert!(stderr.contains(place), "{place}: {stderr}");
    }
    assert_eq!(workspace.run(&[&arguments[..], &["--strict"]].concat()).0, 1);
    let (code, _, stderr) =
        workspace.run(&["replay", "--before", "../then", "--records", "../gone.jsonl"]);
    assert_eq!(code, 2, "{stderr}");
    let (code, _, stderr) = workspace.run(&["replay", "--before", "../then"]);
    assert!(code == 2 && stderr.contains("--records"), "{stderr}");
}

#[test]
fn a_connection_and_the_request_on_it_count_as_one() {
    let rules = "  - {name: read, decision: allow, actions: [request:get], http_resources: [{host: api.example, port: 443, path: /v1/**}]}\n";
    let before = format!("{}{rules}", policy("P", &[], &["a allow a.example:443"]));
    let workspace = Workspace::new(&before, &policy("P", &[], &["a allow a.example:443"]));
    let request = |id: &str, user: &str, path: &str| {
        let mut one = record(id, user, "http_request", "api.example:443", "ALLOW");
        one["http_request"] = json!({"method": "HTTP_METHOD_GET", "host": "api.example", "port": "443", "path": path});
        one
    };
    let mut later = connect("c5", "cy", "api.example:443", "ALLOW");
    later["timestamp"] = "2026-11-20T12:00:00Z".into();
    let found = workspace.replay(
        &[
            connect("c1", "ana", "api.example:443", "ALLOW"),
            request("h1", "ana", "/v1/a"),
            request("h2", "ana", "/v1/b"), // on the same connection
            connect("c2", "bob", "api.example:443", "ALLOW"), // without a request
            connect("c3", "ana", "a.example:443", "ALLOW"),
            later,
            request("h3", "cy", "/v1/a"), // ten days before
        ],
        &[],
    );
    assert_eq!(found["window"]["records"], 6);
    assert_eq!(found["window"]["skipped"]["connection"], 1);
    assert_eq!(found["newly_denied"].as_array().unwrap().len(), 2);
    assert_eq!(found["newly_denied"][0]["request"], "GET https://api.example/v1/a");
    // Of a connection without one, the path is not known.
    assert_eq!(
        found["unknown"],
        json!([{"reason": "path_not_recorded", "count": 2, "example": "connect:tcp api.example:443"}])
    );
}

/// Each kind of record that the service documents, in either shape, and what becomes of it.
#[test]
fn a_record_of_each_kind_is_decided_or_counted_apart() {
    let mcp = "---\napiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar: |\n  \
        permit (principal, action == MCP::Action::\"invokeTool\", resource);\n  \
        permit (principal, action == MCP::Action::\"readResource\", resource) when { resource.uri like \"file:*\" };\n";
    let more = "---\napiVersion: seawall/v1\nkind: FilesystemPolicy\nname: F\nrules:\n  \
        - {name: read, decision: allow, actions: [read], resources: [/data/**]}\n";
    let documents = format!(
        "{}{more}{mcp}",
        policy("P", &[], &["a allow a.example:443", "b deny **.bad.example"])
    );
    let workspace = Workspace::new(&documents, &documents);
    let with = |mut record: Value, key: &str, value: Value| {
        record[key] = value;
        record
    };
    let one = |action: &str, resource: &str, decision: &str| {
        record(action, "ana", action, resource, decision)
    };
    let request =
        json!({"method": "HTTP_METHOD_GET", "host": "a.example", "port": "443", "path": "/x"});
    let op = |text: &str| json!([format!("no applicable policies for op({text})")]);
    let decided = [
        (one("network_egress", "a.example:443", "ALLOW"), "agree"),
        (with(one("http_request", "a.example:443", "ALLOW"), "http_request", request), "agree"),
        (one("filesystem_mount", "/data/x", "ALLOW"), "mode_not_recorded"),
        (
            with(
                one("filesystem_mount", "/data/x", "DENY"),
                "deny_reason",
                op("action=fs:mount:write, resource=fs:path:/data/x"),
            ),
            "agree",
        ),
        (one("tool_invocation", "notion/search", "ALLOW"), "agree"),
        (one("resource_read", "file:///x", "ALLOW"), "attributes_not_recorded"),
        (one("prompt", "review", "DENY"), "agree"),
        (one("server_registration", "notion", "DENY"), "agree"),
    ];
    let others = [
        "session",
        "network_egress_execution",
        "filesystem_mount_execution",
        "tool_execution",
        "resource_read_execution",
        "prompt_execution",
        "network_execution",
        "filesystem_execution",
        "resource_execution",
        "policy_sync",
        "pii_detection",
        "c_score_report",
        "policy_action",
    ];
    for (local, expected) in decided {
        for record in [of_the_api(&local), local] {
            let found = workspace.replay(std::slice::from_ref(&record), &[]);
            let unknown = found["unknown"]
                .as_array()
                .unwrap()
                .first()
                .map(|one| one["reason"].as_str().unwrap());
            assert_eq!(unknown.unwrap_or("agree"), expected, "{record}: {found}");
            let agrees = i32::from(expected == "agree");
            assert_eq!(
                (&found["agreement"]["agree"], &found["unchanged"]),
                (&json!(agrees), &json!(agrees)),
                "{found}"
            );
        }
    }
    for action in others {
        let record = with(one(action, "x", "ALLOW"), "category", "AUDIT_CATEGORY_EXECUTION".into());
        for record in [of_the_api(&record), record] {
            let found = workspace.replay(&[record], &[]);
            assert_eq!(
                (&found["window"]["records"], &found["window"]["skipped"]["not_a_decision"]),
                (&json!(0), &json!(1))
            );
        }
    }
}

#[test]
fn hostile_text_of_records_is_inert() {
    let workspace = workspace();
    let hostile = "\u{1b}[2J<img src=x>|`@all\u{202e}\n::error::x\nrules: []\n# -->";
    let mut records = records();
    for record in &mut records {
        record["agent"] = hostile.into();
        record["hostname"] = hostile.into();
        record["client_name"] = hostile.into();
    }
    records.push(connect("h", hostile, &format!("{hostile}.example:443"), "ALLOW"));
    records.push(record("m", hostile, "filesystem_mount", &format!("/{hostile}"), "ALLOW"));
    records.push(record("t", hostile, "tool_invocation", hostile, "DENY"));
    let path = format!("/x/{hostile}");
    let mut get = record("g", hostile, "http_request", "api.example.com:443", "DENY");
    get["http_request"] = json!({"method": hostile, "host": "api.example.com", "port": "443", "path": path, "new": hostile});
    records.push(get.clone());
    get["http_request"]["method"] = "HTTP_METHOD_GET".into();
    get["audit_event_id"] = "get".into();
    records.push(get.clone());
    workspace.write("hostile.jsonl", lines(&records));
    workspace.write("one.json", get.to_string());
    workspace.write("teams.yaml", format!("{}: [{}]\n", json!(hostile), json!(hostile)));
    let replay = ["replay", "--before", "../then", "--users", "--teams", "../teams.yaml"];
    for (arguments, markdown) in [
        (&[&replay[..], &["--format", "human"]].concat()[..], false),
        (&[&replay[..], &["--format", "markdown"]].concat(), true),
        (&[&replay[..], &["--format", "json"]].concat(), false),
        (&["usage", "--narrow", "--format", "human"], false),
        (&["usage", "--narrow", "--format", "markdown"], true),
        (&["suggest"], false),
        (&["suggest", "--teams", "../teams.yaml"], false),
        (&["plan", "--before", "../then", "--users", "--format", "markdown"], true),
        (&["plan", "--before", "../then", "--users"], false),
    ] {
        let arguments = [arguments, &["--records", "../hostile.jsonl"]].concat();
        let (code, stdout, stderr) = workspace.run(&arguments);
        assert_eq!(code, 0, "{arguments:?}: {stderr}");
        // JSON holds texts as they are, quoted.
        let is_json = arguments.contains(&"json");
        for bad in ["\u{1b}", "\u{202e}", "\n::error", "\nrules: []"]
            .into_iter()
            .filter(|bad| !is_json || *bad != "\u{202e}")
        {
            assert!(
                !format!("{stdout}{stderr}").contains(bad),
                "{arguments:?} {bad:?}: {stdout}{stderr}"
            );
        }
        assert!(!markdown || !stdout.contains("<img"), "{stdout}");
    }
    let (code, stdout, stderr) = workspace.run(&["can", "--record", "../one.json"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains(['\u{1b}', '\u{202e}']), "{stdout}{stderr}");
    // What is written says no more than what it should.
    let (code, _, stderr) = workspace.run(
        &[&replay[..], &["--records", "../hostile.jsonl", "--write-tests", "frozen.pol.yaml"]]
            .concat(),
    );
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = workspace.run(&[
        "suggest",
        "--records",
        "../hostile.jsonl",
        "--write",
        "suggested.pol.yaml",
    ]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, stderr) = workspace.run(&["validate"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let suggested = std::fs::read_to_string(workspace.path("now/suggested.pol.yaml")).unwrap();
    let rules = suggested.lines().filter(|line| line.starts_with("  - name")).count();
    assert!(
        rules > 0 && !suggested.lines().any(|line| line.starts_with("rules: []")),
        "{suggested}"
    );
}
