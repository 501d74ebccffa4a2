//! The context of a command, in addition to its own arguments.

use std::future::Future;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::settings::Global;
use super::wrap::wrap;
use super::{Environment, Exit, Failure, Overrides, output};
use crate::diagnostic::{Findings, list, relative};
use crate::render::diagnostic::{self, Detail};
use crate::render::plan::View;

/// The line width without a terminal, and on a narrow one, in characters.
const WIDTH: usize = 120;
const NARROWEST: usize = 60;

/// The context of a run.
#[derive(Debug)]
pub struct Context {
    directory: Option<PathBuf>,
    config: Option<PathBuf>,
    quiet: bool,
    verbose: u8,
    overrides: Overrides,
    environment: Environment,
    /// The folder of the workspace as the current folder sees it; see [`View::folder`].
    workspace: OnceLock<String>,
}

/// The current folder; empty if it is gone.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the current folder is asked for"
)]
pub(crate) fn current_folder() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

impl Context {
    pub(crate) fn new(global: Global, environment: Environment) -> Result<Self, Failure> {
        let Global { directory, config, color: _, verbose, quiet, overrides } = global;
        let overrides = Overrides::new(overrides, &environment)?;
        let workspace = OnceLock::new();
        Ok(Self { directory, config, quiet, verbose, overrides, environment, workspace })
    }

    /// A context without flags, for tests.
    #[cfg(test)]
    pub(crate) fn without_flags(environment: Environment) -> Self {
        let line = clap::Command::new("test");
        let line = <Global as clap::Args>::augment_args(line);
        let global =
            <Global as clap::FromArgMatches>::from_arg_matches(&line.get_matches_from(["test"]))
                .unwrap();
        Self::new(global, environment).unwrap()
    }

    /// `-C`: the folder to start in, if it is not the current one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// `--config`, relative to [`Self::directory`].
    #[must_use]
    pub fn config(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|config| self.path(config))
    }

    /// A path from the command line, relative to `-C`.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.directory.as_ref().map_or_else(|| path.to_owned(), |directory| directory.join(path))
    }

    /// `-q`: only results and failures are printed.
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// The number of times that `-v` was given.
    #[must_use]
    pub fn verbose(&self) -> u8 {
        self.verbose
    }

    /// The layout of results for people: as wide as the terminal, and complete with `-v`.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        let terminal =
            terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        View {
            width: terminal.unwrap_or(WIDTH).max(NARROWEST),
            all: self.verbose > 0,
            folder: self.workspace.get().map_or("", String::as_str),
        }
    }

    /// The findings for people, with paths as the current folder sees them.
    pub(crate) fn findings(&self, findings: &Findings) -> String {
        diagnostic::human(findings, &current_folder(), self.view())
    }

    /// Takes the folder of the workspace that the command is about, for the places of its output.
    /// The first one counts: others are compared with it.
    pub(crate) fn set_workspace(&self, root: &Path) {
        self.workspace.get_or_init(|| {
            let seen = relative(root, &current_folder()).to_string_lossy().into_owned();
            if seen.is_empty() || seen.ends_with('/') { seen } else { format!("{seen}/") }
        });
    }

    /// Settings from flags and the environment, which take precedence over `seawall.yaml`.
    #[must_use]
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// The environment, for credentials and `CI`.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Writes a result to standard output, without colours if they are off.
    ///
    /// # Errors
    ///
    /// Returns an error if standard output cannot be written; a closed pipe (`| head`) is not an
    /// error.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        output::result(text)
    }

    /// Prints a result for people: lines are broken to fit a terminal.
    ///
    /// # Errors
    ///
    /// As [`Self::print`].
    pub fn show(&self, text: &str) -> Result<(), Failure> {
        let terminal = terminal_size::terminal_size_of(io::stdout());
        match terminal {
            Some((width, _)) => self.print(&wrap(text, width.0.into())),
            None => self.print(text),
        }
    }

    /// Prints a result, which is for people or for programs.
    ///
    /// # Errors
    ///
    /// As [`Self::print`].
    pub fn print_or_show(&self, is_for_people: bool, text: &str) -> Result<(), Failure> {
        if is_for_people { self.show(text) } else { self.print(text) }
    }

    /// Writes a result to a file, replacing an existing one.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub fn write(&self, file: &Path, text: &str) -> Result<(), Failure> {
        super::writing::write_named(file, text)
    }

    /// The amount of detail of findings.
    pub fn detail(&self) -> Detail {
        if self.verbose > 0 { Detail::Full } else { Detail::Brief }
    }

    /// Writes a line about the run to standard error, unless `-q` is set.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(output::stderr(), "{text}");
        }
    }

    /// Writes a line for each of these to standard error as [`Self::note`] does. Of many, those
    /// beyond the first are counted, unless `-v` is set.
    pub fn notes(&self, texts: &[String]) {
        let (first, more) = self.view().first(texts, list::MOST);
        first.iter().for_each(|text| self.note(text));
        if more > 0 {
            self.note(&format!("… {more} more, `-v` shows all"));
        }
    }

    /// Runs the asynchronous part of a command.
    ///
    /// # Errors
    ///
    /// Returns an error if no thread can be started, or if the future fails.
    pub fn block_on<T>(
        &self,
        future: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot start the runtime: {error}"))
            })?
            .block_on(future)
    }
}
