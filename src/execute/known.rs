//! What the policies of a plan may look like while it is carried out.
//!
//! A step is judged by its own object, and by what decides whom and what it is about: a rule means something else in a
//! policy that has come to govern others, and a policy that governs others takes along rules that nobody has shown.

use std::collections::BTreeMap;

use serde_json::Value;

use super::outcome::{Problem, Versions};
use crate::model::{Body, LivePolicy, Policy, PolicyId, Rule, Scope};
use crate::plan::Plan;
use crate::plan::shown;
use crate::plan::step::{Change, Head, PolicyTarget, Step, changed_fields};

/// The policies that a plan touches, as they are to be found at this time: as they were, with the steps that are done,
/// and maybe those that are under way.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<PolicyTarget, Contents>);

#[derive(Debug, Default)]
struct Contents {
    /// As the plan found it; `None` for one that the plan makes.
    was: Option<Policy>,
    scope: Scope,
    rules: Vec<Rule>,
    /// What steps under way make of it.
    scopes_to_come: Vec<Scope>,
    rules_to_come: Vec<Rule>,
    rules_to_go: Vec<Rule>,
}

impl Known {
    pub(super) fn new(plan: &Plan) -> Self {
        let touched = plan.live.touched.iter();
        Self(
            touched
                .map(|touched| {
                    let target = PolicyTarget::Existing(PolicyId(touched.id.clone()));
                    (target, Contents::found(&touched.was))
                })
                .collect(),
        )
    }

    /// These steps are under way from now on, and no others.
    pub(super) fn begin(&mut self, steps: &[Step]) {
        for contents in self.0.values_mut() {
            contents.scopes_to_come.clear();
            contents.rules_to_come.clear();
            contents.rules_to_go.clear();
        }
        for step in steps {
            let Some(contents) = step.change.policy().and_then(|target| self.0.get_mut(target)) else { continue };
            match &step.change {
                Change::CreatePolicy { .. } | Change::DeletePolicy { .. } => {}
                Change::UpdatePolicy { after, .. } => contents.scopes_to_come.push(after.scope.clone()),
                Change::CreateRule { after, .. } => contents.rules_to_come.push(after.clone()),
                Change::UpdateRule { before, after, .. } => {
                    contents.rules_to_go.push(before.clone());
                    contents.rules_to_come.push(after.clone());
                }
                Change::DeleteRule { before, .. } => contents.rules_to_go.push(before.clone()),
            }
        }
    }

    /// A step is done.
    pub(super) fn done(&mut self, change: &Change) {
        if let Change::CreatePolicy { after } = change {
            let contents = Contents { scope: after.scope.clone(), ..Contents::default() };
            self.0.insert(PolicyTarget::Planned(after.name.clone()), contents);
        }
        let Some(contents) = change.policy().and_then(|target| self.0.get_mut(target)) else { return };
        match change {
            Change::CreatePolicy { .. } | Change::DeletePolicy { .. } => {}
            Change::UpdatePolicy { after, .. } => contents.scope = after.scope.clone(),
            Change::CreateRule { after, .. } => contents.rules.push(after.clone()),
            Change::UpdateRule { before, after, .. } => {
                contents.remove(before);
                contents.rules.push(after.clone());
            }
            Change::DeleteRule { before, .. } => contents.remove(before),
        }
    }

    /// What is wrong with the policy as it is, if that makes a step another one than was planned.
    pub(super) fn moved(&self, change: &Change, now: &LivePolicy) -> Option<Problem> {
        let contents = self.0.get(change.policy()?)?;
        let now = now.policy();
        let moved = |show: fn(&Policy) -> Value| {
            let versions = Versions {
                planned: contents
                    .was
                    .as_ref()
                    .map_or_else(|| "an empty policy".to_owned(), |was| show(was).to_string()),
                found: show(&now).to_string(),
            };
            Problem::moved("its policy is no longer what the plan saw", Some(versions))
        };
        match change {
            Change::UpdatePolicy { before, after, .. } if before.scope != after.scope => {
                let unseen = contents.unseen(now.rules());
                (!unseen.is_empty() || contents.lacks(now.rules())).then(|| moved(shown::policy).with_unseen(unseen))
            }
            Change::CreateRule { .. } | Change::UpdateRule { .. } | Change::DeleteRule { .. } => {
                let head = |policy: &Policy| shown::head(&Head::of(policy));
                (contents.scope != now.scope && !contents.scopes_to_come.contains(&now.scope)).then(|| moved(head))
            }
            Change::CreatePolicy { .. } | Change::UpdatePolicy { .. } | Change::DeletePolicy { .. } => None,
        }
    }
}

impl Contents {
    fn found(was: &Value) -> Self {
        let texts = |pointer| was.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        let scope = Scope::of(texts("/scope/teams").filter_map(Value::as_str).map(str::to_owned));
        let rule = |live: &Value| serde_json::from_value::<shown::ShownRule>(live.get("rule")?.clone()).ok();
        let rules: Vec<Rule> = texts("/body/rules").filter_map(rule).map(Rule::from).collect();
        let name = was.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let was = Policy { name, scope: scope.clone(), body: Body::Allowlist(rules.clone()) };
        Self { was: Some(was), scope, rules, ..Self::default() }
    }

    fn remove(&mut self, rule: &Rule) {
        if let Some(at) = self.rules.iter().position(|known| same(known, rule)) {
            self.rules.remove(at);
        }
    }

    /// Rules that are there and that nobody has shown.
    fn unseen(&self, now: &[Rule]) -> Vec<Rule> {
        now.iter().filter(|rule| !holds(&self.rules, rule) && !holds(&self.rules_to_come, rule)).cloned().collect()
    }

    /// Whether rules are gone that should be there.
    fn lacks(&self, now: &[Rule]) -> bool {
        !self.rules.iter().all(|rule| holds(now, rule) || holds(&self.rules_to_go, rule))
    }
}

fn holds(rules: &[Rule], wanted: &Rule) -> bool {
    rules.iter().any(|rule| same(rule, wanted))
}

fn same(one: &Rule, other: &Rule) -> bool {
    changed_fields(one, other).is_empty()
}
