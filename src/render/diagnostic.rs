//! Findings for people: the source line underlined, and what to do.
//!
//! Invariant: foreign text, the source lines too, cannot act on a terminal; see
//! [`crate::diagnostic::sanitize`].

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::view::View;
use crate::diagnostic::{
    Diagnostic, Files, Findings, Label, Severity, SourceFile, Unchecked, list, relative, sanitize,
};

/// Labels that are closer than this many lines are shown in one piece.
const NEAR: usize = 8;

/// The number of findings of one code in one file that are listed before the others share a line.
const WHOLE: usize = 3;

/// The number of findings that are shown with their source lines, errors first. Others take a line
/// each: a reader of so many wants an overview.
const SNIPPETS: usize = 20;

/// The number of lines for the other findings, or for groups of them; beyond that, findings are
/// counted.
const LINES: usize = 60;

/// The amount of detail of the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Errors and warnings. Many of one code in one file, and many in all, are shortened; notes are
    /// only counted by [`summary`].
    Brief,
    /// Everything.
    Full,
}

/// The findings in their order, with colours for `anstream`. Paths are relative to `folder`.
#[must_use]
pub fn human(findings: &Findings, folder: &Path, view: View<'_>) -> String {
    let renderer = Renderer::styled().term_width(view.width);
    let mut out = String::new();
    let brief = !view.all;
    let listed =
        || findings.diagnostics.iter().filter(|one| !brief || one.severity != Severity::Note);
    let key = |one: &Diagnostic| (one.code, one.primary.as_ref().map(|label| label.file));
    let mut groups: BTreeMap<_, (Vec<&Diagnostic>, usize)> = BTreeMap::new();
    listed().for_each(|one| groups.entry(key(one)).or_default().0.push(one));
    let errors = findings.count(Severity::Error);
    let (snippets, lines) = if brief { (SNIPPETS, LINES) } else { (usize::MAX, usize::MAX) };
    let mut snippets = Room::new(snippets, errors);
    let mut lines = Room::new(lines, errors.saturating_sub(SNIPPETS));
    let (mut short, mut hidden) = (0, 0);
    for diagnostic in listed() {
        let Some((group, shown)) = groups.get_mut(&key(diagnostic)) else { continue };
        let whole = if !brief || group.len() <= WHOLE + 1 { group.len() } else { WHOLE };
        match (*shown).cmp(&whole) {
            Ordering::Less if snippets.take(diagnostic.severity) => {
                out.push_str(&one(&renderer, diagnostic, &findings.files, folder));
                out.push_str("\n\n");
            }
            Ordering::Less if lines.take(diagnostic.severity) => {
                out.push_str(&one_line(diagnostic, &findings.files, folder));
                out.push('\n');
                short += 1;
            }
            Ordering::Less => hidden += 1,
            Ordering::Equal if lines.take(diagnostic.severity) => {
                let group = group.get(whole..).unwrap_or_default();
                out.push_str(&others(group, &findings.files, folder));
                out.push_str("\n\n");
            }
            Ordering::Equal => hidden += group.len() - whole,
            Ordering::Greater => continue,
        }
        *shown += 1;
    }
    match (short, hidden) {
        (0, 0) => {}
        (short, 0) => out.push_str(&format!(
            "… {short} in one line each: `-v` shows their source lines and help\n\n"
        )),
        (_, hidden) => out.push_str(&format!("… {hidden} more findings: `-v` shows all\n\n")),
    }
    out
}

/// The number of findings that there is room for. Errors may take all of it, and others what the
/// errors leave.
struct Room {
    errors: usize,
    others: usize,
}

impl Room {
    fn new(all: usize, errors: usize) -> Self {
        Self { errors: all, others: all.saturating_sub(errors) }
    }

    /// Returns `true` if there is room for one more.
    fn take(&mut self, severity: Severity) -> bool {
        let room = if severity == Severity::Error { &mut self.errors } else { &mut self.others };
        let fits = *room > 0;
        *room = room.saturating_sub(1);
        fits
    }
}

/// A finding without its source line: `warning[shadowed-allow]: this allow has no effect  policies/a.yaml:5:7`.
fn one_line(diagnostic: &Diagnostic, files: &Files, folder: &Path) -> String {
    let place = diagnostic.primary.as_ref().map(|label| {
        let (file, place) = (files.get(label.file), files.get(label.file).place(&label.span));
        format!("  {}:{}:{}", shown_path(file, folder), place.line, place.column)
    });
    let (severity, code, message) =
        (diagnostic.severity.as_str(), diagnostic.code, sanitize::line(&diagnostic.message));
    format!("{severity}[{code}]: {message}{}", place.unwrap_or_default())
}

