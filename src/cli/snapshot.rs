//! `seawall snapshot`: the live state as one JSON file, for `plan --live-from` and `emulator --seed`.

use std::path::PathBuf;

use super::connect::{Target, connect};
use super::{Context, Exit, Failure, workspace};
use crate::check::Emptiness;

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
    let docker = loaded.settings.docker.as_ref().ok_or_else(|| {
        Failure::new(Exit::Invalid, "the workspace has nothing to do with Docker")
            .hint("add a `docker` section to `seawall.yaml`")
    })?;
    let target = Target { root: &loaded.root, docker, desired: &loaded.desired };
    let snapshot = context.block_on(async {
        let connected = connect(context, &target, None).await?;
        let snapshot = connected.reader.snapshot().await;
        connected.close().await;
        Ok(snapshot?)
    })?;
    match out {
        Some(file) => context.write(&context.path(file), &snapshot.text())?,
        None => context.print(&snapshot.text())?,
    }
    Ok(Exit::Done)
}
