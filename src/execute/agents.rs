//! Carries out the Vijil side of a plan.
//!
//! Invariant: a review is given to the text that the plan showed and to no other; what an answer left open is looked up,
//! and a creation is never sent twice, since the service would make two objects of one name.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::outcome::{Ended, Outcome, Problem, Versions};
use super::{Approved, Event};
use crate::model::{Fields, same_value};
use crate::plan::agents::diff::{shown, shown_rule};
use crate::plan::agents::step::{AgentStep, Subject};
use crate::plan::request::Segment;
use crate::plan::step::{Object, Op};
use crate::service::http::{Refusal, WriteAccess, WriteOutcome};
use crate::service::vijil::{Error, Reader, Request, Writer, wire};

/// How often a write that can be repeated is sent after a look showed that it had done nothing.
const ATTEMPTS: u32 = 3;
/// How long an unanswered write is given before what is not there counts as not done.
const SETTLING: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// Ids of what earlier steps created: policies by name, rules by the policy's id and `rule_id`.
#[derive(Clone, Debug, Default)]
struct Created {
    policies: BTreeMap<String, String>,
    rules: BTreeMap<(String, String), String>,
}

/// Carries the Vijil side of an approved plan out.
pub async fn execute_agents(
    approved: &Approved,
    reader: &Reader,
    stop: watch::Receiver<bool>,
    observe: &mut (dyn FnMut(Event<'_>) + Send),
) -> Outcome {
    let steps = approved.plan().agents.as_ref().map_or(&[][..], |agents| agents.steps.as_slice());
    let caller = Caller { reader: reader.clone(), writer: Writer::new(reader, &WriteAccess::of(approved)) };
    let mut ended: BTreeMap<usize, Ended> = BTreeMap::new();
    let mut created = Created::default();
    for phase in steps.chunk_by(|one, other| one.phase == other.phase) {
        let mut calls: JoinSet<(usize, Ended, Created)> = JoinSet::new();
        for step in phase {
            if let Some(by) = held_back(step, steps, &ended) {
                observe(Event::AgentEnded(step, &Ended::HeldBack { by }));
                ended.insert(step.id, Ended::HeldBack { by });
                continue;
            }
            while calls.len() >= reader.concurrency().max(1) {
                take(calls.join_next().await, phase, &mut ended, &mut created, observe);
            }
            if *stop.borrow() {
                observe(Event::AgentEnded(step, &Ended::Stopped));
                ended.insert(step.id, Ended::Stopped);
                continue;
            }
            observe(Event::AgentStarted(step));
            let (caller, created, step) = (caller.clone(), created.clone(), step.clone());
            let edited = steps.iter().any(|one| {
                one.id < step.id && one.rule.is_some() && one.rule == step.rule && one.policy == step.policy
            });
            calls.spawn(async move {
                let (ended, made) = caller.carry_out(&step, edited, &created).await;
                (step.id, ended, made)
            });
        }
        while !calls.is_empty() {
            take(calls.join_next().await, phase, &mut ended, &mut created, observe);
        }
    }
    let stopped = *stop.borrow();
    Outcome::new(ended, stopped)
}

type Joined = Option<Result<(usize, Ended, Created), tokio::task::JoinError>>;

fn take(
    joined: Joined,
    steps: &[AgentStep],
    ended: &mut BTreeMap<usize, Ended>,
    created: &mut Created,
    observe: &mut (dyn FnMut(Event<'_>) + Send),
) {
    let Some(joined) = joined else { return };
    let (id, how, made) = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    created.policies.extend(made.policies);
    created.rules.extend(made.rules);
    if let Some(step) = steps.iter().find(|step| step.id == id) {
        observe(Event::AgentEnded(step, &how));
    }
    ended.insert(id, how);
}

/// The earlier step that was not done and that this one counts on: any of the same policy, and any at all for what takes
/// something out of force.
fn held_back(step: &AgentStep, steps: &[AgentStep], ended: &BTreeMap<usize, Ended>) -> Option<usize> {
    let leaves =
        |object: &Option<Fields>| object.as_ref().and_then(|object| object.get("status")?.as_str()) == Some("active");
    let takes_away = step.op == Op::Delete
        || step.object() == Object::Policy && leaves(&step.before) && !leaves(&step.after) && step.because.is_none();
    steps
        .iter()
        .filter(|earlier| earlier.phase < step.phase)
        .filter(|earlier| ended.get(&earlier.id).is_some_and(|ended| !ended.is_done()))
        .find(|earlier| takes_away || earlier.policy == step.policy)
        .map(|earlier| earlier.id)
}

#[derive(Clone, Debug)]
struct Caller {
    reader: Reader,
    writer: Writer,
}

/// One step with the ids that it is about.
struct Attempt<'a> {
    step: &'a AgentStep,
    /// Whether an earlier step of the plan wrote to the same rule, so that its status is not known.
    edited: bool,
    policy: Option<String>,
    rule: Option<String>,
}

/// How an object stands to a step.
#[derive(Clone, Debug, PartialEq)]
enum Standing {
    Before,
    After,
    Gone,
    Other(Fields),
}

impl Caller {
    async fn carry_out(&self, step: &AgentStep, edited: bool, created: &Created) -> (Ended, Created) {
        let failed = |problem: Problem| (Ended::Failed(problem), Created::default());
        let policy = match &step.policy {
            Subject::Existing(id) => Some(id.clone()),
            Subject::Planned(name) => created.policies.get(name).cloned(),
        };
        let rule = match (&step.rule, &policy) {
            (Some(Subject::Existing(id)), _) => Some(id.clone()),
            (Some(Subject::Planned(rule)), Some(policy)) => created.rules.get(&(policy.clone(), rule.clone())).cloned(),
            (Some(Subject::Planned(_)), None) | (None, _) => None,
        };
        let attempt = Attempt { step, edited, policy, rule };
        let Some(request) = attempt.request() else {
            return failed(Problem::new("the id of what an earlier step made is not known").hint("run again"));
        };
        if step.op != Op::Create {
            match self.look(&attempt).await {
                Ok((Standing::Before, _)) => {}
                // What was edited in this run is approved anew, whatever status the edit left.
                Ok((Standing::After, _)) if edited && step.op != Op::Delete => {}
                Ok((Standing::After, _)) => return (Ended::FoundDone { sent: false }, Created::default()),
                Ok((standing, _)) => return failed(attempt.moved(standing)),
                Err(error) => return failed(Problem::new(format!("it could not be looked at: {error}")).outage()),
            }
        }
        let mut sent = 1;
        loop {
            let unknown = match self.writer.send(&request).await {
                WriteOutcome::Done { body, .. } => return self.answered(&attempt, &body).await,
                WriteOutcome::Refused(refusal) => return self.refused(&attempt, &refusal).await,
                WriteOutcome::NotSent(error) => {
                    return failed(Problem::new(format!("it was not sent: {error}")).outage());
                }
                WriteOutcome::Unknown(error) => error,
            };
            match self.settle(&attempt).await {
                Ok((Standing::After, made)) => return (Ended::FoundDone { sent: true }, made),
                Ok((Standing::Before, _)) if step.op == Op::Create => {
                    let message = format!("no answer, and it is not there: {unknown}");
                    let problem = Problem::new(message).written().outage();
                    return failed(problem.hint("run again: it is made then, or found"));
                }
                Ok((Standing::Before, _)) if sent < ATTEMPTS => sent += 1,
                Ok((Standing::Before, _)) => {
                    let message = format!("it was sent {sent} times without effect: {unknown}");
                    return failed(Problem::new(message).outage());
                }
                Ok((standing, _)) => return failed(attempt.moved(standing).written()),
                Err(error) => {
                    let message = format!("nobody knows whether it was done: {unknown}; looking again: {error}");
                    return failed(Problem::new(message).written().outage().hint("run again"));
                }
            }
        }
    }

    /// Looks until the object is no longer as before, for as long as an unanswered write may take.
    async fn settle(&self, attempt: &Attempt<'_>) -> Result<(Standing, Created), Error> {
        let mut seen = self.look(attempt).await?;
        for wait in SETTLING {
            if seen.0 != Standing::Before {
                break;
            }
            self.reader.pause(wait).await;
            seen = self.look(attempt).await?;
        }
        Ok(seen)
    }

    async fn look(&self, attempt: &Attempt<'_>) -> Result<(Standing, Created), Error> {
        let step = attempt.step;
        if step.op != Op::Create {
            let object = match (step.object(), &attempt.policy, &attempt.rule) {
                (Object::Rule, _, Some(rule)) => self.reader.rule(rule).await?.map(|rule| shown_rule(&rule)),
                (Object::Policy, Some(policy), _) => self.reader.policy(policy).await?.map(|policy| shown(&policy)),
                (Object::Rule, _, None) | (Object::Policy, None, _) => None,
            };
            return Ok((attempt.standing(object), Created::default()));
        }
        let mut created = Created::default();
        let object = match (step.object(), &attempt.policy) {
            (Object::Policy, _) => self.reader.named(&step.policy_name).await?.first().map(|policy| {
                created.policies.insert(step.policy_name.clone(), policy.id.clone());
                shown(policy)
            }),
            (Object::Rule, Some(policy)) => {
                let rule_id = step.rule_id.clone().unwrap_or_default();
                let rules = self.reader.rules(policy).await?;
                rules.iter().find(|rule| rule.rule_id == rule_id).map(|rule| {
                    created.rules.insert((policy.clone(), rule_id), rule.id.clone());
                    shown_rule(rule)
                })
            }
            (Object::Rule, None) => None,
        };
        let standing = match object {
            None => Standing::Before,
            Some(object) => attempt.standing(Some(object)),
        };
        Ok((standing, created))
    }

    async fn answered(&self, attempt: &Attempt<'_>, body: &Value) -> (Ended, Created) {
        let step = attempt.step;
        if step.op == Op::Delete {
            return (Ended::Done { overtaken: None }, Created::default());
        }
        let mut created = Created::default();
        let object = match step.object() {
            Object::Policy => serde_json::from_value::<wire::Policy>(body.clone()).ok().map(|policy| {
                created.policies.insert(step.policy_name.clone(), policy.id.clone());
                shown(&policy.live())
            }),
            Object::Rule => serde_json::from_value::<wire::Rule>(body.clone()).ok().map(|rule| {
                let key = (attempt.policy.clone().unwrap_or_default(), step.rule_id.clone().unwrap_or_default());
                created.rules.insert(key, rule.id.clone());
                shown_rule(&rule.live())
            }),
        };
        let (standing, created) = match object {
            Some(object) => (attempt.standing(Some(object)), created),
            // It was taken, and the answer cannot be understood: what is there counts.
            None => match self.settle(attempt).await {
                Ok(seen) => seen,
                Err(error) => {
                    let problem = Problem::new(format!("its answer cannot be understood: {error}")).written();
                    return (Ended::Failed(problem), Created::default());
                }
            },
        };
        match standing {
            Standing::After => (Ended::Done { overtaken: None }, created),
            standing @ (Standing::Before | Standing::Gone | Standing::Other(_)) => {
                (Ended::Failed(attempt.moved(standing).written()), created)
            }
        }
    }

    async fn refused(&self, attempt: &Attempt<'_>, refusal: &Refusal) -> (Ended, Created) {
        let step = attempt.step;
        if (refusal.status, step.op) == (404, Op::Delete) {
            return (Ended::FoundDone { sent: false }, Created::default());
        }
        // Some ways to say that it is so already.
        if matches!(refusal.status, 400 | 409 | 422)
            && matches!(step.op, Op::Create | Op::Approve | Op::Reject | Op::Activate)
            && let Ok((Standing::After, created)) = self.look(attempt).await
        {
            return (Ended::FoundDone { sent: true }, created);
        }
        let problem = Problem::new(format!("the service refused it: {refusal}"));
        let problem = match (refusal.status, step.op) {
            (403, _) => problem.hint("the account needs permission to edit and review policies in Vijil"),
            (_, Op::Activate) => problem.hint("plan again, and see which rules are not approved"),
            _ => problem,
        };
        (Ended::Failed(problem), Created::default())
    }
}

impl Attempt<'_> {
    fn request(&self) -> Option<Request> {
        let request = self.step.request();
        let path = request.path.into_iter().map(|segment| match segment {
            Segment::Text(text) => Some(text),
            Segment::Policy(_) => self.policy.clone(),
            Segment::Rule(_) => self.rule.clone(),
        });
        let query = request.query.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Some(Request { method: request.method, path: path.collect::<Option<_>>()?, query, body: request.body })
    }

    fn standing(&self, object: Option<Fields>) -> Standing {
        let Some(object) = object else {
            return if self.step.op == Op::Delete { Standing::After } else { Standing::Gone };
        };
        let is = |side: &Option<Fields>, with_status: bool| {
            side.as_ref().is_some_and(|side| {
                side.iter().all(|(key, value)| {
                    let counts = key != "review_notes" && (key != "status" || with_status);
                    !counts || same_value(object.get(key).unwrap_or(&Value::Null), value)
                })
            })
        };
        let rule = self.step.object() == Object::Rule;
        // The status of a rule after an edit is the service's choice; that of a new object too.
        let after = is(&self.step.after, !(rule && self.step.op == Op::Update) && self.step.op != Op::Create);
        let before = is(&self.step.before, !(rule && self.edited));
        match (after, before) {
            (true, _) => Standing::After,
            (false, true) => Standing::Before,
            (false, false) => Standing::Other(object),
        }
    }

    fn moved(&self, found: Standing) -> Problem {
        let text = |object: &Fields| Value::Object(object.clone()).to_string();
        match found {
            Standing::Gone => Problem::moved("it is gone", None),
            Standing::Other(found) => {
                let planned = self.step.before.as_ref().or(self.step.after.as_ref()).map(text).unwrap_or_default();
                Problem::moved("it is no longer what the plan saw", Some(Versions { planned, found: text(&found) }))
            }
            Standing::Before | Standing::After => Problem::new("the service said it was done, and it was not"),
        }
    }
}
