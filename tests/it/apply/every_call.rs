//! Every kind of fault at every call of an apply, for every change: nothing opens, nothing is there
//! twice, the report is true, and the next apply ends in what is wanted.
//!
//! What it means that nothing opens, in each of three parts of a run:
//!
//! * As long as nobody else meddles, the ends are the state before the apply and the state that it
//!   leads to.
//! * Once somebody has edited an object, what they opened is theirs, and so is what their edit
//!   makes of the two ends: a deny that they delete is missing before and after. A call of ours may
//!   open what the state with their edit, or one of the two ends with or without it, opens; and
//!   nothing else. The order of calls was made for the policies as the plan saw them, and those
//!   that no step touches are not looked at again: where somebody edits one of these, our calls
//!   open nothing that it, as it was, would have kept closed. The service offers no way to lock or
//!   to compare, so that an edit can always fall between a look and a write.
//! * The next apply begins where the first one stopped: its ends are that state and the one that it
//!   leads to, whatever the ends of the first were.

use std::io::Write as _;
use std::sync::{Arc, Mutex};

use seawall::emulator::docker::Policy;
use seawall::emulator::{Answer, Edit, FalseAnswer, Fault, FaultKind, Form, State, Wait, WaitForm};
use seawall::execute::{Outcome, StepOutcome};
use seawall::exit::Exit;
use seawall::model::{Decision, Desired};
use tokio::task::JoinSet;

use super::changes::{Change, changes};
use super::judge::{Judge, alike, doubled};
use super::{Ending, ORG, Organization};

/// The fate of one call, and the answer of the service.
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
        ("an empty page", FaultKind::FalseAnswer(FalseAnswer::Empty)),
        ("a list without its first entry", FaultKind::FalseAnswer(FalseAnswer::Missing)),
        ("a policy without its rules", FaultKind::FalseAnswer(FalseAnswer::Bare)),
        ("a stale answer", FaultKind::FalseAnswer(FalseAnswer::Stale)),
        ("half of the JSON", FaultKind::FalseAnswer(FalseAnswer::Short)),
        ("an error under 200", FaultKind::FalseAnswer(FalseAnswer::Envelope)),
        ("500 after the effect", after(500, Form::Governance)),
        ("502 after the effect", after(502, Form::Html)),
        ("504 after the effect", after(504, Form::Empty)),
    ]
}

/// Faults that do what another one does, and say it in another way.
const REWORDED: [&str; 8] = [
    "429 as a date",
    "429 as a Unix time",
    "429 as a reset",
    "429 in the older way",
    "502 as a page",
    "503 of the Hub",
    "504 without a body",
    "502 after the effect",
];

/// The objects that somebody else edits: the first policy, and its last rule.
#[derive(Clone, PartialEq)]
pub(super) struct Target {
    id: String,
    name: String,
    rule: Option<String>,
}

impl Target {
    fn of(state: &State) -> Option<Self> {
        Self::choose(state, 0, usize::MAX)
    }

