//! Runs of a benchmark in processes of their own, so that the peak of memory of each is its own.

use std::fs;
use std::process::Command;

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
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}
