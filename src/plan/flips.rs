//! The expectations of access tests whose result a plan changes.
//!
//! Invariant: an answer that hangs on something is an answer of its own, as is one that asks a person first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::docker::{Step, simulate};
use crate::access::{self, State};
use crate::document::Test;
use crate::model::{Live, Origin, TeamLookup};
use crate::trial::{self, Found};

/// The verdict of the guard where no access test was run, or none fails.
pub const NONE_FAILS: &str = "no access test fails";

/// An expectation whose answer changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flip {
    /// The access test.
    pub test: String,
    /// The teams of who asks, as the test names them.
    pub teams: Vec<String>,
    /// The request of the test, as written.
    pub access: String,
    /// The result that the test expects: `allow`, `deny` or `approval`.
    pub expected: String,
    /// The answer before: `allow`, `deny`, `approval` or `uncertain`.
    pub before: String,
    /// The answer after.
    pub after: String,
    /// The place of the expectation.
    pub source: Origin,
}

/// The results of access tests for a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// The expectations that the steps answer otherwise, in the order of the tests.
    pub flips: Vec<Flip>,
    /// Names of the tests that fail after the steps because an answer changes to one that is not expected. It may have been
    /// uncertain before, as everything is before the first policy.
    pub broken: Vec<String>,
    /// Names of the tests that fail after the steps with answers that were there before.
    pub failing: Vec<String>,
    /// The number of tests that pass after the steps.
    pub passing: usize,
}

impl Tested {
    /// Whether every test passes afterwards; the message says which ones do not, as a lower-case phrase.
    ///
    /// # Errors
    ///
    /// The same, for tests that fail.
    pub fn judge(&self) -> Result<String, String> {
        let named = |tests: &[String]| match tests {
            [one] => format!("1 access test: `{one}`"),
            all => format!("{} access tests: `{}`", all.len(), all.join("`, `")),
        };
        match (self.broken.as_slice(), self.failing.as_slice()) {
            ([], []) => Ok(match self.passing {
                0 => NONE_FAILS.to_owned(),
                1 => "1 access test passes".to_owned(),
                passing => format!("{passing} access tests pass"),
            }),
            (broken, []) => Err(format!("breaks {}", named(broken))),
            ([], failing) => Err(format!("leaves failing, as before, {}", named(failing))),
            (broken, failing) => {
                Err(format!("breaks {}; leaves failing, as before, {}", named(broken), named(failing)))
            }
        }
    }
}

/// Runs access tests before and after these steps.
#[must_use]
pub fn run(live: &Live, steps: &[Step], tests: &[Test]) -> Tested {
    if steps.is_empty() || tests.is_empty() {
        return Tested::default();
    }
    let keys = |team: &str| match live.teams.resolve(team) {
        TeamLookup::Found(id) => id,
        TeamLookup::Unknown | TeamLookup::Ambiguous(_) => team.to_owned(),
    };
    let after = simulate::simulate(live, steps.iter().map(|step| &step.change));
    let (old, new) = (simulate::policies(live), simulate::policies(&after));
    let (old, new) = (State::new(&old), State::new(&new));
    let (before, after) = (trial::run(&old, tests, &keys), trial::run(&new, tests, &keys));
    let mut tested = Tested::default();
    for (old, new) in before.iter().zip(&after) {
        let mut checks = old.checks.iter().zip(&new.checks);
        let breaks = checks.any(|(was, is)| !is.holds() && answer(&was.found) != answer(&is.found));
        match (new.passes(), breaks) {
            (true, _) => tested.passing += 1,
            (false, true) => tested.broken.push(new.test.name.clone()),
            (false, false) => tested.failing.push(new.test.name.clone()),
        }
        for (was, is) in old.checks.iter().zip(&new.checks) {
            let (before, after) = (answer(&was.found), answer(&is.found));
            if before != after {
                tested.flips.push(Flip {
                    test: old.test.name.clone(),
                    teams: old.test.teams.clone(),
                    access: was.expected.access.clone(),
                    expected: was.expected.expected.as_str().to_owned(),
                    before: before.to_owned(),
                    after: after.to_owned(),
                    source: was.expected.origin.clone(),
                });
            }
        }
    }
    tested
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
