//! Downloads the audit log of an organization into a file.
//!
//! Invariants: at any interruption, `FILE.tmp` holds each record read so far once, up to the length
//! in `FILE.state.tmp`, and the next run resumes from there. The file itself exists only once it is
//! complete.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::audit::{Answer, AuditReader};
use super::error::Error as ServiceError;
use crate::evidence::download::{Download, Mark, Next};
use crate::exit::{Exit, Explain};
use crate::json;
use crate::source::disk::{self, FileError};

/// The number of pages without a record, one after another, that a service may answer.
const EMPTY_PAGES: usize = 1_000;

/// The most that one run reads: at the service's rate, forty million records in a day. The next run
/// goes on from there, and a log without end is noticed.
const RUN_HOURS: u64 = 24;
const RUN_BYTES: u64 = 64 << 30;

/// Extensions of files that are not JSON Lines.
const OTHERS: [&str; 5] = [".gz", ".zst", ".zstd", ".csv", ".tmp"];

/// The file and its temporary companions.
#[derive(Clone, Debug)]
pub struct Files {
    out: PathBuf,
    /// The records so far, under a name that no command reads records from.
    part: PathBuf,
    /// The state of the download: [`Download`] as JSON.
    state: PathBuf,
}

/// The reason why a download failed.
#[derive(Debug, Error)]
pub enum DownloadError {
    /// The service failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The extension of the file is one of another format.
    #[error("`{}` would be JSON Lines", .0.display())]
    Name(PathBuf),
    /// The file exists already.
    #[error("`{}` is there already", .0.display())]
    There(PathBuf),
    /// A file with records exists without the state that says what they are.
    #[error("`{}` exists without the state of its download", .0.display())]
    Unknown(PathBuf),
    /// The state of the download cannot be parsed.
    #[error("`{}` cannot be read: {why}", state.display())]
    State {
        /// The file with the state.
        state: PathBuf,
        /// Reason, as a phrase.
        why: String,
    },
    /// The records so far are of another organization or service.
    #[error("`{}` is a download from elsewhere", .0.display())]
    Elsewhere(PathBuf),
    /// One run has read as much as it may.
    #[error("the audit log does not end within {0}")]
    Endless(String),
    /// Another process is writing it.
    #[error("`{}` is being written by another process", .0.display())]
    Busy(PathBuf),
    /// The machine failed.
    #[error("`{}` cannot be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: FileError,
    },
}

