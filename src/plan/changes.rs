//! The differences between two states, which are not a plan.
//!
//! Invariant: a [`ChangeSet`] has no order and no guards, and nothing turns it into a
//! [`super::Plan`]: a comparison can be neither approved nor executed.

use crate::model::{Desired, Live, Ownership, TeamDirectory};

use super::docker::diff::diff;
use super::docker::{Difference, simulate, teams};
use super::meaning::Meaning;
use super::meaning_of;
use super::origins::Origins;
use super::safe_order::capacity::drafts;
use super::saved::Summary;
use super::step::{Object, Op, Reason};
use super::vijil;

/// The differences between two states, object by object, and their effect on access.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeSet {
    /// The Docker organization; `None` if the comparison does not include Docker.
    pub org: Option<String>,
    /// The differences in Docker, policies in the order of their names.
    pub docker: Vec<Difference>,
    /// The effect of the differences on access.
    pub access: Meaning,
    /// The teams that the differences name, by id and name.
    pub teams: TeamDirectory,
    /// The differences in Vijil.
    pub vijil: Vec<vijil::Difference>,
}

/// The differences from `live` in Docker. Team keys of `desired` are ids. `documents` gives the
/// places of declarations if both sides are built for a comparison.
#[must_use]
pub fn differences(
    desired: &Desired,
    live: &Live,
    ownership: &Ownership,
    documents: Option<&Desired>,
) -> ChangeSet {
    let diff = diff(desired, live, ownership);
    let places = documents.map_or_else(
        || Origins::of_change(&diff, desired),
        |documents| Origins::of_drift(&diff, documents),
    );
    let drafts =
        drafts(&diff).into_iter().filter(|draft| draft.because != Some(Reason::TemporaryName));
    let docker: Vec<Difference> =
        drafts.zip(1..).map(|(draft, id)| draft.difference(id, &diff)).collect();
    let after = simulate::simulate(live, docker.iter().map(|difference| &difference.change));
    let access = meaning_of(live, &after, docker.is_empty(), &places);
    let teams = teams::named(live, docker.iter(), &access);
    ChangeSet { org: Some(live.org.clone()), docker, access, teams, vijil: Vec::new() }
}

impl ChangeSet {
    /// Returns `true` if nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.docker.is_empty() && self.vijil.is_empty()
    }

    /// The operations of the differences, with the kinds of objects.
    pub fn operations(&self) -> impl Iterator<Item = (Op, Object)> {
        let docker = self.docker.iter().map(|difference| difference.change.operation());
        docker.chain(self.vijil.iter().map(|difference| difference.change.operation()))
    }

    /// The number of differences of each kind.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::count(self.operations().map(|(op, _)| op))
    }
}
