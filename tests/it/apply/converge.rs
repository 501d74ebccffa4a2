//! Properties over random states and documents, against the emulator: applying leaves nothing to
//! plan, no step changes nothing, and there is one call for each object that changed, unless a step
//! says why there are more.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use seawall::emulator::{Fault, FaultKind, State};
use seawall::exit::Exit;
use seawall::model::{
    Action, Body, Cedar, Decision, Desired, DesiredPolicy, DesiredRule, Domain, HttpResource,
    Origin, Policy, Resources, Rule, Scope,
};
use seawall::plan::Plan;
use seawall::plan::guard::Guard;

use super::every_call::faults;
use super::judge::{Judge, doubled};
use super::{Ending, ORG, Organization, TEAMS, command::fits_the_schema};

/// Pairs of random organizations; each is applied without and with a fault.
const CASES: u32 = 48;

fn rule(domain: Domain) -> BoxedStrategy<Rule> {
    let decision = prop_oneof![Just(Decision::Allow), Just(Decision::Deny)];
    let hosts = vec!["a.example.com", "b.example.com", "**.example.com", "10.0.0.0/8"];
    let folders = vec!["/data/**", "/etc/passwd", "~/src"];
    let texts = |list: Vec<&str>| Resources::Plain(list.into_iter().map(str::to_owned).collect());
    let network = (
        prop::sample::subsequence(vec![Action::ConnectTcp, Action::ConnectUdp], 1..=2),
        prop::sample::subsequence(hosts, 1..=3),
    )
        .prop_map(move |(actions, hosts)| (actions, texts(hosts)));
    let target = |(host, path): (&str, &str)| HttpResource {
        host: host.to_owned(),
        port: None,
        path: path.to_owned(),
    };
    let http =
        prop::sample::subsequence(vec![("a.example.com", "/x"), ("b.example.com", "/**")], 1..=2)
            .prop_map(move |list| {
                (
                    vec![Action::Request("get")],
                    Resources::Http(list.into_iter().map(target).collect()),
                )
            });
    let files = (
        prop::sample::subsequence(vec![Action::Read, Action::Write], 1..=2),
        prop::sample::subsequence(folders, 1..=2),
    )
        .prop_map(move |(actions, folders)| (actions, texts(folders)));
    let body = match domain {
        Domain::Network => prop_oneof![4 => network, 1 => http].boxed(),
        Domain::Filesystem => files.boxed(),
        Domain::Mcp => unreachable!("MCP policies have no rules"),
    };
    (decision, body)
        .prop_map(|(decision, (actions, resources))| Rule {
            name: String::new(),
            decision,
            actions,
            resources,
        })
        .boxed()
}

fn body() -> impl Strategy<Value = (Domain, Body)> {
    let rules = |domain| {
        prop::collection::vec(prop::option::weighted(0.7, rule(domain)), 0..5).prop_map(
            move |rules| {
                let named =
                    rules.into_iter().zip(1..).filter_map(|(rule, number)| Some((rule?, number)));
                (
                    domain,
                    Body::Allowlist(
                        named
                            .map(|(rule, number)| Rule { name: format!("r{number}"), ..rule })
                            .collect(),
                    ),
                )
            },
        )
    };
    let texts = vec![
        "permit (principal, action == MCP::Action::\"invokeTool\", resource);",
        "forbid (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.destructive };",
    ];
    let cedar = prop::sample::subsequence(texts, 1..=2).prop_map(|texts| {
        let schema_url = "https://schemas.docker.com/policy/cedar/v1/mcp/v0".to_owned();
        (Domain::Mcp, Body::Cedar(Cedar { text: texts.join("\n"), schema_url }))
    });
    prop_oneof![5 => rules(Domain::Network), 2 => rules(Domain::Filesystem), 1 => cedar]
}

/// Policies of five names; `previously` takes them along to the name of the next one, or not.
pub(super) fn documents() -> impl Strategy<Value = Desired> {
    let scope = prop::sample::subsequence(TEAMS.to_vec(), 0..=2)
        .prop_map(|teams| Scope::from_teams(teams.into_iter().map(str::to_owned)));
    let policies = prop::collection::vec(prop::option::weighted(0.7, (scope, body())), 5);
    (policies, prop::bool::weighted(0.3)).prop_map(|(policies, moves)| {
        let origin = Origin { file: "policies.yaml".to_owned(), line: 1, column: 1 };
        let named =
            policies.into_iter().enumerate().filter_map(|(number, policy)| Some((number, policy?)));
        let policies = named
            .map(|(number, (scope, (domain, body)))| {
                let previously =
                    if moves { vec![format!("p{}", (number + 1) % 5)] } else { Vec::new() };
                let beside =
                    |_: &Rule| DesiredRule { previously: Vec::new(), origin: origin.clone() };
                let policy = Policy { name: format!("p{number}"), scope, body };
                let rules = policy.rules().iter().map(beside).collect();
                DesiredPolicy {
                    policy,
                    domain,
                    previously,
                    orgs: Vec::new(),
                    origin: origin.clone(),
                    rules,
                }
            })
            .collect();
        Desired { policies, ..Desired::default() }
    })
}

