//! The changes of the Docker side: the object before and after, which the call of [`request`]
//! turns into the other.
//!
//! [`request`]: super::request()

use std::collections::BTreeSet;

use crate::model::{Body, Cedar, Policy, PolicyId, Resources, Rule, RuleId, Scope};
use crate::plan::step::{Addressed, Delta, Object, Op};

/// The change that a step makes, with the object before and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A change of a policy, which is created and updated without its rules, and deleted with them.
    Policy {
        /// The policy.
        target: PolicyTarget,
        /// The change of its name, its scope or its Cedar text.
        delta: Delta<PolicyFields, Policy>,
    },
    /// A change of a rule.
    Rule {
        /// The policy of the rule.
        policy: PolicyTarget,
        /// The rule.
        target: RuleTarget,
        /// The change of the rule.
        delta: Delta<Rule>,
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

/// The name and the scope of a policy.
pub(super) type Naming<'a> = (&'a str, &'a Scope);

/// The policy that a call addresses.
pub type PolicyTarget = Addressed<PolicyId>;

/// The rule that a call addresses.
pub type RuleTarget = Addressed<RuleId>;

impl Change {
    /// Creates a policy without rules.
    #[must_use]
    pub fn create_policy(after: PolicyFields) -> Self {
        let target = PolicyTarget::Planned(after.name.clone());
        Self::Policy { target, delta: Delta::Create { after } }
    }

    /// Creates a rule in a policy.
    #[must_use]
    pub fn create_rule(policy: PolicyTarget, after: Rule) -> Self {
        let target = RuleTarget::Planned(after.name.clone());
        Self::Rule { policy, target, delta: Delta::Create { after } }
    }

    /// The operation.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Policy { delta, .. } => delta.op(),
            Self::Rule { delta, .. } => delta.op(),
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
            Self::Policy { .. } => Object::Policy,
            Self::Rule { .. } => Object::Rule,
        }
    }

    /// The policy that changes, or whose rule changes.
    #[must_use]
    pub fn policy(&self) -> &PolicyTarget {
        let (Self::Policy { target: policy, .. } | Self::Rule { policy, .. }) = self;
        policy
    }

    /// The rule that changes; `None` for a change of a policy itself.
    #[must_use]
    pub fn rule(&self) -> Option<&RuleTarget> {
        match self {
            Self::Policy { .. } => None,
            Self::Rule { target, .. } => Some(target),
        }
    }

    /// The rule before and after the change.
    #[must_use]
    pub fn rule_sides(&self) -> (Option<&Rule>, Option<&Rule>) {
        match self {
            Self::Policy { .. } => (None, None),
            Self::Rule { delta, .. } => delta.as_ref().sides(|rule| rule, |rule| rule),
        }
    }

    /// The name of the rule after the change, or before its deletion.
    #[must_use]
    pub fn rule_name(&self) -> Option<&str> {
        let (before, after) = self.rule_sides();
        after.or(before).map(|rule| rule.name.as_str())
    }

    /// The name and the scope of a policy before and after the change.
    #[must_use]
    pub(super) fn naming(&self) -> (Option<Naming<'_>>, Option<Naming<'_>>) {
        match self {
            Self::Policy { delta, .. } => delta.as_ref().sides(
                |policy| (policy.name.as_str(), &policy.scope),
                |policy| (policy.name.as_str(), &policy.scope),
            ),
            Self::Rule { .. } => (None, None),
        }
    }

    /// The name that a policy takes by the change.
    #[must_use]
    pub fn taken_name(&self) -> Option<&str> {
        let (before, after) = self.naming();
        after.map(|(name, _)| name).filter(|name| before.is_none_or(|(before, _)| before != *name))
    }

    /// The name that a policy gives up by the change.
    #[must_use]
    pub fn freed_name(&self) -> Option<&str> {
        let (before, after) = self.naming();
        before.map(|(name, _)| name).filter(|name| after.is_none_or(|(after, _)| after != *name))
    }

    /// For an update, the fields that the call sends, in the service's order; empty if nothing
    /// changes.
    #[must_use]
    pub fn changed(&self) -> Vec<&'static str> {
        match self {
            Self::Policy { delta: Delta::Update { before, after }, .. } => before.changed(after),
            Self::Rule { delta: Delta::Update { before, after }, .. } => {
                changed_fields(before, after)
            }
            Self::Policy { .. } | Self::Rule { .. } => Vec::new(),
        }
    }
}

impl PolicyFields {
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

    /// The policy with these fields and these rules, which a Cedar policy does not have.
    #[must_use]
    pub fn with_rules(&self, rules: Vec<Rule>) -> Policy {
        let Self { name, scope, cedar } = self.clone();
        Policy { name, scope, body: cedar.map_or(Body::Allowlist(rules), Body::Cedar) }
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
