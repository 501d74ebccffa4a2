//! Documents as if they were live, and live policies as if they were declared.

use crate::model::{
    Body, Cedar, Desired, DesiredPolicy, DesiredRule, Domain, Live, LiveBody, LivePolicy, LiveRule, Origin, PolicyId,
    RuleId,
};

/// The organization as these documents want it, and the policies of others as they are.
pub(super) fn live(desired: &Desired, others: &[&LivePolicy], of: &Live) -> Live {
    let own = desired.policies.iter().map(|declared| {
        let policy = &declared.policy;
        let rule = |(index, rule): (usize, &crate::model::Rule)| LiveRule {
            id: RuleId(format!("base:{}:{index}", policy.name)),
            rule: rule.clone(),
        };
        let body = match &policy.body {
            Body::Allowlist(rules) => LiveBody::Allowlist(rules.iter().enumerate().map(rule).collect()),
            Body::Cedar(Cedar { text, schema_url }) => {
                LiveBody::Cedar(Cedar { text: text.clone(), schema_url: schema_url.clone() })
            }
        };
        LivePolicy {
            id: PolicyId(format!("base:{}", policy.name)),
            name: policy.name.clone(),
            scope: policy.scope.clone(),
            body,
        }
    });
    let mut policies: Vec<LivePolicy> = own.chain(others.iter().map(|policy| (*policy).clone())).collect();
    policies.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    Live { org: of.org.clone(), policies, teams: of.teams.clone() }
}

/// Documents that would declare these policies; they stand where `documents` declare one of the name.
pub(super) fn desired<'a>(policies: impl Iterator<Item = &'a LivePolicy>, documents: &Desired) -> Desired {
    let declared = policies.map(|live| {
        let policy = live.policy();
        let origin = documents.policies.iter().find(|declared| declared.policy.name == policy.name);
        let origin = origin
            .map_or_else(|| Origin { file: String::new(), line: 0, column: 0 }, |declared| declared.origin.clone());
        let rules = policy.rules().iter().map(|_| DesiredRule { previously: Vec::new(), origin: origin.clone() });
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
    Desired { policies, agents: Vec::new() }
}
