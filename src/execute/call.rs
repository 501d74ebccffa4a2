//! One step: look, send, understand the answer, and look again where it says nothing.

use std::time::Duration;

use serde_json::Value;

use super::outcome::{Ended, Problem};
use super::resolve::Created;
use super::verify::{Standing, named, standing};
use crate::model::{LivePolicy, PolicyId, RuleId};
use crate::plan::request::request;
use crate::plan::shown;
use crate::plan::step::{Change, Op, Step, changed_fields};
use crate::service::docker::{Error, Reader, Writer, wire};
use crate::service::http::{Refusal, WriteOutcome};

/// How often a write is sent again after the service, looked at, showed that it had done nothing.
const ATTEMPTS: u32 = 3;

/// How long an unanswered write is given before what is not there counts as not done.
const SETTLING: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// Carries single steps out.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    reader: Reader,
    writer: Writer,
    org: String,
}

/// A step with what is known of its object.
struct Attempt<'a> {
    change: &'a Change,
    policy: Option<PolicyId>,
    rule: Option<RuleId>,
}

/// What a look showed.
struct Seen {
    standing: Standing,
    created: Created,
}

impl Caller {
    pub(super) fn new(reader: Reader, writer: Writer, org: String) -> Self {
        Self { reader, writer, org }
    }

    /// Carries one step out; with it, the ids of what it created.
    pub(super) async fn carry_out(&self, step: &Step, known: &Created) -> (Ended, Created) {
        let change = &step.change;
        let Some(request) = known.request(change, request(&self.org, change)) else {
            let problem = Problem::new("the id of what an earlier step created is not known");
            return (Ended::Failed(problem.hint("run again: the next plan finds it")), Created::default());
        };
        let attempt = Attempt { change, policy: known.policy_of(change), rule: known.rule_of(change) };
        match self.before_writing(&attempt).await {
            Ok(Standing::Before) => {}
            Ok(found) => return (not_as_planned(change, found), Created::default()),
            Err(error) => return (Ended::Failed(unreadable(&error)), Created::default()),
        }
        let mut sent = 1;
        loop {
            let unknown = match self.writer.send(&request).await {
                WriteOutcome::Done { body, .. } => return self.answered(&attempt, &body).await,
                WriteOutcome::Refused(refusal) => return self.refused(&attempt, &refusal).await,
                WriteOutcome::NotSent(error) => {
                    return (Ended::Failed(Problem::new(format!("it was not sent: {error}"))), Created::default());
                }
                WriteOutcome::Unknown(error) => error,
            };
            match self.settle(&attempt).await {
                Ok(Seen { standing: Standing::After, created }) => return (Ended::AlreadyDone, created),
                Ok(Seen { standing: Standing::Gone, .. }) if change.op() == Op::Delete => {
                    return (Ended::AlreadyDone, Created::default());
                }
                Ok(Seen { standing: Standing::Before, .. }) if sent < ATTEMPTS => sent += 1,
                Ok(Seen { standing: Standing::Before, .. }) => {
                    let problem = Problem::new(format!("it was sent {sent} times without effect: {unknown}"));
                    return (Ended::Failed(problem), Created::default());
                }
                Ok(Seen { standing, .. }) => return (not_as_planned(change, standing), Created::default()),
                Err(error) => {
                    let message = format!("nobody knows whether it was done: {unknown}; looking again: {error}");
                    let problem = Problem { unknown: true, ..Problem::new(message) };
                    let problem = problem.hint("run again: the next plan finds what is there");
                    return (Ended::Failed(problem), Created::default());
                }
            }
        }
    }

    /// Whether the object of an update or a deletion is what the plan saw. What a creation makes is not looked for: the
    /// service refuses a second one, and the plan was made from what is there.
    async fn before_writing(&self, attempt: &Attempt<'_>) -> Result<Standing, Error> {
        if attempt.change.op() == Op::Create {
            return Ok(Standing::Before);
        }
        Ok(self.look(attempt).await?.standing)
    }

