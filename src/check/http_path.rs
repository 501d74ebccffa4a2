//! Paths of HTTP rules, which match only in canonical form.

use super::verdict::Verdict;
use super::{Check, Run};
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::Declared;
use crate::model::Resources;

const WILDCARD: &str = "http-path-wildcard";

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "http-path",
        severity: Severity::Error,
        title: "an HTTP path is not canonical",
        explanation: "Requests are matched by their canonical path. A pattern with a query, a fragment, percent-encoding, \
        control characters, a slash that is repeated or at the end, or a `.` or `..` segment never matches, or is refused.",
        bad: "- name: api\n  decision: deny\n  actions: [request:delete]\n  \
        http_resources: [{host: api.example.com, path: /repos//docker/}]\n",
        fix: "Write the path as the server sees it: `/repos/docker/**`.",
        run: Run::Policy(check),
    },
    Check {
        code: WILDCARD,
        severity: Severity::Warning,
        title: "an HTTP path uses wildcard syntax of other tools",
        explanation: "Rules know `*` for one segment and `**` for any number of them, as segments of their own. A parameter \
            such as `{id}` or `:id` stands for itself, a regular expression is not read as one, and what `/api**` matches is \
            not documented: a deny stays open, an allow opens nothing.",
        bad: "- name: users\n  decision: deny\n  actions: [request:delete]\n  \
            http_resources: [{host: api.example.com, path: \"/users/{id}\"}]\n",
        fix: "Write `*` for one segment, and `/**` for all that is below.",
        run: Run::Elsewhere,
    },
];

fn check(policy: &Declared<'_>, _: &Files, findings: &mut Vec<Diagnostic>) {
    for (rule, index) in policy.desired.policy.rules().iter().zip(0..) {
        let Resources::Http(targets) = &rule.resources else { continue };
        for (target, at) in targets.iter().zip(0..) {
            if let Some(verdict) = judge(&target.path) {
                findings
                    .push(verdict.at(
                        policy.document.label(&format!("{}/path", policy.resource(index, at))),
                    ));
            }
        }
    }
}

fn judge(path: &str) -> Option<Verdict> {
    if let Some((problem, help)) = problem(path) {
        return Some(Verdict::wrong("http-path", format!("the path `{path}` {problem}"), help));
    }
    let segment = path.split('/').find(|segment| has_odd_wildcard(segment))?;
    let message = if is_parameter(segment) {
        format!("`{segment}` in `{path}` is a literal, not a placeholder for any segment")
    } else if is_expression(segment) {
        format!("`{segment}` in `{path}` is not read as a regular expression")
    } else {
        format!("what `{segment}` in `{path}` matches is not documented")
    };
    let is_any = |segment: &str| is_parameter(segment) || is_expression(segment);
    let plain = |segment: &str| if is_any(segment) { "*".to_owned() } else { segment.to_owned() };
    let segments: Vec<String> = path.split('/').map(plain).collect();
    let help = match segments.iter().position(|segment| is_half_deep(segment)) {
        None => format!("write `{}`", segments.join("/")),
        Some(at) => {
            let kept =
                segments.get(at).map(|segment| segment.trim_matches('*')).unwrap_or_default();
            let front = segments.get(..at).unwrap_or_default().join("/");
            let behind: Vec<&str> = segments
                .iter()
                .skip(at + 1)
                .map(String::as_str)
                .filter(|one| *one != "**")
                .collect();
            let deep = [front.as_str(), kept, "**"]
                .into_iter()
                .chain(behind)
                .collect::<Vec<_>>()
                .join("/");
            format!("write `{}` for `{front}/{kept}` and all below it", deep.replace("//", "/"))
        }
    };
    Some(Verdict::open(WILDCARD, message, help))
}

/// Returns `true` if a path has a wildcard in the style of other tools.
pub(super) fn has_odd_wildcard(path: &str) -> bool {
    path.split('/')
        .any(|segment| is_parameter(segment) || is_half_deep(segment) || is_expression(segment))
}

