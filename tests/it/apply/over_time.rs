//! Property over time: documents change again and again, and a random fault meets each apply. No
//! state is more open than both the state before an apply and the state that its documents ask for;
//! and the end is the last documents.

use proptest::prelude::*;
use seawall::emulator::Fault;
use seawall::exit::Exit;
use seawall::model::Desired;
use seawall::plan::guard::Guard;

use super::Organization;
use super::converge::documents;
use super::every_call::faults;
use super::judge::{Judge, doubled};

/// A change of the documents, the fault that its apply meets, and at which of its calls.
type Chapter = (Desired, usize, usize);

/// Applies the documents one after the other, and says how many of the applies were carried out.
async fn story(start: &Desired, chapters: &[Chapter]) -> Result<usize, TestCaseError> {
    let organization = Organization::new(start, |builder| builder).await;
    let mut applied = 0;
    for (documents, fault, call) in chapters {
        let live = organization.emulator.state();
        let plan = organization.plan(documents).await.unwrap();
        if plan.guards.iter().any(|verdict| verdict.guard == Guard::SafeOrder && !verdict.ok) {
            continue;
        }
        // The state that the documents ask for, reached elsewhere without a fault.
        let wanted = Organization::new(&Desired::default(), |builder| builder).await;
        wanted.emulator.edit(|state| *state = live.clone()).unwrap();
        prop_assert_eq!(wanted.apply(documents).await.exit(), Exit::Done);
        let judge = Judge::new([live, wanted.emulator.state()]);

        let first = organization.passed().len() - 1;
        let (_, kind) = faults().swap_remove(*fault);
        organization.emulator.arm(Fault::new(kind).nth(*call));
        organization.apply(documents).await;
        organization.heal();
        for state in &organization.passed()[first..] {
            prop_assert_eq!(doubled(state), None);
            prop_assert_eq!(judge.opening(state), None, "{:?}", state);
        }
        applied += 1;
    }
    let Some((last, ..)) = chapters.last() else { return Ok(applied) };
    let plan = organization.plan(last).await.unwrap();
    if plan.guards.iter().all(|verdict| verdict.ok) {
        let ending = organization.apply(last).await;
        prop_assert_eq!(ending.exit(), Exit::Done, "{:?}", ending);
        let left = organization.plan(last).await.unwrap();
        prop_assert!(left.is_empty(), "{:?}", left.docker_steps());
    }
    Ok(applied)
}

#[test]
fn documents_that_change_again_and_again_end_in_the_last_and_open_nothing() {
    const CASES: u32 = 16;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let applied = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let chapters = prop::collection::vec((documents(), 0..faults().len(), 1..40_usize), 2..5);
    let result = runner.run(&(documents(), chapters), |(start, chapters)| {
        applied.set(applied.get() + runtime.block_on(story(&start, &chapters))?);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(
        applied.get() > CASES as usize,
        "most changes can be carried out, not {}",
        applied.get()
    );
}
