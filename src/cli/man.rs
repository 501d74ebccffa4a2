//! `seawall man`: the manual pages, generated from the definition of the command line.

use super::{Context, Exit, Failure, definition};
use crate::diagnostic::one_of;

const EXAMPLES: &str = "\
Examples:
  seawall man | man -l -
  seawall man apply | man -l -                         # the page of a command";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The command to describe; without it, `seawall` itself
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

pub(super) fn run(context: &Context, Args { command }: &Args) -> Result<Exit, Failure> {
    let mut whole = definition();
    // Adds the flags that every command takes.
    whole.build();
    let wanted = match command {
        None => whole,
        Some(name) => whole.find_subcommand(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = whole
                .get_subcommands()
                .map(clap::Command::get_name)
                .filter(|name| *name != "help")
                .collect();
            let failure = Failure::new(Exit::Usage, format!("there is no command `{name}`"));
            failure.hint(one_of(name, names))
        })?,
    };
    // The name by which pages refer to each other and by which the release stores them.
    let name = wanted.get_display_name().unwrap_or_else(|| wanted.get_name()).to_owned();
    let mut page = Vec::new();
    clap_mangen::Man::new(wanted).title(name).render(&mut page).map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot render the manual page: {error}"))
    })?;
    context.print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Done)
}
