//! The command line: one file a command, each with its `Args` and a `run` that reads like the
//! picture in the crate's documentation.
//!
//! Invariant: results go to standard output, everything else to standard error. A failure is
//! printed once, here, with its foreign text sanitized. Every exit code is one of [`Exit`].
//!
//! A new command is a file with `pub(super) struct Args` and
//! `pub(super) fn run(&Context, &Args) -> Result<Exit, Failure>`, a variant of `Command`, and a
//! line in `dispatch`.

mod adopt;
mod apply;
mod can;
mod comment;
mod completions;
mod drift;
mod emulator;
mod fmt;
mod format;
mod import;
mod init;
mod man;
mod plan;
mod records;
mod replay;
mod report;
mod schema;
mod session;
mod show;
mod snapshot;
mod suggest;
mod test;
mod usage;
mod validate;
mod who_can;

use std::ffi::OsString;
use std::io::Write as _;

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use session::settings::Global;
pub use session::{
    Connected, Context, Environment, Exit, Failure, Overrides, Setting, organization,
};
use session::{output, watch};

const EXIT_CODES: &str = "\
Examples:
  seawall init                                         # a new workspace
  seawall import                                       # documents for what is live
  seawall validate && seawall test                     # offline, before a commit
  seawall plan                                         # what would change, and what it means for access
  seawall apply                                        # carries it out, after asking
  seawall drift                                        # on a schedule: what somebody changed outside

Each command shows more of them: `seawall plan --help`.

Exit codes:
  0  done, or nothing to do
  1  the documents are wrong, or an access test fails; `can --exit-code`: deny
  2  wrong usage of the command line
  3  changes are pending (`plan` and `replay` with `--detailed-exitcode`, `drift`); `can --exit-code`: uncertain
  4  refused: a guard (`plan` too), a stale plan, or no confirmation
  5  the service or the machine failed, and nothing was written
  6  applied in part: running again continues";

/// Manage the policies that restrict AI agents as code: plan, explain and apply policies of Docker
/// AI Governance and Vijil.
#[derive(Parser)]
#[command(name = "seawall", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Carry out the changes of the documents, after confirmation
    Apply(apply::Args),
    /// Check if members of some teams may do something, and by which rules
    Can(can::Args),
    /// Post a plan to a pull request, or edit the comment that it posted before
    Comment(comment::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Show the differences between live and documents, or write them into the documents
    Drift(drift::Args),
    /// Serve the services' APIs on a local port, for trials and tests
    Emulator(emulator::Args),
    /// Format documents: order of keys, indentation, quotes
    Fmt(fmt::Args),
    /// Write documents for live policies that no document declares
    Import(import::Args),
    /// Create a workspace, with workflows and the other files that a repository needs
    Init(init::Args),
    /// Print the manual page
    Man(man::Args),
    /// Show what would change, and what that means for access
    Plan(plan::Args),
    /// Download recorded requests from the audit log
    Records(records::Args),
    /// Show how a change would have decided recorded requests
    Replay(replay::Args),
    /// Write a report for people who review and audit, as one HTML file
    Report(report::Args),
    /// Print the JSON Schema of documents
    Schema(schema::Args),
    /// Print a saved plan
    Show(show::Args),
    /// Write the live state as one JSON file
    Snapshot(snapshot::Args),
    /// Suggest the narrowest rules for requests that no rule allowed
    Suggest(suggest::Args),
    /// Run the access tests
    Test(test::Args),
    /// Show which rules decide recorded requests
    Usage(usage::Args),
    /// Check documents, offline
    Validate(validate::Args),
    /// List every audience that may do something, and by which rules
    WhoCan(who_can::Args),
}

