//! Tables of formatted documents, and invariants over random documents.

use proptest::prelude::*;

use super::*;
use crate::diagnostic::Files;

fn layout(text: &str) -> Layout {
    let mut files = Files::default();
    let file = files.add("a.yaml", "a.yaml", text);
    format(file, text, &mut Vec::new())
}

fn formatted(text: &str) -> String {
    match layout(text) {
        Layout::Text(new) => new,
        other @ (Layout::Foreign | Layout::Kept(_) | Layout::Broken) => panic!("{other:?}: {text}"),
    }
}

const HEAD: &str = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\n";

/// The formatted text below the head of a policy.
fn body(text: &str) -> String {
    let new = formatted(&format!("{HEAD}{text}"));
    new.strip_prefix(HEAD).unwrap_or_else(|| panic!("the head changed: {new}")).to_owned()
}

#[test]
fn keys_stand_in_the_order_of_the_documentation() {
    let text = "\
# yaml-language-server: $schema=x
kind: NetworkPolicy
rules:
- resources: [a.example.com]
  # Why allow.
  decision: allow
  actions: [connect:tcp]   # only this

  # The name.
  name: one
unknown: 1
scope: {teams: [t]}
# About the name.
name: p
apiVersion: seawall/v1
";
    assert_eq!(
        formatted(text),
        "\
# yaml-language-server: $schema=x
apiVersion: seawall/v1
kind: NetworkPolicy
# About the name.
name: p
scope: {teams: [t]}
rules:
  # The name.
  - name: one
    # Why allow.
    decision: allow
    actions: [connect:tcp]   # only this
    resources: [a.example.com]
unknown: 1
"
    );
}

