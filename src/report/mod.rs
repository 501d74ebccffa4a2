//! Model of the HTML report for reviewers and auditors: effective access, the rules behind it,
//! their approvals, the access tests that cover them and their recorded use.
//!
//! ```text
//! policies ──access::compare──▶ audiences, matrix ─┐
//! trials, usage, replay, findings, history ────────┼──make──▶ Report ──render::html──▶ one file
//! policies for agents, live reviews ───────────────┘
//! ```
//!
//! Invariant: pure. A report holds plain values that a template only lays out. All access in it
//! comes from the engine, and the same input gives the same report. Its texts are not escaped: the
//! renderer escapes them.

pub mod access_tests;
pub mod audience;
pub mod change;
pub mod dense;
mod destination;
mod extent;
pub mod history;
mod id;
pub mod matrix;
mod named;
mod overview;
mod place;
pub mod remark;
pub mod review;
pub mod rules;
pub mod text;

use serde::Serialize;

pub use self::change::Difference;
pub use self::destination::Kind;
pub use self::history::{Blame, Commit, History};
pub use self::id::Id;
pub use self::named::RuleRef;
pub use self::overview::Figure;
pub use self::place::{Links, Place};

use self::access_tests::TestRow;
use self::audience::{Audience, Doubt};
use self::change::{Change, RecordedRequests};
use self::extent::Extents;
use self::matrix::Matrix;
use self::named::Named;
use self::remark::{Finding, Remarks, Suppressed};
use self::review::{TestName, Trail};
use self::rules::PolicyRules;
use self::text::{Text, pieces};
use crate::access::{State, Unknown};
use crate::diagnostic::Findings;
use crate::evidence::replay::Replay;
use crate::evidence::usage::Usage;
use crate::model::{DesiredPolicy, DesiredVijilPolicy, Domain, LiveVijil, Policy, TeamDirectory};
use crate::trial::Trial;

/// Input of [`make`].
#[derive(Debug)]
pub struct Input<'a> {
    /// Origin of the documents: folder and commit.
    pub source: Source,
    /// Base of the comparison for the heading, such as "the documents of `main`"; `None` without
    /// one.
    pub compared: Option<String>,
    /// The organizations, in the order of the report.
    pub organizations: Vec<Organization<'a>>,
    /// The declared Vijil policies; `None` if the workspace does not configure Vijil.
    pub agents: Option<&'a [DesiredVijilPolicy]>,
    /// The live Vijil state; `None` if it was not read.
    pub live_agents: Option<&'a LiveVijil>,
    /// The documents with the findings of the checks.
    pub findings: &'a Findings,
    /// Link template for places in files; `None` if places are not links.
    pub links: Option<&'a Links>,
    /// The last change of each line of the documents.
    pub history: &'a History,
}

/// Origin of the documents: folder and commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The workspace's folder in its repository, or its name.
    pub workspace: String,
    /// The commit; absent outside of a repository.
    pub commit: Option<SourceCommit>,
}

/// The commit of the documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceCommit {
    /// Abbreviated hash.
    pub short: String,
    /// Commit time as an RFC 3339 timestamp.
    pub time: String,
    /// Commit time for display, in UTC.
    pub date: String,
    /// True if the documents differ from the commit.
    pub changed: bool,
    /// URL of the commit; `None` if places are not links.
    pub link: Option<String>,
}

/// Input about one organization.
#[derive(Debug)]
pub struct Organization<'a> {
    /// Its name.
    pub name: &'a str,
    /// The policies after the change, undeclared ones included.
    pub policies: &'a [Policy],
    /// Declared policies among [`policies`](Self::policies), with their places in the documents.
    pub declared: &'a [DesiredPolicy],
    /// Names of the teams, by their ids.
    pub teams: &'a TeamDirectory,
    /// The access tests, run against the policies.
    pub trials: Vec<Trial<'a>>,
    /// Recorded use of each rule; `None` without records.
    pub usage: Option<&'a Usage>,
    /// Recorded requests decided before and after the change; `None` without records or without a
    /// change.
    pub replay: Option<&'a Replay>,
    /// The base of the comparison and the access changes; `None` if nothing is compared.
    pub difference: Option<(String, Difference<'a>)>,
}

/// Data of the HTML page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Names of the organizations; the workspace's if there is none.
    pub title: String,
    /// Origin of the documents.
    pub source: Source,
    /// Base of the comparison; `None` if nothing is compared.
    pub compared: Option<Text>,
    /// One section for each organization.
    pub organizations: Vec<Section>,
    /// Review trail of the Vijil rules; `None` if the workspace does not configure Vijil.
    pub agents: Option<Trail>,
    /// The first findings of the checks; [`findings_more`](Self::findings_more) counts the others.
    pub findings: Vec<Finding>,
    /// Number of findings that are not listed.
    pub findings_more: usize,
    /// Suppressed findings with their reasons.
    pub suppressions: Vec<Suppressed>,
    /// True for a report so long that browsers should lay out only the visible part.
    pub big: bool,
}

