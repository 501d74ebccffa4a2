//! `seawall emulator`: the services on a local port, for trying things out and for tests.
//!
//! Invariant: it listens on the loopback interface only and never prints a secret that it was
//! given. Without one, it generates and prints a secret, so that nobody else can know it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::session::reading::not_read;
use super::session::{embedded, organizations, watch};
use super::{Context, Exit, Failure};
use crate::diagnostic::list;
use crate::emulator::{Builder, Emulator, Fault, SYNTAX, Seed, VijilAccount, random_secret};
use crate::evidence;
use crate::seed;
use crate::service::docker::Snapshot;
use crate::source::{CONFIG_NAME, disk};
use crate::workspace::Loaded;

/// The account that may log in if the environment names none; its secret is generated in each run.
const DOCKER_USERNAME: &str = "seawall";
/// The same account for Vijil.
const VIJIL_CLIENT_ID: &str = "vk_seawall";

/// The time that calls in progress may take after the signal to stop.
const PATIENCE: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  seawall emulator                                     # its address is the first line that it prints
  seawall emulator --seed live.json --state state.db   # a copy of live state that outlives the process
  seawall emulator --seed auditkit/                    # an audit log, for `records`

The login is a new one each time, and printed. To choose it, set `DOCKER_USERNAME` with `DOCKER_PASSWORD`, and
`VIJIL_CLIENT_ID` with `VIJIL_CLIENT_SECRET`, or `VIJIL_API_KEY`, and `DOCKER_AUDIT_TOKEN`.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\nFaults: {SYNTAX}"))]
pub(super) struct Args {
    /// Listen on this port of 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// Keep the state in FILE, durably; without it, the state is lost at the end
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Start from a snapshot or from the documents of a workspace, unless the state has their
    /// organization already; or from files or a folder of audit records (`.jsonl`, `.ndjson`, also
    /// `.gz` and `.zst`); may be repeated
    #[arg(long = "seed", value_name = "PATH")]
    seeds: Vec<PathBuf>,
    /// Create this team if no team has the name; may be repeated
    #[arg(long = "team", value_name = "NAME")]
    teams: Vec<String>,
    /// Delay every call by this time
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// Show `X-RateLimit-*`, and answer 429 after this many calls in a minute
    #[arg(long, value_name = "CALLS")]
    rate_limit: Option<u32>,
    /// Inject a fault; `--help` lists them below; may be repeated
    #[arg(long = "fault", value_name = "SPEC")]
    faults: Vec<Fault>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { port, state, seeds, teams, latency, rate_limit, faults } = args;
    watch::stop(); // it runs until it is stopped
    let audit_token = context.environment().text("DOCKER_AUDIT_TOKEN")?;
    let (identifier, secret, generated) = account(context)?;
    let (vijil_account, generated_pair) = vijil_account(context)?;
    let mut builder = Emulator::builder()
        .vijil_account(vijil_account)
        .port(*port)
        .teams(teams)
        .latency(Duration::from_millis(*latency))
        .account(&identifier, secret)
        .record(false);
    if let Some(org) = &context.overrides().org {
        builder = builder.org(&org.value);
    }
    if let Some(token) = &audit_token {
        builder = builder.audit_token(token.trim());
    }
    for path in seeds {
        let path = context.path(path);
        let records = files_of_records(&path);
        if records.is_empty() {
            builder = read_seeds(context, &path)?.into_iter().fold(builder, Builder::seed);
        }
        for file in records {
            builder = builder.records(evidence::raw(&file)?);
        }
    }
    builder = builder.bind()?;
    if let Some(path) = state {
        let path = context.path(path);
        builder = builder.state(&path, embedded::open_state(&path)?);
    }
    if let Some(calls) = rate_limit {
        builder = builder.rate_limit(*calls);
    }
    builder = faults.iter().cloned().fold(builder, Builder::fault);

    context.block_on(async {
        let running = builder.start().await?;
        // Not by `print`: a reader that closes the pipe after the address must not stop the
        // emulator.
        announce(&running.base_url())?;
        let orgs = running.orgs();
        let organizations = if orgs.len() == 1 { "organization" } else { "organizations" };
        context.note(&format!("serving {organizations} {}, until Ctrl-C", list::quoted(&orgs)));
        match generated {
            // Printed even with `-q`, since nobody could log in without it.
            Some(secret) => tell(&format!(
                "log in with DOCKER_USERNAME={DOCKER_USERNAME} DOCKER_PASSWORD={secret}"
            )),
            None => context.note(
                "log in with the DOCKER_USERNAME and DOCKER_PASSWORD that it was started with",
            ),
        }
        match audit_token {
            Some(_) => context
                .note("read the audit log with the DOCKER_AUDIT_TOKEN that it was started with"),
            None => tell(&format!(
                "read the audit log with DOCKER_AUDIT_TOKEN={}",
                running.audit_token()
            )),
        }
        context.note(&format!("serving Vijil at {}", running.origin()));
        match generated_pair {
            Some(secret) => {
                tell(&format!(
                    "log in with VIJIL_CLIENT_ID={VIJIL_CLIENT_ID} VIJIL_CLIENT_SECRET={secret}"
                ));
            }
            None => context.note("log in with the Vijil credentials that it was started with"),
        }
        stopped().await;
        if tokio::time::timeout(PATIENCE, running.stop()).await.is_err() {
            context.note("stopped with calls under way");
        }
        Ok(Exit::Done)
    })
}

