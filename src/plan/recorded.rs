//! Replay of recorded requests for a plan: against the live policies, and against those after the
//! plan.
//!
//! Invariant: `replay` and `plan` both use this module, so that their results agree.

use super::docker::{Step, matching, simulate};
use crate::evidence::replay::{Input, Replay, RuleOrigins, Side, replay};
use crate::evidence::{Memberships, Requests};
use crate::model::{Body, Desired, Live, LiveBody, LivePolicy, Policy, TeamDirectory};

/// Two states of the policies, with the places of their declarations.
#[derive(Clone, Debug, Default)]
pub struct States {
    /// The policies of the older state.
    pub before: (Vec<Policy>, RuleOrigins),
    /// The policies of the newer state.
    pub after: (Vec<Policy>, RuleOrigins),
    /// The names of teams.
    pub teams: TeamDirectory,
}

/// Recorded requests with the memberships of their users.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The requests.
    pub requests: &'a Requests,
    /// Teams of the users, by the names or ids that scopes use.
    pub memberships: &'a Memberships,
    /// True to include the names of users.
    pub named: bool,
}

impl States {
    /// The live policies, undeclared ones included, before and after these steps. `before` holds
    /// the documents that replace the live state in a plan that compares documents, and their
    /// version.
    #[must_use]
    pub fn of_change(
        live: &Live,
        steps: &[Step],
        before: Option<(&Desired, &str)>,
        desired: &Desired,
    ) -> Self {
        let left = simulate::simulate(live, steps.iter().map(|step| &step.change));
        let policies = |live: &Live| live.policies.iter().map(LivePolicy::policy).collect();
        Self {
            before: (
                policies(live),
                match before {
                    Some((documents, version)) => {
                        RuleOrigins::new(&documents.policies).of_version(version)
                    }
                    None => of_live(live, desired),
                },
            ),
            after: (policies(&left), RuleOrigins::new(&desired.policies)),
            teams: live.teams.clone(),
        }
    }

    /// These states with recorded requests.
    #[must_use]
    pub fn input<'a>(
        &'a self,
        Evidence { requests, memberships, named }: Evidence<'a>,
    ) -> Input<'a> {
        Input {
            requests,
            before: Side { policies: &self.before.0, places: &self.before.1 },
            after: Side { policies: &self.after.0, places: &self.after.1 },
            memberships,
            teams: &self.teams,
            named,
        }
    }

    /// Replays the recorded requests against both states.
    #[must_use]
    pub fn replay(&self, evidence: Evidence<'_>) -> Replay {
        replay(self.input(evidence))
    }
}

/// The places where documents declare live rules. As in the access section of a plan, a rule that
/// changes has the place of its declaration.
fn of_live(live: &Live, desired: &Desired) -> RuleOrigins {
    let mut places = RuleOrigins::default();
    let matched = matching::policies(&desired.policies, &live.policies);
    for (declared, found) in desired.policies.iter().zip(matched) {
        let Some(found) = found.and_then(|at| live.policies.get(at)) else { continue };
        places.add(&found.name, "", &declared.origin);
        let rules = declared.rules.iter().zip(matching::rules(declared, found.rules()));
        for (beside, rule) in rules {
            if let Some(rule) = rule.and_then(|at| found.rules().get(at)) {
                places.add(&found.name, &rule.rule.name, &beside.origin);
            }
        }
        // The statements of another text have other numbers.
        if let (LiveBody::Cedar(own), Body::Cedar(text)) = (&found.body, &declared.policy.body)
            && own == text
        {
            places.add_statements(&found.name, declared);
        }
    }
    places
}
