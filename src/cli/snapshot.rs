//! `seawall snapshot`: writes the live state as one JSON file, for `plan --live-from` and
//! `emulator --seed`.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;

use super::session::every::connect_each;
use super::session::organizations::{self, about, worst};
use super::session::services::Services;
use super::session::{output, workspace};
use super::{Context, Exit, Failure};
use crate::service::docker::Snapshot;
use crate::workspace::EmptyWorkspace;

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
    /// Write to FILE instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, Args { path, out }: &Args) -> Result<Exit, Failure> {
    let path = path.as_ref().map(|path| context.path(path));
    let loaded = workspace::load(context, path.as_deref(), EmptyWorkspace::Accepted)?;
    if loaded.settings.docker.is_none() && loaded.settings.vijil.is_none() {
        let failure =
            Failure::new(Exit::Invalid, "the workspace has nothing to do with any service");
        return Err(failure.hint("add a `docker` or a `vijil` section to `seawall.yaml`"));
    }
    let each = organizations::each(context, loaded)?;
    let taken = context.block_on(async {
        let connected = connect_each(context, each.iter(), None).await;
        Ok(join_all(connected.into_iter().map(take)).await)
    })?;
    if let [_] = each.as_slice() {
        let snapshot = taken.into_iter().next().expect("one was taken")?;
        save(context, out.as_deref(), &snapshot.text())?;
        return Ok(Exit::Done);
    }
    let (mut snapshots, mut exits) = (Vec::new(), Vec::new());
    for (one, taken) in each.iter().zip(taken) {
        match taken {
            Ok(snapshot) => snapshots.push(snapshot),
            Err(failure) => {
                exits.push(failure.exit);
                let _ = output::report(&about(&organizations::name(one), failure));
            }
        }
    }
    save(context, out.as_deref(), &Snapshot::text_of_each(&snapshots))?;
    Ok(worst(exits))
}

fn save(context: &Context, out: Option<&Path>, text: &str) -> Result<(), Failure> {
    match out {
        Some(file) => context.write(&context.path(file), text),
        None => context.print(text),
    }
}

async fn take(connected: Result<Services, Failure>) -> Result<Snapshot, Failure> {
    let connected = connected?;
    let snapshot = read(&connected).await;
    connected.close().await;
    snapshot
}

async fn read(services: &Services) -> Result<Snapshot, Failure> {
    let vijil = match &services.vijil {
        Some(connected) => Some(connected.reader.snapshot().await?),
        None => None,
    };
    Ok(match (&services.docker, vijil) {
        (Some(connected), vijil) => Snapshot { vijil, ..connected.reader.snapshot().await? },
        (None, vijil) => Snapshot::of_vijil(vijil.unwrap_or_default()),
    })
}
