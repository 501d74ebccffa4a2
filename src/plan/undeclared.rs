//! The effect of undeclared live policies on effective access: beside the documents, and on a
//! change.
//!
//! Invariant: policies that others manage are on both sides of the comparison, so that they never
//! count as a difference. A change is reported as one without effect only if none of it has an
//! effect.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::docker::diff::Diff;
use super::docker::{matching, simulate};
use super::governed::{self, Governed};
use super::is_left_behind;
use super::meaning::{AccessChange, Audience, Found, Meaning};
use crate::access::{self, Changes, Comparison, Request, State, Verdict};
use crate::model::{
    Decision, Desired, Live, LivePolicy, Ownership, Policy, PolicyId, Scope, TeamDirectory,
    TeamLookup,
};

/// Undeclared live policies that change the effective access of an audience of the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Undeclared {
    /// The policies, those that widen access first.
    pub policies: Vec<UndeclaredPolicy>,
    /// The access that they change together, for the audiences of declared policies: the difference
    /// between the live state without them and the live state.
    pub access: Meaning,
}

/// An undeclared live policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct UndeclaredPolicy {
    /// Its effect on effective access.
    pub effect: Effect,
    /// Its name.
    pub policy: String,
    /// The names of the teams in its scope; empty for the whole organization.
    pub teams: Vec<String>,
}

/// The effect of a policy on effective access: the first of these that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// An audience has more access because of the policy.
    Widens,
    /// An audience may have more access because of it: the documentation, or an incomplete
    /// comparison, leaves it open.
    MayWiden,
    /// An audience has less access because of the policy.
    Narrows,
    /// An audience may have less access because of it.
    MayNarrow,
}

/// A change of access that has no effect because of an undeclared live policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WithoutEffect {
    /// True if the change would widen access; false if it would narrow it.
    pub widens: bool,
    /// The audience.
    pub audience: Audience,
    /// The access, in the patterns of the rules.
    #[schemars(with = "String")]
    pub access: access::Access,
    /// An example, as `can` takes it.
    pub witness: String,
    /// The decision on the request before and after the change: `allow` or `deny`.
    #[schemars(with = "String")]
    pub decision: Decision,
    /// The undeclared policies that decide it.
    pub policies: Vec<String>,
}

impl Undeclared {
    /// Returns `true` if no undeclared policy changes anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.access.is_nothing() && self.access.governed.is_empty()
    }

    /// No undeclared policy with an effect.
    #[must_use]
    pub fn none() -> Self {
        let access = Meaning {
            found: Found::Complete(super::meaning::Changes::default()),
            governed: Vec::new(),
        };
        Self { policies: Vec::new(), access }
    }
}

/// Finds the undeclared policies that make a difference. Team keys of `desired` are ids. If
/// undeclared policies are deleted anyway, the plan says so, and this finds none.
#[must_use]
pub fn find(desired: &Desired, live: &Live, ownership: &Ownership) -> Undeclared {
    let declared: BTreeSet<usize> =
        matching::policies(&desired.policies, &live.policies).into_iter().flatten().collect();
    let is_undeclared = |(index, policy): &(usize, &LivePolicy)| {
        !declared.contains(index)
            && !ownership.leaves(&policy.name)
            && !is_left_behind(&policy.name)
    };
    let undeclared: Vec<(usize, &LivePolicy)> =
        live.policies.iter().enumerate().filter(is_undeclared).collect();
    let Some(audiences) =
        Audiences::new(desired).filter(|_| !ownership.exclusive && !undeclared.is_empty())
    else {
        return Undeclared::none();
    };
    let ids: BTreeSet<&PolicyId> = undeclared.iter().map(|(_, policy)| &policy.id).collect();
    let without = simulate::policies(&without(live, &ids));
    let mut with = without.clone();
    // The access that other audiences gain from a policy for everybody is not for this workspace to
    // judge.
    let only = undeclared.iter().map(|(_, policy)| LivePolicy {
        scope: audiences.restrict(&policy.scope),
        ..(*policy).clone()
    });
    let all =
        Live { policies: only.collect(), org: live.org.clone(), teams: TeamDirectory::default() };
    with.extend(simulate::policies(&all));
    let keeps =
        |teams: &[String], alike: &[Vec<String>]| audiences.include(teams, alike, &live.teams);
    let mut found = access::compare(&without, &with, &live.teams);
    let (changes, incomplete) = match &mut found {
        Comparison::Complete(changes) => (changes, None),
        Comparison::Incomplete(changes, incomplete) => (changes, Some(&*incomplete)),
    };
    let Changes { widened, narrowed, uncertain } = &mut *changes;
    for entries in [widened, narrowed, uncertain] {
        entries.retain(|entry| keeps(&entry.audience.teams, &entry.audience.alike));
    }
    let mut governed = governed::compare(&without, &with, &live.teams);
    governed.retain(|one| keeps(&one.audience.teams, &one.audience.alike));
    let mut effects = effects(changes);
    let mut add = |policy: &str, effect| {
        let known = effects.entry(policy.to_owned()).or_insert(effect);
        *known = (*known).min(effect);
    };
    for cause in incomplete.into_iter().flat_map(|incomplete| &incomplete.rules) {
        add(
            &cause.policy,
            if cause.decision == Some(Decision::Deny) {
                Effect::MayNarrow
            } else {
                Effect::MayWiden
            },
        );
    }
    for Governed { domain, .. } in &governed {
        let own = undeclared.iter().filter(|(_, policy)| policy.policy().domain() == Some(*domain));
        own.for_each(|(_, policy)| add(&policy.name, Effect::MayNarrow));
    }
    let teams = |scope: &Scope| {
        scope.teams().into_iter().map(|id| live.teams.name(id).to_owned()).collect()
    };
    let listed = undeclared.iter().filter_map(|(_, policy)| {
        let effect = *effects.get(&policy.name)?;
        Some(UndeclaredPolicy { effect, policy: policy.name.clone(), teams: teams(&policy.scope) })
    });
    let mut policies: Vec<UndeclaredPolicy> = listed.collect();
    policies.sort();
    Undeclared {
        policies,
        access: Meaning::new(found, governed, |cause| format!("{cause} (live)")),
    }
}

