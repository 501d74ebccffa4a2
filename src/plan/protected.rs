//! Names of protected policies, followed from one name of a policy to another.
//!
//! Invariant: a policy that is protected under one of its names is protected under all of them, so that no rename, and
//! no deletion after a rename, takes it out.

use std::collections::BTreeSet;

use crate::model::Desired;

/// These names, and every other name that a policy of such a name has or had, as documents declare it.
#[must_use]
pub fn followed(names: &[String], declared: &[&Desired]) -> Vec<String> {
    let mut all: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut before = 0;
    while before < all.len() {
        before = all.len();
        for (name, previously) in declared.iter().flat_map(|desired| desired.names()) {
            let own = || std::iter::once(name).chain(previously.iter().map(String::as_str));
            if own().any(|name| all.contains(name)) {
                all.extend(own());
            }
        }
    }
    all.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::followed;
    use crate::model::{Desired, DesiredAgentPolicy, Fields, Origin};

    fn declared(policies: &[(&str, &[&str])]) -> Desired {
        let policy = |(name, previously): &(&str, &[&str])| DesiredAgentPolicy {
            name: (*name).to_owned(),
            previously: previously.iter().map(|name| (*name).to_owned()).collect(),
            status: None,
            fields: Fields::new(),
            rules: Vec::new(),
            origin: Origin { file: String::new(), line: 1, column: 1 },
        };
        Desired { policies: Vec::new(), agents: policies.iter().map(policy).collect() }
    }

    #[test]
    fn a_protected_policy_is_protected_under_all_of_its_names() {
        let base = declared(&[("b", &["a"]), ("other", &[])]);
        let proposed = declared(&[("c", &["b"]), ("other", &[])]);
        let table: [(&[&str], &[&str]); 4] = [
            (&["a"], &["a", "b", "c"]), // renamed twice since
            (&["c"], &["a", "b", "c"]), // not yet renamed where it is live
            (&["other"], &["other"]),
            (&[], &[]),
        ];
        for (names, expected) in table {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(followed(&names, &[&proposed, &base]), expected);
        }
        assert!(base.declares("a") && base.declares("b") && !base.declares("c"));
    }
}
