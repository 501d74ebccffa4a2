//! A new workspace with documents for the live policies.

use std::path::Path;

use super::destination::Destination;
use super::files::{self, Choices, Expectation, NewFile};
use crate::access::{Request, State, Verdict};
use crate::cli::session::workspace;
use crate::cli::{Context, Failure, import};
use crate::diagnostic::Overlay;
use crate::import::Import;
use crate::model::Policy;
use crate::workspace::EmptyWorkspace;

/// The files of the new workspace with documents for the live policies instead of the first policy,
/// and with an access test that passes today. Without live policies, the files are unchanged.
///
/// # Errors
///
/// Returns an error if the live state cannot be read, or cannot be imported.
pub(super) fn add(
    context: &Context,
    place: &Destination,
    choices: &Choices,
    new: Vec<NewFile>,
    live_from: Option<&Path>,
) -> Result<(Vec<NewFile>, Import), Failure> {
    let root = place.root();
    // Only the settings and the schema: the first policy and its test would wait to be applied.
    let settings = files::settings(choices, files::Content::Imported);
    let overlay: Overlay = [
        ("seawall.yaml".to_owned(), Some(settings)),
        (files::SCHEMA.to_owned(), Some(files::schema())),
    ]
    .into();
    let load = |overlay: Overlay| {
        crate::workspace::load_over(&root, None, EmptyWorkspace::Accepted, overlay)
            .map_err(|findings| workspace::wrong(context, &findings))
    };
    let imported = load(overlay.clone())
        .and_then(|loaded| import::into_new(context, &loaded, &overlay, live_from))?;
    if imported.files.is_empty() {
        return Ok((new, imported));
    }
    let texts = imported.files.iter().map(|file| (file.path.clone(), Some(file.text.clone())));
    let loaded = load(overlay.into_iter().chain(texts).collect())?;
    let policies: Vec<Policy> =
        loaded.desired.policies.into_iter().map(|declared| declared.policy).collect();
    let expectations = expectations(&policies);
    let content = if expectations.is_empty() {
        files::Content::Imported
    } else {
        files::Content::ImportedWithTest
    };
    let mut files: Vec<NewFile> = new.into_iter().filter(|file| !file.replaced_by_import).collect();
    files.push(NewFile::new(choices, files::SETTINGS, files::settings(choices, content)));
    if !expectations.is_empty() {
        files.push(NewFile::new(choices, files::TEST, files::test(&expectations)));
    }
    let documents =
        imported.files.iter().map(|file| NewFile::new(choices, &file.path, file.text.clone()));
    files.extend(documents);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok((files, imported))
}

/// The current decisions about access that every organization should review, without uncertain
/// ones.
fn expectations(policies: &[Policy]) -> Vec<Expectation> {
    let state = State::new(policies);
    let answer = |access: &&'static str| {
        let request = Request::parse(access).ok()?;
        let denied = match state.ask(&Default::default(), &request).verdict {
            Verdict::Deny => true,
            Verdict::Allow => false,
            Verdict::Uncertain => return None,
        };
        Some(Expectation { access, denied })
    };
    files::GUARDED.iter().filter_map(answer).collect()
}
