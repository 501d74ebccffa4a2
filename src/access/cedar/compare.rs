//! What a change of MCP policies means for each audience: proven where it can be, and called uncertain where not.
//!
//! A call is denied, approved first, or allowed. A call gets further in the new state than in the old only if
//!
//! * something stopped it that no longer does: a forbid that goes, or an approval that goes while a permit is there; or
//! * something lets it through that did not: a permit or an approval that comes.
//!
//! A statement that comes or goes is no reason if another statement covers all that it matches and has the same effect
//! anyway. Where no reason is left, no call gets further: that is a proof. Where a reason is left, a request that gets
//! further is looked for and, once found, is the proof; the engine decides it in both states. Getting less far is the same
//! with the states exchanged.
//!
//! The audiences are the organization, each team, and each pair of teams. Pairs are enough: of the statements that take
//! part above, one lets the call through in the one state, and one stops it, or governs at all, in the other.
//!
//! Invariant: an audience without an entry has no change, and an entry that is certain has a witness.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst::Template;

use super::decide::{self, Governing, McpPolicies, Outcome};
use super::limit::with_deep_stack;
use super::{APPROVAL, Effect, McpAction, McpRequest, SCHEMA_URL, Statement, cover, example, statements, validate};
use crate::model::{Body, Policy, Scope};

/// Requests that are tried for one reason, and for all reasons of an audience together.
const TRIES: usize = 400;
const TRIES_TOGETHER: usize = 4_000;
/// Every call, in the words of [`McpChange::access`].
const EVERYTHING: &str = "mcp **";

/// A change for an audience.
#[derive(Clone, Debug, PartialEq)]
pub struct McpChange {
    /// Members of just these teams, as scopes name them.
    pub teams: Vec<String>,
    /// Whether calls get further, or less far.
    pub widens: bool,
    /// A request that shows it; without one, it is uncertain whether anything changes.
    pub witness: Option<McpRequest>,
    /// What it is about: `mcp` and the actions, or `**` for all of them.
    pub access: String,
    /// The statements that come or go.
    pub because: Vec<McpCause>,
}

/// A statement that comes or goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct McpCause {
    /// Whether it is in force now, or no longer.
    pub comes: bool,
    /// The policy's name, in its own state.
    pub policy: String,
    /// The statement in one line; `None` for a text that is not understood.
    pub statement: Option<String>,
    /// What it does.
    pub effect: Option<Effect>,
}

/// What a statement does in the order denied, approved first, allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Permit,
    Approval,
    Forbid,
    /// A text that is not understood.
    Unknown,
}

/// A statement of a state, once for each policy that has it.
#[derive(Debug)]
struct Said {
    key: Key,
    scope: Scope,
    policy: String,
    source: String,
    statement: Option<Statement>,
}

/// One state.
struct State {
    said: Vec<Said>,
    policies: McpPolicies,
}

/// What is in force for an audience, once for each meaning.
type InForce<'a> = BTreeMap<&'a Key, &'a Said>;

/// Equal for statements that mean the same.
type Key = (Kind, String);

/// Compares the MCP policies among two states' policies.
#[must_use]
pub fn compare(old: &[Policy], new: &[Policy]) -> Vec<McpChange> {
    let (old, new) = (State::of(old), State::of(new));
    if old.same(&new) {
        return Vec::new();
    }
    with_deep_stack(|| {
        let mut changes: Vec<McpChange> = Vec::new();
        for teams in audiences(&old, &new) {
            let audience = Audience::new(&teams, &old, &new);
            let smaller: Vec<Audience<'_>> = subsets(&teams).map(|teams| Audience::new(&teams, &old, &new)).collect();
            if !smaller.iter().any(|smaller| smaller.sees_the_same(&audience)) {
                let found = audience.changes(&smaller);
                let fresh = found.into_iter().filter(|change| !shown(change, &changes)).collect::<Vec<_>>();
                changes.extend(fresh);
            }
        }
        changes.iter_mut().for_each(|change| change.because.sort());
        changes.sort_by_cached_key(|change| {
            (change.teams.len(), change.teams.clone(), !change.widens, change.because.clone())
        });
        changes
    })
}