fn dispatch(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Apply(args) => apply::run(context, args),
        Command::Can(args) => can::run(context, args),
        Command::Comment(args) => comment::run(context, args),
        Command::Completions(args) => completions::run(context, args),
        Command::Drift(args) => drift::run(context, args),
        Command::Emulator(args) => emulator::run(context, args),
        Command::Fmt(args) => fmt::run(context, args),
        Command::Import(args) => import::run(context, args),
        Command::Init(args) => init::run(context, args),
        Command::Man(args) => man::run(context, args),
        Command::Plan(args) => plan::run(context, args),
        Command::Records(args) => records::run(context, args),
        Command::Replay(args) => replay::run(context, args),
        Command::Report(args) => report::run(context, args),
        Command::Schema(args) => schema::run(context, args),
        Command::Show(args) => show::run(context, args),
        Command::Snapshot(args) => snapshot::run(context, args),
        Command::Suggest(args) => suggest::run(context, args),
        Command::Test(args) => test::run(context, args),
        Command::Usage(args) => usage::run(context, args),
        Command::Validate(args) => validate::run(context, args),
        Command::WhoCan(args) => who_can::run(context, args),
    }
}

/// Parses `arguments` (the program's name first), runs the command, prints its failure, and returns
/// its exit.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    output::tell_of_panics();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match arguments.get(1..).unwrap_or_default() {
        [] => {
            let _ = write!(output::stderr(), "{}", short_help());
            return Exit::Usage;
        }
        [flag] if flag == "-h" => {
            let _ = output::result(&short_help());
            return Exit::Done;
        }
        _ => {}
    }
    let parsed = definition().try_get_matches_from(arguments).and_then(|matches| {
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        Ok((name, Cli::from_arg_matches(&matches)?))
    });
    let (name, cli) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let text = error.render().ansi().to_string();
            // A closed standard output (`seawall --help | head -1`) is not a failure.
            if error.use_stderr() {
                let _ = write!(output::stderr(), "{text}");
                return Exit::Usage;
            }
            let _ = output::result(&text);
            return Exit::Done;
        }
    };
    color_choice(cli.global.color).write_global();
    trace(cli.global.quiet, cli.global.verbose);
    let run = Context::new(cli.global, Environment::process()).and_then(|context| {
        watch::start(context.environment(), &name)?;
        dispatch(&context, &cli.command)
    });
    run.unwrap_or_else(|failure| {
        let _ = output::report(&failure);
        failure.exit
    })
}

/// The definition from which help, completions and the manual page are generated.
fn definition() -> clap::Command {
    Cli::command()
}

/// The commands, a line each, as a small terminal shows them without scrolling.
fn short_help() -> String {
    /// The characters that a row has for what a command does.
    const ABOUT: usize = 68;
    /// Commands that nobody calls every day, which are only named.
    const ASIDE: [&str; 4] = ["completions", "emulator", "man", "schema"];
    let mut text = "Usage: seawall [OPTIONS] COMMAND\n\n".to_owned();
    for command in definition().get_subcommands() {
        let name = command.get_name();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        if !ASIDE.contains(&name) {
            let brief = match about.split_once(", ") {
                Some((brief, _)) if about.chars().count() > ABOUT => brief,
                Some(_) | None => about.as_str(),
            };
            text.push_str(&format!("  {name:8}  {brief}\n"));
        }
    }
    text + &format!("\nFurther: {}. More: `seawall --help`.\n", ASIDE.join(", "))
}

fn color_choice(choice: ColorChoice) -> anstream::ColorChoice {
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
}

/// Logs events of this crate only: those of the HTTP and TLS libraries would show headers, and with
/// them secrets.
fn trace(quiet: bool, verbose: u8) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(output::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(true); // `anstream` takes the colours out where they are not wanted
    // A process that runs twice (a test) keeps its first subscriber.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(Targets::new().with_target("seawall", level))
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::{Cli, definition};
    use clap::Parser as _;

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn every_command_shows_examples_and_they_parse() {
        let whole = definition();
        for command in std::iter::once(&whole).chain(whole.get_subcommands()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> =
                help.lines().filter(|line| line.starts_with("  seawall ")).collect();
            assert!(!examples.is_empty(), "`{}` shows no example", command.get_name());
            for example in examples {
                let words = example.split(['#', '>', '|', '&']).next().unwrap().split_whitespace();
                let parsed = Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
            }
        }
    }

    #[test]
    fn global_flags_stand_before_and_after_the_command() {
        for line in ["seawall -C x --org acme man", "seawall man -C x --org acme"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.global.directory.as_deref(), Some(std::path::Path::new("x")));
            assert_eq!(cli.global.overrides.org.as_deref(), Some("acme"));
        }
    }
}
