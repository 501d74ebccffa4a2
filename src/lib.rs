//! `seawall` manages the policies that restrict AI agents as code: it reads policy documents from a
//! repository, compares them with the live state of an organization, explains what a change means
//! for access, and carries it out.
//!
//! ```text
//!  policies/*.yaml                                     service::docker    service::vijil    (readers: GET only)
//!       │ source::discover, source::parse                        │           │
//!       ▼                                                        ▼           ▼
//!  Documents {value, pointer → span}                         model::{Live, LiveVijil}
//!       │ document::read, document::declare → Diagnostics        │
//!       ▼                                                        │
//!  model::Desired {policies, vijil} ──check::run → Diagnostics   │
//!       └──────────────────────────────┬─────────────────────────┘
//!                                      ▼  plan::docker::diff, plan::vijil::diff      pure
//!                              plan::ChangeSet ──▶ drift, import             no order: cannot be approved
//!                                      ▼  plan::safe_order                   pure
//!                          plan::Plan {docker, vijil} ──access::compare→ widened / narrowed, with witnesses
//!                                      │  plan::guard                        pure
//!                 render::* ◀──────────┤        plan::saved ◀──▶ plan.json
//!                                      ▼
//!                                  Approved ──execute (a Writer)──▶ Outcome ──▶ render::*
//!
//!  records ──evidence::read──▶ Requests ──evidence::{replay, usage}──▶ render::*      pure, by the same access engine
//! ```
//!
//! A run is a sequence of values, and each arrow is one function. Between reading files and sending
//! requests everything is pure, synchronous and deterministic. Imports point one way:
//! `cli → execute, render, seed → service → drift → import → plan → evidence → workspace → check, trial → document → model → source → diagnostic`.
//! Planning starts from the model: `plan`, `evidence` and `trial` use no document.
//!
//! Two crates stand below all of these: [`seawall_access`] is effective access, here [`access`],
//! and [`seawall_emulator`] both services behind a local socket, here [`emulator`]; [`seed`] makes
//! its initial states.
//!
//! Start reading in [`cli`]: each command is a file whose function follows the picture. The arrows
//! on the left together are [`workspace::load`].

/// Documents and plans are many small texts, created in several threads: with the system's
/// allocator, a third of the time would go into allocation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod check;
pub mod cli;
pub mod diagnostic;
pub mod document;
pub mod drift;
pub mod evidence;
pub mod execute;
pub mod exit;
pub mod format;
pub mod import;
mod json;
pub mod model;
pub mod plan;
pub mod render;
pub mod report;
pub mod seed;
pub mod service;
pub mod source;
pub mod trial;
pub mod workspace;

pub use seawall_access as access;
pub use seawall_emulator as emulator;
