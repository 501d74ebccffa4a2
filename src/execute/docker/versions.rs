//! The versions that the policies of a plan may have during an apply.
//!
//! A step is checked against its own object and against everything that determines its audience and
//! meaning: a rule means something else in a policy whose scope has changed, and a policy with a
//! new scope takes along rules that nobody has reviewed.

use serde_json::Value;

use crate::execute::outcome::{Problem, Versions};
use crate::model::{LivePolicy, Policy, Rule};
use crate::plan::docker::{
    Change, PolicyFields, PolicyTarget, Step, changed_fields, json, simulate,
};
use crate::plan::step::Delta;

/// The policies that a plan touches in their expected current versions: the recorded ones, with the
/// completed steps, and optionally with those in progress.
#[derive(Debug, Default)]
pub(super) struct Known {
    was: Vec<LivePolicy>,
    now: Vec<LivePolicy>,
    under_way: Vec<Change>,
}

impl Known {
    /// The recorded versions of a plan that touches these policies.
    pub(super) fn new(touched: &[LivePolicy]) -> Self {
        Self { was: touched.to_vec(), now: touched.to_vec(), under_way: Vec::new() }
    }

    /// Sets the steps in progress.
    pub(super) fn begin<'a>(&mut self, steps: impl Iterator<Item = &'a Step>) {
        self.under_way = steps.map(|step| step.change.clone()).collect();
    }

    /// Records a completed step.
    pub(super) fn done(&mut self, change: &Change) {
        simulate::carry_out(&mut self.now, change);
    }

    /// The difference of the actual policy that makes a step another one than planned; `None`
    /// without one.
    pub(super) fn moved(&self, change: &Change, found: &LivePolicy) -> Option<Problem> {
        let target = change.policy();
        let id = simulate::policy_id(target);
        let known = self.now.iter().find(|policy| policy.id == id)?.policy();
        let to_come = ToCome::new(target, &self.under_way);
        let found = found.policy();
        let moved = |show: fn(&Policy) -> Value| {
            let was = self.was.iter().find(|policy| policy.id == id);
            let planned = was.map_or_else(
                || "an empty policy".to_owned(),
                |was| show(&was.policy()).to_string(),
            );
            let versions = Versions { planned, found: show(&found).to_string() };
            Problem::moved("its policy is no longer what the plan saw", Some(versions))
        };
        match change {
            Change::Policy { delta: Delta::Update { before, after }, .. }
                if before.scope != after.scope =>
            {
                let expected = |rule: &Rule| {
                    holds(known.rules(), rule) || holds(to_come.rules.iter().copied(), rule)
                };
                let unseen: Vec<Rule> =
                    found.rules().iter().filter(|rule| !expected(rule)).cloned().collect();
                let is_there = |rule: &Rule| {
                    holds(found.rules(), rule) || holds(to_come.gone.iter().copied(), rule)
                };
                let lacks = !known.rules().iter().all(is_there);
                (!unseen.is_empty() || lacks).then(|| moved(json::policy).with_unseen(unseen))
            }
            Change::Rule { .. } => {
                let expected = known.scope == found.scope || to_come.scopes.contains(&&found.scope);
                (!expected).then(|| moved(|policy| json::policy_fields(&PolicyFields::new(policy))))
            }
            Change::Policy { .. } => None,
        }
    }
}

/// The changes to a policy by steps in progress.
struct ToCome<'a> {
    scopes: Vec<&'a crate::model::Scope>,
    rules: Vec<&'a Rule>,
    gone: Vec<&'a Rule>,
}

impl<'a> ToCome<'a> {
    fn new(policy: &PolicyTarget, under_way: &'a [Change]) -> Self {
        let mut to_come = Self { scopes: Vec::new(), rules: Vec::new(), gone: Vec::new() };
        for change in under_way.iter().filter(|change| change.policy() == policy) {
            let (before, after) = change.rule_sides();
            to_come.gone.extend(before);
            to_come.rules.extend(after);
            if let Change::Policy { delta: Delta::Update { after, .. }, .. } = change {
                to_come.scopes.push(&after.scope);
            }
        }
        to_come
    }
}

