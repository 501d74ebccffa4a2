//! Live policies in the form of declared ones.

use crate::model::{Desired, DesiredPolicy, DesiredRule, Domain, LivePolicy, Origin};

/// Documents that would declare these policies, with the places of `documents` for policies of the
/// same name.
pub(super) fn desired<'a>(
    policies: impl Iterator<Item = &'a LivePolicy>,
    documents: &Desired,
) -> Desired {
    let declared = policies.map(|live| {
        let policy = live.policy();
        let origin = documents.policies.iter().find(|declared| declared.policy.name == policy.name);
        let origin = origin.map_or_else(
            || Origin { file: String::new(), line: 0, column: 0 },
            |declared| declared.origin.clone(),
        );
        let rules = policy
            .rules()
            .iter()
            .map(|_| DesiredRule { previously: Vec::new(), origin: origin.clone() });
        DesiredPolicy {
            rules: rules.collect(),
            domain: policy.domain().unwrap_or(Domain::Network),
            previously: Vec::new(),
            orgs: Vec::new(),
            origin,
            policy,
        }
    });
    let mut policies: Vec<DesiredPolicy> = declared.collect();
    policies.sort_by(|one, other| one.policy.name.cmp(&other.policy.name));
    Desired { policies, vijil: Vec::new() }
}