/// A segment that other tools use as a wildcard: `{id}`, `:id`, `<id>`, `report-{id}.json`.
fn is_parameter(segment: &str) -> bool {
    let starts_name =
        |rest: &str| rest.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let between = |open: char, close: char| {
        segment
            .split_once(open)
            .and_then(|(_, rest)| rest.split_once(close))
            .is_some_and(|(name, _)| !name.is_empty())
    };
    segment.strip_prefix(':').is_some_and(starts_name) || between('{', '}') || between('<', '>')
}

/// A segment that is a regular expression: `.*`, `[0-9]+`, `(a|b)`. No path of a request has the
/// brackets and the bar.
fn is_expression(segment: &str) -> bool {
    matches!(segment, ".*" | ".+" | "(.*)" | "(.+)") || segment.contains(['[', ']', '|'])
}

/// A `**` inside of a segment.
fn is_half_deep(segment: &str) -> bool {
    segment.contains("**") && segment != "**"
}

fn problem(path: &str) -> Option<(&'static str, String)> {
    let segments = || path.split('/').skip(1);
    let written = |help: &str| help.to_owned();
    if !path.starts_with('/') {
        Some(("does not start with `/`", format!("write `/{path}`")))
    } else if path.contains('?') {
        let front = path.split('?').next().unwrap_or_default();
        Some((
            "holds a query, which rules do not match",
            format!("write `{front}`; it matches with every query"),
        ))
    } else if path.contains('#') {
        Some(("holds a fragment, which is never sent", written("remove it")))
    } else if path.contains('%') {
        Some(("holds percent-encoding", written("write the characters themselves")))
    } else if path.contains('\\') {
        Some(("holds a backslash", written("separate segments with `/`")))
    } else if path.chars().any(char::is_control) {
        Some(("holds control characters", written("remove them")))
    } else if path.trim() != path {
        Some(("has spaces around it", written("remove them")))
    } else if path.contains("//") {
        Some(("repeats a slash", written("write one")))
    } else if path.len() > 1 && path.ends_with('/') {
        let bare = path.trim_end_matches('/');
        Some((
            "ends with a slash",
            format!("write `{bare}` for this path, or `{bare}/**` for all below it too"),
        ))
    } else if segments().any(|segment| matches!(segment, "." | "..")) {
        Some(("holds a `.` or `..` segment", written("write the path that it leads to")))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_paths() {
        for path in
            ["/", "/**", "/repos", "/repos/*/pulls", "/v*/x", "/repos/docker/**", "/a.b/..c", "/ü"]
        {
            assert_eq!(judge(path), None, "{path}");
        }
        let cases = [
            ("repos", "start"),
            ("/a?b=1", "query"),
            ("/a#b", "fragment"),
            ("/a%20b", "percent"),
            ("/a\\b", "backslash"),
            ("/a\u{7f}", "control"),
            ("/a ", "spaces"),
            ("/a//b", "repeats"),
            ("//", "repeats"),
            ("/a/", "ends"),
            ("/a/./b", "segment"),
            ("/a/..", "segment"),
        ];
        for (path, part) in cases {
            let verdict = judge(path).expect(path);
            assert!(verdict.wrong && verdict.message.contains(part), "{path}: {verdict:?}");
        }
    }

    #[test]
    fn wildcards_of_other_tools() {
        for (path, help) in [
            ("/users/{id}", "write `/users/*`"),
            ("/users/{id}/posts/{post}", "write `/users/*/posts/*`"),
            ("/users/:id", "write `/users/*`"),
            ("/users/<int:id>/x", "write `/users/*/x`"),
            ("/files/{name}.json", "write `/files/*`"),
            ("/api**", "write `/api/**` for `/api` and all below it"),
            ("/v1/users**", "write `/v1/users/**` for `/v1/users` and all below it"),
        ] {
            let verdict = judge(path).expect(path);
            assert!(!verdict.wrong && verdict.code == WILDCARD, "{path}: {verdict:?}");
            assert_eq!(verdict.help, help, "{path}");
        }
        // Some services use a colon for an action.
        for path in ["/v1/projects/x:cancel", "/a/b*", "/:", "/a/{}", "/time/12:30"] {
            assert_eq!(judge(path), None, "{path}");
        }
    }
}
