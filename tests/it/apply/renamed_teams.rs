//! Teams of a saved plan: reviewers read names, and the service obeys ids.

use seawall::emulator::State;
use seawall::emulator::docker::{Allowlist, Policy, Rule};
use seawall::model::Decision;

use super::command::{MIRRORS, Workspace};

/// The id of a team of this name.
fn id(state: &mut State, name: &str) -> String {
    state.org_mut("my-org").ensure_team("my-org", name)
}

fn rename(state: &mut State, from: &str, to: &str) {
    let id = id(state, from);
    std::sync::Arc::make_mut(&mut state.org_mut("my-org").teams).get_mut(&id).unwrap().name =
        to.to_owned();
}

/// What happens between the plan and its apply, and what the refusal says; nothing for a plan that
/// still fits.
type Row = (&'static str, fn(&mut State), &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_a_team_is_applied_to_no_other_team() {
    let table: [Row; 8] = [
        (
            "renamed",
            |state| rename(state, "research", "science"),
            "the team `research` of the plan is called `science` now",
        ),
        (
            "deleted and made again",
            |state| {
                let old = id(state, "research");
                std::sync::Arc::make_mut(&mut state.org_mut("my-org").teams).remove(&old);
                state
                    .org_mut("my-org")
                    .add_team("11111111-2222-4333-8444-555555555555".to_owned(), "research");
            },
            "the team `research` of the plan is gone",
        ),
        (
            "swapped",
            |state| {
                rename(state, "research", "other");
                rename(state, "platform", "research");
                rename(state, "other", "platform");
            },
            "the team `research` of the plan is called `platform` now",
        ),
        (
            "a second team of the name",
            |state| {
                state
                    .org_mut("my-org")
                    .add_team("11111111-2222-4333-8444-555555555555".to_owned(), "research")
            },
            "the team `research` is not one that the plan knows",
        ),
        (
            "another team takes the name",
            |state| {
                rename(state, "research", "former");
                rename(state, "platform", "research");
            },
            "the team `research` of the plan is called `former` now",
        ),
        // In no scope of a step, but shown as the audience of what changes.
        (
            "an audience renamed",
            |state| rename(state, "blocked", "let through"),
            "called `let through` now",
        ),
        (
            "gone",
            |state| {
                let old = id(state, "research");
                std::sync::Arc::make_mut(&mut state.org_mut("my-org").teams).remove(&old);
            },
            "the team `research` of the plan is gone",
        ),
        (
            "a team that has nothing to do with it",
            |state| {
                rename(state, "platform", "engineers");
                id(state, "sales");
            },
            "",
        ),
    ];
    for (what, change, says) in table {
        let closed =
            MIRRORS.replace("Mirrors", "Closed").replace("scope: {teams: [research]}\n", "");
        let closed = closed.replace("decision: allow", "decision: deny");
        let workspace = Workspace::new(&format!("{MIRRORS}---\n{closed}"), "").await;
        let settings = workspace.read("seawall.yaml").replace("ownership: exclusive, ", "");
        workspace.write("seawall.yaml", &settings);
        assert!(workspace.run(&["apply", "--yes"]).await.starts_with("exit 0\n"));
        let written = workspace.emulator.writes().len();
        // Once nobody is denied it any more, somebody else's allow opens it for members of another
        // team.
        workspace
            .emulator
            .edit(|state| {
                let teams = Some(vec![id(state, "blocked")]);
                let (policy, rule) = (state.next_id("pol_"), state.next_id("rule_"));
                let rule = Rule {
                    id: rule,
                    name: "theirs".to_owned(),
                    actions: vec!["connect:tcp".to_owned()],
                    resources: Some(vec!["cve.mitre.org".to_owned()]),
                    http_resources: None,
                    decision: Decision::Allow,
                };
                let policy = Policy {
                    id: policy,
                    name: "Theirs".to_owned(),
                    org: "my-org".to_owned(),
                    scope: seawall::emulator::docker::Scope { teams },
                    created_at: "2026-04-22T00:00:00Z".to_owned(),
                    updated_at: "2026-04-22T00:00:00Z".to_owned(),
                    allowlist_v0: Some(Allowlist {
                        domain: Some("network".to_owned()),
                        rules: vec![rule],
                    }),
                    cedar_v1: None,
                };
                state.org_mut("my-org").policies.insert(policy.id.clone(), policy.into());
            })
            .unwrap();
        let opened = MIRRORS.replace("cve.mitre", "www.mitre");
        workspace.write(
            "policies.yaml",
            &format!("{opened}---\n{}", closed.replace("cve.mitre", "closed.mitre")),
        );
        let planned = workspace.run(&["plan", "--out", "plan.json"]).await;
        assert!(planned.contains("gained by members of blocked"), "{planned}");
        workspace.emulator.edit(change).unwrap();
        let output = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
        match says {
            "" => assert!(output.starts_with("exit 0\n"), "{what}: {output}"),
            says => {
                assert!(
                    output.starts_with("exit 4\n") && output.contains(says),
                    "{what}: {output}"
                );
                assert_eq!(workspace.emulator.writes().len(), written, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_count_where_no_access_changes_too() {
    let renamed_rule = MIRRORS.replace("name: cve", "name: renamed, previously: [cve]");
    let empty = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Empty\nscope: {teams: [research]}\nrules: []\n";
    let new_policy = format!("{MIRRORS}---\n{empty}");
    let called = "the team `research` of the plan is called `science` now";
    let second = "the team `research` is not one that the plan knows";
    let renames: fn(&mut State) = |state| rename(state, "research", "science");
    let adds: fn(&mut State) = |state| {
        state
            .org_mut("my-org")
            .add_team("11111111-2222-4333-8444-555555555555".to_owned(), "research")
    };
    for (changed, change, says) in [
        (&renamed_rule, renames, called),
        (&new_policy, renames, called),
        (&new_policy, adds, second),
    ] {
        let workspace = Workspace::new(MIRRORS, "").await;
        assert!(workspace.run(&["apply", "--yes"]).await.starts_with("exit 0\n"));
        workspace.write("policies.yaml", changed);
        let planned = workspace.run(&["plan", "--out", "plan.json"]).await;
        assert!(planned.contains("no access change"), "{planned}");
        workspace.emulator.edit(change).unwrap();
        let output = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
        assert!(output.starts_with("exit 4\n") && output.contains(says), "{changed}: {output}");
    }
}
