//! The integration tests, one module a subject, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails, also in its helpers, and it makes the files that it looks at"
)]

mod access_compare;
mod annotations;
mod apply;
mod asking;
mod audiences;
mod baseline;
mod before;
mod cases;
mod command_line;
mod comment;
mod drift;
mod emulator;
mod evidence;
mod examples;
mod files;
mod fmt;
mod fuzz;
mod guards_from;
mod import;
mod incomplete;
mod init;
mod language;
mod layers;
mod markdown;
mod mcp;
mod meaning;
mod organizations;
mod places;
mod protected;
mod readme;
mod release;
mod report;
mod runner;
mod service;
mod show;
mod threats;
mod traps;
mod validate;
mod vijil;
mod warnings;
