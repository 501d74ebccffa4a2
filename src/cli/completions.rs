//! `seawall completions`: a completion script, generated from the definition of the command line.

use super::{Context, Exit, Failure, definition};

const EXAMPLES: &str = "\
Examples:
  seawall completions bash > /etc/bash_completion.d/seawall
  seawall completions zsh > _seawall";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The shell to complete for
    shell: clap_complete::Shell,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "seawall", &mut script);
    context.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
