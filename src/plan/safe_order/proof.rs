//! A proof by brute force: an independent evaluator judges every state that a plan can pass
//! through.
//!
//! Random organizations of up to three policies for up to three teams change into others. Each
//! subset of the calls of a phase, after all calls of the phases before, is a state that an apply
//! can pass through or stop in. For every set of teams and every kind of request, nothing may be
//! allowed there that neither end allows.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::capacity::drafts;
use super::verify::verify;
use super::{Ordered, order};
use crate::model::{
    Action, Body, Decision, Desired, DesiredPolicy, DesiredRule, Domain, HttpResource, Live,
    LiveBody, LivePolicy, LiveRule, Origin, Ownership, Policy, PolicyId, Resources, Rule, RuleId,
    Scope,
};
use crate::plan::docker::Step;
use crate::plan::docker::coherence::check;
use crate::plan::docker::diff::{Diff, diff};
use crate::plan::docker::draft::Draft;
use crate::plan::docker::simulate::simulate;
use crate::plan::step::Reason;

/// The hosts that rules name, and one that they do not.
const HOSTS: [&str; 3] = ["one.example.com", "two.example.com", "three.example.com"];
const TEAMS: [&str; 3] = ["t1", "t2", "t3"];

/// Connections straight to an address of the block. The documentation leaves open if `**` matches
/// them like a name or like a block, so that both are evaluated.
const ADDRESSES: [(&str, bool, bool); 4] = [
    ("neither", false, false),
    ("like a block", false, true),
    ("like a name", true, false),
    ("like both", true, true),
];

/// A request: a host, whether it resolves into the block, and an HTTP path, an opaque connection or
/// any connection.
type Request = (&'static str, bool, Option<&'static str>, bool);

fn requests() -> Vec<Request> {
    let mut all = Vec::new();
    for host in HOSTS {
        for inside in [false, true] {
            all.push((host, inside, None, false));
            all.push((host, inside, None, true));
            all.extend(["/a", "/b"].map(|path| (host, inside, Some(path), false)));
        }
    }
    all.extend(ADDRESSES.map(|(way, ..)| (way, true, None, false)));
    all
}

/// Decides as the documentation of the service describes it: denies before allows, names before
/// addresses, then HTTP rules.
fn allowed(policies: &[LivePolicy], teams: &[&str], (host, inside, path, opaque): Request) -> bool {
    let rules: Vec<&Rule> = policies
        .iter()
        .filter(|policy| match &policy.scope {
            Scope::Organization => true,
            Scope::Teams(own) => teams.iter().any(|team| own.contains(*team)),
        })
        .flat_map(|policy| policy.rules().iter().map(|live| &live.rule))
        .collect();
    let straight = ADDRESSES.iter().find(|(way, ..)| *way == host);
    let plain = |rule: &&&Rule, cidr: bool| match &rule.resources {
        Resources::Plain(list) => list.iter().any(|resource| match resource.as_str() {
            "10.0.0.0/8" => cidr && inside,
            "**" => straight
                .map_or(!cidr, |(_, as_name, as_block)| if cidr { *as_block } else { *as_name }),
            exact => !cidr && exact == host,
        }),
        Resources::Http(_) => false,
    };
    let decide = |matching: Vec<&&Rule>| -> Option<Decision> {
        matching.iter().map(|rule| rule.decision).max()
    };
    let by_name = decide(rules.iter().filter(|rule| plain(rule, false)).collect());
    let connect =
        by_name.or_else(|| decide(rules.iter().filter(|rule| plain(rule, true)).collect()));
    let http: Vec<(&HttpResource, Decision)> = rules
        .iter()
        .filter_map(|rule| match &rule.resources {
            Resources::Http(list) => Some(list.iter().map(|target| (target, rule.decision))),
            Resources::Plain(_) => None,
        })
        .flatten()
        .filter(|(target, _)| target.host == host)
        .collect();
    match path {
        None => connect == Some(Decision::Allow) && (!opaque || http.is_empty()),
        Some(path) => {
            let decided = http
                .iter()
                .filter(|(target, _)| target.path == path || target.path == "/**")
                .map(|(_, decision)| *decision)
                .max();
            match (connect, decided) {
                (Some(Decision::Deny), _) | (_, Some(Decision::Deny)) => false,
                (Some(Decision::Allow), _) | (None, Some(Decision::Allow)) => true,
                (None, None) => false,
            }
        }
    }
}