impl Explain for DownloadError {
    fn hint(&self) -> String {
        const ON: &str = "run the same command again to go on from here";
        match self {
            Self::Service(error) => {
                format!("{}; {ON}", error.hint())
            }
            Self::Name(_) => "name it like `records.jsonl`, and compress it afterwards".to_owned(),
            Self::There(_) => "name a new file, or delete that one first".to_owned(),
            Self::Unknown(part) => format!("delete `{}` to start again", part.display()),
            Self::State { .. } => "delete it with the records beside it to start again".to_owned(),
            Self::Elsewhere(_) => {
                "use the settings that it was begun with, or name another file".to_owned()
            }
            Self::Endless(_) => {
                format!(
                    "if the organization has that many records, {ON}; or ask for a shorter time with `--since`"
                )
            }
            Self::Busy(_) => "wait for it, or name another file".to_owned(),
            Self::File { source, .. } => format!("{}; {ON}", source.hint()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Service(error) => error.exit(),
            Self::File { .. } | Self::Endless(_) => Exit::Failed,
            Self::Name(_)
            | Self::There(_)
            | Self::Unknown(_)
            | Self::State { .. }
            | Self::Elsewhere(_)
            | Self::Busy(_) => Exit::Usage,
        }
    }
}

impl Files {
    /// The files of a download to `out`.
    ///
    /// # Errors
    ///
    /// Returns an error if `out` exists, or has the extension of another format.
    pub fn new(out: PathBuf) -> Result<Self, DownloadError> {
        let name =
            out.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        if OTHERS.iter().any(|ending| name.ends_with(ending)) {
            return Err(DownloadError::Name(out));
        }
        if out.symlink_metadata().is_ok() {
            return Err(DownloadError::There(out));
        }
        let beside = |ending: &str| {
            let mut name = out.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        Ok(Self { part: beside(".tmp"), state: beside(".state.tmp"), out })
    }

    /// Resumes an unfinished download, or starts a new one.
    fn begin(&self, audit: &AuditReader, since: i64) -> Result<(File, Download), DownloadError> {
        let (org, endpoint) = (audit.org(), audit.endpoint());
        let is_begun = self.state.symlink_metadata().is_ok();
        if !is_begun && self.part.symlink_metadata().is_ok() {
            return Err(DownloadError::Unknown(self.part.clone()));
        }
        let download = if is_begun {
            let wrong = |why: String| DownloadError::State { state: self.state.clone(), why };
            let text = disk::read_named(&self.state, disk::MAX_STATE_BYTES)
                .map_err(|error| wrong(error.to_string()))?;
            Download::parse(&text).map_err(wrong)?
        } else {
            // Whole seconds; records of the current second belong to the next download.
            let to = audit.now().as_second().saturating_mul(1_000_000);
            let download = Download::new(org, &endpoint, to.saturating_sub(since), to);
            // The state is written first: records without a state belong to somebody else.
            self.keep(&download)?;
            download
        };
        if !download.is_of(org, &endpoint) {
            return Err(DownloadError::Elsewhere(self.part.clone()));
        }
        let mut file = disk::open_state(&self.part).map_err(|source| self.failed(source))?;
        if file.try_lock().is_err() {
            return Err(DownloadError::Busy(self.part.clone()));
        }
        let length = file.metadata().map_err(|error| self.failed(error.into()))?.len();
        // Records that are missing from the file have to be read again.
        let download = if length < download.whole().bytes { download.anew() } else { download };
        self.cut(&mut file, &download)?;
        Ok((file, download))
    }

    fn keep(&self, download: &Download) -> Result<(), DownloadError> {
        disk::write_named(&self.state, &download.to_json())
            .map_err(|source| DownloadError::File { path: self.state.clone(), source })
    }

    /// Removes the part that is not complete. The complete part was synchronized before; a file
    /// that is longer than its state says is cut when the next run starts.
    fn cut(&self, file: &mut File, download: &Download) -> Result<(), DownloadError> {
        let cut = file.set_len(download.whole().bytes).and_then(|()| file.seek(SeekFrom::End(0)));
        cut.map(drop).map_err(|error| self.failed(error.into()))
    }

    fn append(&self, file: &mut File, text: &str) -> Result<(), DownloadError> {
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        written.map_err(|error| self.failed(error.into()))
    }

    fn failed(&self, source: FileError) -> DownloadError {
        DownloadError::File { path: self.part.clone(), source }
    }

    /// Renames the records to their final name.
    fn finish(&self) -> Result<(), DownloadError> {
        let failed = |source| DownloadError::File { path: self.out.clone(), source };
        disk::rename_named(&self.part, &self.out)
            .and_then(|()| disk::remove_named(&self.state))
            .map_err(failed)
    }
}

/// Downloads the remaining records of a new or resumed download, which covers the last `since`
/// microseconds before its start. Calls `told` with the remaining work before each page. Returns
/// the number of records in the file.
///
/// # Errors
///
/// Returns an error if the download cannot finish; records read so far are kept.
pub async fn download(
    audit: &AuditReader,
    files: &Files,
    since: i64,
    told: &mut (dyn FnMut(&Download) + Send),
) -> Result<u64, DownloadError> {
    let (mut file, mut left) = files.begin(audit, since)?;
    // The hashes of the tokens of the current range: a repeated one would lead into a loop.
    let mut seen: BTreeSet<String> = BTreeSet::new();
    // True if the range was started again because its tokens were refused, which happens at most
    // once.
    let mut is_again = false;
    let mut empty = 0;
    let (started, mut written) = (audit.passed(), 0);
    while let Some(Next { from, to, token, shortest }) = left.next() {
        within(audit.passed().saturating_sub(started), written)?;
        told(&left);
        let (events, token) = match audit.page(&from, &to, token.as_deref(), shortest).await? {
            Answer::Page(events, token) => (events, token),
            Answer::TooLong(error) => {
                tracing::info!("{error}: asking for a shorter time");
                left.narrow();
                seen.clear();
                files.keep(&left)?;
                files.cut(&mut file, &left)?;
                continue;
            }
            Answer::TokenRefused(error) if is_again => return Err(error.into()),
            Answer::TokenRefused(error) => {
                tracing::info!("{error}: reading that time again");
                is_again = true;
                left.restart();
                seen.clear();
                files.keep(&left)?;
                files.cut(&mut file, &left)?;
                continue;
            }
        };
        match &token {
            Some(token) if !seen.insert(json::hash(&[token])) => {
                return Err(audit.endless().into());
            }
            Some(_) => {}
            None => {
                is_again = false;
                seen.clear();
            }
        }
        let taken: Vec<_> = events.iter().filter(|event| left.takes(event)).collect();
        empty = if taken.is_empty() && token.is_some() { empty + 1 } else { 0 };
        if empty > EMPTY_PAGES {
            return Err(audit.endless().into());
        }
        let text: String = taken.iter().map(|event| format!("{event}\n")).collect();
        files.append(&mut file, &text)?;
        written += text.len() as u64;
        left.advance(
            Mark { bytes: text.len() as u64, records: taken.len() as u64 },
            events.last(),
            token,
        );
        files.keep(&left)?;
    }
    drop(file);
    files.finish()?;
    Ok(left.whole().records)
}

/// Refuses to read on after the most of one run.
fn within(time: Duration, bytes: u64) -> Result<(), DownloadError> {
    if time > Duration::from_secs(3_600 * RUN_HOURS) {
        return Err(DownloadError::Endless(format!("{RUN_HOURS} hours")));
    }
    if bytes > RUN_BYTES {
        return Err(DownloadError::Endless(format!("{} GiB", RUN_BYTES >> 30)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_after_a_day_or_many_bytes() {
        for (hours, gib, over) in [
            (0, 0, None),
            (24, 64, None),
            (25, 0, Some("the audit log does not end within 24 hours")),
            (0, 65, Some("the audit log does not end within 64 GiB")),
        ] {
            let error = within(Duration::from_secs(3_600 * hours), gib << 30).err();
            assert!(error.as_ref().is_none_or(|error| error.exit() == Exit::Failed));
            assert_eq!(error.map(|error| error.to_string()).as_deref(), over);
        }
    }
}
