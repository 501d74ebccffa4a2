//! Whether a saved plan still fits the live state.
//!
//! Invariant: a plan that fits changes exactly what was reviewed, and means for access exactly what was shown.

use similar::TextDiff;
use std::collections::BTreeSet;

use crate::model::{Live, TeamDirectory};

use super::step::{Change, PolicyTarget};
use super::{Plan, compare, fingerprint, taken_names};

/// Why a saved plan no longer fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// A policy that the plan touches has changed.
    Moved {
        /// Its name in the plan.
        policy: String,
        /// What changed, as a unified diff of its canonical form.
        difference: String,
    },
    /// A policy that the plan touches is gone.
    Gone {
        /// Its name in the plan.
        policy: String,
    },
    /// A policy that the plan creates is there already.
    Appeared {
        /// Its name.
        policy: String,
    },
    /// Another organization answered.
    Elsewhere {
        /// The organization of the plan.
        planned: String,
        /// The organization that answered.
        live: String,
    },
    /// Something else changed, and with it what the plan means for access.
    OtherAccess {
        /// What changed, as a unified diff of both comparisons.
        difference: String,
    },
}

/// Everything that no longer fits; empty for a plan that may be applied.
#[must_use]
pub fn check(plan: &Plan, live: &Live) -> Vec<Stale> {
    let planned = plan.target.as_ref().map_or("", |target| &target.org);
    if planned != live.org {
        return vec![Stale::Elsewhere { planned: planned.to_owned(), live: live.org.clone() }];
    }
    let mut stale: Vec<Stale> = plan.live.touched.iter().filter_map(|was| moved(plan, live, was)).collect();
    let gives_up = |name: &str| {
        plan.steps.iter().any(|step| match &step.change {
            Change::UpdatePolicy { before, after, .. } => before.name == name && after.name != name,
            Change::DeletePolicy { before, .. } => before.name == name,
            Change::CreatePolicy { .. }
            | Change::CreateRule { .. }
            | Change::UpdateRule { .. }
            | Change::DeleteRule { .. } => false,
        })
    };
    let names: BTreeSet<&str> = live.policies.iter().map(|policy| policy.name.as_str()).collect();
    let appeared = taken_names(&plan.steps).filter(|name| names.contains(name) && !gives_up(name));
    stale.extend(appeared.map(|name| Stale::Appeared { policy: name.to_owned() }));
    if stale.is_empty() {
        // Under the names that were shown: a team that was renamed since is the same team.
        let teams = TeamDirectory::new(live.teams.iter().chain(plan.teams.iter()));
        let now = compare(&Live { teams, ..live.clone() }, &plan.steps);
        if !now.says_the_same(&plan.access) {
            let json = |access| serde_json::to_string_pretty(access).expect("a comparison is JSON");
            stale.push(Stale::OtherAccess { difference: difference(&json(&plan.access), &json(&now)) });
        }
    }
    stale
}

fn moved(plan: &Plan, live: &Live, was: &super::Touched) -> Option<Stale> {
    let policy = || {
        let about =
            |target: Option<&PolicyTarget>| matches!(target, Some(PolicyTarget::Existing(id)) if id.0 == was.id);
        let step = plan.steps.iter().find(|step| about(step.change.policy()));
        step.map_or_else(|| was.id.clone(), |step| step.policy.clone())
    };
    let Some(found) = live.policies.iter().find(|policy| policy.id.0 == was.id) else {
        return Some(Stale::Gone { policy: policy() });
    };
    if fingerprint::of_policy(found) == was.fingerprint {
        return None;
    }
    let pretty = |value| serde_json::to_string_pretty(value).expect("a policy is JSON");
    let difference = difference(&pretty(&was.was), &pretty(&fingerprint::canonical(found)));
    Some(Stale::Moved { policy: policy(), difference })
}

fn difference(before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after).unified_diff().context_radius(2).header("planned", "live").to_string()
}
