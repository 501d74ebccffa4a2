//! `endpoint: embedded`: the emulator inside the process, with its state in the workspace.

use std::path::Path;

use super::{Emulator, EmulatorError, Running, Seed};

/// The state file's name.
const STATE: &str = "emulator.redb";

impl Emulator {
    /// Starts the emulator for an organization, with its state in `folder` (the workspace's `.seawall/`), which is
    /// made with a `.gitignore` that keeps git away from it, and starts with the seed. Teams that do not exist are made.
    /// The credentials are new each time, and nobody else's.
    ///
    /// # Errors
    /// The folder cannot be made, or its state is in use or cannot be read.
    pub async fn embedded(
        folder: &Path,
        org: &str,
        teams: impl IntoIterator<Item = String>,
        seed: Seed,
    ) -> Result<Running, EmulatorError> {
        let failed = |source| EmulatorError::Folder { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        ignore_in_git(folder).map_err(failed)?;
        let state = folder.join(STATE);
        let seed = if state.exists() { Seed::default() } else { seed }; // it has started before
        Self::builder().org(org).seed(seed).teams(teams).state(state).record(false).start().await
    }
}

#[expect(clippy::disallowed_methods, reason = "the emulator's own folder, told to git once")]
fn ignore_in_git(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(".gitignore");
    if path.exists() { Ok(()) } else { std::fs::write(path, "*\n") }
}
