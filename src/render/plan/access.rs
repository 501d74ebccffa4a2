//! What a plan means for access: by audience, what opens first.

use std::fmt::{self, Write as _};

use super::super::sanitize::line;
use super::super::words::{self, Group, Tone};
use super::{BAD, BOLD, CAREFUL, DIM, GOOD, MORE, View};
use crate::plan::meaning::{Audience, Gain, Meaning};

/// How many entries of one audience are listed, and how many rules behind one of them.
const LISTED: usize = 20;
const CAUSES: usize = 4;

pub(super) fn write(out: &mut String, meaning: &Meaning, view: View) -> fmt::Result {
    if meaning.is_nothing() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}Access{BOLD:#}")?;
    for group in words::groups(meaning) {
        write_group(out, &group, view)?;
    }
    Ok(())
}

fn write_group(
    out: &mut String,
    Group { tone, sign, happens, audience, gains }: &Group<'_>,
    view: View,
) -> fmt::Result {
    let style = match tone {
        Tone::Danger => BAD,
        Tone::Careful => CAREFUL,
        Tone::Calm => GOOD,
    };
    writeln!(out, "  {style}{happens}{style:#} {BOLD}{}{BOLD:#}", line(&people(audience)))?;
    // They are sorted by size, so that a fold keeps the broadest.
    let (first, hidden, last) = words::folded(gains, view.most(LISTED));
    for gain in first {
        write_gain(out, gain, (*sign, style), view)?;
    }
    if hidden > 0 {
        writeln!(out, "    {style}… {hidden} more{style:#}, {MORE}")?;
    }
    for gain in last {
        write_gain(out, gain, (*sign, style), view)?;
    }
    Ok(())
}

fn write_gain(out: &mut String, gain: &Gain, (sign, style): (char, anstyle::Style), view: View) -> fmt::Result {
    writeln!(out, "    {style}{sign} {}{style:#}", line(&gain.access))?;
    if gain.witness != gain.access {
        writeln!(out, "        {DIM}such as{DIM:#} {}", line(&gain.witness))?;
    }
    let (first, hidden, last) = words::folded(&gain.because, view.most(CAUSES));
    for because in first.iter().chain(last) {
        writeln!(out, "        {DIM}because{DIM:#} {}", line(because))?;
    }
    if hidden > 0 {
        writeln!(out, "        {DIM}because{DIM:#} of {hidden} more, {MORE}")?;
    }
    Ok(())
}

/// An audience, after `gained by`.
fn people(audience: &Audience) -> String {
    match audience.teams.as_slice() {
        [] => "the whole organization".to_owned(),
        [team] => format!("members of {team}"),
        teams => format!("members of {} together", teams.join(" and ")),
    }
}
