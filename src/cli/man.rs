//! `seawall man`: the manual page, generated from the definition of the command line.

use super::{Context, Exit, Failure, definition};

const EXAMPLES: &str = "\
Examples:
  seawall man | man -l -";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {}

pub(super) fn run(context: &Context, Args {}: &Args) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(definition())
        .render(&mut page)
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot render the manual page: {error}")))?;
    context.print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Done)
}
