//! The effect of a plan on access: one table for each audience.
//!
//! Invariant: without room for all rows, those that widen access are shown first, and audiences
//! share the room.

use super::super::words::{self, Cause, Group, Tone};
use super::{ACCESS, ITEMS, MOST, Page, RESERVE, code, first, list, prose, reason};
use crate::plan::meaning::{Audience, Incomplete, Meaning};

/// A row of the table of an audience.
struct Row<'a> {
    audience: &'a Audience,
    text: String,
}

/// Writes the changes of access, as many as there is room for.
pub(super) fn write(page: &mut Page<'_>, access: &Meaning) {
    if access.is_nothing() && access.governed.is_empty() {
        return;
    }
    page.add("#### Access\n\n");
    if let Some(incomplete) = access.incomplete() {
        let Incomplete { why, rules, audiences: _, patterns: _ } = incomplete;
        let means = words::INCOMPLETE_MEANS;
        let rules = if rules.is_empty() {
            String::new()
        } else {
            format!(" Not compared: {}.", list(rules))
        };
        page.add(&format!(
            "> [!CAUTION]\n> {}: {}; {means}.{rules}<br>To have them compared, {}.\n\n",
            words::INCOMPLETE,
            code(why),
            words::incomplete_help(incomplete, code)
        ));
    }
    page.limit = ACCESS;
    for sentence in words::governed(&access.governed, |one| words::people(one, code)) {
        page.add(&format!("- {sentence}\n"));
    }
    if !access.governed.is_empty() {
        page.add("\n");
    }
    let mut ordered = Vec::new();
    for kind in words::groups(access).chunk_by(|one, next| one.happens == next.happens) {
        let mut rows: Vec<(usize, Row<'_>)> =
            kind.iter().flat_map(|group| rows(page, group).into_iter().enumerate()).collect();
        // Audiences take turns, so that a long table of one leaves room for the others.
        rows.sort_by_key(|(at, _)| *at);
        ordered.extend(rows.into_iter().map(|(_, row)| row));
    }
    write_tables(page, ordered);
    page.limit = MOST - RESERVE;
    page.close_section("entries about access");
}

/// Writes the first rows, as many as fit, in one table for each audience.
fn write_tables(page: &mut Page<'_>, rows: Vec<Row<'_>>) {
    let mut tables: Vec<(&Audience, String)> = Vec::new();
    let mut room = page.limit.saturating_sub(page.text.len());
    for Row { audience, text } in rows {
        let known = tables.iter().position(|(own, _)| *own == audience);
        let heading = || {
            format!(
                "**{}**\n\n| change | what | why |\n|---|---|---|\n",
                capital(&words::people(audience, code))
            )
        };
        let text = if known.is_some() { text } else { heading() + &text };
        // An empty line ends each table.
        let Some(left) = room.checked_sub(text.len() + 1) else {
            page.left_out += 1;
            continue;
        };
        room = left;
        match known.and_then(|at| tables.get_mut(at)) {
            Some((_, table)) => table.push_str(&text),
            None => tables.push((audience, text)),
        }
    }
    for (_, table) in tables {
        page.text.push_str(&table);
        page.text.push('\n');
    }
}

/// The rows of a group: one for all changes with the same cause.
fn rows<'a>(page: &Page<'_>, group: &Group<'a>) -> Vec<Row<'a>> {
    let mark = match group.tone {
        Tone::Danger => "🔴",
        Tone::Careful => "🟡",
        Tone::Calm => "🟢",
    };
    let mut rows = Vec::new();
    for Cause { because, remarks, entries } in group.causes() {
        let (because, more) = first(&because, ITEMS);
        let mut why: Vec<String> = because.iter().map(|rule| reason(page.links, rule)).collect();
        if more > 0 {
            why.push(format!("… and {more} more"));
        }
        why.extend(remarks.iter().take(ITEMS).map(|remark| prose(remark)));
        let mut lines = entries.into_iter().map(|entry| {
            let objects: Vec<String> =
                entry.objects.iter().map(|object| object.text().into_owned()).collect();
            let such = entry
                .witness
                .map(|witness| format!("<br>&emsp;such as {}", code(witness)))
                .unwrap_or_default();
            let ports = if entry.every_port { words::EVERY_PORT } else { "" };
            let except = entry.except.unwrap_or_default();
            format!("{} {}{ports}{except}{such}", code(entry.action), list(&objects))
        });
        // A row that is too long for the page is left out as a whole, so that long ones are
        // divided.
        loop {
            let part: Vec<String> = lines.by_ref().take(ITEMS).collect();
            if part.is_empty() {
                break;
            }
            let text = format!(
                "| {mark}&nbsp;{} | {} | {} |\n",
                group.does,
                part.join("<br>"),
                why.join("<br>")
            );
            rows.push(Row { audience: group.audience, text });
        }
    }
    rows
}

/// A phrase with a capital letter; one that starts with code stays as it is.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}
