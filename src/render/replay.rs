//! Recorded requests under two states: for people, for Markdown, and as access tests.
//!
//! Invariant: the agreement of the model with the records comes before any other figure, and newly
//! denied requests before newly allowed ones; unknown ones are always counted. Hosts, paths and
//! names of records are foreign text.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::inline::reason;
use super::view::{View, rest};
use super::words;
use crate::diagnostic::list::{self, shown};
use crate::diagnostic::sanitize::{line, markdown as code};
use crate::evidence::replay::{Agreement, Change, Expected, Replay};
use crate::evidence::{Skipped, Window};
use crate::model::Decision;
use crate::plan::Plan;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const CAREFUL: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The number of entries of a list that are shown, unless all are.
const LISTED: usize = 20;
const DISAGREEMENTS: usize = 5;
const RULES: usize = 4;

/// A replay as text with colours.
#[must_use]
pub fn human(replay: &Replay, view: View<'_>) -> String {
    let mut out = String::new();
    write(&mut out, replay, view).expect("a string takes everything");
    out
}

/// The section of a plan.
pub(super) fn write(out: &mut String, replay: &Replay, view: View<'_>) -> fmt::Result {
    let Replay {
        window,
        agreement,
        newly_denied,
        newly_allowed,
        unchanged,
        unknown,
        denied_users,
        format_version: _,
    } = replay;
    writeln!(out, "{BOLD}Recorded requests{BOLD:#}: {}", window_words(window))?;
    write_agreement(out, agreement, view)?;
    let style = if newly_denied.is_empty() { GOOD } else { BAD };
    let denied = words_of(replay.denied(), newly_denied.len());
    let people = if newly_denied.is_empty() {
        String::new()
    } else {
        format!(" by {}", users(*denied_users))
    };
    writeln!(out, "\n{style}Newly denied{style:#}: {denied}{people}")?;
    write_changes(out, newly_denied, '-', view)?;
    let allowed = newly_allowed.iter().map(|change| change.count).sum();
    let style = if newly_allowed.is_empty() { GOOD } else { CAREFUL };
    writeln!(out, "{style}Newly allowed{style:#}: {}", words_of(allowed, newly_allowed.len()))?;
    write_changes(out, newly_allowed, '+', view)?;
    writeln!(out, "Unchanged: {unchanged}")?;
    let all: u64 = unknown.iter().map(|one| one.count).sum();
    let style = if all == 0 { GOOD } else { CAREFUL };
    writeln!(out, "{style}Unknown{style:#}: {all}")?;
    for one in unknown {
        let example = line(&one.example);
        writeln!(
            out,
            "  {CAREFUL}?{CAREFUL:#} {}  {}, such as {example}",
            one.count,
            one.reason.phrase()
        )?;
    }
    Ok(())
}

pub(super) fn window_words(window: &Window) -> String {
    let Window { first, last, records, requests, users: named, skipped } = window;
    let times = match (first, last) {
        (Some(first), Some(last)) => format!(", {} to {}", time(first), time(last)),
        _ => String::new(),
    };
    let passed = skipped_words(*skipped);
    let passed = if passed.is_empty() { passed } else { format!("; skipped: {passed}") };
    format!("{records} of {}{times} ({requests} distinct){passed}", users(*named))
}

/// A time without other characters: a saved plan may hold any text in its place.
fn time(text: &str) -> String {
    text.chars().filter(|one| one.is_ascii_digit() || "-:.TZ+".contains(*one)).collect()
}

/// The records that were skipped, in words; empty if there are none.
fn skipped_words(skipped: Skipped) -> String {
    let Skipped { not_a_decision, not_enforced, duplicate, broken, connection, resolution } =
        skipped;
    let all = [
        (not_a_decision, "not a decision"),
        (not_enforced, "not enforced"),
        (duplicate, "repeated"),
        (broken, "broken"),
        (connection, "connections of HTTP requests"),
        (resolution, "steps of approvals"),
    ];
    let texts: Vec<String> = all
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    texts.join(", ")
}

fn users(count: usize) -> String {
    words::count(count, "user")
}

fn words_of(count: u64, entries: usize) -> String {
    match (count, entries) {
        (0, _) => "none".to_owned(),
        (1, _) => "1 request".to_owned(),
        (count, entries) => format!("{count} requests ({entries} distinct)"),
    }
}