#[test]
fn each_habit_has_an_answer() {
    let cases = [
        // Lists are below their key, and a level is two blanks.
        ("rules:\n- name: r\n", "rules:\n  - name: r\n"),
        (
            "scope:\n      teams:\n         - a\n         -   b\n",
            "scope:\n  teams:\n    - a\n    - b\n",
        ),
        // Brackets that fit stay, with standard blanks; others become lines.
        ("previously: [ a,b , ]\n", "previously: [a, b]\n"),
        ("previously: [\n  a,\n  b,\n]\n", "previously: [a, b]\n"),
        ("previously: [a, # one\n  b]\n", "previously:\n  - a # one\n  - b\n"),
        ("scope: { teams: [ ] }\n", "scope: {teams: []}\n"),
        ("previously: [ # none\n]\n", "previously: [] # none\n"),
        // Blank lines: at most one, none at the end.
        ("description: x\n\n\n\nrules: []\n\n\n", "description: x\n\nrules: []\n"),
        // Comments: as deep as the entry that they belong to.
        (
            "rules:\n# first\n  # second\n - name: r\n",
            "rules:\n  # first\n  # second\n  - name: r\n",
        ),
        (
            "rules:\n  - name: r\n  # - name: s\n# end\n",
            "rules:\n  - name: r\n  # - name: s\n# end\n",
        ),
        (
            "rules:\n- name: r\n# about the scope\nunknown: x\n",
            "rules:\n  - name: r\n# about the scope\nunknown: x\n",
        ),
        ("rules:\n   # - name: r\nunknown: x\n", "rules:\n  # - name: r\nunknown: x\n"),
        ("previously: # why\n- a\n", "previously: # why\n  - a\n"),
        ("description:\n      # why\n   text\n", "description:\n  # why\n  text\n"),
        ("description:\n   text\n", "description: text\n"),
        ("rules:\n -\n   # about r\n   name: r\n", "rules:\n  # about r\n  - name: r\n"),
        ("rules:\n - # about r\n   name: r\n", "rules:\n  - # about r\n    name: r\n"),
        // Columns of comments stay.
        (
            "description: x    # one\n                  # two\nrules: []\t# three\n",
            "description: x    # one\n                  # two\nrules: [] # three\n",
        ),
        ("description: x #\ttabs\tstay\n", "description: x #\ttabs\tstay\n"),
        // Texts of several lines: indented, otherwise unchanged.
        (
            "description: |  # why\n     one\n\n       two\n     three\nrules: []\n",
            "description: |  # why\n  one\n\n    two\n  three\nrules: []\n",
        ),
        ("description: |2\n    one\n   two\n", "description: |2\n    one\n   two\n"),
        ("description: |+\n one\n\n\nrules: []\n", "description: |+\n  one\n\n\nrules: []\n"),
        (
            "description: >-\n\n   one\n   two\n\n\n# end\nrules: []\n",
            "description: >-\n\n  one\n  two\n\n# end\nrules: []\n",
        ),
        ("description: one\n     two\n\n     three\n", "description: one\n  two\n\n  three\n"),
        (
            "description: \"one\n     two \\\n     three\"\n",
            "description: \"one\n  two \\\n  three\"\n",
        ),
        ("rules:\n- |\n one\n", "rules:\n  - |\n    one\n"),
        // Nothing at the end of the last line.
        ("description: |\n  one", "description: |\n  one\n"),
        ("rules: []", "rules: []\n"),
        // Quotes.
        (
            "description: 'x'\n\"previously\": [\"a\", 'b,c']\n",
            "previously: [a, \"b,c\"]\ndescription: x\n",
        ),
        // Keys with question marks, single values in braces, lists in lists.
        ("? rules\n: []\n", "rules: []\n"),
        ("unknown: [a: 1, {b: , c}]\n", "unknown: [{a: 1}, {b, c}]\n"),
        ("unknown:\n- - a\n  -  - b\n", "unknown:\n  - - a\n    - - b\n"),
        // Anchors keep their order.
        (
            "rules:\n- &r\n  decision: deny\n  name: r\n- *r\n",
            "rules:\n  - &r\n    decision: deny\n    name: r\n  - *r\n",
        ),
        (
            "unknown: &u   [a]\nother:\n  <<: {a: &b 1}\n  c: *b\n",
            "unknown: &u [a]\nother:\n  <<: {a: &b 1}\n  c: *b\n",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(body(text), expected, "{text}");
        assert_eq!(body(expected), expected, "again");
    }
}

#[test]
fn brackets_that_do_not_fit_become_lines() {
    let hosts: Vec<String> = (0..12).map(|index| format!("host-{index}.example.com")).collect();
    let text = format!("rules:\n  - resources: [{}] # all\n", hosts.join(", "));
    let expected = format!("rules:\n  - resources: # all\n      - {}\n", hosts.join("\n      - "));
    assert_eq!(body(&text), expected);
}

#[test]
fn documents_stay_apart() {
    let cases = [
        // A marker before the document stays, one after it is removed, and comments stay on their
        // side.
        (
            "# top\n---  # c\nKIND\n...\n# between\n---\nKIND\n",
            "# top\n---  # c\nKIND\n# between\n---\nKIND\n",
        ),
        // Empty documents without a value.
        ("---\n---\nKIND\n---\n", "---\nKIND\n"),
        ("---\n# only\n---\nKIND\n---\n# end\n", "# only\n---\nKIND\n# end\n"),
        ("KIND\n\n\n---\n\nKIND\n", "KIND\n\n---\n\nKIND\n"),
        // A byte order mark is removed; line ends of Windows are kept.
        ("\u{feff}KIND\n", "KIND\n"),
        ("KIND  \r\n\r\n\r\n# c \r\n", "KIND\r\n\r\n# c\r\n"),
    ];
    for (text, expected) in cases {
        let fill = |text: &str| text.replace("KIND", "apiVersion: seawall/v1");
        assert_eq!(formatted(&fill(text)), fill(expected), "{text:?}");
        assert_eq!(formatted(&fill(expected)), fill(expected), "again: {expected:?}");
    }
}

#[test]
fn a_silence_moves_with_the_line_below_it() {
    let text =
        "# top\n# seawall: allow[x] why\nname: p\napiVersion: seawall/v1\nkind: NetworkPolicy\n";
    let expected =
        "# top\napiVersion: seawall/v1\nkind: NetworkPolicy\n# seawall: allow[x] why\nname: p\n";
    assert_eq!(formatted(text), expected);
}

#[test]
fn unquoted_arguments_of_an_access_test_stay() {
    let text = "apiVersion: seawall/v1\nkind: AccessTest\nname: t\nexpect:\n- allow: mcp invokeTool x/y {\"readOnly\": true}\n";
    assert_eq!(formatted(text), text.replace("- allow", "  - allow"));
}

#[test]
fn other_files_and_broken_ones_are_left_alone() {
    for text in [
        "",
        "# nothing\n",
        "a: 1\n",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n",
        "- a\n",
        "a: !x 1\n",
    ] {
        assert_eq!(layout(text), Layout::Foreign, "{text}");
    }
    for text in [
        "apiVersion: seawall/v1\n a: 1\n",
        "apiVersion: seawall/v1\na: 1\na: 2\n",
        "%YAML 1.2\n---\napiVersion: seawall/v1\n",
    ] {
        assert_eq!(layout(text), Layout::Broken, "{text}");
    }
    assert!(matches!(layout("apiVersion: seawall/v1\n? \"a\n  b\"\n: 1\n"), Layout::Kept(_)));
}

/// A value to be written in some style.
#[derive(Clone, Debug)]
enum Written {
    /// On one line.
    Text(&'static str),
    /// As literal text.
    Lines(&'static str, Vec<&'static str>),
    List(Vec<(Around, Self)>),
    Keys(Vec<(Around, Self)>),
}

/// Blanks and comments around an entry.
#[derive(Clone, Debug)]
struct Around {
    blank: usize,
    /// The indentation of a comment above.
    above: Option<usize>,
    behind: bool,
    below: Option<usize>,
    step: usize,
    apart: bool,
}

fn around() -> impl Strategy<Value = Around> {
    let indent = || proptest::option::weighted(0.2, 0_usize..9);
    (0_usize..3, indent(), any::<bool>(), indent(), 1_usize..4, any::<bool>()).prop_map(
        |(blank, above, behind, below, step, apart)| Around {
            blank,
            above,
            behind,
            below,
            step,
            apart,
        },
    )
}

fn written() -> impl Strategy<Value = Written> {
    let texts = [
        "a",
        "'a'",
        "\"b: c\"",
        "'*.x'",
        "",
        "~",
        "443",
        "[a, 'b', {c: d}]",
        "{e: [f], \"g\": }",
        "one two",
        "\"\\u200b\"",
        "[]",
        "x:1",
        "&k v",
    ];
    let lines = ["x", "  y", "", "# z", "- w: v", "\tt"];
    let leaf = prop_oneof![
        4 => proptest::sample::select(texts.to_vec()).prop_map(Written::Text),
        1 => (proptest::sample::select(vec!["|", ">", "|-", "|+", ">+"]), proptest::collection::vec(proptest::sample::select(lines.to_vec()), 0..4))
            .prop_map(|(header, mut lines)| { lines.insert(0, "first"); Written::Lines(header, lines) }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let entries = || proptest::collection::vec((around(), inner.clone()), 1..4);
        prop_oneof![entries().prop_map(Written::List), entries().prop_map(Written::Keys)]
    })
}

const KEYS: [&str; 5] = ["rules", "unknown", "scope", "previously", "description"];

/// Writes entries; `out` ends with a line end.
fn write(entries: &[(Around, Written)], keys: bool, indent: usize, out: &mut String) {
    for (index, (around, value)) in entries.iter().enumerate() {
        let comment = |out: &mut String, indent: usize| {
            let number = out.len();
            out.push_str(&format!("{:indent$}# {number}\n", ""));
        };
        out.push_str(&"\n".repeat(around.blank));
        if let Some(indent) = around.above {
            comment(out, indent);
        }
        let key = KEYS[index];
        out.push_str(&if keys {
            format!("{:indent$}{key}:", "")
        } else {
            format!("{:indent$}-", "")
        });
        let trailing = |out: &mut String| {
            if around.behind {
                comment(out, around.step);
            } else {
                out.push('\n');
            }
        };
        let below = indent + around.step;
        match value {
            Written::Text(text) if around.apart => {
                trailing(out);
                if let Some(indent) = around.below {
                    comment(out, indent);
                }
                out.push_str(&format!("{:below$}{text}\n", ""));
            }
            Written::Text(text) => {
                out.push(' ');
                out.push_str(text);
                trailing(out);
            }
            Written::Lines(header, lines) => {
                out.push(' ');
                out.push_str(header);
                trailing(out);
                for line in lines {
                    out.push_str(&format!("{:below$}{line}\n", ""));
                }
            }
            Written::List(entries) | Written::Keys(entries) => {
                trailing(out);
                write(entries, matches!(value, Written::Keys(_)), below, out);
            }
        }
        if let (Some(indent), false) = (around.below, matches!(value, Written::Lines(..))) {
            comment(out, indent);
        }
    }
}

/// Pieces with a meaning in YAML, for random edits.
const PIECES: [&str; 24] = [
    "\n", " ", "  ", "#", " # x\n", ":", ": ", "- ", "-", "[", "]", "{", "}", ",", "'", "\"", "|",
    "|+\n", "&a ", "*a", "---\n", "...\n", "\t", "? ",
];

/// Asserts that a formatted text is stable, and returns whether it was formatted.
fn settles(text: &str) -> bool {
    let Layout::Text(once) = layout(text) else { return false };
    assert_eq!(layout(&once), Layout::Text(once.clone()), "from {text:?}");
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The formatter proves for each file that values and comments stay, and refuses a file that
    /// would lose something.
    #[test]
    fn documents_are_laid_out_once_and_for_all(entries in proptest::collection::vec((around(), written()), 1..5)) {
        let mut text = HEAD.to_owned();
        write(&entries, true, 0, &mut text);
        prop_assert!(settles(&text), "{:?} for {text}", layout(&text));
    }

    #[test]
    fn whatever_is_written_settles(
        text in proptest::sample::select(vec![
            include_str!("../../examples/policies/guardrails/network.yaml"),
            include_str!("../../examples/policies/tests/access.yaml"),
            include_str!("../../examples/policies/seawall.yaml"),
        ]),
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..4, proptest::sample::select(PIECES.to_vec())), 1..4),
    ) {
        let mut text = text.to_owned();
        for (at, removed, piece) in edits {
            let start = at.index(text.len());
            let end = (start + removed).min(text.len());
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                text.replace_range(start..end, piece);
            }
        }
        settles(&text);
    }
}
