//! Judges the states that an organization passed through: what was open in any of them, for
//! whomever.

use std::sync::Mutex;

use seawall::access::{Universe, Verdict};
use seawall::emulator::{self, State};
use seawall::model::{Action, Decision, Resources, Rule};

use super::ORG;

/// Returns `true` if two states give the same access.
pub(super) fn alike(one: &State, other: &State) -> bool {
    policies(one) == policies(other)
}

/// Judges the states of one change; each of them once.
pub(super) struct Judge {
    ends: Vec<State>,
    harmless: Mutex<Vec<Vec<Policy>>>,
}

impl Judge {
    pub(super) fn new(ends: impl IntoIterator<Item = State>) -> Self {
        Self { ends: ends.into_iter().collect(), harmless: Mutex::default() }
    }

    /// The access that a state grants and neither end grants.
    pub(super) fn opening(&self, now: &State) -> Option<String> {
        let policies = policies(now);
        if self.harmless.lock().unwrap().contains(&policies) {
            return None;
        }
        let opening = opening(&self.ends.iter().collect::<Vec<_>>(), now);
        if opening.is_none() {
            self.harmless.lock().unwrap().push(policies);
        }
        opening
    }
}

/// A policy of one of the states.
#[derive(PartialEq)]
struct Policy {
    teams: Vec<String>,
    rules: Vec<Rule>,
    /// Statements of a Cedar text: whether it permits, and its words.
    statements: Vec<(bool, String)>,
}

fn policies(state: &State) -> Vec<Policy> {
    let org = state.orgs.get(ORG).unwrap();
    let policy = |policy: &emulator::docker::Policy| Policy {
        teams: policy.scope.teams.clone().unwrap_or_default(),
        rules: policy.rules().iter().map(rule).collect(),
        statements: policy.cedar_v1.iter().flat_map(|cedar| statements(&cedar.text)).collect(),
    };
    org.policies.values().map(|shown| policy(shown)).collect()
}

fn rule(shown: &emulator::docker::Rule) -> Rule {
    let resources = match &shown.http_resources {
        Some(http) => Resources::Http(http.clone()),
        None => Resources::Plain(shown.resources.clone().unwrap().into()),
    };
    let actions = shown.actions.iter().map(|action| Action::parse(action)).collect();
    Rule { name: shown.name.clone(), decision: shown.decision, actions, resources }
}

fn statements(text: &str) -> impl Iterator<Item = (bool, String)> {
    let words = |one: &str| one.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split(';')
        .map(words)
        .filter(|one| !one.is_empty())
        .map(|one| (one.starts_with("permit"), one))
}

/// The access that a state grants and neither end grants; `None` if there is none.
fn opening(ends: &[&State], now: &State) -> Option<String> {
    let states: Vec<Vec<Policy>> = ends.iter().copied().chain([now]).map(policies).collect();
    let mut owners: Vec<(usize, &Policy)> = Vec::new();
    let mut rules: Vec<(&Rule, usize)> = Vec::new();
    for (state, policies) in states.iter().enumerate() {
        for policy in policies {
            rules.extend(policy.rules.iter().map(|rule| (rule, owners.len())));
            owners.push((state, policy));
        }
    }
    let points = Universe::build(rules).expect("few rules").points();
    let teams: Vec<&String> = now.orgs.get(ORG).unwrap().teams.keys().collect();
    (0..1_usize << teams.len()).find_map(|bits| {
        let audience: Vec<&String> =
            (0..teams.len()).filter(|at| bits >> at & 1 == 1).map(|at| teams[at]).collect();
        let governs = |policy: &Policy| {
            policy.teams.is_empty() || policy.teams.iter().any(|team| audience.contains(&team))
        };
        let last = states.len() - 1;
        let opened = |open: &dyn Fn(usize) -> bool| open(last) && !(0..last).any(open);
        let request = points.iter().find(|(point, _)| {
            opened(&|state| {
                let in_force = |group: usize| owners[group].0 == state && governs(owners[group].1);
                point.verdict(in_force) != Verdict::Deny
            })
        });
        let abandoned = |domain: &str, holds: &dyn Fn(&Policy) -> bool| {
            let governed =
                |state: usize| states[state].iter().any(|policy| governs(policy) && holds(policy));
            (!governed(last) && (0..last).all(governed))
                .then(|| format!("{audience:?} has no {domain} policy"))
        };
        let layer = |wanted: &'static str| {
            move |policy: &Policy| {
                policy.rules.iter().any(|rule| {
                    let domain = rule.domain().map(|domain| format!("{domain:?}"));
                    domain.as_deref() == Some(wanted)
                })
            }
        };
        request
            .map(|(_, witness)| format!("{audience:?} can {witness}"))
            .or_else(|| abandoned("network", &layer("Network")))
            .or_else(|| abandoned("file system", &layer("Filesystem")))
            .or_else(|| abandoned("MCP", &|policy| !policy.statements.is_empty()))
            .or_else(|| {
                let texts = |state: usize| {
                    let own = states[state].iter().filter(|policy| governs(policy));
                    own.flat_map(|policy| &policy.statements).collect::<Vec<_>>()
                };
                permitted(&(0..states.len()).map(texts).collect::<Vec<_>>())
            })
    })
}

