//! Settings that a proposal may not choose for itself: those of the base apply, and the differences
//! are reported.
//!
//! Invariant: the target of a plan, its limits on deletions and its guards come from the base; if
//! the base does not set one, the strictest applies. Only the files of the workspace and the known
//! teams come from the proposal.

use serde_json::{Value, json};

use super::{Docker, OwnershipSetting, Settings, Vijil};
use crate::model::{EditActive, Guards, Limit, Protected, SettingChange};

/// The settings that apply to a proposal, and its differences from them. Without a base, nothing
/// may be deleted or opened.
#[must_use]
pub fn settings_for(
    proposed: &Settings,
    base: Option<&Settings>,
) -> (Settings, Vec<SettingChange>) {
    let before = base.map(named).unwrap_or_default();
    let changes = named(proposed).into_iter().filter_map(|(setting, proposed)| {
        let base = before
            .iter()
            .find(|(name, _)| *name == setting)
            .map_or(Value::Null, |(_, value)| value.clone());
        (base != proposed).then(|| SettingChange { setting: setting.to_owned(), base, proposed })
    });
    let changes = changes.collect();
    let held = match base {
        Some(base) => base.clone(),
        None => Settings {
            guards: Guards {
                protected: proposed.guards.protected.clone(),
                require_records: proposed.guards.require_records,
                ..guards_of(None)
            },
            docker: None,
            vijil: None,
            ..proposed.clone()
        },
    };
    let teams = || proposed.docker.as_ref().and_then(|docker| docker.teams.clone());
    let docker = match (held.docker, &proposed.docker) {
        (Some(docker), _) => Some(Docker { teams: teams(), ..docker }),
        (None, docker) => {
            docker.clone().map(|docker| Docker { ownership: OwnershipSetting::Declared, ..docker })
        }
    };
    let vijil = match (held.vijil, &proposed.vijil) {
        (Some(vijil), _) => Some(vijil),
        (None, vijil) => {
            vijil.clone().map(|vijil| Vijil { ownership: OwnershipSetting::Declared, ..vijil })
        }
    };
    (Settings { include: proposed.include.clone(), docker, vijil, ..held }, changes)
}

/// The guards of a base. Without one, nothing may be deleted or opened, and no recorded request may
/// be blocked. Records are not required, since a new workspace has none.
#[must_use]
pub fn guards_of(base: Option<&Settings>) -> Guards {
    let none = Some(Limit::Count(0));
    // Every guard by name: a new one has to be strict here too.
    let strictest = || Guards {
        max_deletes: none,
        deny_widening: true,
        access_tests: true,
        protected: Vec::new(),
        blocked_requests: none,
        require_records: false,
    };
    base.map_or_else(strictest, |base| base.guards.clone())
}

/// Every setting that is relevant for a reviewer, by name; null if it is not set.
fn named(workspace: &Settings) -> Vec<(&'static str, Value)> {
    let Settings { api_version: _, kind: _, include, docker, vijil, guards } = workspace;
    let Guards {
        max_deletes,
        deny_widening,
        access_tests,
        protected,
        blocked_requests,
        require_records,
    } = guards;
    let docker = docker.as_ref().map(
        |Docker { org, orgs, endpoint, ownership, owns, unmanaged, teams: _ }| {
            let orgs = orgs.as_deref().map_or(Value::Null, listed);
            let owns = listed(owns.as_deref().unwrap_or_default());
            (json!(org), orgs, json!(endpoint), spelt(*ownership), owns, listed(unmanaged))
        },
    );
    let (org, orgs, endpoint, ownership, owns, unmanaged) = docker.unwrap_or_default();
    let vijil = vijil.as_ref().map(|Vijil { endpoint, ownership, edit_active, seed: _ }| {
        let edit_active = match edit_active {
            EditActive::InPlace => "in_place",
            EditActive::Deactivate => "deactivate",
        };
        (json!(endpoint), spelt(*ownership), json!(edit_active))
    });
    let (vijil_endpoint, vijil_ownership, vijil_edit_active) = vijil.unwrap_or_default();
    vec![
        ("include", json!(include)),
        ("docker.org", org),
        ("docker.orgs", orgs),
        ("docker.endpoint", endpoint),
        ("docker.ownership", ownership),
        ("docker.owns", owns),
        ("docker.unmanaged", unmanaged),
        ("vijil.endpoint", vijil_endpoint),
        ("vijil.ownership", vijil_ownership),
        ("vijil.edit_active", vijil_edit_active),
        ("guards.max_deletes", json!(max_deletes)),
        ("guards.deny_widening", if *deny_widening { json!(true) } else { Value::Null }),
        ("guards.access_tests", if *access_tests { Value::Null } else { json!(false) }),
        ("guards.protected", protected_list(protected)),
        ("guards.blocked_requests", json!(blocked_requests)),
        ("guards.require_records", if *require_records { json!(true) } else { Value::Null }),
    ]
}

