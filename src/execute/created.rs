//! The ids of objects that the steps of a plan created, for the names in later requests.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::request::Segment;

/// Ids of one service, by the names that the plan uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Created {
    policies: BTreeMap<String, String>,
    /// Ids of rules, by the id of the policy and the name of the rule.
    rules: BTreeMap<(String, String), String>,
    /// Ids of policies that existed already, so that they may have rules.
    found: BTreeSet<String>,
}

impl Created {
    pub(super) fn policy(name: &str, id: &str) -> Self {
        Self { policies: BTreeMap::from([(name.to_owned(), id.to_owned())]), ..Self::default() }
    }

    /// Adds a policy that existed already.
    pub(super) fn found_policy(name: &str, id: &str) -> Self {
        Self { found: BTreeSet::from([id.to_owned()]), ..Self::policy(name, id) }
    }

    pub(super) fn rule(policy: &str, name: &str, id: &str) -> Self {
        let key = (policy.to_owned(), name.to_owned());
        Self { rules: BTreeMap::from([(key, id.to_owned())]), ..Self::default() }
    }

    pub(super) fn extend(&mut self, Self { policies, rules, found }: Self) {
        self.policies.extend(policies);
        self.rules.extend(rules);
        self.found.extend(found);
    }

    pub(super) fn policy_id(&self, name: &str) -> Option<String> {
        self.policies.get(name).cloned()
    }

    pub(super) fn rule_id(&self, policy: &str, name: &str) -> Option<String> {
        self.rules.get(&(policy.to_owned(), name.to_owned())).cloned()
    }

    /// Returns `true` if the policy of this id existed before the plan.
    pub(super) fn was_found(&self, id: &str) -> bool {
        self.found.contains(id)
    }
}

/// A path with ids; `None` while one of them is unknown.
pub(super) fn path(
    segments: Vec<Segment>,
    policy: Option<&str>,
    rule: Option<&str>,
) -> Option<Vec<String>> {
    let segments = segments.into_iter().map(|segment| match segment {
        Segment::Text(text) => Some(text),
        Segment::Policy(_) => policy.map(str::to_owned),
        Segment::Rule(_) => rule.map(str::to_owned),
    });
    segments.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_path_become_ids_once_all_are_known() {
        let text = |text: &str| Segment::Text(text.to_owned());
        let segments = || {
            vec![text("policies"), Segment::Policy("p".to_owned()), Segment::Rule("r".to_owned())]
        };
        let ids = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        let table = [
            (segments(), Some("1"), Some("2"), ids(&["policies", "1", "2"])),
            (segments(), Some("1"), None, None),
            (segments(), None, Some("2"), None),
            (vec![text("policies")], None, None, ids(&["policies"])),
        ];
        for (segments, policy, rule, expected) in table {
            assert_eq!(path(segments, policy, rule), expected);
        }
    }

    #[test]
    fn a_rule_is_known_in_its_own_policy_only() {
        let mut created = Created::policy("p", "1");
        created.extend(Created::found_policy("q", "2"));
        created.extend(Created::rule("1", "r", "3"));
        assert_eq!(
            (created.policy_id("p").as_deref(), created.rule_id("1", "r").as_deref()),
            (Some("1"), Some("3"))
        );
        assert_eq!((created.policy_id("r"), created.rule_id("2", "r")), (None, None));
        assert!(created.was_found("2") && !created.was_found("1"));
    }
}