fn governed(policies: &[LivePolicy], teams: &[&str]) -> bool {
    policies.iter().any(|policy| {
        !policy.rules().is_empty()
            && match &policy.scope {
                Scope::Organization => true,
                Scope::Teams(own) => teams.iter().any(|team| own.contains(*team)),
            }
    })
}

fn audiences() -> impl Iterator<Item = Vec<&'static str>> {
    (0..1_usize << TEAMS.len()).map(|bits| {
        TEAMS
            .iter()
            .enumerate()
            .filter(|(index, _)| bits >> index & 1 == 1)
            .map(|(_, team)| *team)
            .collect()
    })
}

/// A request that is allowed in a state and at neither end.
fn opening(old: &Live, new: &Live, now: &Live) -> Option<String> {
    audiences().find_map(|teams| {
        let ends = |holds: &dyn Fn(&[LivePolicy]) -> bool| {
            (holds(&old.policies), holds(&new.policies), holds(&now.policies))
        };
        let opened = requests().into_iter().find(|request| {
            ends(&|policies| allowed(policies, &teams, *request)) == (false, false, true)
        });
        let abandoned = ends(&|policies| governed(policies, &teams)) == (true, true, false);
        opened
            .map(|request| format!("{teams:?} {request:?}"))
            .or(abandoned.then(|| format!("{teams:?} ungoverned")))
    })
}

/// Returns `true` if a deny by itself closes a request that an allow by name or by address opens.
fn denies(deny: &Rule, request: Request) -> bool {
    let is_open = |rules: Vec<Rule>| {
        let policy = Policy {
            name: "p".to_owned(),
            scope: Scope::Organization,
            body: Body::Allowlist(rules),
        };
        allowed(&live(&[policy]).policies, &[], request)
    };
    ["**", "10.0.0.0/8"].into_iter().any(|resource| {
        let allow = Rule {
            name: "allow".to_owned(),
            decision: Decision::Allow,
            actions: vec![Action::ConnectTcp],
            resources: Resources::Plain(vec![resource.to_owned()].into()),
        };
        is_open(vec![allow.clone()]) && !is_open(vec![allow, deny.clone()])
    })
}

