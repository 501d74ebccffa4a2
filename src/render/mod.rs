//! The output for people and programs: one module a format, and [`sanitize`] for text that others wrote.

pub mod agents;
pub mod answer;
pub mod describe;
pub mod diagnostic;
pub mod diff;
pub mod drift;
pub mod findings;
pub mod github;
pub mod html;
pub mod import;
pub mod markdown;
pub mod outcome;
pub mod plan;
pub mod replay;
pub mod sanitize;
pub mod sarif;
pub mod suggest;
pub mod trial;
pub mod usage;
mod view;
pub mod who;
pub mod words;
