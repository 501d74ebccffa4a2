//! Verifies that the steps of a loaded plan follow from the differences that it states.
//!
//! A checksum detects accidents; whoever edits a plan on purpose recomputes it. The meaning of a
//! plan is therefore derived from the plan itself. It records the policies that it touches as they
//! were. Executed from there, each step must find the object that it claims to find, and the steps
//! of one object together must form one difference: made by one step, or by the parts into which
//! the planner divides a change.
//!
//! Invariant: in a plan that passes, no step can be left out, repeated or added without changing
//! the stated differences, and a reason that exempts a step from a guard is only given to the steps
//! that it applies to.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Decision, LiveBody, LivePolicy, Policy, PolicyId, Rule, RuleId};

use super::fingerprint::{self, is_same_policy, sorted};
use super::simulate::{self, subject};
use super::temporary::{is_stand_in, is_temporary_deny, temporary_name};
use super::{Change, PolicyFields, PolicyTarget, RuleTarget, Step, changed_fields};
use crate::plan::step::{self, Delta, Op, Reason};

/// A step that contradicts the rest of the plan, with the reason.
pub(crate) type Contradiction = (usize, String);

/// Checks the Docker steps of a plan against the recorded policies that they touch.
///
/// # Errors
///
/// Returns the first step that nothing explains.
pub(crate) fn check(steps: &[Step], touched: &[LivePolicy]) -> Result<(), Contradiction> {
    let mut walk =
        Walk { policies: touched.to_vec(), made_in: BTreeMap::new(), chains: BTreeMap::new() };
    for step in steps {
        walk.take(step).map_err(|why| (step.id, why))?;
    }
    let Walk { policies, chains, .. } = walk;
    let history = History { steps, before: touched, after: &policies };
    chains.values().try_for_each(|chain| history.explains(chain))?;
    steps.iter().try_for_each(|step| {
        history.names(step).and_then(|()| history.reason(step)).map_err(|why| (step.id, why))
    })
}

/// An object that steps are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    Policy(PolicyId),
    Rule(PolicyId, RuleId),
}

/// The policies during the simulated execution.
struct Walk<'a> {
    policies: Vec<LivePolicy>,
    /// The phase in which each object was created or changed.
    made_in: BTreeMap<Object, usize>,
    /// The steps of each object.
    chains: BTreeMap<Object, Vec<&'a Step>>,
}

impl<'a> Walk<'a> {
    /// Executes a step, if it finds the object that it claims to find.
    fn take(&mut self, step: &'a Step) -> Result<(), String> {
        let object = self.find(&step.change)?;
        // Steps of one phase may run at the same time.
        let policy = match &object {
            Object::Policy(id) | Object::Rule(id, _) => Object::Policy(id.clone()),
        };
        let makes = step.change.policy().existing().is_none() && object != policy;
        if self.made_in.get(&object) == Some(&step.phase)
            || makes && self.made_in.get(&policy) == Some(&step.phase)
        {
            return Err("it does not wait for an earlier step about the same object".to_owned());
        }
        self.made_in.insert(object.clone(), step.phase);
        self.chains.entry(object).or_default().push(step);
        simulate::carry_out(&mut self.policies, &step.change);
        Ok(())
    }

    /// The object of a step, if it is what the step claims.
    fn find(&self, change: &Change) -> Result<Object, String> {
        match change {
            Change::Policy { target, delta } => {
                self.find_policy(target, delta)?;
                Ok(Object::Policy(simulate::policy_id(target)))
            }
            Change::Rule { policy, target, delta } => {
                let policy = self.policy(policy)?;
                find_rule(policy, target, delta)?;
                Ok(Object::Rule(policy.id.clone(), simulate::rule_id(target)))
            }
        }
    }

    /// Checks that a policy is what a change of it claims.
    fn find_policy(
        &self,
        target: &PolicyTarget,
        delta: &Delta<PolicyFields, Policy>,
    ) -> Result<(), String> {
        let id = simulate::policy_id(target);
        let has_other =
            |name: &str| self.policies.iter().any(|other| other.id != id && other.name == name);
        match delta {
            Delta::Create { after } => {
                match self.policies.iter().any(|policy| policy.name == after.name) {
                    true => Err(format!("`{}` is there already", after.name)),
                    false => Ok(()),
                }
            }
            Delta::Update { before, after } => {
                let changes_body = before.cedar.is_some() != after.cedar.is_some();
                match PolicyFields::new(&self.policy(target)?.policy()) {
                    found if found != *before => differs(),
                    _ if before == after || changes_body => unchanged(),
                    _ if has_other(&after.name) => {
                        Err(format!("`{}` is the name of another policy", after.name))
                    }
                    _ => Ok(()),
                }
            }
            Delta::Delete { before } => match self.policy(target)?.policy() {
                found if is_same_policy(&found, before) => Ok(()),
                _ => differs(),
            },
        }
    }

