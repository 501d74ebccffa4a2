//! Opening regular files for reading.
//!
//! Invariant: a file is checked before it is opened, is opened without blocking and without
//! following a link, and is the file that was checked.

#![expect(clippy::disallowed_methods, reason = "the one door to files")]

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{FileError, stays};

/// The sizes of all files that this process has opened to read them in pieces.
static OPENED: AtomicU64 = AtomicU64::new(0);

/// The sizes in bytes of all files that [`open_named`] has opened, to tell how long reading them may
/// take.
#[must_use]
pub fn bytes_opened() -> u64 {
    OPENED.load(Ordering::Relaxed)
}

/// The size of a file on the disk: a hole in it has none. Zero for a stream.
pub(super) fn size_on_disk(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    let held = std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(512);
    #[cfg(not(unix))]
    let held = u64::MAX;
    if metadata.is_file() { metadata.len().min(held) } else { 0 }
}

/// The content of the file at a path without links.
pub(super) fn read_regular(real: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    content(opened(real, limit, OpenOptions::new().read(true), || ())?, limit)
}

/// Opens the regular file at a path without links. `between` runs after it was checked and before
/// it is opened, when somebody may exchange it.
pub(super) fn opened(
    real: &Path,
    limit: u64,
    options: &mut OpenOptions,
    between: impl FnOnce(),
) -> Result<File, FileError> {
    let before = looked_at(real, limit)?;
    between();
    let file = careful(options).open(real)?;
    same(&before, &file)?;
    Ok(file)
}

/// The content of an open file, which may have grown since it was checked.
pub(super) fn content(file: File, limit: u64) -> Result<Vec<u8>, FileError> {
    let size = file.metadata()?.len().min(limit);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge(limit));
    }
    Ok(bytes)
}

/// The metadata of a regular file before it is opened.
fn looked_at(real: &Path, limit: u64) -> Result<Metadata, FileError> {
    let metadata = std::fs::symlink_metadata(real)?;
    if !metadata.is_file() {
        return Err(FileError::NotRegular);
    }
    if metadata.len() > limit { Err(FileError::TooLarge(limit)) } else { Ok(metadata) }
}

/// Options that neither block on a pipe nor follow a link, if one has replaced the file in between.
pub(super) fn careful(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        /// `FILE_FLAG_OPEN_REPARSE_POINT`.
        const LINK_ITSELF: u32 = 0x0020_0000;
        options.custom_flags(LINK_ITSELF);
    }
    options
}

/// Refuses a file other than the one that was checked.
fn same(before: &Metadata, file: &File) -> Result<(), FileError> {
    let after = file.metadata()?;
    let is_same = after.is_file();
    #[cfg(unix)]
    let is_same = {
        use std::os::unix::fs::MetadataExt as _;
        is_same && (before.dev(), before.ino()) == (after.dev(), after.ino())
    };
    #[cfg(not(unix))]
    let is_same = is_same && before.len() == after.len();
    if is_same { Ok(()) } else { Err(FileError::Replaced) }
}

/// The content of a file that the command line or the environment names. A link must not lead out
/// of the repository around it, since a commit may have created the link. The standard input and
/// other streams of the process are accepted.
///
/// # Errors
/// Returns an error if the path leads elsewhere, is not a regular file, is larger than `limit`
/// bytes, is not UTF-8, or the system cannot read it.
pub fn read_named(path: &Path, limit: u64) -> Result<String, FileError> {
    if is_stream(path) {
        return text(content(File::open(path)?, limit)?);
    }
    let real = std::fs::canonicalize(path)?;
    stays(path, &real)?;
    text(read_regular(&real, limit)?)
}

/// Opens a file of any size that the command line names, for streaming. As for [`read_named`], a
/// link must not lead out of the repository around it, and streams of the process are accepted.
///
/// # Errors
/// Returns an error if the path leads elsewhere, is not a regular file, or the system cannot open
/// it.
pub fn open_named(path: &Path) -> Result<File, FileError> {
    let file = if is_stream(path) {
        File::open(path)?
    } else {
        let real = std::fs::canonicalize(path)?;
        stays(path, &real)?;
        opened(&real, u64::MAX, OpenOptions::new().read(true), || ())?
    };
    OPENED.fetch_add(size_on_disk(&file.metadata()?), Ordering::Relaxed);
    Ok(file)
}

/// The entries below a folder that the command line names, sorted by name. Links in it are not
/// followed.
pub fn walk_named(folder: &Path) -> walkdir::IntoIter {
    walkdir::WalkDir::new(folder).follow_root_links(true).sort_by_file_name().into_iter()
}

/// A file without a name, which nobody else can open and which is deleted with the process.
///
/// # Errors
/// Returns an error if the system cannot create one.
pub fn unnamed() -> std::io::Result<File> {
    tempfile::tempfile()
}

/// Refuses a folder on the command line if a link leads out of the repository around it, since a
/// commit may have created the link.
///
/// # Errors
/// Returns an error if the path leads elsewhere, or the system cannot resolve it.
pub fn check_named_folder(path: &Path) -> Result<(), FileError> {
    stays(path, &std::fs::canonicalize(path)?)
}

/// The content of a file of the user who runs the program, following all links.
///
/// # Errors
/// Returns an error if the path is not a regular file, is larger than `limit` bytes, is not UTF-8,
/// or the system cannot read it.
pub fn read_own(path: &Path, limit: u64) -> Result<String, FileError> {
    text(read_regular(&std::fs::canonicalize(path)?, limit)?)
}

fn text(bytes: Vec<u8>) -> Result<String, FileError> {
    String::from_utf8(bytes).map_err(|_| FileError::NotText)
}

/// Returns `true` if a path names a stream of the process, like `<(…)` in a shell.
pub(super) fn is_stream(path: &Path) -> bool {
    let streams = ["/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/null"];
    let folders = ["/dev/fd", "/proc/self/fd"];
    let parent = path.parent().unwrap_or(path);
    streams.iter().any(|stream| path == Path::new(stream))
        || folders.iter().any(|folder| parent == Path::new(folder))
}
