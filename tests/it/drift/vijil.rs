//! `seawall drift` and policies for agents: told apart, adopted, proven.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::seawall;
use crate::import::files;

fn rule(number: usize, more: Value) -> Value {
    let mut rule = json!({
        "id": format!("8a1f0a52-0000-4000-8000-0000000000{number:02}"), "rule_id": format!("R-{number}"),
        "rule_type": "prohibition", "action": format!("act-{number}"), "target": "pii", "assignee": "agent",
        "constraints": [], "constraint_logic": "all",
        "consequence": {"action": "block", "severity": "high", "message": null},
        "natural_language": format!("Do not do {number}."), "category": null, "tags": null, "status": "approved",
        "provenance": {"extracted_by": "manual", "model_used": null, "confidence_score": null, "source_location": null},
        "reviewed_by": null, "reviewed_at": null, "review_notes": "seen"
    });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

fn policy(number: usize, status: &str, more: Value, rules: Vec<Value>) -> Value {
    let mut policy = json!({"id": format!("8a1f0a52-0000-4000-8000-000000000a{number:02}"), "name": format!("p{number}"),
        "category": "compliance", "status": status, "description": null, "source_text": "One.\n\n  Two: \"x\"\n",
        "tags": null});
    policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"policy": policy, "rules": rules})
}

fn save(folder: &Path, name: &str, policies: &[Value]) {
    let snapshot = json!({"format_version": 1, "vijil": {"policies": policies}});
    fs::write(folder.join(name), snapshot.to_string()).unwrap();
}

fn workspace(settings: &str, documents: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let head = "apiVersion: seawall/v1\nkind: Workspace\ninclude: ['policies/*.yaml']\n";
    fs::write(folder.path().join("seawall.yaml"), format!("{head}{settings}\n")).unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    if !documents.is_empty() {
        fs::write(folder.path().join("policies/all.yaml"), documents).unwrap();
    }
    folder
}

fn documents(folder: &Path) -> Vec<(String, String)> {
    files(folder).into_iter().filter(|(name, _)| !name.ends_with(".json")).collect()
}

const DOCUMENTS: &str = "\
# The handbook, chapter 4.
apiVersion: seawall/v1
kind: AgentPolicy
name: p1 # of compliance
category: compliance # since May
status: active
source_file: handbook.md
tags: [
  a, # the first
  b, # the second
]
rules:
  # What nobody may do.
  - rule_id: R-1
    rule_type: prohibition # hard
    action: act-1
    target: pii # personal
    constraints:
      # Above this amount.
      - {condition_type: threshold, field: amount, operator: '>', value: 500}
      - condition_type: time
        field: hour # local
        operator: <
        value: 6
    consequence:
      # Block first.
      action: block
      severity: high # really
    natural_language: Do not do 1.
    review: {approved: seen} # in March
  - {rule_id: R-2, rule_type: prohibition, action: act-2, consequence: {action: block, severity: high}, natural_language: Do not do 2., review: {approved: seen}}
  # A rule that goes.
  - rule_id: R-3
    rule_type: prohibition
    action: act-3
    consequence: {severity: high}
    natural_language: Do not do 3.
    review: {approved: seen}
";

fn constraints(amount: u32, hour: u32) -> Value {
    json!([{"condition_type": "threshold", "field": "amount", "operator": ">", "value": amount, "unit": null},
        {"condition_type": "time", "field": "hour", "operator": "<", "value": hour}])
}

fn applied() -> Vec<Value> {
    let rules = vec![
        rule(1, json!({"constraints": constraints(500, 6)})),
        rule(2, json!({})),
        rule(3, json!({})),
    ];
    vec![policy(1, "active", json!({"tags": ["b", "a"], "source_text": "The text.\n"}), rules)]
}

