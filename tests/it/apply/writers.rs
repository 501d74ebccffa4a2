//! Several writers at once: two applies of the same documents, each behind a gate of its own, and a
//! person in the console. A random schedule says whose call the service gets next. Nothing opens,
//! nothing is there twice, nothing is lost, and both reports are true.
//!
//! What it means that nothing opens beside a person's edit is said in [`super::every_call`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use proptest::prelude::*;
use seawall::emulator::State;
use seawall::execute::StepOutcome;
use seawall::exit::Exit;
use tokio::sync::oneshot;

use super::changes::changes;
use super::every_call::{Course, Meddle, Target, check_report, meddling};
use super::{Ending, ORG, Organization, apply};

/// The number of applies that run at the same time.
const WRITERS: usize = 2;

/// Whose turns let the second apply do all its work between the look and the first write of the
/// first one.
const BETWEEN_LOOK_AND_WRITE: &[u8] =
    b"000110011010111111100000000000000000000110101100110101110110";

/// The only edit of the person.
struct Person {
    meddle: Meddle,
    /// The number of writes that come before, and the places of the policy and of the rule. Without
    /// any, the edit comes before the first call of all.
    plan: (usize, usize, usize),
    met: Option<Met>,
}

/// The edit of the person.
#[derive(Clone)]
struct Met {
    /// The number of states that the organization had passed through before.
    at: usize,
    target: Target,
    /// What the edit said anew: parts of the policy, as text.
    edited: BTreeMap<String, Option<String>>,
    /// The writers that had written before: their plans do not know of it.
    unaware: [bool; WRITERS],
    /// The writers that wrote over it though their plans did not know of it.
    overwrote: [bool; WRITERS],
}

/// The parts of a policy that a person edits: its name, its scope, and each rule.
fn parts(state: &State, target: &Target) -> BTreeMap<String, Option<String>> {
    let Some(policy) = state.orgs[ORG].policies.get(target.id()) else { return BTreeMap::new() };
    let head = [
        ("name".to_owned(), policy.name.clone()),
        ("scope".to_owned(), format!("{:?}", policy.scope)),
    ];
    let rules = policy.rules().iter().map(|rule| (rule.id.clone(), format!("{rule:?}")));
    head.into_iter().chain(rules).map(|(part, text)| (part, Some(text))).collect()
}

/// The parts of which a policy says something else now; those that it lacks now, as `None`.
fn edited(
    before: &BTreeMap<String, Option<String>>,
    now: &BTreeMap<String, Option<String>>,
) -> BTreeMap<String, Option<String>> {
    let differs = |part: &&String| before.get(*part) != now.get(*part);
    before
        .keys()
        .chain(now.keys())
        .filter(differs)
        .map(|part| (part.clone(), now.get(part).cloned().flatten()))
        .collect()
}

/// Whose turn it is: one call at a time, chosen when every writer that is still at work has one to
/// make.
struct Turns {
    schedule: VecDeque<u8>,
    waiting: [VecDeque<oneshot::Sender<Turn>>; WRITERS],
    at_work: [bool; WRITERS],
    in_flight: bool,
    wrote: [usize; WRITERS],
    person: Option<Person>,
}

/// The turn of one call. Its end gives the next one, also where the client hangs up before there is
/// an answer.
struct Turn(Arc<Gates>);

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = self.0.turns.lock().unwrap();
        turns.in_flight = false;
        self.0.give(&mut turns);
    }
}

/// The gates of all writers.
struct Gates {
    organization: Organization,
    turns: Mutex<Turns>,
    client: reqwest::Client,
}

