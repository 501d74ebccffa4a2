//! Drift for people, on a terminal and in issues.
//!
//! Invariant: what was changed outside comes before what waits, and in it what opens before what closes.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::markdown;
use super::plan::{View, write_differences};
use super::sanitize::line;
use crate::drift::Drift;
use crate::drift::adopt::Adoption;
use crate::import::Import;
use crate::plan::Plan;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const CAREFUL: Style = AnsiColor::Yellow.on_default();

/// What can be done.
const WAYS_OUT: [&str; 2] = [
    "`seawall apply` makes live what the documents say.",
    "`seawall drift --adopt` makes the documents say what is live.",
];
/// What is not known without a base.
const NOT_TOLD_APART: &str =
    "Whether somebody changed this outside, or it waits to be applied, cannot be told without `--since`.";

/// Drift as text with colours.
#[must_use]
pub fn human(drift: &Drift, view: View) -> String {
    let mut out = String::new();
    let Drift { since, outside, waiting, plan } = drift;
    let org = line(organization(plan));
    if plan.is_empty() {
        let _ = writeln!(out, "{GOOD}No drift{GOOD:#}: `{org}` is as the documents say.");
        return out;
    }
    let opened = outside.access.gains().next().is_some();
    let style = if opened { BAD } else { CAREFUL };
    let _ = writeln!(out, "{style}Drift{style:#}: {}.", headline(drift, &org));
    if !outside.is_empty() {
        let title = match since {
            Some(since) => format!("Changed outside since `{}`", line(since)),
            None => "Live, against the documents".to_owned(),
        };
        out.push('\n');
        let _ = write_differences(&mut out, &title, outside, view);
    }
    if let Some(waiting) = waiting.as_ref().filter(|waiting| !waiting.is_empty()) {
        out.push('\n');
        let _ = write_differences(&mut out, "Waits to be applied", waiting, view);
    }
    out.push('\n');
    if since.is_none() {
        let _ = writeln!(out, "{NOT_TOLD_APART}");
    }
    for way in WAYS_OUT {
        let _ = writeln!(out, "{way}");
    }
    out
}

/// Drift as Markdown, short enough for an issue.
#[must_use]
pub fn markdown(drift: &Drift) -> String {
    let Drift { since, outside, waiting, plan } = drift;
    let org = super::sanitize::markdown(organization(plan));
    if plan.is_empty() {
        return format!("### seawall: no drift\n\n{org} is as the documents say.\n");
    }
    let mut out = format!("### seawall: drift\n\n{}.\n\n", headline_of(drift, &org));
    let section = |title: &str, plan: &Plan| markdown::plan(plan).replacen("### seawall:", &format!("### {title}:"), 1);
    if !outside.is_empty() {
        let title = match since {
            Some(since) => format!("Changed outside since {}", super::sanitize::markdown(since)),
            None => "Live, against the documents".to_owned(),
        };
        out.push_str(&section(&title, outside));
        out.push('\n');
    }
    let mut end = String::new();
    if since.is_none() {
        let _ = writeln!(end, "{NOT_TOLD_APART}\n");
    }
    WAYS_OUT.iter().for_each(|way| end.push_str(&format!("- {way}\n")));
    if let Some(waiting) = waiting.as_ref().filter(|waiting| !waiting.is_empty()) {
        let text = section("Waits to be applied", waiting);
        if out.len() + text.len() + end.len() + 1_024 < markdown::MOST {
            out.push_str(&text);
            out.push('\n');
        } else {
            out.push_str("More waits to be applied: `seawall plan` shows it.\n\n");
        }
    }
    out + &end
}

fn organization(plan: &Plan) -> &str {
    plan.target.as_ref().map_or("Vijil", |target| target.org.as_str())
}

fn headline(drift: &Drift, org: &str) -> String {
    headline_of(drift, &format!("`{org}`"))
}

/// The drift in a sentence: what opened first.
fn headline_of(drift: &Drift, org: &str) -> String {
    let Drift { since, outside, waiting, plan: _ } = drift;
    let beyond = if since.is_some() { "what was applied" } else { "what the documents say" };
    if !outside.access.widened.is_empty() {
        return format!("{org} allows more than {beyond}");
    }
    if outside.access.gains().next().is_some() {
        return format!("{org} may allow more than {beyond}");
    }
    if !outside.access.narrowed.is_empty() {
        return format!("{org} allows less than {beyond}");
    }
    if outside.is_empty() && waiting.is_some() {
        return format!("nothing was changed outside in {org}, and changes wait to be applied");
    }
    if outside.agents.as_ref().is_some_and(|agents| !agents.steps.is_empty()) {
        return format!("policies for agents differ from {beyond}");
    }
    format!("{org} differs from {beyond}, in nothing that decides access")
}

/// What became of the documents.
#[must_use]
pub fn adopted(adoption: &Adoption, import: &Import) -> String {
    let mut out = String::new();
    let rows = adoption.edited.iter().map(|(policy, file)| ("edited", file, policy));
    let rows = rows.chain(import.files.iter().map(|file| ("wrote", &file.path, &file.policy)));
    for (what, file, policy) in rows.chain(adoption.removed.iter().map(|(policy, file)| ("removed", file, policy))) {
        let _ = writeln!(out, "  {what:7}  {}  {}", line(file), line(policy));
    }
    let _ = writeln!(out, "{GOOD}Adopted{GOOD:#}: the documents say what is live, and planning now changes nothing.");
    out
}
