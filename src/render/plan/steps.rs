//! The steps of a plan, by policy.

use std::fmt::{self, Write as _};

use anstyle::Style;
use similar::{ChangeTag, TextDiff};

use super::super::sanitize::line;
use super::super::words;
use super::{BAD, BOLD, CAREFUL, DIM, GOOD, MORE, View};
use crate::model::{Decision, Rule, Scope, TeamDirectory};
use crate::plan::Plan;
use crate::plan::step::{Change, Head, Step};

/// How many steps of one policy are listed, and how many entries of a list that changes.
const LISTED: usize = 24;
const ENTRIES: usize = 10;

pub(super) fn write(out: &mut String, plan: &Plan, view: View) -> fmt::Result {
    writeln!(out, "\n{BOLD}Changes{BOLD:#}")?;
    let last = plan.steps.iter().map(|step| step.id).max().unwrap_or_default();
    let writer = Writer { view, teams: &plan.teams, digits: last.to_string().len().max(2) };
    for (policy, steps) in words::by_policy(&plan.steps) {
        let place = steps.iter().find_map(|step| step.source.as_ref());
        let place = place.map(|origin| format!("  {}:{}", origin.file, origin.line)).unwrap_or_default();
        writeln!(out, "  {BOLD}{}{BOLD:#}{DIM}{}{DIM:#}", line(policy), line(&place))?;
        let (first, hidden, last) = words::folded(&steps, view.most(LISTED));
        for step in first {
            writer.step(out, step)?;
        }
        if hidden > 0 {
            writeln!(out, "  {:>1$} {hidden} more steps, {MORE}", "…", writer.digits)?;
        }
        for step in last {
            writer.step(out, step)?;
        }
    }
    Ok(())
}

struct Writer<'a> {
    view: View,
    teams: &'a TeamDirectory,
    digits: usize,
}

