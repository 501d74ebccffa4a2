//! `endpoint: embedded`: the emulator inside of the process, with its state in the workspace.

use std::fs::File;
use std::path::Path;

use super::git::Repository;
use super::{Exit, Failure};
use crate::emulator::{Emulator, EmulatorError, Running, Seed, StoreError};
use crate::exit::Explain;
use crate::source::disk::{self, Root};

/// The folder of a workspace for the state.
const FOLDER: &str = ".seawall";
/// The state file's name.
const STATE: &str = "emulator.redb";

/// Starts the emulator for an organization, with its state in the workspace. The folder is created
/// with a `.gitignore` that excludes it, and the state starts with the seed. Missing teams are
/// created. The credentials are generated in each run and known to nobody else. State that git
/// tracks is not used: it would be the live state of the author of the commit.
pub(crate) async fn start(
    workspace: &Path,
    org: &str,
    teams: impl IntoIterator<Item = String>,
    seed: Seed,
) -> Result<Running, Failure> {
    refuse_tracked(workspace)?;
    let folder =
        Root::new(workspace).and_then(|root| root.state_folder(FOLDER)).map_err(|error| {
            let hint = if error.is_of_the_system() {
                "make the folder of the workspace writable"
            } else {
                "remove it: state is kept in a folder of that name"
            };
            let message =
                format!("cannot use the folder `{}`: {error}", workspace.join(FOLDER).display());
            Failure::new(Exit::Failed, message).hint(hint)
        })?;
    let path = folder.join(STATE);
    let seed = if path.exists() { Seed::default() } else { seed }; // it has started before
    let file = open_state(&path)?;
    let builder =
        Emulator::builder().org(org).seed(seed).teams(teams).state(&path, file).record(false);
    Ok(builder.start().await?)
}

fn refuse_tracked(workspace: &Path) -> Result<(), Failure> {
    let absolute = std::path::absolute(workspace).unwrap_or_else(|_| workspace.to_owned());
    if workspace.join(FOLDER).symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
        && let Some((repository, inside)) = Repository::around(&absolute)?
        && let Some(tracked) = repository.tracked_state(&inside)?
    {
        let message = format!(
            "`{tracked}` is tracked by git, and state of `embedded` is not taken from a commit"
        );
        return Err(Failure::new(Exit::Invalid, message)
            .hint(format!("remove it from the repository with `git rm -r --cached {FOLDER}`")));
    }
    Ok(())
}

/// Opens a state file of the emulator, and creates it if it does not exist.
pub(crate) fn open_state(path: &Path) -> Result<File, Failure> {
    disk::open_state(path).map_err(|error| {
        let message = format!("the state file `{}` cannot be opened: {error}", path.display());
        Failure::new(Exit::Failed, message).hint("choose another file, without a link")
    })
}

impl Explain for EmulatorError {
    fn hint(&self) -> String {
        let hint = match self {
            Self::Bind { .. } => "choose another port, or leave it out to take a free one",
            Self::Store(StoreError::InUse(_)) => {
                "wait for the other process, or choose another file"
            }
            Self::Store(StoreError::Unreadable { .. } | StoreError::Failed { .. }) => {
                "choose another state file, or move this one away to start empty"
            }
        };
        hint.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::disk::Scratch;

    #[tokio::test]
    async fn the_state_is_kept_in_a_folder_that_git_ignores() {
        let workspace = Scratch::new().unwrap();
        let start = || start(workspace.path(), "acme", ["research".to_owned()], Seed::default());
        let first = start().await.unwrap();
        let ignored = disk::read_own(&workspace.path().join(".seawall/.gitignore"), 10).unwrap();
        assert_eq!(ignored, "*\n");
        let (url, secret) = (first.base_url(), first.secret().to_owned());
        let teams = first.state().orgs["acme"].teams.clone();
        assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/v2"), "{url}");
        assert_eq!(teams.values().map(|team| team.name.as_str()).collect::<Vec<_>>(), ["research"]);
        first.stop().await;

        let second = start().await.unwrap();
        assert_ne!(second.secret(), secret, "each run has credentials of its own");
        assert_eq!(
            second.state().orgs["acme"].teams,
            teams,
            "a team is made once, with an id that stays"
        );
    }
}