/// Whether a smaller audience is told the same, and no request shows more for this one.
fn shown(change: &McpChange, changes: &[McpChange]) -> bool {
    change.witness.is_none()
        && changes.iter().any(|other| {
            other.teams.len() < change.teams.len()
                && other.teams.iter().all(|team| change.teams.contains(team))
                && other.widens == change.widens
                && change.because.iter().all(|cause| other.because.contains(cause))
        })
}

/// The audiences within one, the organization included.
fn subsets(teams: &[String]) -> impl Iterator<Item = Vec<String>> {
    let singles = if teams.len() > 1 { teams } else { &[] };
    let organization = (!teams.is_empty()).then(Vec::new);
    organization.into_iter().chain(singles.iter().map(|team| vec![team.clone()]))
}

impl State {
    fn of(policies: &[Policy]) -> Self {
        let mut said = Vec::new();
        for policy in policies {
            let Body::Cedar(cedar) = &policy.body else { continue };
            let new = |key, source: &str, statement| Said {
                key,
                scope: policy.scope.clone(),
                policy: policy.name.clone(),
                source: source.to_owned(),
                statement,
            };
            match statements(&cedar.text) {
                Ok(found) => said.extend(found.into_iter().map(|statement| {
                    let source = cedar.text.get(statement.span.clone()).unwrap_or_default();
                    if cedar.schema_url == SCHEMA_URL {
                        new((kind(&statement), statement.canonical.clone()), source, Some(statement))
                    } else {
                        let text = format!("{}\n{}", cedar.schema_url, statement.canonical);
                        new((Kind::Unknown, text), "", None)
                    }
                })),
                Err(_) => {
                    let text = format!("{}\n{}", cedar.schema_url, cedar.text);
                    said.push(new((Kind::Unknown, text), "", None));
                }
            }
        }
        Self { said, policies: McpPolicies::of(policies) }
    }

    /// Whether both states say the same to the same.
    fn same(&self, other: &Self) -> bool {
        let all = |state: &Self| -> BTreeSet<(Key, Scope)> {
            state.said.iter().map(|said| (said.key.clone(), said.scope.clone())).collect()
        };
        all(self) == all(other)
    }

    fn in_force(&self, teams: &[String]) -> InForce<'_> {
        let governs = |said: &&Said| match &said.scope {
            Scope::Organization => true,
            Scope::Teams(governed) => teams.iter().any(|team| governed.contains(team)),
        };
        self.said.iter().filter(governs).map(|said| (&said.key, said)).collect()
    }

    fn governing(&self, teams: &[String]) -> Governing<'_> {
        self.policies.governing(&teams.iter().cloned().collect())
    }
}

fn kind(statement: &Statement) -> Kind {
    match statement.effect {
        Effect::Forbid => Kind::Forbid,
        Effect::Permit if statement.annotations.contains_key(APPROVAL) => Kind::Approval,
        Effect::Permit => Kind::Permit,
    }
}

/// The organization, each team and each pair of teams that scopes name, small ones first.
fn audiences(old: &State, new: &State) -> Vec<Vec<String>> {
    let teams: BTreeSet<&str> = old.said.iter().chain(&new.said).flat_map(|said| said.scope.teams()).collect();
    let own = |teams: &[&str]| teams.iter().map(|team| (*team).to_owned()).collect::<Vec<_>>();
    let mut audiences = vec![Vec::new()];
    audiences.extend(teams.iter().map(|team| own(&[team])));
    for one in &teams {
        audiences.extend(teams.range::<&str, _>(one..).skip(1).map(|other| own(&[one, other])));
    }
    audiences
}

