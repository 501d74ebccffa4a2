//! The differences of the Docker side: the object before and after, and the call that turns one into the other.

use std::collections::BTreeSet;

use crate::model::{Body, Cedar, Origin, Policy, PolicyId, Resources, Rule, RuleId, Scope};
use crate::plan::step::{Delta, Object, Op, Reason};

/// One object that differs between two states. Differences have no order: see [`Step`](crate::plan::step::Step).
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
    /// Of a policy itself.
    Policy(PolicyChange),
    /// Of a rule of this policy.
    Rule(PolicyTarget, RuleChange),
}

/// The change of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    /// Creates it, without rules.
    Create {
        /// The policy as it will be.
        after: PolicyFields,
    },
    /// Changes its name, its scope or its Cedar text.
    Update {
        /// The policy.
        policy: PolicyTarget,
        /// As the plan expects to find it.
        before: PolicyFields,
        /// As it will be.
        after: PolicyFields,
    },
    /// Deletes it and its rules.
    Delete {
        /// The policy.
        policy: PolicyTarget,
        /// As the plan expects to find it.
        before: Policy,
    },
}

/// The change of a rule in its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// Adds it.
    Create {
        /// The rule as it will be.
        after: Rule,
    },
    /// Changes it in place.
    Update {
        /// The rule.
        rule: RuleTarget,
        /// As the plan expects to find it.
        before: Rule,
        /// As it will be.
        after: Rule,
    },
    /// Deletes it.
    Delete {
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
    /// The teams that it governs, by id.
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

impl PolicyChange {
    /// The change of the name and the scope.
    #[must_use]
    pub fn naming(&self) -> Delta<(&str, &Scope)> {
        match self {
            Self::Create { after } => Delta::Create { after: after.naming() },
            Self::Update { before, after, .. } => Delta::Update { before: before.naming(), after: after.naming() },
            Self::Delete { before, .. } => Delta::Delete { before: (&before.name, &before.scope) },
        }
    }
}

impl RuleChange {
    /// The rule before and after.
    #[must_use]
    pub fn delta(&self) -> Delta<&Rule> {
        match self {
            Self::Create { after } => Delta::Create { after },
            Self::Update { before, after, .. } => Delta::Update { before, after },
            Self::Delete { before, .. } => Delta::Delete { before },
        }
    }

    /// The rule that the call addresses; `None` for the creation of one.
    #[must_use]
    pub fn target(&self) -> Option<&RuleTarget> {
        match self {
            Self::Create { .. } => None,
            Self::Update { rule, .. } | Self::Delete { rule, .. } => Some(rule),
        }
    }
}

impl Change {
    /// The verb.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Policy(change) => change.naming().op(),
            Self::Rule(_, change) => change.delta().op(),
        }
    }

    /// The kind of object that it is about.
    #[must_use]
    pub fn object(&self) -> Object {
        match self {
            Self::Policy(_) => Object::Policy,
            Self::Rule(..) => Object::Rule,
        }
    }

    /// The change of a rule; `None` for a change of a policy itself.
    #[must_use]
    pub fn rule(&self) -> Option<Delta<&Rule>> {
        match self {
            Self::Policy(_) => None,
            Self::Rule(_, change) => Some(change.delta()),
        }
    }

    /// The change of the name and the scope of a policy; `None` for a change of a rule.
    #[must_use]
    pub fn naming(&self) -> Option<Delta<(&str, &Scope)>> {
        match self {
            Self::Policy(change) => Some(change.naming()),
            Self::Rule(..) => None,
        }
    }

    /// The name that a policy gets by it.
    #[must_use]
    pub fn taken_name(&self) -> Option<&str> {
        let (before, after) = self.naming()?.map(|(name, _)| name).sides();
        after.filter(|name| before != Some(*name))
    }

    /// The name that a policy has no longer after it.
    #[must_use]
    pub fn freed_name(&self) -> Option<&str> {
        let (before, after) = self.naming()?.map(|(name, _)| name).sides();
        before.filter(|name| after != Some(*name))
    }

    /// The policy that the call addresses; `None` for the creation of one.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyTarget> {
        match self {
            Self::Policy(PolicyChange::Create { .. }) => None,
            Self::Policy(PolicyChange::Update { policy, .. } | PolicyChange::Delete { policy, .. })
            | Self::Rule(policy, _) => Some(policy),
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
            Self::Policy(PolicyChange::Update { before, after, .. }) => before.changed(after),
            Self::Rule(_, RuleChange::Update { before, after, .. }) => changed_fields(before, after),
            Self::Policy(_) | Self::Rule(..) => Vec::new(),
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
