//! `validate` and `schema`: what people and programs see, and an answer to everything that YAML can
//! hold.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use seawall::check::{Run, TABLE};
use seawall::diagnostic::{Diagnostic, Findings, Severity};
use seawall::workspace::{self, EmptyWorkspace, Loaded};
use serde_json::Value;
use tempfile::TempDir;

const SETTINGS: &str = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\n";

fn workspace(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &[("seawall.yaml", SETTINGS)]);
    write(folder.path(), files);
    folder
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn seawall(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seawall"))
        .current_dir(folder)
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .expect("seawall runs")
}

/// The exit code, standard output and standard error of the command.
fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "exit {}\n{}---\n{}",
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// The findings of files in a workspace, as `code file:line:column`.
fn places(folder: &TempDir) -> Vec<String> {
    let mut findings = Findings::default();
    workspace::load_into(folder.path(), None, EmptyWorkspace::Refused, &mut findings);
    findings.diagnostics.iter().map(|diagnostic| place(&findings, diagnostic)).collect()
}

fn place(findings: &Findings, diagnostic: &Diagnostic) -> String {
    diagnostic.primary.as_ref().map_or_else(
        || diagnostic.code.to_owned(),
        |label| {
            let file = findings.files.get(label.file);
            let place = file.place(&label.span);
            format!("{} {}:{}:{}", diagnostic.code, file.name, place.line, place.column)
        },
    )
}

