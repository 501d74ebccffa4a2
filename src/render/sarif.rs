//! Findings as SARIF 2.1.0 (OASIS), for code scanning.
//!
//! Invariant: every code of the table is a rule with its help, so that a result explains itself
//! wherever it is shown.

use std::path::{Component, Path};

use serde_json::{Value, json};

use super::findings::Older;
use crate::check::{Check, TABLE};
use crate::diagnostic::{Diagnostic, Findings, Label, Severity, SourceFile, sanitize};

/// The location of a finding that has none of its own.
const SETTINGS: &str = "seawall.yaml";

/// The findings as one SARIF log with one run, indented, with a line end. Paths are relative to
/// `folder`, which is to be the root of the repository.
#[must_use]
pub fn sarif(findings: &Findings, folder: &Path, older: Option<Older<'_>>) -> String {
    let results: Vec<Value> =
        findings.diagnostics.iter().map(|finding| result(findings, finding, folder)).collect();
    let rules: Vec<Value> = TABLE.iter().copied().flatten().map(rule).collect();
    let mut log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "seawall", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results
        }]
    });
    if let (Some(older), Some(run)) =
        (older, log.pointer_mut("/runs/0").and_then(Value::as_object_mut))
    {
        run.insert(
            "properties".to_owned(),
            json!({"base": older.base, "olderFindings": older.count}),
        );
    }
    sanitize::json(&log)
}

fn level(severity: Severity) -> &'static str {
    // The three names are those of SARIF.
    severity.as_str()
}

fn rule(check: &Check) -> Value {
    let text = format!("{} {}", check.explanation, check.fix);
    let example = if check.bad.is_empty() {
        String::new()
    } else {
        format!("\n\nFor example:\n\n```yaml\n{}```", check.bad)
    };
    json!({
        "id": check.code,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": check.explanation},
        "help": {"text": text, "markdown": format!("{}{example}\n\n{}", check.explanation, check.fix)},
        "defaultConfiguration": {"level": level(check.severity)}
    })
}

fn result(findings: &Findings, diagnostic: &Diagnostic, folder: &Path) -> Value {
    let Diagnostic { code, severity, message, primary, related, help } = diagnostic;
    let text = match help {
        Some(help) => format!("{message}; {help}"),
        None => message.clone(),
    };
    let mut result =
        json!({"ruleId": code, "level": level(*severity), "message": {"text": plain(&text)}});
    let index = TABLE.iter().copied().flatten().position(|check| check.code == *code);
    let location = |label: &Label| location(findings.files.get(label.file), label, folder);
    if let Some(fields) = result.as_object_mut() {
        if let Some(index) = index {
            fields.insert("ruleIndex".to_owned(), index.into());
        }
        let place = primary.as_ref().map_or_else(|| settings(findings, folder), location);
        fields.insert("locations".to_owned(), json!([place]));
        if !related.is_empty() {
            let related = related.iter().map(location).collect();
            fields.insert("relatedLocations".to_owned(), Value::Array(related));
        }
    }
    result
}

/// Brackets in a message would be a link.
fn plain(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

fn location(file: &SourceFile, label: &Label, folder: &Path) -> Value {
    let place = file.place(&label.span);
    let mut location = json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(file.path.strip_prefix(folder).unwrap_or(&file.path))},
        "region": {
            "startLine": place.line, "startColumn": place.column,
            "endLine": place.end_line, "endColumn": place.end_column
        }
    }});
    if let (Some(message), Some(fields)) = (&label.message, location.as_object_mut()) {
        fields.insert("message".to_owned(), json!({"text": plain(message)}));
    }
    location
}

/// The start of the workspace's settings: GitHub takes no log with a result that is nowhere.
fn settings(findings: &Findings, folder: &Path) -> Value {
    let file = findings.files.iter().map(|(_, file)| file).find(|file| file.name == SETTINGS);
    let path = file
        .map_or(Path::new(SETTINGS), |file| file.path.strip_prefix(folder).unwrap_or(&file.path));
    json!({"physicalLocation": {"artifactLocation": {"uri": uri(path)}, "region": {"startLine": 1}}})
}

/// A path as a URI reference (RFC 3986): relative, or `file:` for an absolute path.
fn uri(path: &Path) -> String {
    let segments: Vec<String> = path
        .components()
        .filter(|component| *component != Component::CurDir)
        .map(|component| {
            if component == Component::RootDir {
                String::new()
            } else {
                encoded(&component.as_os_str().to_string_lossy())
            }
        })
        .collect();
    let path_text = segments.join("/");
    if path.is_absolute() { format!("file://{path_text}") } else { path_text }
}

fn encoded(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_has_a_location() {
        let mut findings = Findings::default();
        findings
            .diagnostics
            .push(Diagnostic::warning("linked-folder", "a linked folder is not searched"));
        let uris = |findings: &Findings| {
            let log: Value =
                serde_json::from_str(&sarif(findings, Path::new("/work"), None)).unwrap();
            log.pointer("/runs/0/results/0/locations/0/physicalLocation").unwrap().clone()
        };
        assert_eq!(
            uris(&findings),
            json!({"artifactLocation": {"uri": "seawall.yaml"}, "region": {"startLine": 1}})
        );
        findings.files.add("a.yaml", "/work/p/a.yaml", "");
        findings.files.add("seawall.yaml", "/work/p/seawall.yaml", "");
        assert_eq!(uris(&findings)["artifactLocation"]["uri"], "p/seawall.yaml");
    }

    #[test]
    fn paths_become_references() {
        for (path, expected) in [
            ("policies/a.yaml", "policies/a.yaml"),
            ("./a b#c.yaml", "a%20b%23c.yaml"),
            ("../ü.yaml", "../%C3%BC.yaml"),
            ("/work/a.yaml", "file:///work/a.yaml"),
            ("a:b.yaml", "a%3Ab.yaml"),
        ] {
            assert_eq!(uri(Path::new(path)), expected);
        }
    }
}
