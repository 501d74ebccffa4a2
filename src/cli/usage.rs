//! `seawall usage`: shows which declared rules decide recorded requests, and which wildcards could
//! be narrower. Offline.

use std::path::{Path, PathBuf};

use super::format::Format;
use super::session::organizations::only;
use super::session::recorded::{RecordFlags, parse_duration};
use super::session::watch::watched;
use super::session::workspace;
use super::session::writing::{Written, write_all};
use super::{Context, Exit, Failure};
use crate::diagnostic::list;
use crate::diagnostic::sanitize;
use crate::diagnostic::sanitize::line;
use crate::drift::adopt::{Sides, adopt};
use crate::evidence::narrow::{Narrowing, harm, narrow, narrowed};
use crate::evidence::usage::{Input, usage};
use crate::evidence::{Memberships, Requests};
use crate::model::{
    Body, Desired, DesiredPolicy, Live, LiveBody, LivePolicy, LiveRule, Policy, PolicyId,
    Resources, RuleId, Team, TeamDirectory,
};
use crate::render;
use crate::workspace::{EmptyWorkspace, Loaded};

const EXAMPLES: &str = "\
Examples:
  seawall usage --records auditkit/                    # which rules does anybody use?
  seawall usage --records auditkit/ --min-window 30d   # call nothing unused on fewer days
  seawall usage --records auditkit/ --narrow           # hosts that were asked for, in place of wildcards
  seawall usage --records auditkit/ --narrow --write   # the same, in the documents";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    #[command(flatten)]
    recorded: RecordFlags,
    /// The shortest period of records after which a rule is called unused, such as `7d` or `12h`
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_duration)]
    min_window: i64,
    /// Propose the hosts that were asked for as replacements of wildcards
    #[arg(long)]
    narrow: bool,
    /// Write the proposals into the documents
    #[arg(long, requires = "narrow")]
    write: bool,
    /// Output format of the result
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { path, recorded, min_window, narrow: narrows, write, format } = args;
    let path = path.as_ref().map(|path| context.path(path));
    let records = recorded.begin(context)?;
    let whole = workspace::load(context, path.as_deref(), EmptyWorkspace::Refused)?;
    let loaded = only(context, whole.clone())?;
    let evidence = records.required(context, false)?;
    let (memberships, reading) = (evidence.memberships_by_name(), &evidence.reading);
    let input = Input {
        requests: &reading.requests,
        declared: &loaded.desired.policies,
        memberships: &memberships,
        least: *min_window,
    };
    let (found, proposals) = watched("deciding the recorded requests", || {
        (usage(input), narrows.then(|| narrow(input)))
    });
    context.print_or_show(
        matches!(format, Format::Human),
        &match format {
            Format::Human => render::usage::human(&found, proposals.as_deref(), context.view()),
            Format::Markdown => render::usage::markdown(&found, proposals.as_deref()),
            Format::Json => json(&found, proposals.as_deref()),
        },
    )?;
    if let (Some(proposals), true) = (&proposals, *write) {
        write_narrowed(context, &whole, &loaded, proposals, &reading.requests, &memberships)?;
    }
    Ok(recorded.exit(evidence.broken(), Exit::Done))
}

fn json(found: &crate::evidence::usage::Usage, proposals: Option<&[Narrowing]>) -> String {
    let mut value = serde_json::to_value(found).expect("text and numbers are JSON");
    if let (Some(proposals), Some(object)) = (proposals, value.as_object_mut()) {
        object.insert(
            "narrow".to_owned(),
            serde_json::to_value(proposals).expect("text and numbers are JSON"),
        );
    }
    sanitize::json(&value)
}

