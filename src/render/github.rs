//! Findings as workflow commands of GitHub Actions, which annotate the lines of a pull request.

use std::path::Path;

use super::findings::Older;
use crate::diagnostic::sanitize::{workflow_command, workflow_property};
use crate::diagnostic::{Diagnostic, Files, Findings, Severity};

/// One command a finding. Paths are relative to `folder`, which is to be the root of the
/// repository.
#[must_use]
pub fn commands(findings: &Findings, folder: &Path, older: Option<Older<'_>>) -> String {
    let each =
        findings.diagnostics.iter().map(|diagnostic| command(diagnostic, &findings.files, folder));
    let older = older.and_then(|older| older.in_words());
    let older =
        older.map(|words| format!("::notice title=seawall base::{}\n", workflow_command(&words)));
    each.chain(older).collect()
}

fn command(diagnostic: &Diagnostic, files: &Files, folder: &Path) -> String {
    let name = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = vec![format!("title=seawall {}", workflow_property(diagnostic.code))];
    if let Some(label) = &diagnostic.primary {
        let file = files.get(label.file);
        let place = file.place(&label.span);
        let path = file
            .path
            .strip_prefix(folder)
            .unwrap_or(&file.path)
            .to_string_lossy()
            .replace('\\', "/");
        properties.push(format!("file={}", workflow_property(path.trim_start_matches("./"))));
        properties.push(format!("line={},endLine={}", place.line, place.end_line));
        // Columns are only taken where both ends are on one line.
        if place.line == place.end_line {
            properties.push(format!("col={},endColumn={}", place.column, place.end_column));
        }
    }
    let help = diagnostic.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    format!(
        "::{name} {}::{}\n",
        properties.join(","),
        workflow_command(&format!("{}{help}", diagnostic.message))
    )
}
