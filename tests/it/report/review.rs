//! The review trail: from a paragraph to a rule that is in force.

use std::fs;

use seawall::report::review::{Trail, TrailRule};

use super::{report, workspace};

const DOCUMENTS: &str = r#"apiVersion: seawall/v1
kind: AgentPolicy
name: Acceptable use
category: compliance
status: draft
source_text: |
  4.2 Staff and their agents shall not
  pass on personal data of customers.
  4.3 Refunds above 500 EUR need the consent of a manager.
rules:
  - rule_id: AU-001
    rule_type: prohibition
    action: disclose
    target: customer_pii
    consequence: {action: block, severity: high}
    natural_language: Agents must not pass on personal data.
    provenance:
      extracted_by: llm
      model_used: policy-reader-2
      confidence_score: 0.94
      source_location: {section: "4.2", paragraph: 1, source_text: Staff and their agents shall not pass on personal data of customers.}
    review: {approved: Wording as in the handbook.}
  - rule_id: AU-002
    rule_type: obligation
    action: ask_consent
    consequence: {action: warn}
    natural_language: Refunds above 500 EUR need the consent of a manager.
    review: {rejected: The limit is another one.}
  - rule_id: AU-003
    rule_type: obligation
    action: log
    consequence: {action: warn}
    natural_language: Something that no paragraph says.
"#;

fn trail() -> Trail {
    let folder = workspace(DOCUMENTS);
    let settings = "apiVersion: seawall/v1\nkind: Workspace\nvijil: {endpoint: embedded}\n";
    fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    report(folder.path()).agents.unwrap()
}

fn fact<'a>(rule: &'a TrailRule, label: &str) -> Option<&'a str> {
    rule.facts.iter().find(|fact| fact.label == label).map(|fact| fact.value.as_str())
}

#[test]
fn each_rule_shows_its_passage_its_model_and_its_review() {
    let trail = trail();
    let [policy] = trail.policies.as_slice() else { panic!("{trail:?}") };
    let [first, second, third] = policy.rules.as_slice() else { panic!("{policy:?}") };
    assert_eq!(
        (first.status.as_str(), second.status.as_str(), third.status.as_str()),
        ("approved", "rejected", "not reviewed")
    );
    assert_eq!(fact(first, "Extracted by"), Some("policy-reader-2, confidence 94 %"));
    assert_eq!(fact(first, "From"), Some("section 4.2, paragraph 1"));
    assert_eq!(fact(first, "Notes"), Some("Wording as in the handbook."));
    assert_eq!(fact(second, "Notes"), Some("The limit is another one."));
    assert_eq!(
        fact(second, "Rejected by"),
        Some("declared in the documents"),
        "no history tells who"
    );
    assert_eq!(fact(third, "Extracted by"), None);
    let steps =
        |rule: &TrailRule| rule.chain.iter().map(|step| step.text.clone()).collect::<Vec<_>>();
    assert_eq!(
        steps(first),
        ["section 4.2, paragraph 1", "rule AU-001", "approved", "policy draft"]
    );
    assert_eq!(steps(third), ["no passage known", "rule AU-003", "not reviewed", "policy draft"]);
    assert_eq!(policy.state, "1 of 3 rules approved.");
}

#[test]
fn the_text_is_whole_and_its_passages_are_marked() {
    let trail = trail();
    let policy = &trail.policies[0];
    let whole: String = policy.text.iter().map(|piece| piece.text.as_str()).collect();
    assert!(whole.starts_with("4.2 Staff") && whole.ends_with("manager.\n"), "{whole}");
    let marked: Vec<(&str, Vec<&str>)> = policy
        .text
        .iter()
        .filter(|piece| piece.marked)
        .map(|piece| {
            (piece.text.as_str(), piece.rules.iter().map(|rule| rule.name.as_str()).collect())
        })
        .collect();
    assert_eq!(
        marked,
        [
            (
                "Staff and their agents shall not\npass on personal data of customers.",
                vec!["AU-001"]
            ),
            ("Refunds above 500 EUR need the consent of a manager.", vec!["AU-002"]),
        ],
        "a line end in the text is a blank in what is quoted"
    );
    assert_eq!(
        policy.unplaced.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(),
        ["AU-003"]
    );
}
