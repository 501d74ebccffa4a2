//! A plan for people, on a terminal.
//!
//! Invariant: what it means comes before what is done, and what opens before what closes. Every text that is not ours
//! passes [`super::sanitize`].

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use super::sanitize::line;
use crate::model::{Decision, HttpResource, Resources, Rule, Scope, TeamDirectory};
use crate::plan::Plan;
use crate::plan::meaning::{Gain, Meaning};
use crate::plan::step::{Change, Head, Reason, Step};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const CAREFUL: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// How many entries of each kind of access are listed; the JSON form has them all.
const LISTED: usize = 20;

/// A plan as text with colours.
#[must_use]
pub fn human(plan: &Plan) -> String {
    let mut out = String::new();
    write_plan(&mut out, plan).expect("a string takes everything");
    out
}

/// What a plan means, in a few words: `widens access for 2 audiences`, `no access change`.
#[must_use]
pub fn headline(meaning: &Meaning) -> String {
    let audiences = |gains: &[Gain]| {
        let mut audiences: Vec<&Vec<String>> = gains.iter().map(|gain| &gain.audience.teams).collect();
        audiences.sort();
        audiences.dedup();
        let count = audiences.len();
        format!("{count} {}", if count == 1 { "audience" } else { "audiences" })
    };
    let mut parts = Vec::new();
    if !meaning.widened.is_empty() {
        parts.push(format!("widens access for {}", audiences(&meaning.widened)));
    }
    if !meaning.narrowed.is_empty() {
        parts.push(format!("narrows access for {}", audiences(&meaning.narrowed)));
    }
    if !meaning.uncertain.is_empty() {
        parts.push(format!("is uncertain for {}", audiences(&meaning.uncertain)));
    }
    match (parts.is_empty(), meaning.exact) {
        (true, true) => "no access change".to_owned(),
        (true, false) => "no access change that is certain".to_owned(),
        (false, _) => parts.join(", "),
    }
}

fn write_plan(out: &mut String, plan: &Plan) -> fmt::Result {
    let org = line(&plan.target.org);
    if plan.is_empty() {
        writeln!(out, "{GOOD}Nothing to change{GOOD:#}: `{org}` is as the documents say.")?;
        return write_unmanaged(out, plan);
    }
    let style = match (plan.access.gains().next(), plan.access.is_nothing()) {
        (Some(_), _) => BAD,
        (None, false) => CAREFUL,
        (None, true) => GOOD,
    };
    writeln!(out, "{BOLD}Plan for `{org}`{BOLD:#}: {style}{}{style:#}", headline(&plan.access))?;
    write_access(out, &plan.access)?;
    write_steps(out, plan)?;
    write_unmanaged(out, plan)?;
    write_guards(out, plan)?;
    let summary = plan.summary();
    writeln!(
        out,
        "\n{BOLD}{} to create, {} to update, {} to delete{BOLD:#}",
        summary.create, summary.update, summary.delete
    )
}

fn write_access(out: &mut String, meaning: &Meaning) -> fmt::Result {
    let sections = [
        (&meaning.widened, "gains", '+', BAD),
        (&meaning.uncertain, "may see a change of", '?', CAREFUL),
        (&meaning.narrowed, "loses", '-', GOOD),
    ];
    if !meaning.is_nothing() {
        writeln!(out, "\n{BOLD}Access{BOLD:#}")?;
    }
    for (gains, verb, sign, style) in sections {
        for gain in gains.iter().take(LISTED) {
            let verb = match (sign, gain.widens, gain.narrows) {
                ('?', true, false) => "may gain",
                ('?', false, true) => "may lose",
                _ => verb,
            };
            let audience = gain.audience.to_string();
            writeln!(out, "  {style}{sign} {}{style:#} {verb} {BOLD}{}{BOLD:#}", line(&audience), line(&gain.access))?;
            if gain.witness != gain.access {
                writeln!(out, "      {DIM}such as{DIM:#} {}", line(&gain.witness))?;
            }
            for because in &gain.because {
                writeln!(out, "      {DIM}because{DIM:#} {}", line(because))?;
            }
        }
        if gains.len() > LISTED {
            writeln!(
                out,
                "  {style}{sign} and {} more{style:#}, all listed with `--format json`",
                gains.len() - LISTED
            )?;
        }
    }
    Ok(())
}

