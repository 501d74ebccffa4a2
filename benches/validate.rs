//! The cost of validating, beside two programs that only read YAML and check it against the same
//! schema.
//!
//! `boon-cli` and `check-jsonschema` are installed into the target folder where they are missing,
//! and run in turns with `seawall validate` on the same 1,000 files of ten rules. `seawall` takes
//! no longer than the first, and a twentieth of the second. Of several runs the fastest counts:
//! what others do on the machine can only slow it down. That the cost grows with the documents
//! shows in a tenth of the files, and `--help` shows what starting costs.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints and stops"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const FILES: usize = 1_000;
const RULES: usize = 10;
const RUNS: usize = 11;
const SEAWALL: &str = env!("CARGO_BIN_EXE_seawall");
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/seawall.schema.json");
const MOST_START: Duration = Duration::from_millis(20);

fn main() {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("validators");
    let folder = TempDir::new().unwrap();
    let files: Vec<PathBuf> = (0..FILES).map(|number| policy(folder.path(), number)).collect();
    let few = files.get(..FILES / 10).unwrap();

    let (boon, check_jsonschema) = (boon(&tools), check_jsonschema(&tools));
    let [mut start, mut own, mut own_few, mut of_boon] = [Duration::MAX; 4];
    for _ in 0..RUNS {
        start = start.min(time(Command::new(SEAWALL).arg("--help")));
        own = own.min(time(Command::new(SEAWALL).arg("validate").args(&files)));
        of_boon = of_boon.min(time(Command::new(&boon).args(["--quiet", SCHEMA]).args(&files)));
        own_few = own_few.min(time(Command::new(SEAWALL).arg("validate").args(few)));
    }
    println!("seawall --help                        {start:>9.1?}");
    println!("seawall validate, {:>5} files         {own_few:>9.1?}", few.len());
    println!("seawall validate, {FILES:>5} files         {own:>9.1?}");
    println!(
        "boon, {FILES:>5} files                     {of_boon:>9.1?}  {:.2} times",
        times(of_boon, own)
    );
    let slowest = check_jsonschema.map(|program| {
        let once =
            || time(Command::new(&program).args(["--quiet", "--schemafile", SCHEMA]).args(&files));
        once().min(once())
    });
    match slowest {
        Some(slowest) => {
            println!(
                "check-jsonschema, {FILES:>5} files         {slowest:>9.1?}  {:.2} times",
                times(slowest, own)
            );
        }
        None => println!(
            "check-jsonschema: not compared, for there is no Python that it could be installed with"
        ),
    }

    assert!(start < MOST_START, "`--help` takes at most {MOST_START:?}");
    assert!(own <= of_boon, "validating takes no longer than boon");
    assert!(
        slowest.is_none_or(|slowest| own * 20 <= slowest),
        "check-jsonschema takes at least 20 times as long"
    );
    assert!(own < own_few * 15, "the cost grows with the files");
}

fn times(of: Duration, own: Duration) -> f64 {
    of.as_secs_f64() / own.as_secs_f64()
}

/// # Panics
/// When the command fails: then it did not do the work that is measured.
fn time(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let output = command.output().unwrap();
    let taken = started.elapsed();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    taken
}

/// A validator in Rust that places nothing.
fn boon(tools: &Path) -> PathBuf {
    let program = tools.join("bin/boon");
    if !program.exists() {
        run(Command::new("cargo")
            .args(["install", "--quiet", "--locked", "boon-cli@0.6.2", "--root"])
            .arg(tools));
    }
    program
}

/// The validator that most projects have in pre-commit; `None` without Python.
fn check_jsonschema(tools: &Path) -> Option<PathBuf> {
    let environment = tools.join("python");
    let program = environment.join("bin/check-jsonschema");
    if !program.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).status();
        made.ok().filter(std::process::ExitStatus::success)?;
        run(Command::new(environment.join("bin/pip")).args([
            "install",
            "--quiet",
            "check-jsonschema==0.39.0",
        ]));
    }
    Some(program)
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?} failed");
}

fn policy(folder: &Path, number: usize) -> PathBuf {
    let mut text = format!(
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Policy {number}\ndescription: One of many.\n\
         scope:\n  teams: [team-{number}]\nrules:\n"
    );
    for rule in 0..RULES {
        write!(
            text,
            "  - name: allow service {rule}\n    decision: allow\n    actions: [connect:tcp]\n    resources:\n      \
             - service-{rule}.team-{number}.example.com:443\n      - \"**.cdn-{rule}.example.com\"\n      - 10.{}.{rule}.0/24\n",
            number % 256
        )
        .unwrap();
    }
    let path = folder.join(format!("{number}.yaml"));
    fs::write(&path, text).unwrap();
    path
}
