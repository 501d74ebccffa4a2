//! Drift for people, on a terminal and in issues.
//!
//! Invariant: what was changed outside comes before what waits, and in it what opens before what closes.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::markdown;
use super::plan::{View, write_changes};
use super::sanitize::line;
use super::words;
use crate::drift::Drift;
use crate::drift::adopt::Adoption;
use crate::import::Import;
use crate::plan::Plan;
use crate::plan::meaning::Found;
use crate::plan::set::Unplanned;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();
const CAREFUL: Style = AnsiColor::Yellow.on_default();

/// What can be done.
const WAYS_OUT: [&str; 2] = [
    "`seawall apply` makes live what the documents say.",
    "`seawall drift --adopt` makes the documents say what is live.",
];
/// What is not known without a base.
const NOT_TOLD_APART: &str =
    "Without `--since`, `drift` cannot tell a change in the console from a change that waits to be applied.";

/// Drift as text with colours.
#[must_use]
pub fn human(drift: &Drift, view: View) -> String {
    let mut out = String::new();
    write_drift(&mut out, drift, view);
    if drift.is_drift() {
        out.push('\n');
        write_ways_out(&mut out, drift.since.is_none());
    }
    out
}

/// The drift of several organizations, and a line for each at the end.
#[must_use]
pub fn several(drifts: &[(String, Drift)], failed: &[Unplanned], view: View) -> String {
    let mut out = String::new();
    for (_, drift) in drifts {
        write_drift(&mut out, drift, view);
        out.push('\n');
    }
    let _ = writeln!(out, "{BOLD}Summary{BOLD:#}");
    for (name, drift) in drifts {
        let _ = match drift.is_drift() {
            true => writeln!(out, "  {}: {BAD}drift{BAD:#}; {}", line(name), in_short(drift)),
            false => writeln!(out, "  {}: no drift", line(name)),
        };
    }
    for Unplanned { org, message } in failed {
        let _ = writeln!(out, "  {}: {BAD}not compared{BAD:#}: {}", line(org), line(message));
    }
    if let Some((_, drift)) = drifts.iter().find(|(_, drift)| drift.is_drift()) {
        out.push('\n');
        write_ways_out(&mut out, drift.since.is_none());
    }
    out
}

fn write_drift(out: &mut String, drift: &Drift, view: View) {
    let Drift { since, outside, waiting, plan, impossible } = drift;
    let org = line(organization(plan));
    if !drift.is_drift() {
        let _ = writeln!(out, "{GOOD}No drift{GOOD:#}: `{org}` matches the documents.");
        return;
    }
    let opened = match &outside.access.found {
        Found::Complete(_) => outside.access.gains().next().is_some(),
        Found::Incomplete(..) => true,
    };
    let style = if opened { BAD } else { CAREFUL };
    let _ = writeln!(out, "{style}Drift{style:#}: {}.", headline(drift, &org));
    if !outside.is_empty() {
        let title = match since {
            Some(since) => format!("Changed outside since `{}`", line(since)),
            None => "Live, against the documents".to_owned(),
        };
        out.push('\n');
        let _ = write_changes(out, &title, outside, view);
    }
    if let Some(waiting) = waiting.as_ref().filter(|waiting| !waiting.is_empty()) {
        out.push('\n');
        let _ = write_changes(out, "Waits to be applied", waiting, view);
    }
    if !impossible.is_empty() {
        let _ = writeln!(out, "\n{BAD}Cannot be applied{BAD:#}");
        impossible.iter().for_each(|reason| out.push_str(&format!("  {}\n", line(reason))));
    }
}

fn write_ways_out(out: &mut String, together: bool) {
    if together {
        let _ = writeln!(out, "{NOT_TOLD_APART}");
    }
    for way in WAYS_OUT {
        let _ = writeln!(out, "{way}");
    }
}

/// Whose doing it is, and what it means for access.
fn in_short(drift: &Drift) -> String {
    let Drift { since, outside, waiting, plan, impossible: _ } = drift;
    let waits = waiting.as_ref().is_some_and(|waiting| !waiting.is_empty());
    let who = match (since, outside.is_empty(), waits) {
        (None, _, _) => None,
        (Some(_), false, true) => Some("changed outside, and changes wait"),
        (Some(_), false, false) => Some("changed outside"),
        (Some(_), true, _) => Some("changes wait to be applied"),
    };
    let access = plan.target.as_ref().map(|_| words::headline(&outside.access));
    let agents = plan.target.is_none().then(|| "policies for agents differ".to_owned());
    let parts = who.map(str::to_owned).into_iter().chain(access).chain(agents);
    parts.collect::<Vec<_>>().join("; ")
}

