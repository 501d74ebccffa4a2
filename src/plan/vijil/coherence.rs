//! Verifies that the Vijil steps of a loaded plan follow from the differences that it states.
//!
//! Invariant: in a plan that passes, each step finds the object that it claims to find, no step is
//! repeated, and an edited rule of an active policy is approved by the next call about that policy.
//! See [`crate::plan::docker::coherence`] for the other service.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::diff::{policy_fields, rule_fields};
use super::step::changed;
use super::{Subject, VijilPlan, VijilStep, canonical, fingerprint};
use crate::model::{Fields, LiveVijilPolicy, LiveVijilRule};
use crate::plan::Touched;
use crate::plan::step::Op;

/// Checks the steps against the policies that they touch, as these were.
///
/// # Errors
///
/// Returns the first step that nothing explains, with the reason; 0 for a fault that no step
/// causes.
pub(crate) fn check(plan: &VijilPlan) -> Result<(), (usize, String)> {
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
    let name = |step: &VijilStep| match (walk.policies.get(&step.policy), before.get(&step.policy))
    {
        (Some(policy), _) => {
            policy.shown.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        (None, Some(policy)) => policy.name.clone(),
        (None, None) => String::new(),
    };
    match plan.steps.iter().find(|step| name(step) != step.policy_name) {
        Some(step) => Err((
            step.id,
            format!("it is about `{}`, and is shown as `{}`", name(step), step.policy_name),
        )),
        None => Ok(()),
    }
}

/// A step that removes rules in force before the last stage: their replacement may not exist yet.
/// `stays_active` says if a policy is active before and after.
fn too_early(steps: &[VijilStep], stays_active: impl Fn(&Subject) -> bool) -> Option<usize> {
    let last = steps.iter().map(|step| step.phase).max()?;
    let of_policy = |policy: &Subject, ops: &[Op]| {
        steps
            .iter()
            .any(|step| step.policy == *policy && step.rule.is_some() && ops.contains(&step.op))
    };
    let is = |side: &Option<Fields>, status: &str| {
        side.as_ref().is_some_and(|side| text(side, "status") == status)
    };
    let takes = |step: &&VijilStep| match (step.op, &step.rule) {
        (Op::Delete, None) => true,
        // A policy that is activated again is a draft in between.
        (Op::Delete, Some(_)) => {
            let again =
                steps.iter().any(|other| other.policy == step.policy && other.op == Op::Activate);
            is(&step.before, "approved") && stays_active(&step.policy) && !again
        }
        // Rules that are edited or rejected should not be in force in between.
        (Op::Update, None) => {
            let leaves =
                is(&step.before, "active") && !is(&step.after, "active") && step.because.is_none();
            leaves && !of_policy(&step.policy, &[Op::Create, Op::Update, Op::Reject])
        }
        (Op::Create | Op::Update | Op::Approve | Op::Reject | Op::Activate, _) => false,
    };
    steps.iter().filter(|step| step.phase < last).find(takes).map(|step| step.id)
}

const NOT_APPROVED: &str =
    "a rule of an active policy is edited, and not approved by the next call about that policy";

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
}

struct Walk {
    policies: BTreeMap<Subject, State>,
    /// The rule of an active policy that was just edited, with the step that edited it.
    edited: BTreeMap<Subject, (Subject, usize)>,
    /// The operations seen, each with its subject.
    seen: BTreeSet<(Subject, Option<Subject>, Op)>,
}

impl Walk {
    fn take(&mut self, step: &VijilStep) -> Result<(), String> {
        if !self.seen.insert((step.policy.clone(), step.rule.clone(), step.op)) {
            return Err("an earlier step does the same".to_owned());
        }
        if step.op == Op::Update && step.changed().is_empty() {
            return Err("it changes nothing".to_owned());
        }
        let edited = self.edited.remove(&step.policy);
        if edited
            .is_some_and(|(rule, _)| step.op != Op::Approve || step.rule.as_ref() != Some(&rule))
        {
            return Err(NOT_APPROVED.to_owned());
        }
        match &step.rule {
            None => self.policy(step),
            Some(rule) => self.rule(step, rule),
        }
    }

