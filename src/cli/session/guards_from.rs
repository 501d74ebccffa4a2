//! `--guards-from REF|DIR`: settings from the version that a proposal would be merged into.
//!
//! Invariant: no file of the proposal is used as the base. A name that is a ref is a ref, even if
//! the proposal has a folder of that name; and a folder that is part of the proposal's own commit,
//! or that one of its links leads to, is refused.

use std::path::{Component, Path, PathBuf};

use super::commit::checked_out;
use super::connect::named_endpoint;
use super::git::Repository;
use super::reading::read;
use super::services::State;
use super::workspace::folder;
use super::{Context, Exit, Failure, vijil};
use crate::diagnostic::Findings;
use crate::document::{Settings, guards_of};
use crate::model::Desired;
use crate::plan::{DockerPlan, GuardsFrom, Plan, protected};
use crate::render::diagnostic;
use crate::source::CONFIG_NAME;
use crate::workspace::{EmptyWorkspace, Loaded, read_settings};

/// The settings and documents of the base.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// The name as given on the command line.
    pub(crate) from: String,
    /// The settings; `None` if the base does not have the workspace.
    pub(crate) settings: Option<Settings>,
    /// The desired state of its documents; `None` if they cannot be read.
    pub(crate) desired: Option<Desired>,
    /// The findings of checks in them, and their folder.
    pub(crate) findings: Option<(Findings, PathBuf)>,
}

impl Base {
    /// Reads the settings of the workspace `root` from a git ref, or from a folder with another
    /// checkout of the repository or the workspace.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such base, or if it cannot be read.
    pub(crate) fn read(context: &Context, root: &Path, named: &str) -> Result<Self, Failure> {
        if named.is_empty() || named.starts_with('-') || named.contains(char::is_control) {
            return Err(unknown(named));
        }
        let root = folder(context).join(root);
        let config = match context.config() {
            Some(config) => folder(context).join(config),
            None => root.join(CONFIG_NAME),
        };
        let around = Repository::around(&root)?;
        let path = Path::new(named);
        let written_as_folder = path.is_absolute()
            || matches!(path.components().next(), Some(Component::CurDir | Component::ParentDir))
            || named.ends_with(['/', '\\']);
        let commit = match &around {
            Some((repository, _)) if !written_as_folder => repository.commit(named)?,
            Some(_) | None => None,
        };
        let (found, loaded) = match (&around, commit) {
            (Some((repository, inside_root)), Some(commit)) => {
                let inside = config.strip_prefix(repository.top()).map_err(|_| {
                    Failure::new(
                        Exit::Usage,
                        format!("`{}` is not in the repository", config.display()),
                    )
                    .hint("name a folder that holds the base")
                })?;
                let text = repository.file(&commit, inside)?;
                let loaded = checked_out(repository, inside_root, &commit).ok().and_then(|copy| {
                    let own = config.strip_prefix(&root);
                    documents(
                        copy.path(),
                        &own.map_or_else(|_| config.clone(), |own| copy.path().join(own)),
                    )
                });
                (text.map(|text| (format!("{named}:{}", inside.display()), text)), loaded)
            }
            _ => {
                let file = from_folder(
                    &folder(context).join(path),
                    &root,
                    around.as_ref(),
                    &config,
                    named,
                )?;
                let loaded = file.as_ref().and_then(|file| documents(file.parent()?, file));
                let text = file.map(|file| {
                    Ok::<_, Failure>((file.to_string_lossy().replace('\\', "/"), read(&file)?))
                });
                (text.transpose()?, loaded)
            }
        };
        let settings = found.map(|(name, text)| parse(context, &name, &text)).transpose()?;
        let (desired, findings) = match loaded {
            Some(Loaded { desired, findings, root, .. }) => (Some(desired), Some((findings, root))),
            None => (None, None),
        };
        Ok(Self { from: named.to_owned(), settings, desired, findings })
    }

    /// A saved plan that the guards of the base judge too: it must pass both these and its own.
    ///
    /// # Errors
    ///
    /// Returns an error if the base is for another organization or another service than the plan.
    pub(crate) fn judge(
        &self,
        context: &Context,
        plan: Plan,
        live: &State,
    ) -> Result<Plan, Failure> {
        let settings = self.settings.as_ref();
        if let Some((planned, base)) =
            settings.and_then(|settings| elsewhere(context, settings, &plan))
        {
            let message =
                format!("the plan is for `{planned}`, and `{}` is for `{base}`", self.from);
            return Err(
                Failure::new(Exit::Refused, message).hint("make a new plan, and have it reviewed")
            );
        }
        let mut guards = guards_of(settings);
        guards.protected = protected::followed(
            &guards.protected,
            self.desired.as_slice().iter().collect::<Vec<_>>().as_slice(),
        );
        let from =
            GuardsFrom { from: self.from.clone(), found: settings.is_some(), changed: Vec::new() };
        Ok(plan.judged_also(&guards, &from, live.docker.as_ref(), live.vijil.as_ref()))
    }
}

