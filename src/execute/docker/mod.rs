//! Calls to Docker: checks of objects, and the meaning of answers and refusals.

mod reads;
mod verify;
mod versions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use self::reads::Reads;
use self::verify::{named, observed};
use super::created::{Created, path};
use super::docker::versions::Known;
use super::observation::{Answer, NEXT_PLAN, Observed, Seen, Unread, failed};
use super::outcome::{Problem, StepOutcome, Versions};
use crate::model::{LivePolicy, PolicyId, Rule, RuleId};
use crate::model::{MAX_POLICIES, MAX_RULES};
use crate::plan::DockerPlan;
use crate::plan::docker::fingerprint::is_same_policy;
use crate::plan::docker::{
    Change, PolicyFields, PolicyTarget, RuleTarget, Step, changed_fields, json, request,
};
use crate::plan::saved::sides;
use crate::plan::step::{Delta, Object, Op, Reason};
use crate::service::docker::{Error, Reader, Request, Writer, wire};
use crate::service::http::{self, Refusal, WriteOutcome};

/// The organization of a plan.
#[derive(Clone, Debug)]
pub(super) struct Docker {
    reader: Reader,
    writer: Writer,
    org: String,
    known: Arc<Mutex<Known>>,
    reads: Arc<Reads>,
}

/// One call with the ids of its objects.
#[derive(Debug)]
pub(super) struct Call {
    docker: Docker,
    change: Change,
    because: Option<Reason>,
    policy: Option<PolicyId>,
    rule: Option<RuleId>,
    request: Request,
}

impl Docker {
    pub(super) fn new(reader: Reader, writer: Writer, plan: Option<&DockerPlan>) -> Self {
        let org = plan.map(|plan| plan.target.org.clone()).unwrap_or_default();
        let touched = plan.map_or(&[][..], |plan| &plan.live.touched);
        let known = Arc::new(Mutex::new(Known::new(touched)));
        Self { reader, writer, org, known, reads: Arc::default() }
    }

