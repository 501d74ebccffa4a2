//! Paths of file system rules.
//!
//! The manuals describe five forms, each of which matches only its own: `/data/**`, `~/data/**`,
//! `C:\data\**`, `*:\data\**` and `\\wsl.localhost\DISTRO\data\**`; and `**` for every path.

use super::verdict::Verdict;
use super::{Check, Run};
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::Declared;
use crate::model::{Domain, Resources};

const INVALID: &str = "invalid-path";
const UNDOCUMENTED: &str = "undocumented-path";

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: INVALID,
        severity: Severity::Error,
        title: "a path pattern matches no path",
        explanation: "A pattern is compared with absolute paths. Relative patterns, `.` and `..` segments, repeated \
            separators and separators at the end never match, and a dead deny leaves a door open in suppression.",
        bad: "- {name: data, decision: deny, actions: [read], resources: [data/secrets/]}\n",
        fix: "Write an absolute path without a separator at the end: `/data`, `~/work/**`, `C:\\data\\**`.",
        run: Run::Policy(check),
    },
    Check {
        code: "environment-variable",
        severity: Severity::Error,
        title: "a path holds an environment variable",
        explanation: "Environment variables are not expanded: the pattern is compared literally, and never matches.",
        bad: "- {name: home, decision: deny, actions: [read], resources: [$HOME/.ssh]}\n",
        fix: "Write `~` for the home folder, on every operating system, or the path itself.",
        run: Run::Elsewhere,
    },
    Check {
        code: UNDOCUMENTED,
        severity: Severity::Warning,
        title: "it is not documented what this path pattern matches",
        explanation: "The manuals describe absolute paths of Unix, Windows and WSL, `~`, and the wildcards `*` and `**`. \
            Other forms may match more or less than they seem to.",
        bad: "- {name: data, decision: deny, actions: [read], resources: [\"C:/data/**\"]}\n",
        fix: "Write one of the documented forms.",
        run: Run::Elsewhere,
    },
];

fn check(policy: &Declared<'_>, _: &Files, findings: &mut Vec<Diagnostic>) {
    if policy.desired.domain != Domain::Filesystem {
        return;
    }
    for (rule, index) in policy.desired.policy.rules().iter().zip(0..) {
        let Resources::Plain(paths) = &rule.resources else { continue };
        for (path, at) in paths.iter().zip(0..) {
            if let Some(verdict) = judge(path) {
                findings.push(verdict.at(policy.document.label(&policy.resource(index, at))));
            }
        }
    }
}

fn judge(path: &str) -> Option<Verdict> {
    let wrong = |problem: &str, help: &str| {
        Some(Verdict::wrong(INVALID, format!("the path `{path}` {problem}"), help))
    };
    let open = |help: &str| {
        Some(Verdict::open(
            UNDOCUMENTED,
            format!("what the path `{path}` matches is not documented"),
            help,
        ))
    };
    if path == "**" {
        return None;
    }
    if path.trim() != path || path.chars().any(char::is_control) {
        return wrong("has spaces around it or control characters in it", "remove them");
    }
    if has_variable(path) {
        let message =
            format!("the path `{path}` holds an environment variable, which is not expanded");
        let help = "write `~` for the home folder, or the path itself";
        return Some(Verdict::wrong("environment-variable", message, help));
    }
    let Some((rest, separator)) = anchored(path) else {
        return match path.strip_prefix('~') {
            Some("") => None,
            Some(_) => wrong(
                "names the home folder of a user, which is not expanded",
                "write `~/…` for each user's own",
            ),
            None if path.starts_with("**/") => wrong(
                "is relative",
                &format!("write `/{path}`, or `~/{path}` for the home folder alone"),
            ),
            None => wrong(
                "is relative",
                &format!(
                    "start with `/`, `~/`, a drive such as `C:\\`, or `\\\\wsl.localhost\\`; \
                     `/**/{}` is in any folder",
                    path.trim_start_matches("./")
                ),
            ),
        };
    };
    let segments: Vec<&str> = rest.split(separator).collect();
    let other = if separator == '/' { '\\' } else { '/' };
    if rest.is_empty() {
        None
    } else if segments.last().is_some_and(|last| last.is_empty()) {
        let bare = path.trim_end_matches(separator);
        let help = match bare.ends_with("**") {
            true => format!("write `{bare}`"),
            false => {
                format!("write `{bare}` for the folder, or `{bare}{separator}**` for all below it")
            }
        };
        wrong("ends with a separator", &help)
    } else if segments.iter().any(|segment| segment.is_empty()) {
        wrong("repeats a separator", "write one")
    } else if segments.iter().any(|segment| matches!(*segment, "." | "..")) {
        wrong("holds a `.` or `..` segment", "write the path that it leads to")
    } else if path.as_bytes().get(1) == Some(&b':') && separator == '/' {
        open(&format!("write backslashes after a drive: `{}`", path.replace('/', "\\")))
    } else if rest.contains(['{', '}']) {
        open("write `*` for any one name, and list alternatives as items of their own")
    } else if rest.contains(other) || rest.contains(['?', '[', ']']) {
        open("use one kind of separator, and no other wildcards than `*` and `**`")
    } else if path.starts_with("\\\\") && !path.starts_with("\\\\wsl.localhost\\") {
        open("write a drive (`C:\\…`, `*:\\…`) or `\\\\wsl.localhost\\DISTRO\\…`")
    } else if path.starts_with("~\\") {
        open("write `~/…`, which is the home folder on Windows too")
    } else if segments.iter().any(|segment| segment.contains("**") && *segment != "**") {
        open("let `**` be a segment of its own")
    } else {
        None
    }
}

