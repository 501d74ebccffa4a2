//! How an apply ended, for people.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};

use super::sanitize::{block, line};
use crate::execute::{Ended, Outcome};
use crate::plan::Plan;
use crate::plan::stale::Stale;
use crate::plan::step::{Op, Step};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const CAREFUL: Style = AnsiColor::Yellow.on_default().bold();

/// How a plan ended, as text with colours: what needs attention, then the counts.
#[must_use]
pub fn human(plan: &Plan, outcome: &Outcome) -> String {
    let mut out = String::new();
    write_outcome(&mut out, plan, outcome).expect("a string takes everything");
    out
}

fn write_outcome(out: &mut String, plan: &Plan, outcome: &Outcome) -> fmt::Result {
    let counts = outcome.counts();
    for step in &plan.steps {
        match outcome.steps.get(&step.id) {
            Some(Ended::Done { overtaken: Some(theirs) }) => {
                writeln!(out, "{CAREFUL}overtaken{CAREFUL:#} {}", describe(step))?;
                writeln!(out, "  somebody had just changed it; their version was: {}", line(theirs))?;
            }
            Some(Ended::Failed(problem)) => {
                writeln!(out, "{BAD}failed{BAD:#} {}", describe(step))?;
                writeln!(out, "  {}", line(&problem.message))?;
                if let Some(hint) = &problem.hint {
                    writeln!(out, "  help: {}", line(hint))?;
                }
            }
            Some(Ended::HeldBack { by }) => {
                writeln!(out, "{CAREFUL}not tried{CAREFUL:#} {}: it depends on #{by}", describe(step))?;
            }
            Some(Ended::Stopped) => writeln!(out, "{CAREFUL}not tried{CAREFUL:#} {}: stopped", describe(step))?,
            Some(Ended::Done { overtaken: None } | Ended::AlreadyDone) | None => {}
        }
    }
    let (done, failed, rest) = (counts.done, counts.failed, counts.not_tried);
    if failed + rest == 0 {
        let already = outcome.steps.values().filter(|ended| **ended == Ended::AlreadyDone).count();
        let already = if already > 0 { format!(", {already} of them found done") } else { String::new() };
        return writeln!(
            out,
            "{GOOD}Applied{GOOD:#}: {done} {}{already}. Machines follow within five minutes.",
            if done == 1 { "step" } else { "steps" }
        );
    }
    writeln!(out, "{BAD}Applied in part{BAD:#}: {done} done, {failed} failed, {rest} not tried.")?;
    writeln!(out, "Running again continues from here.")
}

fn describe(step: &Step) -> String {
    let verb = match step.change.op() {
        Op::Create => "create",
        Op::Update => "update",
        Op::Delete => "delete",
        Op::Approve => "approve",
        Op::Reject => "reject",
        Op::Activate => "activate",
    };
    let rule = step.change.rule_name().map(|rule| format!(" › {}", line(rule))).unwrap_or_default();
    format!("#{} {verb} {}{rule}", step.id, line(&step.policy))
}

/// Why a saved plan is refused.
#[must_use]
pub fn stale(found: &[Stale]) -> String {
    let mut out = String::from("nothing was written: the plan is stale");
    for one in found {
        let _ = match one {
            Stale::Moved { policy, difference } => {
                write!(out, "\n`{}` has changed since:\n{}", line(policy), block(difference))
            }
            Stale::Gone { policy } => write!(out, "\n`{}` is gone", line(policy)),
            Stale::Appeared { policy } => write!(out, "\n`{}` is there already", line(policy)),
            Stale::Elsewhere { planned, live } => {
                write!(out, "\nit is for `{}`, and `{}` answered", line(planned), line(live))
            }
            Stale::OtherAccess { difference } => {
                write!(out, "\nit would mean something else for access now:\n{}", block(difference))
            }
        };
    }
    out
}