#[test]
fn people_see_the_line_the_place_and_what_to_do() {
    let folder = workspace(&[(
        "policies/web.yaml",
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Web\nscope:\n  team: [research]\nrules:\n  - name: mirrors\n    \
         decision: alow\n    actions: [connect:tcp]\n    resources: [research.mitre.org, 443]\n",
    )]);
    insta::assert_snapshot!(shown(&seawall(folder.path(), &["validate"])), @r#"
    exit 1
    error[unknown-key]: `scope` has no key `team`
     --> policies/web.yaml:5:3
      |
    5 |   team: [research]
      |   ^^^^
      |
      = help: did you mean `teams`?

    error[unknown-value]: `decision` cannot be `alow`
     --> policies/web.yaml:8:15
      |
    8 |     decision: alow
      |               ^^^^
      |
      = help: did you mean `allow`? the choices are `allow`, `deny`

    error[wrong-type]: this item of `resources` must be text, not `443`
      --> policies/web.yaml:10:37
       |
    10 |     resources: [research.mitre.org, 443]
       |                                     ^^^
       |
       = help: put it in quotes: `"443"`

    ---
    3 errors; not checked until they are mended: the rest of `policies/web.yaml`, relations between documents
    "#);
}

#[test]
fn programs_get_every_finding_with_its_place() {
    let folder = workspace(&[(
        "a.yaml",
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\nname: b\nrules: []\n",
    )]);
    insta::assert_snapshot!(shown(&seawall(folder.path(), &["validate", "--format", "json"])), @r#"
    exit 1
    {
      "format_version": 1,
      "findings": [
        {
          "code": "duplicate-key",
          "severity": "error",
          "message": "the key `name` appears here twice",
          "help": "keep one of the two",
          "file": "a.yaml",
          "line": 4,
          "column": 1,
          "end_line": 4,
          "end_column": 5,
          "related": [
            {
              "message": "it appears here first",
              "file": "a.yaml",
              "line": 3,
              "column": 1,
              "end_line": 3,
              "end_column": 5
            }
          ]
        }
      ]
    }
    ---
    "#);
}

#[test]
fn foreign_text_cannot_act_on_a_terminal() {
    // An escape sequence made by YAML, and one that reorders the line as it stands.
    let text = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\n\"\\e[2J\": 1 # \u{202e}kcart\nrules: []\n";
    let folder = workspace(&[("a\u{1b}]0;x.yaml", text)]);
    let output = seawall(folder.path(), &["validate", "--color", "always"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("\\u{1b}[2J")
            && shown.contains("\\u{202e}kcart")
            && shown.contains("a\\u{1b}]0;x.yaml"),
        "{shown}"
    );
    assert!(!shown.contains(['\u{202e}', '\r']), "{shown}");
    // Every sequence left is a colour.
    for sequence in shown.split('\u{1b}').skip(1) {
        let parameters = sequence
            .strip_prefix('[')
            .and_then(|rest| rest.split_once('m'))
            .map(|(parameters, _)| parameters);
        assert!(
            parameters
                .is_some_and(|text| text.chars().all(|next| next.is_ascii_digit() || next == ';')),
            "{shown}"
        );
    }
}

#[test]
fn code_scanning_gets_rules_and_results() {
    let folder = workspace(&[(
        "a b.yaml",
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\nname: b\nrules: [é, 1]\n",
    )]);
    let output = seawall(folder.path(), &["validate", "--format", "sarif"]);
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "a%20b.yaml"
        );
    }
    assert_eq!(rules.len(), TABLE.iter().copied().flatten().count());
    let first = &run["results"][0];
    assert_eq!((&first["ruleId"], &first["level"]), (&"duplicate-key".into(), &"error".into()));
    let region = &first["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        region,
        &serde_json::json!({"startLine": 4, "startColumn": 1, "endLine": 4, "endColumn": 5})
    );
    assert_eq!(first["relatedLocations"][0]["message"]["text"], "it appears here first");
}

/// `.ci/sarif` fetches the schema and runs this.
#[test]
#[ignore = "needs the schema of SARIF 2.1.0: run `.ci/sarif`"]
fn the_sarif_log_is_valid_against_its_schema() {
    // One of its patterns holds a bracket that only lenient engines take for itself; escaped, it
    // means the same to all.
    let schema = fs::read_to_string(std::env::var("SARIF_SCHEMA").unwrap())
        .unwrap()
        .replace("{2}]?$", r"{2}\\]?$");
    let schema = jsonschema::options()
        .should_validate_formats(true)
        .build(&serde_json::from_str(&schema).unwrap())
        .unwrap();
    let found = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\nname: b\nrules: [é, 1]\n";
    let rule =
        "{name: r, decision: allow, actions: [connect:tcp], resources: [Example.com, \"**\"]}";
    let warned = format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\nrules: [{rule}]\n");
    for files in [&[("sub dir/ü#[1].yaml", found)][..], &[("a.yaml", warned.as_str())], &[]] {
        let output = seawall(workspace(files).path(), &["validate", "--format", "sarif"]);
        let log: Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors: Vec<String> = schema
            .iter_errors(&log)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        assert_ne!(log["runs"][0]["results"], serde_json::json!([]));
    }
}

#[test]
fn workflow_commands_annotate_lines_and_nothing_else() {
    let text =
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\n\"x%\\n::error::y\": 1\nrules: []\n";
    let folder = workspace(&[("a,b.yaml", text)]);
    insta::assert_snapshot!(shown(&seawall(folder.path(), &["validate", "--format", "github"])), @"
    exit 1
    ::error title=seawall unknown-key,file=a%2Cb.yaml,line=4,endLine=4,col=1,endColumn=17::a `NetworkPolicy` has no key `x%25%0A::error::y`%0Athe keys here are `apiVersion`, `kind`, `name`, `previously`, `adopt`, `description`, `orgs`, `scope`, `rules`
    ---
    ");
}

#[test]
fn a_sound_workspace_is_exit_0_and_silent() {
    let folder = workspace(&[(
        "a.yaml",
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\nrules: []\n",
    )]);
    insta::assert_snapshot!(shown(&seawall(folder.path(), &["validate"])), @r"
    exit 0
    ---
    no findings
    ");
    insta::assert_snapshot!(shown(&seawall(folder.path(), &["validate", "--format", "json", "-q"])), @r#"
    exit 0
    {
      "format_version": 1,
      "findings": []
    }
    ---
    "#);
}

#[test]
fn a_warning_alone_is_exit_0() {
    let rule = "{name: r, decision: allow, actions: [connect:tcp], resources: [Example.com]}";
    let text = format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\nrules: [{rule}]\n");
    let folder = workspace(&[("a.yaml", &text)]);
    let output = seawall(folder.path(), &["validate"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("warning[host-spelling]"));
}

#[test]
fn the_workspace_is_the_nearest_folder_upward_or_the_one_named() {
    let folder = workspace(&[("sub/a.yaml", "kind: Nothing\n")]);
    for (start, arguments) in
        [("sub", &["validate"][..]), ("", &["-C", "sub", "validate"]), ("sub", &["validate", ".."])]
    {
        let output = seawall(&folder.path().join(start), arguments);
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("a.yaml:1:7"),
            "{arguments:?}: {}",
            shown(&output)
        );
    }
    // A folder that is named is not searched upward: a wrong name must not plan another workspace.
    let output = seawall(folder.path(), &["validate", "sub"]);
    insta::assert_snapshot!(shown(&output), @r"
    exit 1
    error[no-workspace]: `sub` holds no `seawall.yaml`
     |
     = help: name the folder of a workspace

    ---
    1 error
    ");
}

/// A clone leaves submodules out, and what is missing must not look like policies that are to go.
#[test]
fn a_submodule_that_is_not_checked_out_is_an_error() {
    let policy = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\nrules: []\n";
    let modules = "[submodule \"shared\"]\n\tpath = rules/policies/shared\n\turl = ../shared\n";
    let folder = workspace(&[(".gitmodules", modules), ("rules/policies/a.yaml", policy)]);
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    let rules = folder.path().join("rules");
    let settings = "apiVersion: seawall/v1\nkind: Workspace\n";
    let validate = |include: &str| {
        fs::write(rules.join("seawall.yaml"), format!("{settings}{include}")).unwrap();
        shown(&seawall(&rules, &["validate", "--format", "json"]))
    };
    // Nothing is missing where nothing is left out.
    assert!(validate("").starts_with("exit 0"));
    fs::create_dir(rules.join("policies/shared")).unwrap();
    for include in [
        "",
        "include: [policies/**/*.yaml]\n",
        "include: [policies/a.yaml, policies/shared/x/*.yaml]\n",
    ] {
        let shown = validate(include);
        assert!(
            shown.starts_with("exit 1") && shown.contains("missing-submodule"),
            "{include}: {shown}"
        );
        assert!(
            shown.contains("`policies/shared` is a submodule whose files are not there"),
            "{shown}"
        );
    }
    assert!(validate("include: [policies/a.yaml]\n").starts_with("exit 0"));
    fs::write(rules.join("policies/shared/b.yaml"), policy.replace("name: a", "name: b")).unwrap();
    assert!(validate("").starts_with("exit 0"));
}

#[test]
fn files_given_one_by_one_are_checked_alone() {
    let text = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\nrules: []\n";
    let folder = workspace(&[("a.yaml", text), ("b.yaml", text), ("c.yaml", "kind: x\n")]);
    assert_eq!(
        seawall(folder.path(), &["validate", "a.yaml", "b.yaml", "seawall.yaml"]).status.code(),
        Some(0)
    );
    assert_eq!(seawall(folder.path(), &["validate", "a.yaml", "c.yaml"]).status.code(), Some(1));
    assert_eq!(seawall(folder.path(), &["validate", "gone.yaml"]).status.code(), Some(1));
    assert!(places(&folder).contains(&"duplicate-policy b.yaml:3:7".to_owned()));
}

#[test]
fn every_finding_of_the_table_is_brought_about_by_its_bad_example() {
    let mut left_out = 0;
    for check in TABLE.iter().copied().flatten().filter(|check| !check.bad.is_empty()) {
        let text = if check.bad.starts_with("- ") {
            let kind = if check.bad.contains("[read") || check.bad.contains("[write") {
                "FilesystemPolicy"
            } else {
                "NetworkPolicy"
            };
            format!("apiVersion: seawall/v1\nkind: {kind}\nname: example\nrules:\n{}", check.bad)
        } else {
            check.bad.to_owned()
        };
        let folder = workspace(&[(
            "a.yaml",
            "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\nrules: []\n",
        )]);
        if text.contains("kind: Workspace") {
            write(folder.path(), &[("seawall.yaml", &text)]);
        } else {
            write(folder.path(), &[("bad.yaml", &text)]);
        }
        let mut findings = Findings::default();
        workspace::load_into(folder.path(), None, EmptyWorkspace::Refused, &mut findings);
        let found = findings.diagnostics.iter().find(|diagnostic| diagnostic.code == check.code);
        let found =
            found.unwrap_or_else(|| panic!("no `{}` in {:?}", check.code, findings.diagnostics));
        assert_eq!(found.severity, check.severity, "{}", check.code);
        // A base has the same errors and declares the same, whatever else is found in it.
        let content = |loaded: Result<Loaded, Findings>| match loaded {
            Ok(loaded) => {
                (format!("{:?}", loaded.desired), Vec::new(), loaded.findings.diagnostics.len())
            }
            Err(findings) => (String::new(), findings.diagnostics, 0),
        };
        let all = content(workspace::load(folder.path(), None, EmptyWorkspace::Refused));
        let base = content(workspace::load_base(folder.path(), None, EmptyWorkspace::Refused));
        assert_eq!((&all.0, &all.1), (&base.0, &base.1), "{}", check.code);
        left_out += all.2 - base.2;
    }
    assert!(left_out > 10, "{left_out}");
}

#[test]
fn codes_are_unique_and_documented() {
    let checks: Vec<_> = TABLE.iter().copied().flatten().collect();
    for (index, check) in checks.iter().enumerate() {
        assert!(
            !checks.iter().skip(index + 1).any(|other| other.code == check.code),
            "{}",
            check.code
        );
        assert!(
            !check.title.is_empty() && !check.explanation.is_empty() && !check.fix.is_empty(),
            "{}",
            check.code
        );
        let policy = matches!(check.run, Run::Policy(_));
        assert!(
            !policy || check.severity == Severity::Error || !check.bad.is_empty(),
            "{}",
            check.code
        );
    }
}

/// A policy of one rule; `REST` follows it.
fn policy(rest: &str) -> String {
    format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\n{rest}")
}

#[test]
fn everything_that_yaml_can_hold_has_an_answer() {
    let rule = "{name: r, decision: allow, actions: [connect:tcp], resources: [a.example.com]}";
    let laughs = (0..20).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let alias = format!("*a{level}, ").repeat(9);
        format!("{text}a{}: &a{} [{alias}]\n", level + 1, level + 1)
    });
    let deep = format!("rules: {}{}\n", "[".repeat(70), "]".repeat(70));
    let cases: Vec<(&str, String, &[&str])> = vec![
        (
            "words that YAML 1.1 reads as booleans are text",
            policy(&format!("scope: {{teams: [no, on, yes]}}\nrules: [{rule}]\n")),
            &[],
        ),
        ("a number where text is meant", policy("description: 1\nrules: []\n"), &["wrong-type a.yaml:4:14"]),
        ("an empty scope is not the whole organization", policy("scope:\nrules: []\n"), &["wrong-type a.yaml:4:1"]),
        ("nor are empty teams", policy("scope: {teams: }\nrules: []\n"), &["wrong-type a.yaml:4:9"]),
        ("rules must be present", policy(""), &["missing-key a.yaml:1:1"]),
        ("and may not be nothing", policy("rules:\n"), &["wrong-type a.yaml:4:1"]),
        ("a duplicate key", policy("rules: []\nrules: []\n"), &["duplicate-key a.yaml:5:1"]),
        (
            "the same key in two spellings of one text",
            policy("rules: []\n\"r\\u0075les\": []\n"),
            &["duplicate-key a.yaml:5:1"],
        ),
        (
            "an anchor and an alias, which says the same twice",
            policy(&format!("rules:\n  - &r {rule}\n  - {{<<: *r, name: s}}\n")),
            &["redundant-rule a.yaml:5:71"],
        ),
        (
            "an own key wins over a merged one, wherever it stands",
            policy(&format!("rules:\n  - &r {rule}\n  - {{name: s, <<: *r}}\n")),
            &["redundant-rule a.yaml:5:71"],
        ),
        (
            "a list of merged mappings",
            policy(
                "rules:\n  - &a {name: r, decision: allow}\n  - {<<: [*a], name: s, actions: [connect:tcp], resources: [x]}\n",
            ),
            &["missing-key a.yaml:5:8", "missing-key a.yaml:5:8"],
        ),
        ("a merge of no mapping", policy("rules:\n  - {<<: x}\n"), &["yaml-merge a.yaml:5:6"]),
        ("a quoted merge key is a key", policy("\"<<\": {}\nrules: []\n"), &["unknown-key a.yaml:4:1"]),
        (
            "a mistake inside of an anchor is found once, where it is written",
            policy("rules:\n  - &r {name: r, decision: allow, actions: [connect:tcp], resources: [1]}\n  - *r\n"),
            &["wrong-type a.yaml:5:71"],
        ),
        ("an alias of nothing", policy("rules: *none\n"), &["yaml-alias a.yaml:4:8"]),
        (
            "an unquoted pattern",
            policy("rules: [{name: r, decision: allow, actions: [connect:tcp], resources: [*.example.com]}]\n"),
            &["yaml-alias a.yaml:4:72"],
        ),
        ("an alias of what it stands in", policy("rules: &r [*r]\n"), &["yaml-alias a.yaml:4:12"]),
        ("billion laughs", laughs, &["yaml-alias a.yaml:6:15"]),
        ("deep nesting", policy(&deep), &["yaml-depth a.yaml:4:72"]),
        ("a tag", policy("rules: !!seq []\n"), &["yaml-tag a.yaml:4:14"]),
        ("a directive", "%YAML 1.1\n---\nkind: x\n".to_owned(), &["yaml-syntax a.yaml:1:1"]),
        ("a key that is a list", policy("? [a]\n: b\nrules: []\n"), &["yaml-key a.yaml:4:3"]),
        ("a tab", policy("rules:\n\t- x\n"), &["yaml-syntax a.yaml:5:1"]),
        ("a quote without end", policy("description: \"x\nrules: []\n"), &["yaml-syntax a.yaml:4:14"]),
        (
            "a byte order mark, and line ends of Windows",
            format!("\u{feff}{}", policy("scopes: {}\nrules: []\n").replace('\n', "\r\n")),
            &["unknown-key a.yaml:4:1"],
        ),
        (
            "columns are characters",
            policy("description: ü\nrules: [ü, 1]\n"),
            &["wrong-type a.yaml:5:12", "wrong-type a.yaml:5:9"],
        ),
        ("nothing", String::new(), &["empty-file a.yaml:1:1"]),
        ("only comments", "# nothing\n---\n# here\n".to_owned(), &["empty-file a.yaml:1:1"]),
        ("documents between empty ones", format!("---\n---\n{}---\n", policy("rules: []\n")), &[]),
        ("a document that is a list", "- a\n".to_owned(), &["wrong-type a.yaml:1:1"]),
        ("another tool's file", "services: {}\n".to_owned(), &["missing-key a.yaml:1:1"]),
        ("a workspace within", SETTINGS.to_owned(), &["misplaced-kind a.yaml:2:7"]),
        (
            "a carriage return alone, which ends a comment in YAML and in no editor",
            policy("rules: [] # none\rscope: {}\n"),
            &["carriage-return a.yaml:4:17"],
        ),
        (
            "characters that hide or reorder text",
            policy("description: a\u{202e}b\u{200b}\nrules: []\n"),
            &["hidden-character a.yaml:4:15", "hidden-character a.yaml:4:17"],
        ),
        (
            "an expectation with arguments, as people write it",
            "apiVersion: seawall/v1\nkind: AccessTest\nname: t\nexpect:\n  - allow: mcp invokeTool notion/search {\"readOnly\": true}\n  - deny: 1\n"
                .to_owned(),
            &["wrong-type a.yaml:6:11"],
        ),
        ("infinity", policy("description: .inf\nrules: []\n"), &["wrong-type a.yaml:4:14"]),
    ];
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|(what, text, expected)| {
            let mut expected: Vec<&str> = expected.to_vec();
            expected.sort_unstable();
            let mut found = places(&workspace(&[("a.yaml", &text)]));
            found.sort();
            (found != expected).then(|| format!("{what}: {found:?} instead of {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn bytes_that_are_not_text_are_an_error() {
    let folder = workspace(&[]);
    for (bytes, expected) in [
        (&b"apiVersion: x\nname: \xff\n"[..], "not-utf8 a.yaml:2:7"),
        (b"\xff\xfea\0", "not-utf8 a.yaml:1:1"),
        (b"kind: \0\n", "yaml-syntax a.yaml:1:7"),
    ] {
        fs::write(folder.path().join("a.yaml"), bytes).unwrap();
        assert_eq!(places(&folder), [expected], "{bytes:?}");
    }
    let huge = fs::File::create(folder.path().join("a.yaml")).unwrap();
    huge.set_len(17 << 20).unwrap();
    assert_eq!(places(&folder), ["file-too-large a.yaml:1:1"]);
}

#[test]
fn a_workspace_never_comes_out_empty_by_accident() {
    // No documents at all.
    assert_eq!(places(&workspace(&[])), ["empty-workspace seawall.yaml:1:1"]);
    // A pattern without a file, beside one that has some.
    let text = policy("rules: []\n");
    let settings =
        "apiVersion: seawall/v1\nkind: Workspace\ninclude: [policies/*.yaml, gone/**/*.yaml]\n";
    let folder = workspace(&[("seawall.yaml", settings), ("policies/a.yaml", &text)]);
    assert_eq!(places(&folder), ["include-matches-nothing seawall.yaml:3:28"]);
    // Only tests, where everything else would be deleted.
    let settings = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {ownership: exclusive}\n";
    let test = "apiVersion: seawall/v1\nkind: AccessTest\nname: t\nexpect: [{deny: write /}]\n";
    let folder = workspace(&[("seawall.yaml", settings), ("t.yaml", test)]);
    assert_eq!(places(&folder), ["no-policies seawall.yaml:1:1"]);
}

#[cfg(unix)]
#[test]
fn links_do_not_lead_out_of_the_workspace() {
    use std::os::unix::fs::symlink;
    let outside = TempDir::new().unwrap();
    let text = policy("rules: []\n");
    write(
        outside.path(),
        &[("b.yaml", &text), ("c.cedar", "permit (principal, action, resource);")],
    );
    let mcp = "apiVersion: seawall/v1\nkind: McpPolicy\nname: m\ncedar_file: c.cedar\n";
    let folder = workspace(&[("a.yaml", &text), ("m.yaml", mcp)]);
    symlink(outside.path().join("b.yaml"), folder.path().join("b.yaml")).unwrap();
    symlink(outside.path().join("c.cedar"), folder.path().join("c.cedar")).unwrap();
    symlink(outside.path(), folder.path().join("more")).unwrap();
    symlink("gone.yaml", folder.path().join("z.yaml")).unwrap();
    let mut found = places(&folder);
    found.sort();
    assert_eq!(
        found,
        [
            "cedar-file m.yaml:4:13",
            "linked-folder seawall.yaml:1:1",
            "outside-workspace b.yaml:1:1",
            "unreadable-file z.yaml:1:1"
        ]
    );
}

#[test]
fn a_file_outside_of_the_workspace_is_refused_whether_or_not_it_exists() {
    let outer = TempDir::new().unwrap();
    let agents = |file: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: AgentPolicy\nname: V\ncategory: privacy\nsource_file: {file}\nrules: []\n"
        )
    };
    write(
        outer.path(),
        &[("there.md", "Text.\n"), ("w/seawall.yaml", &format!("{SETTINGS}vijil: {{}}\n"))],
    );
    // The name, and the end of the message.
    let table = [
        ("../../there.md", "leads outside of the workspace"),
        ("../../gone.md", "leads outside of the workspace"),
        ("../gone.md", "cannot be read: no such file or directory"),
    ];
    for (file, reason) in table {
        write(outer.path(), &[("w/policies/v.yaml", &agents(file))]);
        let output = shown(&seawall(&outer.path().join("w"), &["validate"]));
        let expected = format!("error[source-file]: `{file}` {reason}\n");
        assert!(output.contains(&expected), "{output}");
    }
}

#[test]
fn slips_in_the_open_words_of_a_rule_for_agents_are_reported() {
    let rule = |fields: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: AgentPolicy\nname: V\ncategory: privacy\nrules:\n  - {{rule_id: A, \
             rule_type: prohibition, action: send, natural_language: Agents must not send it., {fields}}}\n"
        )
    };
    // The fields, and the message with its help.
    let table = [
        (
            "consequence: {action: blok, severity: low}",
            "`blok` is not a known action of a consequence",
            "block",
        ),
        (
            "consequence: {action: Block, severity: low}",
            "`Block` is not a known action of a consequence",
            "block",
        ),
        ("consequence: {acton: block, severity: low}", "`acton` is not a known key here", "action"),
        (
            "consequence: {severity: low}, constraint_logic: ayn",
            "`ayn` is not a known value of `constraint_logic`",
            "any",
        ),
        (
            "consequence: {severity: low}, constraints: [{condtion_type: x}]",
            "`condtion_type` is not a known key here",
            "condition_type",
        ),
        (
            "consequence: {severity: low}, provenance: {confidence: 0.3}",
            "`confidence` is not a known key here",
            "confidence_score",
        ),
        // The lists are open.
        (
            "consequence: {action: quarantine, severity: low, ticket: P1}, constraint_logic: and",
            "",
            "",
        ),
        ("consequence: {action: log, severity: low}", "", ""),
    ];
    for (fields, message, near) in table {
        let folder = workspace(&[("v.yaml", &rule(fields))]);
        write(folder.path(), &[("seawall.yaml", &format!("{SETTINGS}vijil: {{}}\n"))]);
        let output = shown(&seawall(folder.path(), &["validate"]));
        let found = output.contains("warning[probable-typo]");
        assert_eq!(found, !near.is_empty(), "{fields}\n{output}");
        let help = format!("help: did you mean `{near}`?");
        assert!(near.is_empty() || output.contains(message) && output.contains(&help), "{output}");
    }
}

#[cfg(unix)]
#[test]
fn a_linked_folder_is_searched_under_its_own_name_or_reported() {
    use std::os::unix::fs::symlink;
    let text = policy("rules: []\n");
    let settings = |include: &str| format!("{SETTINGS}include: [{include}]\n");
    let folder = workspace(&[
        ("policies/a.yaml", &text),
        ("shared/b.yaml", &text.replace("name: p", "name: q")),
    ]);
    symlink("../shared", folder.path().join("policies/shared")).unwrap();
    symlink(".", folder.path().join("policies/loop")).unwrap();
    assert_eq!(places(&folder), [""; 0]);
    write(folder.path(), &[("seawall.yaml", &settings("'policies/**/*.yaml'"))]);
    assert_eq!(places(&folder), ["linked-folder seawall.yaml:1:1"]);
    write(folder.path(), &[("seawall.yaml", &settings("'policies/*.yaml'"))]);
    assert_eq!(places(&folder), [""; 0]);
}

#[test]
fn a_suppression_applies_to_its_place_and_nothing_else() {
    let folder = workspace(&[(
        "a.yaml",
        &policy(
            "rules:
  # seawall: allow[host-spelling] written so by the vendor
  - name: a
    decision: allow
    actions: [connect:tcp]
    resources: [A.example.com, B.example.com]
  - name: b
    decision: allow
    actions: [connect:tcp]
    resources:
      - C.example.com # seawall: allow[host-spelling] likewise
      - D.example.com
  - name: c
    decision: allow
    actions: [connect:tcp]
    resources:
      - https://example.com # seawall: allow[invalid-host] errors stay
",
        ),
    )]);
    assert_eq!(
        places(&folder),
        [
            "host-spelling a.yaml:15:9",
            "invalid-host a.yaml:20:9",
            "unused-suppression a.yaml:20:29"
        ]
    );
}

#[test]
fn documents_are_checked_together() {
    let rule = |name: &str| {
        format!(
            "  - {{name: {name}, decision: allow, actions: [connect:tcp], resources: [{name}.example.com]}}\n"
        )
    };
    let many: String = (0..251).map(|index| rule(&format!("r{index}"))).collect();
    let folder = workspace(&[("a.yaml", &policy(&format!("rules:\n{many}")))]);
    assert_eq!(places(&folder), ["too-many-rules a.yaml:255:5"]);
    let many: String = (0..238).map(|index| rule(&format!("r{index}"))).collect();
    assert_eq!(
        places(&workspace(&[("a.yaml", &policy(&format!("rules:\n{many}")))])),
        ["policy-nearly-full a.yaml:3:7"]
    );

    let policies: String = (0..101)
        .map(|index| {
            format!("---\napiVersion: seawall/v1\nkind: NetworkPolicy\nname: p{index}\nrules: []\n")
        })
        .collect();
    assert_eq!(places(&workspace(&[("a.yaml", &policies)])), ["too-many-policies a.yaml:504:7"]);

    let hosts = |count: usize| {
        (0..count).map(|index| format!("h{index:05}.example.com, ")).collect::<String>()
    };
    let large = |count| {
        policy(&format!(
            "rules: [{{name: r, decision: allow, actions: [connect:tcp], resources: [{}]}}]\n",
            hosts(count)
        ))
    };
    // 21 bytes a host in JSON.
    assert_eq!(places(&workspace(&[("a.yaml", &large(18_000))])), Vec::<String>::new());
    assert_eq!(
        places(&workspace(&[("a.yaml", &large(18_200))])),
        ["policy-nearly-full a.yaml:3:7"]
    );
    assert_eq!(places(&workspace(&[("a.yaml", &large(19_100))])), ["policy-too-large a.yaml:3:7"]);

    let settings = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {teams: [research]}\n";
    let scoped = policy("scope: {teams: [reserch]}\nrules: []\n");
    assert_eq!(
        places(&workspace(&[("seawall.yaml", settings), ("a.yaml", &scoped)])),
        ["unknown-team a.yaml:4:17"]
    );
    let test = "apiVersion: seawall/v1\nkind: AccessTest\nname: t\nas: {teams: [Research]}\nexpect: [{deny: write /}]\n";
    let scoped = policy("scope: {teams: [research]}\nrules: []\n");
    assert_eq!(
        places(&workspace(&[("a.yaml", &scoped), ("t.yaml", test)])),
        ["ambiguous-team t.yaml:4:14"]
    );
}

#[test]
fn the_schema_in_the_repository_is_the_one_that_is_printed() {
    let output = seawall(Path::new(env!("CARGO_MANIFEST_DIR")), &["schema"]);
    let stored =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/seawall.schema.json"))
            .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(stored == printed, "run `cargo run -- schema > schemas/seawall.schema.json`");
    let schema: Value = serde_json::from_str(&stored).unwrap();
    jsonschema::draft202012::meta::validate(&schema).expect("a valid schema of 2020-12");
    let one = seawall(Path::new("."), &["schema", "networkpolicy"]);
    let one: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(one["title"], "NetworkPolicy");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    /// Reading ends for every text, and every place is inside of it.
    #[test]
    fn reading_ends_for_every_text(text in "([a-z]{1,4}: ?|- ?|\\[|\\]|\\{|\\}|, |&a |\\*a |<<: |\"|'|\\||>|#|\n|\n  |\r\n|\t|!!|é|\u{feff}|\u{0}|~|%|---\n|[0-9]){0,40}") {
        let mut files = seawall::diagnostic::Files::default();
        let file = files.add("a.yaml", "a.yaml", text.as_str());
        let mut findings = Vec::new();
        let parsed = seawall::source::parse(file, &text, &mut findings);
        for finding in &findings {
            let span = finding.primary.as_ref().unwrap().span.clone();
            proptest::prop_assert!(text.get(span.clone()).is_some(), "{span:?} of {text:?}");
        }
        for comment in &parsed.comments {
            proptest::prop_assert!(text[comment.span.clone()].starts_with('#'));
        }
        for document in parsed.documents {
            seawall::document::read(file, document, false, &mut findings);
        }
    }

    /// The same for arbitrary bytes and characters.
    #[test]
    fn reading_ends_for_every_other_text(text in proptest::prelude::any::<String>()) {
        let mut files = seawall::diagnostic::Files::default();
        let file = files.add("a.yaml", "a.yaml", text.as_str());
        let mut findings = Findings::default();
        let parsed = seawall::source::parse(file, &text, &mut findings.diagnostics);
        for document in parsed.documents {
            seawall::document::read(file, document, false, &mut findings.diagnostics);
        }
        findings.files = files;
        let view = seawall::render::plan::View { width: 140, all: true, folder: "" };
        let shown = seawall::render::diagnostic::human(&findings, Path::new("/"), view);
        proptest::prop_assert!(findings.diagnostics.is_empty() || !shown.is_empty());
    }

    /// The place of every scalar and key is its own text.
    #[test]
    fn places_point_at_what_was_written(
        words in proptest::collection::vec("[a-z]{3,8}", 1..6),
        before in "(# c\n|\n){0,3}",
        indentation in 1_usize..5,
        flow in proptest::prelude::any::<bool>(),
    ) {
        let mut text = before;
        for (index, word) in words.iter().enumerate() {
            let indentation = " ".repeat(indentation);
            text += &if flow { format!("k{index}: {{x: [{word}, {word}]}}\n") } else { format!("k{index}:\n{indentation}x:\n{indentation}- {word} # é\n{indentation}- {word}\n") };
        }
        let mut files = seawall::diagnostic::Files::default();
        let file = files.add("a.yaml", "a.yaml", text.as_str());
        let parsed = seawall::source::parse(file, &text, &mut Vec::new());
        let tree = &parsed.documents[0];
        for (index, word) in words.iter().enumerate() {
            let entry = tree.places.entry(&format!("k{index}")).unwrap();
            proptest::prop_assert_eq!(&text[entry.key_span.clone()], format!("k{index}"));
            for item in 0..2 {
                let place = tree.places.get(&format!("/k{index}/x/{item}")).unwrap();
                proptest::prop_assert_eq!(&text[place.span()], word);
            }
        }
    }
}

#[test]
fn one_earlier_name_is_claimed_once() {
    let policy = |name: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: {name}\npreviously: [Old]\nrules:\n  \
             - {{name: x, previously: [o], decision: allow, actions: [connect:tcp], resources: [a.example.com]}}\n  \
             - {{name: y, previously: [o], decision: allow, actions: [connect:tcp], resources: [b.example.com]}}\n"
        )
    };
    let folder = workspace(&[("a.yaml", &policy("A")), ("b.yaml", &policy("B"))]);
    let output = shown(&seawall(folder.path(), &["validate"]));
    for part in [
        "exit 1\n",
        "`Old` is claimed as an earlier name by `A` and by `B`\n --> b.yaml:4:14",
        "a.yaml:4:14",
        "keep it in `previously` of the policy that continues `Old`, and remove it from the other",
        "`o` is claimed as an earlier name by `x` and by `y`\n --> a.yaml:7:28",
        "keep it in `previously` of the rule that continues `o`",
    ] {
        assert!(output.contains(part), "{part}\n{output}");
    }
}

