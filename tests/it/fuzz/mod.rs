//! Texts and bytes that nobody would write, given to everything that reads what others wrote: no
//! panic, no hang, no memory without end.
//!
//! The inputs of a target begin with its corpus in `tests/fuzz/TARGET/`, one file an input. Each is
//! tried as it is, then changed at random, from a fixed seed. An input whose outcome was not seen
//! before is kept and changed further, which leads deeper without a compiler that measures
//! coverage. Each test tries a few hundred inputs; with `SEAWALL_FUZZ_SECONDS` it goes on for so
//! long, from a seed of its own, and prints what was slow:
//!
//! ```text
//! SEAWALL_FUZZ_SECONDS=600 cargo test --locked --test it -- fuzz::documents --nocapture
//! ```
//!
//! An input that fails is written to the temporary folder of the machine, and named. It belongs
//! into the corpus.

mod mutate;
mod targets;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use mutate::Mutator;

/// Inputs of a test, beside the corpus.
const INPUTS: usize = 300;
/// The same where each takes long.
const FEW: usize = 40;
/// More bytes than this are cut off.
const LONGEST: usize = 16 << 10;
/// Inputs that are kept because their outcome was new.
const KEPT: usize = 4_000;
/// The time that one input may take where the test looks for slow ones, on a machine that does
/// something else meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tries so many inputs of a target, or for as long as the environment says. The target returns the
/// outcome in short, without what an input chooses freely.
fn fuzz(name: &str, inputs: usize, target: impl Fn(&[u8]) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut pool: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(!pool.is_empty(), "a target has a corpus");
    let seconds = std::env::var("SEAWALL_FUZZ_SECONDS").ok().map(|text| text.parse().unwrap());
    let deadline = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let seed = if deadline.is_some() { u64::from(std::process::id()) } else { 1 };
    let mut mutator = Mutator::new(seed);
    let (mut tried, mut outcomes, mut slowest) = (0_usize, BTreeSet::new(), Vec::new());
    let corpus = pool.len();
    loop {
        let input = match pool.get(tried).filter(|_| tried < corpus) {
            Some(whole) => whole.clone(),
            None => mutator.change(&pool, LONGEST),
        };
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&input)));
        let took = started.elapsed();
        let file = |what: &str| {
            let file = std::env::temp_dir().join(format!("seawall-fuzz-{name}-{what}"));
            std::fs::write(&file, &input).unwrap();
            file.display().to_string()
        };
        let outcome =
            outcome.unwrap_or_else(|_| panic!("{name}, input {tried} panics: {}", file("panic")));
        assert!(
            deadline.is_none() || took < PATIENCE,
            "{name}, input {tried} takes {took:?}: {}",
            file("slow")
        );
        if deadline.is_some() && slowest.last().is_none_or(|(longest, _)| took > *longest) {
            slowest.push((took, file(&format!("slow-{}", slowest.len()))));
        }
        if outcomes.insert(outcome) && tried >= corpus && pool.len() < KEPT {
            pool.push(input);
        }
        tried += 1;
        if deadline.map_or(tried >= corpus + inputs, |deadline| Instant::now() >= deadline) {
            break;
        }
    }
    if let Some((longest, file)) = slowest.last() {
        let outcomes = outcomes.len();
        let line = format!(
            "{name}: {tried} inputs, {outcomes} outcomes; the slowest took {longest:?}: {file}\n"
        );
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
}

#[test]
fn documents() {
    fuzz("documents", INPUTS, targets::document);
}

#[test]
fn settings() {
    fuzz("settings", INPUTS, targets::settings);
}

#[test]
fn patterns() {
    fuzz("patterns", FEW, targets::patterns);
}

#[test]
fn cedar() {
    fuzz("cedar", INPUTS, targets::cedar);
}

#[test]
fn plans() {
    fuzz("plans", INPUTS, targets::plan);
}

#[test]
fn snapshots() {
    fuzz("snapshots", INPUTS, targets::snapshot);
}

#[test]
fn records() {
    let folder = tempfile::tempdir().unwrap();
    fuzz("records", INPUTS, |input| targets::records(folder.path(), input));
}

#[test]
fn pasted_records() {
    fuzz("pasted", INPUTS, targets::pasted);
}

#[test]
fn faults() {
    fuzz("faults", INPUTS, targets::fault);
}

#[test]
fn requests() {
    fuzz("requests", INPUTS, targets::request);
}

#[test]
fn answers_of_docker() {
    let service = targets::Service::start();
    fuzz("answers", FEW, |input| service.docker(input));
}

#[test]
fn answers_of_vijil() {
    let service = targets::Service::start();
    fuzz("answers-vijil", FEW, |input| service.vijil(input));
}

#[test]
fn pages_of_the_audit_log() {
    let service = targets::Service::start();
    fuzz("audit-pages", FEW, |input| service.audit(input));
}
