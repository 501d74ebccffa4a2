//! What validating costs: it grows with the documents, not with their square.
//!
//! `files` checks files of ten rules each by themselves, 100 and 1,000 of them; `full` loads a workspace of the service's
//! full size (100 policies of 250 rules).

#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark that cannot go on fails")]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use divan::Bencher;
use seawall::check::{self, Emptiness};
use seawall::diagnostic::Findings;
use tempfile::TempDir;

fn main() {
    divan::main();
}

fn policy(index: usize, rules: usize) -> String {
    let mut text = format!(
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Policy {index}\ndescription: One of many.\n\
         scope:\n  teams: [team-{index}]\nrules:\n"
    );
    for rule in 0..rules {
        write!(
            text,
            "  - name: allow service {rule}\n    decision: allow\n    actions: [connect:tcp]\n    resources:\n      \
             - service-{rule}.team-{index}.example.com:443\n      - \"**.cdn-{rule}.example.com\"\n      - 10.{}.{rule}.0/24\n",
            index % 256
        )
        .unwrap();
    }
    text
}

fn files(count: usize, rules: usize) -> (TempDir, Vec<PathBuf>) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\n")
        .unwrap();
    let paths = (0..count).map(|index| {
        let path = folder.path().join(format!("{index}.yaml"));
        fs::write(&path, policy(index, rules)).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

#[divan::bench(args = [100, 1_000])]
fn files_of_ten_rules(bencher: Bencher<'_, '_>, count: usize) {
    let (_folder, paths) = files(count, 10);
    bencher.bench_local(|| {
        let mut findings = Findings::default();
        check::check_files(&paths, &mut findings);
        assert!(findings.diagnostics.is_empty(), "{:?}", findings.diagnostics.first());
    });
}

#[divan::bench]
fn full_size(bencher: Bencher<'_, '_>) {
    let (folder, _) = files(100, 250);
    bencher.bench_local(|| {
        check::load(folder.path(), None, Emptiness::Refused).map_err(|findings| findings.diagnostics).unwrap()
    });
}
