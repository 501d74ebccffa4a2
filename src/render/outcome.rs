//! The outcome of an apply, for people.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};

use super::plan::plain;
use super::words;
use crate::diagnostic::list;
use crate::diagnostic::sanitize::{block, line};
use crate::execute::{Counts, Outcome, Problem, StepOutcome, Versions};
use crate::plan::stale::Stale;
use crate::plan::{AnyStep, Plan};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const CAREFUL: Style = AnsiColor::Yellow.on_default().bold();

/// The outcome of a plan, as text with colours: what was done, what was not tried, what needs
/// attention, then the counts. It is whole, since nobody can ask for it once more.
#[must_use]
pub fn human(plan: &Plan, outcome: &Outcome) -> String {
    let mut out = String::new();
    write_outcome(&mut out, plan, outcome).expect("a string takes everything");
    out
}

fn write_outcome(out: &mut String, plan: &Plan, outcome: &Outcome) -> fmt::Result {
    let Counts { done, failed, not_tried } = outcome.counts();
    let ended: Vec<(AnyStep<'_>, &StepOutcome)> =
        plan.all_steps().filter_map(|step| Some((step, outcome.steps.get(&step.id())?))).collect();
    for kind in [Kind::Done, Kind::NotTried, Kind::Attention] {
        // What went well needs to be said only where not all of it did.
        if kind == Kind::Done && failed + not_tried == 0 {
            continue;
        }
        for (step, ended) in ended.iter().filter(|(_, ended)| Kind::new(ended) == kind) {
            write_step(out, &describe(*step), ended)?;
        }
    }
    if failed + not_tried == 0 {
        let found = outcome
            .steps
            .values()
            .filter(|ended| matches!(ended, StepOutcome::AlreadyApplied { .. }))
            .count();
        let found =
            if found > 0 { format!(", {found} of them already applied") } else { String::new() };
        let steps = if done == 1 { "step" } else { "steps" };
        let (access, follow) = match &plan.docker {
            Some(docker) if !docker.steps.is_empty() => (
                format!(", {}", words::headline(&docker.access, plain)),
                " Machines follow within five minutes.",
            ),
            Some(_) | None => (String::new(), ""),
        };
        return writeln!(out, "{GOOD}Applied{GOOD:#}: {done} {steps}{found}{access}.{follow}");
    }
    let headline = if outcome.wrote() { "Applied in part" } else { "Nothing was written" };
    writeln!(out, "{BAD}{headline}{BAD:#}: {done} done, {failed} failed, {not_tried} not tried.")?;
    writeln!(out, "Running again continues from here.")
}

/// The kinds of outcomes, each listed together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Done,
    NotTried,
    /// Failed, or changed by somebody else at the same moment.
    Attention,
}

impl Kind {
    fn new(ended: &StepOutcome) -> Self {
        match ended {
            StepOutcome::Applied { overtaken: None } | StepOutcome::AlreadyApplied { .. } => {
                Self::Done
            }
            StepOutcome::Skipped { .. } | StepOutcome::Stopped | StepOutcome::Abandoned => {
                Self::NotTried
            }
            StepOutcome::Applied { overtaken: Some(_) } | StepOutcome::Failed(_) => Self::Attention,
        }
    }
}

/// Writes the outcome of one step.
fn write_step(out: &mut String, step: &str, ended: &StepOutcome) -> fmt::Result {
    match ended {
        StepOutcome::Applied { overtaken: Some(versions) } => {
            writeln!(
                out,
                "{CAREFUL}overtaken{CAREFUL:#} {step}: somebody changed it at the same moment"
            )?;
            write_versions(out, versions)
        }
        StepOutcome::Failed(Problem {
            message,
            hint,
            versions,
            moved: _,
            unseen: _,
            written: _,
            outage: _,
        }) => {
            writeln!(out, "{BAD}failed{BAD:#} {step}")?;
            writeln!(out, "  {}", line(message))?;
            versions.iter().try_for_each(|versions| write_versions(out, versions))?;
            hint.iter().try_for_each(|hint| writeln!(out, "  help: {}", line(hint)))
        }
        StepOutcome::Skipped { by } => {
            writeln!(out, "{CAREFUL}not tried{CAREFUL:#} {step}: it depends on #{by}")
        }
        StepOutcome::Stopped => writeln!(out, "{CAREFUL}not tried{CAREFUL:#} {step}: stopped"),
        StepOutcome::Abandoned => {
            writeln!(out, "{CAREFUL}not tried{CAREFUL:#} {step}: the service does not work")
        }
        StepOutcome::AlreadyApplied { sent: false } => {
            writeln!(out, "{GOOD}done{GOOD:#} {step}: it was so already")
        }
        StepOutcome::Applied { overtaken: None } | StepOutcome::AlreadyApplied { sent: true } => {
            writeln!(out, "{GOOD}done{GOOD:#} {step}")
        }
    }
}

fn write_versions(out: &mut String, Versions { planned, found }: &Versions) -> fmt::Result {
    writeln!(out, "  the plan saw {}", line(planned))?;
    writeln!(out, "  it was found {}", line(found))
}

fn describe(step: AnyStep<'_>) -> String {
    let rule = step.rule().map(|rule| format!(" › {}", line(rule))).unwrap_or_default();
    format!("#{} {} {}{rule}", step.id(), words::verb(step.op()), line(step.policy()))
}

/// The reasons why a saved plan is refused.
#[must_use]
pub fn stale(found: &[Stale]) -> String {
    let mut out = String::from("nothing was written: the plan is stale");
    let (first, more) = list::first(found, list::MOST);
    for one in first {
        let _ = match one {
            Stale::Moved { policy, difference } => {
                write!(out, "\n`{}` has changed since:\n{}", line(policy), block(difference))
            }
            Stale::Gone { policy } => write!(out, "\n`{}` is gone", line(policy)),
            Stale::Appeared { policy } => write!(out, "\n`{}` is there already", line(policy)),
            Stale::Elsewhere { planned, live } => {
                write!(out, "\nit is for `{}`, and `{}` answered", line(planned), line(live))
            }
            Stale::OtherTeam { id, planned: Some(planned), live: Some(live) } => {
                write!(
                    out,
                    "\nthe team `{}` of the plan is called `{}` now ({})",
                    line(planned),
                    line(live),
                    line(id)
                )
            }
            Stale::OtherTeam { id, planned: Some(planned), live: None } => {
                write!(out, "\nthe team `{}` of the plan is gone ({})", line(planned), line(id))
            }
            Stale::OtherTeam { id, planned: None, live } => {
                let live = live.as_deref().unwrap_or_default();
                write!(
                    out,
                    "\nthe team `{}` is not one that the plan knows ({})",
                    line(live),
                    line(id)
                )
            }
            Stale::OtherAccess { difference } => {
                write!(out, "\nit would mean something else for access now:\n{}", block(difference))
            }
        };
    }
    if more > 0 {
        let _ = write!(out, "\n… and {more} more differences");
    }
    out
}
