//! Checks of rules across documents, one file for each, in one table with their documentation.
//!
//! A check is a pure function over declared policies and their places. It looks at one policy, at
//! the relations between rules, or at the whole workspace; the last kind does not apply to files
//! that are checked individually.
//!
//! Invariant: every code of a finding is in [`TABLE`], and the bad example there causes it.

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
mod services;
mod shadowed_allow;
mod skipped;
pub(crate) mod suppression;
mod table;
mod teams;
mod verdict;
mod vijil;
mod vijil_pairs;
mod vijil_words;
mod wildcard;

use crate::access::survey::Survey;
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::{Declared, DeclaredVijil, Settings};
use crate::model::Test;
use crate::source::parallel;

pub use protected::UNKNOWN_PROTECTED;
pub use suppression::is_tolerable;
pub use table::TABLE;

/// A kind of finding, with its documentation.
#[derive(Debug)]
pub struct Check {
    /// The code in kebab case, for findings and for `# seawall: allow[code] reason`.
    pub code: &'static str,
    /// The severity of a finding.
    pub severity: Severity,
    /// A short description.
    pub title: &'static str,
    /// The reason why it matters.
    pub explanation: &'static str,
    /// An example with the fault: whole documents, or items of `rules`.
    pub bad: &'static str,
    /// The fix, in the imperative.
    pub fix: &'static str,
    /// The kind of check that finds it.
    pub run: Run,
}

/// The kind of a check.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// Found while documents are read, or by another check in the same file.
    Elsewhere,
    /// A check of one policy.
    Policy(fn(&Declared<'_>, &Files, &mut Vec<Diagnostic>)),
    /// A check of one policy for agents.
    Vijil(fn(&DeclaredVijil<'_>, &mut Vec<Diagnostic>)),
    /// A check of relations between rules. Its findings hold whatever else is declared, so that it
    /// applies to files that are checked individually too.
    Together(fn(&Input<'_>, &mut Vec<Diagnostic>)),
    /// A check of the whole workspace.
    Workspace(fn(&Input<'_>, &mut Vec<Diagnostic>)),
}

/// Everything that a workspace declares, for one organization or for all of them.
#[derive(Debug)]
pub struct Input<'a> {
    /// The policies, in the order of files and places.
    pub policies: &'a [&'a Declared<'a>],
    /// The relations between the rules of these policies. Of none if only errors are wanted, since
    /// no relation is one; and of none before several organizations have one each.
    pub survey: &'a Survey<'a>,
    /// The policies for agents, in the same order.
    pub vijil: &'a [DeclaredVijil<'a>],
    /// The access tests, in the same order.
    pub tests: &'a [Test],
    /// The workspace's settings; `None` for files that are checked individually.
    pub settings: Option<&'a Settings>,
    /// The files that places point into.
    pub files: &'a Files,
    /// True if every document could be read, so that a missing declaration is intentional.
    pub complete: bool,
    /// The findings that are looked for.
    pub wanted: Wanted,
}

/// The findings that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// Errors, and whatever else is found together with them.
    Errors,
}

impl Wanted {
    /// The checks that find something wanted. Those of one file look at the same things, so that
    /// they are run together or not at all.
    fn checks(self) -> impl Iterator<Item = &'static Check> {
        let is_error = |check: &Check| check.severity == Severity::Error;
        let groups = TABLE.iter().copied();
        groups.filter(move |group| self == Self::All || group.iter().any(is_error)).flatten()
    }
}

/// The largest number of findings of one kind and one cause in a rule; above it, there is one for the
/// rule.
const EACH: usize = 2;
/// The number of resources below which checks run in one thread, since starting another would take
/// longer.
const WORTH_A_THREAD: usize = 2_000;

/// Runs the checks on the declarations.
pub fn run(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let checks = || input.wanted.checks();
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
    // A finding in several organizations is reported once.
    let organizations: Vec<Input<'_>> = organizations.iter().map(|one| one.input(input)).collect();
    let looks = checks().filter_map(|check| match check.run {
        Run::Together(look) => Some(look),
        // A missing declaration counts only if everything could be read.
        Run::Workspace(look) if input.complete || check.severity == Severity::Error => Some(look),
        Run::Workspace(_) | Run::Vijil(_) | Run::Policy(_) | Run::Elsewhere => None,
    });
    let looks = looks
        .flat_map(|look| organizations.iter().map(move |organization| (look, organization)))
        .collect();
    let items: usize = organizations.iter().map(|one| one.survey.items().len()).sum();
    let least = if items < WORTH_A_THREAD { usize::MAX } else { 1 };
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