/// An MCP call, told by a statement that permits it and at most two that forbid it, which the last
/// state allows alone.
fn permitted(states: &[Vec<&(bool, String)>]) -> Option<String> {
    let (now, ends) = states.split_last().unwrap();
    let all: Vec<&(bool, String)> = states.iter().flatten().copied().collect();
    let forbids: Vec<&(bool, String)> =
        all.iter().copied().filter(|(permits, _)| !permits).collect();
    let pairs = forbids.iter().flat_map(|one| forbids.iter().map(move |other| vec![*one, *other]));
    let worlds: Vec<Vec<&(bool, String)>> = std::iter::once(Vec::new()).chain(pairs).collect();
    now.iter().filter(|(permits, _)| *permits).find_map(|permit| {
        let open = |state: &Vec<&(bool, String)>, world: &[&(bool, String)]| {
            state.contains(permit) && !world.iter().any(|forbid| state.contains(forbid))
        };
        let world = worlds
            .iter()
            .find(|world| open(now, world) && !ends.iter().any(|end| open(end, world)))?;
        Some(format!("{permit:?} although {world:?}"))
    })
}

/// Names that two policies, or two rules of a policy, share.
pub(super) fn doubled(state: &State) -> Option<String> {
    let policies = || state.orgs.get(ORG).unwrap().policies.values();
    let twice = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_owned())
    };
    twice(policies().map(|policy| policy.name.as_str()).collect()).or_else(|| {
        policies().find_map(|policy| {
            twice(policy.rules().iter().map(|rule| rule.name.as_str()).collect())
        })
    })
}

/// Returns `true` if a decision of the emulator is the one that a test expects.
#[test]
fn the_judge_finds_what_an_order_opens() {
    use std::sync::Arc;
    let state = |decisions: &[Decision]| {
        let mut state = State::default();
        let org = state.org_mut(ORG);
        let rules = decisions.iter().zip(0..).map(|(decision, number)| emulator::docker::Rule {
            id: format!("rule_{number}"),
            name: "r".to_owned(),
            actions: vec!["connect:tcp".to_owned()],
            resources: Some(vec!["example.com".to_owned()]),
            http_resources: None,
            decision: *decision,
        });
        let allowlist = emulator::docker::Allowlist {
            domain: Some("network".to_owned()),
            rules: rules.collect(),
        };
        let policy = emulator::docker::Policy {
            id: "pol_1".to_owned(),
            name: "p".to_owned(),
            org: ORG.to_owned(),
            scope: Default::default(),
            created_at: String::new(),
            updated_at: String::new(),
            allowlist_v0: Some(allowlist),
            cedar_v1: None,
        };
        org.policies.insert(policy.id.clone(), Arc::new(policy));
        state
    };
    let (closed, open) = (state(&[Decision::Allow, Decision::Deny]), state(&[Decision::Allow]));
    assert!(opening(&[&closed, &closed], &open).unwrap().contains("example.com"));
    assert_eq!(opening(&[&closed, &open], &open), None);
    assert!(opening(&[&open, &open], &state(&[])).unwrap().contains("no network policy"));
    assert_eq!(doubled(&closed).as_deref(), Some("r"));
}