    async fn look(&self, attempt: &Attempt<'_>) -> Result<Seen, Error> {
        let policy = match (&attempt.policy, attempt.change) {
            (_, Change::CreatePolicy { after }) => {
                let live = self.reader.live().await?;
                match live.policies.into_iter().find(|policy| policy.name == after.name) {
                    Some(policy) => Some(policy),
                    None => return Ok(Seen { standing: Standing::Before, created: Created::default() }),
                }
            }
            (Some(id), _) => self.reader.policy(id).await?,
            (None, _) => None,
        };
        let created = policy.as_ref().map(|policy| found(attempt.change, policy)).unwrap_or_default();
        Ok(Seen { standing: standing(attempt.change, policy.as_ref(), attempt.rule.as_ref()), created })
    }

    /// Looks until the object is no longer as before, for as long as an unanswered write may take.
    async fn settle(&self, attempt: &Attempt<'_>) -> Result<Seen, Error> {
        let mut seen = self.look(attempt).await?;
        for wait in SETTLING {
            if seen.standing != Standing::Before {
                break;
            }
            self.reader.pause(wait).await;
            seen = self.look(attempt).await?;
        }
        Ok(seen)
    }

    async fn answered(&self, attempt: &Attempt<'_>, body: &Value) -> (Ended, Created) {
        let change = attempt.change;
        match read_answer(attempt, body) {
            Some(Answer { created, overtaken, wrong: None }) => (Ended::Done { overtaken }, created),
            Some(Answer { wrong: Some(wrong), .. }) => {
                let problem = Problem::new(format!("somebody changed it at the same moment: it is now {wrong}"));
                (Ended::Failed(problem.hint("plan again, and see what they meant")), Created::default())
            }
            // The service took it and said something that cannot be understood: what is there counts.
            None => match self.settle(attempt).await {
                Ok(Seen { standing: Standing::After, created }) => (Ended::Done { overtaken: None }, created),
                Ok(Seen { standing: Standing::Gone, .. }) if change.op() == Op::Delete => {
                    (Ended::Done { overtaken: None }, Created::default())
                }
                Ok(Seen { standing, .. }) => (not_as_planned(change, standing), Created::default()),
                Err(error) => (Ended::Failed(Problem { unknown: true, ..unreadable(&error) }), Created::default()),
            },
        }
    }

    async fn refused(&self, attempt: &Attempt<'_>, refusal: &Refusal) -> (Ended, Created) {
        let change = attempt.change;
        match (refusal.status, change.op()) {
            (404, Op::Delete) => (Ended::AlreadyDone, Created::default()),
            (409, Op::Create) => match self.look(attempt).await {
                Ok(Seen { standing: Standing::After, created }) => (Ended::AlreadyDone, created),
                Ok(Seen { standing: Standing::Other(found), .. }) => {
                    let message = format!("somebody made another one of this name: {found}");
                    (Ended::Failed(moved(message)), Created::default())
                }
                Ok(_) | Err(_) => (Ended::Failed(explain(change, refusal)), Created::default()),
            },
            (404, _) => (not_as_planned(change, Standing::Gone), Created::default()),
            _ => (Ended::Failed(explain(change, refusal)), Created::default()),
        }
    }
}

/// What a service's answer says.
struct Answer {
    created: Created,
    /// The object just before, where it was not what the plan saw.
    overtaken: Option<String>,
    /// The object just after, where it is not what the step wants.
    wrong: Option<String>,
}

