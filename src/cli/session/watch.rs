//! The last safeguard: a command that runs too long, or takes too much memory, ends with an error
//! that names the work.
//!
//! Work that can grow out of proportion is limited by counts where it is done, so that the same
//! input gives the same output. This module catches the cases that were overlooked. Invariant: only
//! work that writes nothing is watched, so that a run that ends here has written nothing. The
//! memory is known on Linux only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Environment, Exit, Failure, output};
use crate::source::disk::bytes_read;

/// The time that a piece of work may take.
const MOST_TIME: Duration = Duration::from_secs(60);

/// The variable with the memory limit of the process in MiB.
const VARIABLE: &str = "SEAWALL_MAX_MEMORY";

/// The default of the limit in MiB, twice the memory for a full organization whose rules have a few
/// resources each; and the bytes more for each byte of the files that were read, since rules may
/// have very many resources.
const MOST_MEMORY: u64 = 1 << 10;
const MEMORY_A_BYTE: u64 = 64;

/// The memory limit of this process in MiB, if the variable sets one; else 0.
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// The time between two checks.
const PERIOD: Duration = Duration::from_millis(100);

/// The resources that the process has used.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    /// The smaller of processor time and wall time, since a busy machine is not a fault of the
    /// documents.
    time: Duration,
    memory: u64,
}

/// Sets the memory limit from the environment, in MiB.
///
/// # Errors
///
/// Returns an error if the variable is not a positive number.
pub(crate) fn configure(environment: &Environment) -> Result<(), Failure> {
    let Some(value) = environment.text(VARIABLE)? else { return Ok(()) };
    let limit = value.parse().ok().filter(|limit| *limit > 0);
    let wrong = || {
        Failure::new(Exit::Usage, format!("`{VARIABLE}` is `{value}`")).hint("give a number of MiB")
    };
    LIMIT.store(limit.ok_or_else(wrong)?, Ordering::Relaxed);
    Ok(())
}

/// The memory limit in MiB.
fn limit(set: u64, bytes_read: u64) -> u64 {
    if set > 0 { set } else { MOST_MEMORY + (MEMORY_A_BYTE.saturating_mul(bytes_read) >> 20) }
}

/// Does work that writes nothing. If it takes too much time or memory, the process ends with an
/// error that names the work.
pub(crate) fn watched<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (working, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || watch(what, &ended));
        let value = work();
        drop(working);
        value
    })
}

fn watch(what: &str, ended: &Receiver<()>) {
    let (started, before) = (Instant::now(), processor_time());
    while ended.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let clock = started.elapsed();
        let time = processor_time()
            .zip(before)
            .map_or(clock, |(now, before)| clock.min(now.saturating_sub(before)));
        let taken = Taken { time, memory: memory().unwrap_or_default() };
        if let Some(failure) =
            excess(what, taken, limit(LIMIT.load(Ordering::Relaxed), bytes_read()))
        {
            let _ = output::report(&failure);
            std::process::exit(i32::from(failure.exit.code()));
        }
    }
}

/// The error for exceeded limits; the limit of memory is in MiB.
fn excess(what: &str, taken: Taken, most_memory: u64) -> Option<Failure> {
    let reason = "mostly patterns with many wildcards or very many teams are the reason: write fewer of them, or split the \
                  workspace";
    let (much, hint) = if taken.time > MOST_TIME {
        (format!("{} s", MOST_TIME.as_secs()), reason.to_owned())
    } else if taken.memory >> 20 > most_memory {
        (
            format!("{most_memory} MiB of memory"),
            format!("{reason}; or set `{VARIABLE}` to more MiB"),
        )
    } else {
        return None;
    };
    let failure =
        Failure::new(Exit::Failed, format!("{what} takes more than {much}; nothing was written"));
    Some(failure.hint(hint))
}

/// The memory of the process in bytes, if the system reports it.
fn memory() -> Option<u64> {
    let status = of_process("status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// The processor time of the process, if the system reports it.
fn processor_time() -> Option<Duration> {
    let stat = of_process("stat")?;
    // The name of the program comes first, and may hold any text.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    // A hundred ticks a second on every machine.
    Some(Duration::from_millis(10 * (user + system)))
}

#[expect(clippy::disallowed_methods, reason = "the system tells there of the process itself")]
fn of_process(what: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/self/{what}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_much_is_named() {
        let taken = |seconds, mebibytes: u64| Taken {
            time: Duration::from_secs(seconds),
            memory: mebibytes << 20,
        };
        for (taken, limit, expected) in [
            (taken(59, 1_000), 1_024, None),
            (taken(61, 10), 1_024, Some("checking takes more than 60 s; nothing was written")),
            (taken(1, 1_024), 1_024, None),
            (
                taken(1, 1_025),
                1_024,
                Some("checking takes more than 1024 MiB of memory; nothing was written"),
            ),
            (taken(1, 1_025), 4_096, None),
        ] {
            let found = excess("checking", taken, limit);
            assert_eq!(found.as_ref().map(|failure| failure.message.as_str()), expected);
            assert!(found.is_none_or(|failure| failure.exit == Exit::Failed));
        }
    }

    #[test]
    fn more_memory_may_be_taken_for_more_documents() {
        for (set, bytes, expected) in
            [(0, 0, 1_024), (0, 1 << 14, 1_025), (0, 40 << 20, 3_584), (100, 40 << 20, 100)]
        {
            assert_eq!(limit(set, bytes), expected, "{set} {bytes}");
        }
    }

    #[test]
    fn the_limit_is_a_number_of_mebibytes() {
        for value in ["much", "0", "-1", "1.5"] {
            let failure = configure(&Environment::from_variables([(VARIABLE, value)])).unwrap_err();
            assert_eq!(
                (failure.exit, failure.message),
                (Exit::Usage, format!("`SEAWALL_MAX_MEMORY` is `{value}`"))
            );
        }
        assert!(configure(&Environment::from_variables([])).is_ok());
    }

    #[test]
    fn the_system_is_understood() {
        assert_eq!(watched("nothing", || 7), 7);
        if cfg!(target_os = "linux") {
            assert!(memory().unwrap() > 1 << 20);
            let before = processor_time().unwrap();
            let started = Instant::now();
            while started.elapsed() < Duration::from_millis(200) {}
            assert!(processor_time().unwrap() >= before);
        }
    }
}
