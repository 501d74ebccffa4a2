//! The current state of a step's object: as before, as after, missing, or different.

use crate::execute::observation::Observed;
use crate::model::{LivePolicy, Policy, Rule, RuleId};
use crate::plan::docker::fingerprint::is_same_policy;
use crate::plan::docker::{Change, PolicyFields, changed_fields, json};
use crate::plan::step::Delta;

/// The state of the object of a change, in the current version of its policy.
pub(super) fn observed(
    change: &Change,
    policy: Option<&LivePolicy>,
    rule: Option<&RuleId>,
) -> Observed {
    let Some(policy) = policy else { return Observed::Gone };
    match change {
        Change::Policy { delta, .. } => observed_policy(delta, policy.policy()),
        Change::Rule { delta: Delta::Create { after }, .. } => match named(policy, &after.name) {
            Some((_, now)) => observed_rule(None, Some(after), now),
            None => Observed::Before,
        },
        Change::Rule { delta: Delta::Update { .. } | Delta::Delete { .. }, .. } => {
            let (before, after) = change.rule_sides();
            match policy.rules().iter().find(|live| Some(&live.id) == rule) {
                Some(now) => observed_rule(before, after, &now.rule),
                None => Observed::Gone,
            }
        }
    }
}

fn observed_policy(delta: &Delta<PolicyFields, Policy>, now: Policy) -> Observed {
    let fields = PolicyFields::new(&now);
    match delta {
        Delta::Create { after } if is_same_policy(&now, &after.with_rules(Vec::new())) => {
            Observed::After
        }
        Delta::Update { after, .. } if fields == *after => Observed::After,
        Delta::Update { before, .. } if fields == *before => Observed::Before,
        Delta::Update { .. } => Observed::Other(json::policy_fields(&fields).to_string()),
        Delta::Delete { before } if is_same_policy(&now, before) => Observed::Before,
        Delta::Create { .. } | Delta::Delete { .. } => {
            Observed::Other(json::policy(&now).to_string())
        }
    }
}

fn observed_rule(before: Option<&Rule>, after: Option<&Rule>, now: &Rule) -> Observed {
    let is = |side: Option<&Rule>| side.is_some_and(|side| changed_fields(now, side).is_empty());
    match (is(after), is(before)) {
        (true, _) => Observed::After,
        (false, true) => Observed::Before,
        (false, false) => Observed::Other(json::rule(now).to_string()),
    }
}

/// The rule that has this name, with its id.
pub(super) fn named<'a>(policy: &'a LivePolicy, name: &str) -> Option<(&'a RuleId, &'a Rule)> {
    policy.rules().iter().find(|live| live.rule.name == name).map(|live| (&live.id, &live.rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Decision, LiveBody, LiveRule, PolicyId, Resources, Scope};
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
        let of_policy = |delta| Change::Policy { target: policy(), delta };
        let of_rule = |delta| Change::Rule { policy: policy(), target: first(), delta };
        let update = || of_policy(Delta::Update { before: head("p"), after: head("q") });
        let change = || of_rule(Delta::Update { before: rule("r", "a"), after: rule("r", "b") });
        let delete = || of_rule(Delta::Delete { before: rule("r", "a") });
        let create = || Change::create_rule(policy(), rule("r", "a"));
        let drop_policy = || {
            let before = head("p").with_rules(vec![rule("r", "a"), rule("s", "b")]);
            of_policy(Delta::Delete { before })
        };
        let make_policy = || Change::create_policy(head("p"));
        let table = [
            // The policy itself, whatever its rules are.
            (update(), Some(live("p", &[rule("r", "a")])), "before"),
            (update(), Some(live("q", &[])), "after"),
            (update(), Some(live("other", &[])), "other"),
            (update(), None, "gone"),
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
