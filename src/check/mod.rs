//! Traps and rules across documents, one file each, in one table with their documentation.
//!
//! A check is a pure function over declared policies and their places. It looks at one policy alone, at rules beside each
//! other, or at the whole workspace, which it does not for files given one by one.
//!
//! Invariant: every code that a finding carries is in [`TABLE`], and the bad example there brings it about.

mod address_deny;
pub mod baseline;
mod broad_allow;
mod confusable_host;
mod expectations;
mod filesystem_path;
mod gaps;
mod host;
mod http_allow;
mod http_path;
mod ineffective_deny;
mod layers;
mod limits;
mod local_host;
mod locations;
pub(crate) mod mcp;
mod metadata;
mod mounts;
mod names;
pub(crate) mod orgs;
mod ownership;
pub(crate) mod protected;
mod reading;
mod redundant_rule;
mod shadowed_allow;
mod skipped;
pub(crate) mod suppression;
mod table;
mod teams;
mod verdict;
mod vijil;
mod vijil_pairs;
mod wildcard;

use crate::access::survey::Survey;
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::{Declared, DeclaredVijil, Test, Workspace as Settings};
use crate::source::parallel;

pub use protected::UNKNOWN_PROTECTED;
pub use suppression::is_tolerable;
pub use table::TABLE;

/// A kind of finding, with its documentation.
#[derive(Debug)]
pub struct Check {
    /// Kebab case; what findings carry and what `# seawall: allow[code] reason` names.
    pub code: &'static str,
    /// The severity of a finding.
    pub severity: Severity,
    /// A phrase for lists.
    pub title: &'static str,
    /// The reason why it matters.
    pub explanation: &'static str,
    /// Documents that bring the finding about: whole ones, or items of `rules`.
    pub bad: &'static str,
    /// The fix, in the imperative.
    pub fix: &'static str,
    /// The way in which it is found.
    pub run: Run,
}

/// The way in which findings of a [`Check`] come about.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// While documents are read, or by the look of another check of the same file.
    Reading,
    /// By looking at one policy.
    Policy(fn(&Declared<'_>, &Files, &mut Vec<Diagnostic>)),
    /// By looking at one policy for agents.
    Vijil(fn(&DeclaredVijil<'_>, &mut Vec<Diagnostic>)),
    /// By looking at rules beside each other. What is found holds whatever else is declared, so that it is looked for in
    /// files given one by one too.
    Together(fn(&Input<'_>, &mut Vec<Diagnostic>)),
    /// By looking at everything.
    Workspace(fn(&Input<'_>, &mut Vec<Diagnostic>)),
}

/// Everything that a workspace declares for one organization, or for all of them.
#[derive(Debug)]
pub struct Input<'a> {
    /// The policies, in the order of files and places.
    pub policies: &'a [&'a Declared<'a>],
    /// The relations between the rules of these policies.
    pub survey: &'a Survey,
    /// The policies for agents, likewise.
    pub vijil: &'a [DeclaredVijil<'a>],
    /// The access tests, likewise.
    pub tests: &'a [Test],
    /// The workspace's settings; absent for files given one by one.
    pub settings: Option<&'a Settings>,
    /// The files that places point into.
    pub files: &'a Files,
    /// True if every document could be read, so that what is missing is missing on purpose.
    pub complete: bool,
}

/// Checks of fewer resources than this, such as those of one file, are done before a thread would start.
const WORTH_A_THREAD: usize = 2_000;

/// Runs the table over what was declared.
pub fn run(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let checks = || TABLE.iter().copied().flatten();
    let alone = parallel::map(input.policies.to_vec(), 8, |policy| {
        let mut findings = Vec::new();
        for check in checks() {
            if let Run::Policy(look) = check.run {
                look(policy, input.files, &mut findings);
            }
        }
        findings
    });
    findings.extend(alone.into_iter().flatten());
    orgs::look(input, findings);
    for check in checks() {
        if let Run::Vijil(look) = check.run {
            input.vijil.iter().for_each(|policy| look(policy, findings));
        }
    }
    let organizations = orgs::each(input);
    // What holds in several organizations is found in each, and told once.
    let organizations: Vec<Input<'_>> = organizations.iter().map(|one| one.input(input)).collect();
    let looks = checks().filter_map(|check| match check.run {
        Run::Together(look) => Some(look),
        // Absence means something only when everything was read.
        Run::Workspace(look) if input.complete || check.severity == Severity::Error => Some(look),
        Run::Workspace(_) | Run::Vijil(_) | Run::Policy(_) | Run::Reading => None,
    });
    let looks = looks.flat_map(|look| organizations.iter().map(move |organization| (look, organization))).collect();
    let least = if input.survey.items().len() < WORTH_A_THREAD { usize::MAX } else { 1 };
    let found = parallel::map(looks, least, |(look, organization)| {
        let mut findings = Vec::new();
        look(organization, &mut findings);
        findings
    });
    findings.extend(found.into_iter().flatten());
}

/// The codes of all checks.
pub fn codes() -> impl Iterator<Item = &'static str> {
    TABLE.iter().copied().flatten().map(|check| check.code)
}

/// The check with this code.
#[must_use]
pub fn find(code: &str) -> Option<&'static Check> {
    TABLE.iter().copied().flatten().find(|check| check.code == code)
}
