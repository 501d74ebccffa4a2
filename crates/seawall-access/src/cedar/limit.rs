//! Limits on the input of the engine, whose parser, validator and evaluator are recursive.
//!
//! Invariant: a text within the limits is processed without a stack overflow on every thread; a
//! text beyond them is an error with a place. The service states no such limit except the size of a
//! policy; texts that people write are far below.

use super::{
    Mistake,
    token::{Kind, Token, tokens},
};

/// The depth of nested brackets.
pub const MAX_NESTING: usize = 100;

/// The number of operators in a statement that each make Cedar's tree one level deeper.
pub const MAX_OPERATORS: usize = 5_000;

/// Stack for both limits at once with the frames of an unoptimized build; unused pages cost
/// nothing.
const STACK_BYTES: usize = 256 << 20;

/// Runs work of the engine with enough stack for every text within the limits.
pub fn with_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK_BYTES / 2, STACK_BYTES, work)
}

/// The first place where a text exceeds a limit.
pub(super) fn exceeded(text: &str) -> Option<Mistake> {
    let mut depth = 0_usize;
    let mut operators = 0_usize;
    for token in tokens(text) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            ";" => (depth, operators) = (0, 0),
            _ => {}
        }
        operators += usize::from(deepens(&token));
        let (message, help) = if depth > MAX_NESTING {
            (format!("more than {MAX_NESTING} brackets within each other"), "split the condition")
        } else if operators > MAX_OPERATORS {
            let help = "compare with a set, as in `[\"a\", \"b\"].contains(resource.name)`, or split the statement";
            (format!("more than {MAX_OPERATORS} operators in one statement"), help)
        } else {
            continue;
        };
        return Some(Mistake {
            start: token.span.start,
            end: token.span.end,
            message,
            help: Some(help.to_owned()),
        });
    }
    None
}

/// Returns `true` if consecutive words of this kind each add a level to Cedar's tree.
fn deepens(token: &Token<'_>) -> bool {
    match token.kind {
        Kind::Text => false,
        Kind::Name => matches!(token.text, "if" | "when" | "unless"),
        Kind::Mark => matches!(token.text, "&&" | "||" | "+" | "-" | "*" | "." | "["),
    }
}

#[cfg(test)]
mod tests {
    use super::super::statements;
    use super::*;

    /// A condition of every shape that deepens the tree, as deep as the limits permit and one level
    /// deeper.
    #[test]
    fn limits_keep_the_engine_within_its_stack() {
        let nest = MAX_NESTING - 1;
        let chain = MAX_OPERATORS - 1;
        type Shape = fn(usize) -> String;
        let shapes: [(&str, Shape, usize); 8] = [
            ("parentheses", |n| format!("{}true{}", "(".repeat(n), ")".repeat(n)), nest),
            ("sets", |n| format!("{}1{} == [1]", "[".repeat(n), "]".repeat(n)), nest),
            ("or", |n| format!("resource.a == 1{}", " || 1 == 1".repeat(n - 1)), chain),
            ("and", |n| format!("true{}", " && true".repeat(n)), chain),
            ("plus", |n| format!("1{} == 1", " + 1".repeat(n)), chain),
            ("attributes", |n| format!("resource{}", ".a".repeat(n)), chain),
            ("indices", |n| format!("resource{}", "[\"a\"]".repeat(n)), chain),
            ("if", |n| format!("{}true", "if true then true else ".repeat(n)), chain),
        ];
        for (name, shape, most) in shapes {
            let text = |n| format!("permit (principal, action, resource) when {{ {} }};", shape(n));
            assert!(exceeded(&text(most)).is_none(), "{name}");
            assert_eq!(statements(&text(most)).map(|found| found.len()), Ok(1), "{name}");
            let mistakes = statements(&text(100 * most)).expect_err(name);
            assert!(mistakes[0].message.starts_with("more than"), "{name}: {mistakes:?}");
        }
    }

    #[test]
    fn long_lists_and_many_statements_are_fine() {
        let list = format!(
            "permit (principal, action, resource) when {{ [{}].contains(resource.name) }};",
            "\"abc\", ".repeat(20_000)
        );
        assert!(exceeded(&list).is_none());
        assert!(
            exceeded(&"permit (principal, action, resource) when { a.b.c };".repeat(5_000))
                .is_none()
        );
    }
}