/// Reads an answer; `None` where it cannot be understood.
fn read_answer(attempt: &Attempt<'_>, body: &Value) -> Option<Answer> {
    let policy = |value: &Value| serde_json::from_value::<wire::Policy>(value.clone()).ok()?.live().ok();
    let rule = |value: &Value| serde_json::from_value::<wire::Rule>(value.clone()).ok()?.live("").ok();
    let mut answer = Answer { created: Created::default(), overtaken: None, wrong: None };
    match attempt.change {
        Change::CreatePolicy { after } => {
            let made = policy(body)?;
            answer.created = Created::policy(&after.name, made.id);
        }
        Change::CreateRule { after, .. } => {
            let made = rule(body)?;
            answer.created = Created::rule(attempt.policy.clone()?, &after.name, made.id);
        }
        Change::UpdatePolicy { .. } => {
            let (old, new) = (policy(body.get("old")?)?, policy(body.get("new")?)?);
            answer.overtaken = other(standing(attempt.change, Some(&old), None), &Standing::Before);
            answer.wrong = other(standing(attempt.change, Some(&new), None), &Standing::After);
        }
        Change::UpdateRule { before, after, .. } => {
            let (old, new) = (rule(body.get("old")?)?, rule(body.get("new")?)?);
            let differs = |now: &crate::model::Rule, wanted| {
                (!changed_fields(now, wanted).is_empty()).then(|| shown::rule(now).to_string())
            };
            answer.overtaken = differs(&old.rule, before);
            answer.wrong = differs(&new.rule, after);
        }
        Change::DeletePolicy { .. } => {
            let gone = policy(body.get("deleted")?)?;
            answer.overtaken = other(standing(attempt.change, Some(&gone), None), &Standing::Before);
        }
        Change::DeleteRule { before, .. } => {
            let gone = rule(body.get("deleted")?)?;
            let same = changed_fields(&gone.rule, before).is_empty();
            answer.overtaken = (!same).then(|| shown::rule(&gone.rule).to_string());
        }
    }
    Some(answer)
}

fn other(found: Standing, expected: &Standing) -> Option<String> {
    match found {
        found if found == *expected => None,
        Standing::Other(found) => Some(found),
        Standing::Before => Some("what it was before".to_owned()),
        Standing::After => Some("what it was to become".to_owned()),
        Standing::Gone => Some("gone".to_owned()),
    }
}

/// The ids of what a creation made, found in its policy.
fn found(change: &Change, policy: &LivePolicy) -> Created {
    match change {
        Change::CreatePolicy { after } => Created::policy(&after.name, policy.id.clone()),
        Change::CreateRule { after, .. } => named(policy, &after.name)
            .map(|(id, _)| Created::rule(policy.id.clone(), &after.name, id.clone()))
            .unwrap_or_default(),
        Change::UpdatePolicy { .. }
        | Change::DeletePolicy { .. }
        | Change::UpdateRule { .. }
        | Change::DeleteRule { .. } => Created::default(),
    }
}

fn not_as_planned(change: &Change, found: Standing) -> Ended {
    let is_deletion = change.op() == Op::Delete;
    match found {
        Standing::After => Ended::AlreadyDone,
        Standing::Gone if is_deletion => Ended::AlreadyDone,
        Standing::Gone => Ended::Failed(moved("it is gone".to_owned())),
        Standing::Other(found) => Ended::Failed(moved(format!("it is no longer what the plan saw, but {found}"))),
        Standing::Before => Ended::Failed(Problem::new("the service said it was done, and it was not")),
    }
}

fn moved(message: String) -> Problem {
    Problem { moved: true, ..Problem::new(message) }.hint("plan again, and see what they meant")
}

fn unreadable(error: &Error) -> Problem {
    Problem::new(format!("its policy could not be read: {error}"))
}

fn explain(change: &Change, refusal: &Refusal) -> Problem {
    let problem = Problem::new(format!("the service refused it: {refusal}"));
    match refusal.code.as_deref() {
        Some("limit_exceeded") => problem.hint("the service is full: delete what is no longer used, then run again"),
        Some("permission_denied") => problem.hint("the account needs permission to edit governance policies"),
        Some("invalid_argument") if change.op() == Op::Create => {
            problem.hint("the service takes less than its documentation says: change the document, and plan again")
        }
        _ => problem,
    }
}
