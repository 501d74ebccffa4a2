//! The shape of the source: imports go one way, and nothing ties it to where its packages come from.

use std::fs;
use std::path::{Path, PathBuf};

use crate::examples::repository;

/// The modules in order: each may use those that stand below it, and none above. `render::sanitize` uses nothing, and
/// whoever holds foreign text may call it. `access` is a crate of its own below all of them.
const ORDER: [&str; 19] = [
    "cli",
    "render",
    "execute",
    "emulator",
    "service",
    "drift",
    "import",
    "plan",
    "evidence",
    "check",
    "trial",
    "format",
    "document",
    "model",
    "source",
    "diagnostic",
    "exit",
    "json",
    "render::sanitize",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() {
            let skipped = ["target", ".git", ".seawall"];
            if !skipped.iter().any(|skipped| name == *skipped) {
                files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// The position of what a path names, by its longest entry in [`ORDER`].
fn rank(path: &str) -> Option<usize> {
    let names = |module: &str| path == module || path.starts_with(&format!("{module}::"));
    ORDER.iter().rposition(|module| names(module))
}

/// What a line of code imports from this crate, and what may stand behind it.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|character: char| !(character.is_alphanumeric() || "_:".contains(character)));
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn imports_go_one_way() {
    let root = repository("src");
    let mut sources = Vec::new();
    files(&root, &mut sources);
    let mut upward = Vec::new();
    for file in &sources {
        let module = file.strip_prefix(&root).unwrap().with_extension("").to_string_lossy().replace(['/', '\\'], "::");
        let module = module.trim_end_matches("::mod");
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let own = rank(module).unwrap_or_else(|| panic!("`{module}` has no place in the order of modules"));
        for (number, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
            for import in imports(line) {
                let top = module.split("::").next() == import.split("::").next()
                    || import.split("::").next() == Some("access");
                let used = rank(import);
                if !top && used.is_none_or(|used| used < own) {
                    upward.push(format!("{}:{}: `{module}` uses `{import}`", file.display(), number + 1));
                }
            }
        }
    }
    assert!(sources.len() > 50 && upward.is_empty(), "\n{}", upward.join("\n"));
}

#[test]
fn no_file_names_where_packages_come_from() {
    let hosts = [
        ["crates", "io"],
        ["npmjs", "org"],
        ["pypi", "org"],
        ["pythonhosted", "org"],
        ["golang", "org"],
        ["debian", "org"],
    ];
    let hosts: Vec<String> = hosts.iter().map(|labels| labels.join(".")).collect();
    let mut all = Vec::new();
    files(&repository("."), &mut all);
    // The lock file is written by cargo.
    for file in all.iter().filter(|file| file.file_name().is_some_and(|name| name != "Cargo.lock")) {
        let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
        for host in &hosts {
            assert!(!text.contains(host.as_str()), "{} names {host}", file.display());
        }
    }
}
