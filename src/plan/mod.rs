//! Plans: diff, order, guards, requests and the saved form.
//!
//! ```text
//! Desired, Live ──diff──▶ Diff ──draft──▶ calls ──order──▶ Plan {docker, vijil} ──guard──▶ Approved
//!                                           └──▶ ChangeSet ──▶ drift, import
//! ```
//!
//! Invariant: pure and deterministic. The same documents and the same live state give the same
//! plan, byte for byte.

mod answers;
pub mod applied;
mod audience;
mod changes;
pub mod dependencies;
pub mod docker;
pub mod flips;
pub mod governed;
pub mod guard;
mod judgement;
mod make;
pub mod meaning;
mod origins;
pub mod protected;
pub mod recorded;
pub mod request;
mod safe_order;
pub mod saved;
pub mod set;
pub mod stale;
pub mod step;
mod steps;
pub mod undeclared;
pub mod vijil;
pub mod warning;

pub use changes::{ChangeSet, differences};
pub use make::{Base, Impossible, Input, make};
pub use steps::AnyStep;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::docker::{Difference, Step, simulate, temporary};
use self::guard::Verdict;
use self::meaning::Meaning;
use self::origins::Origins;
use self::saved::Service;
use self::undeclared::WithoutEffect;
use self::warning::{Finding, Warning};
use crate::access;
use crate::evidence::replay::Replay;
use crate::model::{Guards, Live, LivePolicy, Policy, SettingChange, TeamDirectory};

/// A plan: the calls to make, the verdicts that permit them, and their effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The Docker side; `None` for a plan without Docker.
    pub docker: Option<DockerPlan>,
    /// The Vijil side; `None` for a plan without Vijil.
    pub vijil: Option<vijil::Plan>,
    /// The warnings: a person should read them, but they refuse nothing.
    pub warnings: Vec<Warning>,
    /// The findings of checks that the change introduces.
    pub findings: Vec<Finding>,
    /// The verdicts of all guards.
    pub guards: Vec<Verdict>,
    /// The settings of the guards, so that the plan can be judged again without its workspace.
    pub guard_settings: Guards,
    /// The source of the settings, if it is not the workspace of the documents.
    pub guards_from: Option<GuardsFrom>,
    /// The documents that the plan starts from, if it does not start from live state.
    pub before: Option<Before>,
}

/// The Docker side of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DockerPlan {
    /// The target of the calls.
    pub target: docker::Target,
    /// The calls, in order.
    pub steps: Vec<Step>,
    /// Undeclared live policies that are left alone.
    pub left_alone: Vec<String>,
    /// The effect of the change on access.
    pub access: Meaning,
    /// Changes of access that have no effect because of undeclared live policies.
    pub without_effect: Vec<WithoutEffect>,
    /// Expectations of access tests whose result changes.
    pub flips: Vec<flips::Flip>,
    /// The access tests of the documents, which run again before a saved plan is applied.
    pub tests: Vec<flips::CarriedTest>,
    /// The effect of the change on recorded requests; `None` without records.
    pub recorded: Option<Replay>,
    /// The teams that the plan depends on, by id and name: a saved plan is stale once one of them
    /// changes.
    pub teams: TeamDirectory,
    /// The live state that the plan was made from.
    pub live: LiveRecord,
}

/// The live state that the Docker side was made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveRecord {
    /// The fingerprint of all policies: `sha256:` and the hash.
    pub fingerprint: String,
    /// The policies that the plan touches, before it; lists are in the order of
    /// [`docker::fingerprint::ordered`].
    pub touched: Vec<LivePolicy>,
}

/// Documents that a plan starts from, as if they were applied. Such a plan shows the effect of a
/// change of documents. It knows nothing of live state, so that it can neither be saved nor
/// applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Before {
    /// The git ref or the folder, as given on the command line.
    pub from: String,
}

/// Settings from the version that the documents are to be merged into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuardsFrom {
    /// The git ref or the folder, as given on the command line.
    pub from: String,
    /// True if it has the workspace; otherwise the strictest guards apply.
    pub found: bool,
    /// The settings that the documents change. The changed values do not apply.
    pub changed: Vec<SettingChange>,
}

/// An undeclared live policy that is left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Unmanaged")]
pub struct LeftAlone {
    /// Its service.
    pub service: Service,
    /// Its name.
    pub policy: String,
}

