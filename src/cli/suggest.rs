//! `seawall suggest`: suggests documents with the narrowest rules for denied requests that no rule
//! matched. Offline.
//!
//! Invariant: a suggestion is loaded together with the workspace before it is shown; rules that
//! cause an error or a warning, in the suggestion or elsewhere, are left out.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::session::organizations::only;
use super::session::recorded::RecordFlags;
use super::session::watch::watched;
use super::session::workspace;
use super::session::writing::write_new;
use super::{Context, Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::diagnostic::{Findings, Overlay, Severity};
use crate::evidence::suggest::{Input, Suggestion, Target, suggest};
use crate::render;
use crate::workspace::{EmptyWorkspace, Loaded};

const EXAMPLES: &str = "\
Examples:
  seawall suggest --records auditkit/                  # what was asked for and no rule matched
  seawall suggest --records auditkit/ --min-users 3    # only what several people asked for
  seawall suggest --records auditkit/ --write policies/suggested.yaml";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    #[command(flatten)]
    recorded: RecordFlags,
    /// Suggest only requests of at least this number of users; records that name no user count as
    /// none
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_users: usize,
    /// Suggest only requests that were made at least this many times
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_count: u64,
    /// Replace hosts of one registrable domain by a wildcard if at least this many names were asked
    /// for
    #[arg(long, value_name = "N", default_value_t = 5)]
    min_names: usize,
    /// Write the documents to a new file instead of standard output
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { path, recorded, min_users, min_count, min_names, write } = args;
    let path = path.as_ref().map(|path| context.path(path));
    let records = recorded.begin(context)?;
    let whole = workspace::load_silently(context, path.as_deref(), EmptyWorkspace::Refused)?;
    let loaded = only(context, whole.clone())?;
    let evidence = records.required(context, false)?;
    let (memberships, reading) = (evidence.memberships_by_name(), &evidence.reading);
    let input = Input {
        requests: &reading.requests,
        declared: &loaded.desired.policies,
        memberships: &memberships,
        min_users: *min_users,
        min_count: *min_count,
        min_names: (*min_names).max(2),
    };
    let suggestion = watched("deciding the recorded requests", || suggest(input));
    let suggestion = without_faults(context, &whole, suggestion)?;
    let text = render::suggest::documents(&suggestion);
    if text.is_empty() {
        context.note("Nothing to suggest.");
        let left_out = suggestion.left_out.iter().map(|(request, why, count)| {
            format!("  left out: {} ({}): {why}", line(request), render::words::times(*count))
        });
        context.notes(&left_out.collect::<Vec<_>>());
        return Ok(recorded.exit(evidence.broken(), Exit::Done));
    }
    match write {
        Some(file) => {
            write_new(context, file, &text)?;
            context.note(&format!("Wrote `{}`.", file.display()));
        }
        None => context.print(&text)?,
    }
    Ok(recorded.exit(evidence.broken(), Exit::Done))
}

/// The part of a suggestion without errors and warnings.
fn without_faults(
    context: &Context,
    whole: &Loaded,
    mut suggestion: Suggestion,
) -> Result<Suggestion, Failure> {
    let name = new_name(whole);
    // Each round leaves out at least one rule.
    loop {
        let text = render::suggest::documents(&suggestion);
        if text.is_empty() {
            return Ok(suggestion);
        }
        let overlay = Overlay::from([(name.clone(), Some(text))]);
        let config = context.config();
        let found = match crate::workspace::load_over(
            &whole.root,
            config.as_deref(),
            EmptyWorkspace::Refused,
            overlay,
        ) {
            Ok(loaded) => loaded.findings,
            Err(findings) => findings,
        };
        let faults = faulty_lines(&found, &name);
        if faults.is_empty() {
            return match found.has_errors() {
                true => Err(workspace::wrong(context, &found)),
                false => Ok(suggestion),
            };
        }
        let places = render::suggest::places(&suggestion);
        let mut faulty: BTreeSet<(usize, usize)> = BTreeSet::new();
        for fault in faults {
            // The last rule that starts before the line; a fault above all rules concerns the whole
            // policy.
            let rule = places.iter().rev().find(|(start, _)| *start <= fault).or(places.first());
            faulty.extend(rule.map(|(_, place)| *place));
        }
        leave_out(&mut suggestion, &faulty);
    }
}

/// Removes rules, and records the reasons.
fn leave_out(suggestion: &mut Suggestion, faulty: &BTreeSet<(usize, usize)>) {
    for (at, policy) in suggestion.policies.iter_mut().enumerate() {
        let mut number = 0;
        policy.rules.retain(|rule| {
            let stays = !faulty.contains(&(at, number));
            number += 1;
            if !stays {
                let target = match &rule.target {
                    Target::Plain(resource) => resource.clone(),
                    Target::Http(host, port, path) => format!("https://{host}:{port}{path}"),
                };
                let request = format!("{} {target}", rule.action);
                suggestion.left_out.push((request, "a check warns about such a rule", rule.count));
            }
            stays
        });
    }
    suggestion.policies.retain(|policy| !policy.rules.is_empty());
    suggestion.left_out.sort();
}

/// The lines of a file with errors and warnings.
fn faulty_lines(found: &Findings, name: &str) -> Vec<usize> {
    let about = found.diagnostics.iter().filter(|finding| finding.severity != Severity::Note);
    let mut lines = Vec::new();
    for label in about.flat_map(|finding| finding.primary.iter().chain(&finding.related)) {
        let file = found.files.get(label.file);
        if file.name == name {
            lines.push(file.place(&label.span).line);
        }
    }
    lines
}

/// A new name beside a document of the workspace that the patterns of `include` match.
fn new_name(whole: &Loaded) -> String {
    let first = whole
        .desired
        .policies
        .first()
        .map_or("policies.yaml", |policy| policy.origin.file.as_str());
    let (folder, file) = first
        .rsplit_once('/')
        .map_or((String::new(), first), |(folder, file)| (format!("{folder}/"), file));
    let candidates = (1..).map(|number| match file.split_once('.') {
        Some((_, endings)) => format!("{folder}suggested-{number}.{endings}"),
        None => format!("{folder}suggested-{number}.yaml"),
    });
    let is_new = |name: &String| !whole.findings.files.iter().any(|(_, file)| file.name == *name);
    candidates.into_iter().find(is_new).unwrap_or_default()
}
