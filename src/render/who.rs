//! Answers to `who-can`: for people, and as JSON.
//!
//! Invariant: the JSON holds the same as the text with `-v`; keys may be added, none is renamed or
//! removed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::answer::{Because, DeclaredPolicies, because, details};
use super::plan::View;
use super::view::rest;
use crate::access::{AccessLevel, Answer, Audience, Everybody, Unless, Verdict, Who};
use crate::diagnostic::sanitize;
use crate::diagnostic::sanitize::line;

/// Largest number of audiences of a kind, and of exceptions of one audience.
const LISTED: usize = 40;
const EXCEPTIONS: usize = 8;

/// Remark on an answer that did not judge all combinations of teams.
const INCOMPLETE: &str = "there are too many different teams to judge each pair of them: a member of several may have more";

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    request: &'a str,
    allow: Vec<Entry<'a>>,
    approval: Vec<Entry<'a>>,
    uncertain: Vec<Entry<'a>>,
    /// Reason why a member of no team is denied; null if such a member is not denied.
    otherwise: Option<&'a str>,
    /// True if every two teams were judged together.
    complete: bool,
    remarks: BTreeSet<&'a str>,
}

#[derive(Serialize)]
struct Entry<'a> {
    audience: Teams<'a>,
    decision: Verdict,
    reason: &'a str,
    because: Vec<Because<'a>>,
    unless: Vec<Exception<'a>>,
}

#[derive(Serialize)]
struct Teams<'a> {
    teams: &'a [String],
    /// For each of these, the other teams of which the same holds.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    alike: &'a [Vec<String>],
}

#[derive(Serialize)]
struct Exception<'a> {
    teams: &'a [String],
    decision: Verdict,
    approval: bool,
    reason: &'a str,
    because: Vec<Because<'a>>,
}

/// The answer as one JSON object, indented, with a line end.
#[must_use]
pub fn json(request: &str, everybody: &Everybody, places: DeclaredPolicies<'_>) -> String {
    let Everybody { who, nobody, incomplete } = everybody;
    let of = |wanted: AccessLevel| -> Vec<Entry<'_>> {
        who.iter().filter(|one| one.level == wanted).map(|one| entry(one, places)).collect()
    };
    let document = Document {
        format_version: 1,
        request,
        allow: of(AccessLevel::Allow),
        approval: of(AccessLevel::Approval),
        uncertain: of(AccessLevel::Uncertain),
        otherwise: otherwise(nobody),
        complete: !incomplete,
        remarks: remarks(everybody),
    };
    sanitize::json(&document)
}

fn entry<'a>(
    Who { audience, level: _, answer, unless }: &'a Who,
    places: DeclaredPolicies<'a>,
) -> Entry<'a> {
    let exception = |Unless { teams, level, answer }: &'a Unless| Exception {
        teams,
        decision: answer.verdict,
        approval: *level == AccessLevel::Approval,
        reason: &answer.reason,
        because: because(answer, places),
    };
    Entry {
        audience: Teams { teams: &audience.teams, alike: &audience.alike },
        decision: answer.verdict,
        reason: &answer.reason,
        because: because(answer, places),
        unless: unless.iter().map(exception).collect(),
    }
}

fn otherwise(nobody: &Answer) -> Option<&str> {
    (nobody.level() == AccessLevel::Deny).then_some(nobody.reason.as_str())
}

/// Remarks of all answers, without duplicates.
fn remarks(everybody: &Everybody) -> BTreeSet<&str> {
    let Everybody { who, nobody, incomplete: _ } = everybody;
    let answers = who.iter().map(|one| &one.answer).chain(who.is_empty().then_some(nobody));
    answers.flat_map(|answer| &answer.remarks).map(String::as_str).collect()
}

/// The answer for a terminal, with a line end.
#[must_use]
pub fn human(
    request: &str,
    everybody: &Everybody,
    places: DeclaredPolicies<'_>,
    view: View<'_>,
) -> String {
    let mut out = String::new();
    write(&mut out, request, everybody, places, view).expect("a string takes everything");
    out
}

fn write(
    out: &mut String,
    request: &str,
    everybody: &Everybody,
    places: DeclaredPolicies<'_>,
    view: View<'_>,
) -> std::fmt::Result {
    const SECTIONS: [(AccessLevel, AnsiColor, &str); 3] = [
        (AccessLevel::Allow, AnsiColor::Green, "allow"),
        (AccessLevel::Approval, AnsiColor::Yellow, "approval"),
        (AccessLevel::Uncertain, AnsiColor::Yellow, "uncertain"),
    ];
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    writeln!(out, "{bold}{}{bold:#}", line(request))?;
    for (wanted, color, word) in SECTIONS {
        let own: Vec<&Who> = everybody.who.iter().filter(|one| one.level == wanted).collect();
        let style = color.on_default().bold();
        let shown = view.shown(own.len(), LISTED);
        for one in own.iter().take(shown) {
            writeln!(out, "{style}{word}{style:#}  {}", people(&one.audience, view))?;
            out.push_str(&details(&plain(&one.answer), places, "  ", view));
            let exceptions = view.shown(one.unless.len(), EXCEPTIONS);
            for Unless { teams, level, answer } in one.unless.iter().take(exceptions) {
                let word = match level {
                    AccessLevel::Deny => "denied",
                    AccessLevel::Uncertain => "uncertain",
                    AccessLevel::Approval => "with approval",
                    AccessLevel::Allow => "allowed",
                };
                writeln!(
                    out,
                    "  {bold}{word} for those who are in {} too{bold:#}",
                    view.list(teams, 30)
                )?;
                out.push_str(&details(&plain(answer), places, "    ", view));
            }
            out.write_str(&rest("  ", one.unless.len() - exceptions, "", Style::new()))?;
        }
        out.write_str(&rest("", own.len() - shown, "", Style::new()))?;
    }
    match (everybody.who.is_empty(), otherwise(&everybody.nobody)) {
        (true, _) => {
            let style = AnsiColor::Red.on_default().bold();
            writeln!(out, "{style}nobody{style:#}")?;
            out.push_str(&details(
                &Answer { remarks: Vec::new(), ..everybody.nobody.clone() },
                places,
                "  ",
                view,
            ));
        }
        (false, Some(reason)) => writeln!(out, "{dim}nobody else: {}{dim:#}", line(reason))?,
        (false, None) => {}
    }
    if everybody.incomplete {
        writeln!(out, "{dim}note: {INCOMPLETE}{dim:#}")?;
    }
    for remark in remarks(everybody) {
        writeln!(out, "{dim}note: {}{dim:#}", line(remark))?;
    }
    Ok(())
}

/// The answer without what is said once for all, and without what others may.
fn plain(answer: &Answer) -> Answer {
    Answer { nearest: Vec::new(), remarks: Vec::new(), ..answer.clone() }
}

fn people(audience: &Audience, view: View<'_>) -> String {
    let side = |(at, first): (usize, &String)| {
        let others = audience.alike.get(at).into_iter().flatten();
        let names: Vec<&String> = std::iter::once(first).chain(others).collect();
        let any = if names.len() > 1 { "any of " } else { "" };
        format!("{any}{}", view.list(&names, 30))
    };
    let sides: Vec<String> = audience.teams.iter().enumerate().map(side).collect();
    match sides.as_slice() {
        [] => "the whole organization".to_owned(),
        [one] => format!("members of {one}"),
        sides => format!("members of {} together", sides.join(" and of ")),
    }
}
