//! MCP policies through the command line: findings in Cedar text at their very place.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

const SETTINGS: &str = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\n";
const HEAD: &str = "apiVersion: seawall/v1\nkind: McpPolicy\nname: MCP\n";

fn workspace(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in [("seawall.yaml", SETTINGS)].iter().chain(files) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The findings of `validate`, as `severity code file:line:column-column`.
fn findings(folder: &Path) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_seawall"))
        .current_dir(folder)
        .args(["validate", "--format", "json"])
        .output()
        .expect("seawall runs");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let shown = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        format!(
            "{} {} {}:{}:{}-{}",
            text("severity"),
            text("code"),
            text("file"),
            one["line"],
            one["column"],
            one["end_column"]
        )
    };
    answer["findings"].as_array().unwrap().iter().map(shown).collect()
}

#[test]
fn findings_have_their_places_in_the_cedar_text() {
    let cedar =
        "permit (\n  principal,\n  action == MCP::Action::\"call_tool\", // é\n  resource\n);\n";
    let block: String = cedar.lines().map(|line| format!("    {line}\n")).collect();
    let folded = block.replace(" // é", "");
    let quoted = cedar.replace('"', "\\\"").replace(" // é", "").replace('\n', "\n  ");
    let single = cedar.replace(" // é", "").replace('\n', "\n  ");
    for (name, document, place) in [
        // a literal block, also with an explicit indentation and a chomping mark
        ("block", format!("{HEAD}cedar: |\n{block}"), "doc.yaml:7:17-41"),
        ("strip", format!("{HEAD}cedar: |-\n{block}"), "doc.yaml:7:17-41"),
        ("indent", format!("{HEAD}cedar: |4-\n{block}"), "doc.yaml:7:17-41"),
        // a file
        ("file", format!("{HEAD}cedar_file: a.cedar\n"), "a.cedar:3:13-37"),
        // text whose bytes are not those of the file
        ("folded", format!("{HEAD}cedar: >\n{folded}"), "doc.yaml:7:17-41"),
        ("double", format!("{HEAD}cedar: \"{quoted}\"\n"), "doc.yaml:6:15-41"),
        ("single", format!("{HEAD}cedar: '{single}'\n"), "doc.yaml:6:15-39"),
        ("plain", format!("{HEAD}cedar:\n  {single}\n"), "doc.yaml:7:15-39"),
    ] {
        for [document, cedar] in
            [[&document, cedar], [&document.replace('\n', "\r\n"), &cedar.replace('\n', "\r\n")]]
        {
            for mark in ["", "\u{feff}"] {
                let [document, cedar] = [document, cedar].map(|text| format!("{mark}{text}"));
                let folder = workspace(&[("doc.yaml", &document), ("a.cedar", &cedar)]);
                assert_eq!(
                    findings(folder.path()),
                    [format!("error mcp-unknown-action {place}")],
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn syntax_errors_have_the_place_where_the_parser_stopped() {
    for (name, cedar, place) in [
        ("a character", "permit (principal, action, resource)\nwhen { resource.é };\n", "2:17-18"),
        ("a word", "permit (principal, action, resource)\nwhen { a.b or c };\n", "2:12-14"),
        // What is missing is missing behind the last word.
        ("the end", "permit (principal, action, resource) // all\n\n", "1:37-37"),
    ] {
        let shifted = |line: usize, column: usize| {
            let [row, columns] = place.split(':').collect::<Vec<_>>()[..] else {
                panic!("{place}")
            };
            let [start, end] = columns
                .split('-')
                .map(|one| one.parse::<usize>().unwrap() + column)
                .collect::<Vec<_>>()[..]
            else {
                panic!("{place}")
            };
            format!("{}:{start}-{end}", row.parse::<usize>().unwrap() + line)
        };
        let block: String = cedar.lines().map(|line| format!("  {line}\n")).collect();
        for (document, expected) in [
            (format!("{HEAD}cedar_file: a.cedar\n"), format!("a.cedar:{place}")),
            (format!("{HEAD}cedar: |\n{block}"), format!("doc.yaml:{}", shifted(4, 2))),
        ] {
            let folder = workspace(&[("doc.yaml", &document), ("a.cedar", cedar)]);
            let found = findings(folder.path());
            assert!(found.contains(&format!("error cedar-syntax {expected}")), "{name}: {found:?}");
        }
    }
}

#[test]
fn people_see_the_cedar_line_and_what_to_do() {
    let text = format!(
        "{HEAD}cedar: |\n  @requireApproval(\"writes\")\n  permit (principal, action == MCP::Action::\"invokeTool\", resource)\n  \
         when {{ resource.readonly == false }};\n"
    );
    let folder = workspace(&[("doc.yaml", &text)]);
    let output = Command::new(env!("CARGO_BIN_EXE_seawall"))
        .current_dir(folder.path())
        .arg("validate")
        .env("NO_COLOR", "1")
        .output()
        .expect("seawall runs");
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout), @r"
    error[mcp-unknown-attribute]: `MCP::Tool` has no attribute `readonly`
     --> doc.yaml:7:10
      |
    7 |   when { resource.readonly == false };
      |          ^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `readOnly`? the choices are `destructive`, `idempotent`, `name`, `openWorld`, `readOnly`
    ");
}

#[test]
fn a_suppression_in_cedar_applies_to_the_statement_below_it() {
    let open = "permit (\n  principal,\n  action,\n  resource\n);\n";
    let reason = "// seawall: allow[mcp-every-action] everything is meant\n";
    for (name, cedar, expected) in [
        ("none", open.to_owned(), &["warning mcp-every-action a.cedar:3:3-9"][..]),
        ("above", format!("{reason}{open}"), &[]),
        ("above another comment", format!("{reason}// why\n{open}"), &[]),
        ("behind", open.replace("action,\n", &format!("action, {reason}")), &[]),
        (
            "the next statement only",
            format!("{reason}{open}{open}"),
            &["warning mcp-every-action a.cedar:9:3-9"],
        ),
        (
            "nothing",
            format!("{open}{reason}"),
            &[
                "warning mcp-every-action a.cedar:3:3-9",
                "warning unused-suppression a.cedar:6:1-56",
            ],
        ),
    ] {
        let folder = workspace(&[
            ("doc.yaml", &format!("{HEAD}cedar_file: a.cedar\n")),
            ("a.cedar", &cedar),
        ]);
        assert_eq!(findings(folder.path()), expected, "{name}");
        // The same inside a block scalar.
        let block: String = cedar.lines().map(|line| format!("  {line}\n")).collect();
        let folder = workspace(&[("doc.yaml", &format!("{HEAD}cedar: |\n{block}"))]);
        assert_eq!(findings(folder.path()).len(), expected.len(), "{name}");
    }
    let above = format!(
        "{HEAD}# seawall: allow[mcp-every-action] everything is meant\ncedar: |\n  permit (principal, action, resource);\n"
    );
    assert_eq!(findings(workspace(&[("doc.yaml", &above)]).path()), [""; 0]);
}

#[test]
fn a_forbid_of_a_wider_policy_covers_a_permit() {
    let policy = |name: &str, scope: &str, cedar: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: McpPolicy\nname: {name}\n{scope}cedar: |\n  {cedar}\n"
        )
    };
    let permit = policy(
        "a",
        "scope: {teams: [x]}\n",
        "permit (principal, action == MCP::Action::\"getPrompt\", resource);",
    );
    for (scope, expected) in [
        ("", &["warning mcp-shadowed-permit a.yaml:6:3-68"][..]),
        ("scope: {teams: [x, y]}\n", &["warning mcp-shadowed-permit a.yaml:6:3-68"]),
        ("scope: {teams: [y]}\n", &[]),
    ] {
        let forbid = policy(
            "b",
            scope,
            "forbid (principal, action == MCP::Action::\"getPrompt\", resource);",
        );
        let folder = workspace(&[("a.yaml", &permit), ("b.yaml", &forbid)]);
        assert_eq!(findings(folder.path()), expected, "{scope}");
    }
}

#[test]
fn a_plan_says_which_statements_change_and_which_access_tests_flip() {
    let cedar = |text: &str| format!("{HEAD}cedar: |\n  {text}\n");
    let read = "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };";
    let ask = "@requireApproval(\"it writes\") permit (principal, action == MCP::Action::\"invokeTool\", resource) when { !resource.readOnly };";
    let test = "apiVersion: seawall/v1\nkind: AccessTest\nname: reading is free\nexpect:\n  - allow: mcp invokeTool a/b {\"readOnly\": true}\n  - deny: mcp invokeTool a/b {\"readOnly\": false}\n";
    let folder = workspace(&[("doc.yaml", &cedar(read)), ("test.yaml", test)]);
    let settings =
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: o, endpoint: embedded}\n";
    fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    let run = |arguments: &[&str]| crate::examples::seawall(folder.path(), arguments).1;
    run(&["apply", "--yes"]);
    let write = |text: &str| std::fs::write(folder.path().join("doc.yaml"), cedar(text)).unwrap();
    write(&format!("{read}\n  // writing is asked for\n  {ask}"));
    let shown = run(&["plan"]);
    for piece in [
        "mcp invokeTool a/b {\"readOnly\": false}: deny → approval  test.yaml:6",
        "expected deny by the test reading is free",
        "statement added:",
        "+ @requireApproval(\"it writes\") permit",
    ] {
        assert!(shown.contains(piece), "{piece}\n{shown}");
    }
    assert!(
        !shown.contains("statement changed") && !shown.contains("writing is asked for"),
        "{shown}"
    );
    let plan: serde_json::Value =
        serde_json::from_str(&run(&["plan", "--format", "json"])).unwrap();
    let flips = plan["flips"].as_array().unwrap();
    assert_eq!(
        (flips.len(), &flips[0]["before"], &flips[0]["after"]),
        (1, &"deny".into(), &"approval".into())
    );
    assert!(run(&["plan", "--format", "markdown"]).contains("**<code>approval</code>**"));
    let statements =
        |plan: &str| serde_json::from_str::<Value>(plan).unwrap()["steps"][0]["statements"].clone();
    let added = serde_json::json!([{"change": "added", "before": null, "after": ask}]);
    assert_eq!(statements(&run(&["plan", "--format", "json"])), added);
    // Layout alone is a call, and said to be no more than that.
    write(&format!("// why\n  {}", read.replace(") when", ")\n  when")));
    let shown = run(&["plan"]);
    assert_eq!(statements(&run(&["plan", "--format", "json"])), serde_json::json!([]));
    assert!(run(&["plan", "--format", "markdown"]).contains("every statement stays"));
    assert!(shown.contains("every statement stays") && shown.contains("takes one call"), "{shown}");
    assert!(shown.contains("no access change") && shown.contains("1 to update"), "{shown}");
    // One word of one statement, and a policy that comes.
    let narrower = read.replace("readOnly", "idempotent");
    write(&narrower);
    let changed = serde_json::json!([{"change": "changed", "before": read, "after": narrower}]);
    assert_eq!(statements(&run(&["plan", "--format", "json"])), changed);
    assert!(run(&["plan"]).contains("statement changed:"));
    let second = cedar(ask).replace("name: MCP", "name: second");
    fs::write(folder.path().join("second.yaml"), second).unwrap();
    let shown = run(&["plan"]);
    assert!(shown.contains("+ @requireApproval(\"it writes\") permit"), "{shown}");
}

#[test]
fn an_answer_names_the_statement_that_decides_by_its_place() {
    let folder = TempDir::new().unwrap();
    let settings =
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n";
    fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    let permit = "permit (principal, action == MCP::Action::\"invokeTool\", resource);";
    let forbid = "forbid (principal, action, resource == MCP::Tool::\"drop\");";
    let document = format!(
        "apiVersion: seawall/v1\nkind: McpPolicy\nname: m\ncedar: |\n  {permit}\n\n  {forbid}\n"
    );
    fs::write(folder.path().join("m.yaml"), document).unwrap();
    let (_, allowed, _) =
        crate::examples::seawall(folder.path(), &["can", "mcp", "invokeTool", "db/read"]);
    let (_, denied, _) =
        crate::examples::seawall(folder.path(), &["can", "mcp", "invokeTool", "db/drop"]);
    assert!(allowed.contains("m.yaml:5:3"), "{allowed}");
    assert!(denied.contains("m.yaml:7:3"), "{denied}");
}

#[test]
fn approval_is_an_answer_of_its_own() {
    let ask = "@requireApproval(\"it writes\") permit (principal, action == MCP::Action::\"invokeTool\", resource);";
    let folder = workspace(&[("doc.yaml", &format!("{HEAD}cedar: |\n  {ask}\n"))]);
    let (_, shown, _) =
        crate::examples::seawall(folder.path(), &["can", "mcp", "invokeTool", "db/x"]);
    assert!(
        shown.starts_with("approval") && shown.contains("(it asks for approval: it writes)"),
        "{shown}"
    );
    let asked = ["can", "mcp", "invokeTool", "db/x", "--format", "json"];
    let answer: Value =
        serde_json::from_str(&crate::examples::seawall(folder.path(), &asked).1).unwrap();
    assert_eq!((&answer["decision"], &answer["approval"]), (&"uncertain".into(), &true.into()));

    // A test that expects another answer says what it found.
    fs::write(
        folder.path().join("test.yaml"),
        "apiVersion: seawall/v1\nkind: AccessTest\nname: t\nexpect:\n  - allow: mcp invokeTool db/x\n",
    )
    .unwrap();
    let test =
        |format: &str| crate::examples::seawall(folder.path(), &["test", "--format", format]).1;
    assert!(test("human").contains("expected allow mcp invokeTool db/x, found approval\n"));
    assert!(test("junit").contains("expected allow, found approval: a person is asked"));
    let found: Value = serde_json::from_str(&test("json")).unwrap();
    assert_eq!(found["tests"][0]["expectations"][0]["found"], "approval");
}

/// Each kind of call that an MCP policy's life takes, sent by the shipped client to the emulator:
/// one call each, and nothing left to do after it.
#[test]
fn a_policy_is_made_replaced_renamed_rescoped_and_deleted_with_one_call_each() {
    const GET: &str = "permit (principal, action == MCP::Action::\"getPrompt\", resource);";
    const READ: &str = "permit (principal, action == MCP::Action::\"readResource\", resource);";
    let folder = TempDir::new().unwrap();
    let settings = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded, ownership: exclusive, \
                    teams: [research]}\nguards: {max_deletes: 100%}\n";
    fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    let kept = "---\napiVersion: seawall/v1\nkind: NetworkPolicy\nname: Web\nrules: []\n";
    let policy = |head: &str, text: &str| {
        format!("apiVersion: seawall/v1\nkind: McpPolicy\n{head}cedar: |\n  {text}\n{kept}")
    };
    let seawall = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        let output =
            command.current_dir(folder.path()).args(arguments).output().expect("seawall runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    for (document, expected) in [
        (policy("name: MCP\n", GET), vec![("create", "Web"), ("create", "MCP")]),
        (policy("name: MCP\n", READ), vec![("update", "cedar_v1")]),
        (policy("name: Tools\npreviously: [MCP]\n", READ), vec![("update", "name")]),
        (policy("name: Tools\nscope: {teams: [research]}\n", READ), vec![("update", "scope")]),
        (kept.to_owned(), vec![("delete", "Tools")]),
    ] {
        fs::write(folder.path().join("policies.yaml"), &document).unwrap();
        let plan: Value = serde_json::from_slice(&seawall(&["plan", "--format", "json"])).unwrap();
        let step = |step: &Value| {
            let changed = step["changed"].as_array().and_then(|changed| changed.first()).cloned();
            let what = changed.unwrap_or_else(|| step["policy"].clone());
            (step["op"].as_str().unwrap().to_owned(), what.as_str().unwrap().to_owned())
        };
        let steps: Vec<(String, String)> =
            plan["steps"].as_array().unwrap().iter().map(step).collect();
        let expected: Vec<(String, String)> =
            expected.into_iter().map(|(op, what)| (op.to_owned(), what.to_owned())).collect();
        assert_eq!(steps, expected, "{document}");
        seawall(&["apply", "--yes"]);
        let again: Value = serde_json::from_slice(&seawall(&["plan", "--format", "json"])).unwrap();
        assert_eq!(again["steps"], serde_json::json!([]), "{document}");
    }
}