impl Gates {
    /// Gives the next turns: those of the person at once, and one call.
    fn give(self: &Arc<Self>, turns: &mut Turns) {
        while !turns.in_flight {
            let writers: Vec<usize> =
                (0..WRITERS).filter(|writer| turns.at_work[*writer]).collect();
            if writers.is_empty() || writers.iter().any(|writer| turns.waiting[*writer].is_empty())
            {
                return;
            }
            let written: usize = turns.wrote.iter().sum();
            if let Some(person) = turns
                .person
                .as_mut()
                .filter(|person| person.met.is_none() && person.plan.0 <= written)
            {
                self.edit(person, turns.wrote.map(|writes| writes > 0));
            }
            let number = usize::from(turns.schedule.pop_front().unwrap_or_default());
            let waiting = &mut turns.waiting[writers[number % writers.len()]];
            let Some(next) = waiting.pop_front() else { return };
            // A client that has hung up needs no turn; to end it here would wait for the turns that
            // are held.
            turns.in_flight = next.send(Turn(Arc::clone(self))).map_err(std::mem::forget).is_ok();
        }
    }

    fn edit(&self, person: &mut Person, unaware: [bool; WRITERS]) {
        let mut passed = self.organization.passed.lock().unwrap();
        let meddle = Arc::clone(&person.meddle);
        let met = self.organization.emulator.edit(|state: &mut State| {
            let (_, policy, rule) = person.plan;
            let target = Target::choose(state, policy, rule)?;
            if passed.last() != Some(state) {
                passed.push(state.clone());
            }
            let (at, before) = (passed.len(), parts(state, &target));
            meddle(state, &target);
            passed.push(state.clone());
            let edited = edited(&before, &parts(state, &target));
            Some(Met { at, target, edited, unaware, overwrote: [false; WRITERS] })
        });
        person.met = met.unwrap();
    }

    /// Takes note of a write that was done.
    fn wrote(&self, writer: usize, before: &State) {
        let now = self.organization.emulator.state();
        let mut turns = self.turns.lock().unwrap();
        turns.wrote[writer] += 1;
        if let Some(met) = turns.person.as_mut().and_then(|person| person.met.as_mut()) {
            let over = edited(&parts(before, &met.target), &parts(&now, &met.target));
            let still = |part: &String| {
                parts(before, &met.target).get(part).cloned().flatten() == met.edited[part]
            };
            let lost = over.keys().any(|part| met.edited.contains_key(part) && still(part));
            met.overwrote[writer] |= lost && met.unaware[writer];
        }
    }

    /// Waits for a turn of this writer.
    async fn turn(self: &Arc<Self>, writer: usize) -> Turn {
        let (next, granted) = oneshot::channel();
        {
            let mut turns = self.turns.lock().unwrap();
            turns.waiting[writer].push_back(next);
            self.give(&mut turns);
        }
        granted.await.unwrap()
    }

    fn ended(self: &Arc<Self>, writer: usize) {
        let mut turns = self.turns.lock().unwrap();
        turns.at_work[writer] = false;
        self.give(&mut turns);
    }
}

/// One call of a writer: passed on to the service when it is its turn.
async fn pass_on(
    Shared((gates, writer)): Shared<(Arc<Gates>, usize)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, Bytes) {
    let _turn = gates.turn(writer).await;
    let (before, writes) =
        (gates.organization.emulator.state(), method != Method::GET && uri.path().contains(ORG));
    let mut call = gates
        .client
        .request(method, format!("{}{uri}", gates.organization.emulator.origin()))
        .body(body);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = headers.get(&name) {
            call = call.header(name, value);
        }
    }
    let answer = call.send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let body = answer.bytes().await.unwrap();
    if writes {
        gates.wrote(writer, &before);
    }
    (status, headers, body)
}

/// The address of a writer's gate.
async fn open(gates: &Arc<Gates>, writer: usize) -> String {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v2", socket.local_addr().unwrap());
    let router = Router::new().fallback(pass_on).with_state((Arc::clone(gates), writer));
    tokio::spawn(async move { axum::serve(socket, router).await });
    address
}