/// The effects of the policies that these entries name, by name.
fn effects(Changes { widened, narrowed, uncertain }: &Changes) -> BTreeMap<String, Effect> {
    let mut effects = BTreeMap::new();
    let sections = [
        (widened, Effect::Widens, Effect::Narrows),
        (narrowed, Effect::Widens, Effect::Narrows),
        (uncertain, Effect::MayWiden, Effect::MayNarrow),
    ];
    for (entry, widens, narrows) in
        sections.into_iter().flat_map(|(all, up, down)| all.iter().map(move |one| (one, up, down)))
    {
        for cause in entry.because.iter() {
            // A deny beside an allow is named as a cause because it reduces the gain, so that it
            // narrows.
            let effect = match (cause.decision, entry.widens, entry.narrows) {
                (Some(Decision::Deny), _, true) | (_, false, _) => narrows,
                (Some(Decision::Deny), true, false) => continue,
                (Some(Decision::Allow) | None, true, _) => widens,
            };
            let known = effects.entry(cause.policy.clone()).or_insert(effect);
            *known = (*known).min(effect);
        }
    }
    effects
}

/// Finds the changes that have no effect because of policies that the plan leaves alone. `access`
/// is the effect that the change has, formatted by `tell`.
pub(super) fn without_effect(
    (live, after): (&Live, &Live),
    diff: &Diff,
    access: &Meaning,
    tell: impl Fn(&access::Cause) -> String + Sync,
) -> Vec<WithoutEffect> {
    let left = diff.policies.iter().filter(|slot| slot.origin.is_none() && slot.after.is_some());
    let ids: BTreeSet<&PolicyId> = left.filter_map(|slot| Some(&slot.before.as_ref()?.0)).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let [old, new] = [live, after].map(|side| simulate::policies(&without(side, &ids)));
    let alone = Meaning::new(access::compare(&old, &new, &live.teams), Vec::new(), tell);
    let Found::Complete(alone) = alone.found else { return Vec::new() };
    let changes = access.changes();
    let all = [&changes.widened, &changes.narrowed, &changes.uncertain].into_iter().flatten();
    let effective: BTreeSet<&String> = all.flat_map(|gain| gain.because.iter()).collect();
    // If a rule has some effect, only a single request is certain to have none: a pattern may be
    // partly effective.
    let is_one = |gain: &AccessChange| gain.access.to_string() == gain.witness;
    let is_lost = |gain: &&AccessChange| {
        is_one(gain) || !gain.because.iter().any(|cause| effective.contains(cause))
    };
    let lost: Vec<&AccessChange> =
        alone.widened.iter().chain(&alone.narrowed).filter(is_lost).collect();
    if lost.is_empty() {
        return Vec::new();
    }
    let sides = [live, after].map(simulate::policies);
    let [old, new] = sides.each_ref().map(|side| State::new(side));
    let names: BTreeSet<&str> = live
        .policies
        .iter()
        .filter(|policy| ids.contains(&policy.id))
        .map(|policy| policy.name.as_str())
        .collect();
    let asked = lost.into_iter().filter_map(|gain| {
        let request = Request::parse(&gain.witness).ok()?;
        let teams = keys(&gain.audience, &live.teams);
        let (before, after) = (old.ask(&teams, &request), new.ask(&teams, &request));
        let decision = match (before.verdict, after.verdict) {
            (Verdict::Allow, Verdict::Allow) => Decision::Allow,
            (Verdict::Deny, Verdict::Deny) => Decision::Deny,
            (_, _) => return None,
        };
        let rules = before
            .because
            .iter()
            .chain(after.because.iter())
            .filter(|rule| rule.decision == Some(decision));
        let policies: BTreeSet<&str> = rules
            .map(|rule| rule.policy_name.as_str())
            .filter(|name| names.contains(name))
            .collect();
        let policies: Vec<String> = policies.into_iter().map(str::to_owned).collect();
        let AccessChange {
            audience,
            access,
            witness,
            because: _,
            widens,
            narrows: _,
            doubt: _,
            except: _,
            approval: _,
            unaffected: _,
        } = gain.clone();
        (!policies.is_empty()).then_some(WithoutEffect {
            widens,
            audience: Audience::clone(&audience),
            access,
            witness,
            decision,
            policies,
        })
    });
    asked.collect()
}

