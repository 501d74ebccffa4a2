//! The list of all rules: their places, access tests that cover them, recorded use, findings and
//! last changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::extent::Extents;
use super::history::History;
use super::id::Id;
use super::named::{Named, rule_names};
use super::place::{Links, Place, place};
use super::remark::{Mark, Remarks};
use super::text::{count, listed};
use crate::access::cedar::{Effect, statements};
use crate::evidence::usage::{Usage, Use};
use crate::model::{
    Action, Body, Decision, DesiredPolicy, Domain, Origin, Policy, Resources, Rule, TeamDirectory,
};
use crate::trial::{Found, Trial};

/// Limits of the resources that a rule lists. The report takes the largest that fits into
/// [`MOST_BYTES`].
const MOST_RESOURCES: [usize; 5] = [1_000, 60, 12, 3, 1];
/// Approximate limit of the list of rules, in bytes of HTML.
const MOST_BYTES: usize = 5_200_000;
/// Approximate size of a row without its name and resources, in bytes.
const BYTES_A_RULE: usize = 140;

/// A policy with its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyRules {
    /// Fragment id of the policy.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// `network`, `file system` or `MCP`.
    pub kind: &'static str,
    /// Names of the governed teams, or `the whole organization`.
    pub scope: String,
    /// The `description` of the document; `None` if it has none.
    pub description: Option<String>,
    /// Place of the declaration; `None` for a policy that is only live.
    pub place: Option<Place>,
    /// Rules or statements, in the order of the policy.
    pub rules: Vec<RuleRow>,
}

/// A rule of an allowlist, or a statement of a Cedar policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleRow {
    /// Fragment id of the row.
    pub id: Id,
    /// `allow`, `deny`, `permit` or `forbid`.
    pub decision: &'static str,
    /// Its name.
    pub name: String,
    /// Actions, separated by commas; empty for statements.
    pub actions: String,
    /// The first resources; the source text of a statement.
    pub resources: Vec<String>,
    /// Number of resources that are not listed.
    pub hidden: usize,
    /// Place of the declaration; `None` for a rule that is only live.
    pub place: Option<Place>,
    /// Number of access tests that it decides, such as `2 tests`; `None` if there are none.
    pub tests: Option<String>,
    /// True if it decides no access test.
    pub untested: bool,
    /// Recorded use in words; `None` without records.
    #[serde(rename = "use")]
    pub used: Option<String>,
    /// CSS class for the recorded use: `ok`, `warn` or none.
    pub use_tone: &'static str,
    /// Findings of the checks in its lines.
    pub findings: Vec<Mark>,
    /// Suppressions in its lines.
    pub suppressed: Vec<Mark>,
    /// Last commit of its lines, with date and author; `None` if unknown.
    pub changed: Option<String>,
    /// Keywords of the filter, separated by blanks: `unused`, `deny`. The filter for untested rules
    /// uses [`untested`](Self::untested).
    pub marks: String,
}

/// Input of [`policies`].
pub(super) struct Input<'a> {
    pub(super) policies: &'a [Policy],
    pub(super) declared: &'a [DesiredPolicy],
    pub(super) teams: &'a TeamDirectory,
    pub(super) named: &'a Named<'a>,
    pub(super) trials: &'a [Trial<'a>],
    pub(super) usage: Option<&'a Usage>,
    pub(super) remarks: &'a Remarks,
    pub(super) extents: &'a Extents,
    pub(super) history: &'a History,
    pub(super) links: Option<&'a Links>,
    /// Links for rules; `None` if there are too many rules to link each.
    pub(super) rule_links: Option<&'a Links>,
    /// True if the place of a rule in its policy's file shows only the line.
    pub(super) dense: bool,
}

