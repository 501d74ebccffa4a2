//! Suggested rules as documents, with counts as comments.
//!
//! Invariant: every text of a record is quoted as JSON quotes it, which YAML reads alike, or stands
//! in a comment of one line.

use std::fmt::{self, Write as _};

use super::words;
use crate::diagnostic::list::{self, shown};
use crate::diagnostic::sanitize::line;
use crate::evidence::suggest::{Suggested, SuggestedRule, Suggestion, Target};

/// The number of reasons that are shown for requests that are left out.
const LEFT_OUT: usize = 50;

/// The documents; empty where nothing is suggested.
#[must_use]
pub fn documents(suggestion: &Suggestion) -> String {
    let mut out = String::new();
    write(&mut out, suggestion).expect("a string takes everything");
    out
}

/// The location where each rule starts, by policy and rule: lines of [`documents`] from 1.
#[must_use]
pub fn places(suggestion: &Suggestion) -> Vec<(usize, (usize, usize))> {
    let mut out = String::new();
    let mut places = Vec::new();
    for (at, policy) in suggestion.policies.iter().enumerate() {
        head(&mut out, at, policy).expect("a string takes everything");
        for (number, rule) in policy.rules.iter().enumerate() {
            places.push((out.lines().count() + 1, (at, number)));
            write_rule(&mut out, rule).expect("a string takes everything");
        }
    }
    places
}

fn write(out: &mut String, suggestion: &Suggestion) -> fmt::Result {
    for (at, policy) in suggestion.policies.iter().enumerate() {
        head(out, at, policy)?;
        policy.rules.iter().try_for_each(|rule| write_rule(out, rule))?;
    }
    if suggestion.policies.is_empty() {
        return Ok(());
    }
    let most = shown(suggestion.left_out.len(), LEFT_OUT);
    for (request, why, count) in suggestion.left_out.iter().take(most) {
        writeln!(out, "# Left out: {} ({}): {why}", line(request), words::times(*count))?;
    }
    match suggestion.left_out.len() - most {
        0 => Ok(()),
        more => writeln!(out, "# … and {more} more"),
    }
}

fn head(out: &mut String, at: usize, policy: &Suggested) -> fmt::Result {
    let Suggested { kind, name, teams, .. } = policy;
    if at > 0 {
        writeln!(out, "---")?;
    }
    writeln!(out, "apiVersion: seawall/v1\nkind: {kind}\nname: {}", quoted(name))?;
    writeln!(out, "description: Allows what recorded requests asked for and no rule matched.")?;
    if teams.is_empty() {
        writeln!(out, "# Without a scope: nobody who asked is known to be in a team.")?;
    } else {
        let teams: Vec<String> = teams.iter().map(|team| quoted(team)).collect();
        writeln!(out, "scope:\n  teams: [{}]", teams.join(", "))?;
    }
    writeln!(out, "rules:")
}

fn write_rule(out: &mut String, rule: &SuggestedRule) -> fmt::Result {
    let SuggestedRule { name, action, target, count, users, names } = rule;
    let (times, by) = (words::times(*count), words::count(*users, "user"));
    writeln!(out, "  # Asked for {times} by {by}.")?;
    if !names.is_empty() {
        let names: Vec<_> = names.iter().map(|name| line(name)).collect();
        writeln!(out, "  # In place of {}.", list::listed(&names))?;
    }
    writeln!(
        out,
        "  - name: {}\n    decision: allow\n    actions: [{}]",
        quoted(name),
        quoted(action)
    )?;
    match target {
        Target::Plain(resource) => writeln!(out, "    resources: [{}]", quoted(resource)),
        Target::Http(host, port, path) => {
            writeln!(
                out,
                "    http_resources:\n      - {{host: {}, port: {port}, path: {}}}",
                quoted(host),
                quoted(path)
            )
        }
    }
}

/// A text as YAML, plain where it can be no other thing.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.ends_with(':')
        && !text.contains(": ")
        && text.chars().all(|one| one.is_ascii_alphanumeric() || "-_./:".contains(one))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { serde_json::to_string(text).expect("text is JSON") }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn texts_are_quoted_where_they_could_be_something_else() {
        for (text, written) in [
            ("connect:tcp", "connect:tcp"),
            ("a.example:443", "a.example:443"),
            ("*.example.org", "\"*.example.org\""),
            ("yes", "\"yes\""),
            ("10.0.0.1:22", "\"10.0.0.1:22\""),
            ("a\"b", "\"a\\\"b\""),
            ("a # b", "\"a # b\""),
        ] {
            assert_eq!(quoted(text), written);
        }
    }
}
