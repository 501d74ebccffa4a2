//! `# seawall: allow[code] reason`: an author's statement that a finding is known and accepted.
//!
//! A suppression at the end of a line applies to what starts on that line; a suppression on a
//! separate line applies to what starts on the next line that is not a comment. In Cedar text, `//`
//! replaces `#`, and statements are what starts.
//!
//! `# seawall: live[code] reason`, as an import writes it: a pattern exists in the service although
//! this program considers it invalid. The error about it becomes a warning; any other error stays
//! one.
//!
//! Invariant: only warnings and notes can be suppressed, each suppression has a reason, and a
//! suppression without effect is itself a finding.

use std::ops::Range;

use crate::diagnostic::{
    Diagnostic, FileId, Files, Label, Severity, SourceFile, Suppression, has_errors, nearest,
};
use crate::source::{Comment, Parts, Spans};

/// A file as it was read, or Cedar text in it: its suppressions, and the parts that they can apply
/// to.
pub(crate) struct Annotated<'a> {
    pub(crate) file: FileId,
    /// The marker that comments start with.
    pub(crate) marker: &'static str,
    pub(crate) comments: &'a [Comment],
    pub(crate) places: Vec<&'a Spans>,
}

/// Removes suppressed findings, adds those about suppressions, and returns the suppressions.
pub(crate) fn apply(
    files: &Files,
    annotated: &[Annotated<'_>],
    findings: &mut Vec<Diagnostic>,
) -> Vec<Suppression> {
    let mut about = Vec::new();
    let mut suppressions: Vec<Suppression> =
        annotated.iter().flat_map(|file| read(files, file, &mut about)).collect();
    findings.retain_mut(|finding| match finding.severity {
        Severity::Error
            if is_tolerable(finding.code) && suppressed(finding, true, &mut suppressions) =>
        {
            finding.severity = Severity::Warning;
            true
        }
        Severity::Error => true,
        Severity::Warning | Severity::Note => !suppressed(finding, false, &mut suppressions),
    });
    // With an error in any document, other checks are skipped, and a finding may be missing for
    // that reason.
    let broken = has_errors(findings);
    for suppression in suppressions.iter().filter(|suppression| !suppression.used) {
        let word = if suppression.live { "live" } else { "allow" };
        let message = format!("`{word}[{}]` suppresses nothing", suppression.code);
        let finding = Diagnostic::warning("unused-suppression", message);
        let help = match super::find(&suppression.code) {
            None => match nearest(&suppression.code, super::codes()) {
                Some(near) => format!("there is no such code; did you mean `{near}`?"),
                None => "there is no such code; findings show theirs in brackets".to_owned(),
            },
            Some(_) if suppression.live => {
                "`live` turns errors about patterns into warnings: remove it, or put it just above the pattern"
                    .to_owned()
            }
            Some(check) if check.severity == Severity::Error => {
                "errors cannot be suppressed: the service would refuse the policy, or a rule would do nothing"
                    .to_owned()
            }
            Some(_) if broken => continue,
            Some(_) => "remove it, or put it on or just above the line that the finding starts on".to_owned(),
        };
        about
            .push(finding.at(Label::new(suppression.file, suppression.comment.clone())).help(help));
    }
    findings.append(&mut about);
    suppressions
}

/// Returns `true` if an error of this code may become a warning: it is about the meaning of a
/// pattern, not about the form of a document. No schema reports these codes, since a document that
/// its schema refuses is not read, and would be missing.
#[must_use]
pub fn is_tolerable(code: &str) -> bool {
    matches!(code, "invalid-host" | "invalid-path" | "environment-variable" | "http-path")
}

fn suppressed(finding: &Diagnostic, live: bool, suppressions: &mut [Suppression]) -> bool {
    let Some(place) = &finding.primary else { return false };
    let mut hit = false;
    for suppression in suppressions {
        let covered = suppression.covers.contains(&place.span.start);
        if suppression.file == place.file
            && suppression.code == finding.code
            && suppression.live == live
            && covered
        {
            suppression.used = true;
            hit = true;
        }
    }
    hit
}

fn read(files: &Files, annotated: &Annotated<'_>, about: &mut Vec<Diagnostic>) -> Vec<Suppression> {
    let source = files.get(annotated.file);
    let mut suppressions = Vec::new();
    for comment in annotated.comments {
        let Some(directive) = comment.text.trim().strip_prefix("seawall:") else { continue };
        let label = || Label::new(annotated.file, comment.span.clone());
        let directive = directive.trim();
        let live = directive.starts_with("live[");
        let codes = directive.strip_prefix(if live { "live[" } else { "allow[" });
        let parsed = codes.and_then(|rest| rest.split_once(']'));
        let Some((codes, reason)) = parsed else {
            let finding = Diagnostic::warning(
                "malformed-suppression",
                "this comment is not a suppression that seawall understands",
            );
            about.push(finding.at(label()).help("write `# seawall: allow[code] reason`"));
            continue;
        };
        if reason.trim().is_empty() {
            let finding =
                Diagnostic::warning("malformed-suppression", "a suppression needs a reason");
            about.push(finding.at(label()).help("write `# seawall: allow[code] reason`"));
            continue;
        }
        let covers = covered(source, comment, annotated);
        suppressions.extend(codes.split(',').map(|code| Suppression {
            file: annotated.file,
            code: code.trim().to_owned(),
            reason: reason.trim().to_owned(),
            comment: comment.span.clone(),
            covers: covers.clone(),
            live,
            used: false,
        }));
    }
    suppressions
}

/// The bytes that a suppression applies to: its target line, and everything that starts there.
fn covered(source: &SourceFile, comment: &Comment, annotated: &Annotated<'_>) -> Range<usize> {
    let mut line = source.place(&comment.span).line;
    if !comment.trailing {
        line += 1;
        while source.text.get(source.line_start(line)..source.line_start(line + 1)).is_some_and(
            |text| {
                text.trim_start().starts_with(annotated.marker)
                    || (text.trim().is_empty() && !text.is_empty())
            },
        ) {
            line += 1;
        }
    }
    let mut covered = source.line_start(line)..source.line_start(line + 1);
    for places in &annotated.places {
        // The whole document only for a suppression above it; its first key may be on any line.
        if !comment.trailing && covered.contains(&places.span().start) {
            covered.end = covered.end.max(places.span().end);
        }
        widen(places, &mut covered);
    }
    covered
}

/// Extends a line to the end of the parts that start on it.
fn widen(places: &Spans, covered: &mut Range<usize>) {
    let mut part = |start: usize, value: &Spans| {
        if covered.contains(&start) {
            covered.end = covered.end.max(value.span().end);
        } else if value.span().end > covered.start && start < covered.start {
            widen(value, covered);
        }
    };
    match places.parts() {
        None => {}
        Some(Parts::Items(items)) => items.iter().for_each(|item| part(item.span().start, item)),
        Some(Parts::Entries(entries)) => {
            entries.iter().for_each(|entry| part(entry.key_span.start, &entry.value))
        }
    }
}