#[test]
fn adopting_edits_the_fields_that_differ_and_keeps_comments() {
    let folder = workspace("vijil: {}", DOCUMENTS);
    fs::write(folder.path().join("policies/handbook.md"), "The text.\n").unwrap();
    save(folder.path(), "live.json", &applied());
    let drift = |arguments: &[&str]| {
        let all =
            ["drift", "--live-from", "live.json"].into_iter().chain(arguments.iter().copied());
        seawall(folder.path(), &all.collect::<Vec<_>>())
    };
    let (code, stdout, stderr) = drift(&[]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");

    let changed = json!({"constraints": constraints(900, 7), "target": null, "status": "rejected",
        "review_notes": "No longer.", "consequence": {"action": "warn", "severity": "low", "ticket": 1},
        "natural_language": "Do not do 1.\nNever."});
    let braces = json!({"consequence": {"action": null, "severity": "low"}, "status": "draft"});
    let rules = vec![rule(1, changed), rule(2, braces), rule(4, json!({"tags": ["new"]}))];
    let fields =
        json!({"tags": ["a", "c"], "source_text": "Another text.\n", "category": "privacy"});
    save(folder.path(), "live.json", &[policy(1, "draft", fields, rules)]);
    // A review in braces cannot be taken out by itself.
    let (code, _, stderr) = drift(&["--adopt"]);
    assert!(
        code == Some(4) && stderr.contains("`p1`: rule `R-2`: `review` is no longer live"),
        "{stderr}"
    );
    assert_eq!(fs::read_to_string(folder.path().join("policies/all.yaml")).unwrap(), DOCUMENTS);

    let by_hand = DOCUMENTS.replace("Do not do 2., review: {approved: seen}}", "Do not do 2.}");
    fs::write(folder.path().join("policies/all.yaml"), &by_hand).unwrap();
    let (code, stdout, stderr) = drift(&["--adopt"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let expected = by_hand
        .replace("category: compliance # since", "category: privacy # since")
        .replace("status: active", "status: draft")
        .replace("  b, # the second\n", "  c,\n")
        .replace("    target: pii # personal\n", "")
        .replace("value: 500", "value: 900")
        .replace("value: 6", "value: 7")
        .replace(
            "      action: block\n      severity: high # really",
            "      action: warn\n      severity: low # really",
        )
        .replace(
            "natural_language: Do not do 1.\n",
            "natural_language: |-\n      Do not do 1.\n      Never.\n",
        )
        .replace("review: {approved: seen} # in March", "review: {rejected: No longer.} # in March")
        .replace(
            "consequence: {action: block, severity: high}, nat",
            "consequence: {severity: low}, nat",
        );
    let expected = format!(
        "{}{}",
        expected.split("  - rule_id: R-3\n").next().unwrap(),
        "  - rule_id: R-4\n    rule_type: prohibition\n    action: act-4\n    target: pii\n    \
         consequence: {action: block, severity: high}\n    natural_language: Do not do 4.\n    tags: [new]\n    \
         review: {approved: seen}\n"
    );
    let found = fs::read_to_string(folder.path().join("policies/all.yaml")).unwrap();
    assert_eq!(found, expected);
    assert_eq!(
        fs::read_to_string(folder.path().join("policies/handbook.md")).unwrap(),
        "Another text.\n"
    );
    assert_eq!(drift(&[]).0, Some(0));
}

#[test]
fn values_that_no_document_may_have_are_refused() {
    let folder = workspace("vijil: {}", DOCUMENTS);
    fs::write(folder.path().join("policies/handbook.md"), "The text.\n").unwrap();
    // In force with a rule that nobody approved.
    let rules = vec![rule(1, json!({"status": "draft"})), rule(2, json!({})), rule(3, json!({}))];
    save(
        folder.path(),
        "live.json",
        &[policy(1, "active", json!({"source_text": "The text.\n"}), rules)],
    );
    // That is drift all the same, and no plan to be applied.
    let edited = DOCUMENTS.replacen("    review: {approved: seen} # in March\n", "", 1);
    fs::write(folder.path().join("policies/all.yaml"), &edited).unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["drift", "--live-from", "live.json"]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(
        stdout.contains("\nCannot be applied\n  policies/all.yaml:14:5: `R-1` is new or edited"),
        "{stdout}"
    );
    let (_, stdout, _) =
        seawall(folder.path(), &["drift", "--live-from", "live.json", "--format", "json"]);
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&json["drift"], json["impossible"].as_array().map(Vec::len)),
        (&true.into(), Some(1))
    );
    fs::write(folder.path().join("drift.json"), &stdout).unwrap();
    let (code, _, stderr) = seawall(folder.path(), &["apply", "--yes", "--plan", "drift.json"]);
    assert!(code == Some(4) && stderr.contains("drift.json"), "{stderr}");

    fs::write(folder.path().join("policies/all.yaml"), DOCUMENTS).unwrap();
    let (code, stdout, stderr) =
        seawall(folder.path(), &["drift", "--adopt", "--live-from", "live.json"]);
    assert_eq!((code, stdout.as_str()), (Some(4), ""), "{stderr}");
    assert!(
        stderr.contains("nothing was written: after it")
            && stderr.contains("`R-1` is not approved"),
        "{stderr}"
    );
    assert_eq!(fs::read_to_string(folder.path().join("policies/all.yaml")).unwrap(), DOCUMENTS);
}

#[test]
fn against_a_snapshot_changes_made_outside_are_distinguished_from_pending_ones() {
    let folder = workspace("vijil: {}", DOCUMENTS);
    fs::write(folder.path().join("policies/handbook.md"), "The text.\n").unwrap();
    save(folder.path(), "applied.json", &applied());
    let mut live = applied();
    live[0]["rules"][1]["consequence"]["severity"] = "low".into();
    live[0]["rules"][0]["status"] = "rejected".into();
    live.push(policy(2, "draft", json!({}), Vec::new())); // nobody's here
    save(folder.path(), "live.json", &live);
    let edited = DOCUMENTS.replace("Do not do 3.", "Do not do 3, ever.");
    fs::write(folder.path().join("policies/all.yaml"), &edited).unwrap();
    let drift = |live: &str| {
        let all = ["drift", "--since", "applied.json", "--format", "json", "--live-from", live];
        let (code, stdout, stderr) = seawall(folder.path(), &all);
        assert_eq!(code, Some(3), "{stderr}");
        let json: Value = serde_json::from_str(&stdout).unwrap();
        let told = |side: &str| {
            let all = json[side]["differences"].as_array().unwrap().iter();
            all.map(|one| {
                format!("{} {} {}", one["op"].as_str().unwrap(), one["rule"], one["changed"])
            })
            .collect::<Vec<_>>()
        };
        (told("outside"), told("waiting"))
    };
    let (outside, waiting) = drift("live.json");
    assert_eq!(outside, [r#"update "R-1" ["status"]"#, r#"update "R-2" ["consequence"]"#]);
    assert_eq!(waiting, [r#"update "R-3" ["natural_language"]"#]);
    // Nothing was done outside.
    assert_eq!(drift("applied.json"), (Vec::new(), waiting));
    // A policy that went, with one that waits.
    save(folder.path(), "live.json", &[]);
    assert_eq!(drift("live.json").0, [r#"delete null []"#]);
}

/// A rule with fields of every form, or none.
fn any_rule() -> impl Strategy<Value = Value> {
    let constraint = |number: u32| json!({"condition_type": "threshold", "field": "f", "value": number, "unit": null});
    let constraints = prop::collection::vec((1_u32..4).prop_map(constraint), 0..3);
    let consequence = prop::sample::select(vec![
        json!({"action": "block", "severity": "high", "message": null}),
        json!({"action": "warn", "severity": "low", "message": "one\ntwo"}),
        json!({"action": "warn", "severity": "low", "queue": {"name": "q", "list": [1, 2]}}),
    ]);
    let tags =
        prop::option::of(prop::sample::subsequence(vec!["a", "b", "c: d"], 0..=3).prop_shuffle());
    let status = prop::sample::select(vec![
        ("approved", "ok"),
        ("approved", ""),
        ("rejected", "no: #"),
        ("draft", ""),
        ("modified", ""),
    ]);
    let text =
        prop::sample::select(vec!["Do not.", "Do not:\n  ever # no\n", "it's \"so\" ", "- x"]);
    let target = prop::option::of(prop::sample::select(vec!["pii", "*", "no"]));
    (constraints, consequence, tags, status, text, target).prop_map(
        |(constraints, consequence, tags, status, text, target)| {
            json!({"constraints": constraints, "consequence": consequence, "tags": tags, "status": status.0,
            "review_notes": status.1, "natural_language": text, "target": target})
        },
    )
}

fn any_policies() -> impl Strategy<Value = Vec<Value>> {
    let rules =
        prop::collection::vec(prop::option::weighted(0.7, any_rule()), 4).prop_map(|rules| {
            let some =
                rules.into_iter().zip(1..).filter_map(|(more, number)| Some(rule(number, more?)));
            some.collect::<Vec<_>>()
        });
    let fields = (
        prop::option::of(prop::sample::select(vec!["why", "a: b\nc"])),
        prop::sample::select(vec![None, Some(vec!["x"]), Some(vec!["y", "x"])]),
        prop::sample::select(vec!["privacy", "brand"]),
        prop::sample::select(vec!["draft", "archived", "suspended"]),
    );
    prop::collection::vec(prop::option::weighted(0.8, (fields, rules)), 3).prop_map(|policies| {
        let some = policies.into_iter().zip(1..).filter_map(|(one, number)| Some((one?, number)));
        let some = some.map(|(((description, tags, category, status), mut rules), number)| {
            for rule in &mut rules {
                let id = rule["id"].as_str().unwrap().replacen(
                    "8a1f0a52",
                    &format!("8a1f0a5{number}"),
                    1,
                );
                rule["id"] = id.into();
            }
            policy(
                number,
                status,
                json!({"description": description, "tags": tags, "category": category}),
                rules,
            )
        });
        some.chain([policy(9, "draft", json!({}), Vec::new())]).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_adopting_nothing_is_left_to_plan(before in any_policies(), after in any_policies(), exclusive in any::<bool>()) {
        let settings = if exclusive { "vijil: {ownership: exclusive}" } else { "vijil: {}" };
        let folder = workspace(settings, "");
        save(folder.path(), "live.json", &before);
        let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
        prop_assert_eq!(code, Some(0), "{}{}", stdout, stderr);
        for (path, text) in documents(folder.path()) {
            let text = text.replace("\ncategory", "\n# kept\ncategory").replace("    natural_language", "    # rule\n    natural_language");
            fs::write(folder.path().join(path), text).unwrap();
        }
        let as_it_was = documents(folder.path());
        save(folder.path(), "live.json", &after);
        let (code, stdout, stderr) = seawall(folder.path(), &["drift", "--adopt", "--live-from", "live.json"]);
        prop_assert_eq!(code, Some(0), "{}{}{:?}", stdout, stderr, as_it_was);
        let adopted = documents(folder.path());
        let (code, stdout, stderr) = seawall(folder.path(), &["plan", "--detailed-exitcode", "--live-from", "live.json"]);
        prop_assert_eq!(code, Some(0), "{}{}{:?}", stdout, stderr, adopted);
        for (path, text) in &adopted {
            let was = as_it_was.iter().find(|(name, _)| name == path).map_or("", |(_, text)| text.as_str());
            let head = |text: &str| text.split("\nrules:").next().unwrap_or_default().contains("# kept");
            prop_assert!(!head(was) || head(text), "{}\n{}", was, text);
        }
    }
}