fn spelt(ownership: OwnershipSetting) -> Value {
    match ownership {
        OwnershipSetting::Declared => json!("declared"),
        OwnershipSetting::Exclusive => json!("exclusive"),
    }
}

/// Sorted, since the order has no meaning; an empty list is null.
fn listed(items: &[String]) -> Value {
    let mut items = items.to_vec();
    items.sort();
    items.dedup();
    if items.is_empty() { Value::Null } else { json!(items) }
}

/// As [`listed`].
fn protected_list(policies: &[Protected]) -> Value {
    let policies: std::collections::BTreeSet<&Protected> = policies.iter().collect();
    if policies.is_empty() { Value::Null } else { json!(policies) }
}

#[cfg(test)]
mod tests {
    use super::{Settings, settings_for};

    fn settings(text: &str) -> Settings {
        serde_yaml::from_str(&format!("apiVersion: seawall/v1\nkind: Workspace\n{text}")).unwrap()
    }

    const BASE: &str = "include: [a.yaml]
docker: {org: acme, endpoint: 'https://hub.docker.com/v2', ownership: declared, unmanaged: [b, a], teams: [x]}
guards: {deny_widening: true, max_deletes: 10%, protected: [Guardrails]}
";

    #[test]
    fn the_base_holds_whatever_is_proposed() {
        let base = settings(BASE);
        let proposed = settings(
            "include: [b.yaml]
docker: {org: other, endpoint: embedded, ownership: exclusive, unmanaged: ['*'], teams: [y]}
vijil: {endpoint: embedded, ownership: exclusive}
",
        );
        let (held, changes) = settings_for(&proposed, Some(&base));
        assert_eq!(held.guards, base.guards);
        assert_eq!(held.include.as_deref(), Some(&["b.yaml".to_owned()][..]));
        let docker = held.docker.unwrap();
        assert_eq!(docker.teams.as_deref(), Some(&["y".to_owned()][..]));
        assert_eq!(
            super::Docker { teams: None, ..docker },
            super::Docker { teams: None, ..base.docker.unwrap() }
        );
        assert_eq!(held.vijil.unwrap().ownership, super::OwnershipSetting::Declared); // the base has none
        let names: Vec<&str> = changes.iter().map(|change| change.setting.as_str()).collect();
        assert_eq!(
            names,
            [
                "include",
                "docker.org",
                "docker.endpoint",
                "docker.ownership",
                "docker.unmanaged",
                "vijil.endpoint",
                "vijil.ownership",
                "vijil.edit_active",
                "guards.max_deletes",
                "guards.deny_widening",
                "guards.protected"
            ]
        );
    }

    #[test]
    fn a_section_that_is_taken_out_still_holds() {
        let base = settings(BASE);
        let (held, changes) = settings_for(&settings("include: [a.yaml]\n"), Some(&base));
        assert_eq!(held.docker.and_then(|docker| docker.org).as_deref(), Some("acme"));
        assert!(
            changes
                .iter()
                .any(|change| change.setting == "docker.org" && change.proposed.is_null())
        );
    }

    #[test]
    fn what_means_the_same_is_no_change() {
        let same = BASE.replace("[b, a]", "[a, b, a]").replace("teams: [x]", "teams: [z]");
        assert_eq!(settings_for(&settings(&same), Some(&settings(BASE))).1, []);
    }

    #[test]
    fn without_a_base_nothing_may_be_deleted_or_opened() {
        let proposed =
            settings("docker: {org: acme, ownership: exclusive}\nguards: {max_deletes: 100%}\n");
        let (held, changes) = settings_for(&proposed, None);
        assert!(held.guards.deny_widening);
        assert_eq!(held.guards.max_deletes, Some(super::Limit::Count(0)));
        assert_eq!(
            held.docker.map(|docker| docker.ownership),
            Some(super::OwnershipSetting::Declared)
        );
        assert_eq!(changes.len(), 3, "{changes:?}");
    }
}