fn holds<'a>(rules: impl IntoIterator<Item = &'a Rule>, wanted: &Rule) -> bool {
    rules.into_iter().any(|rule| changed_fields(rule, wanted).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Decision, LiveBody, LiveRule, PolicyId, Resources, RuleId, Scope};
    use crate::plan::docker::{Difference, RuleTarget};

    fn rule(name: &str) -> Rule {
        let resources = Resources::Plain(vec![format!("{name}.example.com")].into());
        Rule {
            name: name.to_owned(),
            decision: Decision::Allow,
            actions: vec![Action::ConnectTcp],
            resources,
        }
    }

    fn scope(teams: &[&str]) -> Scope {
        Scope::from_teams(teams.iter().map(|team| (*team).to_owned()))
    }

    /// The policy `p` with the scope and the rules.
    fn live(teams: &[&str], rules: &[&str]) -> LivePolicy {
        let rules = rules
            .iter()
            .map(|name| LiveRule { id: RuleId(format!("rule_{name}")), rule: rule(name) });
        let (id, name) = (PolicyId("pol_p".to_owned()), "p".to_owned());
        LivePolicy { id, name, scope: scope(teams), body: LiveBody::Allowlist(rules.collect()) }
    }

    fn target() -> PolicyTarget {
        PolicyTarget::Existing(PolicyId("pol_p".to_owned()))
    }

    fn create(name: &str) -> Change {
        Change::create_rule(target(), rule(name))
    }

    fn delete(name: &str) -> Change {
        let id = RuleTarget::Existing(RuleId(format!("rule_{name}")));
        let delta = Delta::Delete { before: rule(name) };
        Change::Rule { policy: target(), target: id, delta }
    }

    fn fields(name: &str, teams: &[&str]) -> PolicyFields {
        PolicyFields { name: name.to_owned(), scope: scope(teams), cedar: None }
    }

    /// The policy of the scope `a` gets another one, or another name.
    fn update(name: &str, teams: &[&str]) -> Change {
        let (before, after) = (fields("p", &["a"]), fields(name, teams));
        Change::Policy { target: target(), delta: Delta::Update { before, after } }
    }

    #[test]
    fn a_step_is_another_one_than_planned_if_its_audience_or_the_rules_that_it_takes_along_have_changed()
     {
        let (widen, rename) = (|| update("p", &["a", "b"]), || update("q", &["a"]));
        // The steps that are done and that are under way, the step, and its policy as it is found:
        // whether it has moved, and the rules that nobody has reviewed. The plan saw the scope `a`
        // and the rules `r` and `s`.
        type Row<'a> = (Vec<Change>, Vec<Change>, Change, LivePolicy, Option<&'a [&'a str]>);
        let table: [Row<'_>; 14] = [
            // A rule means something else for another audience, whatever other rules there are.
            (vec![], vec![], create("t"), live(&["a"], &["r", "s"]), None),
            (vec![], vec![], create("t"), live(&["a"], &["r", "u"]), None),
            (vec![], vec![], create("t"), live(&["a", "b"], &["r", "s"]), Some(&[])),
            // Unless the plan has given it that audience, or is about to.
            (vec![widen()], vec![], create("t"), live(&["a", "b"], &["r", "s"]), None),
            (vec![widen()], vec![], create("t"), live(&["a"], &["r", "s"]), Some(&[])),
            (vec![], vec![widen()], create("t"), live(&["a", "b"], &["r", "s"]), None),
            (vec![], vec![widen()], create("t"), live(&["a"], &["r", "s"]), None),
            // An audience gets just the rules that the plan saw.
            (vec![], vec![], widen(), live(&["a"], &["s", "r"]), None),
            (vec![], vec![], widen(), live(&["a"], &["r", "s", "u"]), Some(&["u"])),
            (vec![], vec![], widen(), live(&["a"], &["r"]), Some(&[])),
            // And those of steps before it or beside it.
            (vec![create("t"), delete("r")], vec![], widen(), live(&["a"], &["s", "t"]), None),
            (vec![], vec![create("t"), delete("r")], widen(), live(&["a"], &["s", "t"]), None),
            (vec![], vec![create("t"), delete("r")], widen(), live(&["a"], &["r", "s"]), None),
            // A name alone takes nothing along.
            (vec![], vec![], rename(), live(&["a"], &["u"]), None),
        ];
        for (done, under_way, change, found, expected) in table {
            let mut known = Known::new(&[live(&["a"], &["r", "s"])]);
            done.iter().for_each(|change| known.done(change));
            let step = |change: Change| {
                Step::new(
                    Difference {
                        id: 1,
                        policy: "p".to_owned(),
                        change,
                        source: None,
                        because: None,
                    },
                    1,
                )
            };
            let steps: Vec<Step> = under_way.iter().cloned().map(step).collect();
            known.begin(steps.iter());
            let moved = known.moved(&change, &found);
            let unseen = moved.map(|problem| {
                problem.unseen.into_iter().map(|rule| rule.name).collect::<Vec<_>>()
            });
            let expected =
                expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(unseen, expected, "{done:?} {under_way:?} {change:?} {found:?}");
        }
    }

    #[test]
    fn a_policy_that_has_moved_is_told_as_it_was_and_as_it_is() {
        let another = LivePolicy { id: PolicyId("pol_o".to_owned()), ..live(&["o"], &[]) };
        let known = Known::new(&[another, live(&["a"], &["r"])]);
        let problem = known.moved(&create("t"), &live(&["a", "b"], &["r"])).unwrap();
        let Versions { planned, found } = problem.versions.unwrap();
        assert!(planned.contains(r#"["a"]"#), "{planned}");
        assert!(found.contains(r#"["a","b"]"#), "{found}");
    }
}
