//! Which expectations of access tests are answered otherwise after a plan than before it.
//!
//! Invariant: an answer that hangs on something is an answer of its own, as is one that asks a person first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::simulate;
use super::step::Step;
use crate::access::{self, State};
use crate::document::Test;
use crate::model::{Decision, Live, Origin, TeamLookup};
use crate::trial::{self, Found};

/// An expectation whose answer changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flip {
    /// The access test.
    pub test: String,
    /// The teams of who asks, as the test names them.
    pub teams: Vec<String>,
    /// What is asked for, as written.
    pub access: String,
    /// What the test expects: `allow` or `deny`.
    pub expected: String,
    /// The answer before: `allow`, `deny`, `approval` or `uncertain`.
    pub before: String,
    /// The answer after.
    pub after: String,
    /// Where the expectation stands.
    pub source: Origin,
}

/// The expectations that these steps answer otherwise, in the order of the tests.
#[must_use]
pub fn flips(live: &Live, steps: &[Step], tests: &[Test]) -> Vec<Flip> {
    if steps.is_empty() || tests.is_empty() {
        return Vec::new();
    }
    let keys = |team: &str| match live.teams.resolve(team) {
        TeamLookup::Found(id) => id,
        TeamLookup::Unknown | TeamLookup::Ambiguous(_) => team.to_owned(),
    };
    let after = simulate::simulate(live, steps.iter().map(|step| &step.change));
    let (old, new) = (simulate::policies(live), simulate::policies(&after));
    let (old, new) = (State::of(&old), State::of(&new));
    let (before, after) = (trial::run(&old, tests, &keys), trial::run(&new, tests, &keys));
    let mut flips = Vec::new();
    for (old, new) in before.iter().zip(&after) {
        for (was, is) in old.checks.iter().zip(&new.checks) {
            let (before, after) = (answer(&was.found), answer(&is.found));
            if before != after {
                flips.push(Flip {
                    test: old.test.name.clone(),
                    teams: old.test.teams.clone(),
                    access: was.expected.access.clone(),
                    expected: match was.expected.decision {
                        Decision::Allow => "allow".to_owned(),
                        Decision::Deny => "deny".to_owned(),
                    },
                    before: before.to_owned(),
                    after: after.to_owned(),
                    source: was.expected.origin.clone(),
                });
            }
        }
    }
    flips
}

fn answer(found: &Found) -> &'static str {
    match found {
        Found::NoRequest(_) => "uncertain",
        Found::Answer(answer) if answer.reason == access::APPROVAL_REASON => "approval",
        Found::Answer(answer) => match answer.verdict {
            access::Verdict::Allow => "allow",
            access::Verdict::Deny => "deny",
            access::Verdict::Uncertain => "uncertain",
        },
    }
}
