//! Effective access under the policies that restrict AI agents: matching, evaluation, exact
//! comparison of two states.
//!
//! ```text
//! rules ──clauses──▶ Clause ──trie, address──▶ Index ──classes──▶ Universe ──points──▶ Point ──▶ Verdict
//! ```
//!
//! A [`Universe`] holds every request that a set of rules distinguishes. A [`Point`] is one of
//! them, and returns for any choice of rules in force if the request is allowed. The caller
//! determines the rules in force: for a member of exactly the teams *T*, these are the rules of
//! policies for the whole organization and of policies for at least one team of *T*.
//!
//! Invariant: nothing here is guessed. What is not documented is listed in [`Unknown`], and answers
//! that depend on it are [`Verdict::Uncertain`].

mod address;
mod address_kinds;
mod answer;
mod atom;
pub mod cedar;
mod classes;
mod clause;
mod compare;
mod essential;
mod few;
mod glob;
mod hash;
mod host;
mod host_paths;
pub mod model;
mod nearest;
mod overlap;
#[doc(hidden)]
pub mod parallel;
mod path;
mod pattern;
mod point;
mod points;
mod question;
pub mod ranges;
mod remarks;
mod request;
mod rule_index;
mod state;
pub mod suggestion;
pub mod survey;
mod target_index;
#[cfg(test)]
mod tests;
mod text;
mod trie;
mod universe;
mod unknowns;
mod who;
mod witness;

pub use address_kinds::{AddressKinds, AddressRule, IN_FORCE, Likeness, Named};
pub use answer::Answer;
pub use atom::Atom;
pub use compare::{Access, Audience, Cause, Changes, Comparison, Entry, Incomplete, compare};
pub use point::{Match, Point, Role, Verdict, World};
pub use question::{Question, Reason};
pub use request::{Host, Request};
pub use rule_index::RuleIndex;
pub use state::{State, policies_about};
pub use universe::{SurveyLimit, Universe};
pub use unknowns::{Unknown, Unknowns};
pub use who::{AccessLevel, Everybody, Unless, Who};
pub use witness::Witness;
