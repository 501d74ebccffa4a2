//! The teams that scopes name, by number.

use std::collections::BTreeMap;

use crate::hash::HashMap;
use crate::model::{Policy, Scope};

/// The teams in scopes, with one number for teams in the same scopes; and the teams by number.
pub(super) fn number_teams<'a>(
    policies: impl Iterator<Item = &'a Policy>,
) -> (BTreeMap<&'a str, usize>, Vec<Vec<String>>) {
    let mut known: HashMap<&Scope, usize> = HashMap::default();
    let mut scopes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for policy in policies {
        let next = known.len();
        let scope = *known.entry(&policy.scope).or_insert(next);
        if scope == next {
            policy
                .scope
                .teams()
                .into_iter()
                .for_each(|team| scopes.entry(team).or_default().push(scope));
        }
    }
    let mut numbers: HashMap<Vec<usize>, usize> = HashMap::default();
    let mut members: Vec<Vec<String>> = Vec::new();
    let number = |(team, scopes): (&'a str, Vec<usize>)| {
        let number = *numbers.entry(scopes).or_insert(members.len());
        if number == members.len() {
            members.push(Vec::new());
        }
        members.iter_mut().skip(number).take(1).for_each(|own| own.push(team.to_owned()));
        (team, number)
    };
    let teams = scopes.into_iter().map(number).collect();
    (teams, members)
}