/// The target of a plan and that of the settings, if they differ.
fn elsewhere(context: &Context, settings: &Settings, plan: &Plan) -> Option<(String, String)> {
    if let (Some(docker), Some(DockerPlan { target, .. })) = (&settings.docker, &plan.docker) {
        let orgs = docker.organizations();
        if context.overrides().org.is_none()
            && !orgs.is_empty()
            && !orgs.contains(&target.org.as_str())
        {
            return Some((target.org.clone(), orgs.join("`, `")));
        }
        let base = named_endpoint(context, docker);
        if base != target.endpoint {
            return Some((target.endpoint.clone(), base));
        }
    }
    if let (Some(settings), Some(planned)) = (&settings.vijil, &plan.vijil) {
        let base = vijil::named_endpoint(context, settings);
        if base != planned.target.endpoint {
            return Some((planned.target.endpoint.clone(), base));
        }
    }
    None
}

/// The documents of a workspace. The base has to correct a fault in them; it does not stop a
/// proposal, which may be the correction.
fn documents(root: &Path, config: &Path) -> Option<Loaded> {
    crate::workspace::load(root, Some(config), EmptyWorkspace::Refused).ok()
}

/// The settings of a folder.
fn from_folder(
    base: &Path,
    root: &Path,
    around: Option<&(Repository, PathBuf)>,
    config: &Path,
    named: &str,
) -> Result<Option<PathBuf>, Failure> {
    if !base.is_dir() {
        return Err(unknown(named));
    }
    let own = || Failure::new(Exit::Usage, format!("`{named}` is part of the proposal"));
    let own = || own().hint("name a ref of the base branch, or a folder with a checkout of it");
    let top = around.map_or(root, |(repository, _)| repository.top());
    let proposed = |link: &Path| {
        let folder = link.parent().and_then(|parent| parent.canonicalize().ok());
        [top, root].iter().any(|top| {
            folder
                .as_ref()
                .is_some_and(|folder| top.canonicalize().is_ok_and(|top| folder.starts_with(top)))
        })
    };
    if base.ancestors().filter(|part| part.is_symlink()).any(proposed) {
        let failure =
            Failure::new(Exit::Usage, format!("`{named}` leads through a link of the proposal"));
        return Err(
            failure.hint("name a ref of the base branch, or a folder with a checkout of it")
        );
    }
    let same =
        base.canonicalize().is_ok_and(|base| root.canonicalize().is_ok_and(|root| base == root));
    if same || around.map_or(Ok(false), |(repository, _)| repository.tracks(base))? {
        return Err(own());
    }
    let file = config.file_name().unwrap_or(CONFIG_NAME.as_ref());
    // In a checkout of the repository, the workspace is in the same subfolder as here.
    let inside =
        around.map(|(_, inside)| base.join(inside).join(file)).filter(|file| file.is_file());
    let file = inside.unwrap_or_else(|| base.join(file));
    if let Some(link) =
        file.ancestors().take_while(|part| *part != base).find(|part| part.is_symlink())
    {
        let failure = Failure::new(
            Exit::Usage,
            format!("`{}` is a link, and no part of the base", link.display()),
        );
        return Err(
            failure.hint("name a ref of the base branch, or a folder with a checkout of it")
        );
    }
    Ok(file.is_file().then_some(file))
}

fn parse(context: &Context, name: &str, text: &str) -> Result<Settings, Failure> {
    read_settings(name, text).map_err(|findings| {
        context.note(context.findings(&findings).trim_end());
        Failure::new(
            Exit::Invalid,
            format!("the settings of the base are wrong: {}", diagnostic::summary(&findings)),
        )
        .hint("mend them on the base branch first")
    })
}

fn unknown(named: &str) -> Failure {
    Failure::new(Exit::Usage, format!("`--guards-from`: `{named}` is neither a commit of this repository nor a folder"))
        .hint("fetch the base branch first, as in `git fetch origin main`, or name a folder with a checkout of it")
}
