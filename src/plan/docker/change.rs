//! The differences of the Docker side: the object before and after, and the call that turns one
//! into the other.

use std::collections::BTreeSet;

use crate::model::{Body, Cedar, Origin, Policy, PolicyId, Resources, Rule, RuleId, Scope};
use crate::plan::step::{Addressed, Delta, Object, Op, Reason};

/// A difference of one object between two states. Differences have no order: see
/// [`Step`](crate::plan::step::Step).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Number in the list, from 1.
    pub id: usize,
    /// The policy's name: the declared one, or the live one if no document declares the policy.
    pub policy: String,
    /// The change of the object.
    pub change: Change,
    /// The place of the declaration; `None` if no document declares the object.
    pub source: Option<Origin>,
    /// The reason for the call, if the difference between live and desired does not explain it.
    pub because: Option<Reason>,
}

/// The change that a step makes, with the object before and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A change of a policy without its rules.
    Policy(PolicyChange),
    /// A change of a rule of this policy.
    Rule(PolicyTarget, RuleChange),
}

/// The change of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    /// Creates the policy, without rules.
    Create {
        /// The policy after the change.
        after: PolicyFields,
    },
    /// Changes its name, its scope or its Cedar text.
    Update {
        /// The policy.
        policy: PolicyTarget,
        /// The policy as the plan expects to find it.
        before: PolicyFields,
        /// The policy after the change.
        after: PolicyFields,
    },
    /// Deletes the policy and its rules.
    Delete {
        /// The policy.
        policy: PolicyTarget,
        /// The policy as the plan expects to find it.
        before: Policy,
    },
}

/// The change of a rule in its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// Adds the rule.
    Create {
        /// The rule after the change.
        after: Rule,
    },
    /// Changes the rule in place.
    Update {
        /// The rule.
        rule: RuleTarget,
        /// The rule as the plan expects to find it.
        before: Rule,
        /// The rule after the change.
        after: Rule,
    },
    /// Deletes the rule.
    Delete {
        /// The rule.
        rule: RuleTarget,
        /// The rule as the plan expects to find it.
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

/// The policy that a call addresses.
pub type PolicyTarget = Addressed<PolicyId>;

/// The rule that a call addresses.
pub type RuleTarget = Addressed<RuleId>;

impl PolicyChange {
    /// The change of the name and the scope of a policy.
    #[must_use]
    pub fn naming(&self) -> Delta<(&str, &Scope)> {
        match self {
            Self::Create { after } => Delta::Create { after: after.naming() },
            Self::Update { before, after, .. } => {
                Delta::Update { before: before.naming(), after: after.naming() }
            }
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

    /// The rule that the call addresses; `None` if the call creates it.
    #[must_use]
    pub fn target(&self) -> Option<&RuleTarget> {
        match self {
            Self::Create { .. } => None,
            Self::Update { rule, .. } | Self::Delete { rule, .. } => Some(rule),
        }
    }
}

impl Change {
    /// The operation.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Policy(change) => change.naming().op(),
            Self::Rule(_, change) => change.delta().op(),
        }
    }

    /// The operation, with the kind of object that changes.
    #[must_use]
    pub fn operation(&self) -> (Op, Object) {
        (self.op(), self.object())
    }

    /// The kind of object that changes.
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

    /// The name that a policy takes by the change.
    #[must_use]
    pub fn taken_name(&self) -> Option<&str> {
        let (before, after) = self.naming()?.map(|(name, _)| name).sides();
        after.filter(|name| before != Some(*name))
    }

    /// The name that a policy gives up by the change.
    #[must_use]
    pub fn freed_name(&self) -> Option<&str> {
        let (before, after) = self.naming()?.map(|(name, _)| name).sides();
        before.filter(|name| after != Some(*name))
    }

    /// The policy that the call addresses; `None` if the call creates it.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyTarget> {
        match self {
            Self::Policy(PolicyChange::Create { .. }) => None,
            Self::Policy(
                PolicyChange::Update { policy, .. } | PolicyChange::Delete { policy, .. },
            )
            | Self::Rule(policy, _) => Some(policy),
        }
    }

    /// The name of the rule after the change, or before its deletion.
    #[must_use]
    pub fn rule_name(&self) -> Option<&str> {
        let (before, after) = self.rule()?.sides();
        after.or(before).map(|rule| rule.name.as_str())
    }

    /// For an update, the fields that the call sends, in the service's order; empty if nothing
    /// changes.
    #[must_use]
    pub fn changed(&self) -> Vec<&'static str> {
        match self {
            Self::Policy(PolicyChange::Update { before, after, .. }) => before.changed(after),
            Self::Rule(_, RuleChange::Update { before, after, .. }) => {
                changed_fields(before, after)
            }
            Self::Policy(_) | Self::Rule(..) => Vec::new(),
        }
    }
}

impl PolicyFields {
    fn naming(&self) -> (&str, &Scope) {
        (&self.name, &self.scope)
    }

    /// The fields of a policy without its rules.
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

/// The fields in which two versions of a rule differ, in the service's order; lists are compared as
/// sets.
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
