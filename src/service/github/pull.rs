//! The pull request behind a commit, for jobs that GitHub starts without naming one.

use serde::Deserialize;

use super::{Error, GitHub, PAGE_SIZE};

/// The head of a pull request, from the event of a `workflow_run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The account that owns the branch; for a fork, a different one than the repository's.
    pub owner: String,
    /// The branch.
    pub branch: String,
    /// The commit.
    pub commit: String,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    head: PullHead,
}

#[derive(Deserialize)]
struct PullHead {
    sha: String,
}

impl GitHub {
    /// The open pull request whose head is exactly this commit; the first one if there are several
    /// (to several bases). `None` once the branch has moved on or the pull request is closed:
    /// results about the commit are then outdated.
    ///
    /// # Errors
    ///
    /// Returns an error if the pull requests cannot be listed.
    pub async fn pull_request(&self, head: &Head) -> Result<Option<u64>, Error> {
        let Head { owner, branch, commit } = head;
        let branch = format!("{owner}:{branch}");
        let query = [("state", "open"), ("head", branch.as_str()), ("per_page", PAGE_SIZE)];
        let pulls: Vec<Pull> = self.reader.get(&self.path(&["pulls"]), &query).await?;
        Ok(pulls.into_iter().filter(|pull| pull.head.sha == *commit).map(|pull| pull.number).min())
    }
}