/// Edits the documents, after proving that no recorded request that was allowed is denied.
fn write_narrowed(
    context: &Context,
    whole: &Loaded,
    own: &Loaded,
    proposals: &[Narrowing],
    requests: &Requests,
    memberships: &Memberships,
) -> Result<(), Failure> {
    if proposals.is_empty() {
        context.note("Nothing was written: no wildcard can be narrowed.");
        return Ok(());
    }
    let policies = plain(&own.desired);
    let after = narrowed(&policies, proposals);
    let live = as_live(&after);
    let refused = |message: String| {
        Failure::new(Exit::Refused, format!("nothing was written: {message}"))
            .hint("edit these documents by hand, following the proposal")
    };
    let sides = Sides { docker: Some((&own.desired, &live)), vijil: None };
    let adoption = adopt(&whole.findings.files, sides).map_err(|reasons| {
        let reasons: Vec<String> =
            reasons.iter().map(|reason| format!("  {}", line(reason))).collect();
        refused(format!("some documents cannot be edited:\n{}", list::rows(&reasons)))
    })?;
    let config = context.config();
    let loaded = crate::workspace::load_over(
        &whole.root,
        config.as_deref(),
        EmptyWorkspace::Refused,
        adoption.overlay.clone(),
    )
    .map_err(|findings| refused(workspace::wrong(context, &findings).message))?;
    let loaded = only(context, loaded)?;
    // The proof uses the documents as they will be read, not as they were meant to be written.
    let written = plain(&loaded.desired);
    if let Some(request) = harm(requests, &policies, &written, memberships) {
        return Err(refused(format!(
            "`{}` was allowed, and would not be for certain",
            line(&request.text)
        )));
    }
    if in_order(&written) != in_order(&after) {
        return Err(refused(
            "the edited documents say something else than was proposed".to_owned(),
        ));
    }
    let files = adoption.overlay.iter().map(|(path, text)| Written {
        path,
        text: text.as_deref(),
        overwrites: whole.root.join(Path::new(path)).symlink_metadata().is_ok(),
    });
    write_all(&whole.root, &files.collect::<Vec<_>>())?;
    let count = adoption.overlay.len();
    context.note(&format!(
        "Wrote {} of {}: every recorded request that was allowed still is.",
        render::words::count(count, "file"),
        render::words::count(proposals.len(), "narrower rule")
    ));
    Ok(())
}

fn plain(desired: &Desired) -> Vec<Policy> {
    desired.policies.iter().map(|DesiredPolicy { policy, .. }| policy.clone()).collect()
}

/// The policies with the resources of each rule sorted, since they are sets.
fn in_order(policies: &[Policy]) -> Vec<Policy> {
    let mut policies = policies.to_vec();
    for policy in &mut policies {
        let Body::Allowlist(rules) = &mut policy.body else { continue };
        for rule in rules {
            if let Resources::Plain(resources) = &mut rule.resources {
                let mut sorted = resources.to_vec();
                sorted.sort();
                *resources = sorted.into();
            }
        }
    }
    policies
}

/// Policies as if they were live, with the team names of the documents.
fn as_live(policies: &[Policy]) -> Live {
    let teams: std::collections::BTreeSet<&str> =
        policies.iter().flat_map(|policy| policy.scope.teams()).collect();
    let teams = teams.into_iter().map(|team| Team { id: team.to_owned(), name: team.to_owned() });
    let policies = policies.iter().map(|policy| {
        let rule = |(number, rule): (usize, &crate::model::Rule)| LiveRule {
            id: RuleId(format!("{}:{number}", policy.name)),
            rule: rule.clone(),
        };
        LivePolicy {
            id: PolicyId(policy.name.clone()),
            name: policy.name.clone(),
            scope: policy.scope.clone(),
            body: match &policy.body {
                Body::Allowlist(rules) => {
                    LiveBody::Allowlist(rules.iter().enumerate().map(rule).collect())
                }
                Body::Cedar(cedar) => LiveBody::Cedar(cedar.clone()),
            },
        }
    });
    let (teams, policies) = (TeamDirectory::new(teams), policies.collect());
    Live { org: String::new(), policies, teams }
}