    /// Starts a phase of these steps: earlier checks no longer count.
    pub(super) fn begin<'a>(&self, steps: impl Iterator<Item = &'a Step>) {
        self.reads.clear();
        self.known().begin(steps);
    }

    /// Records that a step was carried out, after its phase.
    pub(super) fn done(&self, step: &Step) {
        self.known().done(&step.change);
    }

    /// Reads the policy of a step whose turn comes soon, so that no call waits for that read alone.
    pub(super) fn look_ahead(&self, step: &Step) -> Option<impl Future<Output = ()> + use<>> {
        let (docker, id) = (self.clone(), step.change.policy().existing()?.clone());
        Some(async move {
            // A failure is the step's to report, which then reads again.
            drop(docker.reads.policy(&docker.reader, &id, None).await);
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call of a step, with the ids that earlier steps created; `None` while one of them is
    /// unknown.
    pub(super) fn call(&self, step: &Step, created: &Created) -> Option<Call> {
        let change = &step.change;
        let policy = match change.policy() {
            PolicyTarget::Existing(id) => Some(id.clone()),
            PolicyTarget::Planned(name) => created.policy_id(name).map(PolicyId),
        };
        let rule = match change.rule() {
            Some(RuleTarget::Existing(id)) => Some(id.clone()),
            Some(RuleTarget::Planned(name)) => {
                created.rule_id(&policy.as_ref()?.0, name).map(RuleId)
            }
            None => None,
        };
        let request = request(&self.org, change);
        let ids = (policy.as_ref().map(|id| id.0.as_str()), rule.as_ref().map(|id| id.0.as_str()));
        let path = path(request.path, ids.0, ids.1)?;
        let request = Request { method: request.method, path, body: request.body };
        Some(Call {
            docker: self.clone(),
            change: change.clone(),
            because: step.because,
            policy,
            rule,
            request,
        })
    }
}

/// Returns `true` if a step may close access. If others applied it, the access was closed already
/// or in the meantime, and steps that assume it to be open belong to the next plan.
pub(super) fn closes(change: &Change) -> bool {
    use crate::model::Decision;
    match change {
        Change::Rule { policy, delta: Delta::Create { after }, .. } => {
            policy.existing().is_some() && after.decision == Decision::Deny
        }
        Change::Rule { delta: Delta::Update { after, .. }, .. } => after.decision == Decision::Deny,
        Change::Rule { delta: Delta::Delete { before }, .. } => before.decision == Decision::Allow,
        Change::Policy { delta: Delta::Update { before, after }, .. } => {
            before.scope != after.scope
        }
        Change::Policy { delta: Delta::Create { .. } | Delta::Delete { .. }, .. } => false,
    }
}

impl Call {
    /// The objection to the call; `None` if there is none. New policies and their rules are not
    /// checked: names of policies are unique, so that the service refuses a second one, and a new
    /// policy has no rules.
    pub(super) async fn first_look(&self) -> Result<Option<(StepOutcome, Created)>, Unread> {
        if self.change.op() == Op::Create && self.change.policy().existing().is_none() {
            return Ok(None);
        }
        let policy = match &self.policy {
            Some(id) => {
                let Docker { reader, reads, .. } = &self.docker;
                let read = reads.policy(reader, id, None).await.map_err(unread)?;
                match self.is_missing_in(read.policy.as_deref()) {
                    true => reads.policy(reader, id, Some(&read)).await.map_err(unread)?.policy,
                    false => read.policy,
                }
            }
            None => None,
        };
        Ok(match self.seen(policy.as_deref()) {
            Seen { observed: Observed::Before, .. } => {
                let moved =
                    policy.and_then(|policy| self.docker.known().moved(&self.change, &policy));
                moved.map(failed)
            }
            Seen { observed, created } => Some((self.not_as_planned(observed), created)),
        })
    }

    /// Returns `true` if a policy lacks the rule of the step. A rule that an answer lacks may be
    /// there all the same.
    fn is_missing_in(&self, policy: Option<&LivePolicy>) -> bool {
        policy.is_some_and(|policy| {
            observed(&self.change, Some(policy), self.rule.as_ref()) == Observed::Gone
        })
    }

    /// Looks at the object again.
    pub(super) async fn observe(&self) -> Result<Seen, Unread> {
        let reader = &self.docker.reader;
        let policy = match (&self.policy, &self.change) {
            (_, Change::Policy { delta: Delta::Create { after }, .. }) => {
                let live = reader.live().await.map_err(unread)?;
                let policy = live.policies.into_iter().find(|policy| policy.name == after.name);
                if policy.is_none() {
                    return Ok(Seen { observed: Observed::Before, created: Created::default() });
                }
                policy
            }
            (Some(id), _) => match reader.policy(id).await.map_err(unread)? {
                policy if self.is_missing_in(policy.as_ref()) => {
                    reader.policy(id).await.map_err(unread)?
                }
                policy => policy,
            },
            (None, _) => None,
        };
        Ok(self.seen(policy.as_ref()))
    }

    /// The state of a policy, which may be missing, in relation to the step.
    fn seen(&self, policy: Option<&LivePolicy>) -> Seen {
        let created = policy.map(|policy| found(&self.change, policy)).unwrap_or_default();
        let mut observed = observed(&self.change, policy, self.rule.as_ref());
        if observed == Observed::Gone && self.change.op() == Op::Delete {
            observed = Observed::After;
        }
        Seen { observed, created }
    }

    pub(super) async fn send(&self) -> WriteOutcome {
        self.docker.writer.send(&self.request).await
    }

    pub(super) async fn pause(&self, wait: Duration) {
        self.docker.reader.pause(wait).await;
    }

    /// A refusal that may be caused by somebody else's change is verified by a check; others are
    /// taken literally.
    pub(super) async fn refused(&self, refusal: &Refusal) -> (StepOutcome, Created) {
        let explained = || failed(explain(&self.change, refusal));
        if !matches!(refusal.status, 404 | 409) {
            return explained();
        }
        match self.observe().await {
            Ok(Seen { observed: Observed::Before, .. }) | Err(_) => explained(),
            Ok(Seen { observed: Observed::After, created }) => {
                (StepOutcome::AlreadyApplied { sent: false }, created)
            }
            Ok(Seen { observed, .. }) => (self.not_as_planned(observed), Created::default()),
        }
    }

    /// A late call could create a second rule, since names of rules are not known to be unique, or
    /// undo the second half of a change.
    pub(super) fn still_to_come(&self, unknown: &http::Error) -> Option<Problem> {
        let busy = matches!(unknown, http::Error::TimeOut { .. })
            || unknown.refusal().is_some_and(|refusal| matches!(refusal.status, 408 | 499 | 504));
        let half = self.because == Some(Reason::SplitNarrows);
        let creates_rule = self.change.rule().is_some() && self.change.op() == Op::Create;
        let harms = half || creates_rule;
        (busy && harms)
            .then(|| Problem::new(format!("it may still be applied: {unknown}")).hint(NEXT_PLAN))
    }

    /// The content of an answer about the object before and after.
    pub(super) fn read_answer(&self, body: &Value) -> Answer {
        self.done(body).unwrap_or(Answer::Unclear)
    }

    /// `None` if the answer cannot be interpreted, or says that something else was made: then the
    /// actual state counts.
    fn done(&self, body: &Value) -> Option<Answer> {
        let policy =
            |value: &Value| serde_json::from_value::<wire::Policy>(value.clone()).ok()?.live().ok();
        let rule =
            |value: &Value| serde_json::from_value::<wire::Rule>(value.clone()).ok()?.live("").ok();
        let same_rule = |one: &Rule, other: &Rule| changed_fields(one, other).is_empty();
        let mut created = Created::default();
        let (as_asked, overtaken) = match &self.change {
            Change::Policy { delta: Delta::Create { after }, .. } => {
                let made = policy(body)?;
                created = Created::policy(&after.name, &made.id.0);
                (PolicyFields::new(&made.policy()) == *after, None)
            }
            Change::Rule { delta: Delta::Create { after }, .. } => {
                let made = rule(body)?;
                created = Created::rule(&self.policy.as_ref()?.0, &after.name, &made.id.0);
                (same_rule(&made.rule, after), None)
            }
            Change::Policy { delta: Delta::Update { before, after }, .. } => {
                let (old, new) =
                    (policy(body.get("old")?)?.policy(), policy(body.get("new")?)?.policy());
                let overtaken = PolicyFields::new(&old) != *before;
                (
                    PolicyFields::new(&new) == *after,
                    overtaken.then(|| json::policy_fields(&PolicyFields::new(&old))),
                )
            }
            Change::Rule { delta: Delta::Update { before, after }, .. } => {
                let (old, new) = (rule(body.get("old")?)?.rule, rule(body.get("new")?)?.rule);
                (same_rule(&new, after), (!same_rule(&old, before)).then(|| json::rule(&old)))
            }
            Change::Policy { delta: Delta::Delete { before }, .. } => {
                let gone = policy(body.get("deleted")?)?.policy();
                (true, (!is_same_policy(&gone, before)).then(|| json::policy(&gone)))
            }
            Change::Rule { delta: Delta::Delete { before }, .. } => {
                let gone = rule(body.get("deleted")?)?.rule;
                (true, (!same_rule(&gone, before)).then(|| json::rule(&gone)))
            }
        };
        let overtaken = overtaken.and_then(|found| self.versions(found.to_string()));
        as_asked.then_some(Answer::Done { created, overtaken })
    }

    /// The version that the plan saw, and the version that was found.
    fn versions(&self, found: String) -> Option<Versions> {
        let (before, after) = sides(&self.change);
        Some(Versions { planned: before.or(after)?.to_string(), found })
    }

    pub(super) fn not_as_planned(&self, found: Observed) -> StepOutcome {
        match found {
            Observed::After => StepOutcome::AlreadyApplied { sent: false },
            Observed::Before => StepOutcome::Failed(Problem::new(
                "the service said that it was done, and it was not",
            )),
            Observed::Gone => StepOutcome::Failed(Problem::moved("it is gone", None)),
            Observed::Other(found) => {
                let message = match self.change.op() {
                    Op::Create => "somebody created another one of this name",
                    Op::Update | Op::Delete | Op::Approve | Op::Reject | Op::Activate => {
                        "it is no longer what the plan saw"
                    }
                };
                StepOutcome::Failed(Problem::moved(message, self.versions(found)))
            }
        }
    }
}

fn unread(error: Error) -> Unread {
    let stopped = matches!(error, Error::Http(http::Error::Stopped { .. }));
    Unread { what: "its policy could not be read", error: error.to_string(), stopped }
}

/// The ids of a created object, found in its policy.
fn found(change: &Change, policy: &LivePolicy) -> Created {
    match change {
        Change::Policy { delta: Delta::Create { after }, .. } => {
            Created::policy(&after.name, &policy.id.0)
        }
        Change::Rule { delta: Delta::Create { after }, .. } => named(policy, &after.name)
            .map(|(id, _)| Created::rule(&policy.id.0, &after.name, &id.0))
            .unwrap_or_default(),
        Change::Policy { .. } | Change::Rule { .. } => Created::default(),
    }
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
            problem.hint("the service accepts less than its documentation says: change the document, and plan again")
        }
        (_, Object::Policy | Object::Rule) => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::{closes, explain};
    use crate::model::Decision::{self, Allow, Deny};
    use crate::model::{Action, PolicyId, Resources, Rule, RuleId, Scope};
    use crate::plan::docker::{Change, PolicyFields, PolicyTarget, RuleTarget};
    use crate::plan::step::Delta;
    use crate::service::http::Refusal;

    fn existing() -> PolicyTarget {
        PolicyTarget::Existing(PolicyId("pol_p".to_owned()))
    }

    fn rule(decision: Decision) -> Rule {
        let resources = Resources::Plain(vec!["a".to_owned()].into());
        Rule { name: "r".to_owned(), decision, actions: vec![Action::ConnectTcp], resources }
    }

    fn head(name: &str, team: &str) -> PolicyFields {
        let scope = Scope::Teams([team.to_owned()].into());
        PolicyFields { name: name.to_owned(), scope, cedar: None }
    }

    fn of_rule(delta: Delta<Rule>) -> Change {
        let target = RuleTarget::Existing(RuleId("rule_r".to_owned()));
        Change::Rule { policy: existing(), target, delta }
    }

    fn of_policy(before: PolicyFields, after: PolicyFields) -> Change {
        Change::Policy { target: existing(), delta: Delta::Update { before, after } }
    }

    #[test]
    fn a_call_may_close_access_that_existed() {
        let update =
            |decision| of_rule(Delta::Update { before: rule(decision), after: rule(decision) });
        let delete = |decision| of_rule(Delta::Delete { before: rule(decision) });
        let planned = PolicyTarget::Planned("p".to_owned());
        let table = [
            (Change::create_rule(existing(), rule(Deny)), true),
            (Change::create_rule(existing(), rule(Allow)), false),
            (Change::create_rule(planned, rule(Deny)), false),
            (update(Deny), true),
            (update(Allow), false),
            (delete(Allow), true),
            (delete(Deny), false),
            (of_policy(head("p", "a"), head("p", "b")), true),
            (of_policy(head("p", "a"), head("q", "a")), false),
            (Change::create_policy(head("p", "a")), false),
        ];
        for (change, expected) in table {
            assert_eq!(closes(&change), expected, "{change:?}");
        }
    }

    #[test]
    fn the_hint_for_a_refusal_is_about_the_call() {
        let refusal = |code: &str| Refusal {
            status: 400,
            code: Some(code.to_owned()),
            message: String::new(),
        };
        let (create, update) =
            (Change::create_policy(head("p", "a")), of_policy(head("p", "a"), head("p", "b")));
        let add = Change::create_rule(existing(), rule(Allow));
        let table = [
            (&create, "invalid_argument", Some("less than its documentation")),
            (&update, "invalid_argument", None),
            (&create, "limit_exceeded", Some("the organization may have")),
            (&add, "limit_exceeded", Some("the policy may have")),
            (&update, "permission_denied", Some("permission to edit")),
            (&create, "unknown", None),
        ];
        for (change, code, expected) in table {
            let hint = explain(change, &refusal(code)).hint;
            let fits = match expected {
                Some(text) => hint.as_ref().is_some_and(|hint| hint.contains(text)),
                None => hint.is_none(),
            };
            assert!(fits, "{code}: {hint:?}");
        }
    }
}
