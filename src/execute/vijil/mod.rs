//! Calls to Vijil: checks of objects, and the meaning of answers and refusals.
//!
//! Invariant: only the text that the plan showed is reviewed. A creation is never sent twice, and
//! not if its object exists already, since the service would create a second one of the same name.

mod attempt;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize as _;
use serde_json::Value;

use self::attempt::Attempt;
use super::created::{Created, path};
use super::observation::{Answer, Observed, Seen, Unread, failed};
use super::outcome::{Problem, StepOutcome, Versions};
use crate::model::Fields;
use crate::plan::step::{Delta, Object, Op, Reason};
use crate::plan::vijil::diff::{policy_fields, rule_fields};
use crate::plan::vijil::{Change, Difference, Step, Subject, request};
use crate::service::http::{self, Refusal, WriteOutcome};
use crate::service::vijil::{Error, Reader, Request, Writer, wire};

/// The team of a plan.
#[derive(Clone, Debug)]
pub(super) struct Vijil {
    reader: Reader,
    writer: Writer,
    /// Those of the plan.
    steps: Arc<[Step]>,
}

/// One call with the ids of its objects.
#[derive(Debug)]
pub(super) struct Call {
    vijil: Vijil,
    attempt: Attempt,
    /// True if this run created the policy, so that it has no rules yet.
    is_in_new: bool,
    /// True for the last step that edits rules of a policy which stays active.
    ends_edit_in_place: bool,
    request: Request,
}

impl Vijil {
    pub(super) fn new(reader: Reader, writer: Writer, steps: &[Step]) -> Self {
        Self { reader, writer, steps: steps.into() }
    }

    /// The call of a step, with the ids that earlier steps created; `None` while one of them is
    /// unknown.
    pub(super) fn call(&self, step: &Step, created: &Created) -> Option<Call> {
        let policy = match step.change.policy() {
            Subject::Existing(id) => Some(id.clone()),
            Subject::Planned(name) => created.policy_id(name),
        };
        let rule = match (step.change.rule(), &policy) {
            (Some(Subject::Existing(id)), _) => Some(id.clone()),
            (Some(Subject::Planned(rule)), Some(policy)) => created.rule_id(policy, rule),
            (Some(Subject::Planned(_)), None) | (None, _) => None,
        };
        let request = request(&step.change);
        let query = request.query.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let path = path(request.path, policy.as_deref(), rule.as_deref())?;
        let request = Request { method: request.method, path, query, body: request.body };
        let was_found = policy.as_ref().is_some_and(|policy| created.was_found(policy));
        let is_in_new = step.change.policy().existing().is_none() && !was_found;
        let is_same = |one: &Step| {
            one.id < step.id
                && one.change.rule() == step.change.rule()
                && one.change.policy() == step.change.policy()
        };
        let edited = self.steps.iter().any(is_same);
        let ends_edit_in_place = self.is_last_edit_in_place(step);
        let attempt = Attempt { step: step.difference.clone(), edited, policy, rule };
        Some(Call { vijil: self.clone(), attempt, is_in_new, ends_edit_in_place, request })
    }

    fn is_last_edit_in_place(&self, step: &Step) -> bool {
        let policy = step.change.policy();
        let of_policy = || self.steps.iter().filter(|one| one.change.policy() == policy);
        let edits = of_policy().filter(|one| one.because == Some(Reason::EditedInPlace));
        let Some(edit) = edits.max_by_key(|edit| edit.id) else { return false };
        let of_rule = of_policy().filter(|one| one.change.rule() == edit.change.rule());
        of_rule.map(|one| one.id).max() == Some(step.id)
    }
}

impl Call {
    fn step(&self) -> &Difference {
        &self.attempt.step
    }

    fn change(&self) -> &Change {
        &self.step().change
    }

    /// The objection to the call; `None` if there is none. A policy that this run created has no
    /// rules yet; everything else may exist already, and the service would create a second one.
    pub(super) async fn first_look(&self) -> Result<Option<(StepOutcome, Created)>, Unread> {
        if self.change().op() == Op::Create && self.change().rule().is_some() && self.is_in_new {
            return Ok(None);
        }
        let Seen { observed, created } = self.observe().await?;
        Ok(match observed {
            Observed::Before => None,
            // A rule that was edited in this run is reviewed again, whatever its status after the
            // edit.
            Observed::After if self.attempt.is_review_of_an_edit() => None,
            Observed::After => Some((StepOutcome::AlreadyApplied { sent: false }, created)),
            observed @ (Observed::Gone | Observed::Other(_)) => {
                Some((self.not_as_planned(observed), Created::default()))
            }
        })
    }