/// The path of a file relative to `folder`, sanitized.
fn shown_path(file: &SourceFile, folder: &Path) -> String {
    sanitize::line(&relative(&file.path, folder).to_string_lossy()).into_owned()
}

/// One line for findings of one code in one file:
/// `… 4 more redundant-rule in policies/a.yaml, lines 5-8, 11`.
fn others(group: &[&Diagnostic], files: &Files, folder: &Path) -> String {
    let code = group.first().map_or("", |one| one.code);
    let labels = || group.iter().filter_map(|one| one.primary.as_ref());
    let file = labels().next().map(|label| files.get(label.file));
    let place = file.map(|file| format!(" in {}", shown_path(file, folder))).unwrap_or_default();
    let lines: BTreeSet<usize> =
        labels().map(|label| files.get(label.file).place(&label.span).line).collect();
    let lines = if lines.is_empty() { String::new() } else { format!(", {}", list::lines(&lines)) };
    format!("… {} more {code}{place}{lines}: `-v` shows them", group.len())
}

/// The number of findings of each severity, in words: `2 errors, 1 warning`; and that there may be
/// more in what could not be read.
#[must_use]
pub fn summary(findings: &Findings) -> String {
    summary_of(findings, Detail::Full)
}

/// [`summary`], with what shows the notes that [`Detail::Brief`] leaves out.
#[must_use]
pub fn summary_of(findings: &Findings, detail: Detail) -> String {
    let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (findings.count(severity), severity.as_str()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {}", list::noun(count, name)))
        .collect();
    let counts = if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") };
    let notes = match (detail, findings.count(Severity::Note)) {
        (Detail::Full, _) | (_, 0) => "",
        (Detail::Brief, 1) => ": `-v` shows it",
        (Detail::Brief, _) => ": `-v` shows them",
    };
    let more = match findings.count(Severity::Error) {
        0 => String::new(),
        errors => not_checked(&findings.unchecked, if errors == 1 { "it is" } else { "they are" }),
    };
    format!("{counts}{notes}{more}")
}

/// The parts that were not checked because of errors, as an addition to the counts.
fn not_checked(Unchecked { documents, files, relations }: &Unchecked, are: &str) -> String {
    const NAMED: usize = 3;
    let names: Vec<String> =
        files.iter().map(|file| format!("`{}`", sanitize::line(file))).collect();
    let (first, more) = list::first(&names, NAMED);
    let files = match (first, more) {
        ([], _) => None,
        (first, 0) => Some(format!("the rest of {}", first.join(", "))),
        (_, _) => Some(format!("the rest of {} files", names.len())),
    };
    let documents = match (documents, relations) {
        (true, _) => Some("all documents".to_owned()),
        (false, true) => Some("relations between documents".to_owned()),
        (false, false) => None,
    };
    let parts: Vec<String> = files.into_iter().chain(documents).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("; not checked until {are} mended: {}", parts.join(", "))
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
    let mut pieces: Vec<Vec<&Label>> =
        diagnostic.primary.iter().map(|primary| vec![primary]).collect();
    for label in &diagnostic.related {
        let near = diagnostic.primary.as_ref().is_some_and(|primary| {
            primary.file == label.file && line(primary).abs_diff(line(label)) < NEAR
        });
        match pieces.first_mut() {
            Some(first) if near => first.push(label),
            Some(_) | None => pieces.push(vec![label]),
        }
    }
    pieces
}

/// The lines that labels of one file need, and no others, so that a finding costs the same in a
/// file of any size.
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
    let path = shown_path(file, folder);
    let annotations = labels.iter().map(|label| {
        let span = first_line(file, &label.span);
        let span = excerpt.offset(span.start - start)..excerpt.offset(span.end - start);
        let kind =
            if Some(*label) == primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        match &label.message {
            Some(message) => kind.span(span).label(sanitize::line(message).into_owned()),
            None => kind.span(span),
        }
    });
    let annotations: Vec<_> = annotations.collect();
    Snippet::source(excerpt.text).line_start(first).path(path).annotations(annotations)
}

