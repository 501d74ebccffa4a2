//! Verifies that the Vijil steps of a loaded plan follow from the differences that it states.
//!
//! Invariant: in a plan that passes, each step finds the object that it claims to find, no step is
//! repeated, and an edited rule of an active policy is approved by the next call about that policy.
//! See [`crate::plan::docker::coherence`] for the other service.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::change::changed;
use super::diff::{policy_fields, rule_fields};
use super::outcome::{text, with_status};
use super::{Change, Plan, RuleTarget, Step, Subject, canonical, fingerprint};
use crate::model::{Fields, LiveVijilPolicy, LiveVijilRule};
use crate::plan::Touched;
use crate::plan::step::{Delta, Op};

/// Checks the steps against the policies that they touch, as these were.
///
/// # Errors
///
/// Returns the first step that nothing explains, with the reason; 0 for a fault that no step
/// causes.
pub(crate) fn check(plan: &Plan) -> Result<(), (usize, String)> {
    let mut before = BTreeMap::new();
    for record in &plan.live.touched {
        let policy = read(record)
            .ok_or_else(|| (0, format!("its `before` of `{}` is not what was live", record.id)))?;
        if plan.left_alone.contains(&policy.name) {
            let name = policy.name;
            return Err((0, format!("it states that `{name}` is left alone, but changes it")));
        }
        if before.insert(Subject::Existing(policy.id.clone()), policy).is_some() {
            return Err((0, format!("it holds `{}` twice", record.id)));
        }
    }
    let policies =
        before.iter().map(|(subject, policy)| (subject.clone(), State::new(policy))).collect();
    let mut walk = Walk { policies, seen: BTreeSet::new(), edited: BTreeMap::new() };
    for step in &plan.steps {
        walk.take(step).map_err(|why| (step.id, why))?;
    }
    if let Some((_, step)) = walk.edited.values().next() {
        return Err((*step, NOT_APPROVED.to_owned()));
    }
    let is_active = |policy: &Subject| {
        let was = before.get(policy).is_some_and(|policy| policy.status == "active");
        was && walk.policies.get(policy).is_some_and(State::is_active)
    };
    if let Some(step) = too_early(&plan.steps, is_active) {
        return Err((step, "it takes something away while other steps are to come".to_owned()));
    }
    let name = |step: &Step| {
        let policy = step.change.policy();
        match (walk.policies.get(policy), before.get(policy)) {
            (Some(policy), _) => text(&policy.shown, "name").to_owned(),
            (None, Some(policy)) => policy.name.clone(),
            (None, None) => String::new(),
        }
    };
    match plan.steps.iter().find(|step| name(step) != step.policy) {
        Some(step) => {
            let (name, shown) = (name(step), &step.policy);
            Err((step.id, format!("it is about `{name}`, and is shown as `{shown}`")))
        }
        None => Ok(()),
    }
}

/// A step that removes rules in force before the last stage: their replacement may not exist yet.
/// `stays_active` says if a policy is active before and after.
fn too_early(steps: &[Step], stays_active: impl Fn(&Subject) -> bool) -> Option<usize> {
    let last = steps.iter().map(|step| step.phase).max()?;
    let has = |policy: &Subject, is: fn(&Change) -> bool| {
        steps.iter().any(|step| step.change.policy() == policy && is(&step.change))
    };
    let takes = |step: &&Step| match &step.change {
        Change::Policy { delta: Delta::Delete { .. }, .. } => true,
        // A policy that is activated again is a draft in between.
        Change::Rule { target, delta: Delta::Delete { before } } => {
            text(before, "status") == "approved"
                && stays_active(&target.policy)
                && !has(&target.policy, |change| change.op() == Op::Activate)
        }
        // Rules that are edited or rejected should not be in force in between.
        Change::Policy { target, delta: Delta::Update { .. } } => {
            step.change.deactivates()
                && step.because.is_none()
                && !has(target, |change| {
                    let is_edit = matches!(change.op(), Op::Create | Op::Update | Op::Reject);
                    is_edit && change.rule().is_some()
                })
        }
        Change::Policy { delta: Delta::Create { .. }, .. }
        | Change::Rule { delta: Delta::Create { .. } | Delta::Update { .. }, .. }
        | Change::Activate { .. }
        | Change::Approve { .. }
        | Change::Reject { .. } => false,
    };
    steps.iter().filter(|step| step.phase < last).find(takes).map(|step| step.id)
}

