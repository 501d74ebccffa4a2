//! The current state of a step's object: as before, as after, missing, or different.

use crate::execute::observation::Observed;
use crate::model::{LivePolicy, Policy, Rule, RuleId};
use crate::plan::docker::{Change, PolicyChange, PolicyFields, RuleChange, changed_fields, json};

/// The state of the object of an update or a deletion, in the current version of its policy.
pub(super) fn observed(
    change: &Change,
    policy: Option<&LivePolicy>,
    rule: Option<&RuleId>,
) -> Observed {
    let Some(policy) = policy else { return Observed::Gone };
    match change {
        Change::Policy(PolicyChange::Update { before, after, .. }) => {
            let now = PolicyFields::new(&policy.policy());
            if now == *after {
                Observed::After
            } else if now == *before {
                Observed::Before
            } else {
                Observed::Other(json::policy_fields(&now).to_string())
            }
        }
        Change::Policy(PolicyChange::Delete { before, .. }) => {
            let now = policy.policy();
            if same_policy(&now, before) {
                Observed::Before
            } else {
                Observed::Other(json::policy(&now).to_string())
            }
        }
        Change::Rule(_, RuleChange::Update { before, after, .. }) => match find(policy, rule) {
            None => Observed::Gone,
            Some(now) if changed_fields(now, after).is_empty() => Observed::After,
            Some(now) if changed_fields(now, before).is_empty() => Observed::Before,
            Some(now) => Observed::Other(json::rule(now).to_string()),
        },
        Change::Rule(_, RuleChange::Delete { before, .. }) => match find(policy, rule) {
            None => Observed::Gone,
            Some(now) if changed_fields(now, before).is_empty() => Observed::Before,
            Some(now) => Observed::Other(json::rule(now).to_string()),
        },
        Change::Rule(_, RuleChange::Create { after }) => match named(policy, &after.name) {
            Some((_, now)) if changed_fields(now, after).is_empty() => Observed::After,
            Some((_, now)) => Observed::Other(json::rule(now).to_string()),
            None => Observed::Before,
        },
        Change::Policy(PolicyChange::Create { after }) => {
            let now = policy.policy();
            if same_policy(&now, &empty(after)) {
                Observed::After
            } else {
                Observed::Other(json::policy(&now).to_string())
            }
        }
    }
}

/// The rule that has this name, with its id.
pub(super) fn named<'a>(policy: &'a LivePolicy, name: &str) -> Option<(&'a RuleId, &'a Rule)> {
    policy.rules().iter().find(|live| live.rule.name == name).map(|live| (&live.id, &live.rule))
}

fn find<'a>(policy: &'a LivePolicy, rule: Option<&RuleId>) -> Option<&'a Rule> {
    policy.rules().iter().find(|live| Some(&live.id) == rule).map(|live| &live.rule)
}

fn empty(head: &PolicyFields) -> Policy {
    let PolicyFields { name, scope, cedar } = head.clone();
    let body = cedar.map_or(crate::model::Body::Allowlist(Vec::new()), crate::model::Body::Cedar);
    Policy { name, scope, body }
}

