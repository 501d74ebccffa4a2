//! The entries of a comparison that was cut short: the audiences of a rule that changes may gain,
//! or lose, everything that it describes.
//!
//! Invariant: no access that may change is left out. Every added or removed rule about a part that
//! was cut is listed for every audience of its policy.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;
use std::sync::Arc;

use super::access::Access;
use super::describe::{MOST_ENTRIES, audience, methods_text};
use super::outcome::Outcome;
use super::state_clauses::{Source, StateClauses};
use super::{Audience, Cause, Entry, Incomplete};
use crate::clause::{Actions, Target};
use crate::model::{Policy, Scope, TeamDirectory};
use crate::text;
use crate::universe::{SurveyLimit, Universe};

/// The part that is not compared, and the entries that replace it: those of the organization first.
pub(super) fn entries(
    cuts: &BTreeSet<SurveyLimit>,
    universe: &Universe,
    statements: &StateClauses,
    (old, new): (&[Policy], &[Policy]),
    teams: &TeamDirectory,
) -> (Incomplete, Vec<(Outcome, Entry)>) {
    let cut = (0..).zip(&universe.clauses).filter(|(_, clause)| {
        cuts.iter().any(|cut| cut.is_about(&clause.target))
            && statements.change(clause.group).is_change()
    });
    let sources = cut.flat_map(|(number, clause)| {
        statements.sources(number, clause.actions).map(move |source| (number as usize, source))
    });
    let stated: Vec<(usize, &Source, &Scope)> = sources
        .filter_map(|(number, source)| {
            let policies = if source.new { new } else { old };
            Some((number, source, &policies.get(source.policy as usize)?.scope))
        })
        .collect();
    let teams_of = |scope: &Scope| scope.teams().len().max(1);
    let each = stated.iter().map(|(_, _, scope)| teams_of(scope)).sum::<usize>() <= MOST_ENTRIES;
    let mut found: BTreeMap<(usize, Arc<Audience>, Arc<Cause>, usize), Actions> = BTreeMap::new();
    for (number, source, scope) in stated {
        for audience in audiences(scope, each, teams) {
            let key = (audience.teams.len(), Arc::new(audience), statements.cause(source), number);
            let actions = found.entry(key).or_default();
            *actions = actions.union(source.actions);
        }
    }
    let rules: BTreeSet<Arc<Cause>> =
        found.keys().map(|(_, _, cause, _)| Arc::clone(cause)).collect();
    let audiences: BTreeSet<(usize, Arc<Audience>)> =
        found.keys().map(|(size, audience, ..)| (*size, Arc::clone(audience))).collect();
    let incomplete = Incomplete {
        why: cuts.clone(),
        rules: rules.into_iter().collect(),
        audiences: audiences.into_iter().map(|(_, audience)| audience).collect(),
        patterns: with_most_wildcards(universe, cuts),
    };
    let entry = |((_, audience, cause, number), actions): (
        (usize, Arc<Audience>, Arc<Cause>, usize),
        Actions,
    )| {
        let target = universe.clauses.get(number).map(|clause| &clause.target);
        let widens = cause.opens();
        let outcome = Outcome::Uncertain { widens, narrows: !widens };
        let said = target.into_iter().flat_map(move |target| said(target, actions));
        said.map(move |access| {
            let (audience, because) = (Arc::clone(&audience), [Arc::clone(&cause)].into());
            let witness = access.text().into_owned();
            (outcome, Entry { audience, access, witness, because, widens, narrows: !widens })
        })
        .collect::<Vec<_>>()
    };
    (incomplete, found.into_iter().flat_map(entry).collect())
}

/// The patterns that distinguish the most: those with the most wildcards, which a person may write
/// in another way.
fn with_most_wildcards(universe: &Universe, cuts: &BTreeSet<SurveyLimit>) -> Vec<String> {
    const NAMED: usize = 3;
    let about = universe.clauses.iter().map(|clause| &clause.target);
    let patterns: BTreeSet<(Reverse<usize>, String)> = about
        .filter(|target| cuts.iter().any(|cut| cut.is_about(target)))
        .map(|target| {
            let text = target.to_string();
            // `/**` at the end of a pattern is no reason to write it in another way.
            let inner = text.strip_suffix("/**").unwrap_or(&text);
            let inner = inner.replace("**", "*");
            (Reverse(inner.matches(['*', '?', '[']).count()), text)
        })
        .filter(|(wildcards, _)| wildcards.0 > 0)
        .collect();
    patterns.into_iter().take(NAMED).map(|(_, text)| text).collect()
}

/// The audiences of a policy: the whole organization, or its teams, with one audience for each team
/// if `each`, otherwise one for all.
fn audiences(scope: &Scope, each: bool, directory: &TeamDirectory) -> Vec<Audience> {
    match scope {
        Scope::Organization => vec![Audience::default()],
        Scope::Teams(own) if each => {
            own.iter().map(|team| audience(&[from_ref(team)], directory)).collect()
        }
        Scope::Teams(own) => {
            vec![audience(&[&own.iter().cloned().collect::<Vec<String>>()], directory)]
        }
    }
}

/// The access that a clause describes, in its pattern.
fn said(target: &Target, actions: Actions) -> Vec<Access> {
    match target {
        Target::Http(destination, path) => {
            let path = text::request_path(path);
            let object = text::requests(&destination.host, destination.port, &path);
            vec![Access::from(format!("{} {object}", methods_text(actions)))]
        }
        Target::Network(_) | Target::Folder(_) => {
            let plain = [Actions::TCP, Actions::UDP, Actions::READ, Actions::WRITE];
            let words = ["connect:tcp", "connect:udp", "read", "write"];
            let said = plain.into_iter().zip(words).filter(|(action, _)| actions.meets(*action));
            said.map(|(_, word)| Access::from(format!("{word} {target}"))).collect()
        }
    }
}
