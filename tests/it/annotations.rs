//! Findings as workflow commands, read as GitHub's runner reads them: one annotation a finding,
//! whatever it quotes.

use std::path::Path;

use proptest::prelude::*;
use seawall::diagnostic::{Diagnostic, Findings, Label};
use seawall::render::github;

/// Names and values.
type Properties = Vec<(String, String)>;

/// A line as the runner takes it: the command, its properties and its message, decoded.
fn command(line: &str) -> Option<(String, Properties, String)> {
    let (head, message) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let decoded = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    let property = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key.to_owned(), decoded(&value.replace("%3A", ":").replace("%2C", ",")))
    };
    Some((name.to_owned(), properties.split(',').map(property).collect(), decoded(message)))
}

fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "::add-mask::x",
        "\n",
        "\r\n",
        "%0A",
        "%0a::error::",
        "%25",
        "::",
        ",",
        "file=x",
        "##[error]x",
        "a",
        "ü",
        "\u{202e}",
        "\u{1b}[2J",
        "\u{2028}::stop-commands::x",
        " ",
        ":",
        "=",
        "\\",
        "../",
        "\t",
    ]);
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_finding_is_one_annotation_and_nothing_else(message in hostile(), help in hostile(), name in hostile(), text in hostile()) {
        let mut findings = Findings::default();
        let file = findings.files.add(name.clone(), Path::new("/checkout").join(&name), format!("{text}\nx: y\n"));
        let finding = Diagnostic::error("unknown-key", message.clone()).help(help).at(Label::new(file, 0..1));
        findings.diagnostics.push(finding);
        let shown = github::commands(&findings, Path::new("/checkout"), None);
        prop_assert_eq!(shown.lines().count(), 1, "{}", shown);
        let acts = shown.contains("##[") || shown.contains(['\r', '\u{1b}', '\u{202e}', '\u{2028}']);
        prop_assert!(shown.ends_with('\n') && !acts, "{}", shown);
        let (name, properties, said) = command(&shown).unwrap();
        let keys: Vec<&str> = properties.iter().map(|(key, _)| key.as_str()).collect();
        prop_assert_eq!(name, "error");
        prop_assert!(keys.starts_with(&["title", "file", "line", "endLine"]) && keys.len() <= 6, "{}", shown);
        prop_assert_eq!(&properties[0].1, "seawall unknown-key");
        // What a person reads still says what was said, escapes aside.
        let plain = |text: &str| text.chars().filter(|character| character.is_alphanumeric()).collect::<String>();
        let start: String = plain(message.split(['\r', '\u{1b}', '\u{202e}', '\u{2028}', '#']).next().unwrap());
        prop_assert!(plain(&said).starts_with(&start), "{}", shown);
    }
}
