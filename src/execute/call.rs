//! One step: look, send, understand the answer, and look again where it says nothing.
//!
//! Invariant: no single answer is believed that something is gone, and no answer that something else was made than was
//! asked for, until it was looked at once more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::known::Known;
use super::outcome::{Ended, Problem, Versions};
use super::resolve::Created;
use super::verify::{Standing, named, same_policy, standing};
use crate::model::{LivePolicy, PolicyId, Rule, RuleId};
use crate::plan::Plan;
use crate::plan::guard::{MAX_POLICIES, MAX_RULES};
use crate::plan::request::request;
use crate::plan::saved::sides;
use crate::plan::shown;
use crate::plan::step::{Change, Head, Object, Op, PolicyTarget, Reason, Step, changed_fields};
use crate::service::docker::{Error, Reader, Request, Writer, wire};
use crate::service::http::{self, Refusal, WriteOutcome};

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
    known: Arc<Mutex<Known>>,
    looks: Arc<Looks>,
}

/// What was seen of a policy before the first rule of a phase was added to it: one look for all of them.
type Looks = Mutex<BTreeMap<PolicyId, Arc<OnceCell<Option<LivePolicy>>>>>;

/// A step with what is known of its object.
pub(super) struct Attempt {
    change: Change,
    because: Option<Reason>,
    policy: Option<PolicyId>,
    rule: Option<RuleId>,
    /// `None` while the id of what an earlier step creates is not known.
    request: Option<Request>,
}

/// What a look showed.
struct Seen {
    standing: Standing,
    created: Created,
    policy: Option<LivePolicy>,
}

impl Caller {
    pub(super) fn new(reader: Reader, writer: Writer, plan: &Plan) -> Self {
        let org = plan.target.as_ref().map(|target| target.org.clone()).unwrap_or_default();
        Self { reader, writer, org, known: Arc::new(Mutex::new(Known::new(plan))), looks: Arc::default() }
    }

    /// Begins a phase of these steps: what was seen before it is old.
    pub(super) fn begin(&self, steps: &[Step]) {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.known().begin(steps);
    }

