//! Runs of a benchmark in processes of their own, so that the peak of memory of each is its own,
//! and the documents that they read.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The first argument of a process that measures one run.
const MEASURE: &str = "--measure";

/// This program again, to measure one run of what the arguments added to it name.
pub(crate) fn measure() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(MEASURE);
    command
}

/// What this process measures; `None` for the one that was started by hand.
pub(crate) fn measured() -> Option<Vec<String>> {
    let mut arguments = std::env::args().skip(1);
    arguments.next().filter(|first| first == MEASURE).map(|_| arguments.collect())
}

/// Returns `true` if a case is to be run: all are, or those whose names hold the argument.
pub(crate) fn is_wanted(name: &str) -> bool {
    let wanted = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    wanted.is_none_or(|wanted| name.contains(&wanted))
}

/// Creates a folder with the settings of a workspace for the organization `acme`.
pub(crate) fn workspace(folder: &Path) {
    fs::create_dir(folder).unwrap();
    fs::write(
        folder.join("seawall.yaml"),
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\n",
    )
    .unwrap();
}

/// The hosts of a rule: a name with a port that an edit changes, and a pattern.
pub(crate) fn hosts(policy: u64, number: u64, version: u8) -> [String; 2] {
    [
        format!("service-{number}.v{version}.team-{policy}.example.com:443"),
        format!("**.cdn-{number}-{policy}.example.com"),
    ]
}

/// The numbers that a process prints.
pub(crate) fn numbers(command: &mut Command) -> Vec<u64> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// The most memory that this process has had, in bytes; 0 where the system does not tell.
pub(crate) fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0)
        * 1024
}
