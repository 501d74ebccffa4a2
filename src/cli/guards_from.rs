//! `--guards-from REF|DIR`: settings from the version that a proposal is to be merged into.
//!
//! Invariant: no file of the proposal is taken for the base. What is a ref is a ref, also when the proposal holds a folder
//! of that name; and a folder that is part of the proposal's own commit is refused.

use std::path::{Component, Path, PathBuf};

use super::git::Repository;
use super::planning::read;
use super::workspace::folder;
use super::{Context, Exit, Failure};
use crate::check::read_settings;
use crate::document::Workspace;
use crate::render::diagnostic;
use crate::source::CONFIG_NAME;

/// What the base says.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// As the command line names it.
    pub(super) from: String,
    /// `None` when the workspace is not there.
    pub(super) settings: Option<Workspace>,
}

impl Base {
    /// Reads the settings of the workspace `root` from a git ref, or from a folder with another checkout: of the
    /// repository, or of the workspace itself.
    ///
    /// # Errors
    ///
    /// When there is no such base, or it cannot be read.
    pub(super) fn read(context: &Context, root: &Path, named: &str) -> Result<Self, Failure> {
        if named.is_empty() || named.starts_with('-') || named.contains(char::is_control) {
            return Err(unknown(named));
        }
        let root = folder(context).join(root);
        let config = match context.config() {
            Some(config) => folder(context).join(config),
            None => root.join(CONFIG_NAME),
        };
        let around = Repository::around(&root);
        let path = Path::new(named);
        let written_as_folder = path.is_absolute()
            || matches!(path.components().next(), Some(Component::CurDir | Component::ParentDir))
            || named.ends_with(['/', '\\']);
        let commit = match &around {
            Some((repository, _)) if !written_as_folder => repository.commit(named)?,
            Some(_) | None => None,
        };
        let found = match (&around, commit) {
            (Some((repository, _)), Some(commit)) => {
                let inside = config.strip_prefix(repository.top()).map_err(|_| {
                    Failure::new(Exit::Usage, format!("`{}` is not in the repository", config.display()))
                        .hint("name a folder that holds the base")
                })?;
                let text = repository.file(&commit, inside)?;
                text.map(|text| (format!("{named}:{}", inside.display()), text))
            }
            _ => from_folder(&context.path(path), &root, around.as_ref(), &config, named)?,
        };
        let settings = found.map(|(name, text)| parse(context, &name, &text)).transpose()?;
        Ok(Self { from: named.to_owned(), settings })
    }
}

/// The name and the text of the settings in a folder.
fn from_folder(
    base: &Path,
    root: &Path,
    around: Option<&(Repository, PathBuf)>,
    config: &Path,
    named: &str,
) -> Result<Option<(String, String)>, Failure> {
    if !base.is_dir() {
        return Err(unknown(named));
    }
    let own = || Failure::new(Exit::Usage, format!("`{named}` belongs to what is proposed"));
    let own = || own().hint("name a ref of the base branch, or a folder with a checkout of it");
    let same = base.canonicalize().is_ok_and(|base| root.canonicalize().is_ok_and(|root| base == root));
    if same || around.map_or(Ok(false), |(repository, _)| repository.tracks(base))? {
        return Err(own());
    }
    let file = config.file_name().unwrap_or(CONFIG_NAME.as_ref());
    // A checkout of the repository holds the workspace where this one does.
    let inside = around.map(|(_, inside)| base.join(inside).join(file)).filter(|file| file.is_file());
    let file = inside.unwrap_or_else(|| base.join(file));
    if !file.is_file() {
        return Ok(None);
    }
    Ok(Some((file.to_string_lossy().replace('\\', "/"), read(&file)?)))
}

fn parse(context: &Context, name: &str, text: &str) -> Result<Workspace, Failure> {
    read_settings(name, text).map_err(|findings| {
        context.note(diagnostic::human(&findings, &folder(context)).trim_end());
        Failure::new(Exit::Invalid, format!("the settings of the base are wrong: {}", diagnostic::summary(&findings)))
            .hint("mend them on the base branch first")
    })
}

fn unknown(named: &str) -> Failure {
    Failure::new(Exit::Usage, format!("`--guards-from`: `{named}` is neither a commit of this repository nor a folder"))
        .hint("fetch the base branch first, as in `git fetch origin main`, or name a folder with a checkout of it")
}