    /// A policy, by its place among their names, and one of its rules; the last one where there are
    /// fewer.
    pub(super) fn choose(state: &State, policy: usize, rule: usize) -> Option<Self> {
        let mut policies: Vec<_> = state.orgs[ORG].policies.values().collect();
        policies.sort_by(|one, other| one.name.cmp(&other.name));
        let policy = policies.get(policy.min(policies.len().checked_sub(1)?))?;
        let rule = policy
            .rules()
            .get(rule.min(policy.rules().len().saturating_sub(1)))
            .map(|rule| rule.name.clone());
        Some(Self { id: policy.id.clone(), name: policy.name.clone(), rule })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Its id in a state: the same, else that of its name.
    fn id_in(&self, state: &State) -> Option<String> {
        let policies = &state.orgs[ORG].policies;
        let named = || {
            policies
                .values()
                .find(|policy| policy.name == self.name)
                .map(|policy| policy.id.clone())
        };
        policies.contains_key(&self.id).then(|| self.id.clone()).or_else(named)
    }
}

/// The edit of somebody else just before one call.
pub(super) type Meddle = Arc<dyn Fn(&mut State, &Target) + Send + Sync>;

pub(super) fn meddling(finished: &State) -> Vec<(&'static str, Meddle)> {
    let finished = finished.clone();
    let on_policy = |change: fn(&mut Policy, Option<&str>)| -> Meddle {
        Arc::new(move |state, target| {
            if let Some(id) = target.id_in(state) {
                let policy = state.org_mut(ORG).policies.get_mut(&id).unwrap();
                change(Arc::make_mut(policy), target.rule.as_deref());
            }
        })
    };
    vec![
        (
            "somebody carries it all out",
            Arc::new(move |state, _| {
                state.org_mut(ORG).policies = finished.orgs[ORG].policies.clone();
                state.ids_given = state.ids_given.max(finished.ids_given);
            }),
        ),
        (
            "somebody deletes a policy",
            Arc::new(|state, target| {
                if let Some(id) = target.id_in(state) {
                    state.org_mut(ORG).policies.remove(&id);
                }
            }),
        ),
        ("somebody renames a policy", on_policy(|policy, _| policy.name = "theirs".to_owned())),
        (
            "somebody turns a rule around",
            on_policy(|policy, name| {
                let rules = policy.allowlist_v0.iter_mut().flat_map(|list| &mut list.rules);
                for rule in rules.filter(|rule| Some(rule.name.as_str()) == name) {
                    rule.decision = match rule.decision {
                        Decision::Allow => Decision::Deny,
                        Decision::Deny => Decision::Allow,
                    };
                }
            }),
        ),
        (
            "somebody deletes a rule",
            on_policy(|policy, name| {
                if let Some(list) = &mut policy.allowlist_v0 {
                    list.rules.retain(|rule| Some(rule.name.as_str()) != name);
                    list.derive_domain();
                }
            }),
        ),
        ("somebody rescopes a policy", on_policy(|policy, _| policy.scope = Default::default())),
    ]
}

/// A change with what its runs are held against.
pub(super) struct Course {
    pub(super) name: &'static str,
    pub(super) before: Desired,
    pub(super) after: Desired,
    /// Calls of an apply that nothing disturbs.
    pub(super) calls: usize,
    /// The first of them, which only read.
    planning: usize,
    pub(super) old: State,
    pub(super) finished: State,
    judge: Judge,
    /// Judges of applies that go on from a state, and of changes that somebody meddled with, each
    /// made once.
    others: Mutex<Vec<(Vec<State>, Arc<Judge>)>>,
}

impl Course {
    /// The apply without a fault: the calls of the plan, in an order that opens nothing.
    pub(super) async fn undisturbed(change: &Change) -> Self {
        let (name, (before, after)) = (change.name, change.ends());
        let organization = Organization::new(&before, |builder| builder).await;
        let old = organization.emulator.state();
        organization.plan(&after).await.unwrap();
        let planning = organization.emulator.calls().len();
        organization.emulator.forget_calls();
        let ending = organization.apply(&after).await;
        let Ending::Outcome(plan, outcome) = &ending else { panic!("{name}: {ending:?}") };
        assert_eq!(outcome.exit(), Exit::Done, "{name}: {outcome:?}");
        let expected = change.because.is_none_or(|because| {
            plan.docker_steps().iter().any(|step| step.because == Some(because))
        });
        assert!(expected, "{name}: {:?}", plan.docker_steps());
        assert_eq!(organization.emulator.writes().len(), plan.docker_steps().len(), "{name}");
        let calls = organization.emulator.calls().len();
        let finished = organization.emulator.state();
        let judge = Judge::new([old.clone(), finished.clone()]);
        for state in organization.passed() {
            assert_eq!(judge.opening(&state), None, "{name}: {state:?}");
        }
        Self {
            name,
            before,
            after,
            calls,
            planning,
            old,
            finished,
            judge,
            others: Mutex::default(),
        }
    }

