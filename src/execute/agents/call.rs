//! Sends one step, and finds out what became of it.

use std::time::Duration;

use serde_json::Value;

use super::Created;
use super::attempt::{Attempt, Standing};
use crate::execute::outcome::{Ended, Problem};
use crate::model::Fields;
use crate::plan::agents::diff::{shown, shown_rule};
use crate::plan::agents::step::{AgentStep, Subject};
use crate::plan::step::{Object, Op, Reason};
use crate::service::http::{self, Refusal, WriteOutcome};
use crate::service::vijil::{Error, Reader, Writer, wire};

/// How often a write that can be repeated is sent after a look showed that it had done nothing.
const ATTEMPTS: u32 = 3;
/// How long an unanswered write is given before what is not there counts as not done.
const SETTLING: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

#[derive(Clone, Debug)]
pub(super) struct Caller {
    reader: Reader,
    writer: Writer,
}

impl Caller {
    pub(super) fn new(reader: Reader, writer: Writer) -> Self {
        Self { reader, writer }
    }

    /// One step, by the ids of what earlier ones created; and what it created itself.
    pub(super) async fn carry_out(&self, step: &AgentStep, edited: bool, created: &Created) -> (Ended, Created) {
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
        // A policy that this run has made has no rules yet; everything else may be there already, and the service would
        // make a second one.
        let found = attempt.policy.as_ref().is_some_and(|policy| created.found.contains(policy));
        let new = matches!(step.policy, Subject::Planned(_)) && !found;
        if step.op != Op::Create || step.rule.is_none() || !new {
            match self.look(&attempt, true).await {
                Ok((Standing::Before, _)) => {}
                // What was edited in this run is reviewed anew, whatever status the edit left.
                Ok((Standing::After, _)) if attempt.is_review_of_an_edit() => {}
                Ok((Standing::After, made)) => return (Ended::FoundDone { sent: false }, made),
                Ok((standing, _)) => return failed(attempt.moved(standing)),
                Err(Error::Http(http::Error::Stopped { .. })) => return (Ended::Stopped, Created::default()),
                Err(error) => return failed(Problem::new(format!("it could not be looked at: {error}")).outage()),
            }
        }
        let mut sent = 1;
        loop {
            let unknown = match self.writer.send(&request).await {
                WriteOutcome::Done { body, .. } => return self.answered(&attempt, &body).await,
                WriteOutcome::Refused(refusal) => return self.refused(&attempt, &refusal).await,
                WriteOutcome::NotSent(http::Error::Stopped { .. }) => return (Ended::Stopped, Created::default()),
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

    /// Whether a policy whose rules were edited in place is still active.
    pub(super) async fn is_active(&self, policy: &Subject) -> Result<(), Problem> {
        let Subject::Existing(id) = policy else { return Ok(()) };
        match self.reader.policy(id).await {
            Ok(Some(policy)) if policy.status == "active" => Ok(()),
            Ok(policy) => {
                let status = policy.map_or_else(|| "gone".to_owned(), |policy| format!("`{}`", policy.status));
                let message = format!("the rules were edited, and the policy is no longer active but {status}");
                Err(Problem::new(message)
                    .written()
                    .hint("apply again: that activates it; where the console always does this, set `vijil.edit_active: deactivate`"))
            }
            Err(error) => {
                let message = format!("it is not known whether the policy is still active: {error}");
                Err(Problem::new(message).written().outage().hint("run again"))
            }
        }
    }

    /// Looks until the object is no longer as before, for as long as an unanswered write may take.
    async fn settle(&self, attempt: &Attempt<'_>) -> Result<(Standing, Created), Error> {
        let mut seen = self.look(attempt, true).await?;
        for wait in SETTLING {
            if seen.0 != Standing::Before {
                break;
            }
            self.reader.pause(wait).await;
            seen = self.look(attempt, true).await?;
        }
        Ok(seen)
    }

    /// How the object stands now; with `own`, a review counts only when it is this step's own, not one of before the edit.
    async fn look(&self, attempt: &Attempt<'_>, own: bool) -> Result<(Standing, Created), Error> {
        let step = attempt.step;
        if step.op != Op::Create {
            let object = match (step.object(), &attempt.policy, &attempt.rule) {
                (Object::Rule, _, Some(rule)) => self.reader.rule(rule).await?.map(|rule| shown_rule(&rule)),
                (Object::Policy, Some(policy), _) => self.reader.policy(policy).await?.map(|policy| shown(&policy)),
                (Object::Rule, _, None) | (Object::Policy, None, _) => None,
            };
            let object = match object {
                None if step.op == Op::Delete => self.listed(attempt).await?,
                object => object,
            };
            let mut standing = attempt.standing(object.as_ref());
            if own && standing == Standing::After && !attempt.is_own_review(object.as_ref()) {
                standing = Standing::Before;
            }
            return Ok((standing, Created::default()));
        }
        let mut created = Created::default();
        let object = match (step.object(), &attempt.policy) {
            (Object::Policy, _) => self.reader.named(&step.policy_name).await?.first().map(|policy| {
                created.policies.insert(step.policy_name.clone(), policy.id.clone());
                created.found.insert(policy.id.clone());
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
            Some(object) => attempt.standing(Some(&object)),
        };
        Ok((standing, created))
    }

    /// What was not found by its id, as the list shows it: a single answer is not believed that something is gone.
    async fn listed(&self, attempt: &Attempt<'_>) -> Result<Option<Fields>, Error> {
        Ok(match (attempt.step.object(), &attempt.policy, &attempt.rule) {
            (Object::Rule, Some(policy), Some(rule)) => {
                self.reader.rules(policy).await?.iter().find(|listed| listed.id == *rule).map(shown_rule)
            }
            (Object::Policy, Some(policy), _) => {
                let named = self.reader.named(&attempt.step.policy_name).await?;
                named.iter().find(|listed| listed.id == *policy).map(shown)
            }
            (Object::Rule, ..) | (Object::Policy, None, _) => None,
        })
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
            Some(object) => (attempt.standing(Some(&object)), created),
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
        if (refusal.status, step.op) == (404, Op::Delete)
            && let Ok((Standing::After, _)) = self.look(attempt, true).await
        {
            return (Ended::FoundDone { sent: false }, Created::default());
        }
        // Some ways to say that it is so already.
        if matches!(refusal.status, 400 | 409 | 422)
            && matches!(step.op, Op::Create | Op::Approve | Op::Reject | Op::Activate)
            && let Ok((Standing::After, created)) = self.look(attempt, false).await
        {
            return (Ended::FoundDone { sent: true }, created);
        }
        let problem = Problem::new(format!("the service refused it: {refusal}"));
        let problem = match (refusal.status, step.op) {
            (400 | 409 | 422, Op::Create | Op::Update) if step.because == Some(Reason::EditedInPlace) => problem.hint(
                "where the console refuses edits of active policies, set `vijil: {edit_active: deactivate}` in `seawall.yaml`",
            ),
            (403, _) => problem.hint("the account needs permission to edit and review policies in Vijil"),
            (_, Op::Activate) => problem.hint("plan again, and see which rules are not approved"),
            (_, Op::Delete) if step.object() == Object::Policy => problem
                .hint("where it holds to its rules: declare it with `rules: []`, apply, then remove the document"),
            _ => problem,
        };
        (Ended::Failed(problem), Created::default())
    }
}