async fn write_at_once(
    course: &Course,
    schedule: Vec<u8>,
    person: Option<(usize, (usize, usize, usize))>,
) {
    let what = format!("{}, {person:?}, {schedule:?}", course.name);
    let person = person.map(|(edit, plan)| {
        let (_, meddle) = meddling(&course.finished).swap_remove(edit);
        Person { meddle, plan, met: None }
    });
    let organization = Organization::new(&course.before, |builder| builder).await;
    let turns = Turns {
        schedule: schedule.into(),
        waiting: Default::default(),
        at_work: [true; WRITERS],
        in_flight: false,
        wrote: [0; WRITERS],
        person,
    };
    let gates =
        Arc::new(Gates { organization, turns: Mutex::new(turns), client: reqwest::Client::new() });
    let writer = |number: usize| {
        let gates = &gates;
        async move {
            let reader = gates.organization.reader_at(&open(gates, number).await);
            let ending = apply(&reader, &course.after).await;
            gates.ended(number);
            ending
        }
    };
    let (one, other) = tokio::join!(writer(0), writer(1));
    let endings = [one, other];
    for ending in &endings {
        check_report(&what, ending, true);
    }
    let alone =
        gates.turns.lock().unwrap().person.as_ref().is_none_or(|person| person.met.is_none());
    // An apply that another one overtook says so itself, and may leave a call of its own behind.
    if alone && endings.iter().all(|ending| ending.exit() == Exit::Done) {
        let left = gates.organization.plan(&course.after).await.unwrap();
        assert!(left.is_empty(), "{what}: reported as done: {:?}", left.docker_steps());
    }
    let (first, second) = course.finished_by_the_next(&what, &gates.organization).await;
    let person = gates.turns.lock().unwrap().person.take();
    match person.and_then(|person| Some((person.met?, person.plan.0, person.meddle))) {
        // Both plans know of the edit: where they begin is the state with it.
        Some((met, 0, _)) => {
            let mut passed = first[met.at..].to_vec();
            passed.extend(second.last().cloned());
            course.judge_second(&what, &passed);
        }
        Some((met, _, meddle)) => {
            for (ending, overwrote) in endings.iter().zip(met.overwrote) {
                assert!(
                    !overwrote || !claims_all(ending),
                    "{what}: wrote over the edit without a word: {ending:?}"
                );
            }
            course.judge_edited(&what, &first, met.at, &met.target, &meddle, &endings);
        }
        None => course.judge_first(&what, &first),
    }
    course.judge_second(&what, &second);
}

#[test]
fn two_applies_and_a_person_open_nothing_and_duplicate_or_lose_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let courses: Vec<Course> =
        runtime.block_on(async { futures_of(changes().iter().map(Course::undisturbed)).await });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 4 * courses.len() as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let edits = meddling(&courses[0].finished).len();
    let person = prop::option::weighted(0.8, (0..edits, (0..6_usize, 0..4_usize, 0..3_usize)));
    let strategy = (0..courses.len(), person, prop::collection::vec(any::<u8>(), 60));
    let named = |name: &str| courses.iter().find(|course| course.name == name).unwrap();
    let exchange = named("denies change places");
    runtime.block_on(write_at_once(exchange, BETWEEN_LOOK_AND_WRITE.to_vec(), None));
    // What a plan opens because it knows of an edit is what was approved.
    let (renames, last_policy) = (2, (0, 2, 0));
    let uncovered = named("a policy loses its rules and a team, and the deny above them goes");
    runtime.block_on(write_at_once(uncovered, Vec::new(), Some((renames, last_policy))));
    let result = runner.run(&strategy, |(course, person, schedule)| {
        runtime.block_on(write_at_once(&courses[course], schedule, person));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Returns `true` if a report has no obstacle.
fn claims_all(ending: &Ending) -> bool {
    let Ending::Outcome(_, outcome) = ending else { return false };
    outcome.steps.values().all(|ended| matches!(ended, StepOutcome::Applied { overtaken: None }))
}

/// The results of these, one after the other.
async fn futures_of<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut results = Vec::new();
    for one in all {
        results.push(one.await);
    }
    results
}
