//! The differences in Docker, by policy.

use std::fmt::{self, Write as _};

use anstyle::Style;
use similar::{ChangeTag, TextDiff};

use super::super::describe::{Description, Detail, Title, describe};
use super::super::words;
use super::{BAD, BOLD, CAREFUL, DIM, GOOD, MORE, View, plain, write_all};
use crate::access::cedar::StatementChange;
use crate::diagnostic::sanitize::line;
use crate::model::{Decision, TeamDirectory};
use crate::plan::docker::{Difference, Step};
use crate::plan::step::Op;

/// The number of steps of one policy that are listed, and of entries of a list that changes.
const LISTED: usize = 24;
const ENTRIES: usize = 10;
/// The number of steps above which new policies take one line each, since their effect on access is
/// listed above.
const MANY: usize = 12;

/// Returns `true` if a plan only creates objects and has many steps, as a first apply does: its
/// output is shortened, since all policies are new to the reader.
pub(super) fn only_new(steps: &[Step], view: View<'_>) -> bool {
    !view.all && steps.len() > MANY && steps.iter().all(|step| step.change.op() == Op::Create)
}

pub(super) fn write<'a>(
    out: &mut String,
    differences: impl IntoIterator<Item = &'a Difference>,
    teams: &TeamDirectory,
    view: View<'_>,
) -> fmt::Result {
    let differences: Vec<&Difference> = differences.into_iter().collect();
    let Some(last) = differences.iter().map(|step| step.id).max() else { return Ok(()) };
    let writer = Writer { view, teams, digits: last.to_string().len().max(2) };
    let count = differences.len();
    let brief = !view.all && count > MANY;
    let policies = words::by_policy(differences);
    let made = |steps: &[&'a Difference]| {
        let all_new = brief && steps.iter().all(|step| step.change.op() == Op::Create);
        steps.iter().copied().find(|step| all_new && step.change.rule().is_none())
    };
    let short = policies.iter().any(|(_, steps)| made(steps).is_some());
    let short =
        if short { format!(" {DIM}(new policies in short, {MORE}){DIM:#}") } else { String::new() };
    writeln!(out, "\n{BOLD}Changes{BOLD:#}{short}")?;
    write_all(out, policies, count, |out, (policy, steps)| {
        let place = steps.iter().find_map(|step| step.source.as_ref());
        let place = place.map(|origin| format!("  {}", view.file_line(origin))).unwrap_or_default();
        if let Some(made) = made(&steps) {
            return writer.created(out, made, steps.len() - 1, &place);
        }
        writeln!(out, "  {BOLD}{}{BOLD:#}{DIM}{place}{DIM:#}", line(policy))?;
        let (first, hidden, last) = words::folded(&steps, view.most(LISTED));
        for step in first {
            writer.step(out, step)?;
        }
        if hidden > 0 {
            writeln!(out, "  {:>1$} {hidden} more steps, {MORE}", "…", writer.digits)?;
        }
        last.iter().try_for_each(|step| writer.step(out, step))
    })
}

struct Writer<'a> {
    view: View<'a>,
    teams: &'a TeamDirectory,
    digits: usize,
}

