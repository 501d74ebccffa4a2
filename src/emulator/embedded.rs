//! `endpoint: embedded`: the emulator inside the process, with its state in the workspace.

use std::path::Path;

use super::{Emulator, EmulatorError, Running, Seed};
use crate::source::disk::Root;

/// The state file's name.
const STATE: &str = "emulator.redb";

impl Emulator {
    /// Starts the emulator for an organization, with its state in the folder `name` of the workspace (`.seawall/`). The
    /// folder is created with a `.gitignore` that excludes it, and the state starts with the seed. Missing teams are
    /// created. The credentials are generated in each run and known to nobody else.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created or is a link, or if its state is in use or cannot be read.
    pub async fn embedded(
        workspace: &Path,
        name: &str,
        org: &str,
        teams: impl IntoIterator<Item = String>,
        seed: Seed,
    ) -> Result<Running, EmulatorError> {
        let folder = Root::new(workspace)
            .and_then(|root| root.state_folder(name))
            .map_err(|source| EmulatorError::Folder { folder: workspace.join(name), source })?;
        let state = folder.join(STATE);
        let seed = if state.exists() { Seed::default() } else { seed }; // it has started before
        Self::builder().org(org).seed(seed).teams(teams).state(state).record(false).start().await
    }
}