#[test]
fn slips_of_punctuation_are_explained() {
    let head = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: A\nrules:\n";
    let rule = |resources: &str| {
        format!(
            "{head}  - name: a\n    decision: allow\n    actions: [connect:tcp]\n    resources:{resources}\n"
        )
    };
    let cedar = "apiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar: |\n  permit (principal, action, resource);\n  \
                 <<<<<<< HEAD\n  forbid (principal, action, resource);\n  =======\n  >>>>>>> other\n";
    let http = "  - name: a\n    decision: allow\n    actions: [request:get]\n    http_resources:\n      - {host: a.example.com, \
                port: 443, path: /x\n  - name: b\n    decision: allow\n";
    for (text, message, help) in [
        (
            rule("\n      a.example.com\n      - b.example.com"),
            "",
            "put `- ` in front of `a.example.com`",
        ),
        (
            rule(" [\"a.example.com\" \"b.example.com\"]"),
            "a comma, or the end of the line, is missing",
            "separate the items",
        ),
        (format!("{head}{http}"), "this `{` is not closed\n --> a.yaml:9:9", ""),
        (
            format!("{}{}", rule(" [a.example.com]"), rule(" [b.example.com]")),
            "a second `apiVersion` in one document",
            "`---`",
        ),
        (
            cedar.to_owned(),
            "the file has the markers of a merge conflict\n --> a.yaml:6:3",
            "keep one side",
        ),
    ] {
        let folder = workspace(&[("a.yaml", &text)]);
        let output = shown(&seawall(folder.path(), &["validate"]));
        assert!(output.contains(message) && output.contains(help), "{text}\n{output}");
        assert_eq!(output.matches("error[").count(), 1, "{text}\n{output}");
    }
}

