//! The output for people and programs: one module a format.

pub mod answer;
pub mod describe;
pub mod diagnostic;
pub mod diff;
pub mod drift;
pub mod findings;
pub mod github;
pub mod html;
pub mod import;
mod inline;
pub mod markdown;
pub mod outcome;
pub mod plan;
pub mod replay;
pub mod sarif;
pub mod suggest;
pub mod trial;
pub mod usage;
mod view;
pub mod vijil;
pub mod who;
pub mod words;
