//! Findings for people: the source line underlined, and what to do.
//!
//! Invariant: foreign text, the source lines too, cannot act on a terminal; see [`super::sanitize`].

use std::ops::Range;
use std::path::Path;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::sanitize;
use crate::diagnostic::{Diagnostic, Files, Findings, Label, Severity, SourceFile};

/// Labels that are closer than this many lines are shown in one piece.
const NEAR: usize = 8;

/// The findings in the order that they have. Coloured, so it goes through `anstream`. Paths below `folder` are shown
/// relative to it.
#[must_use]
pub fn human(findings: &Findings, folder: &Path) -> String {
    let renderer = Renderer::styled();
    let one = |diagnostic: &Diagnostic| one(&renderer, diagnostic, &findings.files, folder) + "\n\n";
    findings.diagnostics.iter().map(one).collect()
}

/// How many findings of each severity there are, in words: `2 errors, 1 warning`.
#[must_use]
pub fn summary(findings: &Findings) -> String {
    let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (findings.count(severity), severity.as_str()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}

fn one(renderer: &Renderer, diagnostic: &Diagnostic, files: &Files, folder: &Path) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(sanitize::line(&diagnostic.message)).id(diagnostic.code);
    let mut group = Group::with_title(title);
    for piece in pieces(diagnostic, files) {
        group = group.element(snippet(files, folder, diagnostic.primary.as_ref(), &piece));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(sanitize::line(help)));
    }
    renderer.render(&[group])
}

/// The labels, those together that stand near the primary one.
fn pieces<'a>(diagnostic: &'a Diagnostic, files: &Files) -> Vec<Vec<&'a Label>> {
    let line = |label: &Label| files.get(label.file).place(&label.span).line;
    let mut pieces: Vec<Vec<&Label>> = diagnostic.primary.iter().map(|primary| vec![primary]).collect();
    for label in &diagnostic.related {
        let near = diagnostic
            .primary
            .as_ref()
            .is_some_and(|primary| primary.file == label.file && line(primary).abs_diff(line(label)) < NEAR);
        match pieces.first_mut() {
            Some(first) if near => first.push(label),
            Some(_) | None => pieces.push(vec![label]),
        }
    }
    pieces
}

/// The lines that labels of one file need, and no others, so that a finding costs the same in a file of any size.
fn snippet<'a>(
    files: &Files,
    folder: &Path,
    primary: Option<&Label>,
    labels: &[&Label],
) -> Snippet<'a, Annotation<'a>> {
    let file = files.get(labels.first().expect("a piece has a label").file);
    let lines = || labels.iter().map(|label| file.place(&label.span).line);
    let (first, last) = (lines().min().unwrap_or(1), lines().max().unwrap_or(1));
    let start = file.line_start(first);
    let excerpt = Excerpt::new(file.text.get(start..file.line_start(last + 1)).unwrap_or_default());
    let path = file.path.strip_prefix(folder).unwrap_or(&file.path);
    let path = sanitize::line(&path.to_string_lossy()).into_owned();
    let annotations = labels.iter().map(|label| {
        let span = first_line(file, &label.span);
        let span = excerpt.offset(span.start - start)..excerpt.offset(span.end - start);
        let kind = if Some(*label) == primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        match &label.message {
            Some(message) => kind.span(span).label(sanitize::line(message).into_owned()),
            None => kind.span(span),
        }
    });
    let annotations: Vec<_> = annotations.collect();
    Snippet::source(excerpt.text).line_start(first).path(path).annotations(annotations)
}

/// A span up to the end of its first line: what a finding is about starts there, and long values say nothing more.
fn first_line(file: &SourceFile, span: &Range<usize>) -> Range<usize> {
    let start = span.start.min(file.text.len());
    let end = span.end.min(file.text.len()).max(start);
    let text = file.text.get(start..end).unwrap_or_default();
    start..start + text.split(['\r', '\n']).next().map_or(0, str::len)
}

/// Lines of a file, made safe, and the way from bytes of the file to bytes of what is shown.
struct Excerpt {
    text: String,
    offsets: Vec<usize>,
}

impl Excerpt {
    fn new(source: &str) -> Self {
        let mut text = String::with_capacity(source.len());
        let mut offsets = Vec::with_capacity(source.len() + 1);
        let mut characters = source.chars().peekable();
        while let Some(character) = characters.next() {
            offsets.extend(std::iter::repeat_n(text.len(), character.len_utf8()));
            let ends_line = character == '\r' && matches!(characters.peek(), Some('\n') | None);
            // A byte order mark can only start the file, where it is nothing to look at.
            let mark = character == '\u{feff}' && text.is_empty();
            if !ends_line && !mark {
                text.push_str(&sanitize::block(character.encode_utf8(&mut [0; 4])));
            }
        }
        offsets.push(text.len());
        Self { text, offsets }
    }

    fn offset(&self, byte: usize) -> usize {
        self.offsets.get(byte).copied().unwrap_or(self.text.len())
    }
}
