//! The versions that the policies of a plan may have during an apply.
//!
//! A step is checked against its own object and against everything that determines its audience and meaning: a rule
//! means something else in a policy whose scope has changed, and a policy with a new scope takes along rules that
//! nobody has reviewed.

use serde_json::Value;

use crate::execute::outcome::{Problem, Versions};
use crate::model::{LivePolicy, Policy, Rule};
use crate::plan::docker::{Change, PolicyChange, PolicyFields, PolicyTarget, Step, changed_fields, json, simulate};
use crate::plan::step::Delta;

/// The policies that a plan touches in their expected current versions: the recorded ones, with the completed steps,
/// and optionally with those in progress.
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

    /// The difference of the actual policy that makes a step another one than planned; `None` without one.
    pub(super) fn moved(&self, change: &Change, found: &LivePolicy) -> Option<Problem> {
        let target = change.policy()?;
        let id = simulate::policy_id(target);
        let known = self.now.iter().find(|policy| policy.id == id)?.policy();
        let to_come = ToCome::new(target, &self.under_way);
        let found = found.policy();
        let moved = |show: fn(&Policy) -> Value| {
            let was = self.was.iter().find(|policy| policy.id == id);
            let planned = was.map_or_else(|| "an empty policy".to_owned(), |was| show(&was.policy()).to_string());
            let versions = Versions { planned, found: show(&found).to_string() };
            Problem::moved("its policy is no longer what the plan saw", Some(versions))
        };
        match change {
            Change::Policy(PolicyChange::Update { before, after, .. }) if before.scope != after.scope => {
                let expected = |rule: &Rule| holds(known.rules(), rule) || holds(to_come.rules.iter().copied(), rule);
                let unseen: Vec<Rule> = found.rules().iter().filter(|rule| !expected(rule)).cloned().collect();
                let is_there = |rule: &Rule| holds(found.rules(), rule) || holds(to_come.gone.iter().copied(), rule);
                let lacks = !known.rules().iter().all(is_there);
                (!unseen.is_empty() || lacks).then(|| moved(json::policy).with_unseen(unseen))
            }
            Change::Rule(..) => {
                let expected = known.scope == found.scope || to_come.scopes.contains(&&found.scope);
                (!expected).then(|| moved(|policy| json::policy_fields(&PolicyFields::new(policy))))
            }
            Change::Policy(_) => None,
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
        for change in under_way.iter().filter(|change| change.policy() == Some(policy)) {
            let (before, after) = change.rule().map(Delta::sides).unwrap_or_default();
            to_come.gone.extend(before);
            to_come.rules.extend(after);
            if let Some(Delta::Update { after: (_, scope), .. }) = change.naming() {
                to_come.scopes.push(scope);
            }
        }
        to_come
    }
}

fn holds<'a>(rules: impl IntoIterator<Item = &'a Rule>, wanted: &Rule) -> bool {
    rules.into_iter().any(|rule| changed_fields(rule, wanted).is_empty())
}
