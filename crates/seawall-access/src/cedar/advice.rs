//! Advice for the place where Cedar's parser stopped: it names the probable intention behind words
//! and forms of other languages, and behind brackets and texts that are not complete.

use std::ops::Range;

use super::Mistake;
use super::token::{Kind, Token, tokens};
use super::unclosed::{self, Unmatched};

/// A mistake in the words of somebody who writes policies.
pub(super) struct Advice {
    /// The place, if it is another one than that of the mistake.
    pub(super) span: Option<Range<usize>>,
    /// The fault, if it is known better than the parser knows it.
    pub(super) message: Option<String>,
    /// The advice, in the imperative.
    pub(super) help: Option<String>,
}

/// The place where a parser stopped.
struct Stop<'a> {
    words: &'a [Token<'a>],
    /// The index of the word; the number of words at the end of the text.
    at: usize,
}

impl<'a> Stop<'a> {
    fn new(words: &'a [Token<'a>], mistake: &Mistake) -> Self {
        let at = words.iter().position(|word| word.span.end > mistake.start);
        Self { words, at: at.unwrap_or(words.len()) }
    }

    /// The word; empty at the end of the text.
    fn word(&self) -> &'a str {
        self.words.get(self.at).map_or("", |word| word.text)
    }

    /// The words before it, the nearest first; empty before the start of the text.
    fn before(&self, index: usize) -> &'a str {
        let at = self.at.checked_sub(index + 1);
        at.and_then(|at| self.words.get(at)).map_or("", |word| word.text)
    }

    /// Returns `true` if the word starts a value.
    fn is_value(&self) -> bool {
        let kind = self.words.get(self.at).map(|word| word.kind);
        kind.is_some_and(|kind| kind != Kind::Mark)
    }

    /// The bracket that is open at the word, with the word before it.
    fn bracket(&self) -> Option<(&'a str, &'a str)> {
        let mut closed = 0_usize;
        for at in (0..self.at).rev() {
            let word = self.words.get(at)?;
            match word.text {
                ")" | "]" | "}" => closed += 1,
                "(" | "[" | "{" if closed == 0 => {
                    let before = at.checked_sub(1).and_then(|at| self.words.get(at));
                    return Some((word.text, before.map_or("", |word| word.text)));
                }
                "(" | "[" | "{" => closed -= 1,
                _ => {}
            }
        }
        None
    }
}

/// The advice about a mistake.
pub(super) fn find(text: &str, mistake: &Mistake) -> Advice {
    let words = tokens(text);
    let stop = Stop::new(&words, mistake);
    let is_syntax = ["unexpected ", "invalid token"];
    if is_syntax.iter().any(|start| mistake.message.starts_with(start)) {
        // Another character for a quote is not one that is missing.
        if let Some(help) = character(text, mistake) {
            return Advice { span: None, message: None, help: Some(help) };
        }
        if let Some(Unmatched { span, message, help }) = unclosed::find(&words, mistake.start) {
            return Advice { span: Some(span), message: Some(message), help: Some(help) };
        }
        if let Some(advice) = unquoted(text, &stop) {
            return advice;
        }
    }
    let help = habit(text, mistake, &stop).or_else(|| in_words(mistake));
    Advice { span: None, message: None, help }
}

/// Advice about a character that Cedar does not have.
fn character(text: &str, mistake: &Mistake) -> Option<String> {
    let rest = text.get(mistake.start..)?;
    let help = match rest.chars().next()? {
        '“' | '”' | '„' | '‘' | '’' | '«' | '»' => "write straight quotes: `\"…\"`",
        '\'' => "write texts in double quotes: `\"…\"`",
        '#' => "a comment starts with `//`",
        '/' if rest.starts_with("/*") => "a comment starts with `//`, on each of its lines",
        '&' if !rest.starts_with("&&") => "write `&&`",
        '|' if !rest.starts_with("||") => "write `||`",
        _ => return None,
    };
    Some(help.to_owned())
}

