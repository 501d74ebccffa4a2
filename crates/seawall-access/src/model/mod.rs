//! The model of policies and rules, without ids and places in files.
//!
//! Invariant: two objects are equal exactly if they have the same meaning.

mod action;
mod policy;
mod team;

pub use action::{Action, Layer};
pub use policy::{Body, Cedar, Decision, Domain, HttpResource, Policy, Resources, Rule, Scope};
pub use team::{Team, TeamDirectory, TeamLookup};