/// A span up to the end of its first line: what a finding is about starts there, and long values
/// say nothing more.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Findings in one file of ten lines: a code and a line each.
    fn findings(found: &[(&'static str, Severity, usize)]) -> Findings {
        let mut findings = Findings::default();
        let text: String = (1..=10).map(|line| format!("line{line:03}\n")).collect();
        let file = findings.files.add("a.yaml", "/w/a.yaml", text);
        findings.diagnostics = found
            .iter()
            .map(|(code, severity, line)| {
                let start = (line - 1) * 8;
                let finding = Diagnostic::warning(code, format!("about {line}"));
                let finding = finding.at(Label { file, span: start..start + 4, message: None });
                Diagnostic { severity: *severity, ..finding }
            })
            .collect();
        findings
    }

    fn shown(findings: &Findings, detail: Detail) -> String {
        let view = View { width: 120, all: detail == Detail::Full, folder: "" };
        anstream::adapter::strip_str(&human(findings, Path::new("/w"), view)).to_string()
    }

    #[test]
    fn notes_are_counted_and_shown_on_request() {
        let found = findings(&[
            ("a", Severity::Note, 1),
            ("b", Severity::Warning, 2),
            ("a", Severity::Note, 3),
        ]);
        assert!(!shown(&found, Detail::Brief).contains("about 1"));
        assert!(shown(&found, Detail::Brief).contains("about 2"));
        assert_eq!(summary_of(&found, Detail::Brief), "1 warning, 2 notes: `-v` shows them");
        assert!(shown(&found, Detail::Full).contains("about 3"));
        assert_eq!(summary_of(&found, Detail::Full), "1 warning, 2 notes");
    }

    #[test]
    fn of_many_findings_errors_and_the_first_others_have_source_lines() {
        let codes = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q",
            "r",
        ];
        let warnings = (1..=3).flat_map(|line| codes.map(|code| (code, Severity::Warning, line)));
        let error = std::iter::once(("z", Severity::Error, 10));
        let found = findings(&warnings.chain(error).collect::<Vec<_>>());
        let text = shown(&found, Detail::Brief);
        assert_eq!(text.matches(" --> a.yaml").count(), SNIPPETS, "{text}");
        assert!(text.contains("error[z]: about 10\n  --> a.yaml:10:1"), "{text}");
        assert!(text.contains("warning[r]: about 3  a.yaml:3:1\n"), "{text}");
        assert!(
            text.ends_with("… 35 in one line each: `-v` shows their source lines and help\n\n"),
            "{text}"
        );
        assert!(text.lines().count() < 200, "55 findings in {} lines", text.lines().count());
        assert_eq!(shown(&found, Detail::Full).matches(" --> a.yaml").count(), 55);
    }

    #[test]
    fn many_findings_of_one_code_in_one_file_are_one_line_after_three() {
        let many = |count: usize| {
            findings(&(1..=count).map(|line| ("a", Severity::Warning, line)).collect::<Vec<_>>())
        };
        // The line about a single one would take as much room.
        assert!(shown(&many(4), Detail::Brief).contains("about 4"));
        let text = shown(&many(6), Detail::Brief);
        assert!(text.contains("about 3") && !text.contains("about 4"), "{text}");
        assert!(text.ends_with("\n… 3 more a in a.yaml, lines 4-6: `-v` shows them\n\n"), "{text}");
        assert!(shown(&many(6), Detail::Full).contains("about 6"));
    }

    #[test]
    fn findings_in_very_many_files_fit_on_a_few_screens() {
        let mut findings = Findings::default();
        for number in 0..1_000 {
            let text = "line\n".repeat(400);
            let file =
                findings.files.add(format!("{number}.yaml"), format!("/w/{number}.yaml"), text);
            let label = |line: usize| Label { file, span: line * 5..line * 5 + 4, message: None };
            let warning = |line| Diagnostic::warning("a", "about it").at(label(line));
            findings.diagnostics.extend((0..300).map(warning));
        }
        let last = findings.diagnostics.last().and_then(|one| one.primary.clone());
        findings.diagnostics.extend(last.map(|at| Diagnostic::error("z", "an error").at(at)));
        let text = shown(&findings, Detail::Brief);
        assert!(text.lines().count() < 250, "{} lines", text.lines().count());
        assert!(text.lines().all(|line| line.chars().count() < 100), "{text}");
        assert!(text.contains("… 297 more a in 0.yaml, lines 4-300: `-v` shows them\n"), "{text}");
        assert!(text.contains("error[z]: an error\n   --> 999.yaml"), "{text}");
        assert!(text.ends_with(" more findings: `-v` shows all\n\n"), "{text}");
    }
}
