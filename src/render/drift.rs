//! Drift for people, on a terminal and in issues.
//!
//! Invariant: what was changed outside comes before what waits, and in it what opens before what
//! closes.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::plan::{View, plain, quoted, write_access, write_changes};
use super::view::rest;
use super::{markdown, words};
use crate::diagnostic::list;
use crate::diagnostic::sanitize::line;
use crate::drift::Drift;
use crate::drift::adopt::Adoption;
use crate::import::Import;
use crate::plan::Plan;
use crate::plan::meaning::{Found, Meaning};
use crate::plan::set::Unplanned;
use crate::plan::undeclared::{Effect, UndeclaredPolicy};
use crate::plan::vijil;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();
const CAREFUL: Style = AnsiColor::Yellow.on_default();

/// The number of policies, files or reasons that are listed.
const LISTED: usize = 16;

/// The rows of a small terminal. Below more of them, the headline is repeated.
const ROWS: usize = 20;

/// The ways to resolve drift.
const WAYS_OUT: [&str; 2] = [
    "`seawall apply` makes live what the documents say.",
    "`seawall drift --adopt` makes the documents match the live state.",
];
/// The ways to resolve policies that no document declares.
const UNDECLARED: &str = "`seawall import` writes documents for undeclared policies; `docker.unmanaged` names those that are meant to have none.";
/// The limit of a report without a base.
const NOT_TOLD_APART: &str = "Without `--since`, `drift` cannot tell a change in the console from a change that waits to be applied.";

/// Drift as text with colours.
#[must_use]
pub fn human(drift: &Drift, view: View<'_>) -> String {
    let mut out = String::new();
    write_drift(&mut out, drift, view);
    if drift.is_drift() {
        out.push('\n');
        write_ways_out(&mut out, &[drift]);
        if out.lines().count() > ROWS {
            out.push('\n');
            write_headline(&mut out, drift);
        }
    }
    out
}

/// The drift of several organizations, and a line for each at the end.
#[must_use]
pub fn several(drifts: &[(String, Drift)], failed: &[Unplanned], view: View<'_>) -> String {
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
    let differ: Vec<&Drift> =
        drifts.iter().map(|(_, drift)| drift).filter(|drift| drift.is_drift()).collect();
    if !differ.is_empty() {
        out.push('\n');
        write_ways_out(&mut out, &differ);
    }
    out
}

fn write_drift(out: &mut String, drift: &Drift, view: View<'_>) {
    let Drift { since, outside, waiting, undeclared, plan, impossible } = drift;
    let org = line(organization(plan));
    if !drift.is_drift() {
        let _ = writeln!(out, "{GOOD}No drift{GOOD:#}: `{org}` matches the documents.");
        return;
    }
    write_headline(out, drift);
    if !undeclared.is_empty() {
        out.push('\n');
        let _ = write_access(out, "Effect of undeclared live policies", &undeclared.access, view);
        out.push('\n');
        let (first, more) = view.first(&undeclared.policies, LISTED);
        first
            .iter()
            .for_each(|one| out.push_str(&format!("  {}\n", words::undeclared(one, quoted))));
        out.push_str(&rest("  ", more, "", Style::new()));
    }
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
        let (first, more) = view.first(impossible, LISTED);
        for vijil::Error { at, message, hint: _ } in first {
            out.push_str(&format!("  {}: {}\n", view.place(at), line(message)));
        }
        out.push_str(&rest("  ", more, "", Style::new()));
    }
}

/// Writes the drift in a sentence.
fn write_headline(out: &mut String, drift: &Drift) {
    let opened = [&drift.outside.access, &drift.undeclared.access]
        .into_iter()
        .any(|access| Opening::new(access) < Opening::Less);
    let style = if opened { BAD } else { CAREFUL };
    let headline = headline_of(drift, &quoted(organization(&drift.plan)), quoted);
    let _ = writeln!(out, "{style}Drift{style:#}: {headline}.");
}

fn write_ways_out(out: &mut String, drifts: &[&Drift]) {
    ways_out(drifts).into_iter().for_each(|way| out.push_str(&format!("{way}\n")));
}

/// The ways to resolve all of these, and the limits of the report.
fn ways_out(drifts: &[&Drift]) -> Vec<&'static str> {
    let differ = drifts.iter().any(|drift| drift.declared_differ());
    let together = drifts.iter().any(|drift| drift.declared_differ() && drift.since.is_none());
    let undeclared = drifts.iter().any(|drift| !drift.undeclared.is_empty());
    let [apply, adopt] = WAYS_OUT;
    let all =
        [(together, NOT_TOLD_APART), (differ, apply), (undeclared, UNDECLARED), (true, adopt)];
    all.into_iter().filter(|(shown, _)| *shown).map(|(_, text)| text).collect()
}

