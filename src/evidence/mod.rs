//! Recorded requests: what sandboxes asked for, and how a change would have decided it.
//!
//! ```text
//! files ──source, lines──▶ Record ──observation──▶ Observation ──gather──▶ Requests {request, user, decision → count}
//!                                                                              │ replay, usage, suggest (pure)
//!                                            access::State ──decide──▶ three answers ──▶ render::*
//! ```
//!
//! A line that differs from an earlier one in its texts alone is counted without being parsed
//! (`shapes`).
//!
//! Invariant: the same records give the same [`Requests`], in any order and divided into files in
//! any way; memory grows with the number of distinct requests, not of records. This module decides
//! nothing by itself: each answer comes from [`crate::access::State`], and what a record leaves out
//! is a [`Gap`], never a guess.

mod asked;
mod decide;
pub mod download;
mod gather;
mod ids;
mod lines;
mod membership;
mod merge;
pub mod narrow;
mod observation;
mod paste;
mod record;
pub mod replay;
mod requests;
mod shapes;
mod shared;
mod source;
pub mod suggest;
mod table;
mod time;
pub mod usage;
mod words;

pub use asked::{Asked, Subject};
pub use decide::{Gap, Judge};
pub use membership::{Memberships, Teams};
pub use observation::{Approval, RecordedDecision, Refusal};
pub use paste::{Pasted, paste};
pub use requests::{RequestGroup, Requests, Skipped, Window};
pub use source::{Broken, Input, ReadError, Reading, raw, read};
