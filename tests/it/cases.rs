//! The meaning of the reconciler, one folder a case under `tests/cases/`: a workspace, the live
//! state as `live.json`, and the calls that follow from them as `plan.txt`. A new case needs no
//! Rust: make the folder, run with `SEAWALL_ACCEPT=1` and read what `plan.txt` says.
//!
//! Each case is also applied: the emulator, seeded from `live.json`, is sent these calls, and then
//! there is nothing to plan.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use seawall::emulator::{Emulator, Running, Seed};
use seawall::execute::{Approved, Readers, execute};
use seawall::exit::Exit;
use seawall::model::{Live, Ownership, TeamDirectory};
use seawall::plan::docker::{Step, request, teams};
use seawall::plan::guard::Guard;
use seawall::plan::request::Segment;
use seawall::plan::step::Op;
use seawall::plan::{self, Plan};
use seawall::service::docker::{Credentials, Reader, Snapshot, endpoint};
use seawall::service::http::{self, Connection, Limits};
use seawall::workspace::{self, EmptyWorkspace};

/// The cases, sorted by name.
fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// The plan of a case, or why there is none.
fn planned(case: &Path, live: &Live) -> Result<Plan, String> {
    let loaded = workspace::load(case, None, EmptyWorkspace::Refused).map_err(|findings| {
        let codes: Vec<String> = findings
            .diagnostics
            .iter()
            .map(|one| format!("{}: {}", one.code, one.message))
            .collect();
        format!("the documents are wrong: {}", codes.join("; "))
    })?;
    let docker = loaded.settings.docker.unwrap();
    let desired = teams::resolve(&loaded.desired, live).map_err(|errors| {
        let placed = |error: &teams::TeamError| format!("{}: {error}", error.at());
        errors.iter().map(placed).collect::<Vec<_>>().join("; ")
    })?;
    let ownership = Ownership::from(&docker);
    let target = plan::docker::Target { org: docker.org.unwrap(), endpoint: "embedded".to_owned() };
    let guards = &loaded.settings.guards;
    let side =
        plan::docker::Input { target: &target, desired: &desired, live, ownership: &ownership };
    Ok(plan::make(plan::Input { docker: Some(side), ..plan::Input::new(guards) }).unwrap())
}

/// A plan as the calls that it makes, one step a paragraph; steps between two lines may be sent at
/// the same time.
fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    let docker = plan.docker.as_ref().unwrap();
    for phase in docker.steps.chunk_by(|one, other| one.phase == other.phase) {
        text.push_str("----\n");
        for step in phase {
            show_step(&mut text, step, &docker.target.org, &docker.teams);
        }
    }
    if plan.is_empty() {
        text.push_str("nothing to do\n");
    }
    match docker.left_alone.as_slice() {
        list @ ([] | [_] | [_, _] | [_, _, _]) => {
            list.iter().for_each(|policy| writeln!(text, "left alone: {policy}").unwrap());
        }
        list => writeln!(text, "left alone: {} policies", list.len()).unwrap(),
    }
    for verdict in plan.guards.iter().filter(|verdict| !verdict.ok) {
        writeln!(text, "refused by {}: {}", verdict.guard.name(), verdict.message).unwrap();
    }
    text
}

fn show_step(text: &mut String, step: &Step, org: &str, teams: &TeamDirectory) {
    let verb = match step.change.op() {
        Op::Create => "create",
        Op::Update => "update",
        Op::Delete => "delete",
        Op::Approve | Op::Reject | Op::Activate => unreachable!("a step about Docker"),
    };
    write!(text, "{verb} {}", step.policy).unwrap();
    step.change.rule_name().iter().for_each(|rule| write!(text, " › {rule}").unwrap());
    step.because.iter().for_each(|because| write!(text, "   because {because:?}").unwrap());
    let request = request(org, &step.change);
    let path: Vec<String> = request
        .path
        .into_iter()
        .skip(4)
        .map(|segment| match segment {
            Segment::Text(text) => text,
            Segment::Policy(name) | Segment::Rule(name) => format!("<{name}>"),
        })
        .collect();
    write!(text, "\n    {:?} …/{}", request.method, path.join("/")).unwrap();
    if let Some(body) = request.body {
        let mut body = body.to_string();
        teams.iter().for_each(|team| body = body.replace(&team.id, &format!("<{}>", team.name)));
        write!(text, " {body}").unwrap();
    }
    text.push('\n');
}

fn reader(emulator: &Running) -> Reader {
    let credentials = Credentials::new(emulator.identifier(), emulator.secret().to_owned().into());
    let base = endpoint(&emulator.base_url()).unwrap();
    let connection = Connection::new(base, credentials.authorization(), Limits::default()).unwrap();
    Reader::new(http::Reader::new(connection), emulator.org())
}

/// Carries the plan out against an emulator that starts with the case's state.
async fn carried_out(case: &Path, snapshot: Snapshot) {
    let name = case.file_name().unwrap().to_string_lossy().into_owned();
    // The state may hold what the service no longer takes, and two rules of a name among it.
    let behaviour = seawall::emulator::Behaviour {
        duplicate_rule_names: seawall::emulator::docker::DuplicateRuleNames::Accept,
        ..Default::default()
    };
    let emulator =
        Emulator::builder().seed(Seed::from(snapshot)).behaviour(behaviour).start().await.unwrap();
    let reader = reader(&emulator);
    let plan = planned(case, &reader.live().await.unwrap()).unwrap();
    let Ok(approved) = Approved::new(plan, &BTreeSet::new()) else { return };
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let outcome = execute(
        &approved,
        Readers { docker: Some(&reader), ..Readers::default() },
        stopped,
        &mut |_| {},
    )
    .await;
    assert_eq!(outcome.exit(), Exit::Done, "{name}: {outcome:?}");
    assert_eq!(emulator.writes().len(), approved.plan().docker_steps().len(), "{name}");
    let again = planned(case, &reader.live().await.unwrap()).unwrap();
    assert!(again.is_empty(), "{name}: {:?}", again.docker_steps());
}

#[tokio::test]
async fn each_case_plans_the_calls_that_it_says() {
    let write = crate::examples::accepts();
    let mut wrong = Vec::new();
    let cases = cases();
    for case in &cases {
        let text = std::fs::read_to_string(case.join("live.json")).unwrap();
        let snapshot = Snapshot::parse(&text).unwrap();
        let live = snapshot.docker.clone().unwrap().live().unwrap();
        let found = match planned(case, &live) {
            Ok(plan) => {
                carried_out(case, snapshot).await;
                let saved = Plan::from_json(&plan.to_json()).unwrap();
                assert_eq!(saved, plan);
                // What was judged safe is judged safe when it comes from a file.
                let order = |plan: &Plan| {
                    plan.guards.iter().find(|one| one.guard == Guard::SafeOrder).cloned()
                };
                assert_eq!(
                    order(&saved.judged_again(Some(&live), None)),
                    order(&plan),
                    "{}",
                    case.display()
                );
                shown(&plan)
            }
            Err(refusal) => format!("{refusal}\n"),
        };
        let file = case.join("plan.txt");
        if write {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{}\nexpected:\n{expected}\nfound:\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 25, "{}", cases.len());
}
