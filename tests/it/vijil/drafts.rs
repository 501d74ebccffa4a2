//! Drafts come into the repository by `import`, undecided.

use std::fs;

use seawall::emulator::{Seed, VijilBehaviour};
use seawall::service::docker::Snapshot;
use serde_json::{Value, json};

use super::{World, text};

fn rule(number: usize, more: Value) -> Value {
    let mut rule = json!({
        "id": format!("8a1f0a52-0000-4000-8000-0000000000{number:02}"), "rule_id": format!("R-{number}"),
        "rule_type": "prohibition", "action": format!("act-{number}"), "target": null, "assignee": "agent",
        "constraints": [], "constraint_logic": "all", "consequence": {"action": "block", "severity": "high", "message": null},
        "natural_language": format!("Do not do {number}."), "category": null, "tags": null, "status": "draft",
        "provenance": {"extracted_by": "manual", "model_used": null, "confidence_score": null, "source_location": null},
        "reviewed_by": null, "reviewed_at": null, "review_notes": null
    });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

fn policy(number: usize, name: &str, status: &str) -> Value {
    json!({"id": format!("8a1f0a52-0000-4000-8000-000000000a{number:02}"), "name": name, "category": "compliance",
        "status": status, "description": null, "source_text": "One.\n\n  Two: \"x\"\n", "tags": null, "brand_new": {"x": 1}})
}

async fn world(policies: Value) -> World {
    let snapshot = json!({"format_version": 1, "vijil": {"policies": policies}}).to_string();
    World::seeded(VijilBehaviour::default(), Seed::from(Snapshot::parse(&snapshot).unwrap())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_come_with_where_they_were_drawn_from_and_without_a_decision() {
    let drawn = json!({"provenance": {"extracted_by": "llm", "model_used": "reader-2", "confidence_score": 0.41,
        "source_location": {"section": "4.3 Refunds", "paragraph": 2, "char_start": null, "char_end": null, "source_text": "Refunds need: consent"}}});
    let odd = json!({"consequence": {"ticket": {"queue": ["p1"]}}, "constraints": [{"anything": null}], "constraint_logic": "any",
        "assignee": "everyone", "tags": ["b", "a"], "status": "modified"});
    let rules = [
        rule(1, drawn),
        rule(2, odd),
        rule(3, json!({"status": "approved", "review_notes": "seen"})),
        rule(4, json!({"status": "rejected", "review_notes": "no: # never"})),
        rule(5, json!({"status": "rejected"})), // by somebody who gave no reason
    ];
    let world = world(json!([
        {"policy": policy(1, "Acceptable use", "active"), "rules": rules},
        {"policy": policy(2, "Archive: 2025", "archived"), "rules": []},
        {"policy": policy(3, "Twins", "draft"), "rules": []},
        {"policy": policy(4, "Twins", "draft"), "rules": []},
        {"policy": policy(5, "Grave", "draft"), "rules": [rule(6, json!({"consequence": {"severity": "apocalyptic"}}))]},
    ]))
    .await;
    let output = world.run(&["import"]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("`Twins`: another live policy has the same name") && told.contains("`Grave`"),
        "{told}"
    );
    let written = fs::read_to_string(world.path().join("policies/acceptable-use.yaml")).unwrap();
    for piece in [
        "model_used: reader-2",
        "section: 4.3 Refunds",
        "paragraph: 2",
        "source_text: \"Refunds need: consent\"",
        "confidence_score: 0.41",
    ] {
        assert!(written.contains(piece), "{piece}\n{written}");
    }
    // Only what people decided is written as decided.
    let reviews: Vec<&str> =
        written.lines().filter(|line| line.contains("review:")).map(str::trim).collect();
    assert_eq!(reviews, ["review: {approved: seen}", "review: {rejected: \"no: # never\"}"]);
    assert!(!written.contains("status:") && !written.contains("extracted_by: manual"), "{written}");
    let plan = world.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));
    assert!(
        fs::read_to_string(world.path().join("policies/archive-2025.yaml"))
            .unwrap()
            .contains("status: archived")
    );
    assert!(world.service.writes().is_empty());
    let again = world.run(&["import", "--policy", "Acceptable use"]);
    assert!(
        text(&again).contains("is declared already: policies/acceptable-use.yaml:3"),
        "{}",
        text(&again)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_extracted_and_nobody_declared_goes_only_where_everything_is_owned() {
    let drawn = json!({"provenance": {"extracted_by": "llm", "model_used": "reader-2", "confidence_score": 0.41,
        "source_location": null}});
    let rules = [rule(1, json!({})), rule(2, drawn)];
    let world = world(json!([{"policy": policy(1, "Data", "draft"), "rules": rules}])).await;
    let head = "apiVersion: seawall/v1\nkind: AgentPolicy\ncategory: compliance\nrules: []\n";
    fs::write(world.path().join("data.yaml"), format!("{head}name: Data\n")).unwrap();
    for (ownership, steps) in
        [("declared", &["delete R-1"][..]), ("exclusive", &["delete R-1", "delete R-2"])]
    {
        let settings =
            format!("apiVersion: seawall/v1\nkind: Workspace\nvijil: {{ownership: {ownership}}}\n");
        fs::write(world.path().join("seawall.yaml"), settings).unwrap();
        assert_eq!(world.steps(), steps, "{ownership}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_text_alone_that_comes_beside_an_equal_one_looks_like_a_rename() {
    let world = world(json!([{"policy": policy(1, "Data", "draft"), "rules": []}])).await;
    let head = "apiVersion: seawall/v1\nkind: AgentPolicy\ncategory: compliance\nrules: []\n";
    let source = json!("One.\n\n  Two: \"x\"\n");
    let equal = format!("{head}name: Customers\nsource_text: {source}\n");
    for (document, help) in [
        (equal, Some("looks like a rename: add previously: [Data]")),
        (format!("{head}name: Customers\nsource_text: Other.\n"), None),
        (format!("{head}name: Customers\n"), None),
    ] {
        fs::write(world.path().join("data.yaml"), &document).unwrap();
        assert_eq!(world.plan()["warnings"][0]["help"].as_str(), help, "{document}");
    }
}
