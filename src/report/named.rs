//! Rules of an organization by name, with their places in the report and in the documents.

use std::collections::BTreeMap;

use serde::Serialize;

use super::id::Id;
use super::place::{Links, Place, place};
use crate::access::{Cause, Entry, Reason};
use crate::model::{Body, DesiredPolicy, Domain, Origin, Policy};

/// Reference to a rule, or to a policy as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RuleRef {
    /// Fragment id of its row; `None` if the report does not list it.
    pub id: Option<Id>,
    /// `policy › rule`.
    pub name: String,
    /// `file:line` of the declaration; `None` for a rule that is only live.
    pub text: Option<String>,
    /// URL of that line; `None` if places are not links.
    pub link: Option<String>,
}

/// Index of an organization's rules.
#[derive(Debug)]
pub(super) struct Named<'a> {
    organization: &'a str,
    /// Places by policy and rule; `None` for a rule that is only live.
    rules: BTreeMap<(&'a str, String), Option<&'a Origin>>,
    policies: BTreeMap<&'a str, &'a Origin>,
    /// Links for references; `None` if there are too many rules to link each.
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
        // Live rules may have another order than declared ones, so that only the name identifies a
        // rule.
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

    /// Fragment id of a rule, or of a policy as a whole.
    pub(super) fn id(&self, policy: &str, rule: Option<&str>) -> Id {
        match rule {
            Some(rule) => Id::new("r", &[self.organization, policy, rule]),
            None => Id::new("p", &[self.organization, policy]),
        }
    }

    /// Place of a policy's declaration; `None` for a policy that is only live.
    pub(super) fn policy_origin(&self, policy: &str) -> Option<&'a Origin> {
        self.policies.get(policy).copied()
    }

    /// Place of a rule's declaration; `None` for a rule that is only live.
    pub(super) fn rule_origin(&self, policy: &str, rule: &str) -> Option<&'a Origin> {
        self.rules.get(&(policy, rule.to_owned())).copied().flatten()
    }

    pub(super) fn rule(&self, policy: &str, rule: Option<&str>) -> RuleRef {
        let known = rule.filter(|rule| self.rules.contains_key(&(policy, (*rule).to_owned())));
        let name = known.map_or_else(|| policy.to_owned(), |rule| format!("{policy} › {rule}"));
        let origin =
            known.map_or_else(|| self.policy_origin(policy), |rule| self.rule_origin(policy, rule));
        let at = origin.map(|origin| place(origin, self.links));
        let (text, link) = at.map_or((None, None), |Place { text, link }| (Some(text), link));
        RuleRef { id: Some(self.id(policy, known)), name, text, link }
    }

    /// Returns `true` if the index has the rule of a cause, or the declared policy of a cause
    /// without a rule.
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

    /// The rules and statements that come with an entry.
    pub(super) fn causes(&self, entry: &Entry) -> Vec<RuleRef> {
        entry.because.iter().filter(|cause| cause.comes).map(|cause| self.cause(cause)).collect()
    }

    pub(super) fn reason(&self, reason: &Reason) -> RuleRef {
        let statement = || reason.rule.map(statement_name);
        let name = reason.rule_name.clone().or_else(statement);
        self.rule(&reason.policy_name, name.as_deref())
    }
}

/// Name of a Cedar statement, by its index from 0: `statement 1` is the first.
pub(super) fn statement_name(number: usize) -> String {
    format!("statement {}", number + 1)
}

/// Number of statements of a Cedar policy; 0 for an allowlist, and for a text that does not parse.
pub(super) fn statements_of(policy: &Policy) -> usize {
    match &policy.body {
        Body::Cedar(cedar) => {
            crate::access::cedar::statements(&cedar.text).map(|all| all.len()).unwrap_or_default()
        }
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
