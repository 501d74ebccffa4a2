//! `seawall init`: creates a workspace, with the files that its repository needs.
//!
//! Invariant: no existing file is overwritten, and either all files are written or none.

mod destination;
mod files;
mod imported;
mod next;

use std::io::{BufRead, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;

use super::session::writing::{Written, not_written, write_all};
use super::{Context, Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::source::disk::make_folder;

use super::init::destination::Destination;
pub(super) use files::ActionVersion;
use files::{Choices, NewFile, Service, files};

const EXAMPLES: &str = "\
Examples:
  seawall init                                         # in the current folder; asks for the organization
  seawall init policies --org acme                     # in a folder of a repository
  seawall init --org acme --import                     # with documents for what is live
  seawall init --org acme --docker-endpoint embedded   # to try it without an account

Files that exist stay as they are: `init` writes nothing where a file of the workspace exists, and
shows what to add to a `CODEOWNERS` or a `.pre-commit-config.yaml` that exists.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The folder of the workspace, created if it does not exist; without it, the current folder
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// Also write documents for the live policies
    #[arg(long)]
    import: bool,
    /// With `--import`, read a snapshot instead of the service
    #[arg(long, value_name = "FILE", requires = "import")]
    live_from: Option<PathBuf>,
    /// The action that the workflows use instead of this release's own, such as a fork or a mirror
    #[arg(long, value_name = "OWNER/REPOSITORY@COMMIT", value_parser = ActionVersion::parse)]
    action: Option<ActionVersion>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    if context.config().is_some() {
        let failure =
            Failure::new(Exit::Usage, "`--config` names the settings of a workspace that exists");
        return Err(failure.hint("leave it out: `init` writes a new `seawall.yaml`"));
    }
    let place = Destination::find(context, args.dir.as_deref())?;
    let choices = Choices {
        org: organization(context)?,
        docker: Service::new(context.overrides().docker_endpoint.as_ref()),
        vijil: context
            .overrides()
            .vijil_endpoint
            .as_ref()
            .map(|endpoint| Service::new(Some(endpoint))),
        folder: place.folder.clone(),
        branch: place.default_branch(),
        action: args.action.clone().or_else(ActionVersion::of_this_release),
    };
    let new = files(&choices);
    // Checked before the service is asked; the write checks it again.
    place.refuse_to_overwrite(&new)?;
    let folders = make_folder(&place.root()).map_err(|error| not_written(&place.root(), &error))?;
    let written = write(context, args, &place, &choices, new);
    if written.is_err() {
        folders.take_back();
    }
    written
}

/// Writes the files, with documents for live policies if requested, and prints the remaining steps.
fn write(
    context: &Context,
    args: &Args,
    place: &Destination,
    choices: &Choices,
    new: Vec<NewFile>,
) -> Result<Exit, Failure> {
    let (files, import) = match args.import {
        true => {
            let (files, import) =
                imported::add(context, place, choices, new, args.live_from.as_deref())?;
            place.refuse_to_overwrite(&files)?;
            (files, Some(import))
        }
        false => (new, None),
    };
    let (kept, new): (Vec<NewFile>, Vec<NewFile>) =
        files.into_iter().partition(|file| file.optional && place.existing(file).is_some());
    let written: Vec<Written<'_>> = new
        .iter()
        .map(|file| Written { path: &file.path, text: Some(&file.text), overwrites: false })
        .collect();
    write_all(&place.top, &written)?;
    context.show(&next::summary(place, choices, &new, &kept, import.as_ref()))?;
    let is_whole = import.is_none_or(|import| import.refused.is_empty());
    Ok(if is_whole { Exit::Done } else { Exit::Invalid })
}

/// The Docker organization: from `--org` or `SEAWALL_ORG`, otherwise from a question.
fn organization(context: &Context) -> Result<String, Failure> {
    if let Some(setting) = &context.overrides().org {
        return match is_organization(&setting.value) {
            true => Ok(setting.value.clone()),
            false => Err(Failure::new(Exit::Usage, format!("`{}` is not a valid organization: `{}`", setting.from, line(&setting.value)))
                .hint("give the name that the address of the organization in Docker Home ends in: letters, digits, `-`, `_` and `.`")),
        };
    }
    if !std::io::stdin().is_terminal() {
        let failure = Failure::new(
            Exit::Usage,
            "no organization is given, and standard input is not a terminal",
        );
        return Err(failure.hint("name the Docker organization with `--org` or `SEAWALL_ORG`"));
    }
    ask(&mut std::io::stdin().lock())
}

/// Asks until the answer is a valid name of an organization.
fn ask(input: &mut impl BufRead) -> Result<String, Failure> {
    loop {
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "Docker organization: ");
        let _ = stderr.flush();
        drop(stderr);
        let mut answer = String::new();
        // The name is short, and a stream without a line end must not fill the memory.
        let read = input.by_ref().take(1024).read_line(&mut answer);
        if !matches!(read, Ok(1..)) {
            let failure = Failure::new(Exit::Usage, "no organization is given");
            return Err(failure.hint("name the Docker organization with `--org` or `SEAWALL_ORG`"));
        }
        let answer = answer.trim();
        if is_organization(answer) {
            return Ok(answer.to_owned());
        }
        let _ = writeln!(
            anstream::stderr().lock(),
            "`{}` is not a valid organization: a name has letters, digits, `-`, `_` and `.`",
            line(answer)
        );
    }
}

/// Returns `true` if the text is a valid name of an organization. It becomes part of documents,
/// workflows and addresses.
fn is_organization(text: &str) -> bool {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() <= 255
        && text.bytes().all(kept)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::{ask, is_organization};
    use crate::exit::Exit;

    #[test]
    fn names_of_organizations_hold_nothing_that_yaml_or_an_address_could_take_for_more() {
        for good in ["acme", "acme-labs", "a.b_c", "007", "true", "A"] {
            assert!(is_organization(good), "{good}");
        }
        let long = "a".repeat(256);
        for bad in [
            "",
            ".",
            "..",
            "-x",
            "a/b",
            "a b",
            "a\nb",
            "ämter",
            "a: b",
            "a'",
            "a${{x}}",
            long.as_str(),
        ] {
            assert!(!is_organization(bad), "{bad}");
        }
    }

    #[test]
    fn the_organization_is_asked_for_until_the_answer_is_one() {
        assert_eq!(ask(&mut "two words\n\nacme\n".as_bytes()).unwrap(), "acme");
        let failure = ask(&mut "two words\n".as_bytes()).unwrap_err();
        assert_eq!(
            (failure.exit, failure.message.as_str()),
            (Exit::Usage, "no organization is given")
        );
    }
}
