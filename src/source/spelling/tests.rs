use proptest::prelude::*;

use super::Spelling;
use crate::diagnostic::Files;
use crate::source::parse;

/// The text at `a` of a file with its spelling; `None` if it has no spelling.
fn spelled(source: &str) -> Option<(String, Option<Spelling>)> {
    let mut files = Files::default();
    let file = files.add("a.yaml", "a.yaml", source);
    let mut findings = Vec::new();
    let parsed = parse(file, source, &mut findings);
    let tree = parsed.documents.into_iter().next()?;
    let text = tree.value.get("a")?.as_str()?.to_owned();
    let spelling = Spelling::trace(&text, source, &tree.places.get("/a")?.span());
    Some((text, spelling))
}

/// Each style with its difficulties. `X` marks the place to find, with its line and column.
#[test]
fn a_place_is_found_in_every_style() {
    for (name, source, place) in [
        // on one line
        ("plain", "a: one X\n", (1, 8)),
        ("plain below its key", "a:\n  one\n  two X\n", (3, 7)),
        ("plain, folded over an empty line", "a: one\n\n   two X\n", (3, 8)),
        ("single", "a: 'one X'\n", (1, 9)),
        ("single, a quote", "a: 'it''s X'\n", (1, 11)),
        ("single, folded", "a: 'one \n\n  two\n  X'\n", (4, 3)),
        ("double", "a: \"one X\"\n", (1, 9)),
        ("double, escapes", "a: \"\\\"o\\u006ee\\\"\\n\\tX\"\n", (1, 21)),
        ("double, two halves", "a: \"\\ud83d\\ude00 X\"\n", (1, 18)),
        ("double, an escaped line end", "a: \"one \\\n    two\\\r\n  X\"\n", (3, 3)),
        ("double, folded", "a: \"one\n  two\n\n  X\"\n", (4, 3)),
        ("flow", "{b: 1, a: \"one X\", c: 2}\n", (1, 16)),
        // blocks
        ("literal", "a: |\n  one\n   two X\n", (3, 8)),
        ("strip", "a: |-\n  one\n  X\n\n", (3, 3)),
        ("keep", "a: |+\n  one\n  X\n\n\n", (3, 3)),
        ("indented", "a: |2\n    one\n  X\n", (3, 3)),
        ("indented and stripped", "a: |3-\n     one\n\n    X\n", (4, 5)),
        ("a comment behind the mark", "a: | # why\n  one\n  X\n", (3, 3)),
        ("empty lines in front", "a: |\n\n \n  one\n  X\n", (5, 3)),
        ("lines of blanks", "a: |\n  one\n      \n  X\n", (4, 3)),
        ("no line end at the end", "a: |\n  one X", (2, 7)),
        ("tabs", "a: |\n  \tone\n  \t\tX\n", (3, 5)),
        ("folded", "a: >\n  one\n  two X\n", (3, 7)),
        ("folded, empty lines", "a: >\n  one\n\n\n  two X\n", (5, 7)),
        ("folded, deeper lines", "a: >\n  one\n    two\n    X\n  three\n", (4, 5)),
        ("folded and kept", "a: >+\n  one\n  X\n\n", (3, 3)),
        ("folded and stripped", "a: >-\n  one\n  X", (3, 3)),
        ("folded and indented", "a: >1\n  one\n X\n", (3, 2)),
        // other line ends, other letters, a byte order mark
        ("Windows, literal", "a: |\r\n  one\r\n\r\n  X\r\n", (4, 3)),
        ("Windows, folded", "a: >\r\n  one\r\n  two X\r\n", (3, 7)),
        ("Windows, plain", "a: one\r\n  X\r\n", (2, 3)),
        ("letters, literal", "a: |\n  öñé 😀\n  ü X\n", (3, 5)),
        ("letters, folded", "a: >\n  öñé\n  ü X\n", (3, 5)),
        ("byte order mark", "\u{feff}a: one X\n", (1, 8)),
        ("byte order mark, literal", "\u{feff}a: |\n  é X\n", (2, 5)),
        // an anchor, and a deeper place
        ("anchor", "a: &x |\n  one\n  X\n", (3, 3)),
    ] {
        let (text, spelling) =
            spelled(source).unwrap_or_else(|| panic!("{name} is YAML with a text"));
        let spelling = spelling.unwrap_or_else(|| panic!("{name} has a spelling of {text:?}"));
        let at = text.find('X').expect("the text holds the mark");
        let found = spelling.place(&(at..at + 1));
        assert_eq!(source.get(found.clone()), Some("X"), "{name}");
        let mut files = Files::default();
        let file = files.add("a.yaml", "a.yaml", source);
        let found = files.get(file).place(&found);
        assert_eq!(
            (found.line, found.column, found.end_column),
            (place.0, place.1, place.1 + 1),
            "{name}"
        );
    }
}

