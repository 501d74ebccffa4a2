//! The shape of the source: imports go one way, and nothing ties it to where its packages come
//! from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::examples::repository;

/// The modules in order: each may use those that stand below it, and none above. `access` and
/// `emulator` are crates of their own below all of them.
const ORDER: [&str; 20] = [
    "cli",
    "render",
    "report",
    "execute",
    "seed",
    "service",
    "drift",
    "import",
    "plan",
    "evidence",
    "workspace",
    "check",
    "trial",
    "format",
    "document",
    "model",
    "source",
    "diagnostic",
    "exit",
    "json",
];

/// Modules that know nothing of each other, although the order would let the first use the second:
/// planning starts from the model, however that was written down.
const APART: [(&str, &str); 3] =
    [("plan", "document"), ("evidence", "document"), ("trial", "document")];

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

/// A module as its names from the crate down.
type Module = Vec<String>;

/// The code of every module, without comments, texts and unit tests.
fn modules(folder: &str) -> BTreeMap<Module, String> {
    let root = repository(folder);
    let mut sources = Vec::new();
    files(&root, &mut sources);
    let module = |file: &PathBuf| {
        let path = file.strip_prefix(&root).unwrap().with_extension("");
        let mut names: Module =
            path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        names.retain(|name| !["mod", "lib", "main"].contains(&name.as_str()));
        (names, code(&fs::read_to_string(file).unwrap()))
    };
    let is_code = |file: &&PathBuf| {
        let is_of_tests = file.with_extension("").iter().any(|name| name == "tests");
        file.extension().is_some_and(|extension| extension == "rs") && !is_of_tests
    };
    sources.iter().filter(is_code).map(module).collect()
}

/// The text without comments, texts and what only tests compile: what is left of a line does not
/// matter, as long as paths stay.
fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == "#[cfg(test)]" {
            // The item ends with its head, or with a brace at the same indentation.
            let head = lines.find(|line| line.ends_with([';', '{', '}']));
            if head.is_some_and(|head| head.ends_with('{')) {
                let end = line.replace("#[cfg(test)]", "}");
                let _ = lines.find(|line| *line == end);
            }
            continue;
        }
        let line = line.split("//").next().unwrap_or_default();
        kept.extend(line.split('"').step_by(2).chain(["\n"]));
    }
    kept
}

/// All paths of a `use` tree.
fn expanded(tree: &str) -> Vec<String> {
    let Some((before, inner)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or_default().split_whitespace().collect()];
    };
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    let (mut paths, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                paths.extend(
                    expanded(&inner[start..at])
                        .iter()
                        .map(|path| format!("{}{path}", before.trim())),
                );
                start = at + 1;
            }
            _ => {}
        }
    }
    paths
}

/// The paths that code names: those of its `use` declarations, and those from `crate`, `super` and
/// `self` elsewhere.
fn paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = String::new();
    for (number, statement) in code.split(';').enumerate() {
        let declaration = statement.rfind("use ").filter(|at| {
            let before = statement[..*at].trim_end();
            before.is_empty() || before.ends_with(['}', '{', ']', ')']) || before.ends_with("pub")
        });
        match declaration {
            Some(at) => {
                paths.extend(expanded(&statement[at + "use ".len()..]));
                rest.push_str(&statement[..at]);
            }
            None => rest.push_str(statement),
        }
        rest.push_str(if number == 0 { ";" } else { "; " });
    }
    let is_part = |character: char| character.is_alphanumeric() || "_:".contains(character);
    let words = rest.split(|character: char| !is_part(character));
    let own = words.filter(|word| {
        ["crate::", "super::", "self::"].iter().any(|start| word.starts_with(start))
    });
    paths.extend(own.map(str::to_owned));
    paths
}

/// The module that a path in a module leads to; `None` for what is of another crate.
fn resolved(module: &Module, path: &str, modules: &BTreeMap<Module, String>) -> Option<Module> {
    let mut names: Vec<&str> = path.split("::").filter(|name| !name.is_empty()).collect();
    let mut base = module.clone();
    match *names.first()? {
        "crate" => {
            base.clear();
            names.remove(0);
        }
        "super" | "self" => {
            while let Some(first) = names.first().filter(|name| ["super", "self"].contains(name)) {
                if *first == "super" {
                    base.pop();
                }
                names.remove(0);
            }
        }
        child => {
            let child: Module = base.iter().cloned().chain([child.to_owned()]).collect();
            modules.get(&child)?;
        }
    }
    base.extend(names.into_iter().map(str::to_owned));
    while !modules.contains_key(&base) {
        base.pop()?;
    }
    Some(base)
}