    /// The current state of the object; a review counts only if it is this step's own, not one from
    /// before the edit.
    pub(super) async fn observe(&self) -> Result<Seen, Unread> {
        self.look(true).await.map_err(unread)
    }

    pub(super) async fn send(&self) -> WriteOutcome {
        self.vijil.writer.send(&self.request).await
    }

    pub(super) async fn pause(&self, wait: Duration) {
        self.vijil.reader.pause(wait).await;
    }

    /// The result of a step that was carried out: a policy whose rules were edited in place must
    /// still be active.
    pub(super) async fn confirmed(&self, ended: StepOutcome) -> StepOutcome {
        let (true, Subject::Existing(id)) =
            (self.ends_edit_in_place && ended.is_done(), self.change().policy())
        else {
            return ended;
        };
        let problem = match self.vijil.reader.policy(id).await {
            Ok(Some(policy)) if policy.status == "active" => return ended,
            Ok(policy) => {
                let status = policy
                    .map_or_else(|| "gone".to_owned(), |policy| format!("`{}`", policy.status));
                let message = format!(
                    "the rules were edited, and the policy is no longer active but {status}"
                );
                Problem::new(message)
                    .written()
                    .hint("apply again: that activates it; where the console always does this, set `vijil.edit_active: deactivate`")
            }
            Err(error) => {
                let message =
                    format!("it is not known whether the policy is still active: {error}");
                Problem::new(message).written().outage().hint("run again")
            }
        };
        StepOutcome::Failed(problem)
    }

    /// The current state of the object; with `own`, a review counts only if it is this step's own.
    async fn look(&self, own: bool) -> Result<Seen, Error> {
        let (change, attempt, reader) = (self.change(), &self.attempt, &self.vijil.reader);
        if change.op() == Op::Create {
            return self.look_for_new().await;
        }
        let object = match (change.object(), &attempt.policy, &attempt.rule) {
            (Object::Rule, _, Some(rule)) => {
                reader.rule(rule).await?.map(|rule| rule_fields(&rule))
            }
            (Object::Policy, Some(policy), _) => {
                reader.policy(policy).await?.map(|policy| policy_fields(&policy))
            }
            (Object::Rule, _, None) | (Object::Policy, None, _) => None,
        };
        let object = match object {
            None if change.op() == Op::Delete => self.listed().await?,
            object => object,
        };
        let mut observed = attempt.observed(object.as_ref());
        if own && observed == Observed::After && !attempt.is_own_review(object.as_ref()) {
            observed = Observed::Before;
        }
        Ok(Seen { observed, created: Created::default() })
    }

    /// The current state of the object that the step creates, by its name.
    async fn look_for_new(&self) -> Result<Seen, Error> {
        let (attempt, reader) = (&self.attempt, &self.vijil.reader);
        let found = match (self.change().rule_name(), &attempt.policy) {
            (None, _) => {
                let name = &self.step().policy;
                let found = reader.named(name).await?;
                let found = found.first();
                found.map(|one| (policy_fields(one), Created::found_policy(name, &one.id)))
            }
            (Some(rule_id), Some(policy)) => {
                let rules = reader.rules(policy).await?;
                let found = rules.iter().find(|rule| rule.rule_id == rule_id);
                found.map(|one| (rule_fields(one), Created::rule(policy, rule_id, &one.id)))
            }
            (Some(_), None) => None,
        };
        Ok(match found {
            Some((object, created)) => Seen { observed: attempt.observed(Some(&object)), created },
            None => Seen { observed: Observed::Before, created: Created::default() },
        })
    }

    /// An object that was not found by its id, looked up in the list, since a single answer is not
    /// trusted that it is gone.
    async fn listed(&self) -> Result<Option<Fields>, Error> {
        let (attempt, reader) = (&self.attempt, &self.vijil.reader);
        Ok(match (self.change().object(), &attempt.policy, &attempt.rule) {
            (Object::Rule, Some(policy), Some(rule)) => {
                let all = reader.rules(policy).await?;
                all.iter().find(|listed| listed.id == *rule).map(rule_fields)
            }
            (Object::Policy, Some(policy), _) => {
                let all = reader.named(&self.step().policy).await?;
                all.iter().find(|listed| listed.id == *policy).map(policy_fields)
            }
            (Object::Rule, ..) | (Object::Policy, None, _) => None,
        })
    }

