//! Answers that come too late, from a service that carries the call out all the same; and a service
//! that takes two rules of one name, so that nothing but the client keeps them from being two.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use seawall::emulator::docker::DuplicateRuleNames;
use seawall::emulator::{Behaviour, Calls, Fault, FaultKind};
use seawall::exit::Exit;
use seawall::model::Desired;
use seawall::service::http::Limits;
use tokio::task::JoinSet;

use super::changes::changes;
use super::every_call::Course;
use super::judge::doubled;
use super::{Organization, desired};

/// How long the client waits for an answer, and how long the service takes at one call.
const PATIENCE: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_millis(400);
/// Runs that wait at the same time.
const AT_ONCE: usize = 24;

fn accepting() -> Behaviour {
    Behaviour { duplicate_rule_names: DuplicateRuleNames::Accept, ..Behaviour::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_too_late_at_any_call_opens_and_doubles_nothing() {
    let (mut runs, mut tried) = (JoinSet::new(), 0_usize);
    for change in &changes() {
        let course = Arc::new(Course::undisturbed(change).await);
        for call in 1..=course.calls {
            let course = Arc::clone(&course);
            runs.spawn(async move { too_late(&course, call).await });
            tried += 1;
            if runs.len() >= AT_ONCE {
                runs.join_next().await.unwrap().unwrap();
            }
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
    writeln!(
        std::io::stderr(),
        "{} changes, a late answer at each call: {tried} runs",
        changes().len()
    )
    .unwrap();
}

async fn too_late(course: &Course, call: usize) {
    let what = format!("{}, too late at call {call}", course.name);
    let limits = Limits { request: PATIENCE, ..Limits::default() };
    let set_up = |builder: seawall::emulator::Builder| builder.behaviour(accepting());
    let mut organization = Organization::with_limits(&course.before, limits, set_up).await;
    organization.emulator.arm(Fault::new(FaultKind::Delay(LATE)).nth(call));
    organization.apply(&course.after).await;
    // The call that nobody waited for takes its time.
    while organization.emulator.in_flight() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    organization.limits = Limits::default();
    let (first, second) = course.finished_by_the_next(&what, &organization).await;
    course.judge_first(&what, &first);
    course.judge_second(&what, &second);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_rule_where_the_service_takes_one() {
    for change in changes() {
        let (before, after) = change.ends();
        for kind in [FaultKind::LoseBefore, FaultKind::LoseAfter, FaultKind::Cut] {
            for call in 1.. {
                let organization =
                    Organization::new(&before, |builder| builder.behaviour(accepting())).await;
                let fault = Fault::new(kind.clone()).on(Calls::Writes).nth(call);
                organization.emulator.arm(fault);
                let ending = organization.apply(&after).await;
                assert_eq!(ending.exit(), Exit::Done, "{}: {ending:?}", change.name);
                for state in organization.passed() {
                    assert_eq!(doubled(&state), None, "{}", change.name);
                }
                if organization.emulator.writes().len() < call {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_write_that_never_has_an_effect_is_sent_three_times() {
    let organization = Organization::new(&Desired::default(), |builder| builder).await;
    let lost = Fault::new(FaultKind::LoseBefore).on(Calls::Writes).times(usize::MAX);
    organization.emulator.arm(lost);
    let ending = organization
        .apply(&desired(
            "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: one\nrules:\n  - {name: r, decision: allow, actions: ['connect:tcp'], resources: [api.example.com]}\n",
        ))
        .await;
    assert_eq!(ending.exit(), Exit::Failed, "{ending:?}");
    assert!(format!("{ending:?}").contains("sent 3 times without effect"), "{ending:?}");
    assert_eq!(organization.emulator.writes().len(), 3);
}
