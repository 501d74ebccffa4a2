//! The effect of a plan on access: by audience, widened access first.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::super::view::rest;
use super::super::words::{self, Cause, Entry, Group, Object, Tone};
use super::{BAD, BOLD, CAREFUL, DIM, GOOD, View, plain, quoted, write_all};
use crate::diagnostic::sanitize::line;
use crate::plan::meaning::{Changes, Incomplete, Meaning};

/// The number of audiences that are listed, causes of an audience, entries of a cause, and rules of
/// a cause.
const AUDIENCES: usize = 16;
const REASONS: usize = 12;
const ENTRIES: usize = 8;
const RULES: usize = 4;
/// The number of entries of a policy that are listed in short: what is gained, and what is lost.
const POLICY_ENTRIES: usize = 24;
const LOST_ENTRIES: usize = 1;

/// Writes the effect on access. If `brief`, by policy, without examples and places.
pub(super) fn write(
    out: &mut String,
    meaning: &Meaning,
    view: View<'_>,
    brief: bool,
) -> fmt::Result {
    if meaning.is_nothing() && meaning.governed.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}Access{BOLD:#}")?;
    if let Some(incomplete) = meaning.incomplete() {
        write_incomplete(out, incomplete, view)?;
    }
    let governed = words::governed(&meaning.governed, |audience| words::people(audience, plain));
    for sentence in governed.iter().take(view.shown(governed.len(), AUDIENCES)) {
        writeln!(out, "  {CAREFUL}{sentence}{CAREFUL:#}")?;
    }
    write_rest(out, "  ", governed.len(), view.shown(governed.len(), AUDIENCES))?;
    let groups = words::groups(meaning);
    let Changes { widened, narrowed, uncertain } = meaning.changes();
    let count = widened.len() + narrowed.len() + uncertain.len();
    let shown = groups.iter().take(view.shown(groups.len(), AUDIENCES)).collect();
    write_all(out, shown, count, |out, group| write_group(out, group, view, brief))?;
    write_rest(out, "  ", groups.len(), view.shown(groups.len(), AUDIENCES))
}

fn write_incomplete(out: &mut String, incomplete: &Incomplete, view: View<'_>) -> fmt::Result {
    let Incomplete { why, rules, audiences: _, patterns: _ } = incomplete;
    writeln!(out, "  {BAD}{}{BAD:#}: {}", words::INCOMPLETE, line(why))?;
    for rule in rules.iter().take(view.shown(rules.len(), RULES)) {
        writeln!(out, "        {DIM}not compared{DIM:#} {}", view.rule(rule))?;
    }
    write_rest(out, "        ", rules.len(), view.shown(rules.len(), RULES))?;
    writeln!(out, "        {DIM}{}{DIM:#}", words::INCOMPLETE_MEANS)?;
    writeln!(out, "        {BOLD}help{BOLD:#}: {}", words::incomplete_help(incomplete, quoted))
}

fn write_group(out: &mut String, group: &Group<'_>, view: View<'_>, brief: bool) -> fmt::Result {
    let Group { tone, sign, happens, audience, gains: _, does: _ } = group;
    let style = match tone {
        Tone::Danger => BAD,
        Tone::Careful => CAREFUL,
        Tone::Calm => GOOD,
    };
    writeln!(out, "  {style}{happens}{style:#} {BOLD}{}{BOLD:#}", words::people(audience, plain))?;
    let causes = if brief { group.causes_by_policy() } else { group.causes() };
    for Cause { because, remarks, entries } in causes.iter().take(view.shown(causes.len(), REASONS))
    {
        let most = match (brief, tone) {
            (false, _) => ENTRIES,
            (true, Tone::Danger | Tone::Careful) => POLICY_ENTRIES,
            (true, Tone::Calm) => LOST_ENTRIES,
        };
        let entries =
            if brief { join_actions(entries) } else { entries.iter().map(Line::from).collect() };
        let shown = view.shown(entries.len(), most);
        for entry in entries.iter().take(shown) {
            write_entry(out, entry, (*sign, style), view)?;
            if let Some(witness) = entry.witness.filter(|_| !brief) {
                writeln!(out, "        {DIM}such as{DIM:#} {}", line(witness))?;
            }
        }
        write_rest(out, "    ", entries.len(), shown)?;
        for remark in remarks.iter().take(view.shown(remarks.len(), RULES)) {
            writeln!(out, "        {DIM}{}{DIM:#}", line(remark))?;
        }
        write_rest(out, "        ", remarks.len(), view.shown(remarks.len(), RULES))?;
        if brief {
            write_effects(out, because, view)?;
            continue;
        }
        for rule in because.iter().take(view.shown(because.len(), RULES)) {
            writeln!(out, "        {DIM}because{DIM:#} {}", view.rule(rule))?;
        }
        write_rest(out, "        ", because.len(), view.shown(because.len(), RULES))?;
    }
    write_rest(out, "    ", causes.len(), view.shown(causes.len(), REASONS))
}

/// Writes one line for the rules of each policy.
fn write_effects(out: &mut String, because: &[&str], view: View<'_>) -> fmt::Result {
    for (effect, rules) in words::by_effect(because) {
        let effect = line(&effect);
        let rules = view.list(&rules, "        by  ".len() + effect.chars().count());
        writeln!(out, "        {DIM}by{DIM:#} {}", format!("{effect} {rules}").trim_end())?;
    }
    Ok(())
}

/// An entry with all the actions on its objects.
struct Line<'a> {
    action: Cow<'a, str>,
    objects: &'a [Object<'a>],
    every_port: bool,
    witness: Option<&'a str>,
    except: &'static str,
}

impl<'a> From<&'a Entry<'a>> for Line<'a> {
    fn from(entry: &'a Entry<'a>) -> Self {
        let Entry { action, objects, every_port, witness, except } = entry;
        let (action, except) = ((*action).into(), except.unwrap_or_default());
        Self { action, objects, every_port: *every_port, witness: *witness, except }
    }
}

/// The entries, those on the same objects as one: `read,write ~/src`.
fn join_actions<'a>(entries: &'a [Entry<'a>]) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    for entry in entries.iter().map(Line::from) {
        match lines
            .iter_mut()
            .find(|own| own.objects == entry.objects && own.every_port == entry.every_port)
        {
            Some(own) if !entry.objects.is_empty() => {
                own.action = format!("{},{}", own.action, entry.action).into()
            }
            Some(_) | None => lines.push(entry),
        }
    }
    lines
}

fn write_entry(
    out: &mut String,
    entry: &Line<'_>,
    (sign, style): (char, anstyle::Style),
    view: View<'_>,
) -> fmt::Result {
    let Line { action, objects, every_port, witness: _, except } = entry;
    let action = line(action);
    let objects: Vec<Cow<'_, str>> =
        objects.iter().map(|object| view.object(object.text())).collect();
    let objects = view.list(&objects, "    + ".len() + action.chars().count() + 1);
    let ports = if *every_port { words::EVERY_PORT } else { "" };
    writeln!(out, "    {style}{sign} {action} {objects}{ports}{style:#}{except}")
}

/// Writes the number of items that are folded away.
fn write_rest(out: &mut String, indent: &str, all: usize, shown: usize) -> fmt::Result {
    out.write_str(&rest(indent, all.saturating_sub(shown), "", CAREFUL))
}