    fn policy(&mut self, step: &VijilStep) -> Result<(), String> {
        let (before, after) = (step.before.as_ref(), step.after.as_ref());
        if step.op == Op::Create {
            let Some(after) =
                after.filter(|_| step.policy == Subject::Planned(step.policy_name.clone()))
            else {
                return Err("it does not say what it makes".to_owned());
            };
            if text(after, "status") != "draft" || text(after, "name") != step.policy_name {
                return Err("it creates another policy than it states".to_owned());
            }
            let state = State { shown: after.clone(), rules: BTreeMap::new() };
            self.policies.insert(step.policy.clone(), state);
            return Ok(());
        }
        let state =
            self.policies.get_mut(&step.policy).ok_or("there is no such policy when it runs")?;
        if before.is_none_or(|before| !is_same(before, &state.shown)) {
            return Err("it does not find the object that it states".to_owned());
        }
        match (step.op, after) {
            (Op::Update, Some(after)) => {
                if text(after, "status") == "active" && !state.is_active() {
                    return Err("only an activation makes a policy active".to_owned());
                }
                state.shown = after.clone();
            }
            (Op::Activate, Some(after)) => {
                let mut active = state.shown.clone();
                active.insert("status".to_owned(), "active".into());
                if !is_same(after, &active) || state.is_active() {
                    return Err("it does more than to activate".to_owned());
                }
                if state.rules.values().any(|rule| text(rule, "status") != "approved") {
                    return Err("not every rule of its policy is approved when it runs".to_owned());
                }
                state.shown = active;
            }
            (Op::Delete, None) => {
                self.policies.remove(&step.policy);
            }
            (_, _) => return Err("policies cannot have it".to_owned()),
        }
        Ok(())
    }

    fn rule(&mut self, step: &VijilStep, rule: &Subject) -> Result<(), String> {
        let state =
            self.policies.get_mut(&step.policy).ok_or("there is no such policy when it runs")?;
        let (before, after) = (step.before.as_ref(), step.after.as_ref());
        let named = after.or(before).map(|object| text(object, "rule_id"));
        if named != step.rule_id.as_deref() {
            return Err("it is about another rule than it is shown as".to_owned());
        }
        let found = state.rules.get(rule);
        let finds = || match (before, found) {
            (Some(before), Some(found)) => is_same(&content(before), &content(found)),
            (_, _) => false,
        };
        let differs = || Err("it does not find the object that it states".to_owned());
        if step.op == Op::Reject && state.is_active() {
            return Err("its policy is active meanwhile".to_owned());
        }
        if matches!(step.op, Op::Create | Op::Update) && state.is_active() {
            self.edited.insert(step.policy.clone(), (rule.clone(), step.id));
        }
        let status = match step.op {
            Op::Create | Op::Update => "draft",
            Op::Approve => "approved",
            Op::Reject => "rejected",
            Op::Delete if finds() && after.is_none() => {
                state.rules.remove(rule);
                return Ok(());
            }
            Op::Delete => return differs(),
            Op::Activate => return Err("rules cannot have it".to_owned()),
        };
        let Some(after) = after else { return Err("it does not say what it leaves".to_owned()) };
        if step.op != Op::Create && !finds() {
            return differs();
        }
        let reviews = matches!(step.op, Op::Approve | Op::Reject);
        if reviews
            && (found.is_none_or(|found| !is_same(&content(after), &content(found)))
                || text(after, "status") != status)
        {
            return Err("it does more than to review".to_owned());
        }
        let mut object = content(after);
        object.insert("status".to_owned(), status.into());
        state.rules.insert(rule.clone(), object);
        Ok(())
    }
}

fn text<'a>(object: &'a Fields, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
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
