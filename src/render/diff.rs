//! The difference between two texts of a file, as `diff -u` shows it.
//!
//! Invariant: foreign text, the name too, cannot act on a terminal; see
//! [`crate::diagnostic::sanitize`].

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use crate::diagnostic::sanitize;

/// The changes that turn `old` into `new`; nothing if they are the same. Coloured, so it goes
/// through `anstream`.
#[must_use]
pub fn unified(name: &str, old: &str, new: &str) -> String {
    let (red, green, cyan) =
        (color(AnsiColor::Red), color(AnsiColor::Green), color(AnsiColor::Cyan));
    let difference = TextDiff::from_lines(old, new);
    let mut out = String::new();
    for hunk in difference.unified_diff().context_radius(3).iter_hunks() {
        if out.is_empty() {
            let name = sanitize::line(name);
            writeln!(out, "--- {name}\n+++ {name}").expect("writing to a string");
        }
        writeln!(out, "{cyan}{}{cyan:#}", hunk.header()).expect("writing to a string");
        for change in hunk.iter_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Equal => (' ', Style::new()),
                ChangeTag::Delete => ('-', red),
                ChangeTag::Insert => ('+', green),
            };
            // A line end of Windows says something only where it changes.
            let line = change.value();
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line =
                if change.tag() == ChangeTag::Equal { line.trim_end_matches('\r') } else { line };
            writeln!(out, "{style}{sign}{}{style:#}", sanitize::block(line))
                .expect("writing to a string");
            if change.missing_newline() {
                out.push_str("\\ no line end\n");
            }
        }
    }
    out
}

fn color(color: AnsiColor) -> Style {
    color.on_default()
}