const NOT_APPROVED: &str =
    "a rule of an active policy is edited, and not approved by the next call about that policy";

const DIFFERS: &str = "it does not find the object that it states";

/// A policy while the steps are carried out.
struct State {
    shown: Fields,
    rules: BTreeMap<Subject, Fields>,
}

impl State {
    fn new(policy: &LiveVijilPolicy) -> Self {
        let rules =
            policy.rules.iter().map(|rule| (Subject::Existing(rule.id.clone()), rule_fields(rule)));
        Self { shown: policy_fields(policy), rules: rules.collect() }
    }

    fn is_active(&self) -> bool {
        text(&self.shown, "status") == "active"
    }

    fn activate(&mut self, after: &Fields) -> Result<(), String> {
        let active = with_status(&self.shown, "active");
        if !is_same(after, &active) || self.is_active() {
            return Err("it does more than to activate".to_owned());
        }
        if self.rules.values().any(|rule| text(rule, "status") != "approved") {
            return Err("not every rule of its policy is approved when it runs".to_owned());
        }
        self.shown = active;
        Ok(())
    }

    /// The rule, if it is what a step states.
    fn rule(&self, target: &RuleTarget, before: &Fields) -> Result<&Fields, String> {
        let found = self.rules.get(&target.rule);
        let same = found.filter(|found| is_same(&content(before), &content(found)));
        same.ok_or_else(|| DIFFERS.to_owned())
    }

    fn review(
        &mut self,
        target: &RuleTarget,
        before: &Fields,
        after: &Fields,
        status: &str,
    ) -> Result<(), String> {
        let found = self.rule(target, before)?;
        if !is_same(&content(after), &content(found)) || text(after, "status") != status {
            return Err("it does more than to review".to_owned());
        }
        self.rules.insert(target.rule.clone(), with_status(&content(after), status));
        Ok(())
    }
}

struct Walk {
    policies: BTreeMap<Subject, State>,
    /// The rule of an active policy that was just edited, with the step that edited it.
    edited: BTreeMap<Subject, (Subject, usize)>,
    /// The operations seen, each with its subject.
    seen: BTreeSet<(Subject, Option<Subject>, Op)>,
}

impl Walk {
    fn take(&mut self, step: &Step) -> Result<(), String> {
        let change = &step.change;
        if !self.seen.insert((change.policy().clone(), change.rule().cloned(), change.op())) {
            return Err("an earlier step does the same".to_owned());
        }
        if change.op() == Op::Update && change.changed().is_empty() {
            return Err("it changes nothing".to_owned());
        }
        let edited = self.edited.remove(change.policy());
        let approved = change.rule().filter(|_| change.op() == Op::Approve);
        if edited.is_some_and(|(rule, _)| approved != Some(&rule)) {
            return Err(NOT_APPROVED.to_owned());
        }
        match change {
            Change::Policy { target, delta: Delta::Create { after } } => {
                self.create(&step.policy, target, after)
            }
            Change::Policy { target, delta: Delta::Update { before, after } } => {
                let policy = self.policy(target, before)?;
                if text(after, "status") == "active" && !policy.is_active() {
                    return Err("only an activation makes a policy active".to_owned());
                }
                policy.shown = after.clone();
                Ok(())
            }
            Change::Policy { target, delta: Delta::Delete { before } } => {
                self.policy(target, before)?;
                self.policies.remove(target);
                Ok(())
            }
            Change::Activate { target, before, after } => {
                self.policy(target, before)?.activate(after)
            }
            Change::Rule { target, delta } => self.rule(target, delta, step.id),
            Change::Approve { target, before, after } => {
                self.state(&target.policy)?.review(target, before, after, "approved")
            }
            Change::Reject { target, before, after } => {
                let policy = self.state(&target.policy)?;
                if policy.is_active() {
                    return Err("its policy is active meanwhile".to_owned());
                }
                policy.review(target, before, after, "rejected")
            }
        }
    }

