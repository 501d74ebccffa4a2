//! The output of `init`: the files that it wrote, and the remaining steps.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::destination::Destination;
use super::files::{Choices, NewFile};
use crate::diagnostic::list;
use crate::diagnostic::sanitize::{block, line};
use crate::import::{Import, Refused};
use crate::render::words::count;

const GOOD: Style = AnsiColor::Green.on_default();
const BOLD: Style = Style::new().bold();

/// The files, existing ones with their additions, and the next steps.
pub(super) fn summary(
    place: &Destination,
    choices: &Choices,
    written: &[NewFile],
    kept: &[NewFile],
    import: Option<&Import>,
) -> String {
    let Choices { org, branch, action, vijil, .. } = choices;
    let shown = |path: &str| line(&place.shown(&place.top.join(path))).into_owned();
    let mut out = String::new();
    for file in written {
        let _ = writeln!(out, "  {}", shown(&file.path));
    }
    let _ = writeln!(
        out,
        "{GOOD}Wrote {}{GOOD:#}: a workspace for `{org}`.",
        count(written.len(), "file")
    );
    for file in kept {
        let existing = place.existing(file).unwrap_or_else(|| file.path.clone());
        let _ = writeln!(
            out,
            "\n{BOLD}`{}` exists and was not changed.{BOLD:#} Add to it:\n",
            shown(&existing)
        );
        for line in block(&file.text).lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    let refused: Vec<&Refused> = import.iter().flat_map(|import| &import.refused).collect();
    let (first, more) = list::first(&refused, list::MOST);
    for Refused { policy, reasons, .. } in first {
        let reasons: Vec<_> = reasons.iter().map(|reason| line(reason)).collect();
        let _ = writeln!(
            out,
            "\n{BOLD}`{}` was not imported:{BOLD:#} {}",
            line(policy),
            reasons.join("; ")
        );
    }
    if more > 0 {
        let _ = writeln!(out, "\n… and {more} more were not imported.");
    }
    let root = place.shown(&place.root());
    let path = if root.is_empty() { String::new() } else { format!(" {}", argument(&root)) };
    let _ = writeln!(out, "\n{BOLD}Next{BOLD:#}");
    let mut step = 0;
    let mut next = |text: &str| {
        step += 1;
        let _ = writeln!(out, "  {step}. {text}");
    };
    if action.is_none() {
        next(
            "Action: this build of seawall is not a release. Put the repository and the commit of a release in the place of\n     \
              `my-org/seawall@000…` in `.github/workflows` and `.pre-commit-config.yaml`.",
        );
    }
    next(&format!("Check: `seawall validate{path}` and `seawall test{path}` need no credentials."));
    let vijil =
        if vijil.is_some() { ", for Vijil VIJIL_CLIENT_ID and VIJIL_CLIENT_SECRET" } else { "" };
    next(&format!(
        "Credentials: set DOCKER_USERNAME={org} and DOCKER_PASSWORD, an access token of the organization{vijil}. Then\n     \
         `seawall plan{path}` shows what would change, and `seawall apply{path}` asks before it changes anything."
    ));
    next(&format!(
        "Environments: in the settings of the repository, make `policies-read` with a DOCKER_PASSWORD that can read, and\n     \
         `policies` with one that can write and a required reviewer; both for the branch `{branch}` alone."
    ));
    next(&format!(
        "Branch protection: `{branch}` takes pull requests only, with the check `check` and a review of code owners. In\n     \
         `CODEOWNERS`, name a team that exists."
    ));
    next(
        "Commit and push. Then start the workflow `policies: snapshot` once, so that pull requests can be planned.",
    );
    out
}

/// The text quoted as one word of a shell.
fn argument(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:".contains(character);
    let text = line(text);
    if text.chars().all(plain) && !text.starts_with('-') {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