/// Returns `true` if both are equivalent, whatever the order of their lists.
pub(super) fn same_policy(one: &Policy, other: &Policy) -> bool {
    let rules = |policy: &Policy| {
        let mut rules: Vec<String> = policy
            .rules()
            .iter()
            .map(|rule| json::rule(&crate::plan::docker::fingerprint::sorted(rule)).to_string())
            .collect();
        rules.sort();
        rules
    };
    PolicyFields::new(one) == PolicyFields::new(other) && rules(one) == rules(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Body, Decision, LiveBody, LiveRule, PolicyId, Resources, Scope};
    use crate::plan::docker::{PolicyTarget, RuleTarget};

    fn rule(name: &str, host: &str) -> Rule {
        let resources = Resources::Plain(vec![host.to_owned()].into());
        Rule {
            name: name.to_owned(),
            decision: Decision::Allow,
            actions: vec![Action::ConnectTcp],
            resources,
        }
    }

    fn head(name: &str) -> PolicyFields {
        PolicyFields { name: name.to_owned(), scope: Scope::Organization, cedar: None }
    }

    /// A policy with the rules `rule_0`, `rule_1` and so on.
    fn live(name: &str, rules: &[Rule]) -> LivePolicy {
        let rules = rules.iter().cloned().enumerate();
        let rules =
            rules.map(|(number, rule)| LiveRule { id: RuleId(format!("rule_{number}")), rule });
        let (id, scope) = (PolicyId("pol_p".to_owned()), Scope::Organization);
        LivePolicy { id, name: name.to_owned(), scope, body: LiveBody::Allowlist(rules.collect()) }
    }

    #[test]
    fn an_object_is_as_before_or_after_its_step_or_gone_or_something_else() {
        let policy = || PolicyTarget::Existing(PolicyId("pol_p".to_owned()));
        let first = || RuleTarget::Existing(RuleId("rule_0".to_owned()));
        let of_rule = |change| Change::Rule(policy(), change);
        let update =
            || PolicyChange::Update { policy: policy(), before: head("p"), after: head("q") };
        let change = || {
            of_rule(RuleChange::Update {
                rule: first(),
                before: rule("r", "a"),
                after: rule("r", "b"),
            })
        };
        let delete = || of_rule(RuleChange::Delete { rule: first(), before: rule("r", "a") });
        let create = || of_rule(RuleChange::Create { after: rule("r", "a") });
        let drop_policy = || {
            let rules = Body::Allowlist(vec![rule("r", "a"), rule("s", "b")]);
            let before = Policy { name: "p".to_owned(), scope: Scope::Organization, body: rules };
            Change::Policy(PolicyChange::Delete { policy: policy(), before })
        };
        let make_policy = || Change::Policy(PolicyChange::Create { after: head("p") });
        let table = [
            // The policy itself, whatever its rules are.
            (Change::Policy(update()), Some(live("p", &[rule("r", "a")])), "before"),
            (Change::Policy(update()), Some(live("q", &[])), "after"),
            (Change::Policy(update()), Some(live("other", &[])), "other"),
            (Change::Policy(update()), None, "gone"),
            // A rule by its id.
            (change(), Some(live("p", &[rule("r", "a")])), "before"),
            (change(), Some(live("p", &[rule("r", "b")])), "after"),
            (change(), Some(live("p", &[rule("r", "c")])), "other"),
            (change(), Some(live("p", &[rule("renamed", "a")])), "other"),
            (change(), Some(live("p", &[])), "gone"),
            (change(), None, "gone"),
            (delete(), Some(live("p", &[rule("r", "a")])), "before"),
            (delete(), Some(live("p", &[rule("r", "b")])), "other"),
            (delete(), Some(live("p", &[])), "gone"),
            // A rule by its name, since it has no id yet.
            (create(), Some(live("p", &[rule("s", "a")])), "before"),
            (create(), Some(live("p", &[rule("s", "a"), rule("r", "a")])), "after"),
            (create(), Some(live("p", &[rule("r", "b")])), "other"),
            // A policy is deleted with the rules that the plan saw, in any order, and created
            // without rules.
            (drop_policy(), Some(live("p", &[rule("s", "b"), rule("r", "a")])), "before"),
            (drop_policy(), Some(live("p", &[rule("r", "a")])), "other"),
            (drop_policy(), Some(live("q", &[rule("r", "a"), rule("s", "b")])), "other"),
            (drop_policy(), None, "gone"),
            (make_policy(), Some(live("p", &[])), "after"),
            (make_policy(), Some(live("p", &[rule("r", "a")])), "other"),
        ];
        for (change, policy, expected) in table {
            let found = match observed(&change, policy.as_ref(), Some(&RuleId("rule_0".to_owned())))
            {
                Observed::Before => "before",
                Observed::After => "after",
                Observed::Gone => "gone",
                Observed::Other(_) => "other",
            };
            assert_eq!(found, expected, "{change:?} {policy:?}");
        }
    }
}