/// Advice about a pattern without quotes behind `like`.
fn unquoted(text: &str, stop: &Stop<'_>) -> Option<Advice> {
    const NEAR: usize = 12;
    let nearest = (stop.at.saturating_sub(NEAR)..stop.at).rev();
    let like = nearest
        .take_while(|at| {
            stop.words.get(*at).is_some_and(|word| !matches!(word.text, ";" | "&&" | "||"))
        })
        .find(|at| stop.words.get(*at).is_some_and(|word| word.text == "like"))?;
    let first = stop.words.get(like + 1).filter(|first| first.kind != Kind::Text)?;
    let last = stop.words.get(like + 1..stop.at)?.last().unwrap_or(first);
    let span = first.span.start..last.span.end;
    let written = text.get(span.clone())?;
    let help = match written.contains(char::is_whitespace) {
        false if first.text != "}" => format!("write `like \"{written}\"`"),
        _ => "write `like \"…\"`".to_owned(),
    };
    let message = Some("`like` needs a text in quotes".to_owned());
    Some(Advice { span: Some(span), message, help: Some(help) })
}

/// Advice about words and forms of other languages.
fn habit(text: &str, mistake: &Mistake, stop: &Stop<'_>) -> Option<String> {
    let (word, before) = (stop.word(), stop.before(0));
    if mistake.message.contains("invalid policy effect") {
        return match word.to_ascii_lowercase().as_str() {
            "permit" | "allow" | "grant" => Some("write `permit`".to_owned()),
            "forbid" | "deny" | "block" | "reject" => Some("write `forbid`".to_owned()),
            _ => None,
        };
    }
    if mistake.message.contains("is not a valid operator") && mistake.message.contains("'='") {
        return Some("write `==`".to_owned());
    }
    if mistake.message.contains("condition clause cannot be empty") {
        return Some("write a condition between the braces, or leave the clause out".to_owned());
    }
    if mistake.message.contains("must be an entity type name") && mistake.message.contains('"') {
        return Some("compare with `==`; `is` asks for a type, as in `is MCP::Tool`".to_owned());
    }
    if mistake.message.contains("is not a valid escape") {
        return Some("write `\\\\` for a backslash, and `\\\"` for a quote".to_owned());
    }
    if mistake.message.contains("must be used") || mistake.message.contains("is missing the") {
        return Some(
            "start with `(principal, action, resource)`, each with or without a condition"
                .to_owned(),
        );
    }
    if mistake.message.contains("invalid variable: null") {
        return Some("there is no `null`: ask with `has` if there is a value".to_owned());
    }
    if mistake.message.contains("invalid variable") && before == "-" {
        let name = format!("{}-{word}", stop.before(1));
        return text.contains(&name).then(|| format!("a name with `-` is written `[\"{name}\"]`"));
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
        let last = || {
            let at = stop.words.iter().position(|word| word.span.end >= mistake.end)?;
            Some(stop.words.get(at)?.text)
        };
        let action = action.or_else(|| super::explain::nearest_action(last()?.trim_matches('"')));
        return action.map(|action| format!("write `MCP::Action::\"{action}\"`"));
    }
    let unexpected = mistake.message.starts_with("unexpected token")
        || mistake.message.starts_with("unexpected end");
    if !unexpected {
        return None;
    }
    let effect = matches!(word, "permit" | "forbid") || matches!(before, "permit" | "forbid");
    let lower = word.to_ascii_lowercase();
    let advice = match (lower.as_str(), before) {
        ("and", _) => "write `&&`",
        ("or", _) => "write `||`",
        (_, "not" | "NOT") => "write `!` in front of what must not hold",
        ("=", "==") => "write `==`",
        (">", "<") => "write `!=`",
        (":", _) => "write `::`",
        ("matches" | "=~" | "contains" | "startswith" | "endswith", _) => {
            "write `like \"…*\"`, where `*` is the only wildcard"
        }
        (number, ".") if is_number(number) && is_number(stop.before(1)) => {
            return Some(format!(
                "numbers are whole; a fraction is written `decimal(\"{}.{number}\")`, and arguments with fractions do not reach policies",
                stop.before(1)
            ));
        }
        _ if effect && stop.at > 1 => "end the statement before it with `;`",
        ("@", ")" | "}") => "end the statement before it with `;`",
        ("", ")" | "}") => "end the statement with `;`",
        ("", name) if stop.at == 1 || stop.before(1) == ";" => {
            return Some(format!(
                "remove `{name}`; a statement starts with `permit (` or `forbid (`"
            ));
        }
        ("{", ")") => "write `when` or `unless` before the condition",
        (_, "when" | "unless") => "put the condition in braces: `when { … }`",
        (_, _) => return at_bracket(stop),
    };
    Some(advice.to_owned())
}

