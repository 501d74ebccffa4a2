//! The expectations of access tests whose result a plan changes.
//!
//! Invariant: uncertain is a result of its own, as is one that needs an approval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::docker::{Step, simulate};
use crate::access::{Reason, State};
use crate::diagnostic::{FileId, Label, list};
use crate::model::{Expected, ExpectedAccess, Live, Origin, TeamLookup, Test};
use crate::trial::{self, Check, Found};

/// The verdict of the guard if no access test was run, or none fails.
pub const NONE_FAILS: &str = "no access test fails";

/// An expectation whose result changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flip {
    /// The access test.
    pub test: String,
    /// The teams of the user, as the test names them.
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

/// An access test as a plan carries it, so that it can be run again where there is no workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CarriedTest {
    /// The name of the test.
    pub name: String,
    /// The teams of the user, as the test names them.
    pub teams: Vec<String>,
    /// The expectations, in the order written.
    pub expect: Vec<CarriedExpectation>,
    /// The place of the name.
    pub source: Origin,
}

/// One expectation of a test that a plan carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CarriedExpectation {
    /// The result that the test expects.
    pub expected: Expected,
    /// The request, as written.
    pub access: String,
    /// The place of the request.
    pub source: Origin,
}

impl From<&Test> for CarriedTest {
    fn from(test: &Test) -> Self {
        let expect = |one: &ExpectedAccess| CarriedExpectation {
            expected: one.expected,
            access: one.access.clone(),
            source: one.origin.clone(),
        };
        Self {
            name: test.name.clone(),
            teams: test.teams.clone(),
            expect: test.expectations.iter().map(expect).collect(),
            source: test.origin.clone(),
        }
    }
}

impl CarriedTest {
    /// The test without places in the text of a file, which may not exist here.
    fn test(&self) -> Test {
        let label = || Label { file: FileId::default(), span: 0..0, message: None };
        let expectation = |one: &CarriedExpectation| ExpectedAccess {
            expected: one.expected,
            access: one.access.clone(),
            origin: one.source.clone(),
            label: label(),
        };
        Test {
            name: self.name.clone(),
            orgs: Vec::new(),
            org_labels: Vec::new(),
            teams: self.teams.clone(),
            team_labels: self.teams.iter().map(|_| label()).collect(),
            expectations: self.expect.iter().map(expectation).collect(),
            origin: self.source.clone(),
        }
    }

    /// Returns `true` if both have the same content, wherever they are declared.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let content = |test: &Self| {
            let expect = test
                .expect
                .iter()
                .map(|one| (one.expected, one.access.clone()))
                .collect::<Vec<_>>();
            (test.name.clone(), test.teams.clone(), expect)
        };
        content(self) == content(other)
    }
}

/// Runs the tests that a plan carries.
#[must_use]
pub(super) fn run_carried(live: &Live, steps: &[Step], tests: &[CarriedTest]) -> Tested {
    run(live, steps, &tests.iter().map(CarriedTest::test).collect::<Vec<_>>())
}

/// The results of access tests for a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// The expectations whose result changes, in the order of the tests.
    pub flips: Vec<Flip>,
    /// Names of the tests that fail after the steps because a result changes to one that is not
    /// expected. The result may have been uncertain before, as all results are before the first
    /// policy exists.
    pub broken: Vec<String>,
    /// Names of the tests that fail after the steps with results that they had before.
    pub failing: Vec<String>,
    /// The first expectation of these that fails, with what decides it, as a phrase.
    pub first: Option<String>,
    /// The number of tests that pass after the steps.
    pub passing: usize,
}

impl Tested {
    fn why(&self) -> String {
        self.first.as_ref().map(|first| format!(" ({first})")).unwrap_or_default()
    }

    /// Judges the tests after the plan. The message is a lower-case phrase.
    ///
    /// # Errors
    ///
    /// Returns the names of the failing tests, as a phrase.
    pub fn judge(&self) -> Result<String, String> {
        let named = |tests: &[String]| match tests {
            [one] => format!("1 access test: `{one}`"),
            all => {
                let names: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
                format!("{} access tests: {}", all.len(), list::listed(&names))
            }
        };
        match (self.broken.as_slice(), self.failing.as_slice()) {
            ([], []) => Ok(match self.passing {
                0 => NONE_FAILS.to_owned(),
                1 => "1 access test passes".to_owned(),
                passing => format!("{passing} access tests pass"),
            }),
            (broken, []) => Err(format!("breaks {}", named(broken))),
            ([], failing) => {
                Err(format!("leaves failing, as before, {}{}", named(failing), self.why()))
            }
            (broken, failing) => Err(format!(
                "breaks {}; leaves failing, as before, {}{}",
                named(broken),
                named(failing),
                self.why()
            )),
        }
    }
}

/// Runs the access tests before and after these steps.
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
            (false, false) => {
                tested.failing.push(new.test.name.clone());
                let failing = new.checks.iter().find(|check| !check.holds());
                tested.first = tested.first.take().or_else(|| failing.map(phrase));
            }
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

/// A failing expectation: ``connect:tcp paste.example.com:443 is allow by `Hotfix › paste`,
/// expected deny``.
fn phrase(check: &Check<'_>) -> String {
    let because = match &check.found {
        Found::Answer(answer) => answer.because.as_slice(),
        Found::NoRequest(_) => &[],
    };
    let rule = |reason: &Reason| match &reason.rule_name {
        Some(rule) => format!("`{} › {rule}`", reason.policy_name),
        None => format!("`{}`", reason.policy_name),
    };
    let by = because.first().map(|first| format!(" by {}", rule(first))).unwrap_or_default();
    let (access, expected) = (&check.expected.access, check.expected.expected.as_str());
    format!("{access} is {}{by}, expected {expected}", answer(&check.found))
}

fn answer(found: &Found) -> &'static str {
    match found {
        Found::NoRequest(_) => "uncertain",
        Found::Answer(answer) => answer.level().as_str(),
    }
}
