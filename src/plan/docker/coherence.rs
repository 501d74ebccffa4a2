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

use crate::model::{Decision, LiveBody, LivePolicy, LiveRule, PolicyId, Rule, RuleId};

use super::fingerprint::{self, sorted};
use super::simulate::{self, subject};
use super::temporary::{is_stand_in, is_temporary_deny, temporary_name};
use super::{Change, PolicyChange, PolicyFields, PolicyTarget, RuleChange, RuleTarget, Step};
use crate::plan::step::{Op, Reason};

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
        let makes =
            matches!(step.change.policy(), Some(PolicyTarget::Planned(_))) && object != policy;
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
        let differs = || Err("it does not find the object that it states".to_owned());
        let unchanged = || Err("it changes nothing".to_owned());
        match change {
            Change::Policy(PolicyChange::Create { after }) => {
                if self.policies.iter().any(|policy| policy.name == after.name) {
                    return Err(format!("`{}` is there already", after.name));
                }
                Ok(Object::Policy(simulate::planned_policy(&after.name)))
            }
            Change::Policy(PolicyChange::Update { policy, before, after }) => {
                let found = self.policy(policy)?;
                if PolicyFields::new(&found.policy()) != *before {
                    return differs();
                }
                if change.changed().is_empty() || before.cedar.is_some() != after.cedar.is_some() {
                    return unchanged();
                }
                if self
                    .policies
                    .iter()
                    .any(|other| other.id != found.id && other.name == after.name)
                {
                    return Err(format!("`{}` is the name of another policy", after.name));
                }
                Ok(Object::Policy(found.id.clone()))
            }
            Change::Policy(PolicyChange::Delete { policy, before }) => {
                let found = self.policy(policy)?;
                let rules = |rules: Vec<&Rule>| {
                    let mut rules: Vec<String> =
                        rules.into_iter().map(|rule| format!("{:?}", sorted(rule))).collect();
                    rules.sort();
                    rules
                };
                let same_rules = rules(before.rules().iter().collect())
                    == rules(found.rules().iter().map(|live| &live.rule).collect());
                if PolicyFields::new(&found.policy()) != PolicyFields::new(before) || !same_rules {
                    return differs();
                }
                Ok(Object::Policy(found.id.clone()))
            }
            Change::Rule(policy, RuleChange::Create { after }) => {
                let found = self.policy(policy)?;
                let id = simulate::planned_rule(&after.name);
                if matches!(found.body, LiveBody::Cedar(_)) {
                    return Err("a Cedar policy has no rules".to_owned());
                }
                if found.rules().iter().any(|live| live.id == id) {
                    return Err(format!("`{}` is there already", after.name));
                }
                Ok(Object::Rule(found.id.clone(), id))
            }
            Change::Rule(policy, RuleChange::Update { rule, before, .. }) => {
                let (found, live) = self.rule(policy, rule)?;
                if sorted(&live.rule) != sorted(before) {
                    return differs();
                }
                if change.changed().is_empty() {
                    return unchanged();
                }
                Ok(Object::Rule(found.id.clone(), live.id.clone()))
            }
            Change::Rule(policy, RuleChange::Delete { rule, before }) => {
                let (found, live) = self.rule(policy, rule)?;
                if sorted(&live.rule) != sorted(before) {
                    return differs();
                }
                Ok(Object::Rule(found.id.clone(), live.id.clone()))
            }
        }
    }

    fn policy(&self, target: &PolicyTarget) -> Result<&LivePolicy, String> {
        let id = simulate::policy_id(target);
        let found = self.policies.iter().find(|policy| policy.id == id);
        found.ok_or_else(|| "there is no such policy when it runs".to_owned())
    }

    fn rule(
        &self,
        policy: &PolicyTarget,
        rule: &RuleTarget,
    ) -> Result<(&LivePolicy, &LiveRule), String> {
        let (policy, id) = (self.policy(policy)?, simulate::rule_id(rule));
        let found = policy.rules().iter().find(|live| live.id == id);
        Ok((policy, found.ok_or_else(|| "its policy has no such rule when it runs".to_owned())?))
    }
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
                        Change::Rule(_, RuleChange::Create { after }),
                        Change::Rule(_, RuleChange::Delete { .. }),
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
        let name = match (found, step.change.policy(), &step.change) {
            (None, Some(PolicyTarget::Planned(name)), _) => name,
            (None, None, Change::Policy(PolicyChange::Create { after })) => after.name.as_str(),
            (found, _, _) => found.map_or("", |policy| policy.name.as_str()),
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
        let id = step.change.policy().map(simulate::policy_id);
        let is_there =
            |policies: &[LivePolicy]| policies.iter().any(|policy| Some(&policy.id) == id.as_ref());
        let emptied = matches!(step.change, Change::Rule(_, RuleChange::Delete { .. }))
            && step.because == Some(Reason::SplitNarrows);
        let about_rule = step.change.rule_name().is_some();
        if about_rule && is_there(self.before) && !is_there(self.after) && !emptied {
            return Err("its policy is deleted".to_owned());
        }
        let holds = match (step.because, &step.change) {
            (Some(Reason::TemporaryDeny), change) => self.is_temporary(change),
            (
                Some(Reason::TemporaryName),
                Change::Policy(PolicyChange::Update { policy, before, after }),
            ) => {
                let id = simulate::policy_id(policy);
                let last = self.after.iter().find(|policy| policy.id == id);
                PolicyFields { name: after.name.clone(), ..before.clone() } == *after
                    && last.is_some_and(|last| temporary_name(&last.name) == after.name)
            }
            (Some(Reason::TemporaryName), _) => false,
            (Some(Reason::SplitNarrows), Change::Rule(_, RuleChange::Delete { .. })) => {
                self.is_replaced(step)
            }
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
        let narrowing = self.beside(step, Reason::SplitNarrows);
        let deletions = narrowing
            .filter(|step| matches!(step.change, Change::Rule(_, RuleChange::Delete { .. })))
            .count();
        let widening: Vec<&Step> = self.beside(step, Reason::SplitWidens).collect();
        let creations = widening
            .iter()
            .filter(|step| matches!(step.change, Change::Rule(_, RuleChange::Create { .. })))
            .count();
        creations >= deletions
            || widening
                .iter()
                .any(|step| matches!(step.change, Change::Policy(PolicyChange::Delete { .. })))
    }

    /// Returns `true` if a change creates a deny that does not exist at the end, or deletes one,
    /// which its name shows.
    fn is_temporary(&self, change: &Change) -> bool {
        let stays = |id: &PolicyId| self.after.iter().any(|policy| policy.id == *id);
        match change {
            Change::Policy(PolicyChange::Create { after }) => {
                !stays(&simulate::planned_policy(&after.name))
            }
            Change::Policy(PolicyChange::Delete { before, .. }) => is_temporary_deny(&before.name),
            Change::Rule(policy, RuleChange::Create { after }) => {
                let id = simulate::policy_id(policy);
                let own = simulate::planned_rule(&after.name);
                let left =
                    self.after.iter().filter(|policy| policy.id == id).flat_map(LivePolicy::rules);
                let gone = !left.into_iter().any(|live| live.id == own);
                after.decision == Decision::Deny && gone
            }
            Change::Rule(_, RuleChange::Delete { before, .. }) => is_temporary_deny(&before.name),
            Change::Policy(PolicyChange::Update { .. })
            | Change::Rule(_, RuleChange::Update { .. }) => false,
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
            Change::Rule(_, RuleChange::Update { before, .. }),
            Change::Rule(_, RuleChange::Update { after, .. }),
        ) => sorted(before) == sorted(after),
        (
            Change::Policy(PolicyChange::Update { before, .. }),
            Change::Policy(PolicyChange::Update { after, .. }),
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
