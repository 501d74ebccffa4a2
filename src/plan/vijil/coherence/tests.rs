use serde_json::Value;

use super::*;
use crate::plan::step::numbered;
use crate::plan::vijil::{Difference, Record};

/// A step in short form: phase, operation, policy, rule (empty if it is about the policy), and
/// the status before and after.
type Row = (usize, Op, &'static str, &'static str, &'static str, &'static str);

fn step((id, (phase, op, policy, rule, before, after)): (usize, Row)) -> Step {
    let status = |status: &str| {
        Some(status)
            .filter(|status| !status.is_empty())
            .map(|status| Fields::from_iter([("status".to_owned(), status.into())]))
    };
    let rule = Some(rule).filter(|rule| !rule.is_empty());
    let rule = rule.map(|rule| (Subject::Existing(rule.to_owned()), None));
    let sides = (status(before), status(after));
    let change = Change::from_sides(op, Subject::Existing(policy.to_owned()), rule, sides).unwrap();
    Step::new(Difference { id, ..Difference::new(policy, change) }, phase)
}

#[test]
fn what_takes_away_what_is_in_force_comes_last() {
    let edit = (2, Op::Update, "p", "r", "approved", "draft");
    let other = |phase| (phase, Op::Update, "other", "r", "draft", "draft");
    let table: [(&[Row], Option<usize>); 8] = [
        (&[other(1), (2, Op::Delete, "p", "", "active", "")], None),
        (&[(1, Op::Delete, "p", "", "active", ""), other(2)], Some(1)),
        (&[other(1), (1, Op::Delete, "p", "s", "approved", ""), other(2)], Some(2)),
        (&[(1, Op::Delete, "p", "s", "draft", ""), other(2)], None),
        (
            &[
                (1, Op::Delete, "p", "s", "approved", ""),
                (2, Op::Activate, "p", "", "draft", "active"),
            ],
            None,
        ),
        (&[(1, Op::Delete, "left", "s", "approved", ""), other(2)], None), // not active before and after
        (&[(1, Op::Update, "p", "", "active", "archived"), other(2)], Some(1)),
        (&[(1, Op::Update, "p", "", "active", "draft"), edit], None),
    ];
    for (rows, expected) in table {
        let steps: Vec<Step> = (1..).zip(rows.iter().copied()).map(step).collect();
        assert_eq!(
            too_early(&steps, |policy| *policy == Subject::Existing("p".to_owned())),
            expected,
            "{rows:?}"
        );
    }
}

/// A rule with this id and `rule_id`.
fn live_rule(id: &str, rule_id: &str, status: &str) -> LiveVijilRule {
    LiveVijilRule {
        id: id.to_owned(),
        rule_id: rule_id.to_owned(),
        status: status.to_owned(),
        notes: None,
        reviewed_by: None,
        reviewed_at: None,
        fields: Fields::from_iter([("natural_language".to_owned(), "Never.".into())]),
        provenance: None,
    }
}

/// A policy whose name is `of` and its id.
fn live_policy(id: &str, status: &str, rules: Vec<LiveVijilRule>) -> LiveVijilPolicy {
    LiveVijilPolicy {
        id: id.to_owned(),
        name: format!("of {id}"),
        status: status.to_owned(),
        fields: Fields::from_iter([("category".to_owned(), "privacy".into())]),
        rules,
    }
}

/// An active policy with two approved rules, and a draft of which one rule is approved.
fn live() -> [LiveVijilPolicy; 2] {
    let rules = vec![live_rule("a", "A-1", "approved"), live_rule("b", "B-1", "approved")];
    let drafts = vec![live_rule("x", "X-1", "approved"), live_rule("y", "Y-1", "draft")];
    [live_policy("p", "active", rules), live_policy("d", "draft", drafts)]
}

fn record(policy: &LiveVijilPolicy) -> Touched {
    let was = canonical(policy);
    Touched { id: policy.id.clone(), fingerprint: fingerprint(&was), was }
}

/// The plan of these differences, in this order and one a phase.
fn plan(differences: Vec<Difference>, touched: Vec<Touched>) -> Plan {
    let steps = numbered(differences, 1).zip(1..);
    Plan {
        target: Default::default(),
        steps: steps.map(|(difference, phase)| Step::new(difference, phase)).collect(),
        left_alone: Vec::new(),
        meaning: Default::default(),
        live: Record { fingerprint: String::new(), touched },
    }
}

/// The object with another value of a field; without the field if the value is null.
fn with(object: &Fields, key: &str, value: impl Into<Value>) -> Fields {
    let mut object = object.clone();
    object.insert(key.to_owned(), value.into());
    object.retain(|_, value| !value.is_null());
    object
}

/// A live policy, as a step shows it.
fn head(policy: &str) -> Fields {
    policy_fields(live().iter().find(|own| own.id == policy).unwrap())
}

