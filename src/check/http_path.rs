//! Paths of HTTP rules, which must be canonical to match anything.

use super::verdict::Verdict;
use super::{Check, Run};
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::Declared;
use crate::model::Resources;

pub(super) const CHECKS: &[Check] = &[Check {
    code: "http-path",
    severity: Severity::Error,
    title: "an HTTP path is not canonical",
    explanation: "Requests are matched by their canonical path. A pattern with a query, a fragment, percent-encoding, \
        control characters, a slash that is repeated or at the end, or a `.` or `..` segment never matches, or is refused.",
    bad: "- name: api\n  decision: deny\n  actions: [request:delete]\n  \
        http_resources: [{host: api.example.com, path: /repos//docker/}]\n",
    fix: "Write the path as the server sees it: `/repos/docker/**`.",
    run: Run::Policy(check),
}];

fn check(policy: &Declared<'_>, _: &Files, findings: &mut Vec<Diagnostic>) {
    for (rule, index) in policy.desired.policy.rules().iter().zip(0..) {
        let Resources::Http(targets) = &rule.resources else { continue };
        for (target, at) in targets.iter().zip(0..) {
            if let Some(verdict) = judge(&target.path) {
                findings.push(verdict.at(policy.document.label(&format!("{}/path", policy.resource(index, at)))));
            }
        }
    }
}

fn judge(path: &str) -> Option<Verdict> {
    let (problem, help) = problem(path)?;
    Some(Verdict::wrong("http-path", format!("the path `{path}` {problem}"), help))
}

fn problem(path: &str) -> Option<(&'static str, String)> {
    let segments = || path.split('/').skip(1);
    let written = |help: &str| help.to_owned();
    if !path.starts_with('/') {
        Some(("does not start with `/`", format!("write `/{path}`")))
    } else if path.contains('?') {
        let front = path.split('?').next().unwrap_or_default();
        Some(("holds a query, which rules do not match", format!("write `{front}`; it matches whatever the query is")))
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
        Some(("ends with a slash", format!("write `{bare}` for this path, or `{bare}/**` for all below it too")))
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
        for path in ["/", "/**", "/repos", "/repos/*/pulls", "/v*/x", "/repos/docker/**", "/a.b/..c", "/ü"] {
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
}