/// Policies and rules by id, as far as calls change them.
fn objects(state: &State) -> BTreeMap<String, String> {
    let mut objects = BTreeMap::new();
    for policy in state.orgs[ORG].policies.values() {
        let head = format!("{} {:?} {:?}", policy.name, policy.scope, policy.cedar_v1);
        objects.insert(policy.id.clone(), head);
        for rule in policy.rules() {
            objects.insert(rule.id.clone(), format!("{} {rule:?}", policy.id));
        }
    }
    objects
}

/// Objects that differ; rules that go with their policy are none by themselves.
fn changed(old: &State, new: &State) -> usize {
    let gone: BTreeSet<String> = old.orgs[ORG]
        .policies
        .values()
        .filter(|policy| !new.orgs[ORG].policies.contains_key(&policy.id))
        .flat_map(|policy| policy.rules().iter().map(|rule| rule.id.clone()).collect::<Vec<_>>())
        .collect();
    let (old, new) = (objects(old), objects(new));
    let ids: BTreeSet<&String> =
        old.keys().chain(new.keys()).filter(|id| !gone.contains(*id)).collect();
    ids.into_iter().filter(|id| old.get(*id) != new.get(*id)).count()
}

/// One fault at one call of the same: the next apply ends in the same, and nothing opened.
async fn converges_after(
    before: &Desired,
    after: &Desired,
    kind: FaultKind,
    call: usize,
    judge: &Judge,
) -> Result<(), TestCaseError> {
    let organization = Organization::new(before, |builder| builder).await;
    organization.emulator.arm(Fault::new(kind).nth(call));
    organization.apply(after).await;
    organization.heal();
    // What an apply left behind may leave no order that is safe: that is said, and nothing opens.
    let plan = organization.plan(after).await.unwrap();
    if plan.guards.iter().all(|verdict| verdict.ok) {
        let again = organization.apply(after).await;
        prop_assert_eq!(again.exit(), Exit::Done, "{:?}", again);
        prop_assert!(organization.plan(after).await.unwrap().is_empty());
    }
    for state in organization.passed() {
        prop_assert_eq!(doubled(&state), None);
        prop_assert_eq!(judge.opening(&state), None, "{:?}", state);
    }
    prop_assert!(plan.guards.iter().all(|verdict| verdict.ok), "{:?}", plan.guards);
    Ok(())
}

async fn converges(
    before: Desired,
    after: Desired,
    fault: usize,
    at: f64,
) -> Result<bool, TestCaseError> {
    let organization = Organization::new(&before, |builder| builder).await;
    let old = organization.emulator.state();
    let plan = organization.plan(&after).await.unwrap();
    let json = plan.to_json();
    prop_assert_eq!(
        &organization.plan(&after).await.unwrap().to_json(),
        &json,
        "two plans, the same bytes"
    );
    prop_assert_eq!(&Plan::from_json(&json).unwrap(), &plan);
    fits_the_schema(&json);
    if plan.guards.iter().any(|verdict| verdict.guard == Guard::SafeOrder && !verdict.ok) {
        return Ok(false);
    }
    for step in plan.docker_steps() {
        let update = step.change.op() == seawall::plan::step::Op::Update;
        prop_assert!(
            !update || !step.change.changed().is_empty(),
            "a step that changes nothing: {:?}",
            step
        );
    }
    organization.emulator.forget_calls();
    let ending = organization.apply(&after).await;
    prop_assert_eq!(ending.exit(), Exit::Done, "{:?}", ending);
    let Ending::Outcome(carried_out, _) = &ending else { unreachable!() };
    prop_assert_eq!(carried_out.as_ref(), &plan);
    let new = organization.emulator.state();
    prop_assert!(organization.plan(&after).await.unwrap().is_empty(), "{:?}", new);
    let explained = plan.docker_steps().iter().filter(|step| step.because.is_some()).count();
    let (calls, least) = (organization.emulator.writes().len(), changed(&old, &new));
    prop_assert!(
        calls == least || explained > 0 && calls > least,
        "{} calls for {}: {:?}",
        calls,
        least,
        plan.docker_steps()
    );
    let judge = Judge::new([old, new]);
    for state in organization.passed() {
        prop_assert_eq!(doubled(&state), None);
        prop_assert_eq!(judge.opening(&state), None, "{:?}", plan.docker_steps());
    }
    let (_, kind) = faults().swap_remove(fault);
    let call = 1 + (at * organization.emulator.calls().len() as f64) as usize;
    converges_after(&before, &after, kind, call, &judge).await?;
    Ok(true)
}

#[test]
fn an_apply_from_anywhere_to_anywhere_converges_in_the_fewest_calls() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let applied = std::cell::Cell::new(0_u32);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let strategy = (documents(), documents(), 0..faults().len(), 0.0..1.0);
    let result = runner.run(&strategy, |(before, after, fault, at)| {
        applied
            .set(applied.get() + u32::from(runtime.block_on(converges(before, after, fault, at))?));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(applied.get() > CASES * 3 / 4, "most plans can be carried out, not {}", applied.get());
}