/// A live rule, as a step shows it.
fn rule(id: &str) -> Fields {
    let live = live();
    rule_fields(live.iter().flat_map(|own| &own.rules).find(|own| own.id == id).unwrap())
}

/// A change of a live policy.
fn about(
    op: Op,
    policy: &str,
    before: impl Into<Option<Fields>>,
    after: impl Into<Option<Fields>>,
) -> Difference {
    let sides = (before.into(), after.into());
    let change = Change::from_sides(op, Subject::Existing(policy.to_owned()), None, sides);
    Difference::new(&format!("of {policy}"), change.unwrap())
}

/// A change of a live rule.
fn about_rule(
    op: Op,
    policy: &str,
    id: &str,
    before: impl Into<Option<Fields>>,
    after: impl Into<Option<Fields>>,
) -> Difference {
    let (subject, rule) = (Subject::Existing(policy.to_owned()), Subject::Existing(id.to_owned()));
    let sides = (before.into(), after.into());
    let change = Change::from_sides(op, subject, Some((rule, None)), sides);
    Difference::new(&format!("of {policy}"), change.unwrap())
}

/// The creation of a policy that is addressed as this one.
fn create_policy(target: Subject, status: &str, name: &str) -> Difference {
    let after =
        Fields::from_iter([("name".to_owned(), name.into()), ("status".to_owned(), status.into())]);
    Difference::new("new", Change::Policy { target, delta: Delta::Create { after } })
}

/// The creation of a policy, and of a rule in it.
fn creations() -> [Difference; 2] {
    let planned = || Subject::Planned("new".to_owned());
    let after = Fields::from_iter([("rule_id".to_owned(), "N-1".into())]);
    let rule = Some((Subject::Planned("N-1".to_owned()), None));
    let rule = Change::from_sides(Op::Create, planned(), rule, (None, Some(after))).unwrap();
    [create_policy(planned(), "draft", "new"), Difference::new("new", rule)]
}

/// An edit of a rule, and the approval of what it leaves.
fn edit(policy: &str, id: &str) -> [Difference; 2] {
    let after = with(&rule(id), "natural_language", "Never ever.");
    [
        about_rule(Op::Update, policy, id, rule(id), after.clone()),
        about_rule(Op::Approve, policy, id, after.clone(), with(&after, "status", "approved")),
    ]
}

fn approve(id: &str) -> Difference {
    about_rule(Op::Approve, "d", id, rule(id), with(&rule(id), "status", "approved"))
}

fn activate(policy: &str) -> Difference {
    about(Op::Activate, policy, head(policy), with(&head(policy), "status", "active"))
}

fn remarks(plan: &Plan) -> Option<String> {
    check(plan).err().map(|(_, why)| why)
}

#[test]
fn what_the_planner_makes_is_explained() {
    let [create, create_rule] = creations();
    let [update, approval] = edit("p", "a");
    let [other, its_approval] = edit("p", "b");
    let reject =
        about_rule(Op::Reject, "d", "y", rule("y"), with(&rule("y"), "status", "rejected"));
    let off = with(&head("p"), "status", "draft");
    let leave = Difference {
        because: Some(crate::plan::step::Reason::Deactivated),
        ..about(Op::Update, "p", head("p"), off.clone())
    };
    let back = about(Op::Activate, "p", off, head("p"));
    let [edited, reviewed] = edit("d", "y");
    let accepted = [
        vec![create, create_rule],
        vec![update.clone(), approval.clone(), other, its_approval],
        vec![leave, update, approval, back],
        vec![approve("y"), activate("d")],
        vec![edited, reviewed],
        vec![reject],
        vec![about(Op::Update, "p", head("p"), with(&head("p"), "category", "safety"))],
        vec![about_rule(Op::Delete, "d", "y", rule("y"), None), activate("d")],
        vec![approve("y"), about(Op::Delete, "p", head("p"), None)],
        vec![
            about(Op::Update, "d", head("d"), with(&head("d"), "category", "safety")),
            approve("y"),
        ],
        // A rule that is not in force, or whose policy goes out of force.
        vec![about_rule(Op::Delete, "d", "x", rule("x"), None), approve("y")],
        vec![
            about_rule(Op::Delete, "p", "a", rule("a"), None),
            about(Op::Update, "p", head("p"), with(&head("p"), "status", "archived")),
        ],
    ];
    for (number, differences) in accepted.into_iter().enumerate() {
        let plan = plan(differences, live().iter().map(record).collect());
        assert_eq!(remarks(&plan), None, "{number}");
    }
}