    fn policy(&self, target: &PolicyTarget) -> Result<&LivePolicy, String> {
        let id = simulate::policy_id(target);
        let found = self.policies.iter().find(|policy| policy.id == id);
        found.ok_or_else(|| "there is no such policy when it runs".to_owned())
    }
}

/// Checks that a rule of a policy is what a change of it claims.
fn find_rule(policy: &LivePolicy, target: &RuleTarget, delta: &Delta<Rule>) -> Result<(), String> {
    let id = simulate::rule_id(target);
    let found = policy.rules().iter().find(|live| live.id == id);
    match (delta, found) {
        (Delta::Create { .. }, _) if matches!(policy.body, LiveBody::Cedar(_)) => {
            Err("a Cedar policy has no rules".to_owned())
        }
        (Delta::Create { after }, Some(_)) => Err(format!("`{}` is there already", after.name)),
        (Delta::Create { .. }, None) => Ok(()),
        (Delta::Update { .. } | Delta::Delete { .. }, None) => {
            Err("its policy has no such rule when it runs".to_owned())
        }
        (Delta::Update { before, .. } | Delta::Delete { before }, Some(found))
            if sorted(&found.rule) != sorted(before) =>
        {
            differs()
        }
        (Delta::Update { before, after }, Some(_)) if changed_fields(before, after).is_empty() => {
            unchanged()
        }
        (Delta::Update { .. } | Delta::Delete { .. }, Some(_)) => Ok(()),
    }
}

fn differs() -> Result<(), String> {
    Err("it does not find the object that it states".to_owned())
}

fn unchanged() -> Result<(), String> {
    Err("it changes nothing".to_owned())
}

/// The policies before and after a plan, and its steps.
struct History<'a> {
    steps: &'a [Step],
    before: &'a [LivePolicy],
    after: &'a [LivePolicy],
}

