//! A comparison that is cut short is not an answer: everything that asks it says so, and refuses.

use std::fs;
use std::path::Path;
use std::process::Command;

use seawall::plan::meaning::{Changes, Found, Incomplete, Meaning};
use seawall::{plan, render};
use serde_json::Value;
use tempfile::TempDir;

use crate::examples::seawall;

const SETTINGS: &str = "apiVersion: seawall/v1
kind: Workspace
docker: {org: acme, endpoint: embedded}
guards: {deny_widening: true}
";

fn filesystem(name: &str, decision: &str, resources: &[String]) -> String {
    let resources = serde_json::to_string(resources).unwrap();
    format!(
        "apiVersion: seawall/v1\nkind: FilesystemPolicy\nname: {name}\nrules:\n  - {{name: r, decision: {decision}, \
         actions: [read], resources: {resources}}}\n"
    )
}

/// Each folder of a certain depth is below one of each two, so that no folder is as good as
/// another.
fn explosive() -> Vec<String> {
    let behind = |n: usize| "/*".repeat(n);
    (0..24)
        .flat_map(|n| [format!("/d/**/a*{}", behind(n)), format!("/d/**/[!a]*{}", behind(n))])
        .collect()
}

/// A workspace of which the first document is live, and both are there.
fn workspace(live: &str, more: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), SETTINGS).unwrap();
    fs::write(folder.path().join("a.yaml"), live).unwrap();
    let (code, _, stderr) = seawall(
        folder.path(),
        &["apply", "--yes", "--allow", "safe_order", "--allow", "deny_widening"],
    );
    assert_eq!(code, Some(0), "{stderr}");
    fs::write(folder.path().join("b.yaml"), more).unwrap();
    folder
}

fn guard<'a>(plan: &'a Value, name: &str) -> (bool, &'a str) {
    let guards = plan["guards"].as_array().unwrap();
    let guard = guards.iter().find(|guard| guard["guard"] == name).unwrap();
    (guard["ok"].as_bool().unwrap(), guard["message"].as_str().unwrap())
}

/// The outputs of the action for a saved plan.
fn outputs(plan: &Path) -> String {
    let script = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/action/run.sh")).unwrap();
    let function = script.split_once("tell_of_plan() {").unwrap().1.split_once("\n}\n").unwrap().0;
    let output = plan.with_extension("output");
    let script = format!("tell_of_plan() {{{function}\n}}\ntell_of_plan \"$1\"");
    let status = Command::new("bash")
        .args(["-c", &script, "bash"])
        .arg(plan)
        .env("GITHUB_OUTPUT", &output)
        .status();
    assert!(status.unwrap().success());
    fs::read_to_string(output).unwrap()
}

#[test]
fn rules_that_many_wildcards_tell_apart_hide_no_widening() {
    let noise: Vec<String> = (0..9).map(|n| format!("/**/0{n}/*/*/*/*/*/*/*/*/x")).collect();
    let data = ["/var/lib/docker/volumes/db/data/**".to_owned()];
    let folder =
        workspace(&filesystem("Hardening", "deny", &noise), &filesystem("Base", "allow", &data));
    let (_, stdout, stderr) =
        seawall(folder.path(), &["plan", "--format", "json", "--out", "plan.json"]);
    let plan: Value = serde_json::from_str(&stdout).expect(&stderr);
    assert_eq!(plan["access"]["widened"][0]["audience"]["teams"], Value::Array(Vec::new()));
    let access = plan["access"]["widened"][0]["access"].as_str().unwrap();
    assert!(
        access.starts_with(
            "read /var/lib/docker/volumes/db/data/** except /**/00/*/*/*/*/*/*/*/*/x, "
        ),
        "{access}"
    );
    assert!(!guard(&plan, "deny_widening").0);
    assert!(guard(&plan, "safe_order").0);
    assert!(outputs(&folder.path().join("plan.json")).contains("widens=true\n"));
}