/// The identifier and the secret, and the secret again if it was generated and has to be printed.
fn account(context: &Context) -> Result<(String, String, Option<String>), Failure> {
    let environment = context.environment();
    match (environment.text("DOCKER_USERNAME")?, environment.text("DOCKER_PASSWORD")?) {
        (Some(identifier), Some(secret)) => Ok((identifier, secret, None)),
        (None, None) => {
            let secret = random_secret();
            Ok((DOCKER_USERNAME.to_owned(), secret.clone(), Some(secret)))
        }
        (Some(_), None) | (None, Some(_)) => Err(Failure::new(
            Exit::Usage,
            "only one of `DOCKER_USERNAME` and `DOCKER_PASSWORD` is set",
        )
        .hint("set both, or none")),
    }
}

/// The credentials of Vijil, and the secret again if it was generated and has to be printed.
fn vijil_account(context: &Context) -> Result<(VijilAccount, Option<String>), Failure> {
    let environment = context.environment();
    let api_key = environment.text("VIJIL_API_KEY")?;
    let (client_id, client_secret, chosen) =
        match (environment.text("VIJIL_CLIENT_ID")?, environment.text("VIJIL_CLIENT_SECRET")?) {
            (Some(id), Some(secret)) => (id, secret, true),
            (None, None) => (VIJIL_CLIENT_ID.to_owned(), random_secret(), api_key.is_some()),
            (Some(_), None) | (None, Some(_)) => {
                let failure = Failure::new(
                    Exit::Usage,
                    "only one of `VIJIL_CLIENT_ID` and `VIJIL_CLIENT_SECRET` is set",
                );
                return Err(failure.hint("set both, or none"));
            }
        };
    let generated = (!chosen).then(|| client_secret.clone());
    Ok((VijilAccount { client_id, client_secret, api_key, email: None }, generated))
}

/// Writes a line to standard error.
fn tell(text: &str) {
    let _ = writeln!(super::session::output::stderr(), "{text}");
}

/// The files of audit records at a path, by their names: the file itself, or the files in a folder
/// that is not a workspace.
fn files_of_records(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return if holds_records(path) { vec![path.to_owned()] } else { Vec::new() };
    }
    if path.join(CONFIG_NAME).exists() {
        return Vec::new();
    }
    let files =
        disk::walk_named(path).filter_map(Result::ok).filter(|entry| entry.file_type().is_file());
    files.map(walkdir::DirEntry::into_path).filter(|file| holds_records(file)).collect()
}

/// Returns `true` if the name is one of a file with audit records.
fn holds_records(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    [".jsonl", ".ndjson"].iter().any(|ending| name.ends_with(ending))
}

/// A snapshot from a file, or the documents of a workspace as if they were applied; for several
/// organizations, all of them.
fn read_seeds(context: &Context, path: &Path) -> Result<Vec<Seed>, Failure> {
    if !path.is_dir() {
        return Ok(read_snapshots(context, path)?.into_iter().map(Seed::from).collect());
    }
    disk::check_named_folder(path).map_err(|error| not_read(path, &error))?;
    let loaded = crate::workspace::load(path, None, crate::workspace::EmptyWorkspace::Refused)
        .map_err(|_| {
            Failure::new(Exit::Invalid, format!("the documents in `{}` are wrong", path.display()))
                .hint("run `seawall validate` on it")
        })?;
    let several = loaded.settings.docker.as_ref().is_some_and(|docker| docker.orgs.is_some());
    let seed = |loaded: Loaded| {
        let settings = loaded.settings.docker;
        // A workspace with Vijil alone needs no organization.
        let Some(settings) = settings else {
            let seed = seed::from_desired("my-org", &loaded.desired, Vec::new());
            return Ok(Seed { org: seed.org.clone().filter(|_| !several), ..seed });
        };
        let named = context.overrides().org.as_ref().map(|setting| setting.value.clone());
        let org = named.or(settings.org).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("the workspace `{}` names no organization", path.display()),
            )
            .hint("give it with `--org`")
        })?;
        Ok(seed::from_desired(&org, &loaded.desired, settings.teams.unwrap_or_default()))
    };
    organizations::each(context, loaded)?.into_iter().map(seed).collect()
}

fn read_snapshots(context: &Context, path: &Path) -> Result<Vec<Snapshot>, Failure> {
    let failed = |exit, reason: String| {
        Failure::new(exit, format!("cannot read `{}`: {reason}", path.display()))
    };
    let text = disk::read_named(path, disk::MAX_STATE_BYTES)
        .map_err(|error| failed(Exit::Failed, error.to_string()))?;
    let mut each = Snapshot::parse_each(&text).map_err(|error| {
        let Failure { message, hint, exit } = error.into();
        Failure { hint, ..failed(exit, message) }
    })?;
    if let (Some(setting), true) = (&context.overrides().org, each.len() > 1) {
        each.retain(|one| one.docker.as_ref().is_some_and(|docker| docker.org == setting.value));
        if each.is_empty() {
            let message =
                format!("`{}`: the snapshot has no organization `{}`", setting.from, setting.value);
            return Err(Failure::new(Exit::Usage, message)
                .hint("name one that it has, or seed them all without it"));
        }
    }
    Ok(each)
}

fn announce(address: &str) -> Result<(), Failure> {
    let mut stdout = super::session::output::stdout();
    writeln!(stdout, "{address}").and_then(|()| stdout.flush()).map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot write to standard output: {error}"))
    })
}

/// Waits for Ctrl-C, or for the signal that service managers send.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    // If signals are not available, it is better to run forever than to stop at once.
    if interrupted.await.is_err() {
        std::future::pending::<()>().await;
    }
}