impl History<'_> {
    /// Checks that the steps of one object form one difference: a single step or its two parts,
    /// optionally with a temporary name.
    fn explains(&self, chain: &[&Step]) -> Result<(), Contradiction> {
        let reason = |step: &&&Step| step.because != Some(Reason::TemporaryName);
        let rest: Vec<&Step> = chain.iter().filter(reason).copied().collect();
        let parts: Vec<Option<Reason>> = rest.iter().map(|step| step.because).collect();
        match (rest.as_slice(), parts.as_slice()) {
            (_, _) if chain.len() > rest.len() + 1 => unexplained(chain),
            ([_], _) => Ok(()),
            ([first, last], [Some(Reason::SplitNarrows), Some(Reason::SplitWidens)]) => {
                match (&first.change, &last.change) {
                    // A temporary deny is created and deleted again. Any other object must end
                    // differently than it began.
                    (
                        Change::Rule { delta: Delta::Create { after }, .. },
                        Change::Rule { delta: Delta::Delete { .. }, .. },
                    ) if is_stand_in(after) => Ok(()),
                    (one, other) if (one.op(), other.op()) == (Op::Create, Op::Delete) => Err((
                        last.id,
                        "nothing explains that it deletes what an earlier step made".to_owned(),
                    )),
                    (one, other) if undoes(one, other) => {
                        Err((last.id, "it takes an earlier step back".to_owned()))
                    }
                    (_, _) => Ok(()),
                }
            }
            // Each of them creates or deletes, by its reason.
            ([_, _], [Some(Reason::TemporaryDeny), Some(Reason::TemporaryDeny)]) => Ok(()),
            (_, _) => unexplained(chain),
        }
    }

    /// Checks that a step shows the name of its policy.
    fn names(&self, step: &Step) -> Result<(), String> {
        let id = subject(&step.change);
        let found = self.after.iter().chain(self.before).find(|policy| policy.id == id);
        let name = match (found, step.change.policy()) {
            (Some(policy), _) => policy.name.as_str(),
            (None, PolicyTarget::Planned(name)) => name,
            (None, PolicyTarget::Existing(_)) => "",
        };
        if name == step.policy {
            Ok(())
        } else {
            Err(format!("it is about `{name}`, and is shown as `{}`", step.policy))
        }
    }

    /// Checks that the stated reason of a step is true, and that a step that needs a reason states
    /// one.
    fn reason(&self, step: &Step) -> Result<(), String> {
        let id = subject(&step.change);
        let is_there = |policies: &[LivePolicy]| policies.iter().any(|policy| policy.id == id);
        let about_rule = step.change.rule().is_some();
        let deletes_rule = about_rule && step.change.op() == Op::Delete;
        let emptied = deletes_rule && step.because == Some(Reason::SplitNarrows);
        if about_rule && is_there(self.before) && !is_there(self.after) && !emptied {
            return Err("its policy is deleted".to_owned());
        }
        let holds = match (step.because, &step.change) {
            (Some(Reason::TemporaryDeny), change) => self.is_temporary(change),
            (
                Some(Reason::TemporaryName),
                Change::Policy { delta: Delta::Update { before, after }, .. },
            ) => {
                let last = self.after.iter().find(|policy| policy.id == id);
                PolicyFields { name: after.name.clone(), ..before.clone() } == *after
                    && last.is_some_and(|last| temporary_name(&last.name) == after.name)
            }
            (Some(Reason::TemporaryName), _) => false,
            (Some(Reason::SplitNarrows), _) if deletes_rule => self.is_replaced(step),
            (Some(Reason::SplitNarrows), _) => {
                self.beside(step, Reason::SplitWidens).next().is_some()
            }
            (Some(Reason::SplitWidens), _) => {
                self.beside(step, Reason::SplitNarrows).next().is_some()
            }
            (
                Some(
                    Reason::Replace
                    | Reason::DomainChange
                    | Reason::Deactivated
                    | Reason::Reactivated
                    | Reason::Unarchived
                    | Reason::ApprovedAnew
                    | Reason::EditedInPlace,
                )
                | None,
                _,
            ) => true,
        };
        if holds { Ok(()) } else { Err("it is not what it gives as its reason".to_owned()) }
    }

    /// Steps about the same policy with a different reason.
    fn beside(&self, step: &Step, reason: Reason) -> impl Iterator<Item = &Step> {
        let own = subject(&step.change);
        self.steps
            .iter()
            .filter(move |other| other.because == Some(reason) && subject(&other.change) == own)
    }

    /// Returns `true` if a deleted rule is created again, or is deleted just before its policy:
    /// only then the guards do not count it.
    fn is_replaced(&self, step: &Step) -> bool {
        let count = |reason: Reason, object: step::Object, op: Op| {
            let own =
                self.beside(step, reason).map(|step| (step.change.object(), step.change.op()));
            own.filter(|own| *own == (object, op)).count()
        };
        let deletions = count(Reason::SplitNarrows, step::Object::Rule, Op::Delete);
        let creations = count(Reason::SplitWidens, step::Object::Rule, Op::Create);
        let deletes_policy = count(Reason::SplitWidens, step::Object::Policy, Op::Delete) > 0;
        creations >= deletions || deletes_policy
    }

    /// Returns `true` if a change creates a deny that does not exist at the end, or deletes one,
    /// which its name shows.
    fn is_temporary(&self, change: &Change) -> bool {
        let id = subject(change);
        let last = self.after.iter().find(|policy| policy.id == id);
        match change {
            Change::Policy { delta: Delta::Create { .. }, .. } => last.is_none(),
            Change::Policy { delta: Delta::Delete { before }, .. } => {
                is_temporary_deny(&before.name)
            }
            Change::Rule { target, delta: Delta::Create { after }, .. } => {
                let own = simulate::rule_id(target);
                let stays = last.is_some_and(|last| last.rules().iter().any(|live| live.id == own));
                after.decision == Decision::Deny && !stays
            }
            Change::Rule { delta: Delta::Delete { before }, .. } => is_temporary_deny(&before.name),
            Change::Policy { delta: Delta::Update { .. }, .. }
            | Change::Rule { delta: Delta::Update { .. }, .. } => false,
        }
    }
}

fn unexplained(chain: &[&Step]) -> Result<(), Contradiction> {
    let last = chain.last().map_or(0, |step| step.id);
    Err((
        last,
        "the differences of the plan do not explain a further step about the same object"
            .to_owned(),
    ))
}

/// Returns `true` if two changes of an object cancel out.
fn undoes(first: &Change, last: &Change) -> bool {
    match (first, last) {
        (
            Change::Rule { delta: Delta::Update { before, .. }, .. },
            Change::Rule { delta: Delta::Update { after, .. }, .. },
        ) => sorted(before) == sorted(after),
        (
            Change::Policy { delta: Delta::Update { before, .. }, .. },
            Change::Policy { delta: Delta::Update { after, .. }, .. },
        ) => before == after,
        (_, _) => false,
    }
}

/// The recorded policies that a plan touches.
///
/// # Errors
///
/// Returns the id of a policy that is listed twice, or does not match its fingerprint.
pub(crate) fn touched(records: &[crate::plan::Touched]) -> Result<Vec<LivePolicy>, String> {
    let mut ids = BTreeSet::new();
    let read = |record: &crate::plan::Touched| {
        let policy = fingerprint::read(&record.was).filter(|policy| policy.id.0 == record.id);
        policy
            .filter(|_| crate::json::hash_json(&record.was) == record.fingerprint)
            .ok_or_else(|| record.id.clone())
    };
    let policies = records.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    match policies.iter().find(|policy| !ids.insert(&policy.id)) {
        Some(twice) => Err(twice.id.0.clone()),
        None => Ok(policies),
    }
}
