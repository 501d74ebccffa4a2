//! The effect of a plan on access: by audience, widened access first.

use std::fmt::{self, Write as _};

use super::super::words::{self, Cause, Entry, Group, Tone};
use super::{BAD, BOLD, CAREFUL, DIM, GOOD, MORE, View};
use crate::diagnostic::sanitize::line;
use crate::model::Origin;
use crate::plan::meaning::{Audience, Incomplete, Meaning};

/// The number of audiences that are listed, causes of an audience, entries of a cause, and rules of a cause.
const AUDIENCES: usize = 16;
const REASONS: usize = 12;
const ENTRIES: usize = 8;
const RULES: usize = 4;

/// Writes the effect on access. If `brief`, without examples and places.
pub(super) fn write(out: &mut String, meaning: &Meaning, view: View, brief: bool) -> fmt::Result {
    if meaning.is_nothing() && meaning.governed.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}Access{BOLD:#}")?;
    if let Some(incomplete) = meaning.incomplete() {
        write_incomplete(out, incomplete, view)?;
    }
    let governed = words::governed(&meaning.governed, |audience| line(&people(audience)).into_owned());
    for sentence in governed.iter().take(view.shown(governed.len(), AUDIENCES)) {
        writeln!(out, "  {CAREFUL}{sentence}{CAREFUL:#}")?;
    }
    write_rest(out, "  ", governed.len(), view.shown(governed.len(), AUDIENCES))?;
    let groups = words::groups(meaning);
    for group in groups.iter().take(view.shown(groups.len(), AUDIENCES)) {
        write_group(out, group, view, brief)?;
    }
    write_rest(out, "  ", groups.len(), view.shown(groups.len(), AUDIENCES))
}

fn write_incomplete(out: &mut String, incomplete: &Incomplete, view: View) -> fmt::Result {
    let Incomplete { why, rules, audiences: _ } = incomplete;
    writeln!(out, "  {BAD}{}{BAD:#}: {}", words::INCOMPLETE, line(why))?;
    for rule in rules.iter().take(view.shown(rules.len(), RULES)) {
        writeln!(out, "        {DIM}not compared{DIM:#} {}", line(rule))?;
    }
    write_rest(out, "        ", rules.len(), view.shown(rules.len(), RULES))?;
    writeln!(out, "        {DIM}{}{DIM:#}", words::INCOMPLETE_MEANS)
}

fn write_group(out: &mut String, group: &Group<'_>, view: View, brief: bool) -> fmt::Result {
    let Group { tone, sign, happens, audience, gains: _, does: _ } = group;
    let style = match tone {
        Tone::Danger => BAD,
        Tone::Careful => CAREFUL,
        Tone::Calm => GOOD,
    };
    writeln!(out, "  {style}{happens}{style:#} {BOLD}{}{BOLD:#}", line(&people(audience)))?;
    let causes = group.causes();
    for Cause { because, entries } in causes.iter().take(view.shown(causes.len(), REASONS)) {
        for entry in entries.iter().take(view.shown(entries.len(), ENTRIES)) {
            write_entry(out, entry, (*sign, style), view)?;
            if let Some(witness) = entry.witness.filter(|_| !brief) {
                writeln!(out, "        {DIM}such as{DIM:#} {}", line(witness))?;
            }
        }
        write_rest(out, "    ", entries.len(), view.shown(entries.len(), ENTRIES))?;
        for rule in because.iter().take(view.shown(because.len(), RULES)) {
            let rule = Origin::split_off(rule).filter(|_| brief).map_or(rule.as_str(), |(rule, _)| rule);
            writeln!(out, "        {DIM}because{DIM:#} {}", line(rule))?;
        }
        write_rest(out, "        ", because.len(), view.shown(because.len(), RULES))?;
    }
    write_rest(out, "    ", causes.len(), view.shown(causes.len(), REASONS))
}

fn write_entry(out: &mut String, entry: &Entry<'_>, (sign, style): (char, anstyle::Style), view: View) -> fmt::Result {
    let Entry { action, objects, every_port, witness: _ } = entry;
    let action = line(action);
    let objects = view.list(objects, "    + ".len() + action.chars().count() + 1);
    let ports = if *every_port { words::EVERY_PORT } else { "" };
    writeln!(out, "    {style}{sign} {action} {objects}{ports}{style:#}")
}

/// Writes the number of items that are folded away.
fn write_rest(out: &mut String, indent: &str, all: usize, shown: usize) -> fmt::Result {
    match all.saturating_sub(shown) {
        0 => Ok(()),
        hidden => writeln!(out, "{indent}{CAREFUL}… {hidden} more{CAREFUL:#}, {MORE}"),
    }
}

/// An audience, to follow `gained by`.
fn people(audience: &Audience) -> String {
    match audience.teams.as_slice() {
        [] => "the whole organization".to_owned(),
        teams @ [_] => format!("members of {}", audience.names(teams, str::to_owned).concat()),
        teams => format!("members of {} together", audience.names(teams, str::to_owned).join(" and ")),
    }
}