/// Every policy with its rows.
pub(super) fn policies(input: &Input<'_>) -> Vec<PolicyRules> {
    let tested = tested(input.trials);
    let used = used(input.usage);
    let declared: BTreeMap<&str, &DesiredPolicy> =
        input.declared.iter().map(|one| (one.policy.name.as_str(), one)).collect();
    let most = most_resources(input.policies);
    let policy = |(number, policy): (usize, &Policy)| {
        let own = declared.get(policy.name.as_str()).copied();
        let rows = rows(input, (number, policy), most, (&tested, &used));
        let domain = own.map(|own| own.domain).or(policy.domain());
        PolicyRules {
            id: input.named.id(&policy.name, None),
            name: policy.name.clone(),
            kind: domain.map_or("empty", Domain::title),
            scope: scope(policy, input.teams),
            description: own
                .and_then(|own| input.extents.description(&own.origin))
                .map(str::to_owned),
            place: own.map(|own| place(&own.origin, input.links)),
            rules: rows,
        }
    };
    input.policies.iter().enumerate().map(policy).collect()
}

/// Largest limit of [`MOST_RESOURCES`] that keeps the list within [`MOST_BYTES`].
fn most_resources(policies: &[Policy]) -> usize {
    let names: usize =
        policies.iter().flat_map(Policy::rules).map(|rule| BYTES_A_RULE + rule.name.len()).sum();
    let resources: Vec<Vec<usize>> = policies
        .iter()
        .flat_map(says)
        .map(|says| says.resources.iter().map(|one| 14 + one.len()).collect())
        .collect();
    let bytes = |most: usize| resources.iter().flat_map(|own| own.iter().take(most)).sum::<usize>();
    let fits = |most: &usize| names + bytes(*most) <= MOST_BYTES;
    MOST_RESOURCES.into_iter().find(fits).unwrap_or_default()
}

fn scope(policy: &Policy, teams: &TeamDirectory) -> String {
    let names: Vec<String> =
        policy.scope.teams().into_iter().map(|key| teams.name(key).to_owned()).collect();
    if names.is_empty() { "the whole organization".to_owned() } else { listed(&names, 6) }
}

type Tested = BTreeMap<(usize, usize), BTreeSet<usize>>;
type Used<'a> = BTreeMap<(&'a str, &'a str), (Use, u64, usize, Option<&'a str>)>;

/// Access tests that each rule decides, by the numbers of the policy and of the rule.
fn tested(trials: &[Trial<'_>]) -> Tested {
    let mut tested = Tested::new();
    for (number, trial) in trials.iter().enumerate() {
        for check in &trial.checks {
            let Found::Answer(answer) = &check.found else { continue };
            for reason in &answer.because {
                if let Some(rule) = reason.rule {
                    tested.entry((reason.policy, rule)).or_default().insert(number);
                }
            }
        }
    }
    tested
}

fn used(usage: Option<&Usage>) -> Used<'_> {
    let rules = usage.iter().flat_map(|usage| &usage.rules);
    rules
        .map(|rule| {
            (
                (rule.policy.as_str(), rule.rule.as_str()),
                (rule.used, rule.matches, rule.users, rule.last.as_deref()),
            )
        })
        .collect()
}

/// Contents of a rule or of a statement, in words.
struct Says {
    decision: &'static str,
    actions: String,
    resources: Vec<String>,
    /// Number of lines of a statement's source; 1 for rules, whose lines [`Extents`] knows.
    height: usize,
}

