//! Answers that come too late, from a service that carries the call out all the same; and a service that takes two
//! rules of one name, so that nothing but the client keeps them from being two.

use std::time::Duration;

use seawall::emulator::docker::DuplicateRuleNames;
use seawall::emulator::{Behaviour, Calls, Fault, FaultKind};
use seawall::exit::Exit;
use seawall::service::http::Limits;

use super::changes::changes;
use super::judge::{Judge, doubled};
use super::{Ending, Organization};

const PATIENCE: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_millis(600);

fn accepting() -> Behaviour {
    Behaviour { duplicate_rule_names: DuplicateRuleNames::Accept, ..Behaviour::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_too_late_makes_nothing_twice() {
    let changes = changes();
    let change = changes.iter().find(|change| change.name == "policies come").unwrap();
    let (before, after) = change.ends();
    let limits = || Limits { request: PATIENCE, ..Limits::default() };
    for late in 1..=6 {
        let organization = Organization::with_limits(&before, limits(), |builder| builder.behaviour(accepting())).await;
        let old = organization.emulator.state();
        organization.emulator.arm(Fault::new(FaultKind::Delay(LATE)).on(Calls::Writes).nth(late));
        let first = organization.apply(&after).await;
        assert!(matches!(first.exit(), Exit::Done | Exit::Partial), "{late}: {first:?}");
        // The call that nobody waited for takes its time.
        organization.heal();
        while organization.emulator.calls().iter().filter(|call| call.is_write()).count() < sent(&first) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let again = organization.apply(&after).await;
        assert_eq!(again.exit(), Exit::Done, "{late}: {again:?}");
        assert!(organization.plan(&after).await.unwrap().is_empty());
        let judge = Judge::new([old, organization.emulator.state()]);
        for state in organization.passed() {
            assert_eq!(doubled(&state), None, "{late}");
            assert_eq!(judge.opening(&state), None, "{late}");
        }
    }
}

/// The fewest writes that such an apply has sent: one for each step that it tried.
fn sent(ending: &Ending) -> usize {
    let Ending::Outcome(_, outcome) = ending else { panic!("{ending:?}") };
    let counts = outcome.counts();
    counts.done + counts.failed
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_rule_where_the_service_takes_one() {
    for change in changes() {
        let (before, after) = change.ends();
        for kind in [FaultKind::LoseBefore, FaultKind::LoseAfter, FaultKind::Cut] {
            for call in 1.. {
                let organization = Organization::new(&before, |builder| builder.behaviour(accepting())).await;
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
