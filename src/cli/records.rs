//! `seawall records`: downloads an organization's audit log, page by page. Reads only.

use std::path::PathBuf;
use std::sync::Arc;

use super::session::connect::connect_audit;
use super::session::organizations::{only, without_docker};
use super::session::progress::Progress;
use super::session::recorded::parse_duration;
use super::session::signal::Signals;
use super::session::{watch, workspace};
use super::{Context, Exit, Failure};
use crate::evidence::download::Download;
use crate::service::docker::download::{Files, download};
use crate::workspace::EmptyWorkspace;

const EXAMPLES: &str = "\
Examples:
  seawall records --out november.jsonl --since 30d     # DOCKER_AUDIT_TOKEN holds an access token of the organization
  seawall records --out november.jsonl --since 30d     # once more: goes on where it was interrupted
  seawall replay --records november.jsonl";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Write to FILE as JSON Lines; until the download is complete, the records are in `FILE.tmp`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The length of the period, such as `7d` or `12h`; a resumed download keeps the one it started
    /// with
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_duration)]
    since: i64,
}

pub(super) fn run(context: &Context, Args { path, out, since }: &Args) -> Result<Exit, Failure> {
    let path = path.as_ref().map(|path| context.path(path));
    let loaded =
        only(context, workspace::load(context, path.as_deref(), EmptyWorkspace::Accepted)?)?;
    let docker = loaded.settings.docker.as_ref().ok_or_else(without_docker)?;
    let files = Files::new(context.path(out))?;
    let progress = Arc::new(Progress::new(context));
    // A download has bounds of its own, and what was read is kept.
    watch::stop();
    context.block_on(async {
        let mut signals = Signals::listen();
        let audit = connect_audit(context, &loaded.root, docker, progress.observer()).await?;
        let mut show = |left: &Download| progress.show_read(left.covered(), left.whole().records);
        let ended = tokio::select! {
            ended = download(&audit.reader, &files, *since, &mut show) => ended.map_err(Failure::from),
            () = signals.next() => Err(Failure::new(Exit::Failed, "stopped; what was read is kept")
                .hint("run the same command again to go on from here")),
        };
        progress.finish();
        audit.close().await;
        let records = ended?;
        context.note(&format!("Wrote {records} records to `{}`.", out.display()));
        Ok(Exit::Done)
    })
}