/// Summary in one phrase: origin of the drift, and its effect on access.
fn in_short(drift: &Drift) -> String {
    let Drift { since, outside, waiting, undeclared, plan, impossible: _ } = drift;
    let waits = waiting.as_ref().is_some_and(|waiting| !waiting.is_empty());
    let who = match (since, outside.is_empty(), waits) {
        (Some(_), false, true) => Some("changed outside, and changes wait"),
        (Some(_), false, false) => Some("changed outside"),
        (Some(_), true, true) => Some("changes wait to be applied"),
        (None, _, _) | (Some(_), true, false) => None,
    };
    let differ = drift.declared_differ();
    let access = (differ && plan.docker.is_some()).then(|| words::headline(&outside.access, plain));
    let vijil = plan.docker.is_none().then(|| "policies for agents differ".to_owned());
    let others = (!undeclared.is_empty()).then(|| {
        let policies = match undeclared.policies.len() {
            1 => "1 undeclared policy".to_owned(),
            many => format!("{many} undeclared policies"),
        };
        format!("{policies}: {}", words::headline(&undeclared.access, plain))
    });
    let parts = who.map(str::to_owned).into_iter().chain(access).chain(vijil).chain(others);
    parts.collect::<Vec<_>>().join("; ")
}

/// Drift as Markdown, short enough for an issue.
#[must_use]
pub fn markdown(drift: &Drift) -> String {
    let Drift { since, outside, waiting, undeclared, plan, impossible } = drift;
    let org = crate::diagnostic::sanitize::markdown(organization(plan));
    if !drift.is_drift() {
        return format!("### seawall: no drift\n\n{org} matches the documents.\n");
    }
    let mut end = String::new();
    let (first, more) = list::first(impossible, LISTED);
    for reason in first {
        let _ = writeln!(
            end,
            "> [!WARNING]\n> Cannot be applied: {}\n",
            crate::diagnostic::sanitize::markdown(&reason.to_string())
        );
    }
    if more > 0 {
        let _ = writeln!(end, "> [!WARNING]\n> {more} more cannot be applied.\n");
    }
    for way in ways_out(&[drift]) {
        match way {
            NOT_TOLD_APART => end.push_str(&format!("{way}\n\n")),
            way => end.push_str(&format!("- {way}\n")),
        }
    }
    let outside = (!outside.is_empty()).then(|| {
        let title = match since {
            Some(since) => {
                format!("Changed outside since {}", crate::diagnostic::sanitize::markdown(since))
            }
            None => "Live, against the documents".to_owned(),
        };
        markdown::changes(&title, outside)
    });
    let undeclared = (!undeclared.is_empty()).then(|| markdown::undeclared(undeclared));
    let waiting = waiting.as_ref().filter(|waiting| !waiting.is_empty());
    let waiting = waiting.map(|waiting| markdown::changes("Waits to be applied", waiting));
    let mut out = format!(
        "### seawall: drift\n\n{}.\n\n",
        headline_of(drift, &org, crate::diagnostic::sanitize::markdown)
    );
    let sections = [
        (undeclared, "More is undeclared: `seawall drift` shows it."),
        (outside, "More differs: `seawall drift` shows it."),
        (waiting, "More waits to be applied: `seawall plan` shows it."),
    ];
    for (section, instead) in sections {
        let Some(section) = section else { continue };
        // The first one fits, since it leaves room itself.
        let fits = out.len() + section.len() + end.len() + 512 < markdown::MOST;
        out.push_str(if fits { &section } else { instead });
        out.push_str(if fits { "\n" } else { "\n\n" });
    }
    out + &end
}

