//! A report for people who review and audit: who may reach what, by which rules, who approved them, whether tests hold them and
//! anybody uses them.
//!
//! ```text
//! policies ──access::compare──▶ audiences, matrix ─┐
//! trials, usage, replay, findings, history ────────┼──make──▶ Report ──render::html──▶ one file
//! policies for agents, live reviews ───────────────┘
//! ```
//!
//! Invariant: pure. A report holds plain values that a template only lays out; what it says of access is what the engine says,
//! and the same input gives the same report. Its texts are foreign as they come: whoever shows them makes them safe.

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
pub mod tests;
pub mod text;

use serde::Serialize;

pub use self::change::Difference;
pub use self::destination::Kind;
pub use self::history::{Blame, Commit, History};
pub use self::id::Id;
pub use self::named::RuleRef;
pub use self::overview::Figure;
pub use self::place::{Links, Place};

use self::audience::{Audience, Doubt};
use self::change::{Change, Recorded};
use self::extent::Extents;
use self::matrix::Matrix;
use self::named::Named;
use self::remark::{Finding, Remarks, Suppressed};
use self::review::{TestName, Trail};
use self::rules::PolicyRules;
use self::tests::TestRow;
use self::text::{Text, pieces};
use crate::access::{State, Unknown};
use crate::diagnostic::Findings;
use crate::evidence::replay::Replay;
use crate::evidence::usage::Usage;
use crate::model::{DesiredPolicy, DesiredVijilPolicy, Domain, LiveVijil, Policy, TeamDirectory};
use crate::trial::Trial;

/// What a report is made from.
#[derive(Debug)]
pub struct Input<'a> {
    /// Where the documents come from.
    pub source: Source,
    /// What the change is from, with its name in backticks.
    pub compared: Option<String>,
    /// Each organization.
    pub organizations: Vec<Organization<'a>>,
    /// The policies for agents; `None` for a workspace that has nothing to do with Vijil.
    pub agents: Option<&'a [DesiredVijilPolicy]>,
    /// What the service tells of them, where it was asked.
    pub live_agents: Option<&'a LiveVijil>,
    /// The documents, with what checks found in them.
    pub findings: &'a Findings,
    /// How to link to lines.
    pub links: Option<&'a Links>,
    /// Who changed each line last.
    pub history: &'a History,
}

/// Where the documents come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The workspace's folder in its repository, or its name.
    pub workspace: String,
    /// The commit; absent outside of a repository.
    pub commit: Option<SourceCommit>,
}

/// The commit that documents are from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceCommit {
    /// The hash as people write it.
    pub short: String,
    /// When it was made, for machines.
    pub time: String,
    /// When it was made, for people.
    pub date: String,
    /// True if the documents differ from it.
    pub changed: bool,
    /// The URL that shows it.
    pub link: Option<String>,
}

/// An organization whose access is told.
#[derive(Debug)]
pub struct Organization<'a> {
    /// Its name.
    pub name: &'a str,
    /// The policies that will be in force.
    pub policies: &'a [Policy],
    /// Those of them that are declared.
    pub declared: &'a [DesiredPolicy],
    /// What teams are called by.
    pub teams: &'a TeamDirectory,
    /// The access tests, run against the policies.
    pub trials: Vec<Trial<'a>>,
    /// What recorded requests say of each rule.
    pub usage: Option<&'a Usage>,
    /// What the change would have meant for them.
    pub replay: Option<&'a Replay>,
    /// What changes, and from what.
    pub difference: Option<(String, Difference<'a>)>,
}

/// What the file shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The organizations, or the workspace.
    pub title: String,
    /// Where the documents come from.
    pub source: Source,
    /// What they are compared with.
    pub compared: Option<Text>,
    /// Each organization.
    pub organizations: Vec<Section>,
    /// The review trail.
    pub agents: Option<Trail>,
    /// What checks found.
    pub findings: Vec<Finding>,
    /// How many more findings there are.
    pub findings_more: usize,
    /// What authors suppressed.
    pub suppressions: Vec<Suppressed>,
    /// True if there is so much that browsers should lay out only what is seen.
    pub big: bool,
}

