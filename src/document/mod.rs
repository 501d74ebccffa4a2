//! The documents that users write: their kinds, their schema, and their meaning.
//!
//! [`read`] processes a document: it looks up the `kind` in [`KINDS`], reports all errors of that
//! kind's schema at once, and then decodes the typed form. A new kind is a file here and a line in
//! that table.
//!
//! Invariant: the schema and the decoder of a kind accept the same documents. Faults that neither
//! can express (two names that clash, an invalid host) are found by [`crate::check`].

mod access_test;
mod entries;
mod explain;
mod field;
mod kind;
mod mcp;
mod policy;
mod proposal;
mod read;
mod resolve;
mod rule;
mod schema;
mod vijil;
mod workspace;

pub use self::vijil::{AgentPolicy, AgentRule, Category, ReviewField, RuleType};
pub use access_test::{AccessTest, Expectation, Subject};
pub use kind::{Body, KINDS, Kind};
pub use mcp::McpPolicy;
pub use policy::{FilesystemPolicy, NetworkPolicy, ScopeField};
pub use proposal::{guards_of, settings_for};
pub use read::{Document, read};
pub use resolve::{
    CedarPlace, Declared, DeclaredVijil, declare, declare_test, declare_vijil, origin,
};
pub use rule::{FilesystemRule, HttpTarget, NetworkRule, spelled_action};
pub use schema::{schema, schema_of};
pub use workspace::{Docker, OwnershipSetting, Settings, Vijil};
