//! Documents of a commit or of another folder.
//!
//! Invariant: documents of a commit are read as they were committed, whatever the folder holds.
//! They are written to a new folder, and none of them is executed.

use std::path::{Component, Path};

use super::context::current_folder;
use super::git::{Entry, Kind, Repository};
use super::reading::not_read;
use super::workspace::folder;
use super::{Context, Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::render::diagnostic;
use crate::source::disk::{FileError, Scratch, check_named_folder, is_empty_folder, is_internal};
use crate::source::{CONFIG_NAME, MAX_FILE_BYTES};
use crate::workspace::{EmptyWorkspace, Loaded};

/// The largest total size of files, in bytes.
const MAX_BYTES: u64 = 1 << 30;
/// The number of these bytes that are in memory at one time.
const BATCH: u64 = 4 * MAX_FILE_BYTES;

/// The workspace `root` as a commit or another folder has it; `None` if the name is neither. A
/// folder is the workspace itself, or a checkout of the repository around it.
///
/// # Errors
///
/// Returns an error if the base holds no workspace, its documents are not valid, or `git` cannot be
/// run.
pub(crate) fn documents_of(
    context: &Context,
    root: &Path,
    name: &str,
) -> Result<Option<Loaded>, Failure> {
    let path = context.path(Path::new(name));
    let root = folder(context).join(root);
    let around = Repository::around(&root)?;
    if let Some((repository, inside)) = around.as_ref().filter(|_| may_be_a_commit(name))
        && let Some(commit) = repository.commit(name)?
    {
        let copy = checked_out(repository, inside, &commit)?;
        return documents(context, &root, copy.path(), name, copy.path()).map(Some);
    }
    if !path.is_dir() {
        return Ok(None);
    }
    check_named_folder(&path).map_err(|error| not_read(&path, &error))?;
    let inside = around
        .map(|(_, inside)| path.join(inside))
        .filter(|inside| inside.join(CONFIG_NAME).is_file());
    documents(context, &root, &inside.unwrap_or(path), name, &current_folder()).map(Some)
}

/// The earlier workspace. Findings show paths relative to `shown_from`.
fn documents(
    context: &Context,
    root: &Path,
    base: &Path,
    name: &str,
    shown_from: &Path,
) -> Result<Loaded, Failure> {
    // Settings inside of the workspace are read from the base, others from their own place.
    let config = context.config().map(|config| {
        let config = folder(context).join(config);
        config.strip_prefix(root).map(|inside| base.join(inside)).unwrap_or(config)
    });
    let own = config.clone().unwrap_or_else(|| base.join(CONFIG_NAME));
    if !own.is_file() {
        let file = own.strip_prefix(base).unwrap_or(&own).to_string_lossy().into_owned();
        let failure = Failure::new(
            Exit::Usage,
            format!("`{name}` does not hold the workspace: it has no `{file}` there"),
        );
        return Err(failure.hint("name a commit, or a folder, that holds the workspace"));
    }
    crate::workspace::load_base(base, config.as_deref(), EmptyWorkspace::Refused).map_err(
        |findings| {
            context.note(diagnostic::human(&findings, shown_from, context.view()).trim_end());
            let message =
                format!("the documents of `{name}` are wrong: {}", diagnostic::summary(&findings));
            Failure::new(Exit::Usage, message)
                .hint("name a commit, or a folder, whose documents are valid")
        },
    )
}

/// Returns `true` if the name may be passed to `git`: paths and options may not.
pub(crate) fn may_be_a_commit(name: &str) -> bool {
    let path = Path::new(name);
    let written_as_path = path.is_absolute()
        || matches!(path.components().next(), Some(Component::CurDir | Component::ParentDir))
        || name.ends_with(['/', '\\']);
    !(name.is_empty()
        || name.starts_with('-')
        || name.contains(char::is_control)
        || written_as_path)
}

/// The workspace of a commit in a new folder, with files and links as a checkout would write them.
///
/// # Errors
///
/// Returns an error if the commit cannot be read, or has entries that are read differently from a
/// commit than from a checkout.
pub(crate) fn checked_out(
    repository: &Repository,
    inside: &Path,
    commit: &str,
) -> Result<Scratch, Failure> {
    let failed = |error: FileError| {
        Failure::new(
            Exit::Failed,
            format!("the base cannot be written to a temporary folder: {error}"),
        )
        .hint("make room there, or set `TMPDIR` to another folder")
    };
    let scratch = Scratch::new().map_err(failed)?;
    let (mut files, mut links) = (Vec::new(), Vec::new());
    for entry in repository.entries(commit, inside)? {
        let is_internal =
            Path::new(&entry.path).components().any(|part| is_internal(part.as_os_str()));
        match entry.kind {
            _ if is_internal => {}
            Kind::Submodule => refuse_submodule(&repository.top().join(inside), &entry.path)?,
            Kind::Link => links.push(entry),
            Kind::File if entry.bytes > MAX_FILE_BYTES => {
                scratch.oversized(&entry.path, entry.bytes).map_err(failed)?;
            }
            Kind::File => files.push(entry),
        }
    }
    if files.iter().map(|file| file.bytes).sum::<u64>() > MAX_BYTES {
        let message = format!("the workspace holds more than {} MiB in the base", MAX_BYTES >> 20);
        return Err(Failure::new(Exit::Failed, message).hint("name a folder with a checkout of it"));
    }
    let mut rest = files.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += entry.bytes;
            bytes <= BATCH
        };
        let (batch, behind) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        for (entry, content) in batch.iter().zip(contents(repository, batch)?) {
            scratch.file(&entry.path, &content).map_err(failed)?;
        }
        rest = behind;
    }
    // Links are written after all files, so that no file is written through one.
    for (entry, target) in links.iter().zip(contents(repository, &links)?) {
        scratch.link(&entry.path, &String::from_utf8_lossy(&target)).map_err(failed)?;
    }
    Ok(scratch)
}

fn contents(repository: &Repository, entries: &[Entry]) -> Result<Vec<Vec<u8>>, Failure> {
    repository.contents(&entries.iter().map(|entry| entry.hash.as_str()).collect::<Vec<_>>())
}

/// The files of a submodule are not in a commit of the repository. If the work tree does not have
/// them either, both are the same.
fn refuse_submodule(workspace: &Path, path: &str) -> Result<(), Failure> {
    if is_empty_folder(&workspace.join(path)) {
        return Ok(());
    }
    let message =
        format!("`{}` is a submodule, whose documents a commit does not hold", line(path));
    Err(Failure::new(Exit::Usage, message)
        .hint("name a folder with a checkout of the base, or a snapshot"))
}
