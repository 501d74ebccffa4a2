//! The differences of the Docker side: the object before and after, and the call that turns one into the other.

use std::collections::BTreeSet;

use crate::model::{Body, Cedar, Origin, Policy, PolicyId, Resources, Rule, RuleId, Scope};
use crate::plan::step::{Delta, Object, Op, Reason};

/// One object that differs between two states. Differences have no order: see [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// From 1, as it is listed.
    pub id: usize,
    /// The policy's name: as declared, or as live where nothing declares it.
    pub policy: String,
    /// The change of the object.
    pub change: Change,
    /// The place that asks for it; `None` for what no document declares.
    pub source: Option<Origin>,
    /// The reason why the call is made, where the difference between live and desired alone does not say it.
    pub because: Option<Reason>,
}

/// The change that a step makes, with the object before and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Creates a policy, without rules.
    CreatePolicy {
        /// The policy as it will be.
        after: PolicyFields,
    },
    /// Changes the name, the scope or the Cedar text of a policy.
    UpdatePolicy {
        /// The policy.
        policy: PolicyTarget,
        /// As the plan expects to find it.
        before: PolicyFields,
        /// As it will be.
        after: PolicyFields,
    },
    /// Deletes a policy and its rules.
    DeletePolicy {
        /// The policy.
        policy: PolicyTarget,
        /// As the plan expects to find it.
        before: Policy,
    },
    /// Adds a rule to a policy.
    CreateRule {
        /// The policy.
        policy: PolicyTarget,
        /// The rule as it will be.
        after: Rule,
    },
    /// Changes a rule in place.
    UpdateRule {
        /// The policy.
        policy: PolicyTarget,
        /// The rule.
        rule: RuleTarget,
        /// As the plan expects to find it.
        before: Rule,
        /// As it will be.
        after: Rule,
    },
    /// Deletes a rule.
    DeleteRule {
        /// The policy.
        policy: PolicyTarget,
        /// The rule.
        rule: RuleTarget,
        /// As the plan expects to find it.
        before: Rule,
    },
}

/// The fields of a policy without its rules: the part that a policy call carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFields {
    /// The name.
    pub name: String,
    /// Whom it governs; team ids.
    pub scope: Scope,
    /// The text, for a Cedar policy.
    pub cedar: Option<Cedar>,
}

/// A policy that a call is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyTarget {
    /// It is live.
    Existing(PolicyId),
    /// An earlier step creates it under this name.
    Planned(String),
}

/// A rule that a call is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleTarget {
    /// It is live.
    Existing(RuleId),
    /// An earlier step creates it under this name.
    Planned(String),
}

impl Change {
    /// The verb.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::CreatePolicy { .. } | Self::CreateRule { .. } => Op::Create,
            Self::UpdatePolicy { .. } | Self::UpdateRule { .. } => Op::Update,
            Self::DeletePolicy { .. } | Self::DeleteRule { .. } => Op::Delete,
        }
    }

    /// The kind of object that it is about.
    #[must_use]
    pub fn object(&self) -> Object {
        if self.rule().is_some() { Object::Rule } else { Object::Policy }
    }

    /// The change of a rule; `None` for a change of a policy itself.
    #[must_use]
    pub fn rule(&self) -> Option<Delta<&Rule>> {
        match self {
            Self::CreateRule { after, .. } => Some(Delta::Create { after }),
            Self::UpdateRule { before, after, .. } => Some(Delta::Update { before, after }),
            Self::DeleteRule { before, .. } => Some(Delta::Delete { before }),
            Self::CreatePolicy { .. } | Self::UpdatePolicy { .. } | Self::DeletePolicy { .. } => None,
        }
    }

    /// The change of the name and the scope of a policy; `None` for a change of a rule.
    #[must_use]
    pub fn head(&self) -> Option<Delta<(&str, &Scope)>> {
        match self {
            Self::CreatePolicy { after } => Some(Delta::Create { after: after.naming() }),
            Self::UpdatePolicy { before, after, .. } => {
                Some(Delta::Update { before: before.naming(), after: after.naming() })
            }
            Self::DeletePolicy { before, .. } => Some(Delta::Delete { before: (&before.name, &before.scope) }),
            Self::CreateRule { .. } | Self::UpdateRule { .. } | Self::DeleteRule { .. } => None,
        }
    }

    /// The name that a policy gets by it.
    #[must_use]
    pub fn taken_name(&self) -> Option<&str> {
        let (before, after) = self.head()?.map(|(name, _)| name).sides();
        after.filter(|name| before != Some(*name))
    }

    /// The name that a policy has no longer after it.
    #[must_use]
    pub fn freed_name(&self) -> Option<&str> {
        let (before, after) = self.head()?.map(|(name, _)| name).sides();
        before.filter(|name| after != Some(*name))
    }

    /// The policy that the call addresses; `None` for the creation of one.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyTarget> {
        match self {
            Self::CreatePolicy { .. } => None,
            Self::UpdatePolicy { policy, .. }
            | Self::DeletePolicy { policy, .. }
            | Self::CreateRule { policy, .. }
            | Self::UpdateRule { policy, .. }
            | Self::DeleteRule { policy, .. } => Some(policy),
        }
    }

    /// The name of the rule, as it will be or as it was.
    #[must_use]
    pub fn rule_name(&self) -> Option<&str> {
        let (before, after) = self.rule()?.sides();
        after.or(before).map(|rule| rule.name.as_str())
    }

    /// For an update, the fields that the call sends, in the service's order; empty for a change of nothing.
    #[must_use]
    pub fn changed(&self) -> Vec<&'static str> {
        match self {
            Self::UpdatePolicy { before, after, .. } => before.changed(after),
            Self::UpdateRule { before, after, .. } => changed_fields(before, after),
            Self::CreatePolicy { .. }
            | Self::DeletePolicy { .. }
            | Self::CreateRule { .. }
            | Self::DeleteRule { .. } => Vec::new(),
        }
    }
}

impl PolicyFields {
    fn naming(&self) -> (&str, &Scope) {
        (&self.name, &self.scope)
    }

    /// The head of a policy.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let Policy { name, scope, body } = policy;
        let cedar = match body {
            Body::Allowlist(_) => None,
            Body::Cedar(cedar) => Some(cedar.clone()),
        };
        Self { name: name.clone(), scope: scope.clone(), cedar }
    }

    fn changed(&self, after: &Self) -> Vec<&'static str> {
        let Self { name, scope, cedar } = self;
        let mut fields = Vec::new();
        if *name != after.name {
            fields.push("name");
        }
        if *scope != after.scope {
            fields.push("scope");
        }
        if *cedar != after.cedar {
            fields.push("cedar_v1");
        }
        fields
    }
}

/// The fields in which two versions of a rule differ, in the service's order; lists are compared as sets.
#[must_use]
pub fn changed_fields(before: &Rule, after: &Rule) -> Vec<&'static str> {
    let Rule { name, decision, actions, resources } = before;
    let mut fields = Vec::new();
    if *name != after.name {
        fields.push("name");
    }
    if !same_set(actions, &after.actions) {
        fields.push("actions");
    }
    match (resources, &after.resources) {
        (Resources::Plain(one), Resources::Plain(other)) if same_set(one, other) => {}
        (Resources::Http(one), Resources::Http(other)) if same_set(one, other) => {}
        (_, Resources::Plain(_)) => fields.push("resources"),
        (_, Resources::Http(_)) => fields.push("http_resources"),
    }
    if *decision != after.decision {
        fields.push("decision");
    }
    fields
}

fn same_set<T: Ord>(one: &[T], other: &[T]) -> bool {
    one == other || one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
}
