//! Reads files as documents: discovery, and YAML with the place of every key and value; and writes
//! values as YAML ([`emit`]).
//!
//! Invariant: whatever bytes a file holds, reading it returns values with places or diagnostics; it
//! never panics, never exceeds the limits [`MAX_DEPTH`], [`MAX_EXPANSION`] and [`MAX_FILE_BYTES`],
//! and never skips a file silently.

mod build;
mod discover;
pub mod disk;
pub mod emit;
mod expectation;
mod hidden;
pub mod outline;
pub mod pattern;
mod read;
mod scalar;
mod spans;
mod spelling;
mod submodules;
pub(crate) mod syntax;
mod yaml;

pub use build::{MAX_DEPTH, MAX_EXPANSION, Tree};
pub use discover::{CONFIG_NAME, discover, find_root, includes, read_all};
pub use hidden::look_beside;
pub use read::{MAX_FILE_BYTES, add_beside, add_file};
pub use scalar::resolve as resolve_scalar;
pub(crate) use seawall_access::parallel;
pub use spans::{Entry, Parts, Spans};
pub use spelling::Spelling;
pub use yaml::{Comment, Parsed, parse};
