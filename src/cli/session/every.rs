//! The first steps of a command for every organization of a workspace: connect, read, plan.

use std::path::Path;

use futures_util::future::join_all;

use super::connect::Shared;
use super::planning::{Workspace, live_from};
use super::services::{Services, State};
use super::{Context, Failure, vijil};
use crate::plan::Plan;
use crate::service::http::Observer;
use crate::workspace::Loaded;

/// Connects for all organizations; those with the endpoint `embedded` share one service.
pub(crate) async fn connect_each<'a>(
    context: &Context,
    all: impl ExactSizeIterator<Item = &'a Loaded>,
    observer: Option<Observer>,
) -> Vec<Result<Services, Failure>> {
    let mut shared = Shared::among(all.len());
    let all: Vec<&Loaded> = all.collect();
    // The first connection starts the embedded service for all.
    if let Some(one) = all.iter().find(|one| one.settings.vijil.is_some())
        && let Ok(seed) = vijil::seed(context, &one.root, one.settings.vijil.as_ref())
    {
        shared.seed = seed;
    }
    let mut connected = Vec::new();
    for Loaded { root, settings, desired, .. } in all {
        let services = (settings.docker.as_ref(), settings.vijil.as_ref());
        let observer = observer.clone();
        connected.push(
            Services::connect_beside(context, root, services, desired, &mut shared, observer).await,
        );
    }
    connected
}

/// The live state of each organization, read concurrently, or from a snapshot. A failure of one
/// does not affect the others.
///
/// # Errors
///
/// Returns an error if no thread can be started.
pub(crate) fn live_each(
    context: &Context,
    workspaces: &[Workspace],
    snapshot: Option<&Path>,
) -> Result<Vec<Result<State, Failure>>, Failure> {
    if let Some(file) = snapshot {
        return Ok(workspaces
            .iter()
            .map(|workspace| live_from(context, workspace, file))
            .collect());
    }
    context.block_on(async {
        let connected =
            connect_each(context, workspaces.iter().map(|workspace| &workspace.loaded), None).await;
        let reads = workspaces
            .iter()
            .zip(connected)
            .map(|(workspace, connected)| read(context, workspace, connected));
        Ok(join_all(reads).await)
    })
}

async fn read(
    context: &Context,
    workspace: &Workspace,
    connected: Result<Services, Failure>,
) -> Result<State, Failure> {
    let connected = connected?;
    let live = workspace.live(context, &connected).await;
    connected.close().await;
    live
}

/// A plan with the services that carry it out, or the reason why there is none.
pub(crate) type Planned = Result<(Plan, Services), Failure>;

/// Plans for all organizations concurrently. A failure of one does not affect the others.
pub(crate) async fn plan_each(
    context: &Context,
    workspaces: &[Workspace],
    observer: Option<Observer>,
) -> Vec<Planned> {
    let connected =
        connect_each(context, workspaces.iter().map(|workspace| &workspace.loaded), observer).await;
    let plans = workspaces
        .iter()
        .zip(connected)
        .map(|(workspace, connected)| plan_one(context, workspace, connected));
    join_all(plans).await
}

async fn plan_one(
    context: &Context,
    workspace: &Workspace,
    connected: Result<Services, Failure>,
) -> Planned {
    let connected = connected?;
    match workspace.live(context, &connected).await.and_then(|live| workspace.plan(context, &live))
    {
        Ok(plan) => Ok((plan, connected)),
        Err(failure) => {
            connected.close().await;
            Err(failure)
        }
    }
}
