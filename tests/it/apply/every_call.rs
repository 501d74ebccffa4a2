//! Every kind of fault at every call of an apply, for every change: nothing opens, nothing is there twice, the report is
//! true, and the next apply ends in what is wanted.

use std::io::Write as _;
use std::sync::Arc;

use seawall::emulator::{Answer, Edit, Fault, FaultKind, Form, State, Wait, WaitForm};
use seawall::execute::Ended;
use seawall::exit::Exit;
use seawall::model::{Decision, Desired};
use tokio::task::JoinSet;

use super::changes::{Change, changes};
use super::judge::{Judge, doubled};
use super::{Ending, ORG, Organization};

/// What happens to one call.
pub(super) fn faults() -> Vec<(&'static str, FaultKind)> {
    let answer = |status, code: &str, form| Answer { status, code: code.to_owned(), form };
    let refuse = |status, code, form| FaultKind::Refuse(answer(status, code, form));
    let after = |status, form| FaultKind::RefuseAfter(answer(status, "internal", form));
    let limit = |form| FaultKind::RateLimit(Wait { seconds: 30, form });
    vec![
        ("cut", FaultKind::Cut),
        ("lost before", FaultKind::LoseBefore),
        ("lost after", FaultKind::LoseAfter),
        ("tokens expire", FaultKind::ExpireTokens),
        ("429 in seconds", limit(WaitForm::Seconds)),
        ("429 as a date", limit(WaitForm::Date)),
        ("429 as a Unix time", limit(WaitForm::Unix)),
        ("429 as a reset", limit(WaitForm::Reset)),
        ("429 in the older way", limit(WaitForm::Older)),
        ("429 without a time", limit(WaitForm::Silent)),
        ("400", refuse(400, "invalid_argument", Form::Governance)),
        ("401", refuse(401, "unauthenticated", Form::Hub)),
        ("403", refuse(403, "permission_denied", Form::Governance)),
        ("403 at the limit", refuse(403, "limit_exceeded", Form::Governance)),
        ("404 of a gateway", refuse(404, "", Form::Html)),
        ("409", refuse(409, "conflict", Form::Governance)),
        ("500", refuse(500, "internal", Form::Governance)),
        ("502 as a page", refuse(502, "", Form::Html)),
        ("503 as text", refuse(503, "", Form::Text)),
        ("503 of the Hub", refuse(503, "", Form::Hub)),
        ("504 without a body", refuse(504, "", Form::Empty)),
        ("500 after the effect", after(500, Form::Governance)),
        ("502 after the effect", after(502, Form::Html)),
        ("504 after the effect", after(504, Form::Empty)),
    ]
}

/// What somebody else does just before one call.
fn meddling(finished: &State) -> Vec<(&'static str, Edit)> {
    let finished = finished.clone();
    let first = |state: &mut State| state.org_mut(ORG).policies.values().map(|one| one.name.clone()).min();
    let on_first = move |change: fn(&mut seawall::emulator::docker::Policy)| {
        Edit::new(move |state| {
            if let Some(name) = first(state) {
                change(state.org_mut(ORG).policy_mut(&name).unwrap());
            }
        })
    };
    vec![
        (
            "somebody carries it all out",
            Edit::new(move |state| {
                state.org_mut(ORG).policies = finished.orgs[ORG].policies.clone();
                state.ids_given = state.ids_given.max(finished.ids_given);
            }),
        ),
        (
            "somebody deletes a policy",
            Edit::new(move |state| {
                let name = first(state);
                state.org_mut(ORG).policies.retain(|_, policy| Some(&policy.name) != name.as_ref());
            }),
        ),
        ("somebody renames a policy", on_first(|policy| policy.name = "theirs".to_owned())),
        (
            "somebody turns a rule around",
            on_first(|policy| {
                for rule in policy.allowlist_v0.iter_mut().flat_map(|list| &mut list.rules).take(1) {
                    rule.decision = match rule.decision {
                        Decision::Allow => Decision::Deny,
                        Decision::Deny => Decision::Allow,
                    };
                }
            }),
        ),
        (
            "somebody deletes a rule",
            on_first(|policy| {
                if let Some(list) = &mut policy.allowlist_v0 {
                    list.rules.truncate(list.rules.len() - 1);
                    list.derive_domain();
                }
            }),
        ),
        ("somebody rescopes a policy", on_first(|policy| policy.scope = Default::default())),
    ]
}

