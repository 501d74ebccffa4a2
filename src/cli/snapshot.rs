//! `seawall snapshot`: the live state as one JSON file, for `plan --live-from` and `emulator --seed`.

use std::path::PathBuf;

use super::planning::Services;
use super::{Context, Exit, Failure, workspace};
use crate::check::Emptiness;
use crate::service::docker::Snapshot;

const EXAMPLES: &str = "\
Examples:
  seawall snapshot --out live.json                     # by somebody who has credentials
  seawall plan --live-from live.json                   # by somebody who has none";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Write to FILE rather than to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, Args { path, out }: &Args) -> Result<Exit, Failure> {
    let path = path.as_ref().map(|path| context.path(path));
    let loaded = workspace::load(context, path.as_deref(), Emptiness::Accepted)?;
    let (docker, vijil) = (loaded.settings.docker.as_ref(), loaded.settings.vijil.as_ref());
    if docker.is_none() && vijil.is_none() {
        let failure = Failure::new(Exit::Invalid, "the workspace has nothing to do with any service");
        return Err(failure.hint("add a `docker` or a `vijil` section to `seawall.yaml`"));
    }
    let snapshot = context.block_on(async {
        let connected = Services::connect(context, &loaded.root, (docker, vijil), &loaded.desired, None).await?;
        let snapshot = read(&connected).await;
        connected.close().await;
        snapshot
    })?;
    match out {
        Some(file) => context.write(&context.path(file), &snapshot.text())?,
        None => context.print(&snapshot.text())?,
    }
    Ok(Exit::Done)
}

async fn read(services: &Services) -> Result<Snapshot, Failure> {
    let vijil = match &services.vijil {
        Some(connected) => Some(connected.reader.snapshot().await?),
        None => None,
    };
    Ok(match (&services.docker, vijil) {
        (Some(connected), vijil) => Snapshot { vijil, ..connected.reader.snapshot().await? },
        (None, vijil) => Snapshot::of_agents(vijil.unwrap_or_default()),
    })
}
