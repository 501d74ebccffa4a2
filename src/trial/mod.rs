//! Runs access tests: the requests that members of some teams must be able to make, and those that
//! they must not.
//!
//! Invariant: an expectation holds only if the answer is certain. An uncertain answer fails every
//! expectation, with the fact that it depends on.

mod mutate;

use std::collections::{BTreeMap, BTreeSet};

use crate::access::cedar::NoRequest;
use crate::access::{AccessLevel, Answer, Question, Request, State, Verdict};
use crate::model::{Expected, ExpectedAccess, Test};

pub use mutate::{Change, Mutant, Mutation, mutate};

/// The result of a test.
#[derive(Clone, Debug)]
pub struct Trial<'a> {
    /// The test that was run.
    pub test: &'a Test,
    /// Its expectations, in the order written.
    pub checks: Vec<Check<'a>>,
}

/// The result of an expectation.
#[derive(Clone, Debug)]
pub struct Check<'a> {
    /// The expected decision.
    pub expected: &'a ExpectedAccess,
    /// The teams of the user, by the names or ids that scopes use.
    pub teams: BTreeSet<String>,
    /// The result.
    pub found: Found,
}

/// The result of an expectation.
#[derive(Clone, Debug)]
pub enum Found {
    /// The answer.
    Answer(Box<Answer>),
    /// The text is not a request.
    NoRequest(NoRequest),
}

impl Check<'_> {
    /// Returns `true` if the expectation is met.
    #[must_use]
    pub fn holds(&self) -> bool {
        match &self.found {
            Found::Answer(answer) if self.expected.expected == Expected::Approval => {
                answer.level() == AccessLevel::Approval
            }
            Found::Answer(answer) => is_as_expected(self.expected.expected, answer.verdict),
            Found::NoRequest(_) => false,
        }
    }

    /// The parsed request with the question about it; `None` if the text is not a request.
    fn question(&self, state: &State<'_>) -> Option<Question> {
        Request::parse(&self.expected.access).ok().map(|request| state.question(&request))
    }
}

impl Trial<'_> {
    /// Returns `true` if all expectations are met.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.checks.iter().all(Check::holds)
    }
}

fn is_as_expected(expected: Expected, verdict: Verdict) -> bool {
    matches!(
        (expected, verdict),
        (Expected::Allow, Verdict::Allow)
            | (Expected::Deny, Verdict::Deny)
            | (Expected::Approval, Verdict::Uncertain)
    )
}

/// Runs tests. `keys` converts the name of a team in a test to the name or id that scopes use.
#[must_use]
pub fn run<'a>(
    state: &State<'_>,
    tests: &'a [Test],
    keys: &dyn Fn(&str) -> String,
) -> Vec<Trial<'a>> {
    let trial = |test: &'a Test| {
        let teams: BTreeSet<String> = test.teams.iter().map(|team| keys(team)).collect();
        let check = |expected: &'a ExpectedAccess| {
            let found = match Request::parse(&expected.access) {
                Ok(request) => Found::Answer(Box::new(state.ask(&teams, &request))),
                Err(wrong) => Found::NoRequest(wrong),
            };
            Check { expected, teams: teams.clone(), found }
        };
        Trial { test, checks: test.expectations.iter().map(check).collect() }
    };
    tests.iter().map(trial).collect()
}

/// The rules, as policy and rule, that decide no expectation.
#[must_use]
pub fn uncovered(state: &State<'_>, trials: &[Trial<'_>]) -> Vec<(usize, usize)> {
    let checks = trials.iter().flat_map(|trial| &trial.checks);
    let answers = checks.filter_map(|check| match &check.found {
        Found::Answer(answer) => Some(answer),
        Found::NoRequest(_) => None,
    });
    let decided: BTreeSet<(usize, usize)> = answers
        .flat_map(|answer| &answer.because)
        .filter_map(|reason| Some((reason.policy, reason.rule?)))
        .collect();
    state.rules().iter().filter(|rule| !decided.contains(rule)).copied().collect()
}

/// The number of passing tests and of all tests; the same for expectations.
#[must_use]
pub fn count(trials: &[Trial<'_>]) -> BTreeMap<&'static str, usize> {
    let checks = || trials.iter().flat_map(|trial| &trial.checks);
    BTreeMap::from([
        ("tests", trials.len()),
        ("passed", trials.iter().filter(|trial| trial.passes()).count()),
        ("expectations", checks().count()),
        ("held", checks().filter(|check| check.holds()).count()),
    ])
}