/// Advice about what is missing between two values, by the bracket around them.
fn at_bracket(stop: &Stop<'_>) -> Option<String> {
    let word = stop.word();
    if word == "," {
        return Some("join conditions with `&&` or `||`".to_owned());
    }
    let (bracket, before) = stop.bracket()?;
    let is_list =
        bracket == "[" || bracket == "(" && !matches!(before, "&&" | "||" | "!" | "{" | "(");
    let follows = !matches!(stop.before(0), "," | "(" | "[" | "{" | "==" | "!=" | "in" | "is");
    match stop.is_value() && follows {
        true if is_list => Some(format!("write a comma before `{word}`")),
        true => Some("join conditions with `&&` or `||`".to_owned()),
        false => None,
    }
}

/// The tokens that the parser expects, the likely ones in words.
fn in_words(mistake: &Mistake) -> Option<String> {
    const MOST: usize = 3;
    let list = mistake.help.as_ref()?.strip_prefix("expected ")?;
    let has = |token: &str| list.contains(&format!("`{token}`"));
    let all = [
        (has("@"), "`permit` or `forbid`"),
        (has(";"), "`;`"),
        (has(";") && list.contains("identifier"), "`when { … }`"),
        (has(")"), "`)`"),
        (has("]"), "`]`"),
        (has("}"), "`}`"),
        (has(","), "a comma"),
        (has("&&"), "an operator such as `&&`"),
        (has("==") && !has("&&"), "a comparison such as `==`"),
        (has("true"), "a value"),
    ];
    let likely: Vec<&str> =
        all.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).take(MOST).collect();
    Some(match likely.as_slice() {
        [] => return None,
        [one] => format!("expected {one}"),
        [first @ .., last] => format!("expected {} or {last}", first.join(", ")),
    })
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
    }

    #[test]
    fn a_person_is_told_what_to_write_and_not_what_a_parser_expects() {
        let tool = r#"permit (principal, action == MCP::Action::"invokeTool", resource)"#;
        let when = |condition: &str| format!("{tool} when {{ {condition} }};");
        for (text, help) in [
            (when("resource.readOnly AND resource.idempotent"), "write `&&`"),
            (when("resource.readOnly & resource.idempotent"), "write `&&`"),
            (when("resource.readOnly | resource.idempotent"), "write `||`"),
            (when("resource.name = \"a\""), "write `==`"),
            (when("resource.name === \"a\""), "write `==`"),
            (when("resource.name <> \"a\""), "write `!=`"),
            (when("resource.name like create_*"), "write `like \"create_*\"`"),
            (when("resource.name like *"), "write `like \"*\"`"),
            (when("resource.name like 'a*'"), "write texts in double quotes: `\"…\"`"),
            (when("resource.name == “a”"), "write straight quotes: `\"…\"`"),
            (when("resource.readOnly resource.idempotent"), "join conditions with `&&` or `||`"),
            (when("context.args.user-id == \"a\""), "a name with `-` is written `[\"user-id\"]`"),
            (
                when("context.args.n == null"),
                "there is no `null`: ask with `has` if there is a value",
            ),
            (when("resource.readOnly &&"), "expected a value"),
            (tool.replace("principal,", "principal") + ";", "write a comma before `action`"),
            (tool.replace("== MCP::", "== MCP:") + ";", "write `::`"),
            (
                r#"permit (principal, action in [MCP::Action::"register" MCP::Action::"invokeTool"], resource);"#
                    .to_owned(),
                "write a comma before `MCP`",
            ),
            (format!("{tool} {{ resource.readOnly }};"), "write `when` or `unless` before the condition"),
            (format!("# tools\n{tool};"), "a comment starts with `//`"),
            (format!("/* tools */\n{tool};"), "a comment starts with `//`, on each of its lines"),
            ("Permit (principal, action, resource);".to_owned(), "write `permit`"),
            (format!("{tool}; * {tool};"), "expected `permit` or `forbid`"),
            (
                format!("{tool};\nfoo"),
                "remove `foo`; a statement starts with `permit (` or `forbid (`",
            ),
            (when(""), "write a condition between the braces, or leave the clause out"),
            (
                when("resource.name is \"a\""),
                "compare with `==`; `is` asks for a type, as in `is MCP::Tool`",
            ),
            (
                when(r#"resource.name == "a\d""#),
                r#"write `\\` for a backslash, and `\"` for a quote"#,
            ),
            (
                "permit (action, resource);".to_owned(),
                "start with `(principal, action, resource)`, each with or without a condition",
            ),
        ] {
            let found = examine(&text);
            assert_eq!(
                found.first().map(|finding| finding.help.as_str()),
                Some(help),
                "{text}\n{found:#?}"
            );
        }
    }
}
