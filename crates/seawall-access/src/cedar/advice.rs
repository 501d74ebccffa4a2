//! Advice where Cedar's parser stopped: the probable intention, for words and forms of other
//! languages.

use super::Mistake;
use super::token::{Token, tokens};

/// Advice that is better than the parser's list of expected tokens.
pub(super) fn find(text: &str, mistake: &Mistake) -> Option<String> {
    let words = tokens(text);
    let at = words.iter().position(|word| word.span.end > mistake.start);
    let word = at.and_then(|at| words.get(at)).map_or("", |word| word.text);
    let before: Vec<&Token<'_>> =
        words.iter().take(at.unwrap_or(words.len())).rev().take(3).collect();
    let said = |index: usize| before.get(index).map_or("", |word| word.text);
    let effect = matches!(word, "permit" | "forbid") || matches!(said(0), "permit" | "forbid");
    if mistake.message.contains("invalid policy effect") {
        return match word {
            "allow" | "grant" => Some("write `permit`".to_owned()),
            "deny" | "block" | "reject" => Some("write `forbid`".to_owned()),
            _ => None,
        };
    }
    if mistake.message.contains("is not a valid method") {
        return method(mistake.message.split('`').nth(1)?);
    }
    if mistake.message.contains("duplicate annotation") {
        return Some("a statement has each annotation once; keep one of them".to_owned());
    }
    if mistake.message.contains("expected an entity uid") {
        let id = word.trim_matches('"');
        let action = super::explain::nearest_action(id.rsplit("::").next().unwrap_or(id));
        let last =
            || Some(words.get(words.iter().position(|word| word.span.end >= mistake.end)?)?.text);
        let action = action.or_else(|| super::explain::nearest_action(last()?.trim_matches('"')));
        return action.map(|action| format!("write `MCP::Action::\"{action}\"`"));
    }
    let unexpected = mistake.message.starts_with("unexpected token")
        || mistake.message.starts_with("unexpected end");
    if !unexpected {
        return None;
    }
    match (word, said(0)) {
        ("and", _) => Some("write `&&`".to_owned()),
        ("or", _) => Some("write `||`".to_owned()),
        (_, "not") => Some("write `!` in front of what must not hold".to_owned()),
        ("matches" | "=~" | "contains" | "startsWith" | "endsWith", _) => {
            Some("write `like \"…*\"`, where `*` is the only wildcard".to_owned())
        }
        (number, ".") if is_number(number) && is_number(said(1)) => Some(format!(
            "numbers are whole; a fraction is written `decimal(\"{}.{number}\")`, and arguments with fractions do not reach policies",
            said(1)
        )),
        _ if effect && at.is_some_and(|at| at > 1) => {
            Some("end the statement before it with `;`".to_owned())
        }
        ("@", ")" | "}") => Some("end the statement before it with `;`".to_owned()),
        ("", _) if said(0) == ")" || said(0) == "}" => {
            Some("end the statement with `;`".to_owned())
        }
        (_, "when" | "unless") => Some("put the condition in braces: `when { … }`".to_owned()),
        (",", _) => Some("join conditions with `&&` or `||`".to_owned()),
        _ => None,
    }
}

fn method(name: &str) -> Option<String> {
    Some(match name {
        "startsWith" | "starts_with" | "hasPrefix" => "write `like \"…*\"`".to_owned(),
        "endsWith" | "ends_with" | "hasSuffix" => "write `like \"*…\"`".to_owned(),
        "includes" | "matches" | "test" => {
            "write `like \"*…*\"`, or `.contains(…)` on a set".to_owned()
        }
        _ => return None,
    })
}

fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit()) && !word.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::examine;

    #[test]
    fn habits_of_other_languages_are_answered() {
        let tool = r#"permit (principal, action == MCP::Action::"invokeTool", resource)"#;
        let when = |condition: &str| format!("{tool} when {{ {condition} }};");
        for (text, help) in [
            (when("resource.readOnly and resource.idempotent"), "write `&&`"),
            (when("resource.readOnly or resource.idempotent"), "write `||`"),
            (when("not resource.readOnly"), "write `!` in front of what must not hold"),
            (
                when(r#"resource.name matches "a.*""#),
                "write `like \"…*\"`, where `*` is the only wildcard",
            ),
            (when(r#"resource.name.startsWith("a")"#), "write `like \"…*\"`"),
            (
                when(r#"resource.name like "a*", resource.readOnly"#),
                "join conditions with `&&` or `||`",
            ),
            (
                when("context.args.n > 5.25"),
                "numbers are whole; a fraction is written `decimal(\"5.25\")`, and arguments with fractions do not reach policies",
            ),
            (
                format!("{tool} when resource.readOnly;"),
                "put the condition in braces: `when { … }`",
            ),
            (tool.to_owned(), "end the statement with `;`"),
            (format!("{tool} when {{ resource.readOnly }}"), "end the statement with `;`"),
            (format!("{tool}\n{tool};"), "end the statement before it with `;`"),
            (format!("{tool}\n@id(\"x\") {tool};"), "end the statement before it with `;`"),
            ("allow (principal, action, resource);".to_owned(), "write `permit`"),
            ("deny (principal, action, resource);".to_owned(), "write `forbid`"),
            (
                r#"permit (principal, action == "invokeTool", resource);"#.to_owned(),
                r#"write `MCP::Action::"invokeTool"`"#,
            ),
            (
                format!("@a(\"1\") @a(\"2\") {tool};"),
                "a statement has each annotation once; keep one of them",
            ),
        ] {
            let found = examine(&text);
            assert_eq!(
                found.first().map(|finding| finding.help.as_str()),
                Some(help),
                "{text}\n{found:#?}"
            );
        }
        // An unusual text keeps the parser's message.
        assert!(
            examine("permit (principal, action, resource) when { 1 2 };")[0]
                .help
                .starts_with("expected")
        );
    }
}
