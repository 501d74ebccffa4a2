//! An import for people.
//!
//! Invariant: names and texts of files pass [`crate::diagnostic::sanitize`].

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::view::{View, rest};
use super::words::count;
use crate::diagnostic::list;
use crate::diagnostic::sanitize::{block, line};
use crate::import::Import;

const GOOD: Style = AnsiColor::Green.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The number of files that are listed.
const LISTED: usize = 24;

/// The files as they would be written, each below its path.
#[must_use]
pub fn files(import: &Import) -> String {
    let mut out = String::new();
    for file in &import.files {
        let _ = writeln!(out, "{BOLD}{}{BOLD:#}\n{}", line(&file.path), block(&file.text));
    }
    out
}

/// The policies that were imported, or would be.
#[must_use]
pub fn summary(import: &Import, left: &[String], dry_run: bool, view: View<'_>) -> String {
    let mut out = String::new();
    if import.files.is_empty() {
        if import.refused.is_empty() {
            let _ = writeln!(
                out,
                "{GOOD}Nothing to import{GOOD:#}: every live policy is declared{}.",
                but(left)
            );
        }
        return out;
    }
    if !dry_run {
        let (files, more) = view.first(&import.files, LISTED);
        let width = files.iter().map(|file| file.path.chars().count()).max().unwrap_or_default();
        for file in files {
            let _ =
                writeln!(out, "  {:width$}  {DIM}{}{DIM:#}", line(&file.path), line(&file.policy));
        }
        out.push_str(&rest("  ", more, "", Style::new()));
    }
    let policies = count(import.files.len(), "file");
    let verb = if dry_run { "Would write" } else { "Wrote" };
    let proof = match import.pending {
        0 => "planning now changes nothing, and access is as it was".to_owned(),
        pending => {
            let them = if import.files.len() == 1 { "it" } else { "them" };
            let wait = if pending == 1 {
                "1 other step waits".to_owned()
            } else {
                format!("{pending} other steps wait")
            };
            format!("planning now changes nothing of {them}; {wait} to be applied")
        }
    };
    let _ = writeln!(out, "{GOOD}{verb} {policies}{GOOD:#}: {proof}{}.", but(left));
    out
}

/// The policies that the settings leave to others.
fn but(left: &[String]) -> String {
    if left.is_empty() {
        return String::new();
    }
    format!("; left to others according to `seawall.yaml`: {}", list::quoted(left))
}