fn write_agreement(out: &mut String, agreement: &Agreement, view: View<'_>) -> fmt::Result {
    let Agreement { agree, disagree, unknown, disagreements } = agreement;
    let style = if *disagree == 0 { GOOD } else { BAD };
    writeln!(
        out,
        "{style}Agreement{style:#}: {agree} decided as recorded, {disagree} differently, {unknown} unknown"
    )?;
    let most = view.shown(disagreements.len(), DISAGREEMENTS);
    for one in disagreements.iter().take(most) {
        let (recorded, computed) = (words::decision(one.recorded), words::decision(one.computed));
        let request = line(&one.request);
        writeln!(
            out,
            "  {BAD}!{BAD:#} {request}: recorded {recorded}, computed {computed} ({})",
            words::times(one.count)
        )?;
    }
    out.push_str(&rest("  ", disagreements.len().saturating_sub(most), "", CAREFUL));
    if *disagree > 0 {
        writeln!(
            out,
            "  {DIM}the policies were different when these were recorded, or the evaluation of them is wrong{DIM:#}"
        )?;
    }
    Ok(())
}

/// Changes by their causes, the most frequent first.
fn groups(changes: &[Change]) -> Vec<(&[String], Vec<&Change>)> {
    let mut at: BTreeMap<&[String], usize> = BTreeMap::new();
    let mut groups: Vec<(&[String], Vec<&Change>)> = Vec::new();
    for change in changes {
        let index = *at.entry(&change.because).or_insert(groups.len());
        if index == groups.len() {
            groups.push((&change.because, Vec::new()));
        }
        if let Some((_, own)) = groups.get_mut(index) {
            own.push(change);
        }
    }
    groups
}

fn people(change: &Change) -> String {
    let teams = match (change.teams.as_slice(), change.teams_known) {
        (_, false) => String::new(),
        ([], true) => " of no team".to_owned(),
        (teams, true) => {
            let teams: Vec<String> = teams.iter().map(|team| line(team).into_owned()).collect();
            format!(" of {}", teams.join(" + "))
        }
    };
    format!("{}{teams}", users(change.users))
}

fn write_changes(out: &mut String, changes: &[Change], sign: char, view: View<'_>) -> fmt::Result {
    let most = view.shown(changes.len(), LISTED);
    let mut room = most;
    for (because, own) in groups(changes) {
        if room == 0 {
            break;
        }
        let (rules, more) = view.first(because, RULES);
        for rule in rules {
            writeln!(out, "  {DIM}because{DIM:#} {}", view.rule(rule))?;
        }
        out.push_str(&rest("  ", more, "", CAREFUL));
        for change in own.into_iter().take(room) {
            room -= 1;
            let last = change
                .last
                .as_ref()
                .map(|last| format!(", last {}", time(last)))
                .unwrap_or_default();
            let style = if sign == '-' { BAD } else { CAREFUL };
            writeln!(
                out,
                "    {style}{sign}{style:#} {}  {} by {}{last}",
                line(&change.request),
                words::times(change.count),
                people(change)
            )?;
            if !change.names.is_empty() {
                writeln!(out, "        {DIM}{}{DIM:#}", view.list(&change.names, 8))?;
            }
        }
    }
    out.write_str(&rest("  ", changes.len().saturating_sub(most), "", CAREFUL))
}

/// A replay as Markdown, for pull requests and job summaries.
#[must_use]
pub fn markdown(replay: &Replay) -> String {
    format!(
        "### seawall: {}\n\n{}",
        headline(replay),
        pieces(replay, |because| reason(None, because)).concat()
    )
}

/// The changes of recorded requests, in a few words.
#[must_use]
pub fn headline(replay: &Replay) -> String {
    match (replay.denied(), replay.newly_allowed.iter().map(|change| change.count).sum::<u64>()) {
        (0, 0) => "no recorded request changes its decision".to_owned(),
        (0, allowed) => format!("newly allows {allowed} recorded requests"),
        (denied, _) => {
            format!("would deny {denied} recorded requests of {}", users(replay.denied_users))
        }
    }
}

/// Number of recorded requests that a plan would deny, as a phrase; `None` if it denies none, or
/// without records.
pub(super) fn plan_headline(plan: &Plan) -> Option<String> {
    let recorded = plan.docker.as_ref()?.recorded.as_ref();
    recorded.filter(|replay| replay.denied() > 0).map(headline)
}