#[test]
fn nothing_behind_the_text_is_behind_its_last_visible_character() {
    for source in [
        "a: |\n  one;\n\nb: 1\n",
        "a: >+\n  one;\n\n\n",
        "a: \"one; \\n\"\n",
        "a: one;\n",
        "a: |\n  one;",
    ] {
        let (text, spelling) = spelled(source).expect(source);
        let found = spelling.expect(source).place(&(text.len()..text.len()));
        assert_eq!(
            source.get(..found.start).map(|before| before.ends_with("one;")),
            Some(true),
            "{source:?}"
        );
    }
}

#[test]
fn what_stands_elsewhere_has_no_spelling() {
    assert_eq!(spelled("b: &x one two\na: *x\n"), Some(("one two".to_owned(), None)));
}

/// Scalars of every style, of words, blanks, line ends, quotes, escapes and letters.
fn sources() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "a", "permit", " ", "  ", "\t", "'", "''", "\"", "\\\"", "\\n", "\\u00e9", "\\", "é", "😀",
        "#", ";", "//", ":", "\n", "\n\n", "\n ",
    ]);
    let body = prop::collection::vec(words, 1..14).prop_map(|words| words.concat());
    let mark = prop::sample::select(vec![
        "", "'", "\"", "|", "|-", "|+", ">", ">-", ">+", "|1", ">2", "|2-", "|+3",
    ]);
    let indent = 1..5_usize;
    let line_end = prop::sample::select(vec!["\n", "\r\n"]);
    let before = prop::sample::select(vec!["", "\u{feff}", "# why\n"]);
    let after = prop::sample::select(vec!["", "\n", "\nb: 1\n", "\n\n\nb: 1\n", "\n  \n"]);
    (body, mark, indent, line_end, before, after).prop_map(
        |(body, mark, indent, line_end, before, after)| {
            let lines = body.replace('\n', &format!("\n{}", " ".repeat(indent)));
            let value = match mark {
                "" => lines,
                "'" | "\"" => format!("{mark}{lines}{mark}"),
                _ => format!("{mark}\n{}{lines}", " ".repeat(indent)),
            };
            format!("{before}a: {value}{after}").replace('\n', line_end)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Every character of a text is at its place in the file, or at its source: a line end, an
    /// escape.
    #[test]
    fn every_character_stands_where_it_was_written(source in sources()) {
        // A value that is not text has no spelling, and text of blanks only has no place.
        let found = spelled(&source).filter(|(text, _)| !text.trim().is_empty());
        let Some((text, spelling)) = found else { return Ok(()) };
        let Some(spelling) = spelling else { return Err(TestCaseError::fail(format!("no spelling of {text:?}"))) };
        let mut last = 0;
        for (at, character) in text.char_indices() {
            let place = spelling.start(at)..spelling.end(at + character.len_utf8());
            let written = source.get(place.clone()).unwrap_or_default();
            let verbatim = written.strip_prefix(character) == Some("");
            let line_end = matches!(character, '\n' | ' ') && matches!(written, "\n" | "\r\n");
            let missing = character == '\n' && place.start == source.len();
            let escape = written.starts_with('\\') || written == "''";
            prop_assert!(verbatim || line_end || missing || escape, "{character:?} of {text:?} at {written:?}");
            prop_assert!(place.start >= last, "{text:?}");
            last = place.end;
        }
    }
}
