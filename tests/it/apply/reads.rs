//! The looks before writes: steps of one policy share a read, as long as it is fresh.

use seawall::emulator::{
    Calls, DockerOperation, Edit, Fault, FaultKind, Operation, Wait, WaitForm,
};
use seawall::execute::StepOutcome;
use seawall::exit::Exit;
use seawall::model::Desired;
use seawall::service::http::Limits;

use super::{Ending, ORG, Organization, desired};

const POLICIES: usize = 4;
const RULES: usize = 13;

/// Policies with rules that all say something else in another edition.
fn documents(edition: usize) -> Desired {
    let rule = |number: usize| {
        format!(
            "  - {{name: r{number}, decision: allow, actions: ['connect:tcp'], resources: [h{number}.e{edition}.example.com]}}\n"
        )
    };
    let rules: String = (0..RULES).map(rule).collect();
    let policy = |number: usize| {
        format!(
            "---\napiVersion: seawall/v1\nkind: NetworkPolicy\nname: policy {number}\nrules:\n{rules}"
        )
    };
    desired(&(0..POLICIES).map(policy).collect::<String>())
}

fn reads(organization: &Organization) -> usize {
    let of_a_policy = Some(Operation::Docker(DockerOperation::GetPolicy));
    organization.emulator.calls().iter().filter(|call| call.operation == of_a_policy).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_of_a_policy_serves_all_its_steps() {
    let organization = Organization::new(&documents(1), |builder| builder).await;
    assert_eq!(organization.apply(&documents(2)).await.exit(), Exit::Done);
    assert_eq!(organization.emulator.writes().len(), POLICIES * RULES);
    assert_eq!(reads(&organization), 2 * POLICIES, "once for the plan, and once before the writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_read_while_steps_of_the_one_before_it_are_on_their_way() {
    let latency = std::time::Duration::from_millis(5);
    let organization = Organization::new(&documents(1), |builder| builder.latency(latency)).await;
    assert_eq!(organization.apply(&documents(2)).await.exit(), Exit::Done);
    let of_a_policy = Some(Operation::Docker(DockerOperation::GetPolicy));
    let calls = organization.emulator.calls();
    let mut reads = calls.iter().enumerate().filter(|(_, call)| call.operation == of_a_policy);
    // All are read for the plan, and the first before its steps.
    let (second, _) = reads.nth(POLICIES + 1).unwrap();
    let writes = calls.iter().take(second).filter(|call| call.is_write()).count();
    // The last step of the first policy starts after so many others have ended.
    let late = RULES - Limits::default().concurrency;
    assert!(writes < late, "{writes} writes come before the read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_older_than_a_second_serves_no_step() {
    for (wait, sent) in [(None, true), (Some(30), false)] {
        let one_by_one = Limits { concurrency: 1, ..Limits::default() };
        let organization =
            Organization::with_limits(&documents(1), one_by_one, |builder| builder).await;
        // Somebody edits the last rule of each policy while the second write is on its way.
        let edit = Edit::new(|state| {
            for policy in state.org_mut(ORG).policies.values_mut() {
                let rules =
                    &mut std::sync::Arc::make_mut(policy).allowlist_v0.as_mut().unwrap().rules;
                let theirs = || Some(vec!["theirs.example.com".to_owned()]);
                rules
                    .iter_mut()
                    .filter(|rule| rule.name == "r12")
                    .for_each(|rule| rule.resources = theirs());
            }
        });
        organization.emulator.arm(Fault::new(FaultKind::Edit(edit)).on(Calls::Writes).nth(2));
        if let Some(seconds) = wait {
            let wait = FaultKind::RateLimit(Wait { seconds, form: WaitForm::Seconds });
            organization.emulator.arm(Fault::new(wait).on(Calls::Writes).nth(2));
        }
        let ending = organization.apply(&documents(2)).await;
        let Ending::Outcome(plan, outcome) = &ending else { panic!("{ending:?}") };
        let first = plan.docker_steps().first().unwrap();
        let edited = plan
            .docker_steps()
            .iter()
            .filter(|step| step.change.rule().is_some() && step.phase == first.phase);
        let of_first_policy =
            edited.filter(|step| step.policy == first.policy).map(|step| &outcome.steps[&step.id]);
        let turned = of_first_policy
            .filter(|ended| !matches!(ended, StepOutcome::Applied { overtaken: None }));
        let turned: Vec<&StepOutcome> = turned.collect();
        match turned.as_slice() {
            // What happened within the second is in the answer.
            [StepOutcome::Applied { overtaken: Some(_) }] => assert!(sent, "{wait:?}"),
            [StepOutcome::Failed(_)] => assert!(!sent, "{wait:?}"),
            other => panic!("{wait:?}: {other:?}"),
        }
    }
}
