//! The language of messages: plain English, in the words of the glossary.

use std::fs;
use std::path::Path;

use crate::examples::repository;

/// Phrases that no message holds, each with what to write.
const HABITS: [(&str, &str); 21] = [
    (" is no ", "is not a …"),
    (" are no ", "are not …"),
    ("in vain", "without effect"),
    ("answered otherwise", "whose result changes"),
    ("as the documents say", "matches the documents"),
    ("declared nowhere", "not declared"),
    ("may stand together", "exclude each other"),
    ("stands here", "is here"),
    ("made anew", "created again"),
    ("approved anew", "approved again"),
    ("found done", "already applied"),
    ("nobody knows", "it is unknown"),
    (" anew", "again"),
    ("on the way,", "in an intermediate state,"),
    ("told apart", "distinguished"),
    ("looked at", "checked"),
    ("what is proposed", "the proposal"),
    ("passed over", "skipped"),
    ("the other way round", "differently"),
    ("taken back", "restored"),
    ("on purpose that", "explicitly"),
];

/// What is fine in English.
const FINE: [&str; 6] =
    ["there is no ", "there are no ", "is no longer", "are no longer", "is no more", "is no room"];

/// The string literals of a source, as they are written; comments, characters and raw strings with
/// marks aside.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in source.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
        let mut rest = line.replace("\\\"", "'").replace("'\"'", "");
        while let Some((_, tail)) = rest.clone().split_once('"') {
            let (literal, tail) = tail.split_once('"').unwrap_or((tail, ""));
            found.push(literal.to_owned());
            rest = tail.to_owned();
        }
    }
    found
}

fn habits(literal: &str) -> Vec<&'static str> {
    let mut text = literal.to_lowercase();
    for fine in FINE {
        text = text.replace(fine, "");
    }
    HABITS.iter().filter(|(habit, _)| text.contains(habit)).map(|(_, better)| *better).collect()
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push((entry.display().to_string(), fs::read_to_string(&entry).unwrap()));
        }
    }
}

#[test]
fn messages_are_plain_english() {
    let mut files = Vec::new();
    sources(&repository("src"), &mut files);
    sources(&repository("crates/seawall-access/src"), &mut files);
    sources(&repository("crates/seawall-emulator/src"), &mut files);
    let mut wrong = Vec::new();
    for (path, source) in &files {
        for literal in literals(source) {
            wrong.extend(
                habits(&literal)
                    .iter()
                    .map(|better| format!("{path}: \"{literal}\": write `{better}`")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_habit_is_found() {
    let source =
        "// this is no message\nfail(\"`x` is no host\"); say(\"there is no workspace\");\n";
    let found: Vec<_> = literals(source).iter().flat_map(|literal| habits(literal)).collect();
    assert_eq!(found, ["is not a …"]);
}