    /// The interpretation of an answer about the object after the step.
    pub(super) fn read_answer(&self, body: &Value) -> Answer {
        if self.change().op() == Op::Delete {
            return Answer::Done { created: Created::default(), overtaken: None };
        }
        let Some((object, created)) = self.shown(body) else { return Answer::Unclear };
        match self.attempt.observed(Some(&object)) {
            Observed::After => Answer::Done { created, overtaken: None },
            observed @ (Observed::Before | Observed::Gone | Observed::Other(_)) => {
                Answer::Otherwise(observed)
            }
        }
    }

    /// The object that an answer shows, with its id.
    fn shown(&self, body: &Value) -> Option<(Fields, Created)> {
        match self.change().rule_name() {
            None => {
                let policy = wire::Policy::deserialize(body).ok()?;
                let created = Created::policy(&self.step().policy, &policy.id);
                Some((policy_fields(&policy.live()), created))
            }
            Some(rule_id) => {
                let rule = wire::Rule::deserialize(body).ok()?;
                let policy = self.attempt.policy.as_deref().unwrap_or_default();
                let created = Created::rule(policy, rule_id, &rule.id);
                Some((rule_fields(&rule.live()), created))
            }
        }
    }

    pub(super) async fn refused(&self, refusal: &Refusal) -> (StepOutcome, Created) {
        let op = self.change().op();
        let is_deleted = (refusal.status, op) == (404, Op::Delete);
        // Messages for an object that is already in the desired state.
        let is_done = matches!(refusal.status, 400 | 409 | 422)
            && matches!(op, Op::Create | Op::Approve | Op::Reject | Op::Activate);
        if (is_deleted || is_done)
            && let Ok(Seen { observed: Observed::After, created }) = self.look(is_deleted).await
        {
            return (StepOutcome::AlreadyApplied { sent: is_done }, created);
        }
        failed(explain(self.step(), refusal))
    }

    /// A creation is never sent twice.
    pub(super) fn still_to_come(&self, unknown: &http::Error) -> Option<Problem> {
        let problem = || Problem::new(format!("no answer, and it is not there: {unknown}"));
        (self.change().op() == Op::Create)
            .then(|| problem().hint("run again: it is made then, or found"))
    }

    pub(super) fn not_as_planned(&self, found: Observed) -> StepOutcome {
        StepOutcome::Failed(match found {
            Observed::Gone => Problem::moved("it is gone", None),
            Observed::Other(found) => {
                let (before, after) = self.change().sides();
                let planned = before.or(after).cloned().map(Value::Object).unwrap_or_default();
                let versions = Versions { planned: planned.to_string(), found };
                Problem::moved("it is no longer what the plan saw", Some(versions))
            }
            Observed::Before | Observed::After => {
                Problem::new("the service said that it was done, and it was not")
            }
        })
    }
}

fn unread(error: Error) -> Unread {
    let stopped = matches!(error, Error::Http(http::Error::Stopped { .. }));
    Unread { what: "it could not be checked", error: error.to_string(), stopped }
}

fn explain(step: &Difference, refusal: &Refusal) -> Problem {
    let problem = Problem::new(format!("the service refused it: {refusal}"));
    match (refusal.status, &step.change) {
        (400 | 409 | 422, _) if step.because == Some(Reason::EditedInPlace) => problem.hint(
            "where the console refuses edits of active policies, set `vijil: {edit_active: deactivate}` in `seawall.yaml`",
        ),
        (403, _) => problem.hint("the account needs permission to edit and review policies in Vijil"),
        (_, Change::Activate { .. }) => problem.hint("plan again, and see which rules are not approved"),
        (_, Change::Policy { delta: Delta::Delete { .. }, .. }) => {
            problem.hint("where it holds to its rules: declare it with `rules: []`, apply, then remove the document")
        }
        (_, Change::Policy { .. } | Change::Rule { .. } | Change::Approve { .. } | Change::Reject { .. }) => problem,
    }
}
