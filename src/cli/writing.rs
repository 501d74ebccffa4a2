//! Writing documents: all of them, or none.
//!
//! Invariant: a file is in place with its whole text or as it was; nothing is written outside of the workspace, links
//! followed; a file that is not known to be there is never overwritten. When a write fails, those before it are taken
//! back, and the failure says what could not be.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Exit, Failure};

/// A file of a workspace that is to be written.
#[derive(Debug)]
pub(super) struct Written<'a> {
    /// Relative to the workspace, with `/` between segments.
    pub(super) path: &'a str,
    /// The whole text; `None` takes the file away.
    pub(super) text: Option<&'a str>,
    /// Whether it takes the place of a file.
    pub(super) overwrites: bool,
}

/// A file whose text is on disk under another name.
struct Ready {
    target: PathBuf,
    aside: PathBuf,
    before: Option<Vec<u8>>,
    /// Whether the file is to be taken away: it waits under the other name until all others are in place.
    goes: bool,
}

/// Writes the files of the workspace in `root`.
///
/// # Errors
///
/// When one cannot be written; then none is.
pub(super) fn write_all(root: &Path, files: &[Written<'_>]) -> Result<(), Failure> {
    let mut folders = Vec::new();
    let mut ready = Vec::new();
    let prepared = files.iter().try_for_each(|file| prepare(root, file, &mut folders, &mut ready));
    let placed = prepared.and_then(|()| {
        ready
            .iter()
            .enumerate()
            .try_for_each(|(done, one)| place(one).map_err(|error| (done, one.target.clone(), error)))
            .map_err(|(done, target, error)| (Some(done), target, error))
    });
    let Err((done, target, error)) = placed else { return take_away(&ready) };
    let stuck = undo(&ready, done.unwrap_or_default(), &folders);
    let message = format!("`{}` cannot be written: {error}", target.display());
    let failure = Failure::new(if stuck.is_empty() { Exit::Failed } else { Exit::Partial }, message);
    Err(match stuck.as_slice() {
        [] => failure.hint("nothing was written; run again once that is mended"),
        stuck => {
            let names: Vec<String> = stuck.iter().map(|path| format!("`{}`", path.display())).collect();
            failure.hint(format!("the other files were taken back, but for {}: look at these", names.join(", ")))
        }
    })
}

type Step = Result<(), (Option<usize>, PathBuf, io::Error)>;

/// Puts the text beside its place.
#[expect(clippy::disallowed_methods, reason = "what is to be overwritten is kept until all files are in place")]
fn prepare(root: &Path, file: &Written<'_>, folders: &mut Vec<PathBuf>, ready: &mut Vec<Ready>) -> Step {
    let mut target = root.join(file.path);
    let at = |error| (None, root.join(file.path), error);
    let folder = target.parent().unwrap_or(root).to_owned();
    make_folders(&folder, folders).map_err(at)?;
    let inside = |path: &Path| Ok::<_, io::Error>(fs::canonicalize(path)?.starts_with(fs::canonicalize(root)?));
    let mut leads_outside = !inside(&folder).map_err(at)?;
    let mut before = None;
    if file.overwrites && file.text.is_some() {
        // A linked file stays a link: what it leads to is written.
        target = fs::canonicalize(&target).map_err(at)?;
        leads_outside |= !inside(&target).map_err(at)?;
        before = Some(fs::read(&target).map_err(at)?);
    }
    if leads_outside {
        return Err(at(io::Error::other("it leads outside of the workspace")));
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = target.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let Some(text) = file.text else {
        ready.push(Ready { target, aside, before: None, goes: true });
        return Ok(());
    };
    let mut open = fs::File::create_new(&aside).map_err(at)?;
    ready.push(Ready { target: target.clone(), aside: aside.clone(), before, goes: false });
    open.write_all(text.as_bytes()).and_then(|()| open.sync_all()).map_err(at)?;
    if file.overwrites {
        let permissions = fs::metadata(&target).map_err(at)?.permissions();
        fs::set_permissions(&aside, permissions).map_err(at)?;
    }
    Ok(())
}

/// Makes the folder and those around it, and notes which were made.
fn make_folders(folder: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        fs::create_dir(folder)?;
        made.push(folder.to_owned());
    }
    Ok(())
}

/// Moves a text to its place.
#[expect(clippy::disallowed_methods, reason = "the name that the text had for a moment is given up")]
fn place(ready: &Ready) -> io::Result<()> {
    if ready.goes {
        return fs::rename(&ready.target, &ready.aside);
    }
    if ready.before.is_some() {
        return fs::rename(&ready.aside, &ready.target);
    }
    // A link is made only where nothing is, which a move does not promise.
    match fs::hard_link(&ready.aside, &ready.target) {
        Ok(()) => fs::remove_file(&ready.aside),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if ready.target.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(&ready.aside, &ready.target),
    }
}

/// Takes away what waits to go.
#[expect(clippy::disallowed_methods, reason = "documents that nothing live belongs to are taken away when asked for")]
fn take_away(ready: &[Ready]) -> Result<(), Failure> {
    for one in ready.iter().filter(|one| one.goes) {
        fs::remove_file(&one.aside).map_err(|error| {
            let message = format!("`{}` cannot be taken away: {error}", one.aside.display());
            Failure::new(Exit::Partial, message).hint("all else is done; delete it by hand")
        })?;
    }
    Ok(())
}

/// Takes back the first `done` files and everything that stands beside its place; what cannot be taken back is answered.
#[expect(clippy::disallowed_methods, reason = "what was written a moment ago is taken back")]
fn undo(ready: &[Ready], done: usize, folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut stuck = Vec::new();
    for (index, one) in ready.iter().enumerate() {
        if one.goes {
            if index < done && fs::rename(&one.aside, &one.target).is_err() {
                stuck.push(one.aside.clone());
            }
            continue;
        }
        let taken_back = match &one.before {
            _ if index >= done => Ok(()),
            Some(before) => fs::write(&one.target, before),
            None => fs::remove_file(&one.target),
        };
        if taken_back.is_err() {
            stuck.push(one.target.clone());
        }
        if one.aside.symlink_metadata().is_ok() && fs::remove_file(&one.aside).is_err() {
            stuck.push(one.aside.clone());
        }
    }
    for folder in folders.iter().rev() {
        // One that somebody else has put something in meanwhile stays.
        let _ = fs::remove_dir(folder);
    }
    stuck
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the test looks at the files")]
mod tests {
    use std::fs;

    use super::{Written, write_all};

    fn written<'a>(path: &'a str, text: &'a str, overwrites: bool) -> Written<'a> {
        Written { path, text: Some(text), overwrites }
    }

    fn all_files(root: &std::path::Path) -> Vec<String> {
        let walk = walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name();
        walk.into_iter().map(|entry| entry.unwrap().path().strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn all_files_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("old.yaml"), "old").unwrap();
        fs::write(root.join("there.yaml"), "there").unwrap();
        fs::write(root.join("gone.yaml"), "gone").unwrap();
        // The last one is there already, which nobody knew.
        let files = [
            written("a/b/new.yaml", "new", false),
            written("old.yaml", "changed", true),
            Written { path: "gone.yaml", text: None, overwrites: true },
            written("there.yaml", "x", false),
        ];
        let failure = write_all(root, &files).unwrap_err();
        assert!(failure.message.contains("there.yaml"), "{failure:?}");
        assert_eq!(all_files(root), ["gone.yaml", "old.yaml", "there.yaml"]);
        assert_eq!(fs::read_to_string(root.join("old.yaml")).unwrap(), "old");
        write_all(root, &files[..3]).unwrap();
        assert_eq!(all_files(root), ["a", "a/b", "a/b/new.yaml", "old.yaml", "there.yaml"]);
        assert_eq!(fs::read_to_string(root.join("old.yaml")).unwrap(), "changed");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link_that_leads_outside() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("x.yaml"), "mine").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("policies")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("x.yaml"), folder.path().join("x.yaml")).unwrap();
        for file in [
            written("policies/new.yaml", "x", false),
            written("policies/x.yaml", "x", true),
            written("x.yaml", "x", true),
        ] {
            let failure = write_all(folder.path(), &[file]).unwrap_err();
            assert!(failure.message.contains("outside of the workspace"), "{failure:?}");
        }
        assert_eq!(all_files(outside.path()), ["x.yaml"]);
        assert_eq!(fs::read_to_string(outside.path().join("x.yaml")).unwrap(), "mine");
    }
}