/// The organization without these policies.
fn without(live: &Live, ids: &BTreeSet<&PolicyId>) -> Live {
    let policies =
        live.policies.iter().filter(|policy| !ids.contains(&policy.id)).cloned().collect();
    Live { org: live.org.clone(), policies, teams: live.teams.clone() }
}

/// The ids of an audience's teams.
fn keys(audience: &Audience, teams: &TeamDirectory) -> BTreeSet<String> {
    let key = |name: &String| match teams.resolve(name) {
        TeamLookup::Found(id) => id,
        TeamLookup::Ambiguous(ids) => ids.into_iter().next().unwrap_or_else(|| name.clone()),
        TeamLookup::Unknown => name.clone(),
    };
    audience.teams.iter().map(key).collect()
}

/// Audiences of declared policies.
enum Audiences {
    Everybody,
    /// The members of these teams, by id.
    Teams(BTreeSet<String>),
}

impl Audiences {
    /// `None` if no document declares a policy.
    fn new(desired: &Desired) -> Option<Self> {
        let policies: Vec<&Policy> =
            desired.policies.iter().map(|declared| &declared.policy).collect();
        if policies.is_empty() {
            return None;
        }
        let mut all = BTreeSet::new();
        for policy in policies {
            match &policy.scope {
                Scope::Organization => return Some(Self::Everybody),
                Scope::Teams(teams) => all.extend(teams.iter().cloned()),
            }
        }
        Some(Self::Teams(all))
    }

    /// The part of a scope that concerns these audiences, if the scope is the whole organization.
    fn restrict(&self, scope: &Scope) -> Scope {
        match (self, scope) {
            (Self::Teams(own), Scope::Organization) => Scope::Teams(own.clone()),
            (Self::Everybody | Self::Teams(_), scope) => scope.clone(),
        }
    }

