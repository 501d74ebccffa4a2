//! Parses Cedar text into statements.
//!
//! Invariant: two statements have equal canonical forms only if they have the same meaning; the
//! forms are independent of layout, comments, parentheses and the order of annotations.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use cedar_policy::{Policy, PolicySet, Template, pst};
use cedar_policy_core::est;
use cedar_policy_core::parser::{Node, cst, text_to_cst};
use miette::Diagnostic as _;

use super::limit::{self, with_deep_stack};
use super::memory::Memory;
use super::token::tokens;

/// The effect of a statement on the requests that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Permits a request, unless a `forbid` matches it.
    Permit,
    /// Forbids a request, whatever permits it.
    Forbid,
}

/// One `permit` or `forbid` of a Cedar text.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Permit or forbid.
    pub effect: Effect,
    /// Equal for statements that differ only in layout and comments; includes annotations. Not for
    /// people.
    pub canonical: String,
    /// The text as written, including annotations and the final semicolon.
    pub source: String,
    /// The range of the text that is its source, in bytes.
    pub span: Range<usize>,
    /// `@name("value")`; the value is empty where none is written.
    pub annotations: BTreeMap<String, String>,
    /// The statement in the form of the engine; `None` for a template (`?principal`, `?resource`),
    /// which never applies because nothing fills its slots.
    pub policy: Option<Policy>,
    /// Its syntax tree; `None` for a template.
    pub(super) tree: Option<pst::Template>,
}

/// The statements of a text, or all its errors.
pub type Parsed = Result<Vec<Arc<Statement>>, Vec<Mistake>>;

static MEMORY: Memory<Parsed> = Memory::new();

/// A fault in a Cedar text, with its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The start of the place, in bytes of the text.
    pub start: usize,
    /// The end of the place, exclusive; never before the start.
    pub end: usize,
    /// Cedar's message.
    pub message: String,
    /// Cedar's advice.
    pub help: Option<String>,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        })
    }
}

/// The statements of a Cedar text, in the order written; empty for a text of blanks and comments.
///
/// # Errors
///
/// Returns all errors of Cedar's parser, in the order of the text.
pub fn statements(text: &str) -> Parsed {
    MEMORY.remember(text, || match limit::exceeded(text) {
        Some(mistake) => Err(vec![mistake]),
        None => with_deep_stack(|| parse(text)),
    })
}