/// The section of a plan in Markdown, in pieces of which the last ones may be left out. `written`
/// formats a rule with its place.
pub(super) fn pieces(replay: &Replay, written: impl Fn(&str) -> String) -> Vec<String> {
    let Replay { window, agreement, newly_denied, newly_allowed, unchanged, unknown, .. } = replay;
    let Agreement { agree, disagree, unknown: untold, disagreements } = agreement;
    let mut pieces = vec![format!("{}\n\n", window_words(window))];
    let mark = if *disagree == 0 { "🟢" } else { "🔴" };
    pieces.push(format!(
        "{mark} Agreement: {agree} decided as recorded, **{disagree}** differently, {untold} unknown\n\n"
    ));
    let most = shown(disagreements.len(), DISAGREEMENTS);
    for one in disagreements.iter().take(most) {
        let (recorded, computed) = (words::decision(one.recorded), words::decision(one.computed));
        let request = code(&one.request);
        pieces.push(format!(
            "- {request}: recorded {recorded}, computed **{computed}** ({})\n",
            words::times(one.count)
        ));
    }
    match disagreements.len().saturating_sub(most) {
        0 => {}
        left_out => pieces.push(format!("- … and {left_out} more\n")),
    }
    if !disagreements.is_empty() {
        pieces.push("\n".to_owned());
    }
    let allowed: u64 = newly_allowed.iter().map(|change| change.count).sum();
    let all: u64 = unknown.iter().map(|one| one.count).sum();
    pieces.push(format!(
        "| newly denied | newly allowed | unchanged | unknown |\n|---:|---:|---:|---:|\n| **{}** | {allowed} | {unchanged} | {all} |\n\n",
        replay.denied()
    ));
    for (changes, mark, word) in
        [(newly_denied, "🔴", "Newly denied"), (newly_allowed, "🟡", "Newly allowed")]
    {
        if changes.is_empty() {
            continue;
        }
        pieces.push(format!("{mark} **{word}**\n\n"));
        for (because, own) in groups(changes) {
            let (rules, more) = list::first(because, list::MOST);
            let more = (more > 0).then(|| format!("… and {more} more"));
            let why: Vec<String> = rules.iter().map(|rule| written(rule)).chain(more).collect();
            pieces.push(format!("because {}\n\n", why.join("<br>")));
            let most = shown(own.len(), LISTED);
            let left_out = own.len() - most;
            for change in own.into_iter().take(most) {
                let names: Vec<String> = change.names.iter().map(|name| code(name)).collect();
                let names = if names.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", list::listed(&names))
                };
                let last = change
                    .last
                    .as_ref()
                    .map(|last| format!(", last {}", time(last)))
                    .unwrap_or_default();
                let people = audience(change);
                pieces.push(format!(
                    "- {} {} by {people}{names}{last}\n",
                    code(&change.request),
                    words::times(change.count)
                ));
            }
            if left_out > 0 {
                pieces.push(format!("- … and {left_out} more\n"));
            }
            pieces.push("\n".to_owned());
        }
    }
    for one in unknown {
        let example = code(&one.example);
        pieces.push(format!(
            "- `?` {} unknown: {}, such as {example}\n",
            one.count,
            one.reason.phrase()
        ));
    }
    pieces.push("\n".to_owned());
    pieces
}

fn audience(change: &Change) -> String {
    let teams = match (change.teams.as_slice(), change.teams_known) {
        (_, false) => String::new(),
        ([], true) => " of no team".to_owned(),
        (teams, true) => {
            let teams: Vec<String> = teams.iter().map(|team| code(team)).collect();
            format!(" of {}", teams.join(" + "))
        }
    };
    format!("{}{teams}", users(change.users))
}

/// Access tests with the most frequent recorded requests, one for each membership.
#[must_use]
pub fn access_tests(expected: &[Expected]) -> String {
    #[derive(Serialize)]
    struct Document {
        #[serde(rename = "apiVersion")]
        api_version: &'static str,
        kind: &'static str,
        name: String,
        description: &'static str,
        #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
        subject: Option<BTreeMap<&'static str, Vec<String>>>,
        expect: Vec<BTreeMap<&'static str, String>>,
    }
    let documents = expected.iter().filter(|one| !one.requests.is_empty()).map(
        |Expected { teams, requests }| {
            let whom = if teams.is_empty() {
                "members of no team".to_owned()
            } else {
                teams.join(" and ")
            };
            let subject = (!teams.is_empty()).then(|| BTreeMap::from([("teams", teams.clone())]));
            let expect = requests.iter().map(|(decision, text)| {
                let key = match decision {
                    Decision::Allow => "allow",
                    Decision::Deny => "deny",
                };
                BTreeMap::from([(key, text.clone())])
            });
            Document {
                api_version: "seawall/v1",
                kind: "AccessTest",
                name: format!("recorded requests of {whom}"),
                description: "The most frequent recorded requests, as they were decided.",
                subject,
                expect: expect.collect(),
            }
        },
    );
    let texts: Vec<String> =
        documents.map(|document| serde_yaml::to_string(&document).expect("text is YAML")).collect();
    texts.join("---\n")
}