/// What is in force for an audience in both states.
struct Audience<'a> {
    teams: Vec<String>,
    said: [InForce<'a>; 2],
    governing: [Governing<'a>; 2],
}

impl<'a> Audience<'a> {
    fn new(teams: &[String], old: &'a State, new: &'a State) -> Self {
        Self {
            teams: teams.to_vec(),
            said: [old.in_force(teams), new.in_force(teams)],
            governing: [old.governing(teams), new.governing(teams)],
        }
    }

    fn sees_the_same(&self, other: &Self) -> bool {
        let keys = |side: &InForce<'a>| side.keys().copied().collect::<Vec<_>>();
        self.said.iter().map(keys).eq(other.said.iter().map(keys))
    }

    /// How far a request gets in both states; `None` where one is uncertain. When looking for losses, they are exchanged.
    fn further(&self, request: &McpRequest, widens: bool) -> bool {
        let [old, new] = self.governing.each_ref().map(|policies| match policies.decide(request).outcome {
            Outcome::Deny => Some(0),
            Outcome::Approval => Some(1),
            Outcome::Allow => Some(2),
            Outcome::Uncertain => None,
        });
        old.zip(new).is_some_and(|(old, new)| if widens { new > old } else { new < old })
    }

    fn changes(&self, smaller: &[Self]) -> Vec<McpChange> {
        [true, false].into_iter().flat_map(|widens| self.gains(widens, smaller)).collect()
    }

    /// What gets further, or when looking for losses, what got further before.
    fn gains(&self, widens: bool, smaller: &[Self]) -> Vec<McpChange> {
        let [old, new] = &self.said;
        let (from, to) = if widens { (old, new) } else { (new, old) };
        let shows = |request: &McpRequest| {
            self.further(request, widens) && !smaller.iter().any(|audience| audience.further(request, widens))
        };
        if from.is_empty() {
            // Nothing governs, and everything is permitted already.
            return Vec::new();
        }
        if to.is_empty() {
            return ungoverned(&self.teams, from, widens, shows).into_iter().collect();
        }
        let reasons = reasons(from, to);
        let trees: Vec<&Template> = from.values().chain(to.values()).filter_map(|said| said.tree()).collect();
        let most = TRIES_TOGETHER.checked_div(reasons.len()).unwrap_or(0).min(TRIES);
        let mut changes: Vec<McpChange> = Vec::new();
        for (said, comes) in reasons {
            let witness = witness(said, &trees, most, shows);
            let cause = McpCause {
                comes: comes == widens,
                policy: said.policy.clone(),
                statement: said.statement.as_ref().map(|_| one_line(&said.source)),
                effect: said.statement.as_ref().map(|statement| statement.effect),
            };
            let access = access(said);
            match changes.iter_mut().find(|change| change.witness == witness && change.access == access) {
                Some(change) => change.because.push(cause),
                None => {
                    changes.push(McpChange { teams: self.teams.clone(), widens, witness, access, because: vec![cause] })
                }
            }
        }
        changes
    }
}

impl Said {
    fn tree(&self) -> Option<&Template> {
        self.statement.as_ref()?.tree.as_ref()
    }
}

/// Where nothing governs the audience any more, or did not before: the gateway then permits everything.
fn ungoverned(
    teams: &[String],
    from: &InForce<'_>,
    widens: bool,
    shows: impl Fn(&McpRequest) -> bool,
) -> Option<McpChange> {
    let found = statements("permit (principal, action, resource);").expect("it is Cedar");
    let everything = found.first()?;
    let permits = |said: &Said| said.statement.as_ref().is_some_and(|one| cover::covers(one, everything));
    if from.keys().all(|(kind, _)| *kind == Kind::Permit) && from.values().any(|said| permits(said)) {
        return None;
    }
    let trees: Vec<&Template> = from.values().filter_map(|said| said.tree()).collect();
    let starts = everything.tree.iter().chain(trees.iter().copied());
    let mut tries = starts.flat_map(|first| example::requests(first, &trees, TRIES));
    let witness = tries.find(&shows).map(|request| shortened(request, shows));
    let policies: BTreeSet<&str> = from.values().map(|said| said.policy.as_str()).collect();
    let cause = |policy: &str| McpCause { comes: !widens, policy: policy.to_owned(), statement: None, effect: None };
    let because = policies.into_iter().map(cause).collect();
    Some(McpChange { teams: teams.to_vec(), widens, witness, access: EVERYTHING.to_owned(), because })
}

/// The statements for which a call may get further in `to`, with whether they are there. None is a proof that none does.
fn reasons<'a>(from: &InForce<'a>, to: &InForce<'a>) -> Vec<(&'a Said, bool)> {
    let of = |state: &InForce<'a>, kinds: &[Kind]| -> Vec<&'a Said> {
        state.values().filter(|said| kinds.contains(&said.key.0)).copied().collect()
    };
    let covered = |said: &Said, by: Vec<&Said>| {
        let Some(inner) = &said.statement else { return false };
        by.iter().any(|other| other.statement.as_ref().is_some_and(|outer| cover::covers(outer, inner)))
    };
    let (permits, lets) = ([Kind::Permit, Kind::Unknown], [Kind::Permit, Kind::Approval, Kind::Unknown]);
    let meets = |said: &Said, kinds: &[Kind]| {
        of(to, kinds).iter().any(|other| match (&said.statement, &other.statement) {
            (Some(one), Some(other)) => !cover::are_disjoint(one, other),
            (None, _) | (_, None) => true,
        })
    };
    let mut reasons = Vec::new();
    for said in to.iter().filter(|(key, _)| !from.contains_key(*key)).map(|(_, said)| *said) {
        let idle = match said.key.0 {
            Kind::Permit => {
                covered(said, of(from, &[Kind::Permit])) || covered(said, of(to, &[Kind::Approval, Kind::Forbid]))
            }
            Kind::Approval => {
                covered(said, of(from, &[Kind::Permit, Kind::Approval])) || covered(said, of(to, &[Kind::Forbid]))
            }
            Kind::Forbid => true,
            Kind::Unknown => false,
        };
        reasons.extend((!idle).then_some((said, true)));
    }
    for said in from.iter().filter(|(key, _)| !to.contains_key(*key)).map(|(_, said)| *said) {
        let idle = match said.key.0 {
            Kind::Permit => true,
            Kind::Approval => !meets(said, &permits) || covered(said, of(to, &[Kind::Approval, Kind::Forbid])),
            Kind::Forbid => !meets(said, &lets) || covered(said, of(to, &[Kind::Forbid])),
            Kind::Unknown => !meets(said, &lets),
        };
        reasons.extend((!idle).then_some((said, false)));
    }
    reasons
}

