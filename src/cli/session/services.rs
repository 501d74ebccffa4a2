//! The services of one organization: connecting, reading, closing.

use std::path::Path;

use super::connect::{Shared, Target, connect};
use super::evidence::Members;
use super::vijil::{self, VijilConnected};
use super::{Connected, Context, Failure};
use crate::document::{Docker, Vijil};
use crate::model::{Desired, Live, LiveVijil};
use crate::service::docker::Error as DockerError;
use crate::service::http::Observer;

/// Connections to the services of a workspace or of a saved plan.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) docker: Option<Connected>,
    pub(crate) vijil: Option<VijilConnected>,
}

/// The live state of the services.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) docker: Option<Live>,
    pub(crate) vijil: Option<LiveVijil>,
    /// The memberships in the organization's teams, if recorded requests require them.
    pub(crate) members: Option<Members>,
}

impl Services {
    /// Connects to the services that have settings, beside those of other organizations. Sends
    /// nothing yet.
    ///
    /// # Errors
    ///
    /// As [`connect`], for either service.
    pub(crate) async fn connect_beside(
        context: &Context,
        root: &Path,
        (docker, vijil): (Option<&Docker>, Option<&Vijil>),
        desired: &Desired,
        shared: &mut Shared,
        observer: Option<Observer>,
    ) -> Result<Self, Failure> {
        let seed = match vijil {
            Some(_) => vijil::seed(context, root, vijil)?,
            None => shared.seed.clone(),
        };
        let docker = match docker {
            Some(docker) => {
                let target = Target { root, docker, desired, seed: seed.clone() };
                Some(connect(context, &target, shared, observer.clone()).await?)
            }
            None => None,
        };
        let vijil = match vijil {
            Some(vijil) => {
                Some(vijil::connect(context, root, vijil, shared, seed, observer).await?)
            }
            None => None,
        };
        Ok(Self { docker, vijil })
    }

    /// Reads the live state of both services concurrently.
    ///
    /// # Errors
    ///
    /// Returns the first failure.
    pub(crate) async fn live(&self) -> Result<State, Failure> {
        let docker = async {
            match &self.docker {
                Some(connected) => Ok::<_, Failure>(Some(connected.reader.live().await?)),
                None => Ok(None),
            }
        };
        let vijil = async {
            match &self.vijil {
                Some(connected) => Ok::<_, Failure>(Some(connected.reader.live().await?)),
                None => Ok(None),
            }
        };
        let (docker, vijil) = tokio::try_join!(docker, vijil)?;
        Ok(State { docker, vijil, members: None })
    }

    /// Reads the teams of the organization's members; `None` if the account may not read them, or
    /// if no team has members.
    ///
    /// # Errors
    ///
    /// Returns an error if the read fails for another reason.
    pub(super) async fn members(
        &self,
        context: &Context,
        live: &State,
    ) -> Result<Option<Members>, Failure> {
        let (Some(connected), Some(live)) = (&self.docker, &live.docker) else { return Ok(None) };
        match connected.reader.members(&live.teams).await {
            Ok(members) => Ok(Some(members).filter(|members| !members.is_empty())),
            Err(error @ DockerError::Forbidden { .. }) => {
                let notes = [
                    format!("note: {error}"),
                    "the teams of users are unknown without `--teams`".to_owned(),
                ];
                context.note(&notes.join(": "));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stops the embedded services.
    pub(crate) async fn close(self) {
        if let Some(connected) = self.vijil {
            connected.close().await;
        }
        if let Some(connected) = self.docker {
            connected.close().await;
        }
    }
}