fn write_steps(out: &mut String, plan: &Plan) -> fmt::Result {
    writeln!(out, "\n{BOLD}Changes{BOLD:#}")?;
    let mut by_policy: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        by_policy.entry(&step.policy).or_default().push(step);
    }
    for (policy, steps) in by_policy {
        let place = steps.iter().find_map(|step| step.source.as_ref());
        let place = place.map(|origin| format!("  {}:{}", origin.file, origin.line)).unwrap_or_default();
        writeln!(out, "  {BOLD}{}{BOLD:#}{DIM}{}{DIM:#}", line(policy), line(&place))?;
        for step in steps {
            write_step(out, step, &plan.teams)?;
        }
    }
    Ok(())
}

fn write_step(out: &mut String, step: &Step, teams: &TeamDirectory) -> fmt::Result {
    let id = step.id;
    let (sign, style) = match &step.change {
        Change::CreatePolicy { .. } | Change::CreateRule { .. } => ('+', GOOD),
        Change::UpdatePolicy { .. } | Change::UpdateRule { .. } => ('~', CAREFUL),
        Change::DeletePolicy { .. } | Change::DeleteRule { .. } => ('-', BAD),
    };
    write!(out, "    {style}{sign}{style:#} ")?;
    match &step.change {
        Change::CreatePolicy { after } => write!(out, "create the policy for {}", scope(&after.scope, teams))?,
        Change::DeletePolicy { before, .. } => {
            let count = before.rules().len();
            write!(out, "delete the policy for {}, with {count} rules", scope(&before.scope, teams))?;
        }
        Change::UpdatePolicy { .. } => write!(out, "update the policy")?,
        Change::CreateRule { after, .. } => write_rule(out, after)?,
        Change::DeleteRule { before, .. } => write_rule(out, before)?,
        Change::UpdateRule { before, after, .. } if before.name != after.name => {
            write!(out, "{} → {}", line(&before.name), line(&after.name))?;
        }
        Change::UpdateRule { after, .. } => write!(out, "{}", line(&after.name))?,
    }
    writeln!(out, "  {DIM}#{id}{DIM:#}")?;
    if let Some(because) = step.because {
        writeln!(out, "        {CAREFUL}{}{CAREFUL:#}", reason(because))?;
    }
    match &step.change {
        Change::UpdatePolicy { before, after, .. } => write_head(out, before, after, teams),
        Change::UpdateRule { before, after, .. } => write_fields(out, before, after),
        Change::CreatePolicy { .. }
        | Change::DeletePolicy { .. }
        | Change::CreateRule { .. }
        | Change::DeleteRule { .. } => Ok(()),
    }
}

/// Why a plan holds a call that the difference alone does not ask for.
#[must_use]
pub fn reason(because: Reason) -> &'static str {
    match because {
        Reason::SplitNarrows => "first half: one call would open access on the way, in any order",
        Reason::SplitWidens => "second half: one call would open access on the way, in any order",
        Reason::TemporaryDeny => "for a moment: no order of calls keeps closed what both ends keep closed",
        Reason::TemporaryName => "for a moment: the name that it gets is still taken",
        Reason::Replace => "replaced: the service cannot turn Cedar text into rules, or rules into Cedar text",
        Reason::DomainChange => "made anew: the policy changes its domain, and the service moves only its last rule",
    }
}

fn write_rule(out: &mut String, rule: &Rule) -> fmt::Result {
    let style = decision_style(rule.decision);
    write!(out, "{style}{}{style:#} {}: ", decision(rule.decision), line(&rule.name))?;
    write!(out, "{} on {}", shortened(&actions(rule)), line(&shortened(&resources(rule))))
}