fn rows(
    input: &Input<'_>,
    (number, policy): (usize, &Policy),
    most: usize,
    (tested, used): (&Tested, &Used<'_>),
) -> Vec<RuleRow> {
    let says = says(policy);
    let names = rule_names(policy, says.len());
    let row = |(rule, (name, says)): (usize, (String, Says))| {
        let Says { decision, actions, mut resources, height } = says;
        let origin = input.named.rule_origin(&policy.name, &name);
        let tests = tested.get(&(number, rule)).map(BTreeSet::len).unwrap_or_default();
        let (used, use_tone, unused) =
            told(used.get(&(policy.name.as_str(), name.as_str())), input.usage.is_some());
        let hidden = resources.len().saturating_sub(most);
        resources.truncate(most);
        let mut marks = Vec::new();
        if unused {
            marks.push("unused");
        }
        if matches!(decision, "deny" | "forbid") {
            marks.push("deny");
        }
        let at = |origin: &Origin| {
            let (from, to) = input.extents.lines(origin);
            (origin.file.clone(), from, to.max(from + height - 1))
        };
        let (findings, suppressed, changed) = match origin.map(at) {
            Some((file, from, to)) => (
                input.remarks.findings_in(&file, from, to),
                input.remarks.suppressed_in(&file, from, to),
                input.history.phrase(&file, from, to),
            ),
            None => (Vec::new(), Vec::new(), None),
        };
        RuleRow {
            id: input.named.id(&policy.name, Some(&name)),
            decision,
            name,
            actions,
            resources,
            hidden,
            place: origin.map(|origin| rule_place(input, policy, origin)),
            tests: (tests > 0).then(|| count(tests, "test")),
            untested: tests == 0,
            used,
            use_tone,
            findings,
            suppressed,
            changed,
            marks: marks.join(" "),
        }
    };
    names.into_iter().zip(says).enumerate().map(row).collect()
}

fn rule_place(input: &Input<'_>, policy: &Policy, origin: &Origin) -> Place {
    let whole = place(origin, input.rule_links);
    let file = input.named.policy_origin(&policy.name).map(|policy| &policy.file);
    if input.dense && file == Some(&origin.file) {
        Place { text: format!(":{}", origin.line), ..whole }
    } else {
        whole
    }
}

/// Recorded use in words, its CSS class, and `true` if the rule is unused.
fn told(
    found: Option<&(Use, u64, usize, Option<&str>)>,
    asked: bool,
) -> (Option<String>, &'static str, bool) {
    let Some((used, matches, users, last)) = found.filter(|_| asked) else {
        return (None, "", false);
    };
    let matches = usize::try_from(*matches).unwrap_or(usize::MAX);
    let last = last
        .and_then(|last| last.get(..10))
        .map(|day| format!(", last on {day}"))
        .unwrap_or_default();
    let times = format!("{} of {}{last}", count(matches, "request"), count(*users, "user"));
    match used {
        Use::Decides => (Some(format!("used: {times}")), "ok", false),
        Use::Redundant => (Some(format!("redundant: {times}")), "warn", false),
        Use::Unused => (Some("unused".to_owned()), "warn", true),
        Use::Unknown => (Some("use unknown".to_owned()), "", false),
    }
}

fn says(policy: &Policy) -> Vec<Says> {
    match &policy.body {
        Body::Allowlist(rules) => rules.iter().map(of_rule).collect(),
        Body::Cedar(cedar) => {
            let statements = statements(&cedar.text).unwrap_or_default();
            let of_statement = |statement: &std::sync::Arc<crate::access::cedar::Statement>| Says {
                decision: match statement.effect {
                    Effect::Permit => "permit",
                    Effect::Forbid => "forbid",
                },
                actions: String::new(),
                resources: vec![statement.source.split_whitespace().collect::<Vec<_>>().join(" ")],
                height: statement.source.lines().count().max(1),
            };
            statements.iter().map(of_statement).collect()
        }
    }
}

fn of_rule(rule: &Rule) -> Says {
    let action = |action: &Action| match action {
        Action::Request(method) => method.to_ascii_uppercase(),
        Action::ConnectTcp
        | Action::ConnectUdp
        | Action::Read
        | Action::Write
        | Action::Unknown(_) => action.to_string(),
    };
    let all = Action::METHODS.iter().all(|method| rule.actions.contains(&Action::Request(method)));
    let actions: Vec<String> = rule.actions.iter().map(action).collect();
    let resources = match &rule.resources {
        Resources::Plain(resources) => resources.to_vec(),
        Resources::Http(targets) => targets
            .iter()
            .map(|target| match target.port {
                Some(port) => format!("{}:{port}{}", target.host, target.path),
                None => format!("{}{}", target.host, target.path),
            })
            .collect(),
    };
    Says {
        decision: if rule.decision == Decision::Allow { "allow" } else { "deny" },
        actions: if all { "every method".to_owned() } else { actions.join(", ") },
        resources,
        height: 1,
    }
}