/// Which module uses which other.
fn uses(folder: &str) -> BTreeSet<(Module, Module)> {
    let modules = modules(folder);
    let of_one = |(module, code): (&Module, &String)| {
        let used: Vec<Module> =
            paths(code).iter().filter_map(|path| resolved(module, path, &modules)).collect();
        used.into_iter().map(|used| (module.clone(), used)).collect::<Vec<_>>()
    };
    modules.iter().flat_map(of_one).filter(|(module, used)| module != used).collect()
}

#[test]
fn imports_go_one_way() {
    let uses = uses("src");
    let mut upward = Vec::new();
    for (module, used) in uses.iter().filter(|(module, used)| module.first() != used.first()) {
        let (module, used) = (module.join("::"), used.join("::"));
        if module.is_empty() || used.is_empty() {
            continue;
        }
        let own = rank(&module)
            .unwrap_or_else(|| panic!("`{module}` has no place in the order of modules"));
        let is_apart =
            |(own, other): &(&str, &str)| module.starts_with(own) && used.starts_with(other);
        if rank(&used).is_none_or(|used| used < own) || APART.iter().any(is_apart) {
            upward.push(format!("`{module}` uses `{used}`"));
        }
    }
    assert!(uses.len() > 500 && upward.is_empty(), "{} uses\n{}", uses.len(), upward.join("\n"));
}

#[test]
fn no_modules_use_each_other_in_a_circle_at_any_depth() {
    for folder in ["src", "crates/seawall-access/src", "crates/seawall-emulator/src"] {
        let mut children: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (module, used) in uses(folder) {
            let shared = module.iter().zip(&used).take_while(|(one, other)| one == other).count();
            if let (Some(child), Some(other)) = (module.get(shared), used.get(shared)) {
                let uses = children.entry(module[..shared].join("::")).or_default();
                uses.entry(child.clone()).or_default().insert(other.clone());
            }
        }
        assert!(children.len() > 2, "{folder}: {children:?}");
        let mut circles = Vec::new();
        for (parent, mut uses) in children {
            // Whoever uses none of those that are left is no part of a circle.
            loop {
                let left: BTreeSet<String> = uses.keys().cloned().collect();
                uses.retain(|_, used| used.iter().any(|used| left.contains(used)));
                if uses.len() == left.len() {
                    break;
                }
            }
            if !uses.is_empty() {
                circles.push(format!("`{parent}`: {uses:?}"));
            }
        }
        assert!(circles.is_empty(), "{folder}: {}", circles.join("\n"));
    }
}

#[test]
fn paths_are_found_and_resolved() {
    let text = "use std::fs;\npub use self::a::{A, b::{self, B as C}};\nuse super::{c, d::D};\n\
                fn f() { crate::e::g(\"crate::text\"); } // crate::comment\n";
    // What only tests compile is left out, and nothing behind it.
    let text = format!(
        "#[cfg(test)]\npub mod proof;\n{text}#[cfg(test)]\nmod tests {{\n    use a::T;\n}}\nuse super::f;\n"
    );
    let found = paths(&code(&text));
    let expected = [
        "std::fs",
        "self::a::A",
        "self::a::b::self",
        "self::a::b::B",
        "super::c",
        "super::d::D",
        "super::f",
        "crate::e::g",
    ];
    assert_eq!(found, expected);
    let name = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let modules: BTreeMap<Module, String> =
        ["m", "m::x", "m::x::a", "m::d", "e"].map(|path| (name(path), String::new())).into();
    let table = [
        ("self::a::A", Some("m::x::a")),
        ("a::A", Some("m::x::a")),
        ("super::d::D", Some("m::d")),
        ("super::Item", Some("m")),
        ("crate::e::g", Some("e")),
        ("std::fs", None),
    ];
    for (path, expected) in table {
        assert_eq!(resolved(&name("m::x"), path, &modules), expected.map(name), "{path}");
    }
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
    for file in all.iter().filter(|file| file.file_name().is_some_and(|name| name != "Cargo.lock"))
    {
        let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
        for host in &hosts {
            assert!(!text.contains(host.as_str()), "{} names {host}", file.display());
        }
    }
}