    /// The judge of these ends.
    fn judge_of(&self, ends: &[State]) -> Arc<Judge> {
        let mut others = self.others.lock().unwrap();
        let same = |known: &[State]| {
            known.len() == ends.len()
                && known.iter().zip(ends).all(|(one, other)| alike(one, other))
        };
        if let Some((_, judge)) = others.iter().find(|(known, _)| same(known)) {
            return Arc::clone(judge);
        }
        let judge = Arc::new(Judge::new(ends.to_vec()));
        others.push((ends.to_vec(), Arc::clone(&judge)));
        judge
    }

    /// One fault at one call: the apply that it meets, and the one after it.
    async fn disturbed(&self, fault: &str, kind: FaultKind, call: usize) {
        let what = format!("{}, {fault} at call {call}", self.name);
        let organization = Organization::new(&self.before, |builder| builder).await;
        organization.emulator.arm(Fault::new(kind).nth(call));
        let ending = organization.apply(&self.after).await;
        let untouched = alike(&self.old, &organization.emulator.state());
        check_report(&what, &ending, untouched);
        let (first, second) = self.finished_by_the_next(&what, &organization).await;
        self.judge_first(&what, &first);
        self.judge_second(&what, &second);
    }

    /// An edit by somebody else just before one call, and the apply after it.
    async fn meddled_with(&self, fault: &str, meddle: Meddle, call: usize) {
        let what = format!("{}, {fault} at call {call}", self.name);
        let organization = Organization::new(&self.before, |builder| builder).await;
        let met: Arc<Mutex<Option<(usize, Target)>>> = Arc::default();
        let edit = {
            let (met, passed, meddle) =
                (Arc::clone(&met), Arc::clone(&organization.passed), Arc::clone(&meddle));
            Edit::new(move |state| {
                let Some(target) = Target::of(state) else { return };
                meddle(state, &target);
                let mut passed = passed.lock().unwrap();
                *met.lock().unwrap() = Some((passed.len(), target));
                passed.push(state.clone());
            })
        };
        organization.emulator.arm(Fault::new(FaultKind::Edit(edit)).nth(call));
        let ending = organization.apply(&self.after).await;
        check_report(&what, &ending, true);
        let (first, second) = self.finished_by_the_next(&what, &organization).await;
        let (at, target) =
            met.lock().unwrap().clone().unwrap_or((first.len(), Target::of(&self.old).unwrap()));
        self.judge_edited(&what, &first, at, &target, &meddle, &[ending]);
        self.judge_second(&what, &second);
    }

    /// The states of applies, one of which somebody else's edit made: before it, and after it.
    pub(super) fn judge_edited(
        &self,
        what: &str,
        states: &[State],
        edited: usize,
        target: &Target,
        meddle: &Meddle,
        endings: &[Ending],
    ) {
        let (before, after) = states.split_at(edited);
        for state in before {
            assert_eq!(self.judge.opening(state), None, "{what}: {state:?}");
        }
        let with_edit = |end: &State| {
            let mut end = end.clone();
            meddle(&mut end, target);
            end
        };
        let mut ends = vec![
            self.old.clone(),
            self.finished.clone(),
            with_edit(&self.old),
            with_edit(&self.finished),
        ];
        ends.extend(after.first().cloned());
        let judge = self.judge_of(&ends);
        let unseen = endings.iter().any(|ending| match ending {
            Ending::Outcome(plan, _) => plan
                .docker
                .as_ref()
                .unwrap()
                .live
                .touched
                .iter()
                .all(|touched| touched.id.0 != target.id),
            Ending::Unread(_) => false,
        });
        let as_it_was = |state: &State| {
            let mut state = state.clone();
            let was =
                before.last().and_then(|before| before.orgs[ORG].policies.get(&target.id).cloned());
            state.org_mut(ORG).policies.extend(was.map(|was| (target.id.clone(), was)));
            state
        };
        for state in after {
            let opening = judge.opening(state);
            let ours = if unseen {
                opening.and_then(|_| self.judge.opening(&as_it_was(state)))
            } else {
                opening
            };
            assert_eq!(ours, None, "{what}: {state:?}");
        }
        for state in states {
            assert_eq!(doubled(state), None, "{what}");
        }
    }

