//! Proposals that replace a wildcard by the hosts that were asked for.
//!
//! Invariant: a proposal leaves every recorded request allowed that was allowed: [`harm`] returns
//! the first counterexample. Access that records do not show (UDP, requests of other days) is lost;
//! a person has to judge that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{Judge, Ruling};
use super::membership::{Memberships, Teams};
use super::observation::RecordedDecision;
use super::requests::Requests;
use super::usage::Input;
use super::{Asked, Subject};
use crate::access::{Request, State};
use crate::model::{Action, Body, Decision, Origin, Policy, Resources, Rule};

/// The largest number of hosts that replace a wildcard.
const MOST: usize = 50;

/// A wildcard with its proposed replacement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Narrowing {
    /// The policy's name.
    pub policy: String,
    /// The rule's name.
    pub rule: String,
    /// The resource with a wildcard.
    pub from: String,
    /// The resources that were asked for, sorted.
    pub to: Vec<String>,
    /// The number of these recorded requests.
    pub requests: u64,
    /// The location where a document declares the rule.
    pub source: Origin,
    /// The policy's and the rule's places.
    #[serde(skip)]
    pub at: (usize, usize),
}

/// A wildcard of a rule that allows connections.
struct Candidate {
    at: (usize, usize),
    resource: String,
    port: Option<String>,
}

/// The wildcards that could be narrowed.
#[must_use]
pub fn narrow(input: Input<'_>) -> Vec<Narrowing> {
    let Input { requests, declared, memberships, least: _ } = input;
    let mut candidates = Vec::new();
    let mut alone = Vec::new();
    for (at, one) in declared.iter().enumerate() {
        for (number, rule) in one.policy.rules().iter().enumerate() {
            for resource in wildcards(rule) {
                let rule = Rule {
                    resources: Resources::Plain(vec![resource.clone()].into()),
                    ..rule.clone()
                };
                alone.push(Policy { body: Body::Allowlist(vec![rule]), ..one.policy.clone() });
                let port = resource.rsplit_once(':').map(|(_, port)| port.to_owned());
                candidates.push(Candidate { at: (at, number), resource, port });
            }
        }
    }
    if candidates.is_empty() {
        return Vec::new();
    }
    let policies: Vec<Policy> = declared.iter().map(|one| one.policy.clone()).collect();
    let (state, judge) = (State::new(&alone), Judge::new(&policies));
    let (classes, of_user) = memberships.classes(requests);
    let mut found: BTreeMap<usize, (BTreeSet<String>, u64)> = BTreeMap::new();
    for (asked, groups) in requests.by_request() {
        let Subject::One(request @ (Request::Connect { .. } | Request::Http { .. })) =
            &asked.subject
        else {
            continue;
        };
        let Some(host) = request.host().map(ToString::to_string) else { continue };
        let (rules, case) = (state.question(request).rules(), judge.case(asked));
        let denied =
            by_class(&classes, |teams| judge.rule(&case, teams) == Ruling::Known(Decision::Deny));
        for group in groups {
            let class = of_user.get(group.user).copied().unwrap_or_default();
            let Some(teams) = classes.get(class).filter(|_| !denied(class)) else { continue };
            for rule in &rules {
                let governs = match teams {
                    Teams::Known(teams) => state.governs(*rule, teams),
                    Teams::Unknown => true,
                };
                if let Some(candidate) = candidates.get(*rule).filter(|_| governs) {
                    let own = found.entry(*rule).or_default();
                    let port =
                        candidate.port.as_ref().map(|port| format!(":{port}")).unwrap_or_default();
                    own.0.insert(format!("{host}{port}"));
                    own.1 += group.count;
                }
            }
        }
    }
    let proposal = |(number, (hosts, requests)): (usize, (BTreeSet<String>, u64))| {
        let candidate = candidates.get(number)?;
        let one = declared.get(candidate.at.0)?;
        // How the service reads an IPv6 address is not documented.
        let writable = hosts.len() <= MOST && !hosts.iter().any(|host| host.starts_with('['));
        writable.then(|| Narrowing {
            policy: one.policy.name.clone(),
            rule: one
                .policy
                .rules()
                .get(candidate.at.1)
                .map(|rule| rule.name.clone())
                .unwrap_or_default(),
            from: candidate.resource.clone(),
            to: hosts.into_iter().collect(),
            requests,
            source: one
                .rules
                .get(candidate.at.1)
                .map_or_else(|| one.origin.clone(), |rule| rule.origin.clone()),
            at: candidate.at,
        })
    };
    found.into_iter().filter_map(proposal).collect()
}

/// The resources of a rule that records may narrow.
fn wildcards(rule: &Rule) -> Vec<String> {
    let Resources::Plain(resources) = &rule.resources else { return Vec::new() };
    // Records never show UDP, so nothing is known about what else the rule allows.
    if rule.decision != Decision::Allow || rule.actions != [Action::ConnectTcp] {
        return Vec::new();
    }
    resources.iter().filter(|resource| resource.contains(['*', '?'])).cloned().collect()
}

/// The policies with the proposals applied.
#[must_use]
pub fn narrowed(policies: &[Policy], proposals: &[Narrowing]) -> Vec<Policy> {
    let mut narrowed = policies.to_vec();
    for Narrowing { from, to, at, .. } in proposals {
        let Some(Policy { body: Body::Allowlist(rules), .. }) = narrowed.get_mut(at.0) else {
            continue;
        };
        let Some(Rule { resources: Resources::Plain(resources), .. }) = rules.get_mut(at.1) else {
            continue;
        };
        let mut all: Vec<String> = Vec::new();
        for resource in resources.iter() {
            let kept = std::slice::from_ref(resource);
            all.extend(if resource == from { to.as_slice() } else { kept }.iter().cloned());
        }
        let mut seen = BTreeSet::new();
        all.retain(|resource| seen.insert(resource.clone()));
        *resources = all.into();
    }
    narrowed
}

/// A recorded request that was allowed and would no longer be allowed for certain; `None` proves
/// that there is none.
#[must_use]
pub fn harm(
    requests: &Requests,
    before: &[Policy],
    after: &[Policy],
    memberships: &Memberships,
) -> Option<Asked> {
    let (old, new) = (Judge::new(before), Judge::new(after));
    let (classes, of_user) = memberships.classes(requests);
    for (asked, groups) in requests.by_request() {
        let (was, will) = (old.case(asked), new.case(asked));
        let rulings = by_class(&classes, |teams| (old.rule(&was, teams), new.rule(&will, teams)));
        for group in groups {
            let (was, will) = rulings(of_user.get(group.user).copied().unwrap_or_default());
            let harmed = match (was, will) {
                (Ruling::Known(Decision::Allow), will) => will != was,
                (Ruling::Unknown(_), Ruling::Known(Decision::Deny)) => {
                    group.recorded == RecordedDecision::Allow
                }
                (Ruling::Known(Decision::Deny), _) | (Ruling::Unknown(_), _) => false,
            };
            if harmed {
                return Some(asked.clone());
            }
        }
    }
    None
}

/// The state of each membership, computed once.
fn by_class<T: Copy>(classes: &[Teams], of: impl Fn(&Teams) -> T) -> impl Fn(usize) -> T {
    let known: RefCell<BTreeMap<usize, T>> = RefCell::default();
    move |class| {
        *known
            .borrow_mut()
            .entry(class)
            .or_insert_with(|| of(classes.get(class).unwrap_or(&Teams::Unknown)))
    }
}
