//! History of the workspace's documents: their commit, and the last change of each line.
//!
//! Invariant: times are those of commits. Without a repository or `git`, the history is empty,
//! which is not an error.

use std::collections::BTreeMap;
use std::path::Path;

use super::git::Repository;
use super::workspace::folder;
use super::{Context, Exit, Failure};
use crate::report::{Commit, History, Links, Source, SourceCommit};
use crate::source::parallel;
use crate::workspace::Loaded;

/// Commit, links and history of the documents.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) source: Source,
    pub(crate) links: Option<Links>,
    pub(crate) history: History,
}

/// Reads the repository around the workspace.
///
/// # Errors
///
/// Returns an error if the template of links is not valid.
pub(crate) fn known(
    context: &Context,
    loaded: &Loaded,
    template: Option<&str>,
) -> Result<Known, Failure> {
    let root = folder(context).join(&loaded.root);
    let root = root.canonicalize().unwrap_or(root);
    let around = Repository::around(&root).unwrap_or_else(|failure| {
        context
            .note(&format!("note: the report holds nothing of the history: {}", failure.message));
        None
    });
    let around = around
        .and_then(|(repository, inside)| Some((repository.head().ok()??, repository, inside)));
    let Some((head, repository, inside)) = around else {
        let name =
            root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let links = template.map(|template| links(template, "")).transpose()?;
        return Ok(Known {
            source: Source { workspace: name, commit: None },
            links,
            history: History::default(),
        });
    };
    let folder = inside.to_string_lossy().replace('\\', "/");
    let hosted = hosted(context, &head);
    let template = match (template, &hosted) {
        (Some(template), _) => Some(template.to_owned()),
        (None, Some(base)) => Some(format!("{base}/blob/{}/{{file}}#L{{line}}", head.hash)),
        (None, None) => None,
    };
    let link = hosted.map(|base| format!("{base}/commit/{}", head.hash));
    let source = Source {
        workspace: match folder.as_str() {
            "" => {
                root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
            folder => folder.to_owned(),
        },
        commit: Some(SourceCommit {
            short: head.short().to_owned(),
            time: head.timestamp(),
            date: head.minute(),
            changed: repository.is_changed(&inside).unwrap_or(true),
            link,
        }),
    };
    let links = template.map(|template| links(&template, &folder)).transpose()?;
    Ok(Known { source, links, history: history(&repository, &inside, loaded) })
}

fn links(template: &str, folder: &str) -> Result<Links, Failure> {
    Links::new(template, folder).map_err(|wrong| {
        let failure = Failure::new(Exit::Usage, format!("`--link`: {wrong}"));
        failure.hint(
            "write a URL such as `https://git.corp.example/policies/blob/main/{file}#L{line}`",
        )
    })
}

/// The page of the repository, if GitHub Actions runs the command for the commit that is checked
/// out: GitHub only has that one.
fn hosted(context: &Context, head: &Commit) -> Option<String> {
    let variable = |name| context.environment().text(name).ok().flatten();
    variable("GITHUB_SHA").filter(|commit| *commit == head.hash)?;
    let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
    let is_plain =
        |text: &str| text.chars().all(|one| one.is_ascii_alphanumeric() || "-._~/:".contains(one));
    (is_plain(&server) && is_plain(&repository))
        .then(|| format!("{}/{repository}", server.trim_end_matches('/')))
}

/// The last change of each line of the workspace's files.
fn history(repository: &Repository, inside: &Path, loaded: &Loaded) -> History {
    let names: Vec<String> =
        loaded.findings.files.iter().map(|(_, file)| file.name.clone()).collect();
    let whole = repository.is_whole();
    let blamed = parallel::map(names, 2, |name| {
        let lines = repository.blame(&inside.join(&name), whole).ok().flatten();
        lines.map(|lines| (name, lines))
    });
    let files: BTreeMap<_, _> = blamed.into_iter().flatten().collect();
    History { files }
}

impl Repository {
    /// The current commit; `None` before the first one.
    ///
    /// # Errors
    ///
    /// Returns an error if `git` cannot be run, or fails.
    fn head(&self) -> Result<Option<Commit>, Failure> {
        if self.commit("HEAD")?.is_none() {
            return Ok(None);
        }
        let shown =
            self.ask(&["show", "-s", "--no-show-signature", "--format=%H%x00%ct%x00%an", "HEAD"])?;
        let mut parts = shown.split('\0');
        let (hash, seconds, author) =
            (parts.next(), parts.next().and_then(|time| time.parse().ok()), parts.next());
        let commit = |((hash, seconds), author): ((&str, i64), &str)| Commit {
            seconds,
            hash: hash.to_owned(),
            author: author.to_owned(),
        };
        Ok(hash.zip(seconds).zip(author).map(commit))
    }
}
