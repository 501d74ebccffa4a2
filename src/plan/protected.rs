//! The names under which a policy is protected, followed through renames.
//!
//! Invariant: a policy that is protected under one of its names is protected under all of them, so
//! that no rename, and no deletion after a rename, ends the protection.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Desired, Protected, Weakening};

/// These protections under every name that the policy has or had according to the documents. If
/// several of its names are protected, only what all of them allow is allowed.
#[must_use]
pub fn followed(policies: &[Protected], declared: &[&Desired]) -> Vec<Protected> {
    let mut all: BTreeMap<&str, BTreeSet<Weakening>> = BTreeMap::new();
    for Protected { name, allow } in policies {
        let known = all.entry(name).or_insert_with(|| allow.clone());
        known.retain(|kind| allow.contains(kind));
    }
    let mut moved = true;
    while moved {
        moved = false;
        for (name, previously) in declared.iter().flat_map(|desired| desired.names()) {
            let names = || std::iter::once(name).chain(previously.iter().map(String::as_str));
            let allowed = names().filter_map(|name| all.get(name)).cloned();
            let Some(allowed) = allowed.reduce(|one, other| &one & &other) else { continue };
            for name in names() {
                moved |= all.insert(name, allowed.clone()).as_ref() != Some(&allowed);
            }
        }
    }
    all.into_iter().map(|(name, allow)| Protected { name: name.to_owned(), allow }).collect()
}

#[cfg(test)]
mod tests {
    use super::followed;
    use crate::model::{Desired, DesiredVijilPolicy, Fields, Origin, Protected, Weakening};

    fn declared(policies: &[(&str, &[&str])]) -> Desired {
        let policy = |(name, previously): &(&str, &[&str])| DesiredVijilPolicy {
            name: (*name).to_owned(),
            previously: previously.iter().map(|name| (*name).to_owned()).collect(),
            status: None,
            fields: Fields::new(),
            rules: Vec::new(),
            origin: Origin { file: String::new(), line: 1, column: 1 },
        };
        Desired { policies: Vec::new(), vijil: policies.iter().map(policy).collect() }
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
            let names: Vec<Protected> = names.iter().map(|name| Protected::wholly(*name)).collect();
            let found = followed(&names, &[&proposed, &base]);
            assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), expected);
        }
        let allows = |name: &str, kinds: &[Weakening]| Protected {
            name: name.to_owned(),
            allow: kinds.iter().copied().collect(),
        };
        let lax =
            [allows("a", &[Weakening::Scope, Weakening::Delete]), allows("c", &[Weakening::Scope])];
        let found = followed(&lax, &[&proposed, &base]);
        assert!(
            found.iter().all(|one| *one == allows(&one.name, &[Weakening::Scope])),
            "{found:?}"
        );
        assert!(base.declares("a") && base.declares("b") && !base.declares("c"));
    }
}