impl Writer<'_> {
    /// The column of what belongs to a step.
    fn indent(&self) -> usize {
        self.digits + 7
    }

    fn step(&self, out: &mut String, step: &Step) -> fmt::Result {
        let (sign, style) = match &step.change {
            Change::CreatePolicy { .. } | Change::CreateRule { .. } => ('+', GOOD),
            Change::UpdatePolicy { .. } | Change::UpdateRule { .. } => ('~', CAREFUL),
            Change::DeletePolicy { .. } | Change::DeleteRule { .. } => ('-', BAD),
        };
        write!(out, "  {DIM}{:>1$}{DIM:#} {style}{sign}{style:#} ", step.id, self.digits)?;
        match &step.change {
            Change::CreatePolicy { after } => writeln!(out, "the policy, for {}", self.scope(&after.scope))?,
            Change::DeletePolicy { before, .. } => {
                let rules = words::count(before.rules().len(), "rule");
                writeln!(out, "the policy, for {}, with {rules}", self.scope(&before.scope))?;
            }
            Change::UpdatePolicy { .. } => writeln!(out, "the policy itself")?,
            Change::CreateRule { after: rule, .. } | Change::DeleteRule { before: rule, .. } => {
                writeln!(out, "{}", line(&rule.name))?;
            }
            Change::UpdateRule { before, after, .. } if before.name != after.name => {
                writeln!(out, "{} → {}", line(&before.name), line(&after.name))?;
            }
            Change::UpdateRule { after, .. } => writeln!(out, "{}", line(&after.name))?,
        }
        if let Some(because) = step.because {
            self.detail(out, format_args!("{CAREFUL}{}{CAREFUL:#}", words::reason(because)))?;
        }
        match &step.change {
            Change::UpdatePolicy { before, after, .. } => self.head(out, before, after),
            Change::UpdateRule { before, after, .. } => self.fields(out, before, after),
            Change::CreateRule { after: rule, .. } | Change::DeleteRule { before: rule, .. } => self.rule(out, rule),
            Change::CreatePolicy { .. } | Change::DeletePolicy { .. } => Ok(()),
        }
    }

    fn detail(&self, out: &mut String, text: fmt::Arguments<'_>) -> fmt::Result {
        writeln!(out, "{:1$}{text}", "", self.indent())
    }

    /// What a rule says: `allow connect:tcp to example.com`.
    fn rule(&self, out: &mut String, rule: &Rule) -> fmt::Result {
        let style = decision_style(rule.decision);
        let decision = words::decision(rule.decision);
        let actions = words::actions(rule);
        let actions = line(&actions.join(", ")).into_owned();
        let indent = self.indent() + decision.len() + actions.len() + 3;
        let resources = self.view.list(&words::resources(rule), indent);
        self.detail(out, format_args!("{style}{decision}{style:#} {actions}  {resources}"))
    }

    fn fields(&self, out: &mut String, before: &Rule, after: &Rule) -> fmt::Result {
        if before.decision != after.decision {
            let (old, new) = (words::decision(before.decision), words::decision(after.decision));
            let style = decision_style(after.decision);
            self.detail(out, format_args!("decision: {old} → {style}{new}{style:#}"))?;
        }
        self.set(out, "actions", &words::actions(before), &words::actions(after))?;
        self.set(out, "resources", &words::resources(before), &words::resources(after))
    }

    fn set(&self, out: &mut String, label: &str, before: &[String], after: &[String]) -> fmt::Result {
        let gone = before.iter().filter(|item| !after.contains(item)).map(|item| ('-', BAD, item));
        let new = after.iter().filter(|item| !before.contains(item)).map(|item| ('+', GOOD, item));
        let all: Vec<(char, Style, &String)> = gone.chain(new).collect();
        let (first, hidden, last) = words::folded(&all, self.view.most(ENTRIES));
        for (sign, style, item) in first {
            self.detail(out, format_args!("{label}: {style}{sign} {}{style:#}", line(item)))?;
        }
        if hidden > 0 {
            self.detail(out, format_args!("{label}: … {hidden} more, {MORE}"))?;
        }
        for (sign, style, item) in last {
            self.detail(out, format_args!("{label}: {style}{sign} {}{style:#}", line(item)))?;
        }
        Ok(())
    }

    fn head(&self, out: &mut String, before: &Head, after: &Head) -> fmt::Result {
        if before.name != after.name {
            self.detail(out, format_args!("name: {} → {}", line(&before.name), line(&after.name)))?;
        }
        if before.scope != after.scope {
            self.detail(out, format_args!("for: {} → {}", self.scope(&before.scope), self.scope(&after.scope)))?;
        }
        let (Some(old), Some(new)) = (&before.cedar, &after.cedar) else { return Ok(()) };
        if old.schema_url != new.schema_url {
            self.detail(out, format_args!("schema: {} → {}", line(&old.schema_url), line(&new.schema_url)))?;
        }
        self.text(out, &old.text, &new.text)
    }

    /// What changes in a text, with a few lines around it.
    fn text(&self, out: &mut String, old: &str, new: &str) -> fmt::Result {
        const AROUND: usize = 2;
        let diff = TextDiff::from_lines(old, new);
        let around = if self.view.all { old.lines().count().max(new.lines().count()) } else { AROUND };
        for (at, hunk) in diff.grouped_ops(around).iter().enumerate() {
            if at > 0 {
                self.detail(out, format_args!("{DIM}⋮{DIM:#}"))?;
            }
            for change in hunk.iter().flat_map(|op| diff.iter_changes(op)) {
                let (sign, style) = match change.tag() {
                    ChangeTag::Delete => ('-', BAD),
                    ChangeTag::Insert => ('+', GOOD),
                    ChangeTag::Equal => (' ', DIM),
                };
                let text = change.value().trim_end_matches(['\r', '\n']);
                self.detail(out, format_args!("{style}{sign} {}{style:#}", line(text)))?;
            }
        }
        Ok(())
    }

    fn scope(&self, scope: &Scope) -> String {
        match words::team_names(scope, self.teams).as_slice() {
            [] => "the whole organization".to_owned(),
            names => line(&names.join(", ")).into_owned(),
        }
    }
}

fn decision_style(decision: Decision) -> Style {
    match decision {
        Decision::Allow => GOOD,
        Decision::Deny => BAD,
    }
}