#[test]
fn what_errors_keep_from_being_checked_is_named_and_nothing_else_is() {
    const RULE: &str = "rules:\n  - {name: r, decision: allow, actions: [connect:tcp], resources: ['https://x.example']";
    let policy = |key: &str| {
        format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: a\n{RULE}{key}}}\n")
    };
    let with = |line: &str| format!("{SETTINGS}{line}\n");
    let no_cedar = "apiVersion: seawall/v1\nkind: McpPolicy\nname: m\ncedar_file: gone.cedar\n";
    let (rest, relations) = ("the rest of `a.yaml`", "relations between documents");
    // The settings, the document, the number of errors, and what is not checked.
    let table = [
        (with(""), policy(""), 1, String::new()),
        (with(""), policy(", colour: red"), 1, format!("{rest}, {relations}")),
        (with(""), policy(", colour: red, size: big"), 2, format!("{rest}, {relations}")),
        (with(""), no_cedar.to_owned(), 1, format!("{rest}, {relations}")),
        // The settings hide no error of a document, unless it is open which documents there are.
        (with("gards: {}"), policy(""), 2, format!("the rest of `seawall.yaml`, {relations}")),
        (with("inclde: [a.yaml]"), policy(""), 1, "all documents".to_owned()),
    ];
    for (settings, document, errors, unchecked) in table {
        let (count, are) =
            if errors == 1 { ("1 error", "it is") } else { ("2 errors", "they are") };
        let expected = match unchecked.as_str() {
            "" => count.to_owned(),
            unchecked => format!("{count}; not checked until {are} mended: {unchecked}"),
        };
        let settings = settings.as_str();
        let folder = workspace(&[("seawall.yaml", settings), ("a.yaml", &document)]);
        let validated = seawall(folder.path(), &["validate"]);
        let counts = String::from_utf8(validated.stderr).unwrap();
        assert_eq!(counts.lines().last(), Some(expected.as_str()), "{document}");
        let planned = String::from_utf8(seawall(folder.path(), &["plan"]).stderr).unwrap();
        let expected = format!("error: the documents are wrong: {expected}\n");
        assert!(planned.contains(&expected), "{planned}");
    }
}

