//! `--since REF|DIR|FILE`: the state after the last apply.

use std::path::Path;

use super::commit::documents_of;
use super::planning::{Workspace, live_from};
use super::services::State;
use super::{Context, Exit, Failure};
use crate::model::Desired;

/// The state after the last apply.
#[derive(Debug)]
pub(crate) enum Since {
    /// The documents that were applied.
    Documents {
        /// The name as given on the command line.
        name: String,
        /// The workspace with these documents.
        workspace: Box<Workspace>,
    },
    /// The live state at that time.
    Snapshot {
        /// The name as given on the command line.
        name: String,
        /// The live state.
        state: State,
    },
}

impl Since {
    /// Reads the base with this name, for each workspace: a snapshot file, a commit, or a folder.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such base, or if it cannot be read. A fault of one workspace
    /// is the failure of that workspace only.
    pub(crate) fn read_each(
        context: &Context,
        now: &[Workspace],
        root: &Path,
        name: &str,
    ) -> Result<Vec<Result<Self, Failure>>, Failure> {
        let path = context.path(Path::new(name));
        if path.is_file() {
            let snapshot = |now: &Workspace| {
                let state = live_from(context, now, Path::new(name))?;
                Ok(Self::Snapshot { name: name.to_owned(), state })
            };
            return Ok(now.iter().map(snapshot).collect());
        }
        let Some(base) = documents_of(context, root, name)? else {
            let message = format!(
                "`--since`: `{name}` is neither a commit of this repository, nor a folder or a file"
            );
            return Err(Failure::new(Exit::Usage, message)
                .hint("name what the last apply left: a commit, a folder with its documents, or a snapshot"));
        };
        let of_each = |now: &Workspace| {
            let Desired { policies, vijil } = &base.desired;
            let policies = if now.was_in(&base.settings) { policies.clone() } else { Vec::new() };
            let workspace = Box::new(now.with(&Desired { policies, vijil: vijil.clone() }));
            Ok(Self::Documents { name: name.to_owned(), workspace })
        };
        Ok(now.iter().map(of_each).collect())
    }

    /// The name as given on the command line.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Documents { name, .. } | Self::Snapshot { name, .. } => name,
        }
    }
}