/// The drift of several organizations as Markdown, short enough for an issue, what differs first.
#[must_use]
pub fn markdown_of_several(drifts: &[(String, Drift)], failed: &[Unplanned]) -> String {
    let mut out = String::new();
    for Unplanned { org, message } in failed {
        let (org, message) = (
            crate::diagnostic::sanitize::markdown(org),
            crate::diagnostic::sanitize::markdown(message),
        );
        let _ = writeln!(out, "> [!CAUTION]\n> {org} could not be compared: {message}\n");
    }
    let (differ, same): (Vec<_>, Vec<_>) = drifts.iter().partition(|(_, drift)| drift.is_drift());
    let mut left_out = 0;
    for (_, drift) in differ.iter().chain(&same) {
        let text = markdown(drift);
        if out.len() + text.len() + 1_024 < markdown::MOST {
            let _ = writeln!(out, "{text}");
        } else if out.len() + 1_024 < markdown::MOST {
            let org = crate::diagnostic::sanitize::markdown(organization(&drift.plan));
            let _ = writeln!(
                out,
                "### seawall: drift\n\n{}. `seawall drift` shows it.\n",
                headline_of(drift, &org, crate::diagnostic::sanitize::markdown)
            );
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
    plan.org().unwrap_or("Vijil")
}

/// In which direction access differs, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Opening {
    Unknown,
    More,
    MaybeMore,
    Less,
    Nothing,
}

impl Opening {
    fn new(access: &Meaning) -> Self {
        let changes = match &access.found {
            Found::Complete(changes) => changes,
            Found::Incomplete(..) => return Self::Unknown,
        };
        if !changes.widened.is_empty() {
            Self::More
        } else if access.gains().next().is_some() {
            Self::MaybeMore
        } else if !changes.narrowed.is_empty() {
            Self::Less
        } else {
            Self::Nothing
        }
    }
}

/// The drift in a sentence: what opened first. `write` makes foreign names safe, as `org` is.
fn headline_of(drift: &Drift, org: &str, write: impl Fn(&str) -> String) -> String {
    let Drift { undeclared, .. } = drift;
    let differ = drift.declared_differ().then(|| declared_headline(drift, org));
    if undeclared.is_empty() {
        return differ.unwrap_or_default();
    }
    let opening = Opening::new(&undeclared.access);
    let opens = matches!(opening, Opening::More | Opening::MaybeMore);
    let about =
        |one: &&UndeclaredPolicy| !opens || matches!(one.effect, Effect::Widens | Effect::MayWiden);
    let names: Vec<String> =
        undeclared.policies.iter().filter(about).map(|one| write(&one.policy)).collect();
    let by = match names.as_slice() {
        [one] => format!("the undeclared policy {one}"),
        [one, other] => format!("the undeclared policies {one} and {other}"),
        [one, others @ ..] => format!("the undeclared policy {one} and {} others", others.len()),
        [] => "undeclared policies".to_owned(),
    };
    let verb = |one, several| if names.len() == 1 { one } else { several };
    let own = match opening {
        Opening::Unknown => format!(
            "{by} may allow more or less than the documents say: the comparison is incomplete"
        ),
        Opening::More => format!("{by} {} more than the documents say", verb("allows", "allow")),
        Opening::MaybeMore => format!("{by} may allow more than the documents say"),
        Opening::Less => {
            format!("{by} {} something that the documents allow", verb("denies", "deny"))
        }
        Opening::Nothing => format!("{by} may deny something that was allowed before"),
    };
    match differ {
        None => own,
        Some(differ) if Opening::new(&drift.outside.access) < opening => {
            format!("{differ}; {own}")
        }
        Some(differ) => format!("{own}; {differ}"),
    }
}

/// The difference of the declared objects, in a sentence.
fn declared_headline(drift: &Drift, org: &str) -> String {
    let Drift { since, outside, waiting, undeclared, .. } = drift;
    // Beside the sentence about undeclared policies, it is about the others.
    let (subject, allows, differs) = match undeclared.is_empty() {
        true => (org.to_owned(), "allows", "differs"),
        false => (format!("the declared policies of {org}"), "allow", "differ"),
    };
    let beyond = if since.is_some() { "what was applied" } else { "what the documents say" };
    match Opening::new(&outside.access) {
        Opening::Unknown => {
            return format!(
                "{subject} may allow more or less than {beyond}: the comparison is incomplete"
            );
        }
        Opening::More => return format!("{subject} {allows} more than {beyond}"),
        Opening::MaybeMore => return format!("{subject} may allow more than {beyond}"),
        Opening::Less => return format!("{subject} {allows} less than {beyond}"),
        Opening::Nothing => {}
    }
    if outside.is_empty() && waiting.is_some() {
        return format!("nothing was changed outside in {org}, and changes wait to be applied");
    }
    if !outside.vijil.is_empty() {
        return format!("policies for agents differ from {beyond}");
    }
    format!("{subject} {differs} from {beyond}, in nothing that decides access")
}

/// The changes that were made to the documents.
#[must_use]
pub fn adopted(adoption: &Adoption, import: &Import, view: View<'_>) -> String {
    let mut out = String::new();
    let rows = adoption.edited.iter().map(|(policy, file)| ("edited", file, policy));
    let rows = rows.chain(import.files.iter().map(|file| ("wrote", &file.path, &file.policy)));
    let rows = rows.chain(adoption.removed.iter().map(|(policy, file)| ("removed", file, policy)));
    let rows: Vec<_> = rows.collect();
    let (first, more) = view.first(&rows, LISTED);
    for (what, file, policy) in first {
        let _ = writeln!(out, "  {what:7}  {}  {}", line(file), line(policy));
    }
    out.push_str(&rest("  ", more, "", Style::new()));
    let _ = writeln!(
        out,
        "{GOOD}Adopted{GOOD:#}: the documents match the live state, and planning now changes nothing."
    );
    out
}