/// Drift as Markdown, short enough for an issue.
#[must_use]
pub fn markdown(drift: &Drift) -> String {
    let Drift { since, outside, waiting, plan, impossible } = drift;
    let org = super::sanitize::markdown(organization(plan));
    if !drift.is_drift() {
        return format!("### seawall: no drift\n\n{org} matches the documents.\n");
    }
    let mut out = format!("### seawall: drift\n\n{}.\n\n", headline_of(drift, &org));
    if !outside.is_empty() {
        let title = match since {
            Some(since) => format!("Changed outside since {}", super::sanitize::markdown(since)),
            None => "Live, against the documents".to_owned(),
        };
        out.push_str(&markdown::changes(&title, outside));
        out.push('\n');
    }
    let mut end = String::new();
    for reason in impossible {
        let _ = writeln!(end, "> [!WARNING]\n> Cannot be applied: {}\n", super::sanitize::markdown(reason));
    }
    if since.is_none() {
        let _ = writeln!(end, "{NOT_TOLD_APART}\n");
    }
    WAYS_OUT.iter().for_each(|way| end.push_str(&format!("- {way}\n")));
    if let Some(waiting) = waiting.as_ref().filter(|waiting| !waiting.is_empty()) {
        let text = markdown::changes("Waits to be applied", waiting);
        if out.len() + text.len() + end.len() + 1_024 < markdown::MOST {
            out.push_str(&text);
            out.push('\n');
        } else {
            out.push_str("More waits to be applied: `seawall plan` shows it.\n\n");
        }
    }
    out + &end
}

/// The drift of several organizations as Markdown, short enough for an issue, what differs first.
#[must_use]
pub fn markdown_of_several(drifts: &[(String, Drift)], failed: &[Unplanned]) -> String {
    let mut out = String::new();
    for Unplanned { org, message } in failed {
        let (org, message) = (super::sanitize::markdown(org), super::sanitize::markdown(message));
        let _ = writeln!(out, "> [!CAUTION]\n> {org} could not be compared: {message}\n");
    }
    let (differ, same): (Vec<_>, Vec<_>) = drifts.iter().partition(|(_, drift)| drift.is_drift());
    let mut left_out = 0;
    for (_, drift) in differ.iter().chain(&same) {
        let text = markdown(drift);
        if out.len() + text.len() + 1_024 < markdown::MOST {
            let _ = writeln!(out, "{text}");
        } else if out.len() + 1_024 < markdown::MOST {
            let org = super::sanitize::markdown(organization(&drift.plan));
            let _ = writeln!(out, "### seawall: drift\n\n{}. `seawall drift` shows it.\n", headline_of(drift, &org));
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let _ = writeln!(out, "{left_out} more organizations are left out here.");
    }
    out
}

fn organization(plan: &Plan) -> &str {
    plan.target.as_ref().map_or("Vijil", |target| target.org.as_str())
}

fn headline(drift: &Drift, org: &str) -> String {
    headline_of(drift, &format!("`{org}`"))
}

/// The drift in a sentence: what opened first.
fn headline_of(drift: &Drift, org: &str) -> String {
    let Drift { since, outside, waiting, plan: _, impossible: _ } = drift;
    let beyond = if since.is_some() { "what was applied" } else { "what the documents say" };
    let changes = match &outside.access.found {
        Found::Complete(changes) => changes,
        Found::Incomplete(..) => {
            return format!("{org} may allow more or less than {beyond}: the comparison is incomplete");
        }
    };
    if !changes.widened.is_empty() {
        return format!("{org} allows more than {beyond}");
    }
    if outside.access.gains().next().is_some() {
        return format!("{org} may allow more than {beyond}");
    }
    if !changes.narrowed.is_empty() {
        return format!("{org} allows less than {beyond}");
    }
    if outside.is_empty() && waiting.is_some() {
        return format!("nothing was changed outside in {org}, and changes wait to be applied");
    }
    if !outside.vijil.is_empty() {
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
