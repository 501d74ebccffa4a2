//! The rules that lead to a decision.

use std::collections::BTreeSet;

use super::super::asked::{Asked, Subject};
use super::super::membership::Teams;
use super::{Case, Judge, Place};
use crate::access::{Reason, Request};
use crate::model::Scope;

impl Judge<'_> {
    /// The rules that lead to an answer. For a user whose teams are unknown, the rules for a member
    /// of no team.
    pub(in crate::evidence) fn because(&self, asked: &Asked, teams: &Teams) -> Vec<Reason> {
        let none = BTreeSet::new();
        let teams = match teams {
            Teams::Known(teams) => teams,
            Teams::Unknown => &none,
        };
        match &asked.subject {
            Subject::One(request) => self.reasons(teams, request),
            Subject::EitherMode(both) => {
                let [read, write] = &**both;
                let both = [read, write].map(|request| self.reasons(teams, request));
                let all: BTreeSet<Reason> = both.into_iter().flatten().collect();
                all.into_iter().collect()
            }
            Subject::Mcp(action) => self.state.ask_mcp_action(teams, *action, None).because,
            Subject::Unreadable => Vec::new(),
        }
    }

    fn reasons(&self, teams: &BTreeSet<String>, request: &Request) -> Vec<Reason> {
        self.state.reasons_at(teams, request, &self.kinds(teams).base)
    }

    /// Returns `true` if a rule applies to a request of a user.
    pub(in crate::evidence) fn bears(&self, case: &Case, teams: &Teams, wanted: &Reason) -> bool {
        let is_wanted = |place: &Place| {
            self.state.policies().get(place.0).is_some_and(|policy| {
                let rule = policy.rules().get(place.1);
                policy.name == wanted.policy_name
                    && rule.map(|rule| &rule.name) == wanted.rule_name.as_ref()
                    && rule.map(|rule| rule.decision) == wanted.decision
                    && self.may_govern(*place, teams)
            })
        };
        let is_any = |mut rules: &mut dyn Iterator<Item = usize>| {
            (&mut rules).filter_map(|rule| self.state.rules().get(rule)).any(is_wanted)
        };
        match case {
            Case::Named(named) => {
                let addresses = self.address_rules.iter().map(|one| one.rule);
                is_any(&mut named.1.rules().chain(addresses))
            }
            Case::Questions(questions) => {
                is_any(&mut questions.iter().flat_map(|(_, question)| question.rules()))
            }
            Case::Mcp(_) | Case::Unreadable => false,
        }
    }

    /// Returns `true` if a rule or statement is in force for a user, or may be because the teams
    /// are unknown.
    pub(in crate::evidence) fn may_govern(&self, place: Place, teams: &Teams) -> bool {
        self.state.policies().get(place.0).is_some_and(|policy| match teams {
            Teams::Known(teams) => policy.scope.governs(teams),
            Teams::Unknown => true,
        })
    }

    /// Returns `true` if a rule or statement is in force for members of some teams only.
    pub(in crate::evidence) fn is_for_teams(&self, place: Place) -> bool {
        self.state.policies().get(place.0).is_some_and(|policy| policy.scope != Scope::Organization)
    }
}
