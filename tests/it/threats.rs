//! The page of threats names mechanisms and tests that are there.

use std::path::Path;

/// Returns `true` if a path such as `tests/it/files.rs`, or a module such as
/// `source::disk::Root::read`, exists.
fn exists(named: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "src", "crates/seawall-access/src", "crates/seawall-emulator/src"]
        .map(|folder| root.join(folder));
    if !named.contains("::") {
        return folders.iter().any(|folder| folder.join(named).exists());
    }
    // What stands behind a module is an item of it.
    let segments: Vec<&str> = named.split("::").collect();
    (1..=segments.len()).rev().any(|taken| {
        let (module, items) = segments.split_at(taken);
        let files = [module.join("/") + ".rs", module.join("/") + "/mod.rs"];
        let paths =
            folders.iter().flat_map(|folder| files.iter().map(move |file| folder.join(file)));
        let texts = paths.filter_map(|path| std::fs::read_to_string(path).ok()).collect::<Vec<_>>();
        texts.iter().any(|text| items.iter().all(|item| text.contains(item)))
    })
}

#[test]
fn every_mechanism_and_test_that_is_named_is_there() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/threat-model.md"))
            .unwrap();
    let is_ours = |code: &&str| {
        code.contains("::") && code.starts_with(char::is_lowercase) && !code.contains(' ')
            || code.starts_with("tests/")
            || code.ends_with(".rs")
    };
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_ours).collect();
    assert!(named.len() > 30, "{named:?}");
    let missing: Vec<&str> = named.into_iter().filter(|named| !exists(named)).collect();
    assert_eq!(missing, [""; 0]);
    // Each threat has a mechanism, and a test or a module that shows it.
    let rows =
        page.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 2);
    for row in rows
        .skip_while(|row| !row.starts_with("| threat |"))
        .filter(|row| !row.starts_with("| threat |"))
    {
        assert!(
            row.rsplit(" | ")
                .next()
                .is_some_and(|shown| shown.contains('`') || shown.contains("clippy")),
            "{row}"
        );
    }
}
