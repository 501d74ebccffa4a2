//! Documents for undeclared live policies.
//!
//! ```text
//! Live, Desired ──candidates──▶ documents ──name, place──▶ files ──prove──▶ Import {files, refused}
//! ```
//!
//! An import is verified before it is written: the workspace is loaded with the new documents, each
//! policy must read back equal to the live one, and a plan of the whole must not touch it. Patterns
//! that this program considers invalid are imported with a comment that makes the error a warning,
//! since it is not known how the service treats them. A policy that documents cannot express is
//! refused with the reason, and the others are imported.
//!
//! Invariant: no policy is lost silently. Each undeclared policy is in a file, in a refusal, or
//! among those that others manage. Names from a service determine neither a folder nor the
//! separators of a path.

mod document;
mod modeline;
mod name;
mod prove;
pub mod vijil;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::{Desired, Live, LivePolicy, Ownership};
use crate::plan::docker::matching;
use crate::plan::saved::Service;

pub(crate) use document::{document, rule, team_names};
pub(crate) use modeline::{MODELINE, SCHEMA};
pub use prove::{Input, Problem, make};

/// An undeclared live policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The service of the policy.
    pub service: Service,
    /// The places of the policy in the service: one, or one in each organization in which it is the
    /// same.
    pub places: Vec<Location>,
    /// Its name.
    pub name: String,
    /// The document that declares it, or the reason why there is none.
    pub document: Result<Map<String, Value>, String>,
}

/// The place of a live policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The Docker organization; empty for Vijil.
    pub org: String,
    /// The service's id.
    pub id: String,
}

/// The files to write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// Sorted by path.
    pub files: Vec<File>,
    /// Policies that are not imported, sorted by service and name.
    pub refused: Vec<Refused>,
    /// Differences of other documents that existed before.
    pub pending: usize,
    /// Live objects that are imported unchanged although it is not known how the service treats
    /// them: a place and a phrase for each.
    pub warnings: Vec<String>,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Relative to the workspace, with `/` between segments.
    pub path: String,
    /// The policy that it declares.
    pub policy: String,
    /// The whole text.
    pub text: String,
    /// True if a file of this path exists already.
    pub overwrites: bool,
}

/// A policy that is not imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// The service of the policy.
    pub service: Service,
    /// Its name.
    pub policy: String,
    /// Its organizations, if the workspace has several.
    pub orgs: Vec<String>,
    /// The reasons, as phrases.
    pub reasons: Vec<String>,
}

/// The undeclared policies of a Docker organization, and those of them that others manage; a
/// document that takes over one of the latter says so.
#[must_use]
pub fn undeclared(
    desired: &Desired,
    live: &Live,
    ownership: &Ownership,
) -> (Vec<Candidate>, Vec<Candidate>) {
    let matched: BTreeSet<usize> =
        matching::policies(&desired.policies, &live.policies).into_iter().flatten().collect();
    let undeclared = live.policies.iter().enumerate().filter(|(index, _)| !matched.contains(index));
    let candidate = |policy: &LivePolicy| {
        let namesakes = live.policies.iter().filter(|other| other.name == policy.name).count();
        match namesakes {
            0 | 1 => document::candidate(policy, live),
            _ => document::namesake(policy, live),
        }
    };
    let (mut left, own): (Vec<Candidate>, Vec<Candidate>) = undeclared
        .map(|(_, policy)| candidate(policy))
        .partition(|candidate| ownership.leaves(&candidate.name));
    left.iter_mut().filter_map(|candidate| candidate.document.as_mut().ok()).for_each(|document| {
        document.insert("adopt".to_owned(), true.into());
    });
    (own, left)
}

/// Merges policies that several organizations have alike, since one document for all of them
/// declares them equally.
#[must_use]
pub fn joined(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut joined: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let same = |other: &&mut Candidate| {
            other.service == Service::Docker
                && (other.service, &other.name) == (candidate.service, &candidate.name)
                && other.document.is_ok()
                && other.document == candidate.document
        };
        match joined.iter_mut().find(same) {
            Some(other) => other.places.extend(candidate.places),
            None => joined.push(candidate),
        }
    }
    joined
}
