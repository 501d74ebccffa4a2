//! The live state that documents would leave once they are applied, as far as documents determine
//! it: the starting point of a comparison that reads no service.
//!
//! Invariant: pure; planning the same documents against it changes nothing.

use crate::model::{
    Body, DesiredPolicy, DesiredVijilPolicy, DesiredVijilRule, Live, LiveBody, LivePolicy,
    LiveRule, LiveVijil, LiveVijilPolicy, LiveVijilRule, PolicyId, Review, Rule, RuleId,
    TeamDirectory, VijilStatus,
};

/// The organization with these policies and the live policies of `others`. Ids are made up.
#[must_use]
pub fn docker(
    desired: &[DesiredPolicy],
    others: &[&LivePolicy],
    org: &str,
    teams: &TeamDirectory,
) -> Live {
    let own = desired.iter().map(|declared| {
        let policy = &declared.policy;
        let rule = |(index, rule): (usize, &Rule)| LiveRule {
            id: RuleId(format!("base:{}:{index}", policy.name)),
            rule: rule.clone(),
        };
        let body = match &policy.body {
            Body::Allowlist(rules) => {
                LiveBody::Allowlist(rules.iter().enumerate().map(rule).collect())
            }
            Body::Cedar(cedar) => LiveBody::Cedar(cedar.clone()),
        };
        let id = PolicyId(format!("base:{}", policy.name));
        LivePolicy { id, name: policy.name.clone(), scope: policy.scope.clone(), body }
    });
    let mut policies: Vec<LivePolicy> =
        own.chain(others.iter().map(|policy| (*policy).clone())).collect();
    policies.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    Live { org: org.to_owned(), policies, teams: teams.clone() }
}

/// The policies for agents. A field, a status or a review that a document leaves out is unknown: it
/// gets the value that the service gives a new object, or the value that the rest of the document
/// requires.
#[must_use]
pub fn vijil(desired: &[DesiredVijilPolicy]) -> LiveVijil {
    let mut policies: Vec<LiveVijilPolicy> = desired.iter().map(vijil_policy).collect();
    policies.sort_by(|one, other| one.name.cmp(&other.name));
    LiveVijil { policies }
}

fn vijil_policy(declared: &DesiredVijilPolicy) -> LiveVijilPolicy {
    let DesiredVijilPolicy { name, previously: _, status, fields, rules, origin: _ } = declared;
    let status = status.unwrap_or(VijilStatus::Draft);
    let mut rules: Vec<LiveVijilRule> =
        rules.iter().map(|rule| vijil_rule(name, status, rule)).collect();
    rules.sort_by(|one, other| one.rule_id.cmp(&other.rule_id));
    let id = format!("base:{name}");
    LiveVijilPolicy {
        id,
        name: name.clone(),
        status: status.as_str().to_owned(),
        fields: fields.clone(),
        rules,
    }
}

fn vijil_rule(policy: &str, status: VijilStatus, declared: &DesiredVijilRule) -> LiveVijilRule {
    let DesiredVijilRule { rule_id, previously: _, fields, review, provenance, origin: _ } =
        declared;
    let (status, notes) = match (review, status) {
        (Some(Review::Approved(notes)), _) => {
            ("approved", Some(notes).filter(|notes| !notes.trim().is_empty()))
        }
        (Some(Review::Rejected(reason)), _) => ("rejected", Some(reason)),
        // The service activates no policy while one of its rules is not approved.
        (None, VijilStatus::Active) => ("approved", None),
        (None, VijilStatus::Draft | VijilStatus::Archived) => ("draft", None),
    };
    LiveVijilRule {
        id: format!("base:{policy}:{rule_id}"),
        rule_id: rule_id.clone(),
        status: status.to_owned(),
        notes: notes.cloned(),
        reviewed_by: None,
        reviewed_at: None,
        fields: fields.clone(),
        provenance: provenance.clone(),
    }
}
