//! `seawall show`: prints a saved plan. Reads one file, and nothing else.

use std::path::PathBuf;

use super::format::Format;
use super::plan::{render_each, render_one};
use super::session::organizations::name_of;
use super::session::reading::read_plans;
use super::{Context, Exit, Failure};
use crate::plan::set::Saved;

const EXAMPLES: &str = "\
Examples:
  seawall show plan.json                               # as `plan` printed it; `-v` folds nothing
  seawall show plan.json --format markdown             # for a job's summary

It needs no workspace, no network and no credentials. What `apply --plan` would refuse without asking a service (a file that
is no plan, or was changed after it was saved) is refused with exit 4; a plan that its guards refuse is shown, exit 0.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The saved plan, from `plan --out`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Output format of the plan
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) fn run(context: &Context, Args { file, format }: &Args) -> Result<Exit, Failure> {
    let view = context.view();
    context.print_or_show(
        matches!(format, Format::Human),
        &match read_plans(&context.path(file))? {
            Saved::One(plan) => render_one(&plan, *format, view),
            Saved::Several { plans, failed } => {
                let named: Vec<_> = plans.into_iter().map(|plan| (name_of(&plan), plan)).collect();
                render_each(&named, &failed, *format, view)
            }
        },
    )?;
    Ok(Exit::Done)
}
