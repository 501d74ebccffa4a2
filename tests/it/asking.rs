//! `can` and `test` through the command line: answers, formats, exit codes, offline and live.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::seawall;

const SETTINGS: &str = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded, teams: [research]}\n";
const POLICIES: &str = "apiVersion: seawall/v1
kind: NetworkPolicy
name: Guardrails
rules:
  - {name: metadata, decision: deny, actions: [connect:tcp], resources: [169.254.0.0/16]}
---
apiVersion: seawall/v1
kind: NetworkPolicy
name: Research
scope: {teams: [research]}
rules:
  - {name: registries, decision: allow, actions: [connect:tcp], resources: [\"*.docker.com\"]}
  - {name: time, decision: allow, actions: [connect:udp], resources: [\"time.example.com:123\"]}
  - name: docker repositories
    decision: allow
    actions: [request:get]
    http_resources: [{host: api.github.com, port: 443, path: /repos/docker/**}]
---
apiVersion: seawall/v1
kind: FilesystemPolicy
name: Folders
rules:
  - {name: data, decision: allow, actions: [read], resources: [/data, /data/**]}
";
const TESTS: &str = "apiVersion: seawall/v1
kind: AccessTest
name: researchers read <repositories>
as: {teams: [research]}
expect:
  - allow: GET https://api.github.com/repos/docker/cli
  - deny: connect:tcp 169.254.169.254:80
---
apiVersion: seawall/v1
kind: AccessTest
name: nobody else does
expect:
  - allow: connect:tcp 169.254.169.254:80
  - deny: GET https://api.github.com/repos/docker/cli
";

fn workspace(policies: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), SETTINGS).unwrap();
    fs::write(folder.path().join("policies.yaml"), policies).unwrap();
    folder
}

/// The answer of `can` as JSON. The exit code is 0 whatever it is.
fn can(folder: &Path, arguments: &str) -> Value {
    let arguments: Vec<&str> =
        ["can"].into_iter().chain(arguments.split(' ')).chain(["--format", "json"]).collect();
    let (code, stdout, stderr) = seawall(folder, &arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn people_see_the_answer_the_rules_and_the_nearest_miss() {
    let folder = workspace(POLICIES);
    let shown = |arguments: &[&str]| {
        let (code, stdout, stderr) = seawall(folder.path(), arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        stdout
    };
    insta::assert_snapshot!(shown(&["can", "connect:tcp", "a.b.docker.com", "--team", "research"]), @"
    deny  connect:tcp a.b.docker.com:443  for a member of research
      no rule allows it
      nearest: `Research › registries` has `*.docker.com`, which does not match `a.b.docker.com`; `**.docker.com` would
    ");
    insta::assert_snapshot!(shown(&["can", "connect:udp", "time.example.com:123", "--team", "research"]), @"
    allow  connect:udp time.example.com:123  for a member of research
      a rule allows it, and none denies it
        allow `Research › time`  time.example.com:123  policies.yaml:13:5
      note: UDP is experimental in sandboxes and off by default, whatever the rules say
      note: a policy may ask for approval first, which the API does not show
    ");
    insta::assert_snapshot!(shown(&["can", "GET", "https://api.github.com/repos/docker/cli", "--team", "research"]), @"
    allow  GET https://api.github.com/repos/docker/cli  for a member of research
      a rule allows it, and none denies it
        allow `Research › docker repositories`  https://api.github.com/repos/docker/**  policies.yaml:14:5
      note: a policy may ask for approval first, which the API does not show
      note: not where the name resolves to an address in 169.254.0.0/16; ask with ` at ADDRESS` for that
    ");
    insta::assert_snapshot!(shown(&["can", "mount", "rw", "/data"]), @"
    deny  mount rw /data  for a member of no team
      reading is allowed, but no rule allows writing
      nearest: `Folders › data` allows only read
      note: a sandbox looks at mount rules only when it is created
    ");
}

#[test]
fn programs_get_the_decision_and_the_rules_with_their_places() {
    let folder = workspace(POLICIES);
    let answer = can(folder.path(), "GET https://api.github.com/repos/docker/cli --team research");
    assert_eq!(answer["decision"], "allow");
    assert_eq!(
        answer["because"],
        json!([{
            "policy": "Research",
            "rule": "docker repositories",
            "decision": "allow",
            "pattern": "https://api.github.com/repos/docker/**",
            "doubts": [],
            "source": {"file": "policies.yaml", "line": 14, "column": 5},
        }])
    );
    let denied = can(folder.path(), "connect:tcp 169.254.169.254:80");
    assert_eq!(
        (&denied["decision"], &denied["because"][0]["rule"]),
        (&json!("deny"), &json!("metadata"))
    );
    // A default denial has no rules.
    let other = can(folder.path(), "GET https://api.github.com/repos/docker/cli");
    assert_eq!((&other["decision"], &other["because"]), (&json!("deny"), &json!([])));
    assert_eq!(
        other["nearest"][0],
        "`Research › docker repositories` allows it for members of `research`"
    );
    // Nothing is said of a domain that no policy is about.
    let open = workspace(POLICIES.split("---").next().unwrap());
    assert_eq!(can(open.path(), "read /data")["decision"], "uncertain");
}

/// The exit code is 0 for every answer, unless `--exit-code` asks for the answer.
#[test]
fn the_exit_code_tells_the_answer_where_that_is_asked_for() {
    let mcp = "---
apiVersion: seawall/v1
kind: McpPolicy
name: MCP
cedar: |
  permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };
  @requireApproval(\"writes\")
  permit (principal, action == MCP::Action::\"invokeTool\", resource) when { !resource.readOnly };
";
    let folder = workspace(&format!("{POLICIES}{mcp}"));
    for (request, answer, code) in [
        (&["connect:udp", "time.example.com:123", "--team", "research"][..], "allow", 0),
        (&["connect:udp", "time.example.com:123"], "deny", 1),
        (&["read", "/data"], "allow", 0),
        (&["read", "/DATA"], "uncertain", 3),
        // A person decides each time, which is neither.
        (&["mcp", "invokeTool", "github/create", "{\"readOnly\": false}"], "uncertain", 3),
        (&["mcp", "invokeTool", "github/search", "{\"readOnly\": true}"], "allow", 0),
    ] {
        let run = |more: &[&str]| {
            seawall(folder.path(), &[&["can", "--format", "json"], request, more].concat())
        };
        let (without, stdout, stderr) = run(&[]);
        let found: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(
            (without, stderr.as_str(), &found["decision"]),
            (Some(0), "", &json!(answer)),
            "{request:?}"
        );
        assert_eq!(run(&["--exit-code"]), (Some(code), stdout, String::new()), "{request:?}");
    }
    // An invalid request and wrong documents keep their exit codes.
    let (code, _, _) =
        seawall(folder.path(), &["can", "--exit-code", "conect:tcp", "x.example.com"]);
    assert_eq!(code, Some(2));
    fs::write(folder.path().join("policies.yaml"), "kind: Nothing\n").unwrap();
    let (code, stdout, _) = seawall(folder.path(), &["can", "--exit-code", "read", "/data"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
}

/// An open answer names the rules that bear on it and no others, and no trap that `validate` shows.
#[test]
fn an_uncertain_answer_shows_what_it_depends_on() {
    let folder = workspace(
        "\
apiVersion: seawall/v1
kind: NetworkPolicy
name: base
rules:
  - {name: names, decision: allow, actions: [connect:tcp], resources: ['*.docker.com', '**.github.io']}
  - {name: blocks, decision: allow, actions: [connect:tcp], resources: [10.1.0.0/16, '2001:db8::/32']}
  - {name: private, decision: deny, actions: [connect:tcp], resources: [10.0.0.0/8]}
  - {name: deletes, decision: deny, actions: [request:delete], http_resources: [{host: hub.docker.com, path: /**}]}
",
    );
    let rules = |request: &str| -> Vec<String> {
        let answer = can(folder.path(), request);
        assert_eq!(answer["decision"], "uncertain", "{answer}");
        let because = answer["because"].as_array().unwrap().iter();
        because
            .map(|one| {
                format!("{} {}", one["rule"].as_str().unwrap(), one["pattern"].as_str().unwrap())
            })
            .collect()
    };
    // The name is allowed, so that no block is asked.
    assert_eq!(
        rules("connect:tcp hub.docker.com:22"),
        ["names *.docker.com", "deletes hub.docker.com/**"]
    );
    // A deny of the block around wins over the allow of the one inside.
    assert_eq!(rules("connect:tcp x.y.docker.com"), ["blocks 2001:db8::/32", "private 10.0.0.0/8"]);
    let (code, stdout, stderr) = seawall(folder.path(), &["can", "connect:tcp", "x.y.docker.com"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let folder = workspace(
        "apiVersion: seawall/v1\nkind: FilesystemPolicy\nname: mounts\nrules:\n  - {name: work, decision: allow, actions: [read, write], resources: [~/**]}\n",
    );
    let (_, mounts, _) = seawall(folder.path(), &["can", "mount", "rw", "/home/bob/x"]);
    assert_eq!(mounts.matches("`mounts › work`").count(), 1, "{mounts}");
    let miss = "nearest: `base › names` has `*.docker.com`, which does not match `x.y.docker.com`; `**.docker.com` would";
    assert!(stdout.contains(miss), "{stdout}");
}

#[test]
fn an_invalid_request_is_wrong_usage() {
    let folder = workspace(POLICIES);
    for (arguments, part) in [
        (&["can", "conect:tcp", "x.example.com"][..], "did you mean `connect:tcp`?"),
        (&["can", "connect:tcp", "*.docker.com"], "`*.docker.com` is a pattern"),
        (&["can", "mount", "~/x"], "a mount is `ro` or `rw`"),
        (&["can", "connect:tcp"], "required"),
    ] {
        let (code, stdout, stderr) = seawall(folder.path(), arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    }
    // Offline nobody knows which teams there are.
    let (code, _, stderr) =
        seawall(folder.path(), &["can", "connect:tcp", "x.example.com", "--team", "reserch"]);
    assert_eq!(
        (code, stderr.as_str()),
        (Some(0), "note: no policy is for the team `reserch`: did you mean `research`?\n")
    );
}

/// Rules as YAML, a request, and the expected answer, from the service's documentation.
#[test]
fn the_documented_cases_are_answered_as_documented() {
    let net = |decision: &str, resource: &str| {
        format!(
            "- {{name: '{decision} {resource}', decision: {decision}, actions: [connect:tcp], resources: ['{resource}']}}\n"
        )
    };
    let http = |decision: &str, action: &str, path: &str| {
        format!(
            "- {{name: '{action} {path}', decision: {decision}, actions: [request:{action}], http_resources: [{{host: h.example.com, path: '{path}'}}]}}\n"
        )
    };
    let fs = |path: &str| {
        format!("- {{name: data, decision: allow, actions: [read], resources: ['{path}']}}\n")
    };
    let cases: Vec<(String, &[(&str, &str)])> = vec![
        (
            net("allow", "example.com"),
            &[("connect:tcp example.com:8443", "allow"), ("connect:tcp api.example.com", "deny")],
        ),
        (net("allow", "example.com:443"), &[("connect:tcp example.com:80", "deny")]),
        (
            net("allow", "*.example.com"),
            &[
                ("connect:tcp api.example.com:22", "allow"),
                ("connect:tcp a.b.example.com", "deny"),
                ("connect:tcp example.com", "deny"),
            ],
        ),
        (
            net("allow", "**.example.com"),
            &[
                ("connect:tcp a.b.example.com", "allow"),
                ("connect:tcp example.com", "uncertain"),
                ("connect:tcp badexample.com", "deny"),
            ],
        ),
        (
            net("allow", "**"),
            &[
                ("connect:tcp anything.example.org:22", "allow"),
                ("connect:tcp 192.0.2.1", "uncertain"),
            ],
        ),
        (net("allow", "10.0.0.0/8"), &[("connect:tcp 10.2.3.4:22", "allow")]),
        (
            net("allow", "db.corp.example") + &net("deny", "10.0.0.0/8"),
            &[("connect:tcp db.corp.example at 10.1.1.1", "allow")],
        ),
        (
            net("deny", "**.corp.example") + &net("allow", "10.0.0.0/8"),
            &[("connect:tcp db.corp.example at 10.1.1.1", "deny")],
        ),
        (
            http("allow", "get", "/repos/docker/**"),
            &[
                ("GET https://h.example.com/repos/docker", "allow"),
                ("GET https://h.example.com/repos/docker/cli/pulls", "allow"),
                ("POST https://h.example.com/repos/docker/cli", "deny"),
                ("connect:tcp h.example.com:22", "deny"),
            ],
        ),
        (http("allow", "get", "/repos"), &[("GET https://h.example.com/repos/x", "deny")]),
        (
            http("allow", "get", "/a/*"),
            &[
                ("GET https://h.example.com/a/b", "allow"),
                ("GET https://h.example.com/a/b/c", "deny"),
            ],
        ),
        (
            net("allow", "h.example.com") + &http("deny", "delete", "/**"),
            &[
                ("DELETE https://h.example.com/any", "deny"),
                ("GET https://h.example.com/any", "allow"),
            ],
        ),
        (
            net("deny", "h.example.com") + &http("allow", "get", "/**"),
            &[("GET https://h.example.com/any", "deny")],
        ),
        (
            net("allow", "h.example.com") + &http("allow", "get", "/a"),
            &[("POST https://h.example.com/b", "allow")],
        ),
        (http("deny", "get", "/**"), &[("GET https://h.example.com/any", "deny")]),
        (
            fs("/data"),
            &[("read /data/x", "deny"), ("mount rw /data", "deny"), ("mount ro /data", "allow")],
        ),
        (fs("/data/*"), &[("read /data/x/y", "deny")]),
        (
            fs("/data/**"),
            &[
                ("read C:\\data\\x", "deny"),
                ("read /data/x/y", "allow"),
                ("read /data", "uncertain"),
            ],
        ),
        (fs("*:\\data\\**"), &[("read D:\\data\\x", "allow")]),
        (fs("~/**"), &[("read ~/p", "allow")]),
    ];
    for (rules, questions) in cases {
        let kind = if rules.contains("[read]") { "FilesystemPolicy" } else { "NetworkPolicy" };
        let folder =
            workspace(&format!("apiVersion: seawall/v1\nkind: {kind}\nname: p\nrules:\n{rules}"));
        for (question, expected) in questions {
            let answer = can(folder.path(), question);
            assert_eq!(answer["decision"], *expected, "{rules}{question}: {answer:#}");
            let explained = *expected == "deny" || answer["because"] != json!([]);
            assert!(explained, "{rules}{question}: {answer:#}");
        }
    }
    // A denied address does not stop a name that is allowed, which is worth a warning.
    let rules = net("allow", "db.corp.example") + &net("deny", "10.0.0.0/8");
    let folder = workspace(&format!(
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nrules:\n{rules}"
    ));
    let remarks =
        can(folder.path(), "connect:tcp db.corp.example at 10.1.1.1")["remarks"].to_string();
    assert!(remarks.contains("a denied address does not stop a name that is allowed"), "{remarks}");
}

#[test]
fn a_failing_test_shows_its_place_and_the_deciding_rules() {
    let folder = workspace(POLICIES);
    fs::write(folder.path().join("tests.yaml"), TESTS).unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["test", "--coverage", "--mutate"]);
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    for part in [
        "ok   researchers read <repositories>\n",
        "FAIL nobody else does\n  tests.yaml:13:12 expected allow connect:tcp 169.254.169.254:80, found deny\n    a rule denies it\n",
        "deny  `Guardrails › metadata`  169.254.0.0/16  policies.yaml:5:5\n",
        "1 of 2 tests pass, 3 of 4 expectations hold\n",
        "2 of 5 rules decide an expectation\n",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    let (code, stdout, _) = seawall(folder.path(), &["test", "--format", "junit"]);
    assert_eq!(code, Some(1));
    for part in [
        "<testsuites name=\"seawall\" tests=\"4\" failures=\"1\">",
        "<testsuite name=\"researchers read &lt;repositories&gt;\" tests=\"2\" failures=\"0\" file=\"tests.yaml\" line=\"3\">",
        "<failure message=\"expected allow, found deny: a rule denies it\">",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    let (code, stdout, _) =
        seawall(folder.path(), &["test", "--format", "json", "--coverage", "--mutate"]);
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["summary"], json!({"tests": 2, "passed": 1, "expectations": 4, "held": 3}));
    let failed = &report["tests"][1]["expectations"][0];
    assert_eq!(
        (&failed["expected"], &failed["found"], &failed["held"]),
        (&json!("allow"), &json!("deny"), &json!(false))
    );
    assert_eq!(failed["source"], json!({"file": "tests.yaml", "line": 13, "column": 12}));
    assert_eq!(failed["because"][0]["rule"], "metadata");
    let uncovered: Vec<&Value> =
        report["uncovered"].as_array().unwrap().iter().map(|rule| &rule["rule"]).collect();
    assert_eq!(uncovered, ["data", "registries", "time"]);
    assert_eq!(report["mutation"]["total"], 10);
    // Put right, it passes.
    fs::write(
        folder.path().join("tests.yaml"),
        TESTS.replace("allow: connect:tcp", "deny: connect:tcp"),
    )
    .unwrap();
    let (code, stdout, _) = seawall(folder.path(), &["test"]);
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.ends_with("2 of 2 tests pass, 4 of 4 expectations hold\n"), "{stdout}");
    // A team that no policy is for is denied all, which may not be what is meant.
    fs::write(folder.path().join("tests.yaml"), TESTS.replace("[research]", "[reserch]")).unwrap();
    let (_, _, stderr) = seawall(folder.path(), &["test"]);
    let note =
        "note: tests.yaml:3:7: no policy is for the team `reserch`: did you mean `research`?\n";
    assert_eq!(stderr, note);
}

#[test]
fn live_state_is_queried_and_tested_like_documents() {
    let folder = workspace(POLICIES);
    fs::write(
        folder.path().join("tests.yaml"),
        TESTS.replace("allow: connect:tcp", "deny: connect:tcp"),
    )
    .unwrap();
    let question = "GET https://api.github.com/repos/docker/cli --live --team research";
    // Nothing is live yet.
    assert_eq!(can(folder.path(), question)["decision"], "uncertain");
    let (code, stdout, _) = seawall(folder.path(), &["test", "--live"]);
    assert_eq!(code, Some(1), "{stdout}");
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let answer = can(folder.path(), question);
    assert_eq!(
        (&answer["decision"], &answer["because"][0]["rule"]),
        (&json!("allow"), &json!("docker repositories"))
    );
    assert_eq!(answer["because"][0]["source"], Value::Null);
    let (code, stdout, stderr) = seawall(folder.path(), &["test", "--live"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    // A team that the organization does not have.
    let (code, _, stderr) =
        seawall(folder.path(), &["can", "read", "/data", "--live", "--team", "reserch"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("the organization has no team `reserch`"), "{stderr}");
    let tests = fs::read_to_string(folder.path().join("tests.yaml")).unwrap();
    fs::write(folder.path().join("tests.yaml"), tests.replace("[research]", "[reserch]")).unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["test", "--live"]);
    assert_eq!(
        (code, stdout.as_str()),
        (Some(1), ""),
        "a document names the team, not the command line"
    );
    assert!(stderr.contains("tests.yaml:3:7: the organization has no team `reserch`"), "{stderr}");
    // The documents change; what is live does not.
    fs::write(folder.path().join("policies.yaml"), POLICIES.replace("request:get", "request:put"))
        .unwrap();
    assert_eq!(can(folder.path(), question)["decision"], "allow");
    assert_eq!(can(folder.path(), &question.replace("--live ", ""))["decision"], "deny");
}

#[test]
fn very_many_tests_fit_on_a_few_screens() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("seawall.yaml", "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\n");
    let rules: String = (0..16)
        .map(|n| {
            format!("  - {{name: r{n}, decision: allow, actions: [connect:tcp], resources: [x.example.com]}}\n")
        })
        .collect();
    let policy = format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: P\nrules:\n{rules}");
    write("policy.yaml", &policy);
    let test = |n: usize| {
        let decision = if n.is_multiple_of(2) { "allow" } else { "deny" };
        let expect = format!("  - {decision}: connect:tcp x.example.com:443\n").repeat(16);
        format!("---\napiVersion: seawall/v1\nkind: AccessTest\nname: test {n}\nexpect:\n{expect}")
    };
    let tests: String = (0..200).map(test).collect();
    write("tests.yaml", tests.trim_start_matches("---\n"));
    let (code, brief, _) = seawall(folder.path(), &["test", "--coverage"]);
    assert_eq!(code, Some(1));
    for part in [
        "… 76 more tests pass, `-v` shows all\n",
        "… 76 more tests fail, `-v` shows all\n",
        "  … 4 more expectations, `-v` shows all\n",
    ] {
        assert!(brief.contains(part), "{part}");
    }
    // Of the sixteen rules that decide, a dozen are named for each expectation.
    assert!(brief.contains("      … 4 more, `-v` shows all\n"), "{brief}");
    assert!(brief.contains("100 of 200 tests pass"));
    let (_, full, _) = seawall(folder.path(), &["test", "-v"]);
    assert_eq!(full.matches("ok   ").count() + full.matches("FAIL ").count(), 200);
}
