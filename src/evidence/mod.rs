//! Recorded requests: what sandboxes really asked for, and what a change would have meant for it.
//!
//! ```text
//! files ──source, lines──▶ Record ──observation──▶ Observation ──gather──▶ Requests {request, user, decision → count}
//!                                                                              │ replay, usage, suggest (pure)
//!                                            access::State ──decide──▶ three answers ──▶ render::*
//! ```
//!
//! Invariant: the same records give the same [`Requests`], in whatever order and however they are divided into files;
//! memory grows with the requests that differ, and not with the records. Nothing here decides by itself: each answer is
//! that of [`crate::access::State`], and what a record does not say is [`Gap`], never a guess.

mod asked;
mod decide;
pub mod download;
mod gather;
mod ids;
mod lines;
mod membership;
pub mod narrow;
mod observation;
mod paste;
mod record;
pub mod replay;
mod requests;
mod source;
pub mod suggest;
mod table;
mod time;
pub mod usage;

pub use asked::{Asked, Subject};
pub use decide::{Gap, Judge};
pub use membership::{Memberships, Teams};
pub use observation::{Approval, Recorded, Refusal};
pub use paste::{Pasted, paste};
pub use requests::{RequestGroup, Requests, Skipped, Window};
pub use source::{Broken, Input, ReadError, Reading, raw, read};