/// Section about one organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Prefix of the ids of its parts; empty if it is the only organization.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// Summary in a few sentences.
    pub lead: String,
    /// Key figures.
    pub figures: Vec<Figure>,
    /// Causes of uncertain access, with a count for each.
    pub doubts: Vec<Doubt>,
    /// Access changes; `None` if nothing is compared.
    pub change: Option<Change>,
    /// Recorded requests; `None` without records.
    pub recorded: Option<RecordedRequests>,
    /// Effective access of each audience, everyone first.
    pub audiences: Vec<Audience>,
    /// Audiences by destinations.
    pub matrix: Matrix,
    /// Policies with all their rules.
    pub policies: Vec<PolicyRules>,
    /// Number of rules and Cedar statements.
    pub rules: usize,
    /// Sentence above the list of rules.
    pub rules_note: String,
    /// True if the lists of rules start expanded.
    pub open: bool,
    /// True if places of rules show only the line; the file is that of the policy.
    pub dense: bool,
    /// The access tests.
    pub tests: Vec<TestRow>,
    /// Sentence above the access tests.
    pub tests_note: String,
}

/// Largest number of rules for which their lists start expanded.
const MOST_OPEN: usize = 300;
/// Largest number of rules that get links to the repository each; beyond it, only policies do and
/// rules show their lines.
const MOST_LINKED: usize = 2_000;

/// Builds the report.
#[must_use]
pub fn make(input: &Input<'_>) -> Report {
    let extents = Extents::new(&input.findings.files);
    let remarks = Remarks::new(input.findings, input.history, input.links);
    let alone = input.organizations.len() == 1;
    let sections: Vec<Section> = input
        .organizations
        .iter()
        .map(|one| section(input, one, alone, (&extents, &remarks)))
        .collect();
    let agents = input.agents.map(|desired| {
        let named = input.organizations.iter().flat_map(|organization| {
            organization.trials.iter().map(|trial| TestName {
                id: access_tests::id(organization.name, trial),
                name: trial.test.name.clone(),
            })
        });
        let (named, live): (Vec<TestName>, _) = (named.collect(), input.live_agents);
        let (history, links) = (input.history, input.links);
        review::trail(&review::Input {
            desired,
            live,
            tests: &named,
            extents: &extents,
            history,
            links,
        })
    });
    let names: Vec<String> = input.organizations.iter().map(|one| one.name.to_owned()).collect();
    let Remarks { findings, more, suppressed } = remarks;
    Report {
        title: if names.is_empty() {
            input.source.workspace.clone()
        } else {
            text::listed(&names, 6)
        },
        source: input.source.clone(),
        compared: input.compared.as_deref().map(pieces),
        big: sections.iter().map(|section| section.rules).sum::<usize>() > MOST_OPEN,
        organizations: sections,
        agents,
        findings,
        findings_more: more,
        suppressions: suppressed,
    }
}

fn section(
    input: &Input<'_>,
    organization: &Organization<'_>,
    alone: bool,
    (extents, remarks): (&Extents, &Remarks),
) -> Section {
    let Organization { name, policies, declared, teams, trials, usage, replay, difference } =
        organization;
    let state = State::new(policies);
    let rules: usize =
        policies.iter().map(|policy| policy.rules().len().max(named::statements_of(policy))).sum();
    let links = input.links.filter(|_| rules <= MOST_LINKED);
    let named = Named::new(name, policies, declared, links);
    let effective = audience::effective(policies);
    let others = teams.iter().map(|team| team.id).chain(tested_teams(trials)).collect();
    let classes = audience::classes(policies, teams, &others);
    let (audiences, mut doubts) = audience::audiences(&audience::Input {
        organization: name,
        alone,
        state: &state,
        named: &named,
        classes: &classes,
        teams,
        effective: &effective,
    });
    let lacks = effective.lacks.iter().map(|lack| Doubt {
        reason: format!("this report may lack {lack}"),
        count: 0,
        example: None,
        audience: String::new(),
    });
    doubts.splice(0..0, lacks);
    doubts.extend(ungoverned(policies));
    let matrix = matrix::matrix(&state, &effective, &audiences, &classes);
    let listed = rules::policies(&rules::Input {
        policies,
        declared,
        teams,
        named: &named,
        trials,
        usage: *usage,
        remarks,
        extents,
        history: input.history,
        links: input.links,
        rule_links: links,
        dense: rules > MOST_LINKED,
    });
    let tests = access_tests::tests(name, trials, &named, input.links);
    let mut section = Section {
        id: Id::prefix(name, alone),
        name: (*name).to_owned(),
        lead: String::new(),
        figures: Vec::new(),
        doubts,
        change: difference
            .as_ref()
            .map(|(from, difference)| change::change(from, difference, &named, links)),
        recorded: usage.map(|usage| change::recorded(usage, *replay, links)),
        audiences,
        matrix,
        policies: listed,
        rules,
        rules_note: String::new(),
        open: rules <= MOST_OPEN,
        dense: rules > MOST_LINKED,
        tests_note: String::new(),
        tests,
    };
    overview::fill(&mut section, &classes, remarks, *usage, &effective.lacks);
    section
}

/// Teams that the access tests ask for.
fn tested_teams<'a>(trials: &'a [Trial<'_>]) -> impl Iterator<Item = String> + 'a {
    trials.iter().flat_map(|trial| &trial.checks).flat_map(|check| check.teams.iter().cloned())
}

/// Doubts about the domains without any policy, where all access is uncertain.
fn ungoverned(policies: &[Policy]) -> Vec<Doubt> {
    let about = [
        (Domain::Network, "hosts"),
        (Domain::Filesystem, "folders of the machine"),
        (Domain::Mcp, "MCP servers and their tools"),
    ];
    let missing = about
        .into_iter()
        .filter(|(domain, _)| !policies.iter().any(|one| one.domain() == Some(*domain)));
    missing
        .map(|(_, what)| Doubt {
            reason: format!("no policy is about {what}: {}", Unknown::NoPolicy),
            count: 0,
            example: None,
            audience: "everyone".to_owned(),
        })
        .collect()
}