#[test]
fn each_step_finds_what_it_states_and_does_nothing_else() {
    let [_, create_rule] = creations();
    let [update, approval] = edit("p", "a");
    let [other, its_approval] = edit("p", "b");
    let reviewed = with(&rule("y"), "status", "approved");
    let review = |before: &Fields, after: &Fields| {
        about_rule(Op::Approve, "d", "y", before.clone(), after.clone())
    };
    let planned = || Subject::Planned("new".to_owned());
    let refused: [(Difference, &str); 18] = [
        // What is created.
        (
            create_policy(Subject::Existing("p".to_owned()), "draft", "new"),
            "does not say what it makes",
        ),
        (create_policy(planned(), "active", "new"), "creates another policy than it states"),
        (create_policy(planned(), "draft", "other"), "creates another policy than it states"),
        (create_rule, "there is no such policy"),
        // What is found.
        (about(Op::Update, "d", with(&head("d"), "category", "safety"), head("d")), DIFFERS),
        (about(Op::Update, "d", with(&head("d"), "category", Value::Null), head("d")), DIFFERS),
        (about(Op::Delete, "d", with(&head("d"), "more", "x"), None), DIFFERS),
        (about(Op::Delete, "other", head("d"), None), "there is no such policy"),
        (
            about_rule(Op::Update, "d", "y", with(&rule("y"), "natural_language", "x"), rule("y")),
            DIFFERS,
        ),
        (about_rule(Op::Delete, "d", "y", with(&rule("y"), "more", "x"), None), DIFFERS),
        (about_rule(Op::Delete, "d", "none", rule("y"), None), DIFFERS),
        (review(&rule("x"), &with(&rule("x"), "status", "approved")), DIFFERS),
        (Difference { policy: "other".to_owned(), ..approve("y") }, "is shown as `other`"),
        // What is done.
        (about(Op::Update, "d", head("d"), head("d")), "changes nothing"),
        (about_rule(Op::Update, "d", "y", rule("y"), rule("y")), "changes nothing"),
        (
            about(Op::Update, "d", head("d"), with(&head("d"), "status", "active")),
            "only an activation",
        ),
        (
            review(&rule("y"), &with(&reviewed, "natural_language", "Always.")),
            "does more than to review",
        ),
        (review(&rule("y"), &with(&reviewed, "status", "rejected")), "does more than to review"),
    ];
    let single = refused.into_iter().map(|(difference, says)| (vec![difference], says));
    let other_name = with(&with(&head("d"), "status", "active"), "name", "x");
    let several = [
        // Steps that follow each other.
        (vec![approve("y"), approve("y")], "an earlier step does the same"),
        (vec![update.clone()], NOT_APPROVED),
        (vec![update.clone(), other, approval, its_approval], NOT_APPROVED),
        (vec![update, approve("y")], NOT_APPROVED),
        (
            vec![about_rule(
                Op::Reject,
                "p",
                "a",
                rule("a"),
                with(&rule("a"), "status", "rejected"),
            )],
            "its policy is active meanwhile",
        ),
        (vec![activate("d")], "not every rule of its policy is approved"),
        (
            vec![approve("y"), about(Op::Activate, "d", head("d"), other_name)],
            "more than to activate",
        ),
        (vec![activate("p")], "more than to activate"),
        (
            vec![about(Op::Delete, "p", head("p"), None), approve("y")],
            "takes something away while other steps are to come",
        ),
        (
            vec![about_rule(Op::Delete, "p", "a", rule("a"), None), approve("y")],
            "takes something away while other steps are to come",
        ),
    ];
    for (differences, says) in single.chain(several) {
        let shown = format!("{differences:?}");
        let plan = plan(differences, live().iter().map(record).collect());
        let why = remarks(&plan);
        assert!(why.as_ref().is_some_and(|why| why.contains(says)), "{says}: {why:?} {shown}");
    }
}

#[test]
fn a_policy_is_recorded_once_as_it_was() {
    let [p, d] = live();
    let table: [(Vec<Touched>, &str); 5] = [
        (vec![record(&d), record(&p), record(&d)], "holds `d` twice"),
        (
            vec![Touched { id: "p".to_owned(), ..record(&d) }],
            "`before` of `p` is not what was live",
        ),
        (
            vec![Touched { fingerprint: record(&p).fingerprint, ..record(&d) }],
            "`before` of `d` is not what was live",
        ),
        // Under a fingerprint of its own.
        (
            {
                let mut was = canonical(&d);
                was["rules"][1]["note"] = "harmless".into();
                vec![Touched { id: "d".to_owned(), fingerprint: fingerprint(&was), was }]
            },
            "`before` of `d` is not what was live",
        ),
        (
            vec![Touched { was: canonical(&p), ..record(&d) }],
            "`before` of `d` is not what was live",
        ),
    ];
    for (touched, says) in table {
        let why = remarks(&plan(vec![approve("y")], touched));
        assert!(why.as_ref().is_some_and(|why| why.contains(says)), "{says}: {why:?}");
    }
    let left = plan(vec![approve("y")], vec![record(&d)]);
    let left = Plan { left_alone: vec!["of d".to_owned()], ..left };
    assert_eq!(
        remarks(&left).as_deref(),
        Some("it states that `of d` is left alone, but changes it")
    );
}