/// What is told of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// What stands in front of the ids of its sections.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// The most important in one or two sentences.
    pub lead: String,
    /// The most important in numbers.
    pub figures: Vec<Figure>,
    /// What is uncertain, by why.
    pub doubts: Vec<Doubt>,
    /// What changes.
    pub change: Option<Change>,
    /// What recorded requests tell.
    pub recorded: Option<Recorded>,
    /// What each audience may.
    pub audiences: Vec<Audience>,
    /// The same as a picture.
    pub matrix: Matrix,
    /// Every rule.
    pub policies: Vec<PolicyRules>,
    /// How many rules there are.
    pub rules: usize,
    /// What is said above the rules.
    pub rules_note: String,
    /// True if the lists of rules are open at first.
    pub open: bool,
    /// True if places of rules are lines alone.
    pub dense: bool,
    /// The access tests.
    pub tests: Vec<TestRow>,
    /// What is said above the tests.
    pub tests_note: String,
}

/// Beyond so many rules, lists are closed at first.
const MOST_OPEN: usize = 300;
/// Beyond so many rules, policies alone have links to the repository, and rules only their lines.
const MOST_LINKED: usize = 2_000;

/// Makes the report.
#[must_use]
pub fn make(input: &Input<'_>) -> Report {
    let extents = Extents::new(&input.findings.files);
    let remarks = Remarks::new(input.findings, input.history, input.links);
    let alone = input.organizations.len() == 1;
    let sections: Vec<Section> =
        input.organizations.iter().map(|one| section(input, one, alone, (&extents, &remarks))).collect();
    let agents = input.agents.map(|desired| {
        let named = input.organizations.iter().flat_map(|organization| {
            organization
                .trials
                .iter()
                .map(|trial| TestName { id: tests::id(organization.name, trial), name: trial.test.name.clone() })
        });
        let (named, live): (Vec<TestName>, _) = (named.collect(), input.live_agents);
        let (history, links) = (input.history, input.links);
        review::trail(&review::Input { desired, live, tests: &named, extents: &extents, history, links })
    });
    let names: Vec<String> = input.organizations.iter().map(|one| one.name.to_owned()).collect();
    let Remarks { findings, more, suppressed } = remarks;
    Report {
        title: if names.is_empty() { input.source.workspace.clone() } else { text::listed(&names, 6) },
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
    let Organization { name, policies, declared, teams, trials, usage, replay, difference } = organization;
    let state = State::new(policies);
    let rules: usize = policies.iter().map(|policy| policy.rules().len().max(named::statements_of(policy))).sum();
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
    let tests = tests::tests(name, trials, &named, input.links);
    let mut section = Section {
        id: Id::prefix(name, alone),
        name: (*name).to_owned(),
        lead: String::new(),
        figures: Vec::new(),
        doubts,
        change: difference.as_ref().map(|(from, difference)| change::change(from, difference, &named, links)),
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
    overview::fill(&mut section, &classes, remarks, *usage);
    section
}

/// The teams that access tests ask as.
fn tested_teams<'a>(trials: &'a [Trial<'_>]) -> impl Iterator<Item = String> + 'a {
    trials.iter().flat_map(|trial| &trial.checks).flat_map(|check| check.teams.iter().cloned())
}

/// Domains of which there is no policy: nothing is known of them.
fn ungoverned(policies: &[Policy]) -> Vec<Doubt> {
    let about = [
        (Domain::Network, "hosts"),
        (Domain::Filesystem, "folders of the machine"),
        (Domain::Mcp, "MCP servers and their tools"),
    ];
    let missing = about.into_iter().filter(|(domain, _)| !policies.iter().any(|one| one.domain() == Some(*domain)));
    missing
        .map(|(_, what)| Doubt {
            reason: format!("no policy is about {what}: {}", Unknown::NoPolicy),
            count: 0,
            example: None,
            audience: "everyone".to_owned(),
        })
        .collect()
}