fn write_fields(out: &mut String, before: &Rule, after: &Rule) -> fmt::Result {
    if before.decision != after.decision {
        let (old, new) = (decision(before.decision), decision(after.decision));
        let style = decision_style(after.decision);
        writeln!(out, "        decision: {old} → {style}{new}{style:#}")?;
    }
    write_set(out, "actions", &actions(before), &actions(after))?;
    write_set(out, "resources", &resources(before), &resources(after))
}

fn write_set(out: &mut String, label: &str, before: &[String], after: &[String]) -> fmt::Result {
    let gone = before.iter().filter(|item| !after.contains(item)).map(|item| ('-', BAD, item));
    let new = after.iter().filter(|item| !before.contains(item)).map(|item| ('+', GOOD, item));
    for (sign, style, item) in gone.chain(new) {
        writeln!(out, "        {label}: {style}{sign} {}{style:#}", line(item))?;
    }
    Ok(())
}

fn write_head(out: &mut String, before: &Head, after: &Head, teams: &TeamDirectory) -> fmt::Result {
    if before.name != after.name {
        writeln!(out, "        name: {} → {}", line(&before.name), line(&after.name))?;
    }
    if before.scope != after.scope {
        writeln!(out, "        for: {} → {}", scope(&before.scope, teams), scope(&after.scope, teams))?;
    }
    if let (Some(old), Some(new)) = (&before.cedar, &after.cedar) {
        if old.schema_url != new.schema_url {
            writeln!(out, "        schema: {} → {}", line(&old.schema_url), line(&new.schema_url))?;
        }
        for change in TextDiff::from_lines(&old.text, &new.text).iter_all_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Delete => ('-', BAD),
                ChangeTag::Insert => ('+', GOOD),
                ChangeTag::Equal => (' ', Style::new()),
            };
            writeln!(out, "        {style}{sign} {}{style:#}", line(change.value().trim_end_matches(['\r', '\n'])))?;
        }
    }
    Ok(())
}

fn write_unmanaged(out: &mut String, plan: &Plan) -> fmt::Result {
    if !plan.unmanaged.is_empty() {
        let names: Vec<String> = plan.unmanaged.iter().map(|one| format!("`{}`", line(&one.policy))).collect();
        writeln!(out, "\n{DIM}Live, declared nowhere, left alone:{DIM:#} {}", names.join(", "))?;
    }
    Ok(())
}

fn write_guards(out: &mut String, plan: &Plan) -> fmt::Result {
    for verdict in plan.guards.iter().filter(|verdict| !verdict.ok) {
        writeln!(out, "\n{BAD}Refused by `{}`{BAD:#}: {}", verdict.guard.name(), line(&verdict.message))?;
    }
    Ok(())
}

fn scope(scope: &Scope, teams: &TeamDirectory) -> String {
    match scope {
        Scope::Organization => "the whole organization".to_owned(),
        Scope::Teams(keys) => {
            let names: Vec<_> = keys.iter().map(|key| line(teams.name(key))).collect();
            names.join(", ")
        }
    }
}

fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
    }
}

fn decision_style(decision: Decision) -> Style {
    match decision {
        Decision::Allow => GOOD,
        Decision::Deny => BAD,
    }
}

fn actions(rule: &Rule) -> Vec<String> {
    rule.actions.iter().map(ToString::to_string).collect()
}

fn resources(rule: &Rule) -> Vec<String> {
    match &rule.resources {
        Resources::Plain(list) => list.clone(),
        Resources::Http(list) => list
            .iter()
            .map(|HttpResource { host, port, path }| match port {
                Some(port) => format!("{host}:{port}{path}"),
                None => format!("{host}{path}"),
            })
            .collect(),
    }
}

fn shortened(list: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<&str> = list.iter().take(SHOWN).map(String::as_str).collect();
    let mut text = shown.join(", ");
    if list.len() > SHOWN {
        let _ = write!(text, " and {} more", list.len() - SHOWN);
    }
    text
}