/// A request that shows the change, made of what the statement and the others compare with.
fn witness(said: &Said, trees: &[&Template], most: usize, shows: impl Fn(&McpRequest) -> bool) -> Option<McpRequest> {
    let statement = said.statement.as_ref()?;
    let tries = example::requests(said.tree()?, trees, most);
    let found = tries.into_iter().find(|request| decide::matches(statement, request) && shows(request))?;
    Some(shortened(found, shows))
}

/// The request without what it does not need to say.
fn shortened(mut request: McpRequest, holds: impl Fn(&McpRequest) -> bool) -> McpRequest {
    let names: Vec<String> = request.attributes.keys().cloned().collect();
    for name in names {
        let mut shorter = request.clone();
        shorter.attributes.remove(&name);
        if holds(&shorter) {
            request = shorter;
        }
    }
    for shorter in [
        McpRequest { arguments: None, ..request.clone() },
        McpRequest { request_time: None, ..request.clone() },
        McpRequest { arguments: None, request_time: None, ..request.clone() },
    ] {
        if holds(&shorter) {
            request = shorter;
        }
    }
    request
}

fn access(said: &Said) -> String {
    let actions = match said.statement.as_ref().and_then(|statement| statement.tree.as_ref()) {
        Some(tree) => validate::actions_in_scope(&tree.action),
        None => McpAction::ALL.into(),
    };
    let names: Vec<&str> = actions.iter().map(|action| action.name()).collect();
    if names.len() == McpAction::ALL.len() || names.is_empty() {
        EVERYTHING.to_owned()
    } else {
        format!("mcp {}", names.join(","))
    }
}