#[test]
fn hidden_characters_of_side_files_are_found_and_suppressed() {
    let mcp = "apiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar_file: m.cedar\n";
    let agents = "apiVersion: seawall/v1\nkind: AgentPolicy\nname: V\ncategory: privacy\nsource_file: v.txt\nrules: []\n";
    let cedar = "permit (principal, action == MCP::Action::\"getPrompt\", resource)\nwhen { resource.name == \"a\u{200b}b\" };\n";
    let folder = workspace(&[
        ("a.yaml", mcp),
        ("b.yaml", agents),
        ("m.cedar", cedar),
        ("v.txt", "Never\u{a0}disclose\u{a0}it, \u{202e}ever.\n"),
    ]);
    write(folder.path(), &[("seawall.yaml", &format!("{SETTINGS}vijil: {{}}\n"))]);
    let one_each = [
        "hidden-character b.yaml:5:14",
        "hidden-character b.yaml:5:14",
        "hidden-character m.cedar:2:27",
    ];
    assert_eq!(places(&folder), one_each);
    let accepted = |text: &str, marker: &str| {
        format!("{marker} seawall: allow[hidden-character] as published\n{text}")
    };
    let (head, source) = agents.split_at(agents.find("source_file").unwrap());
    write(
        folder.path(),
        &[
            ("m.cedar", &accepted(cedar, "//")),
            ("b.yaml", &format!("{head}{}", accepted(source, "#"))),
        ],
    );
    assert_eq!(places(&folder), [""; 0]);
}

