//! Standard output and standard error: all output is written here.
//!
//! Invariant: no line of either stream is a workflow command for the runner of a pipeline, except
//! in results that consist of them ([`commands`]); see [`without_commands`].

use std::borrow::Cow;
use std::io::{self, StderrLock, StdoutLock, Write};

use anstream::AutoStream;

use super::wrap::wrap;
use super::{Environment, Exit, Failure};
use crate::diagnostic::sanitize::{block, without_commands};

/// A stream that passes on whole lines. The remainder is passed on when it is flushed or dropped.
pub(crate) struct Lines<W: Write> {
    stream: W,
    pending: Vec<u8>,
    /// The width of the terminal, if lines are broken to fit it.
    width: Option<usize>,
}

/// Standard output, locked; without colours if they are off.
pub(crate) fn stdout() -> Lines<AutoStream<StdoutLock<'static>>> {
    Lines { stream: anstream::stdout().lock(), pending: Vec::new(), width: None }
}

/// Standard error, locked; without colours if they are off.
pub(crate) fn stderr() -> Lines<AutoStream<StderrLock<'static>>> {
    let width = terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0.into());
    Lines { stream: anstream::stderr().lock(), pending: Vec::new(), width }
}

/// Writes a result to standard output.
///
/// # Errors
///
/// Returns an error if standard output cannot be written; a closed pipe (`| head`) is not an error.
pub(crate) fn result(text: &str) -> Result<(), Failure> {
    as_it_is(&without_commands(text))
}

/// Writes a result that consists of workflow commands.
///
/// # Errors
///
/// As [`result`].
pub(crate) fn commands(text: &str) -> Result<(), Failure> {
    as_it_is(text)
}

/// Writes a document unchanged.
///
/// # Errors
///
/// As [`result`]; and in GitHub Actions, if the runner would find a command in it.
pub(crate) fn document(environment: &Environment, text: &str) -> Result<(), Failure> {
    let reads_commands = environment.os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    if reads_commands && matches!(without_commands(text), Cow::Owned(_)) {
        let message =
            "the document holds what GitHub Actions takes for a command, and is not printed";
        return Err(Failure::new(Exit::Invalid, message)
            .hint("remove it, or lay the file out in its place: `seawall fmt FILE`"));
    }
    as_it_is(text)
}

/// Prints a panic in the form of other failures.
pub(crate) fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let trace = std::backtrace::Backtrace::capture();
        let traced = trace.status() == std::backtrace::BacktraceStatus::Captured;
        let trace = if traced { format!("\n{trace}") } else { String::new() };
        let _ = writeln!(stderr(), "{}{trace}", block(&panic.to_string()));
    }));
}

fn as_it_is(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failed, format!("cannot write to standard output: {error}"))
                .hint("check the disk or the program that reads it, and run again"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

impl<W: Write> Lines<W> {
    /// Passes on the first `end` pending bytes.
    fn pass(&mut self, end: usize) -> io::Result<()> {
        let rest = self.pending.split_off(end);
        let lines = std::mem::replace(&mut self.pending, rest);
        let text = String::from_utf8_lossy(&lines);
        let safe = without_commands(&text);
        let safe = self.width.map_or(Cow::Borrowed(&*safe), |width| wrap(&safe, width));
        self.stream.write_all(safe.as_bytes())
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if let Some(last) = self.pending.iter().rposition(|byte| *byte == b'\n') {
            self.pass(last + 1)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass(self.pending.len())?;
        self.stream.flush()
    }
}

impl<W: Write> Drop for Lines<W> {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// Prints the reason why a run ended, with foreign text sanitized.
pub(crate) fn report(failure: &Failure) -> std::io::Result<()> {
    let (red, cyan) =
        (anstyle::AnsiColor::Red.on_default().bold(), anstyle::AnsiColor::Cyan.on_default().bold());
    let mut stderr = stderr();
    writeln!(
        stderr,
        "{red}error{red:#}: {}",
        crate::diagnostic::sanitize::block(&failure.message)
    )?;
    if let Some(hint) = &failure.hint {
        writeln!(stderr, "  {cyan}help{cyan:#}: {}", crate::diagnostic::sanitize::block(hint))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::Lines;

    #[test]
    fn a_command_in_pieces_is_none() {
        let mut written = Vec::new();
        let mut lines = Lines { stream: &mut written, pending: Vec::new(), width: None };
        for piece in ["a\n:", ":err", "or::x\n  #", "#", "[error]\n", "é", ": "] {
            lines.write_all(piece.as_bytes()).unwrap();
        }
        lines.flush().unwrap();
        write!(lines, "::error::y").unwrap();
        drop(lines);
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, "a\n\\u{3a}:error::x\n  \\u0023#[error]\né: \\u{3a}:error::y");
    }
}
