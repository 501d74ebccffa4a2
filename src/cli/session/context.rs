//! The context that every command gets beside its own arguments.

use std::future::Future;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::settings::Global;
use super::{Environment, Exit, Failure, Overrides, output};
use crate::render::diagnostic::Detail;
use crate::render::plan::View;

/// Characters in a line where there is no terminal, and where there is a narrow one.
const WIDTH: usize = 120;
const NARROWEST: usize = 60;

/// The run around a command.
#[derive(Debug)]
pub struct Context {
    directory: Option<PathBuf>,
    config: Option<PathBuf>,
    quiet: bool,
    verbose: u8,
    overrides: Overrides,
    environment: Environment,
}

impl Context {
    pub(crate) fn new(global: Global, environment: Environment) -> Result<Self, Failure> {
        let Global { directory, config, color: _, verbose, quiet, overrides } = global;
        let overrides = Overrides::new(overrides, &environment)?;
        Ok(Self { directory, config, quiet, verbose, overrides, environment })
    }

    /// A run without flags, for tests.
    #[cfg(test)]
    pub(crate) fn without_flags(environment: Environment) -> Self {
        let line = clap::Command::new("test");
        let line = <Global as clap::Args>::augment_args(line);
        let global = <Global as clap::FromArgMatches>::from_arg_matches(&line.get_matches_from(["test"])).unwrap();
        Self::new(global, environment).unwrap()
    }

    /// `-C`: where the run starts, if not in the current folder.
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

    /// `-q`: nothing but results and failures.
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// The number of times that `-v` was given.
    #[must_use]
    pub fn verbose(&self) -> u8 {
        self.verbose
    }

    /// The layout of results for people: as wide as the terminal, and whole with `-v`.
    #[must_use]
    pub fn view(&self) -> View {
        let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        View { width: terminal.unwrap_or(WIDTH).max(NARROWEST), all: self.verbose > 0 }
    }

    /// Settings from flags and the environment, which win over `seawall.yaml`.
    #[must_use]
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// The environment, for credentials and for what `CI` says.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Writes a result to standard output. Colours are taken out where they are not wanted.
    ///
    /// # Errors
    ///
    /// Returns an error if standard output cannot be written; a reader that went away (`| head`) is not an error.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        output::result(text)
    }

    /// Writes a result to a file, over one that is there.
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

    /// Writes a line about the run to standard error, unless `-q` asks for silence.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(output::stderr(), "{text}");
        }
    }

    /// Runs a command's asynchronous part to its end.
    ///
    /// # Errors
    ///
    /// Returns an error if the machine gives no threads, or if the future fails.
    pub fn block_on<T>(&self, future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Failed, format!("cannot start the runtime: {error}")))?
            .block_on(future)
    }
}