    /// Takes note of a step that is done, once its phase is over.
    pub(super) fn done(&self, step: &Step) {
        self.known().done(&step.change);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a step ready, with the ids of what earlier steps created.
    pub(super) fn attempt(&self, step: &Step, known: &Created) -> Attempt {
        let change = &step.change;
        Attempt {
            policy: known.policy_of(change),
            rule: known.rule_of(change),
            request: known.request(change, request(&self.org, change)),
            change: change.clone(),
            because: step.because,
        }
    }

    /// Carries one step out; with it, the ids of what it created.
    pub(super) async fn carry_out(&self, attempt: Attempt) -> (Ended, Created) {
        let change = &attempt.change;
        let Some(request) = &attempt.request else {
            let problem = Problem::new("the id of what an earlier step created is not known");
            return failed(problem.hint("run again: the next plan finds it"));
        };
        match self.before_writing(&attempt).await {
            Ok(Seen { standing: Standing::Before, policy, .. }) => {
                if let Some(problem) = policy.and_then(|policy| self.known().moved(change, &policy)) {
                    return failed(problem);
                }
            }
            Ok(Seen { standing, created, .. }) => return (not_as_planned(change, standing), created),
            Err(Error::Http(http::Error::Stopped { .. })) => return (Ended::Stopped, Created::default()),
            Err(error) => return failed(unreadable(&error).outage()),
        }
        let mut sent = 1;
        loop {
            let unknown = match self.writer.send(request).await {
                WriteOutcome::Done { body, .. } => return self.answered(&attempt, &body).await,
                WriteOutcome::Refused(refusal) => return self.refused(&attempt, &refusal).await,
                WriteOutcome::NotSent(http::Error::Stopped { .. }) => return (Ended::Stopped, Created::default()),
                WriteOutcome::NotSent(error) => {
                    return failed(Problem::new(format!("it was not sent: {error}")).outage());
                }
                WriteOutcome::Unknown(error) => error,
            };
            let seen = match self.settle(&attempt).await {
                Ok(seen) => seen,
                Err(error) => {
                    let message = format!("nobody knows whether it was done: {unknown}; looking again: {error}");
                    return failed(Problem::new(message).hint(NEXT_PLAN).written().outage());
                }
            };
            match seen.standing {
                Standing::After => return (Ended::FoundDone { sent: true }, seen.created),
                Standing::Gone if change.op() == Op::Delete => {
                    return (Ended::FoundDone { sent: true }, Created::default());
                }
                Standing::Before if still_to_come(&attempt, &unknown) => {
                    let message = format!("it may still be carried out: {unknown}");
                    return failed(Problem::new(message).hint(NEXT_PLAN).written().outage());
                }
                Standing::Before if sent < ATTEMPTS => sent += 1,
                Standing::Before => {
                    return failed(
                        Problem::new(format!("it was sent {sent} times without effect: {unknown}")).outage(),
                    );
                }
                // It was sent, and somebody else was there too: it may have been done, and replaced.
                standing @ (Standing::Gone | Standing::Other(_)) => {
                    return (written(not_as_planned(change, standing)), Created::default());
                }
            }
        }
    }

    /// How the object stands before the call. What a new policy makes is not looked for: names of policies are unique,
    /// so that the service refuses a second one, and of a rule in a new policy there is none.
    async fn before_writing(&self, attempt: &Attempt) -> Result<Seen, Error> {
        match (&attempt.change, &attempt.policy) {
            (Change::CreateRule { policy: PolicyTarget::Existing(_), .. }, Some(id)) => {
                let looks =
                    || self.looks.lock().unwrap_or_else(PoisonError::into_inner).entry(id.clone()).or_default().clone();
                let policy = looks().get_or_try_init(|| self.reader.policy(id)).await?.clone();
                Ok(Seen::of(attempt, policy))
            }
            (Change::CreatePolicy { .. } | Change::CreateRule { .. }, _) => {
                Ok(Seen { standing: Standing::Before, created: Created::default(), policy: None })
            }
            (
                Change::UpdatePolicy { .. }
                | Change::DeletePolicy { .. }
                | Change::UpdateRule { .. }
                | Change::DeleteRule { .. },
                _,
            ) => self.look(attempt).await,
        }
    }

    async fn look(&self, attempt: &Attempt) -> Result<Seen, Error> {
        let policy = match (&attempt.policy, &attempt.change) {
            (_, Change::CreatePolicy { after }) => {
                let live = self.reader.live().await?;
                match live.policies.into_iter().find(|policy| policy.name == after.name) {
                    Some(policy) => Some(policy),
                    None => return Ok(Seen { standing: Standing::Before, created: Created::default(), policy: None }),
                }
            }
            (Some(id), _) => self.reader.policy(id).await?,
            (None, _) => None,
        };
        let seen = Seen::of(attempt, policy);
        match (&attempt.policy, &seen) {
            // A rule that an answer lacks may be there all the same.
            (Some(id), Seen { standing: Standing::Gone, policy: Some(_), .. }) => {
                Ok(Seen::of(attempt, self.reader.policy(id).await?))
            }
            _ => Ok(seen),
        }
    }

    /// Looks until the object is no longer as before, for as long as an unanswered write may take.
    async fn settle(&self, attempt: &Attempt) -> Result<Seen, Error> {
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

    async fn answered(&self, attempt: &Attempt, body: &Value) -> (Ended, Created) {
        let change = &attempt.change;
        match read_answer(attempt, body) {
            Some(Answer { created, overtaken, as_asked: true }) => (Ended::Done { overtaken }, created),
            // The service took it and said something else, or what cannot be understood: what is there counts.
            Some(Answer { as_asked: false, .. }) | None => match self.settle(attempt).await {
                Ok(Seen { standing: Standing::After, created, .. }) => (Ended::Done { overtaken: None }, created),
                Ok(Seen { standing: Standing::Gone, .. }) if change.op() == Op::Delete => {
                    (Ended::Done { overtaken: None }, Created::default())
                }
                Ok(Seen { standing: Standing::Before, .. }) => {
                    failed(Problem::new("the service said that it was done, and it was not").written())
                }
                Ok(Seen { standing, .. }) => (written(not_as_planned(change, standing)), Created::default()),
                Err(error) => failed(unreadable(&error).written().outage()),
            },
        }
    }

    /// A refusal that may come from what somebody else did is understood by looking; others are what they say.
    async fn refused(&self, attempt: &Attempt, refusal: &Refusal) -> (Ended, Created) {
        let change = &attempt.change;
        let explained = || failed(explain(change, refusal));
        if !matches!(refusal.status, 404 | 409) {
            return explained();
        }
        match self.look(attempt).await {
            Ok(Seen { standing: Standing::Before, .. }) | Err(_) => explained(),
            Ok(Seen { standing: Standing::After, created, .. }) => (Ended::FoundDone { sent: false }, created),
            Ok(Seen { standing, .. }) => (not_as_planned(change, standing), Created::default()),
        }
    }
}

impl Seen {
    /// How a policy, or its absence, stands to a step.
    fn of(attempt: &Attempt, policy: Option<LivePolicy>) -> Self {
        let Attempt { change, rule, .. } = attempt;
        let created = policy.as_ref().map(|policy| found(change, policy)).unwrap_or_default();
        Self { standing: standing(change, policy.as_ref(), rule.as_ref()), created, policy }
    }
}

/// What to do when an answer stays out.
const NEXT_PLAN: &str = "run again: the next plan finds what is there";

fn failed(problem: Problem) -> (Ended, Created) {
    (Ended::Failed(problem), Created::default())
}

fn written(ended: Ended) -> Ended {
    match ended {
        Ended::Failed(problem) => Ended::Failed(problem.written()),
        Ended::FoundDone { .. } => Ended::FoundDone { sent: true },
        ended @ (Ended::Done { .. } | Ended::HeldBack { .. } | Ended::Stopped | Ended::GivenUp) => ended,
    }
}

/// Whether the service may still be busy with an unanswered call that would do harm when it comes late, after another
/// one like it: it could make a second rule, since their names are not known to be unique, or undo the second half of a
/// change.
fn still_to_come(attempt: &Attempt, unknown: &http::Error) -> bool {
    let busy = matches!(unknown, http::Error::TimeOut { .. })
        || unknown.refusal().is_some_and(|refusal| matches!(refusal.status, 408 | 499 | 504));
    let half = attempt.because == Some(Reason::SplitNarrows);
    busy && (half || matches!(attempt.change, Change::CreateRule { .. }))
}

/// What a service's answer says.
struct Answer {
    created: Created,
    /// The object just before, where it was not what the plan saw.
    overtaken: Option<Versions>,
    /// Whether the object just after is what the step wants.
    as_asked: bool,
}

/// Reads an answer; `None` where it cannot be understood.
fn read_answer(attempt: &Attempt, body: &Value) -> Option<Answer> {
    let policy = |value: &Value| serde_json::from_value::<wire::Policy>(value.clone()).ok()?.live().ok();
    let rule = |value: &Value| serde_json::from_value::<wire::Rule>(value.clone()).ok()?.live("").ok();
    let same_rule = |one: &Rule, other: &Rule| changed_fields(one, other).is_empty();
    let mut answer = Answer { created: Created::default(), overtaken: None, as_asked: true };
    let change = &attempt.change;
    let overtaken = match change {
        Change::CreatePolicy { after } => {
            let made = policy(body)?;
            answer.as_asked = Head::of(&made.policy()) == *after;
            answer.created = Created::policy(&after.name, made.id);
            None
        }
        Change::CreateRule { after, .. } => {
            let made = rule(body)?;
            answer.as_asked = same_rule(&made.rule, after);
            answer.created = Created::rule(attempt.policy.clone()?, &after.name, made.id);
            None
        }
        Change::UpdatePolicy { before, after, .. } => {
            let (old, new) = (policy(body.get("old")?)?.policy(), policy(body.get("new")?)?.policy());
            answer.as_asked = Head::of(&new) == *after;
            (Head::of(&old) != *before).then(|| shown::head(&Head::of(&old)).to_string())
        }
        Change::UpdateRule { before, after, .. } => {
            let (old, new) = (rule(body.get("old")?)?.rule, rule(body.get("new")?)?.rule);
            answer.as_asked = same_rule(&new, after);
            (!same_rule(&old, before)).then(|| shown::rule(&old).to_string())
        }
        Change::DeletePolicy { before, .. } => {
            let gone = policy(body.get("deleted")?)?.policy();
            (!same_policy(&gone, before)).then(|| shown::policy(&gone).to_string())
        }
        Change::DeleteRule { before, .. } => {
            let gone = rule(body.get("deleted")?)?.rule;
            (!same_rule(&gone, before)).then(|| shown::rule(&gone).to_string())
        }
    };
    answer.overtaken = overtaken.and_then(|found| versions(change, found));
    Some(answer)
}

/// What the plan saw beside what was found.
fn versions(change: &Change, found: String) -> Option<Versions> {
    let (before, after) = sides(change);
    Some(Versions { planned: before.or(after)?.to_string(), found })
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

/// A step whose object, looked at, is not what the plan saw.
fn not_as_planned(change: &Change, found: Standing) -> Ended {
    match (found, change.op()) {
        (Standing::After, _) | (Standing::Gone, Op::Delete) => Ended::FoundDone { sent: false },
        (Standing::Gone, _) => Ended::Failed(Problem::moved("it is gone", None)),
        (Standing::Other(found), Op::Create) => {
            Ended::Failed(Problem::moved("somebody made another one of this name", versions(change, found)))
        }
        (Standing::Other(found), _) => {
            Ended::Failed(Problem::moved("it is no longer what the plan saw", versions(change, found)))
        }
        (Standing::Before, _) => Ended::Failed(Problem::new("the service said that it was done, and it was not")),
    }
}

fn unreadable(error: &Error) -> Problem {
    Problem::new(format!("its policy could not be read: {error}"))
}

fn explain(change: &Change, refusal: &Refusal) -> Problem {
    let problem = Problem::new(format!("the service refused it: {refusal}"));
    match (refusal.code.as_deref(), change.object()) {
        (Some("limit_exceeded"), Object::Policy) => problem
            .hint(format!("the organization may have {MAX_POLICIES} policies: delete or merge some, then run again")),
        (Some("limit_exceeded"), Object::Rule) => problem
            .hint(format!("the policy may have {MAX_RULES} rules: delete or merge some, or divide it, then run again")),
        (Some("permission_denied"), _) => problem.hint("the account needs permission to edit governance policies"),
        (Some("invalid_argument"), _) if change.op() == Op::Create => {
            problem.hint("the service takes less than its documentation says: change the document, and plan again")
        }
        _ => problem,
    }
}