/// The text after the anchor of an absolute path, with its separator.
fn anchored(path: &str) -> Option<(&str, char)> {
    if let Some(rest) = path.strip_prefix("\\\\") {
        return Some((rest, '\\'));
    }
    if let Some(rest) = path.strip_prefix("~/").or_else(|| path.strip_prefix('/')) {
        return Some((rest, '/'));
    }
    if let Some(rest) = path.strip_prefix("~\\") {
        return Some((rest, '\\'));
    }
    let (drive, rest) = path.split_once(':')?;
    let letter =
        drive == "*" || (drive.len() == 1 && drive.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let separator = rest.chars().next().filter(|first| matches!(first, '\\' | '/'))?;
    letter
        .then(|| (rest.trim_start_matches(separator), separator))
        .filter(|(inner, _)| rest.len() - inner.len() == 1)
}

/// `$HOME`, `${HOME}`, `%USERPROFILE%`.
fn has_variable(path: &str) -> bool {
    let dollar = path.split('$').skip(1).any(|rest| {
        rest.starts_with(|next: char| next == '{' || next == '_' || next.is_ascii_alphabetic())
    });
    let percent = path.split('%').skip(1).step_by(2).zip(path.split('%').skip(2).step_by(2)).any(
        |(name, _)| {
            !name.is_empty()
                && name.chars().all(|next| {
                    next == '_' || next == '(' || next == ')' || next.is_ascii_alphanumeric()
                })
        },
    );
    dollar || percent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proposed_can_be_pasted() {
        for (path, expected) in [
            ("**/.env", "write `/**/.env`, or `~/**/.env` for the home folder alone"),
            ("/data/**/", "write `/data/**`"),
            ("/data/", "write `/data` for the folder, or `/data/**` for all below it"),
            ("C:/Users/*/.aws/**", "write backslashes after a drive: `C:\\Users\\*\\.aws\\**`"),
            ("/home/{user}/x", "write `*` for any one name, and list alternatives"),
        ] {
            let help = judge(path).map(|verdict| verdict.help).unwrap_or_default();
            assert!(help.starts_with(expected), "{path}: {help}");
        }
    }

    #[test]
    fn paths() {
        let cases = [
            // The documented forms.
            ("**", "ok"),
            ("/", "ok"),
            ("/data", "ok"),
            ("/data/**", "ok"),
            ("/data/*/x", "ok"),
            ("/data/file-*.txt", "ok"),
            ("/Program Files/x", "ok"),
            ("~", "ok"),
            ("~/**", "ok"),
            ("C:\\data\\**", "ok"),
            ("c:\\", "ok"),
            ("*:\\data\\**", "ok"),
            ("\\\\wsl.localhost\\Ubuntu\\data\\**", "ok"),
            ("/data/100%", "ok"),
            ("/data/a$", "ok"),
            // Never match.
            ("data", INVALID),
            ("./data", INVALID),
            ("../data", INVALID),
            ("*", INVALID),
            ("**/secrets", INVALID),
            ("~alice/x", INVALID),
            ("/data/", INVALID),
            ("C:\\data\\", INVALID),
            ("/data//x", INVALID),
            ("/data/../x", INVALID),
            ("/data/.", INVALID),
            (" /data", INVALID),
            ("C:data", INVALID),
            ("*data", INVALID),
            // Not expanded.
            ("$HOME/.ssh", "environment-variable"),
            ("/data/${USER}/x", "environment-variable"),
            ("%USERPROFILE%\\x", "environment-variable"),
            ("C:\\Users\\%USERNAME%\\x", "environment-variable"),
            // Not documented.
            ("C:/data/**", UNDOCUMENTED),
            ("~\\work", UNDOCUMENTED),
            ("\\\\server\\share", UNDOCUMENTED),
            ("/data/a?c", UNDOCUMENTED),
            ("/data/**.txt", UNDOCUMENTED),
            ("/data\\x", UNDOCUMENTED),
        ];
        for (path, expected) in cases {
            assert_eq!(judge(path).map_or("ok", |verdict| verdict.code), expected, "{path}");
        }
    }
}