/// A policy that a plan touches, as it is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Touched {
    /// The service's id.
    pub id: String,
    /// The fingerprint of this policy: `sha256:` and the hash.
    pub fingerprint: String,
    /// The policy in canonical form with ids, so that a later change can be shown.
    pub was: Value,
}

impl Plan {
    /// Returns `true` if nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all_steps().next().is_none()
    }

    /// The Docker organization that the plan is for.
    #[must_use]
    pub fn org(&self) -> Option<&str> {
        self.docker.as_ref().map(|docker| docker.target.org.as_str())
    }

    /// The steps about Docker, in order.
    #[must_use]
    pub fn docker_steps(&self) -> &[Step] {
        self.docker.as_ref().map_or(&[], |docker| &docker.steps)
    }

    /// The steps about Vijil, in order.
    #[must_use]
    pub fn vijil_steps(&self) -> &[vijil::Step] {
        self.vijil.as_ref().map_or(&[], |vijil| &vijil.steps)
    }

    /// The undeclared live policies that are left alone, those of Docker first.
    pub fn left_alone(&self) -> impl Iterator<Item = LeftAlone> {
        let docker = self.docker.iter().flat_map(|side| &side.left_alone);
        let vijil = self.vijil.iter().flat_map(|side| &side.left_alone);
        let docker = docker.map(|policy| (Service::Docker, policy));
        let all = docker.chain(vijil.map(|policy| (Service::Vijil, policy)));
        all.map(|(service, policy)| LeftAlone { service, policy: policy.clone() })
    }

    /// The differences in Vijil.
    pub fn vijil_differences(&self) -> impl Iterator<Item = &vijil::Difference> + Clone {
        self.vijil_steps().iter().map(|step| &step.difference)
    }

    /// Returns `true` if there is nothing to report: nothing changes, not even a setting of the
    /// guards, and no guard refuses it.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.is_empty()
            && self.guards.iter().all(|verdict| verdict.ok)
            && self.guards_from.as_ref().is_none_or(|guards| guards.changed.is_empty())
    }

    /// Names of the access tests with a result that changes to one that is not expected.
    #[must_use]
    pub fn broken_tests(&self) -> BTreeSet<&str> {
        let flips = self.docker.iter().flat_map(|docker| &docker.flips);
        let broken = flips.filter(|flip| flip.after != flip.expected);
        broken.map(|flip| flip.test.as_str()).collect()
    }
}

/// Returns `true` if an interrupted apply left the live policy of this name behind: the next plan
/// deletes it, whatever the ownership.
#[must_use]
pub fn is_left_behind(name: &str) -> bool {
    temporary::is_temporary_deny(name)
}

/// The effect of the steps on access in this live state.
#[must_use]
pub fn compare(live: &Live, steps: &[Step]) -> Meaning {
    let after = simulate::simulate(live, steps.iter().map(|step| &step.change));
    meaning_of(live, &after, steps.is_empty(), &Origins::default())
}

/// The effect of the change from `live` to `after`, with what `can` answers about it.
fn meaning_of(live: &Live, after: &Live, same: bool, places: &Origins<'_>) -> Meaning {
    let [old, new] = ends(live, after, same);
    let mut meaning = between([&old, &new], live, places);
    answers::add(meaning.changes_mut(), (&old, &new), &live.teams);
    meaning
}

/// The same effect for guards, which need no answers.
fn bare_meaning_of(live: &Live, after: &Live, same: bool) -> Meaning {
    let [old, new] = ends(live, after, same);
    between([&old, &new], live, &Origins::default())
}

fn ends(live: &Live, after: &Live, same: bool) -> [Vec<Policy>; 2] {
    if same { [Vec::new(), Vec::new()] } else { [live, after].map(simulate::policies) }
}

fn between([old, new]: [&[Policy]; 2], live: &Live, places: &Origins<'_>) -> Meaning {
    let found = access::compare(old, new, &live.teams).of_whole_states(old, new);
    Meaning::new(found, governed::compare(old, new, &live.teams), |cause| places.tell(cause))
}

/// The ids of the live policies that differ.
fn existing_ids<'a>(differences: impl Iterator<Item = &'a Difference>) -> BTreeSet<&'a str> {
    let existing = differences.filter_map(|difference| difference.change.policy().existing());
    existing.map(|id| id.0.as_str()).collect()
}