    /// Returns `true` if these audiences include the teams, or equivalent ones.
    fn include(&self, teams: &[String], alike: &[Vec<String>], directory: &TeamDirectory) -> bool {
        match self {
            Self::Everybody => true,
            Self::Teams(own) => {
                let names: BTreeSet<&str> = own.iter().map(|key| directory.name(key)).collect();
                teams.iter().chain(alike.iter().flatten()).any(|team| names.contains(team.as_str()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, find};
    use crate::model::{
        Action, Decision, Desired, DesiredPolicy, DesiredRule, Domain, Live, LiveBody, LivePolicy,
        LiveRule, Origin, Ownership, Policy, PolicyId, Resources, Rule, RuleId, Scope, Team,
        TeamDirectory,
    };

    fn rule(decision: Decision, hosts: &[&str]) -> Rule {
        let resources = Resources::Plain(hosts.iter().map(|host| (*host).to_owned()).collect());
        Rule { name: "r".to_owned(), decision, actions: vec![Action::ConnectTcp], resources }
    }

    fn scope(teams: &[&str]) -> Scope {
        Scope::from_teams(teams.iter().map(|team| (*team).to_owned()))
    }

    fn live_policy(name: &str, teams: &[&str], rules: &[Rule]) -> LivePolicy {
        let rule =
            |rule: &Rule| LiveRule { id: RuleId(format!("rule_{name}")), rule: rule.clone() };
        let body = LiveBody::Allowlist(rules.iter().map(rule).collect());
        LivePolicy {
            id: PolicyId(format!("pol_{name}")),
            name: name.to_owned(),
            scope: scope(teams),
            body,
        }
    }

    fn declared(live: &LivePolicy) -> DesiredPolicy {
        let origin = Origin { file: "a.yaml".to_owned(), line: 1, column: 1 };
        let Policy { name, scope, body } = live.policy();
        let rules = live
            .rules()
            .iter()
            .map(|_| DesiredRule { previously: Vec::new(), origin: origin.clone() })
            .collect();
        let policy = Policy { name, scope, body };
        DesiredPolicy {
            policy,
            domain: Domain::Network,
            previously: Vec::new(),
            orgs: Vec::new(),
            origin,
            rules,
        }
    }

    /// The scope of the declared policy, the undeclared policies, the settings, and the expected
    /// result.
    type Row =
        (&'static [&'static str], Vec<LivePolicy>, Ownership, &'static [(&'static str, Effect)]);

    #[test]
    fn undeclared_policies_are_found_where_they_change_access_of_an_audience_of_the_workspace() {
        use Decision::{Allow, Deny};
        use Effect::{MayNarrow, Narrows, Widens};
        let own = Ownership::default;
        let open = |name, teams| live_policy(name, teams, &[rule(Allow, &["**:443"])]);
        let closed = |name, teams| live_policy(name, teams, &[rule(Deny, &["a.example.com"])]);
        let same = |name| live_policy(name, &[], &[rule(Allow, &["a.example.com"])]);
        let unmanaged = |names: &[&str]| Ownership {
            unmanaged: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Ownership::default()
        };
        let owns =
            |name: &str| Ownership { owns: Some(vec![name.to_owned()]), ..Ownership::default() };
        let mounts = {
            let mounts = Rule {
                actions: vec![Action::Read],
                resources: Resources::Plain(vec!["/data".to_owned()].into()),
                ..rule(Deny, &[])
            };
            live_policy("Mounts", &[], &[mounts])
        };
        let table: Vec<Row> = vec![
            (&[], vec![open("Hotfix", &[])], own(), &[("Hotfix", Widens)]),
            (&[], vec![open("Hotfix", &["b"])], own(), &[("Hotfix", Widens)]), // everybody is governed
            (&[], vec![closed("A", &[]), open("B", &[])], own(), &[("B", Widens), ("A", Narrows)]), // widening first
            (&[], vec![same("Same")], own(), &[]), // changes nothing
            (&[], vec![mounts], own(), &[("Mounts", MayNarrow)]), // the first policy of its domain
            (&["a"], vec![open("Hotfix", &["b"])], own(), &[]), // of another audience
            (&["a"], vec![same("Same")], own(), &[]), // others gain what the audience of the workspace has
            (&["a"], vec![open("Hotfix", &[])], own(), &[("Hotfix", Widens)]),
            (&["a"], vec![closed("C", &["b"])], own(), &[("C", Narrows)]), // members of both lose it
            (&[], vec![open("legacy-1", &[])], unmanaged(&["legacy-*"]), &[]),
            (&[], vec![open("legacy-1", &[]), open("Hotfix", &[])], unmanaged(&["legacy-*"]), &[]), // adds nothing
            (&[], vec![open("Other", &[])], owns("Base"), &[]),
            (&[], vec![open("Hotfix", &[])], Ownership { exclusive: true, ..own() }, &[]), // the plan deletes it
            (&[], vec![closed("seawall: temporary deny 1", &[])], own(), &[]), // so does every plan
        ];
        for (teams, undeclared, ownership, expected) in table {
            let base = live_policy("Base", teams, &[rule(Allow, &["a.example.com"])]);
            let desired = Desired { policies: vec![declared(&base)], vijil: Vec::new() };
            let named = ["a", "b"].map(|team| Team { id: team.to_owned(), name: team.to_owned() });
            let policies: Vec<LivePolicy> = [base].into_iter().chain(undeclared).collect();
            let names: Vec<String> = policies.iter().map(|policy| policy.name.clone()).collect();
            let live = Live { org: "acme".to_owned(), policies, teams: TeamDirectory::new(named) };
            let found = find(&desired, &live, &ownership);
            let listed: Vec<(&str, Effect)> =
                found.policies.iter().map(|one| (one.policy.as_str(), one.effect)).collect();
            assert_eq!(listed, expected, "{teams:?} {names:?} {ownership:?}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{names:?}");
        }
    }
}