/// A request that only denies that the plan takes away keep closed in a state: once they are
/// deleted by hand, it is open there, and it is open in neither end, with or without them.
fn leaning(old: &Live, new: &Live, now: &Live) -> Option<String> {
    audiences().find_map(|teams| {
        let governs = |policy: &&LivePolicy| match &policy.scope {
            Scope::Organization => true,
            Scope::Teams(own) => teams.iter().any(|team| own.contains(*team)),
        };
        let denies_of = |live: &Live| -> Vec<(String, LiveRule)> {
            let governing = live.policies.iter().filter(governs);
            let named = |policy: &LivePolicy| {
                let rules = policy.rules().iter().cloned();
                rules.map(|rule| (policy.name.clone(), rule)).collect::<Vec<_>>()
            };
            let rules = governing.flat_map(named);
            rules.filter(|(_, live)| live.rule.decision == Decision::Deny).collect()
        };
        let (present, staying) = (denies_of(now), denies_of(new));
        // The search takes a deny that may match for one that stays.
        let mut documented = requests().into_iter().filter(|(host, ..)| HOSTS.contains(host));
        let opened = documented.find(|request| {
            // By name: in the new state all have other ids.
            let stays = |(policy, deny): &&(String, LiveRule)| {
                staying.iter().any(|(own, other)| {
                    own == policy
                        && other.rule.name == deny.rule.name
                        && denies(&other.rule, *request)
                })
            };
            let closes = |(_, deny): &&(String, LiveRule)| denies(&deny.rule, *request);
            let going: Vec<_> = present.iter().filter(closes).filter(|deny| !stays(deny)).collect();
            // Whoever deletes a rule deletes its other versions with it.
            let without = |live: &Live| {
                let mut policies = live.policies.clone();
                for policy in &mut policies {
                    let goes = |rule: &LiveRule| {
                        going.iter().any(|(own, deny)| *own == policy.name && deny.id == rule.id)
                    };
                    if let LiveBody::Allowlist(rules) = &mut policy.body {
                        rules.retain(|rule| !goes(rule));
                    }
                }
                policies
            };
            let open = |policies: &[LivePolicy]| allowed(policies, &teams, *request);
            !going.is_empty()
                && open(&without(now))
                && !open(&without(old))
                && !open(&old.policies)
                && !open(&new.policies)
        });
        opened.map(|request| format!("{teams:?} {request:?}"))
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let plain = prop::sample::subsequence(
        vec!["one.example.com", "two.example.com", "**", "10.0.0.0/8"],
        1..=2,
    )
    .prop_map(|list| {
        let resources = Resources::Plain(list.into_iter().map(str::to_owned).collect());
        (vec![Action::ConnectTcp], resources)
    });
    let target = |(host, path): (&str, &str)| HttpResource {
        host: host.to_owned(),
        port: None,
        path: path.to_owned(),
    };
    let http = prop::sample::subsequence(
        vec![("one.example.com", "/a"), ("one.example.com", "/**"), ("two.example.com", "/b")],
        1..=2,
    )
    .prop_map(move |list| {
        (vec![Action::Request("get")], Resources::Http(list.into_iter().map(target).collect()))
    });
    let decision = prop_oneof![Just(Decision::Allow), Just(Decision::Deny)];
    (decision, prop_oneof![3 => plain.boxed(), 1 => http.boxed()]).prop_map(
        |(decision, (actions, resources))| Rule {
            name: String::new(),
            decision,
            actions,
            resources,
        },
    )
}

/// Up to three named policies, each with up to `rules` named rules.
fn organization(rules: usize) -> impl Strategy<Value = Vec<Policy>> {
    let scope = prop::sample::subsequence(TEAMS.to_vec(), 0..=2)
        .prop_map(|teams| Scope::from_teams(teams.into_iter().map(str::to_owned)));
    let rules =
        prop::collection::vec(prop::option::weighted(0.7, rule()), 0..=rules).prop_map(|rules| {
            let named =
                rules.into_iter().zip(1..).filter_map(|(rule, number)| Some((rule?, number)));
            named
                .map(|(rule, number)| Rule { name: format!("r{number}"), ..rule })
                .collect::<Vec<_>>()
        });
    prop::collection::vec(prop::option::weighted(0.8, (scope, rules)), 3).prop_map(|policies| {
        let named =
            policies.into_iter().zip(1..).filter_map(|(policy, number)| Some((policy?, number)));
        named
            .map(|((scope, rules), number)| Policy {
                name: format!("p{number}"),
                scope,
                body: Body::Allowlist(rules),
            })
            .collect()
    })
}

pub(in crate::plan) fn live(policies: &[Policy]) -> Live {
    let rule =
        |rule: &Rule| LiveRule { id: RuleId(format!("rule_{}", rule.name)), rule: rule.clone() };
    let policies = policies
        .iter()
        .map(|policy| LivePolicy {
            id: PolicyId(format!("pol_{}", policy.name)),
            name: policy.name.clone(),
            scope: policy.scope.clone(),
            body: match &policy.body {
                Body::Allowlist(rules) => LiveBody::Allowlist(rules.iter().map(rule).collect()),
                Body::Cedar(cedar) => LiveBody::Cedar(cedar.clone()),
            },
        })
        .collect();
    Live { org: "org".to_owned(), policies, ..Live::default() }
}

pub(in crate::plan) fn desired(policies: &[Policy]) -> Desired {
    let origin = Origin { file: "policies.yaml".to_owned(), line: 1, column: 1 };
    let policies = policies
        .iter()
        .map(|policy| DesiredPolicy {
            policy: policy.clone(),
            domain: match policy.body {
                Body::Allowlist(_) => Domain::Network,
                Body::Cedar(_) => Domain::Mcp,
            },
            previously: Vec::new(),
            orgs: Vec::new(),
            origin: origin.clone(),
            rules: policy
                .rules()
                .iter()
                .map(|_| DesiredRule { previously: Vec::new(), origin: origin.clone() })
                .collect(),
        })
        .collect();
    Desired { policies, vijil: Vec::new() }
}

/// A policy for the organization; a rule is its name, its decision and its hosts.
pub(in crate::plan) fn policy(name: &str, rules: &[(&str, Decision, &[&str])]) -> Policy {
    let rule = |(name, decision, hosts): &(&str, Decision, &[&str])| Rule {
        name: (*name).to_owned(),
        decision: *decision,
        actions: vec![Action::ConnectTcp],
        resources: Resources::Plain(hosts.iter().map(|host| (*host).to_owned()).collect()),
    };
    let body = Body::Allowlist(rules.iter().map(rule).collect());
    Policy { name: name.to_owned(), scope: Scope::Organization, body }
}

pub(in crate::plan) fn ends(old: &[Policy], new: &[Policy]) -> (Live, Diff, Vec<Draft>) {
    let live = live(old);
    let ownership = Ownership { exclusive: true, ..Default::default() };
    let diff = diff(&desired(new), &live, &ownership);
    let drafts = drafts(&diff);
    (live, diff, drafts)
}

/// Every state that the ordered calls pass through, whatever the interleaving and wherever an apply
/// stops.
pub(super) fn states(live: &Live, ordered: &Ordered) -> Vec<Live> {
    let mut states = Vec::new();
    let mut start = live.clone();
    let mut rest = ordered.drafts.as_slice();
    while let Some((phase, _)) = rest.first() {
        let (now, later) =
            rest.split_at(rest.iter().take_while(|(other, _)| other == phase).count());
        let calls: Vec<_> = now.iter().map(|(_, draft)| &draft.change).collect();
        for bits in 0..1_usize << calls.len() {
            let chosen = calls
                .iter()
                .enumerate()
                .filter(|(index, _)| bits >> index & 1 == 1)
                .map(|(_, call)| *call);
            states.push(simulate(&start, chosen));
        }
        start = simulate(&start, calls);
        rest = later;
    }
    states
}

pub(super) fn steps(diff: &Diff, ordered: &Ordered) -> Vec<Step> {
    let numbered = ordered.drafts.iter().cloned().zip(1..);
    numbered.map(|((phase, draft), id)| draft.step(id, phase, diff)).collect()
}

/// Returns `true` if some order of these calls, one by one, leads through states that are all good.
fn some_order_is(good: &dyn Fn(&Live) -> bool, start: &Live, drafts: &[Draft]) -> bool {
    fn from(
        good: &dyn Fn(&Live) -> bool,
        now: &Live,
        drafts: &[Draft],
        done: usize,
        dead: &mut BTreeSet<usize>,
    ) -> bool {
        if done == (1 << drafts.len()) - 1 {
            return true;
        }
        if !dead.insert(done) {
            return false;
        }
        drafts.iter().enumerate().any(|(index, draft)| {
            let free =
                done >> index & 1 == 0 && draft.needs.iter().all(|need| done >> need & 1 == 1);
            free && {
                let next = simulate(now, [&draft.change]);
                good(&next) && from(good, &next, drafts, done | 1 << index, dead)
            }
        })
    }
    from(good, start, drafts, 0, &mut BTreeSet::new())
}

#[test]
fn who_swaps_domains_is_never_without_a_policy_of_either() {
    let policy = |name: &str, action: Action, resource: &str| {
        let resources = Resources::Plain(vec![resource.to_owned()].into());
        let rule = Rule {
            name: "r".to_owned(),
            decision: Decision::Allow,
            actions: vec![action],
            resources,
        };
        Policy {
            name: name.to_owned(),
            scope: Scope::Organization,
            body: Body::Allowlist(vec![rule]),
        }
    };
    let old = [
        policy("p1", Action::ConnectTcp, "one.example.com"),
        policy("p2", Action::Read, "/data/**"),
    ];
    let new =
        [policy("p1", Action::Read, "~/src"), policy("p2", Action::ConnectTcp, "two.example.com")];
    let (live, diff, drafts) = ends(&old, &new);
    let ordered = order(&diff, drafts);
    assert_eq!(ordered.refusal, None);
    for state in states(&live, &ordered) {
        let rules = state.policies.iter().flat_map(|policy| policy.rules());
        let governed: BTreeSet<_> = rules.filter_map(|live| live.rule.domain()).collect();
        assert_eq!(governed, BTreeSet::from([Domain::Network, Domain::Filesystem]), "{ordered:?}");
    }
}

#[test]
fn a_phase_that_hands_a_team_from_one_policy_to_another_is_not_safe() {
    let policy = |name: &str, teams: &[&str]| {
        let resources = Resources::Plain(vec!["one.example.com".to_owned()].into());
        let rule = Rule {
            name: "r".to_owned(),
            decision: Decision::Allow,
            actions: vec![Action::ConnectTcp],
            resources,
        };
        let scope = Scope::from_teams(teams.iter().map(|&team| team.to_owned()));
        Policy { name: name.to_owned(), scope, body: Body::Allowlist(vec![rule]) }
    };
    let old = [policy("p1", &["t1"]), policy("p2", &["t3"])];
    let new = [policy("p2", &["t1", "t3"])];
    let (live, diff, drafts) = ends(&old, &new);
    let mut ordered = order(&diff, drafts);
    assert_eq!(verify(&live, &steps(&diff, &ordered)), None, "the planner's own order");
    // After the deletion and before the other call, no policy would govern the first team.
    for (phase, _) in &mut ordered.drafts {
        *phase = 1;
    }
    let refusal = verify(&live, &steps(&diff, &ordered)).map(|refusal| format!("{refusal:?}"));
    assert!(
        refusal.as_deref().is_some_and(|text| text.contains("without any network policy")),
        "{refusal:?}"
    );
}

proptest! {
    #[test]
    fn nothing_opens_on_the_way(old in organization(3), new in organization(3)) {
        let (old, diff, drafts) = ends(&old, &new);
        let new = live(&new);
        let ordered = order(&diff, drafts);
        if ordered.refusal.is_none() {
            for state in states(&old, &ordered) {
                prop_assert_eq!(opening(&old, &new, &state), None, "{:?}", ordered);
            }
        }
    }

    #[test]
    fn an_order_of_the_planner_is_found_safe(old in organization(3), new in organization(3)) {
        let (old, diff, drafts) = ends(&old, &new);
        let ordered = order(&diff, drafts);
        prop_assume!(ordered.refusal.is_none());
        prop_assert_eq!(verify(&old, &steps(&diff, &ordered)), None, "{:?}", ordered);
    }

    #[test]
    fn an_order_that_is_found_safe_opens_nothing(
        old in organization(3),
        new in organization(3),
        phases in prop::collection::vec(1..6_usize, 24),
    ) {
        let (old, diff, drafts) = ends(&old, &new);
        let mut ordered = order(&diff, drafts);
        for ((phase, _), other) in ordered.drafts.iter_mut().zip(phases) {
            *phase = other;
        }
        ordered.drafts.sort_by_key(|(phase, _)| *phase);
        let steps = steps(&diff, &ordered);
        if check(&steps, &old.policies).is_ok() && verify(&old, &steps).is_none() {
            for state in states(&old, &ordered) {
                prop_assert_eq!(opening(&old, &live(&new), &state), None, "{:?}", ordered);
            }
        }
    }

    #[test]
    fn what_a_call_needs_comes_in_an_earlier_phase(old in organization(3), new in organization(3), turn in 0..3_usize) {
        // Names move along a cycle or a chain.
        let mut new = new;
        let names: Vec<String> = new.iter().map(|policy| policy.name.clone()).collect();
        let mut wanted = desired(&new);
        for (index, declared) in wanted.policies.iter_mut().enumerate() {
            let name = names[(index + turn) % names.len()].clone();
            if name != declared.policy.name {
                declared.previously = vec![declared.policy.name.clone()];
            }
            new[index].name.clone_from(&name);
            declared.policy.name = name;
        }
        let diff = diff(&wanted, &live(&old), &Ownership { exclusive: true, ..Default::default() });
        let ordered = order(&diff, drafts(&diff));
        let mut held: BTreeSet<String> = old.iter().map(|policy| policy.name.clone()).collect();
        for phase in ordered.drafts.chunk_by(|(one, _), (other, _)| one == other) {
            for (_, draft) in phase {
                let taken = draft.change.taken_name();
                prop_assert!(taken.is_none_or(|name| !held.contains(name)), "{:?}", ordered);
            }
            for (_, draft) in phase {
                if let Some(freed) = draft.change.freed_name() {
                    held.remove(freed);
                    held.extend(draft.change.taken_name().map(str::to_owned));
                }
            }
        }
    }

    #[test]
    fn a_call_is_added_only_where_no_order_of_single_calls_is_safe(old in organization(2), new in organization(2)) {
        let (old, diff, drafts) = ends(&old, &new);
        prop_assume!(drafts.len() <= 10);
        let ordered = order(&diff, drafts.clone());
        let added = ordered.drafts.len() > drafts.len();
        let split = ordered.drafts.iter().any(|(_, draft)| matches!(draft.because, Some(Reason::SplitNarrows | Reason::SplitWidens | Reason::TemporaryDeny)));
        prop_assert_eq!(added, split);
        if added || ordered.refusal.is_some() {
            let is_safe = |state: &Live| opening(&old, &live(&new), state).is_none();
            prop_assert!(!some_order_is(&is_safe, &old, &drafts), "{:?}", ordered);
        }
    }

    #[test]
    fn an_order_leans_on_denies_that_go_only_where_every_order_does(old in organization(2), new in organization(2)) {
        let (old, diff, drafts) = ends(&old, &new);
        let new = live(&new);
        prop_assume!(drafts.len() <= 10);
        let ordered = order(&diff, drafts.clone());
        prop_assume!(ordered.refusal.is_none() && ordered.drafts.len() == drafts.len());
        let is_good = |state: &Live| opening(&old, &new, state).is_none() && leaning(&old, &new, state).is_none();
        if let Some(leaning) = states(&old, &ordered).iter().find_map(|state| leaning(&old, &new, state)) {
            prop_assert!(!some_order_is(&is_good, &old, &drafts), "{} {:?}", leaning, ordered);
        }
    }

    #[test]
    fn every_order_ends_where_it_should(old in organization(3), new in organization(3)) {
        let (old, diff, drafts) = ends(&old, &new);
        let ordered = order(&diff, drafts);
        let after = simulate(&old, ordered.drafts.iter().map(|(_, draft)| &draft.change));
        let ownership = Ownership { exclusive: true, ..Default::default() };
        let again = crate::plan::docker::diff::diff(&desired(&new), &after, &ownership);
        prop_assert_eq!(super::capacity::drafts(&again).len(), 0);
    }
}
