//! Access tests with their results.

use std::collections::BTreeSet;

use serde::Serialize;

use super::id::Id;
use super::named::{Named, RuleRef};
use super::place::{Links, Place, place};
use super::text::listed;
use crate::access::{AccessLevel, Answer};
use crate::trial::{Check, Found, Trial};

/// Result of an access test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TestRow {
    /// Fragment id of the test.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// The agent's teams, in words.
    pub subject: String,
    /// True if all expectations hold.
    pub passes: bool,
    /// Place of the declaration.
    pub place: Place,
    /// Its expectations.
    pub checks: Vec<CheckRow>,
}

/// Expectation of an access test with its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckRow {
    /// `allow`, `deny` or `approval`.
    pub expected: &'static str,
    /// The expected request.
    pub access: String,
    /// True if the result is the expected one.
    pub holds: bool,
    /// The result in words; the error for a request that does not parse.
    pub found: String,
    /// Rules that decide.
    pub rules: Vec<RuleRef>,
}

/// Builds the rows of all tests.
pub(super) fn tests(
    organization: &str,
    trials: &[Trial<'_>],
    named: &Named<'_>,
    links: Option<&Links>,
) -> Vec<TestRow> {
    let row = |trial: &Trial<'_>| TestRow {
        id: id(organization, trial),
        name: trial.test.name.clone(),
        subject: match trial.test.teams.as_slice() {
            [] => "a member of no team".to_owned(),
            teams => format!("a member of {}", listed(teams, 6)),
        },
        passes: trial.passes(),
        place: place(&trial.test.origin, links),
        checks: trial.checks.iter().map(|check| check_row(check, named)).collect(),
    };
    trials.iter().map(row).collect()
}

/// Fragment id of a test's row.
pub(super) fn id(organization: &str, trial: &Trial<'_>) -> Id {
    let origin = &trial.test.origin;
    Id::new("t", &[organization, &trial.test.name, &origin.file])
}

fn check_row(check: &Check<'_>, named: &Named<'_>) -> CheckRow {
    let (found, rules) = match &check.found {
        Found::Answer(answer) => {
            let rules: BTreeSet<RuleRef> =
                answer.because.iter().map(|reason| named.reason(reason)).collect();
            (answered(answer), rules.into_iter().collect())
        }
        Found::NoRequest(wrong) => (wrong.message.clone(), Vec::new()),
    };
    let (expected, access) = (check.expected.expected.as_str(), check.expected.access.clone());
    CheckRow { expected, access, holds: check.holds(), found, rules }
}

fn answered(answer: &Answer) -> String {
    match answer.level() {
        level @ (AccessLevel::Allow | AccessLevel::Approval) => level.as_str().to_owned(),
        level @ (AccessLevel::Deny | AccessLevel::Uncertain) => {
            format!("{}, {}", level.as_str(), answer.reason)
        }
    }
}
