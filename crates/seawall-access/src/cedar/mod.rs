//! Cedar policies for MCP: parsed, validated, compared and decided by `cedar-policy`, the engine of
//! the service's gateway.
//!
//! Invariant: every place is a byte range of the given text; the caller, who knows if that text is
//! a block scalar or a file, converts it to lines. Nothing here is guessed: what the documented
//! behaviour leaves open is uncertain.
//!
//! The cost of the engine (version 4.14, `nm -S` and `cargo build --release -p cedar-policy` with
//! its dependencies built): 3 MB of machine code in a program of 34 MB, and 160 s of one processor,
//! 1 min 54 s on two. No feature makes it optional: validation, decisions, comparison and the
//! emulator all need it, and a program without it would accept what the service refuses.

mod advice;
mod arguments;
mod compare;
mod cover;
mod decide;
mod difference;
mod examine;
mod example;
mod explain;
mod fault;
mod finding;
mod guards;
mod imply;
mod kinds;
mod limit;
mod memory;
mod operators;
mod repairs;
mod request;
mod schema;
mod statement;
#[cfg(test)]
mod tests;
mod token;
mod traps;
mod unclosed;
mod validate;

pub use compare::{McpCause, McpChange, compare};
pub use cover::{Covering, covers};
pub use decide::{Answer, Governing, McpPolicies, Outcome, Reason};
pub use difference::{StatementChange, difference};
pub use examine::{examine, examine_syntax};
pub use finding::{Finding, code};
pub use limit::{MAX_NESTING, MAX_OPERATORS, with_deep_stack};
pub use request::{McpRequest, NoRequest};
pub use schema::{McpAction, SCHEMA, SCHEMA_URL, UNGATED};
pub use statement::{Effect, Mistake, Parsed, Statement, statements};
pub use token::comments;
pub use traps::APPROVAL;
