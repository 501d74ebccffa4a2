//! The rules that recorded requests rest on, for people and as Markdown.
//!
//! Invariant: what nobody uses comes first, and a rule of which records cannot tell is never among
//! it.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};

use super::view::{View, rest};
use super::{replay, words};
use crate::diagnostic::list;
use crate::diagnostic::sanitize::{line, markdown as code};
use crate::evidence::narrow::Narrowing;
use crate::evidence::usage::{RuleUse, Usage, Use};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const CAREFUL: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The number of rules of a kind that are shown, unless all are.
const LISTED: usize = 30;

const KINDS: [(Use, &str); 4] = [
    (Use::Unused, "no recorded request matches"),
    (Use::Redundant, "other rules decide the same"),
    (Use::Unknown, "records cannot tell"),
    (Use::Decides, "without it, a recorded request would be decided differently"),
];

fn name(used: Use) -> &'static str {
    match used {
        Use::Decides => "decides",
        Use::Redundant => "redundant",
        Use::Unused => "unused",
        Use::Unknown => "unknown",
    }
}

fn style(used: Use) -> Style {
    match used {
        Use::Decides => GOOD,
        Use::Redundant | Use::Unknown => CAREFUL,
        Use::Unused => BAD,
    }
}

/// The rules as text with colours.
#[must_use]
pub fn human(usage: &Usage, narrowings: Option<&[Narrowing]>, view: View<'_>) -> String {
    let mut out = String::new();
    write(&mut out, usage, narrowings, view).expect("a string takes everything");
    out
}

fn write(
    out: &mut String,
    usage: &Usage,
    narrowings: Option<&[Narrowing]>,
    view: View<'_>,
) -> fmt::Result {
    writeln!(out, "{BOLD}Recorded requests{BOLD:#}: {}", replay::window_words(&usage.window))?;
    for (used, means) in KINDS {
        let own: Vec<&RuleUse> = usage.rules.iter().filter(|rule| rule.used == used).collect();
        if own.is_empty() {
            continue;
        }
        let (style, name) = (style(used), name(used));
        writeln!(out, "\n{style}{name}{style:#}: {} ({means})", words::count(own.len(), "rule"))?;
        let (first, more) = view.first(&own, LISTED);
        for rule in first {
            let (policy, name, place) =
                (line(&rule.policy), line(&rule.rule), view.place(&rule.source));
            let facts = facts(rule);
            let gap = if facts.is_empty() { "" } else { "  " };
            writeln!(out, "  `{policy} › {name}`{gap}{facts}  {DIM}{place}{DIM:#}")?;
        }
        out.push_str(&rest("  ", more, "", CAREFUL));
    }
    let Some(narrowings) = narrowings else { return Ok(()) };
    writeln!(out, "\n{BOLD}Wildcards{BOLD:#}: {} can be narrowed", narrowings.len())?;
    let (first, more) = view.first(narrowings, LISTED);
    for Narrowing { policy, rule, from, to, requests, source, at: _ } in first {
        let place = view.place(source);
        writeln!(out, "  `{} › {}`  {DIM}{place}{DIM:#}", line(policy), line(rule))?;
        writeln!(out, "    {BAD}-{BAD:#} {}", line(from))?;
        let (hosts, others) = view.first(to, list::MOST);
        for host in hosts {
            writeln!(out, "    {GOOD}+{GOOD:#} {}", line(host))?;
        }
        out.push_str(&rest("    ", others, "", CAREFUL));
        writeln!(out, "    {DIM}{requests} recorded requests{DIM:#}")?;
    }
    out.write_str(&rest("  ", more, "", CAREFUL))
}

fn facts(rule: &RuleUse) -> String {
    let mut facts = Vec::new();
    if rule.matches > 0 {
        let matches = if rule.matches == 1 { "match" } else { "matches" };
        facts.push(format!("{} {matches} by {}", rule.matches, words::count(rule.users, "user")));
    }
    if rule.machines > 0 {
        facts.push(format!("on {}", words::count(rule.machines, "machine")));
    }
    if let Some(last) = &rule.last {
        facts.push(format!("last {last}"));
    }
    if let Some(why) = rule.why {
        facts.push(why.phrase().to_owned());
    }
    facts.join(", ")
}

/// The rules as Markdown.
#[must_use]
pub fn markdown(usage: &Usage, narrowings: Option<&[Narrowing]>) -> String {
    let mut text = format!(
        "### seawall: use of {}\n\n{}\n\n",
        words::count(usage.rules.len(), "rule"),
        replay::window_words(&usage.window)
    );
    text.push_str("| use | rule | matches | users | last |\n|---|---|---:|---:|---|\n");
    let (mut others, own) =
        (Vec::new(), |used| usage.rules.iter().filter(move |rule| rule.used == used));
    for (used, _) in KINDS {
        let own: Vec<&RuleUse> = own(used).collect();
        let (first, more) = list::first(&own, LISTED);
        if more > 0 {
            others.push(format!("{more} more with `{}`", name(used)));
        }
        for rule in first {
            let last = rule.last.clone().unwrap_or_default();
            let (policy, own) = (code(&rule.policy), code(&rule.rule));
            text.push_str(&format!(
                "| {} | {policy} › {own} | {} | {} | {last} |\n",
                name(used),
                rule.matches,
                rule.users
            ));
        }
    }
    if !others.is_empty() {
        text.push_str(&format!(
            "\n… and {}: `--format json` lists them all\n",
            list::listed(&others)
        ));
    }
    let (first, more) = list::first(narrowings.unwrap_or_default(), LISTED);
    for Narrowing { policy, rule, from, to, .. } in first {
        let to: Vec<String> = to.iter().map(|host| code(host)).collect();
        text.push_str(&format!(
            "\n- {} › {}: {} → {}",
            code(policy),
            code(rule),
            code(from),
            list::listed(&to)
        ));
    }
    if more > 0 {
        text.push_str(&format!("\n- … and {more} more"));
    }
    text + "\n"
}
