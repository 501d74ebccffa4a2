//! `seawall comment`: a saved plan in a pull request, as one comment that is edited in place.
//!
//! It reads no workspace and connects to no service with policies; it can only write comments.

use std::path::PathBuf;
use std::sync::Arc;

use super::session::connect::note;
use super::session::pipeline::{self, Asked};
use super::session::reading::read_plans;
use super::session::watch;
use super::{Context, Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::plan::Plan;
use crate::render::markdown;
use crate::service::github::{Comment, GitHub, Marker, Placed};
use crate::service::http::{Clock, Observer};

const EXAMPLES: &str = "\
Examples:
  seawall comment --plan plan.json                     # in a job that a pull request started
  seawall comment --plan plan.json --repository my-org/policies --pull-request 12
  seawall comment --plan plan.json --print             # for a job's summary, or another forge

The token comes from `GITHUB_TOKEN`, the rest from what GitHub Actions sets: `GITHUB_REPOSITORY`, `GITHUB_REF`,
`GITHUB_EVENT_PATH`, and `GITHUB_API_URL` for a server of your own. After a `workflow_run`, the pull request is the one
whose head the event names; nothing is posted once it has moved on.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The saved plan, from `plan --out`
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// The repository [env: GITHUB_REPOSITORY]
    #[arg(long, value_name = "OWNER/NAME")]
    repository: Option<String>,
    /// The pull request [env: GITHUB_REF, GITHUB_EVENT_PATH]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pull_request: Option<u64>,
    /// Key that separates the comments of several workspaces; without it, the organization
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// Link to the access report at URL, such as the address of an artifact
    #[arg(long, value_name = "URL", value_parser = parse_address)]
    report: Option<String>,
    /// Link places to the commit, for a workspace in FOLDER of the repository (`.` for the whole of
    /// it)
    #[arg(long, value_name = "FOLDER")]
    folder: Option<String>,
    /// Post also when nothing changes
    #[arg(long)]
    always: bool,
    /// Print the comment instead of posting it
    #[arg(long, conflicts_with_all = ["repository", "pull_request", "always"])]
    print: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { plan: file, repository, pull_request, key, report, folder, always, print } = args;
    let (plans, _) = read_plans(&context.path(file))?.into_parts();
    let environment = context.environment();
    let (event, from) = (pipeline::event(environment)?, pipeline::run(environment)?);
    let links = match folder {
        Some(folder) => pipeline::links(environment, &event, folder)?,
        None => None,
    };
    let commit = pipeline::head(&event);
    let (run, report, links) = (from.as_deref(), report.as_deref(), links.as_ref());
    let made = || markdown::Made { commit, run, report, links };
    // One comment for each organization, so that each has the full length of a comment.
    let comments: Vec<(Marker, String, bool)> = plans
        .iter()
        .map(|plan| {
            let marker = Marker::new(&match (key, plans.len()) {
                (None, _) => of_plan(plan),
                (Some(key), 1) => key.clone(),
                (Some(key), _) => format!("{key} {}", of_plan(plan)),
            });
            (marker, markdown::comment(plan, made()), *always || !plan.is_silent())
        })
        .collect();
    if *print {
        let texts: Vec<String> =
            comments.iter().map(|(marker, text, _)| format!("{}\n{text}", marker.line())).collect();
        context.print(&texts.join("\n"))?;
        return Ok(Exit::Done);
    }
    let repository = pipeline::repository(environment, repository.as_deref())?;
    let asked = pipeline::pull_request(environment, &event, *pull_request)?;
    let (base, token) = (pipeline::api(environment)?, pipeline::token(environment)?);
    let observer = (!context.quiet()).then(|| Arc::new(note) as Observer);
    let github = GitHub::connect(base, token, repository, Clock::system(), observer)?;

    let said = context.block_on(async {
        let number = match asked {
            Asked::Number(number) => number,
            Asked::Head(head) => match github.pull_request(&head).await? {
                Some(number) => number,
                None => {
                    let (branch, commit) = (line(&head.branch), line(&head.commit));
                    return Ok(vec![format!(
                        "Nothing posted: no open pull request has `{branch}` at {commit}"
                    )]);
                }
            },
        };
        let mut said = Vec::new();
        for (marker, text, worth_posting) in &comments {
            let comment = Comment { marker, text, worth_posting: *worth_posting };
            watch::stop();
            said.push(match github.place(number, comment).await? {
                Placed::Nothing => "Nothing posted: nothing would change".to_owned(),
                Placed::Posted(address) => format!("Posted: {}", line(&address)),
                Placed::Edited(address) => format!("Edited: {}", line(&address)),
                Placed::Unchanged(address) => format!("Unchanged: {}", line(&address)),
            });
        }
        Ok(said)
    })?;
    context.print(&said.iter().map(|said| format!("{said}\n")).collect::<String>())?;
    Ok(Exit::Done)
}

/// An address that a browser opens as a page.
fn parse_address(text: &str) -> Result<String, String> {
    let plain = !text.chars().any(|character| character.is_control() || character.is_whitespace());
    match text.starts_with("https://") && plain {
        true => Ok(text.to_owned()),
        false => Err("write an address that starts with `https://`".to_owned()),
    }
}

/// The subject of a plan: its organization, or else its Vijil service.
fn of_plan(plan: &Plan) -> String {
    let vijil = || {
        plan.vijil
            .as_ref()
            .map_or_else(String::new, |vijil| format!("vijil {}", vijil.target.endpoint))
    };
    plan.org().map_or_else(vijil, str::to_owned)
}