impl Writer<'_> {
    /// The column of the details of a step.
    fn indent(&self) -> usize {
        self.digits + 7
    }

    /// Writes the steps that create a policy in one line: the first of them, and the number of
    /// rules.
    fn created(
        &self,
        out: &mut String,
        made: &Difference,
        rules: usize,
        place: &str,
    ) -> fmt::Result {
        let Description { title, .. } = describe(made, self.teams);
        let Title::Policy(teams, _) = title else { return Ok(()) };
        let rules =
            if rules > 0 { format!(": {}", words::count(rules, "rule")) } else { String::new() };
        let policy = line(&made.policy);
        // Without the number of its first step: the others are folded away.
        write!(out, "  {GOOD}+{GOOD:#} `{BOLD}{policy}{BOLD:#}`")?;
        writeln!(out, " for {}{rules}{DIM}{place}{DIM:#}", members(&teams))
    }

    fn step(&self, out: &mut String, step: &Difference) -> fmt::Result {
        let Description { op, title, details } = describe(step, self.teams);
        self.title(out, step.id, op, &title)?;
        details.iter().try_for_each(|detail| self.write(out, detail))
    }

    fn title(&self, out: &mut String, id: usize, op: Op, title: &Title) -> fmt::Result {
        let (sign, style) = match op {
            Op::Create => ('+', GOOD),
            Op::Update | Op::Approve | Op::Reject | Op::Activate => ('~', CAREFUL),
            Op::Delete => ('-', BAD),
        };
        write!(out, "  {DIM}{id:>0$}{DIM:#} {style}{sign}{style:#} ", self.digits)?;
        match title {
            Title::Policy(teams, None) => writeln!(out, "the policy, for {}", members(teams)),
            Title::Policy(teams, Some(rules)) => {
                writeln!(
                    out,
                    "the policy, for {}, with {}",
                    members(teams),
                    words::count(*rules, "rule")
                )
            }
            Title::PolicyItself => writeln!(out, "the policy itself"),
            Title::Rule(name) => writeln!(out, "{}", line(name)),
            Title::Renamed(old, new) => writeln!(out, "{} → {}", line(old), line(new)),
        }
    }

    fn write(&self, out: &mut String, detail: &Detail) -> fmt::Result {
        match detail {
            Detail::Because(because) => {
                self.detail(out, format_args!("{CAREFUL}{because}{CAREFUL:#}"))
            }
            Detail::Says(decision, actions, resources) => {
                self.says(out, *decision, actions, resources)
            }
            Detail::Flips(old, new) => {
                let style = decision_style(*new);
                let (old, new) = (words::decision(*old), words::decision(*new));
                self.detail(out, format_args!("decision: {old} → {style}{new}{style:#}"))
            }
            Detail::Becomes(label, old, new) => {
                self.detail(out, format_args!("{label}: {} → {}", line(old), line(new)))
            }
            Detail::Scope(old, new) => {
                self.detail(out, format_args!("scope: {} → {}", members(old), members(new)))
            }
            Detail::Items(label, gone, come) => self.items(out, label, gone, come),
            Detail::Text(old, new) => self.text(out, old, new),
            Detail::Statements(changes) => self.statements(out, changes),
        }
    }

    fn detail(&self, out: &mut String, text: fmt::Arguments<'_>) -> fmt::Result {
        writeln!(out, "{:1$}{text}", "", self.indent())
    }

    /// Writes the content of a rule: `allow connect:tcp  example.com`.
    fn says(
        &self,
        out: &mut String,
        decision: Decision,
        actions: &[String],
        resources: &[String],
    ) -> fmt::Result {
        let style = decision_style(decision);
        let decision = words::decision(decision);
        let actions = actions.join(", ");
        let actions = line(&actions);
        let indent = self.indent() + decision.len() + actions.chars().count() + 3;
        let resources = self.view.list(resources, indent);
        self.detail(out, format_args!("{style}{decision}{style:#} {actions}  {resources}"))
    }

    fn items(
        &self,
        out: &mut String,
        label: &str,
        gone: &[String],
        come: &[String],
    ) -> fmt::Result {
        let gone = gone.iter().map(|item| ('-', BAD, item));
        let all: Vec<(char, Style, &String)> =
            gone.chain(come.iter().map(|item| ('+', GOOD, item))).collect();
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

    /// Writes the changes of a Cedar text, each statement as it is written.
    fn statements(&self, out: &mut String, changes: &[StatementChange]) -> fmt::Result {
        if changes.is_empty() {
            return self.detail(out, format_args!("{}", words::SAME_STATEMENTS));
        }
        let (first, hidden, last) = words::folded(changes, self.view.most(ENTRIES));
        first.iter().try_for_each(|change| self.statement(out, change))?;
        if hidden > 0 {
            self.detail(out, format_args!("… {hidden} more statements, {MORE}"))?;
        }
        last.iter().try_for_each(|change| self.statement(out, change))
    }

    fn statement(&self, out: &mut String, change: &StatementChange) -> fmt::Result {
        self.detail(out, format_args!("{}:", words::statement(change)))?;
        match change {
            StatementChange::Added(new) => self.text(out, "", new),
            StatementChange::Removed(old) => self.text(out, old, ""),
            StatementChange::Changed(old, new) => self.text(out, old, new),
        }
    }

    /// Writes the changes of a text, with a few lines around them.
    fn text(&self, out: &mut String, old: &str, new: &str) -> fmt::Result {
        const AROUND: usize = 2;
        let diff = TextDiff::from_lines(old, new);
        let around =
            if self.view.all { old.lines().count().max(new.lines().count()) } else { AROUND };
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
}

fn members(teams: &[String]) -> String {
    words::members(teams, plain)
}

fn decision_style(decision: Decision) -> Style {
    match decision {
        Decision::Allow => GOOD,
        Decision::Deny => BAD,
    }
}
