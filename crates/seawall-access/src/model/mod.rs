//! Policies and rules as they are meant, without ids and places in files.
//!
//! Invariant: two objects are equal exactly when they mean the same.

mod action;
mod policy;
mod team;

pub use action::{Action, Layer};
pub use policy::{Body, Cedar, Decision, Domain, HttpResource, Policy, Resources, Rule, Scope};
pub use team::{Team, TeamDirectory, TeamLookup};