#[test]
fn an_incomplete_comparison_is_refused_and_says_so_first() {
    let more = filesystem("Base", "allow", &["/d/**".to_owned()]);
    let folder = workspace(&filesystem("Hardening", "deny", &explosive()), &more);
    let (_, stdout, stderr) =
        seawall(folder.path(), &["plan", "--format", "json", "--out", "plan.json"]);
    let plan: Value = serde_json::from_str(&stdout).expect(&stderr);
    let access = &plan["access"];
    assert_eq!(access["exact"], false);
    assert_eq!(
        access["incomplete"]["rules"],
        serde_json::json!(["now allow `Base › r` (b.yaml:5:5)"])
    );
    assert_eq!(access["incomplete"]["audiences"], serde_json::json!([{"teams": []}]));
    let uncertain = &access["uncertain"][0];
    assert_eq!((&uncertain["access"], &uncertain["widens"]), (&"read /d/**".into(), &true.into()));
    for name in ["deny_widening", "safe_order"] {
        let (ok, message) = guard(&plan, name);
        assert!(
            !ok && message.contains("`Base › r`") && message.contains("more folders than"),
            "{name}: {message}"
        );
    }
    assert!(outputs(&folder.path().join("plan.json")).contains("widens=uncertain\nrefused=true\n"));
    let headline =
        "the comparison is incomplete for 1 rule, may widen access for the whole organization";
    let (_, human, _) = seawall(folder.path(), &["plan"]);
    let refused = "Plan for `acme`, refused by `deny_widening`, `safe_order`: ";
    assert!(human.contains(&format!("{refused}{headline}\n")), "{human}");
    // What a person can do: the patterns to write in another way, and the guards to lift.
    assert_eq!(access["incomplete"]["patterns"].as_array().unwrap().len(), 3);
    for part in [
        "help: use fewer wildcards, first in `/d/**/[!a]*/*/",
        "help: set `guards.deny_widening: false` in `seawall.yaml`, or lift it for one run with `apply --allow deny_widening`",
        "`apply --allow safe_order`",
    ] {
        assert!(human.contains(part), "{part}\n{human}");
    }
    assert!(
        human.contains("The comparison is incomplete: the wildcards of the rules distinguish"),
        "{human}"
    );
    let (_, markdown, _) = seawall(folder.path(), &["comment", "--plan", "plan.json", "--print"]);
    assert!(
        markdown
            .contains(&format!("\n### seawall: refused by deny_widening, safe_order: {headline}")),
        "{markdown}"
    );
    assert!(markdown.contains("To have them compared, use fewer wildcards"), "{markdown}");
    assert!(markdown.contains("> The comparison is incomplete: "), "{markdown}");
    // It is not carried out while one of the guards stands.
    for arguments in [
        &["apply", "--yes"][..],
        &["apply", "--yes", "--plan", "plan.json", "--allow", "deny_widening"],
    ] {
        let (code, _, stderr) = seawall(folder.path(), arguments);
        assert_eq!(code, Some(4), "{stderr}");
    }
    // Drift of the same kind may have opened something.
    let (code, drift, _) = seawall(folder.path(), &["drift"]);
    assert_eq!(code, Some(3));
    assert!(
        drift.contains("`acme` may allow more or less than what the documents say: the comparison is incomplete"),
        "{drift}"
    );
}

/// Every output of a plan, also where nothing is listed beside it.
#[test]
fn every_output_says_that_a_comparison_is_incomplete() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), SETTINGS).unwrap();
    let base = filesystem("Base", "allow", &["/d/**".to_owned()]);
    fs::write(folder.path().join("a.yaml"), base).unwrap();
    seawall(folder.path(), &["plan", "--out", "plan.json"]);
    let text = fs::read_to_string(folder.path().join("plan.json")).unwrap();
    let mut plan = plan::Plan::from_json(&text).unwrap();
    let incomplete = Incomplete {
        why: "too many".to_owned(),
        rules: vec!["now allow `Base › r` (a.yaml:5:5)".to_owned()],
        audiences: Vec::new(),
        patterns: Vec::new(),
    };
    let access =
        Meaning { found: Found::Incomplete(Changes::default(), incomplete), governed: Vec::new() };
    plan.docker.as_mut().unwrap().access = access;
    let view = render::plan::View { width: 140, all: false, folder: "" };
    let human = render::plan::human(&plan, view);
    let markdown = render::markdown::plan(&plan);
    let json: Value = serde_json::from_str(&plan.to_json()).unwrap();
    let headline = "the comparison is incomplete for 1 rule";
    let says = [
        ("headline", human.lines().any(|line| line.contains(headline))),
        ("reason", human.contains("The comparison is incomplete") && human.contains("too many")),
        ("rules", human.contains("not compared") && human.contains("Base › r")),
        ("Markdown headline", markdown.lines().any(|line| line.contains(headline))),
        ("Markdown reason", markdown.contains("> [!CAUTION]\n> The comparison is incomplete")),
        ("Markdown rules", markdown.contains("Not compared: ")),
        ("JSON", json["access"]["incomplete"]["why"] == "too many"),
        ("exact", json["access"]["exact"] == false),
        ("read back", plan::Plan::from_json(&plan.to_json()).unwrap() == plan),
    ];
    let silent: Vec<&str> = says.iter().filter(|(_, said)| !said).map(|(what, _)| *what).collect();
    assert_eq!(silent, [""; 0], "{human}\n{markdown}");
}