/// A statement in one line, short enough for a list.
fn one_line(source: &str) -> String {
    const LENGTH: usize = 100;
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cedar;

    /// `org: text` or `a,b: text`, a policy a line.
    fn policies(text: &str) -> Vec<Policy> {
        let policy = |(number, line): (usize, &str)| {
            let (scope, text) = line.trim().split_once(": ").expect("a scope");
            let teams = scope.split(',').filter(|team| *team != "org").map(str::to_owned);
            let cedar = Cedar { text: text.to_owned(), schema_url: SCHEMA_URL.to_owned() };
            Policy { name: format!("p{number}"), scope: Scope::of(teams), body: Body::Cedar(cedar) }
        };
        text.lines().filter(|line| !line.trim().is_empty()).enumerate().map(policy).collect()
    }

    /// `+` or `-`, `?` where it is not certain; audience and witness.
    fn lines(old: &str, new: &str) -> Vec<String> {
        let line = |change: McpChange| {
            let sign = if change.widens { '+' } else { '-' };
            let witness = change.witness.map_or("?".to_owned(), |request| request.to_string());
            format!("{sign} [{}] {} | {witness}", change.teams.join("+"), change.access)
        };
        compare(&policies(old), &policies(new)).into_iter().map(line).collect()
    }

    #[test]
    fn what_means_the_same_is_no_change() {
        let tool = r#"permit (principal, action == MCP::Action::"invokeTool", resource)"#;
        for (old, new) in [
            // layout, comments, order, a statement said twice
            (
                format!("org: {tool}; forbid (principal, action, resource);"),
                format!("org: forbid(principal,action,resource); {tool}; {tool};"),
            ),
            // the same in other policies
            (
                format!("org: {tool}; forbid (principal, action, resource);"),
                format!("org: {tool};\norg: forbid (principal, action, resource);"),
            ),
            // a scope said twice
            (format!("org: {tool};"), format!("org: {tool};\na: {tool};")),
            // covered by a wider permit, and by a forbid
            (format!("org: {tool};"), format!("org: {tool}; {tool} when {{ resource.readOnly }};")),
            (
                format!("org: forbid (principal, action, resource); {tool};"),
                "org: forbid (principal, action, resource);".to_owned(),
            ),
            // a forbid where nothing is permitted
            (
                r#"org: forbid (principal, action, resource in MCP::Server::"a");"#.to_owned(),
                r#"org: forbid (principal, action, resource in MCP::Server::"b");"#.to_owned(),
            ),
            // from nothing to everything
            (String::new(), "org: permit (principal, action, resource);".to_owned()),
        ] {
            assert_eq!(lines(&old, &new), [""; 0], "{old}\n{new}");
        }
    }

    #[test]
    fn changes_are_proven_by_a_request() {
        let tool = r#"permit (principal, action == MCP::Action::"invokeTool", resource)"#;
        let asks = format!("@requireApproval(\"x\") {tool}");
        for (old, new, expected) in [
            // a permit comes, and goes
            (
                format!("org: {tool} when {{ resource.readOnly }};"),
                format!("org: {tool};"),
                &["+ [] mcp invokeTool | invokeTool other-server/other"][..],
            ),
            (
                format!("org: {tool};"),
                format!("org: {tool} when {{ resource.readOnly && resource in MCP::Server::\"a\" }};"),
                &["- [] mcp invokeTool | invokeTool other-server/other"],
            ),
            // a forbid comes for a team
            (
                format!("org: {tool};"),
                format!("org: {tool};\na: forbid (principal, action, resource) when {{ resource.name like \"rm*\" }};"),
                &["- [a] mcp | invokeTool other-server/rm"],
            ),
            // permit and forbid of different teams meet in a pair
            (
                format!(
                    "a: {tool};\nb: forbid (principal, action, resource); permit (principal, action == MCP::Action::\"getPrompt\", resource);"
                ),
                format!("a: {tool};\nb: permit (principal, action == MCP::Action::\"getPrompt\", resource);"),
                &["+ [b] mcp | getPrompt other-server/other", "+ [a+b] mcp | invokeTool other-server/other"],
            ),
            // approval takes and gives
            (
                format!("org: {tool};"),
                format!("org: {tool}; {asks};"),
                &["- [] mcp invokeTool | invokeTool other-server/other"],
            ),
            (format!("org: {asks};"), format!("org: {asks}; {tool};"), &[]),
            (
                format!("org: {tool}; {asks};"),
                format!("org: {tool};"),
                &["+ [] mcp invokeTool | invokeTool other-server/other"],
            ),
            (
                r#"org: permit (principal, action == MCP::Action::"getPrompt", resource);"#.to_owned(),
                format!("org: permit (principal, action == MCP::Action::\"getPrompt\", resource); {asks};"),
                &["+ [] mcp invokeTool | invokeTool other-server/other"],
            ),
            // approval of what no permit reaches takes nothing
            (
                format!("org: {tool} when {{ resource.readOnly == true }};"),
                format!(
                    "org: {tool} when {{ resource.readOnly == true }}; {asks} when {{ resource.readOnly == false }};"
                ),
                &["+ [] mcp invokeTool | invokeTool other-server/other"],
            ),
            // no policy any more, and the first one
            (format!("org: {tool};"), String::new(), &["+ [] mcp | register other-server"]),
            (String::new(), format!("a: {tool};"), &["- [a] mcp | register other-server"]),
            // numbers
            (
                format!("org: {tool} when {{ context has args.n && context.args.n <= 500 }};"),
                format!("org: {tool} when {{ context has args.n && context.args.n < 500 }};"),
                &["- [] mcp invokeTool | invokeTool other-server/other {\"args\":{\"n\":500}}"],
            ),
        ] {
            assert_eq!(lines(&old, &new), expected, "{old}\n{new}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_uncertain() {
        // Text of another version of Cedar, and a condition that no tried request meets.
        assert_eq!(lines("org: permit (principal", "org: permit (principa"), ["+ [] mcp | ?", "- [] mcp | ?"]);
        let old = r#"org: permit (principal, action == MCP::Action::"getPrompt", resource);"#;
        let new = r#"org: permit (principal, action == MCP::Action::"getPrompt", resource); permit (principal, action == MCP::Action::"invokeTool", resource) when { context has args.n && context.args.n * context.args.n == 1369 };"#;
        assert_eq!(lines(old, new), ["+ [] mcp invokeTool | ?"]);
    }

    #[test]
    fn causes_are_statements() {
        let old = policies("org: permit (principal, action, resource);");
        let new = policies(
            "org: permit (principal, action, resource);\na: forbid\n (principal, action, resource); "
                .replace("\n (", " (")
                .as_str(),
        );
        let changes = compare(&old, &new);
        let cause = McpCause {
            comes: true,
            policy: "p1".to_owned(),
            statement: Some("forbid (principal, action, resource);".to_owned()),
            effect: Some(Effect::Forbid),
        };
        assert_eq!(changes.iter().map(|change| change.because.clone()).collect::<Vec<_>>(), [vec![cause]]);
    }
    mod property {
        use proptest::prelude::*;

        use super::*;

        const STATEMENTS: [&str; 8] = [
            r#"permit (principal, action, resource in MCP::Server::"a");"#,
            r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { resource.readOnly };"#,
            r#"permit (principal, action == MCP::Action::"invokeTool", resource);"#,
            r#"@requireApproval("ask") permit (principal, action == MCP::Action::"invokeTool", resource);"#,
            r#"@requireApproval("ask") permit (principal, action, resource in MCP::Server::"a");"#,
            r#"forbid (principal, action, resource in MCP::Server::"b");"#,
            r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when { resource.destructive };"#,
            r#"forbid (principal, action == MCP::Action::"invokeTool", resource in MCP::Server::"b") when { resource.name == "c" };"#,
        ];

        /// Every request that these statements can tell from others.
        fn universe() -> Vec<McpRequest> {
            let mut all = Vec::new();
            for server in ["a", "b", "x"] {
                all.push(format!("register {server} {{\"type\": \"remote-dcr\"}}"));
                for (tool, flags) in [("c", 0), ("c", 1), ("c", 2), ("c", 3), ("d", 0), ("d", 1), ("d", 2), ("d", 3)] {
                    let (read, destructive) = (flags & 1 == 1, flags & 2 == 2);
                    let said = format!("{{\"readOnly\": {read}, \"destructive\": {destructive}}}");
                    all.push(format!("invokeTool {server}/{tool} {said}"));
                }
                all.push(format!("getPrompt {server}/c"));
            }
            all.iter().map(|text| McpRequest::parse(text).expect(text)).collect()
        }

        fn state() -> impl Strategy<Value = Vec<Policy>> {
            let policy = (
                prop::sample::subsequence(vec!["s", "t", "u"], 0..=2),
                prop::sample::subsequence(STATEMENTS.to_vec(), 1..=3),
            );
            prop::collection::vec(policy, 0..=3).prop_map(|policies| {
                let line = |(teams, text): (Vec<&str>, Vec<&str>)| {
                    let scope = if teams.is_empty() { "org".to_owned() } else { teams.join(",") };
                    format!("{scope}: {}", text.join(" "))
                };
                super::policies(&policies.into_iter().map(line).collect::<Vec<_>>().join("\n"))
            })
        }

        fn rank(outcome: Outcome) -> u8 {
            match outcome {
                Outcome::Deny => 0,
                Outcome::Approval => 1,
                Outcome::Allow => 2,
                Outcome::Uncertain => panic!("these requests say everything"),
            }
        }

        proptest! {
            #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

            /// Whoever sees a call get further or less far, is told so, if only as a member of fewer teams; and who is
            /// told for certain sees it.
            #[test]
            fn every_change_is_told_and_every_certain_change_is_one(old in state(), new in state()) {
                let changes = compare(&old, &new);
                let (before, after) = (McpPolicies::of(&old), McpPolicies::of(&new));
                for bits in 0..8_usize {
                    let teams: BTreeSet<String> =
                        ["s", "t", "u"].iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1).map(|(_, team)| (*team).to_owned()).collect();
                    for request in universe() {
                        let [was, is] = [&before, &after].map(|policies| rank(policies.decide(&teams, &request).outcome));
                        let told = changes.iter().any(|change| {
                            change.widens == (is > was) && change.teams.iter().all(|team| teams.contains(team))
                        });
                        prop_assert!(was == is || told, "{teams:?} {request} {was} {is}\n{changes:#?}");
                    }
                }
                for change in changes {
                    let Some(witness) = &change.witness else { continue };
                    let teams = change.teams.iter().cloned().collect();
                    let [was, is] = [&before, &after].map(|policies| rank(policies.decide(&teams, witness).outcome));
                    prop_assert_eq!((is > was, is < was), (change.widens, !change.widens), "{:?}", change);
                }
            }
        }
    }
}