fn parse(text: &str) -> Parsed {
    let set: PolicySet =
        text.parse().map_err(|errors: cedar_policy::ParseErrors| mistakes(text, &errors))?;
    let policies = set.policies().map(Stated::Policy).chain(set.templates().map(Stated::Template));
    let mut stated: Vec<(Range<usize>, Stated<'_>)> =
        policies.map(|one| (one.span(text), one)).collect();
    stated.sort_by_key(|(span, _)| span.start);
    let forms = forms(text);
    assert_eq!(forms.len(), stated.len(), "each statement has one form");
    let statement = |((span, stated), form)| Arc::new(Statement::new(text, span, stated, form));
    Ok(stated.into_iter().zip(forms).map(statement).collect())
}

/// The forms of all statements of a text that parses, in its order. The engine would give them one
/// by one, and parse each once more for it.
fn forms(text: &str) -> Vec<est::Policy> {
    let parsed =
        text_to_cst::parse_policies(text).ok().and_then(|parsed| parsed.try_into_inner().ok());
    let policies = parsed.expect("what was parsed once is parsed again").0;
    let form = |node: Node<Option<cst::Policy>>| {
        node.try_into_inner().ok().and_then(|one| one.try_into().ok())
    };
    policies
        .into_iter()
        .map(|node| form(node).expect("what was parsed from text has a form"))
        .collect()
}

/// A statement as the engine has it.
enum Stated<'a> {
    Policy(&'a Policy),
    Template(&'a Template),
}

impl Stated<'_> {
    /// The bytes of the text that are its source.
    fn span(&self, text: &str) -> Range<usize> {
        let place = match self {
            Self::Policy(policy) => policy.as_ref().loc(),
            Self::Template(template) => template.as_ref().loc(),
        };
        place.map_or(0..text.len(), |place| place.start()..place.end())
    }
}

impl Statement {
    fn new(text: &str, span: Range<usize>, stated: Stated<'_>, form: est::Policy) -> Self {
        let canonical = serde_json::to_value(&form).expect("a form is JSON").to_string();
        let source = text.get(span.clone()).unwrap_or_default().to_owned();
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        match stated {
            Stated::Policy(policy) => Self {
                effect: Effect::from(policy.effect()),
                canonical,
                source,
                span,
                annotations: policy.annotations().map(own).collect(),
                policy: Some(policy.clone()),
                tree: Some(form.try_into().expect("what was parsed from text has a tree")),
            },
            Stated::Template(template) => Self {
                effect: Effect::from(template.effect()),
                canonical,
                source,
                span,
                annotations: template.annotations().map(own).collect(),
                policy: None,
                tree: None,
            },
        }
    }
}

impl From<cedar_policy::Effect> for Effect {
    fn from(effect: cedar_policy::Effect) -> Self {
        match effect {
            cedar_policy::Effect::Permit => Self::Permit,
            cedar_policy::Effect::Forbid => Self::Forbid,
        }
    }
}

/// Cedar's errors with their places. A missing end (`unexpected end of input`) is placed after the
/// last word.
fn mistakes(text: &str, errors: &cedar_policy::ParseErrors) -> Vec<Mistake> {
    let last = tokens(text).last().map_or(0, |word| word.span.end);
    let mut mistakes: Vec<Mistake> = errors
        .iter()
        .map(|error| {
            let label = error.labels().and_then(|mut labels| labels.next());
            let start = label.as_ref().map_or(0, |label| text.floor_char_boundary(label.offset()));
            let end = label
                .as_ref()
                .map_or(text.len(), |label| text.ceil_char_boundary(label.offset() + label.len()));
            // Cedar points at an unreadable character with an empty range before it.
            let end = end.max(text.ceil_char_boundary(start + 1));
            let missing =
                start >= last && text.get(start..end).is_none_or(|rest| rest.trim().is_empty());
            let (start, end) = if missing { (last, last) } else { (start, end) };
            let label = label.and_then(|label| label.label().map(str::to_owned));
            let help = error.help().map(|help| help.to_string());
            Mistake { start, end, message: error.to_string(), help: help.or(label) }
        })
        .collect();
    mistakes.sort();
    mistakes.dedup();
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Vec<String> {
        statements(text)
            .expect("parses")
            .iter()
            .map(|statement| statement.canonical.clone())
            .collect()
    }

    #[test]
    fn layout_and_comments_are_not_part_of_a_statement() {
        let plain = r#"@a("1") @b permit (principal, action == MCP::Action::"register", resource) when { resource.readOnly && true };"#;
        for same in [
            // spread over lines, with comments
            "@b\n@a(\"1\")\npermit ( // why\n principal,\r\n\taction == MCP::Action::\"register\",\n resource)\nwhen {\n // c\n resource . readOnly\n && true };",
            // parentheses, a trailing comma of the scope, quoted attributes, escapes
            "@a(\"\\u{31}\") @b permit (principal, action == MCP::Action::\"reg\\u{69}ster\", resource,) when { ((resource[\"readOnly\"]) && true) };",
        ] {
            assert_eq!(canonical(plain), canonical(same), "{same}");
        }
    }

    #[test]
    fn what_changes_the_meaning_shows() {
        let base = "permit (principal, action, resource) when { resource.a == 1 };";
        for other in [
            // effect
            "forbid (principal, action, resource) when { resource.a == 1 };",
            // an annotation decides about approval
            "@requireApproval(\"x\") permit (principal, action, resource) when { resource.a == 1 };",
            // scope
            "permit (principal, action, resource in MCP::Server::\"x\") when { resource.a == 1 };",
            // kind of clause
            "permit (principal, action, resource) unless { resource.a == 1 };",
            // a literal of another type
            "permit (principal, action, resource) when { resource.a == \"1\" };",
            // a wildcard and a literal star
            "permit (principal, action, resource) when { resource.a like \"*\" };",
        ] {
            assert_ne!(canonical(base), canonical(other), "{other}");
        }
        assert_ne!(
            canonical(r#"permit (principal, action, resource) when { resource.a like "*" };"#),
            canonical(r#"permit (principal, action, resource) when { resource.a like "\*" };"#)
        );
    }

    #[test]
    fn statements_keep_their_order_and_place() {
        let text = "// é\nforbid (principal, action, resource);\n\n@x(\"y\")\npermit (principal == ?principal, action, resource);\npermit (principal, action, resource);";
        let found = statements(text).expect("parses");
        let shown: Vec<_> = found
            .iter()
            .map(|s| (s.effect, &text[s.span.clone()], s.policy.is_some(), s.annotations.len()))
            .collect();
        assert_eq!(
            shown,
            [
                (Effect::Forbid, "forbid (principal, action, resource);", true, 0),
                (
                    Effect::Permit,
                    "@x(\"y\")\npermit (principal == ?principal, action, resource);",
                    false,
                    1
                ),
                (Effect::Permit, "permit (principal, action, resource);", true, 0),
            ]
        );
        assert!(statements(" // nothing\n").expect("parses").is_empty());
        let many = "permit (principal, action, resource);".repeat(30);
        let starts: Vec<_> =
            statements(&many).expect("parses").into_iter().map(|s| s.span.start).collect();
        assert_eq!(starts, (0..30).map(|index| index * 37).collect::<Vec<_>>());
    }

    #[test]
    fn mistakes_have_their_place() {
        for (text, place) in [
            // a missing quote, an unknown effect, a missing semicolon at the very end, an extra
            // token
            ("permit (principal, action, resource) when { resource.é };", "é"),
            ("allow (principal, action, resource);", "allow"),
            ("permit (principal, action, resource)", ""),
            ("permit (principal, action, resource) when { 1 2 };", "2"),
            ("@a @a permit (principal, action, resource);", "@a"),
        ] {
            let mistakes = statements(text).expect_err("does not parse");
            let places: Vec<_> = mistakes.iter().map(|m| &text[m.start..m.end]).collect();
            assert!(places.contains(&place), "{text}: {mistakes:?}");
        }
    }

    #[test]
    fn all_mistakes_are_told() {
        let text = "permit (principal, action, resource) when { foo.bar };\nforbid (principal, action, resource) when { baz };";
        assert_eq!(statements(text).expect_err("does not parse").len(), 2);
    }
}