#[test]
fn an_incomplete_comparison_is_uncertain_for_the_action_whatever_is_listed() {
    let base = filesystem("Base", "deny", &["/d/**".to_owned()]);
    let folder = workspace(&base, &filesystem("More", "allow", &["/x/**".to_owned()]));
    let (_, stdout, stderr) = seawall(folder.path(), &["plan", "--format", "json"]);
    let mut plan: Value = serde_json::from_str(&stdout).expect(&stderr);
    let entry = plan["access"]["widened"][0].clone();
    for list in ["widened", "narrowed", "uncertain"] {
        plan["access"][list] = Value::Array(Vec::new());
    }
    let told = |plan: &Value| {
        let file = folder.path().join("plan.json");
        fs::write(&file, serde_json::to_string_pretty(plan).unwrap()).unwrap();
        let _ = fs::remove_file(file.with_extension("output"));
        let outputs = outputs(&file);
        outputs.lines().find_map(|line| line.strip_prefix("widens=")).unwrap().to_owned()
    };
    assert_eq!(told(&plan), "false");
    plan["access"]["incomplete"] = serde_json::json!({"why": "w", "rules": [], "audiences": []});
    assert_eq!(told(&plan), "uncertain");
    plan["access"]["uncertain"] = Value::Array(vec![entry.clone()]);
    plan["access"]["uncertain"][0]["widens"] = false.into();
    assert_eq!(told(&plan), "uncertain");
    plan["access"]["widened"] = Value::Array(vec![entry]);
    assert_eq!(told(&plan), "true");
}

/// A deny that moves away from what an allow is about to give up: the allow has to go first.
fn entangled(denied: &str, allowed: &[&str]) -> String {
    format!(
        "apiVersion: seawall/v1\nkind: FilesystemPolicy\nname: Rules\nrules:\n  - {{name: deny, decision: deny, actions: \
         [read], resources: [{denied}]}}\n  - {{name: allow, decision: allow, actions: [read], resources: {allowed:?}}}\n"
    )
}

#[test]
fn the_order_of_calls_is_safe_beside_whatever_rules_or_refused() {
    let nine: Vec<String> = (0..9).map(|n| format!("/**/0{n}/*/*/*/*/*/*/*/*/x")).collect();
    let (before, after) =
        (entangled("/d/q/**", &["/d/p/**", "/d/q/**"]), entangled("/d/z/**", &["/d/p/**"]));
    for (noise, is_known) in [(nine, true), (explosive(), false)] {
        let folder =
            workspace(&format!("{before}---\n{}", filesystem("Hardening", "deny", &noise)), &after);
        fs::write(folder.path().join("a.yaml"), filesystem("Hardening", "deny", &noise)).unwrap();
        let (_, stdout, stderr) = seawall(folder.path(), &["plan", "--format", "json"]);
        let plan: Value = serde_json::from_str(&stdout).expect(&stderr);
        let (ok, message) = guard(&plan, "safe_order");
        assert_eq!(ok, is_known, "{message}");
        if is_known {
            let rules: Vec<&str> = plan["steps"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|step| step["rule"].as_str())
                .collect();
            assert_eq!(rules, ["allow", "deny"]);
        } else {
            assert!(message.contains("more folders than can be compared"), "{message}");
        }
    }
}

/// Each `**` once doubled the memory that a pattern takes.
#[test]
fn folders_that_are_too_many_to_look_at_are_said() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), SETTINGS).unwrap();
    let deny = filesystem("Deny", "deny", &["/home/*/.ssh".to_owned()]);
    fs::write(folder.path().join("deny.yaml"), deny).unwrap();
    for (number, expected) in [(64, false), (65, true)] {
        let folders: Vec<String> = (0..number).map(|number| format!("/srv/p{number}")).collect();
        let allow = filesystem("Allow", "allow", &folders);
        fs::write(folder.path().join("allow.yaml"), allow).unwrap();
        let (_, stdout, stderr) = seawall(folder.path(), &["validate", "--format", "json"]);
        let said = stdout.contains("lint-skipped") && stdout.contains("mount-around-deny");
        assert_eq!(said, expected, "{number}: {stdout}{stderr}");
    }
}

#[test]
fn a_pattern_of_very_many_wildcards_gets_an_answer() {
    for wildcards in [22, 100] {
        let pattern = format!("{}/x", "/**/a".repeat(wildcards));
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("seawall.yaml"), SETTINGS.replace("true", "false")).unwrap();
        fs::write(folder.path().join("a.yaml"), filesystem("p", "allow", &[pattern])).unwrap();
        let (code, stdout, stderr) = seawall(folder.path(), &["plan", "--format", "json"]);
        assert!(matches!(code, Some(0 | 4)), "{stderr}");
        let plan: Value = serde_json::from_str(&stdout).expect(&stderr);
        let access = &plan["access"];
        let listed = |kind: &str| access[kind].as_array().map_or(0, Vec::len);
        assert!(listed("widened") + listed("uncertain") > 0, "{access}");
    }
}

#[test]
fn a_message_names_the_first_rules_that_were_not_compared() {
    let message = |rules: &[&str]| {
        let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let why = "too many".to_owned();
        Incomplete { why, rules, audiences: Vec::new(), patterns: Vec::new() }.in_short()
    };
    assert_eq!(message(&[]), "too many");
    assert_eq!(message(&["a", "b"]), "too many; not compared: a, b");
    assert_eq!(message(&["a", "b", "c", "d", "e"]), "too many; not compared: a, b, c and 2 more");
}
