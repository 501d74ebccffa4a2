//! The rules of an organization by their names, with where they stand in the report and in the documents.

use std::collections::BTreeMap;

use serde::Serialize;

use super::id::Id;
use super::place::{Links, Place, place};
use crate::access::{Cause, Reason};
use crate::model::{Body, DesiredPolicy, Domain, Origin, Policy};

/// A rule where something else tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RuleRef {
    /// Where the report lists it; absent for what it does not list.
    pub id: Option<Id>,
    /// `policy › rule`.
    pub name: String,
    /// `file:line`; absent for what is live alone.
    pub text: Option<String>,
    /// The URL of that.
    pub link: Option<String>,
}

/// The rules of an organization.
#[derive(Debug)]
pub(super) struct Named<'a> {
    organization: &'a str,
    /// By the names of policy and rule; without a place for what is live alone.
    rules: BTreeMap<(&'a str, String), Option<&'a Origin>>,
    policies: BTreeMap<&'a str, &'a Origin>,
    /// Links beside each mention; only the list of rules has them where there are very many rules.
    links: Option<&'a Links>,
}

impl<'a> Named<'a> {
    pub(super) fn new(
        organization: &'a str,
        policies: &'a [Policy],
        declared: &'a [DesiredPolicy],
        links: Option<&'a Links>,
    ) -> Self {
        let mut rules = BTreeMap::new();
        // Live rules may stand in another order than declared ones, so that the name tells which is which.
        for one in declared {
            let names = rule_names(&one.policy, one.rules.len());
            for (name, rule) in names.into_iter().zip(&one.rules) {
                rules.entry((one.policy.name.as_str(), name)).or_insert(Some(&rule.origin));
            }
        }
        for policy in policies {
            for name in rule_names(policy, statements_of(policy)) {
                rules.entry((policy.name.as_str(), name)).or_insert(None);
            }
        }
        let policies = declared.iter().map(|one| (one.policy.name.as_str(), &one.origin)).collect();
        Self { organization, rules, policies, links }
    }

    /// The id of a rule, or of a policy as a whole.
    pub(super) fn id(&self, policy: &str, rule: Option<&str>) -> Id {
        match rule {
            Some(rule) => Id::new("r", &[self.organization, policy, rule]),
            None => Id::new("p", &[self.organization, policy]),
        }
    }

    /// Where a policy is declared.
    pub(super) fn policy_origin(&self, policy: &str) -> Option<&'a Origin> {
        self.policies.get(policy).copied()
    }

    /// Where a rule is declared.
    pub(super) fn rule_origin(&self, policy: &str, rule: &str) -> Option<&'a Origin> {
        self.rules.get(&(policy, rule.to_owned())).copied().flatten()
    }

    pub(super) fn rule(&self, policy: &str, rule: Option<&str>) -> RuleRef {
        let known = rule.filter(|rule| self.rules.contains_key(&(policy, (*rule).to_owned())));
        let name = known.map_or_else(|| policy.to_owned(), |rule| format!("{policy} › {rule}"));
        let origin = known.map_or_else(|| self.policy_origin(policy), |rule| self.rule_origin(policy, rule));
        let at = origin.map(|origin| place(origin, self.links));
        let (text, link) = at.map_or((None, None), |Place { text, link }| (Some(text), link));
        RuleRef { id: Some(self.id(policy, known)), name, text, link }
    }

    /// Returns `true` if the rules hold what a cause names, or its policy where it names no rule.
    pub(super) fn holds(&self, cause: &Cause) -> bool {
        match cause.statement.map(statement_name).or_else(|| cause.rule.clone()) {
            Some(rule) => self.rules.contains_key(&(cause.policy.as_str(), rule)),
            None => self.policies.contains_key(cause.policy.as_str()),
        }
    }

    pub(super) fn cause(&self, cause: &Cause) -> RuleRef {
        let statement = cause.statement.map(statement_name);
        self.rule(&cause.policy, statement.as_deref().or(cause.rule.as_deref()))
    }

    pub(super) fn reason(&self, reason: &Reason) -> RuleRef {
        let statement = || reason.rule.map(statement_name);
        let name = reason.rule_name.clone().or_else(statement);
        self.rule(&reason.policy_name, name.as_deref())
    }
}

/// What a statement of a Cedar text is called, by its number from 0.
pub(super) fn statement_name(number: usize) -> String {
    format!("statement {}", number + 1)
}

/// How many statements a Cedar text has.
pub(super) fn statements_of(policy: &Policy) -> usize {
    match &policy.body {
        Body::Cedar(cedar) => crate::access::cedar::statements(&cedar.text).map(|all| all.len()).unwrap_or_default(),
        Body::Allowlist(_) => 0,
    }
}

/// The names of a policy's rules, or of its statements.
pub(super) fn rule_names(policy: &Policy, statements: usize) -> Vec<String> {
    match policy.domain() {
        Some(Domain::Mcp) => (0..statements).map(statement_name).collect(),
        Some(Domain::Network | Domain::Filesystem) | None => {
            policy.rules().iter().map(|rule| rule.name.clone()).collect()
        }
    }
}
