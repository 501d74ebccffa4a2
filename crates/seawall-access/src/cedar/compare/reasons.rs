//! The statements because of which a call may get further, and a request that does.
//!
//! Invariant: an empty list of reasons proves that no call gets further; a witness does get
//! further.

use cedar_policy::pst::Template;

use super::{InForce, Kind, Occurrence};
use crate::cedar::{McpRequest, cover, decide, example};

/// The statements because of which a call may get further in `to`, with whether they exist there.
/// An empty list is a proof that none does.
pub(super) fn reasons<'a>(from: &InForce<'a>, to: &InForce<'a>) -> Vec<(&'a Occurrence, bool)> {
    let of = |state: &InForce<'a>, kinds: &[Kind]| -> Vec<&'a Occurrence> {
        state.values().filter(|said| kinds.contains(&said.key.0)).copied().collect()
    };
    let covered = |said: &Occurrence, by: Vec<&Occurrence>| {
        let Some(inner) = &said.statement else { return false };
        by.iter()
            .any(|other| other.statement.as_ref().is_some_and(|outer| cover::covers(outer, inner)))
    };
    let (permits, lets) =
        ([Kind::Permit, Kind::Unknown], [Kind::Permit, Kind::Approval, Kind::Unknown]);
    let meets = |said: &Occurrence, kinds: &[Kind]| {
        of(to, kinds).iter().any(|other| match (&said.statement, &other.statement) {
            (Some(one), Some(other)) => !cover::are_disjoint(one, other),
            (None, _) | (_, None) => true,
        })
    };
    let mut reasons = Vec::new();
    for said in to.iter().filter(|(key, _)| !from.contains_key(*key)).map(|(_, said)| *said) {
        let idle = match said.key.0 {
            Kind::Permit => {
                covered(said, of(from, &[Kind::Permit]))
                    || covered(said, of(to, &[Kind::Approval, Kind::Forbid]))
            }
            Kind::Approval => {
                covered(said, of(from, &[Kind::Permit, Kind::Approval]))
                    || covered(said, of(to, &[Kind::Forbid]))
            }
            Kind::Forbid => true,
            Kind::Unknown => false,
        };
        reasons.extend((!idle).then_some((said, true)));
    }
    for said in from.iter().filter(|(key, _)| !to.contains_key(*key)).map(|(_, said)| *said) {
        let idle = match said.key.0 {
            Kind::Permit => true,
            Kind::Approval => {
                !meets(said, &permits) || covered(said, of(to, &[Kind::Approval, Kind::Forbid]))
            }
            Kind::Forbid => !meets(said, &lets) || covered(said, of(to, &[Kind::Forbid])),
            Kind::Unknown => !meets(said, &lets),
        };
        reasons.extend((!idle).then_some((said, false)));
    }
    reasons
}

/// Returns `true` if a reason of an audience with `to` in force at the end can apply to it, and not
/// already to a smaller audience with `before` and `after`.
///
/// A permit that is added for the smaller audience lets the call through there too, unless
/// everything was let through there before any policy governed it. If a forbid or an approval is
/// removed, the smaller audience was stopped as well; if it still is, a permit is missing, which
/// the larger audience then gets from elsewhere.
pub(super) fn only_here(
    said: &Occurrence,
    comes: bool,
    to: &InForce<'_>,
    [before, after]: [&InForce<'_>; 2],
) -> bool {
    if comes {
        return before.is_empty() || !after.contains_key(&said.key);
    }
    let lets = |other: &&Occurrence| other.key.0 != Kind::Forbid && !after.contains_key(&other.key);
    let meets = |other: &Occurrence| match (&said.statement, &other.statement) {
        (Some(one), Some(other)) => !cover::are_disjoint(one, other),
        (None, _) | (_, None) => true,
    };
    !before.contains_key(&said.key) || to.values().copied().filter(lets).any(meets)
}

/// An example of the change, made of the values that the statement and the others compare with.
pub(super) fn witness(
    said: &Occurrence,
    trees: &[&Template],
    most: usize,
    shows: impl Fn(&McpRequest) -> bool,
) -> Option<McpRequest> {
    let statement = said.statement.as_ref().filter(|_| most > 0)?;
    let tries = example::requests(said.tree()?, trees, most);
    let found =
        tries.into_iter().find(|request| decide::matches(statement, request) && shows(request))?;
    Some(shortened(found, shows))
}

/// The request without the parts that do not matter.
pub(super) fn shortened(
    mut request: McpRequest,
    holds: impl Fn(&McpRequest) -> bool,
) -> McpRequest {
    let names: Vec<String> = request.attributes.keys().cloned().collect();
    for name in names {
        let mut shorter = request.clone();
        shorter.attributes.remove(&name);
        if holds(&shorter) {
            request = shorter;
        }
    }
    for shorter in [
        McpRequest { arguments: None, ..request.clone() },
        McpRequest { request_time: None, ..request.clone() },
        McpRequest { arguments: None, request_time: None, ..request.clone() },
    ] {
        if holds(&shorter) {
            request = shorter;
        }
    }
    request
}
