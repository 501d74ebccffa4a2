//! The last safeguard: a command that runs too long, or takes too much memory, ends with an error
//! that names the work.
//!
//! Work that can grow out of proportion is limited by counts where it is done, so that the same
//! input gives the same output. This module catches the cases that were overlooked. A command is
//! watched from its start, whatever it does, until its first write ([`stop`]). Invariant: a run that
//! ends here has written nothing. The memory is known on Linux only.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Environment, Exit, Failure, output};
use crate::source::disk::bytes_opened;

/// The time that a command may take, for each organization of its workspace up to a number, since
/// documents list them; and more for each GiB of the files that it reads in pieces. These hold
/// records and have any size: a GiB takes some seconds, or a minute if it is compressed. A stream
/// without end adds nothing, and a file that grows without end when it is decompressed adds little.
const MOST_TIME: Duration = Duration::from_secs(60);
const MOST_ORGANIZATIONS: u32 = 10;
const TIME_A_GIB: Duration = Duration::from_secs(300);

/// The variables with the limits of a command: memory in MiB, and time in seconds.
const MEMORY: &str = "SEAWALL_MAX_MEMORY";
const TIME: &str = "SEAWALL_MAX_SECONDS";

/// The default of the limit in MiB: 1 GB, with room for what is taken between two checks. A full
/// organization needs less: 100 policies of 400 KB.
const MOST_MEMORY: u64 = 940;

/// The time between two checks.
const PERIOD: Duration = Duration::from_millis(10);

/// The work that an endless input makes endless.
pub(crate) const READING_RECORDS: &str = "reading the records";

/// The command that is watched; `None` before the watch begins, and after it has stopped.
static WATCH: Mutex<Option<Watch>> = Mutex::new(None);

/// A command under watch.
#[derive(Debug)]
struct Watch {
    command: String,
    /// The current work, innermost last.
    works: Vec<&'static str>,
    /// The organizations that the workspace has.
    organizations: u32,
    limits: Limits,
    started: Times,
}

/// The limits that variables set.
#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    /// In MiB.
    memory: Option<u64>,
    time: Option<Duration>,
}

/// Two clocks.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    wall: Duration,
    /// The time of the process on all processors; the wall time if the system does not report it.
    processor: Duration,
}

/// The resources that a command has used.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    /// The smaller of processor time and wall time, since neither a busy machine nor a slow service
    /// is a fault of the documents.
    time: Duration,
    /// In bytes.
    memory: u64,
}

impl Times {
    fn now(start: Instant) -> Self {
        let wall = start.elapsed();
        Self { wall, processor: processor_time().unwrap_or(wall) }
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            wall: self.wall.saturating_sub(earlier.wall),
            processor: self.processor.saturating_sub(earlier.processor),
        }
    }
}

impl Limits {
    /// Reads the limits from the environment.
    fn new(environment: &Environment) -> Result<Self, Failure> {
        let number = |variable: &str, unit: &str| -> Result<Option<u64>, Failure> {
            let Some(value) = environment.text(variable)? else { return Ok(None) };
            let number = value.parse().ok().filter(|number| *number > 0);
            let wrong = || {
                Failure::new(Exit::Usage, format!("`{variable}` is `{value}`"))
                    .hint(format!("give a number of {unit}"))
            };
            number.ok_or_else(wrong).map(Some)
        };
        let time = number(TIME, "seconds")?.map(Duration::from_secs);
        Ok(Self { memory: number(MEMORY, "MiB")?, time })
    }

    /// The limit of memory in MiB.
    fn memory(self) -> u64 {
        self.memory.unwrap_or(MOST_MEMORY)
    }

    fn time(self, organizations: u32, bytes_opened: u64) -> Duration {
        let more = TIME_A_GIB.as_secs().saturating_mul(bytes_opened >> 20) >> 10;
        let own = || MOST_TIME * organizations.clamp(1, MOST_ORGANIZATIONS);
        self.time.unwrap_or_else(|| own().saturating_add(Duration::from_secs(more)))
    }
}

impl Watch {
    /// The error for exceeded limits.
    fn excess(&self, Taken { time, memory }: Taken, bytes_opened: u64) -> Option<Failure> {
        let most_time = self.limits.time(self.organizations, bytes_opened);
        let most_memory = self.limits.memory();
        let (much, variable, unit) = if time > most_time {
            (format!("{} s", most_time.as_secs()), TIME, "seconds")
        } else if memory >> 20 > most_memory {
            (format!("{most_memory} MiB of memory"), MEMORY, "MiB")
        } else {
            return None;
        };
        let work = self.works.last().copied();
        let works = work.map(|work| format!(" ({work})")).unwrap_or_default();
        let message =
            format!("`{}` takes more than {much}{works}; nothing was written", self.command);
        let cause = match work {
            Some(READING_RECORDS) => {
                "the records do not end, or are about very many different requests: name files \
                 instead of a stream, or give fewer records"
            }
            Some(_) | None => {
                "mostly patterns with many wildcards, very many teams or very many recorded \
                 requests are the reason: use fewer of them, or split the workspace"
            }
        };
        let hint = format!("{cause}; or set `{variable}` to more {unit}");
        Some(Failure::new(Exit::Failed, message).hint(hint))
    }

    fn taken(&self, now: Times) -> Taken {
        let Times { wall, processor } = now.since(self.started);
        Taken { time: wall.min(processor), memory: memory().unwrap_or_default() }
    }
}

