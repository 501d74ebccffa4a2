//! Requests of a plan to requests of the service: names of what earlier steps created become ids.

use std::collections::BTreeMap;

use crate::model::{PolicyId, RuleId};
use crate::plan::request::{Request, Segment};
use crate::plan::step::{Change, PolicyTarget, RuleTarget};
use crate::service::docker;

/// The ids of what the steps of a plan created.
#[derive(Clone, Debug, Default)]
pub(super) struct Created {
    policies: BTreeMap<String, PolicyId>,
    rules: BTreeMap<(PolicyId, String), RuleId>,
}

impl Created {
    pub(super) fn policy(name: &str, id: PolicyId) -> Self {
        Self { policies: BTreeMap::from([(name.to_owned(), id)]), rules: BTreeMap::new() }
    }

    pub(super) fn rule(policy: PolicyId, name: &str, id: RuleId) -> Self {
        Self { policies: BTreeMap::new(), rules: BTreeMap::from([((policy, name.to_owned()), id)]) }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.policies.extend(other.policies);
        self.rules.extend(other.rules);
    }

    /// The policy that a change is about; `None` for the creation of one, and for one whose creation is not known.
    pub(super) fn policy_of(&self, change: &Change) -> Option<PolicyId> {
        match change.policy()? {
            PolicyTarget::Existing(id) => Some(id.clone()),
            PolicyTarget::Planned(name) => self.policies.get(name).cloned(),
        }
    }

    /// The rule that a change is about.
    pub(super) fn rule_of(&self, change: &Change) -> Option<RuleId> {
        let policy = self.policy_of(change)?;
        match change {
            Change::UpdateRule { rule, .. } | Change::DeleteRule { rule, .. } => match rule {
                RuleTarget::Existing(id) => Some(id.clone()),
                RuleTarget::Planned(name) => self.rules.get(&(policy, name.clone())).cloned(),
            },
            Change::CreatePolicy { .. }
            | Change::UpdatePolicy { .. }
            | Change::DeletePolicy { .. }
            | Change::CreateRule { .. } => None,
        }
    }

    /// The request with ids; `None` while one of them is not known.
    pub(super) fn request(&self, change: &Change, request: Request) -> Option<docker::Request> {
        let Request { method, path, body } = request;
        let path = path.into_iter().map(|segment| match segment {
            Segment::Text(text) => Some(text),
            Segment::Policy(_) => self.policy_of(change).map(|id| id.0),
            Segment::Rule(_) => self.rule_of(change).map(|id| id.0),
        });
        Some(docker::Request { method, path: path.collect::<Option<_>>()?, body })
    }
}
