//! What a plan means for access: one table for each audience.
//!
//! Invariant: where there is no room for all rows, those that open something are chosen first, whatever audience they are of.

use std::borrow::Cow;

use super::super::words::{self, Cause, Group, Tone};
use super::{ACCESS, ITEMS, MOST, Page, RESERVE, code, list, people, reason};
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
    if let Some(Incomplete { why, rules, audiences: _ }) = access.incomplete() {
        let means = words::INCOMPLETE_MEANS;
        let rules = if rules.is_empty() { String::new() } else { format!(" Not compared: {}.", list(rules)) };
        page.add(&format!("> [!CAUTION]\n> {}: {}; {means}.{rules}\n\n", words::INCOMPLETE, code(why)));
    }
    page.limit = ACCESS;
    for one in &access.governed {
        page.add(&format!("- {}\n", words::governed(one, &people(&one.audience))));
    }
    if !access.governed.is_empty() {
        page.add("\n");
    }
    let groups = words::groups(access);
    let rows: Vec<Row<'_>> = groups.iter().flat_map(|group| rows(page, group)).collect();
    write_tables(page, rows);
    page.limit = MOST - RESERVE;
    page.close_section("entries about access");
}

/// Writes as many rows as fit, the first ones first, in one table for each audience.
fn write_tables(page: &mut Page<'_>, rows: Vec<Row<'_>>) {
    let mut tables: Vec<(&Audience, String)> = Vec::new();
    let mut room = page.limit.saturating_sub(page.text.len());
    for Row { audience, text } in rows {
        let known = tables.iter().position(|(own, _)| *own == audience);
        let heading = || format!("**{}**\n\n| change | what | why |\n|---|---|---|\n", capital(&people(audience)));
        let text = if known.is_some() { text } else { heading() + &text };
        // A line behind each table ends it.
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

/// The rows of a group: one for what changes for the same reason.
fn rows<'a>(page: &Page<'_>, group: &Group<'a>) -> Vec<Row<'a>> {
    let mark = match group.tone {
        Tone::Danger => "🔴",
        Tone::Careful => "🟡",
        Tone::Calm => "🟢",
    };
    let mut rows = Vec::new();
    for Cause { because, entries } in group.causes() {
        let why: Vec<String> = because.iter().take(ITEMS).map(|rule| reason(page.links, rule)).collect();
        let mut lines = entries.into_iter().map(|entry| {
            let objects: Vec<String> = entry.objects.into_iter().map(Cow::into_owned).collect();
            let such = entry.witness.map(|witness| format!("<br>&emsp;such as {}", code(witness))).unwrap_or_default();
            let ports = if entry.every_port { words::EVERY_PORT } else { "" };
            format!("{} {}{ports}{such}", code(entry.action), list(&objects))
        });
        // What has no room in a page is not left out because of what stands beside it.
        loop {
            let part: Vec<String> = lines.by_ref().take(ITEMS).collect();
            if part.is_empty() {
                break;
            }
            let text = format!("| {mark} {} | {} | {} |\n", group.does, part.join("<br>"), why.join("<br>"));
            rows.push(Row { audience: group.audience, text });
        }
    }
    rows
}

/// A phrase as a heading. Names in it start with a mark of code.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}