    fn state(&mut self, policy: &Subject) -> Result<&mut State, String> {
        let found = self.policies.get_mut(policy);
        found.ok_or_else(|| "there is no such policy when it runs".to_owned())
    }

    /// The policy, if it is what a step states.
    fn policy(&mut self, policy: &Subject, before: &Fields) -> Result<&mut State, String> {
        let state = self.state(policy)?;
        if is_same(before, &state.shown) { Ok(state) } else { Err(DIFFERS.to_owned()) }
    }

    fn create(&mut self, name: &str, target: &Subject, after: &Fields) -> Result<(), String> {
        if *target != Subject::Planned(name.to_owned()) {
            return Err("it does not say what it makes".to_owned());
        }
        if text(after, "status") != "draft" || text(after, "name") != name {
            return Err("it creates another policy than it states".to_owned());
        }
        let state = State { shown: after.clone(), rules: BTreeMap::new() };
        self.policies.insert(target.clone(), state);
        Ok(())
    }

    fn rule(
        &mut self,
        target: &RuleTarget,
        delta: &Delta<Fields>,
        id: usize,
    ) -> Result<(), String> {
        let policy = self.state(&target.policy)?;
        let rule = target.rule.clone();
        match delta {
            Delta::Create { .. } => {}
            Delta::Update { before, .. } | Delta::Delete { before } => {
                policy.rule(target, before)?;
            }
        }
        match delta {
            Delta::Create { after } | Delta::Update { after, .. } => {
                policy.rules.insert(rule.clone(), with_status(&content(after), "draft"));
                if policy.is_active() {
                    self.edited.insert(target.policy.clone(), (rule, id));
                }
            }
            Delta::Delete { .. } => drop(policy.rules.remove(&rule)),
        }
        Ok(())
    }
}

/// A rule without its review.
fn content(object: &Fields) -> Fields {
    let own = |key: &str| key != "status" && key != "review_notes";
    object
        .iter()
        .filter(|(key, _)| own(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn is_same(one: &Fields, other: &Fields) -> bool {
    changed(one, other).is_empty() && changed(other, one).is_empty()
}

/// The recorded policy; `None` if it does not match its fingerprint.
fn read(record: &Touched) -> Option<LiveVijilPolicy> {
    #[derive(Deserialize)]
    struct Policy {
        id: String,
        name: String,
        status: String,
        fields: Fields,
        rules: Vec<Rule>,
    }
    #[derive(Deserialize)]
    struct Rule {
        id: String,
        rule_id: String,
        status: String,
        review_notes: Option<String>,
        fields: Fields,
    }
    let Policy { id, name, status, fields, rules } = Policy::deserialize(&record.was).ok()?;
    let rule = |Rule { id, rule_id, status, review_notes, fields }| LiveVijilRule {
        id,
        rule_id,
        status,
        notes: review_notes,
        reviewed_by: None,
        reviewed_at: None,
        fields,
        provenance: None,
    };
    let policy =
        LiveVijilPolicy { id, name, status, fields, rules: rules.into_iter().map(rule).collect() };
    let holds = policy.id == record.id
        && canonical(&policy) == record.was
        && fingerprint(&record.was) == record.fingerprint;
    holds.then_some(policy)
}

#[cfg(test)]
mod tests;
