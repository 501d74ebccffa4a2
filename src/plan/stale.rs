//! Checks that a saved plan still fits the live state.
//!
//! Invariant: a plan that passes changes exactly what was reviewed, for the teams that were
//! reviewed, with the reviewed effect on access.

use similar::TextDiff;
use std::collections::BTreeSet;

use crate::model::{Live, LivePolicy, TeamDirectory};

use super::docker::{fingerprint, teams};
use super::{DockerPlan, compare};

/// The reason why a saved plan no longer fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// A policy that the plan touches has changed.
    Moved {
        /// Its name in the plan.
        policy: String,
        /// The changes, as a unified diff of its canonical form.
        difference: String,
    },
    /// A policy that the plan touches does not exist any more.
    Gone {
        /// Its name in the plan.
        policy: String,
    },
    /// A policy that the plan creates exists already.
    Appeared {
        /// Its name.
        policy: String,
    },
    /// Another organization answered than that of the plan.
    Elsewhere {
        /// The organization of the plan.
        planned: String,
        /// The organization that answered.
        live: String,
    },
    /// A team that the plan depends on is not the team that was reviewed.
    OtherTeam {
        /// The service's id.
        id: String,
        /// Its name in the plan; `None` for a team that the plan does not know.
        planned: Option<String>,
        /// Its name now; `None` for a team that was deleted, or that the plan is not about.
        live: Option<String>,
    },
    /// Something else changed, and with it the effect of the plan on access.
    OtherAccess {
        /// The difference between both effects, as a unified diff.
        difference: String,
    },
}

/// Every reason why the Docker side of a plan is stale; empty for a plan that may be applied.
#[must_use]
pub fn check(plan: &DockerPlan, live: &Live) -> Vec<Stale> {
    let planned = &plan.target.org;
    if *planned != live.org {
        return vec![Stale::Elsewhere { planned: planned.clone(), live: live.org.clone() }];
    }
    let mut stale: Vec<Stale> =
        plan.live.touched.iter().filter_map(|was| moved(plan, live, was)).collect();
    let gives_up =
        |name: &str| plan.steps.iter().any(|step| step.change.freed_name() == Some(name));
    let names: BTreeSet<&str> = live.policies.iter().map(|policy| policy.name.as_str()).collect();
    let taken = plan.steps.iter().filter_map(|step| step.change.taken_name());
    let appeared = taken.filter(|name| names.contains(name) && !gives_up(name));
    stale.extend(appeared.map(|name| Stale::Appeared { policy: name.to_owned() }));
    stale.extend(other_teams(plan, live));
    if stale.is_empty() {
        let now = compare(live, &plan.steps);
        if !now.is_same_access(&plan.access) {
            let json = |access| serde_json::to_string_pretty(access).expect("a comparison is JSON");
            stale.push(Stale::OtherAccess {
                difference: difference(&json(&plan.access), &json(&now)),
            });
        }
    }
    stale
}

/// Teams that the plan depends on and that differ from those it records.
fn other_teams(plan: &DockerPlan, live: &Live) -> Vec<Stale> {
    let name_in = |teams: &TeamDirectory, id: &str| {
        teams.iter().find(|team| team.id == id).map(|team| team.name)
    };
    let now = teams::named(live, plan.steps.iter().map(|step| &step.difference), &plan.access);
    let ids: BTreeSet<String> = plan.teams.iter().chain(now.iter()).map(|team| team.id).collect();
    let other = ids.into_iter().filter_map(|id| {
        let planned = name_in(&plan.teams, &id);
        let live = name_in(&now, &id)
            .or_else(|| name_in(&live.teams, &id).filter(|name| Some(name) != planned.as_ref()));
        (planned != live).then_some(Stale::OtherTeam { id, planned, live })
    });
    other.collect()
}

fn moved(plan: &DockerPlan, live: &Live, was: &LivePolicy) -> Option<Stale> {
    let policy = || {
        let step = plan.steps.iter().find(|step| step.change.policy().existing() == Some(&was.id));
        step.map_or_else(|| was.id.0.clone(), |step| step.policy.clone())
    };
    let Some(found) = live.policies.iter().find(|policy| policy.id == was.id) else {
        return Some(Stale::Gone { policy: policy() });
    };
    let [was, now] = [was, found].map(fingerprint::canonical);
    if was == now {
        return None;
    }
    let pretty = |value| serde_json::to_string_pretty(value).expect("a policy is JSON");
    let difference = difference(&pretty(&was), &pretty(&now));
    Some(Stale::Moved { policy: policy(), difference })
}

/// The difference of the state that a plan was made from to the present one, as a unified diff.
pub(super) fn difference(before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(2)
        .header("live when planned", "live now")
        .to_string()
}