/// A change with what its runs are held against.
struct Course {
    name: &'static str,
    before: Desired,
    after: Desired,
    /// Calls of an apply that nothing disturbs.
    calls: usize,
    finished: State,
    judge: Judge,
}

impl Course {
    /// The apply without a fault: the calls of the plan, in an order that opens nothing.
    async fn undisturbed(change: &Change) -> Self {
        let (name, (before, after)) = (change.name, change.ends());
        let organization = Organization::new(&before, |builder| builder).await;
        let old = organization.emulator.state();
        let ending = organization.apply(&after).await;
        let Ending::Outcome(plan, outcome) = &ending else { panic!("{name}: {ending:?}") };
        assert_eq!(outcome.exit(), Exit::Done, "{name}: {outcome:?}");
        let expected = change.because.is_none_or(|because| plan.steps.iter().any(|step| step.because == Some(because)));
        assert!(expected, "{name}: {:?}", plan.steps);
        assert_eq!(organization.emulator.writes().len(), plan.steps.len(), "{name}");
        let calls = organization.emulator.calls().len();
        let finished = organization.emulator.state();
        let judge = Judge::new([old, finished.clone()]);
        for state in organization.passed() {
            assert_eq!(judge.opening(&state), None, "{name}: {state:?}");
        }
        Self { name, before, after, calls, finished, judge }
    }

    /// One fault at one call: the apply that it meets, and the one after it.
    async fn disturbed(&self, fault: &str, kind: FaultKind, call: usize) {
        let what = format!("{}, {fault} at call {call}", self.name);
        let meddled = matches!(kind, FaultKind::Edit(_));
        let organization = Organization::new(&self.before, |builder| builder).await;
        let old = organization.emulator.state();
        organization.emulator.arm(Fault::new(kind).nth(call));
        let ending = organization.apply(&self.after).await;
        let stopped_in = organization.emulator.state();
        organization.heal();
        let untouched = meddled || old.orgs[ORG].policies == stopped_in.orgs[ORG].policies;
        check_report(&what, &ending, untouched);

        // Running again finishes.
        let again = organization.apply(&self.after).await;
        assert_eq!(again.exit(), Exit::Done, "{what}: {again:?}");
        let plan = organization.plan(&self.after).await.unwrap();
        assert!(plan.is_empty(), "{what}: {:?}", plan.steps);
        for state in organization.passed() {
            assert_eq!(doubled(&state), None, "{what}");
            // What somebody else opens, they open.
            assert_eq!(if meddled { None } else { self.judge.opening(&state) }, None, "{what}: {state:?}");
        }
    }
}

/// The report and the exit code say what happened.
fn check_report(what: &str, ending: &Ending, untouched: bool) {
    let outcome = match ending {
        Ending::Unread(_) => return assert!(untouched, "{what}: {ending:?}"),
        Ending::Outcome(_, outcome) => outcome,
    };
    match outcome.exit() {
        Exit::Done => assert!(outcome.steps.values().all(Ended::is_done), "{what}: {outcome:?}"),
        Exit::Partial => assert!(outcome.wrote() && outcome.counts().failed > 0, "{what}: {outcome:?}"),
        Exit::Refused | Exit::Failed => assert!(untouched && outcome.counts().failed > 0, "{what}: {outcome:?}"),
        exit @ (Exit::Invalid | Exit::Usage | Exit::Pending) => panic!("{what}: {exit:?} {outcome:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_at_any_call_opens_doubles_or_loses_anything() {
    const AT_ONCE: usize = 6;
    let (mut runs, mut tried) = (JoinSet::new(), 0_usize);
    for change in &changes() {
        let course = Arc::new(Course::undisturbed(change).await);
        let edits = meddling(&course.finished).into_iter().map(|(name, edit)| (name, FaultKind::Edit(edit)));
        for (name, kind) in faults().into_iter().chain(edits) {
            for call in 1..=course.calls {
                let (course, kind) = (Arc::clone(&course), kind.clone());
                runs.spawn(async move { course.disturbed(name, kind, call).await });
                tried += 1;
                if runs.len() >= AT_ONCE {
                    runs.join_next().await.unwrap().unwrap();
                }
            }
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
    // Past the capture of the test runner: how much was tried belongs to the result.
    writeln!(std::io::stderr(), "{} changes, each fault at each call: {tried} runs", changes().len()).unwrap();
}