/// People copy what a finding advises, so that it has to be the right pattern.
#[test]
fn findings_advise_the_pattern_that_mends_them() {
    let network = |rules: &str| {
        format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: P\nrules:\n{rules}")
    };
    let folders = |rules: &str| {
        format!("apiVersion: seawall/v1\nkind: FilesystemPolicy\nname: F\nrules:\n{rules}")
    };
    let hosts = "  - {name: a, decision: allow, actions: [connect:tcp], resources: ['api.example.com:443', '**.example.org']}\n";
    let get = |what: &str| {
        format!(
            "{hosts}  - {{name: b, decision: deny, actions: [request:get], http_resources: [{{{what}}}]}}\n"
        )
    };
    let data = "  - {name: a, decision: allow, actions: [read], resources: ['/data/**']}\n";
    let table = [
        (
            network("  - {name: a, decision: allow, actions: [connect:tcp], resources: ['*']}\n"),
            "`*` may be every host",
            "list the hosts that are needed",
        ),
        (
            network("  - {name: a, decision: allow, actions: [connect:tcp], resources: ['**']}\n"),
            "`**` is every host",
            "list the hosts that are needed",
        ),
        (
            network(&get("host: api.example.com, path: /admin")),
            "`GET https://api.example.com/admin/x` is allowed",
            "write `/admin/**`, which",
        ),
        (
            network(&get("host: api.example.com, path: /old/*")),
            "`GET https://api.example.com/old/x/x` is allowed",
            "write `/old/**`, which",
        ),
        (
            network(&get("host: api.example.com, port: 80, path: /**")),
            "nothing is allowed on port 80 of `api.example.com`",
            "leave `port` out",
        ),
        (
            network(&get("host: other.example.net, port: 80, path: /x")),
            "nothing allows `other.example.net`",
            "allow the host with `connect:tcp`",
        ),
        (
            network(&format!(
                "{hosts}  - {{name: b, decision: deny, actions: [connect:tcp], resources: ['*.bad.example.org']}}\n"
            )),
            "`connect:tcp www.a.bad.example.org:443` is allowed",
            "deny `bad.example.org` and `**.bad.example.org`",
        ),
        (
            folders(&format!(
                "{data}  - {{name: b, decision: deny, actions: [read], resources: ['/data/own']}}\n"
            )),
            "`read /data/own/x` is allowed",
            "deny `/data/own` and `/data/own/**`",
        ),
        (
            folders(&format!(
                "{data}  - {{name: b, decision: deny, actions: [read], resources: ['/data/secret/*']}}\n"
            )),
            "`read /data/secret/x/x` is allowed",
            "deny `/data/secret` and `/data/secret/**`",
        ),
    ];
    for (document, message, help) in table {
        let folder = workspace(&[("a.yaml", &document)]);
        let output = seawall(folder.path(), &["validate", ".", "--format", "json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = found["findings"].as_array().unwrap();
        let says = |finding: &&Value, key: &str, text: &str| {
            finding[key].as_str().is_some_and(|own| own.contains(text))
        };
        let told: Vec<&Value> =
            findings.iter().filter(|one| says(one, "message", message)).collect();
        assert!(told.iter().any(|one| says(one, "help", help)), "{message}: {findings:#?}");
    }
}
