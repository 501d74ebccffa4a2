//! `seawall can`: whether a member of just these teams may do something, and by which rules. Reads only.

use std::collections::BTreeSet;

use super::planning::{Stricter, Workspace};
use super::{Context, Exit, Failure, workspace};
use crate::access::{Request, State};
use crate::check::Emptiness;
use crate::model::{Live, LivePolicy, Policy, TeamLookup};
use crate::render::answer::{self, Places};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  seawall can connect:tcp cve.mitre.org:443 --team research
  seawall can GET https://api.github.com/repos/docker/cli
  seawall can mount rw '~/src'
  seawall can connect:tcp db.corp.example at 10.1.2.3
  seawall can mcp invokeTool notion/search '{\"readOnly\": true}'")]
pub(super) struct Args {
    /// `connect:tcp`, `connect:udp`, `read`, `write`, `mount ro`, `mount rw`, an HTTP method, or `mcp`
    #[arg(value_name = "ACTION")]
    action: String,
    /// A host with or without a port, a path, a URL, or what an MCP client calls
    #[arg(value_name = "TARGET", required = true)]
    target: Vec<String>,
    /// A team that the member belongs to; repeat for several
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// Ask the live state rather than the documents
    #[arg(long)]
    live: bool,
    /// How to show the answer
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { action, target, teams, live, format } = args;
    let request = Request::parse(&format!("{action} {}", target.join(" ")))
        .map_err(|wrong| Failure::new(Exit::Usage, wrong.message).hint(wrong.help))?;
    let (policies, declared, keys) = if *live {
        let (_, live) = read_live(context, None)?;
        let keys = teams.iter().map(|team| live_team(&live, team)).collect::<Result<_, _>>()?;
        (live.policies.iter().map(LivePolicy::policy).collect(), Vec::new(), keys)
    } else {
        let loaded = workspace::load(context, None, Emptiness::Refused)?;
        let policies: Vec<Policy> = loaded.desired.policies.iter().map(|declared| declared.policy.clone()).collect();
        let named: BTreeSet<&str> = policies.iter().flat_map(|policy| policy.scope.teams()).collect();
        for team in teams.iter().filter(|team| !named.contains(team.as_str())) {
            context.note(&format!("note: no policy is for the team `{}`", crate::render::sanitize::line(team)));
        }
        (policies, loaded.desired.policies, teams.iter().cloned().collect())
    };
    let answer = State::of(&policies).ask(&keys, &request);
    let places = Places(&declared);
    context.print(&match format {
        Format::Human => answer::human(&request.to_string(), teams, &answer, places),
        Format::Json => answer::json(&request.to_string(), teams, &answer, places),
    })?;
    Ok(Exit::Done)
}

/// The workspace and the live state of its organization.
pub(super) fn read_live(context: &Context, path: Option<&std::path::Path>) -> Result<(Workspace, Live), Failure> {
    let workspace = Workspace::load(context, path, &Stricter::default())?;
    let live = context.block_on(async {
        let connected = workspace.connect(context, None).await?;
        let live = connected.live().await;
        connected.close().await;
        live?.docker.ok_or_else(|| {
            Failure::new(Exit::Invalid, "the workspace has nothing to do with Docker").hint("ask without `--live`")
        })
    })?;
    Ok((workspace, live))
}

/// The key that live scopes hold for a team.
pub(super) fn live_team(live: &Live, team: &str) -> Result<String, Failure> {
    match live.teams.resolve(team) {
        TeamLookup::Found(id) => Ok(id),
        TeamLookup::Unknown => Err(Failure::new(Exit::Usage, format!("the organization has no team `{team}`"))
            .hint("name a team by its name or id")),
        TeamLookup::Ambiguous(ids) => {
            let failure = Failure::new(Exit::Usage, format!("{} teams are called `{team}`", ids.len()));
            Err(failure.hint(format!("write the id of the one that is meant: {}", ids.join(", "))))
        }
    }
}
