//! The rules that cause a change.
//!
//! Invariant: only rules are named whose effect on the audience itself starts or ends.

use std::sync::Arc;

use crate::atom::Atom;
use crate::clause::{Actions, Clause, Target};
use crate::model::{Decision, Policy, Scope};
use crate::trie::Hit;
use crate::universe::Universe;

use super::Cause;
use super::change_classes::ChangeClass;
use super::outcome::Outcome;
use super::state_clauses::StateClauses;

/// The rules behind `hits` whose effect on `action` starts or ends, if that leads to the outcome.
pub(super) fn causes(
    statements: &StateClauses,
    (cell, action): (&ChangeClass, Actions),
    hits: impl Iterator<Item = Vec<Hit>>,
    universe: &Universe,
    (old, new): (&[Policy], &[Policy]),
) -> Vec<Arc<Cause>> {
    let mut causes = Vec::new();
    for hit in hits.flatten() {
        let Clause { group, decision, ref target, .. } = *universe.clause(&hit);
        let change = statements.change(group);
        let comes = change.new.includes(&cell.teams);
        let opens = comes == (decision == Decision::Allow);
        let covers = cell.atom == Atom::Tcp && matches!(target, Target::Http(..));
        let leads = match cell.outcome {
            Outcome::Widened => opens && !covers,
            Outcome::Narrowed => !opens && !covers,
            Outcome::Uncertain { .. } => true,
        };
        if comes == change.old.includes(&cell.teams) || !leads {
            continue;
        }
        let action = if covers { Actions::HTTP } else { action };
        for source in statements.sources(hit.clause, action).filter(|source| source.new == comes) {
            let policies = if comes { new } else { old };
            let Some(policy) = policies.get(source.policy as usize) else { continue };
            let governs = match &policy.scope {
                Scope::Organization => true,
                Scope::Teams(own) => {
                    let mut teams =
                        cell.teams.iter().filter_map(|team| statements.teams.get(*team)?.first());
                    teams.any(|team| own.contains(team))
                }
            };
            if governs {
                causes.push(statements.cause(source));
            }
        }
    }
    causes.sort();
    causes.dedup();
    causes.shrink_to_fit();
    causes
}