    /// Running again finishes: the states of the first apply, and of the second.
    pub(super) async fn finished_by_the_next(
        &self,
        what: &str,
        organization: &Organization,
    ) -> (Vec<State>, Vec<State>) {
        let first = organization.passed();
        organization.heal();
        let start = organization.passed.lock().unwrap().len();
        let again = organization.apply(&self.after).await;
        assert_eq!(again.exit(), Exit::Done, "{what}: {again:?}");
        let plan = organization.plan(&self.after).await.unwrap();
        assert!(plan.is_empty(), "{what}: {:?}", plan.docker_steps());
        let mut second = vec![first.last().unwrap().clone()];
        second.extend(organization.passed().split_off(start));
        (first, second)
    }

    pub(super) fn judge_first(&self, what: &str, first: &[State]) {
        for state in first {
            assert_eq!(doubled(state), None, "{what}");
            assert_eq!(self.judge.opening(state), None, "{what}: {state:?}");
        }
    }

    pub(super) fn judge_second(&self, what: &str, second: &[State]) {
        let judge = self.judge_of(&[second[0].clone(), second.last().unwrap().clone()]);
        for state in second {
            assert_eq!(doubled(state), None, "{what}");
            assert_eq!(judge.opening(state), None, "{what}, in the second apply: {state:?}");
        }
    }
}

/// The report and the exit code say what happened.
pub(super) fn check_report(what: &str, ending: &Ending, untouched: bool) {
    let outcome = match ending {
        Ending::Unread(_) => return assert!(untouched, "{what}: {ending:?}"),
        Ending::Outcome(_, outcome) => outcome,
    };
    let undone = |outcome: &Outcome| outcome.counts().failed + outcome.counts().not_tried > 0;
    match outcome.exit() {
        Exit::Done => {
            assert!(outcome.steps.values().all(StepOutcome::is_done), "{what}: {outcome:?}")
        }
        Exit::Partial => assert!(outcome.wrote() && undone(outcome), "{what}: {outcome:?}"),
        Exit::Refused | Exit::Failed => {
            assert!(untouched && undone(outcome), "{what}: {outcome:?}")
        }
        exit @ (Exit::Invalid | Exit::Usage | Exit::Pending) => {
            panic!("{what}: {exit:?} {outcome:?}")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_at_any_call_opens_doubles_or_loses_anything() {
    const AT_ONCE: usize = 6;
    let (mut runs, mut tried, mut failed) = (JoinSet::new(), 0_usize, Vec::new());
    for (at, change) in changes().iter().enumerate() {
        let course = Arc::new(Course::undisturbed(change).await);
        for call in 1..=course.calls {
            // One change is enough to hear the same thing in other words, and to fail before there
            // is a plan.
            let worth = |name: &str, kind: &FaultKind| {
                at == 0
                    || !REWORDED.contains(&name)
                        && (call > course.planning || matches!(kind, FaultKind::FalseAnswer(_)))
            };
            for (name, kind) in faults().into_iter().filter(|(name, kind)| worth(name, kind)) {
                let course = Arc::clone(&course);
                runs.spawn(async move { course.disturbed(name, kind, call).await });
                tried += 1;
            }
            for (name, meddle) in meddling(&course.finished) {
                let course = Arc::clone(&course);
                runs.spawn(async move { course.meddled_with(name, meddle, call).await });
                tried += 1;
            }
            while runs.len() >= AT_ONCE {
                failed.extend(runs.join_next().await.unwrap().err());
            }
        }
    }
    while let Some(run) = runs.join_next().await {
        failed.extend(run.err());
    }
    assert!(
        failed.is_empty(),
        "{} of {tried} runs failed, among them {:?}",
        failed.len(),
        failed[0]
    );
    // Past the capture of the test runner: how much was tried belongs to the result.
    writeln!(
        std::io::stderr(),
        "{} changes, each fault at each call: {tried} runs",
        changes().len()
    )
    .unwrap();
}