fn watch() -> MutexGuard<'static, Option<Watch>> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The start of the process, or of the first watch in it.
fn start_of_process() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// Watches the command from now on: if it takes too much time or memory, the process ends with an
/// error.
///
/// # Errors
///
/// Returns an error if a variable with a limit is not a positive number.
pub(crate) fn start(environment: &Environment, command: &str) -> Result<(), Failure> {
    let started = Times::now(start_of_process());
    let own = Watch {
        command: command.to_owned(),
        works: Vec::new(),
        organizations: 1,
        limits: Limits::new(environment)?,
        started,
    };
    *watch() = Some(own);
    check();
    thread::spawn(|| {
        while check() {
            thread::sleep(PERIOD);
        }
    });
    Ok(())
}

/// Ends the process if the command exceeds its limits. Returns `false` if nothing is watched any
/// more.
fn check() -> bool {
    // While it is held, no write can begin.
    let watch = watch();
    let Some(own) = watch.as_ref() else { return false };
    let taken = own.taken(Times::now(start_of_process()));
    if let Some(failure) = own.excess(taken, bytes_opened()) {
        let _ = output::report(&failure);
        std::process::exit(i32::from(failure.exit.code()));
    }
    true
}

/// Ends the watch, before the first write.
pub(crate) fn stop() {
    *watch() = None;
}

/// Gives the command the time for each of these organizations.
pub(crate) fn allow(organizations: usize) {
    if let Some(own) = watch().as_mut() {
        own.organizations = u32::try_from(organizations).unwrap_or(u32::MAX);
    }
}

/// Does work whose name an error shows.
pub(crate) fn watched<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let change = |change: fn(&mut Vec<&'static str>, &'static str)| {
        if let Some(own) = watch().as_mut() {
            change(&mut own.works, what);
        }
    };
    change(Vec::push);
    let value = work();
    change(|works, _| {
        works.pop();
    });
    value
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

    fn command(works: &[&'static str], organizations: u32, limits: Limits) -> Watch {
        Watch {
            command: "plan".to_owned(),
            works: works.to_vec(),
            organizations,
            limits,
            started: Times::default(),
        }
    }

    #[test]
    fn what_takes_too_much_is_named() {
        let seconds = Duration::from_secs;
        let few = Limits { memory: Some(100), time: Some(seconds(5)) };
        let table = [
            (59, 940, 1, Limits::default(), None),
            (61, 10, 2, Limits::default(), None), // a minute for each organization
            (121, 10, 2, Limits::default(), Some("120 s")),
            (601, 10, 1_000, Limits::default(), Some("600 s")),
            (1, 941, 2, Limits::default(), Some("940 MiB of memory")),
            (6, 10, 2, few, Some("5 s")),
            (1, 101, 1, few, Some("100 MiB of memory")),
        ];
        for (time, memory, organizations, limits, much) in table {
            let taken = Taken { time: seconds(time), memory: memory << 20 };
            let own = command(&["reading", "checking"], organizations, limits);
            let expected = much.map(|much| {
                format!("`plan` takes more than {much} (checking); nothing was written")
            });
            let found = own.excess(taken, 0);
            assert_eq!(found.as_ref().map(|failure| &failure.message), expected.as_ref());
            assert!(found.is_none_or(|failure| failure.exit == Exit::Failed));
        }
    }

    #[test]
    fn neither_a_busy_machine_nor_a_slow_service_counts() {
        let times = |wall, processor| {
            let seconds = Duration::from_secs;
            Times { wall: seconds(wall), processor: seconds(processor) }
        };
        let mut own = command(&[], 1, Limits::default());
        own.started = times(10, 10);
        let time = |own: &Watch, now| own.taken(now).time.as_secs();
        assert_eq!((time(&own, times(30, 90)), time(&own, times(90, 30))), (20, 20));
    }

    #[test]
    fn more_time_may_be_taken_for_more_records() {
        let gib = 1 << 30;
        for (organizations, opened, expected) in
            [(1, 0, 60), (2, 0, 120), (1, 1 << 20, 60), (1, gib, 360), (2, 3 * gib, 1_020)]
        {
            let time = Limits::default().time(organizations, opened);
            assert_eq!(time.as_secs(), expected, "{organizations} {opened}");
        }
        let endless = Limits::default().time(u32::MAX, u64::MAX);
        assert!(endless > Duration::from_secs(1 << 40), "and nothing overflows");
    }

    #[test]
    fn the_cause_is_that_of_the_work() {
        for (work, cause) in [
            (READING_RECORDS, "the records do not end, or are about very many different requests"),
            ("checking the documents", "mostly patterns with many wildcards, very many teams or"),
        ] {
            let own = command(&[work], 1, Limits::default());
            let taken = Taken { time: Duration::from_secs(61), memory: 0 };
            let failure = own.excess(taken, 0).unwrap();
            let hint = failure.hint.unwrap_or_default();
            assert!(hint.starts_with(cause) && hint.contains(TIME), "{hint}");
            assert!(own.excess(taken, 1 << 30).is_none(), "{work}");
        }
    }

    #[test]
    fn the_limits_are_positive_numbers() {
        for variable in [MEMORY, TIME] {
            for value in ["much", "0", "-1", "1.5"] {
                let environment = Environment::from_variables([(variable, value)]);
                let failure = Limits::new(&environment).unwrap_err();
                let says = format!("`{variable}` is `{value}`");
                assert_eq!((failure.exit, failure.message), (Exit::Usage, says));
            }
        }
        let limits =
            Limits::new(&Environment::from_variables([(MEMORY, "7"), (TIME, "8")])).unwrap();
        assert_eq!((limits.memory(), limits.time(3, 1 << 40).as_secs()), (7, 8));
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
