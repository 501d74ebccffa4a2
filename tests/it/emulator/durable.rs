//! State on disk, and state to start from.

use seawall::emulator::{Emulator, EmulatorError, Seed, StoreError};
use seawall::seed;
use seawall::service::docker::Snapshot;
use serde_json::json;

use super::{Fixture, POLICIES, policy, stored};

#[tokio::test]
async fn state_is_there_again_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let before = Fixture::with(|builder| stored(builder, &path)).await;
    let (kept, deleted) = (before.policy("kept").await, before.policy("deleted").await);
    before.rule(&kept, "r").await;
    before.delete(&policy(&deleted)).await.expect(200);
    let state = before.emulator.state();
    let token = before.token.clone();
    before.emulator.stop().await;

    let mut after = Fixture::with(|builder| stored(builder, &path)).await;
    assert_eq!(after.emulator.state(), state);
    // Ids are not given again.
    let fresh = after.policy("fresh").await;
    assert!(fresh != kept && fresh != deleted);
    // A token of the process before is worth nothing.
    after.token = token;
    after.get(POLICIES).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn one_emulator_at_a_time_has_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let first = Fixture::with(|builder| stored(builder, &path)).await;
    let error = stored(Emulator::builder(), &path).start().await.unwrap_err();
    assert!(matches!(&error, EmulatorError::Store(StoreError::InUse(_))), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("the state file `{}` is in use by another process", path.display())
    );
    // Dropping is enough to let go of it.
    drop(first);
    stored(Emulator::builder(), &path).start().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_state_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "notes").unwrap();
    assert!(stored(Emulator::builder(), &path).start().await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "notes");
}

#[tokio::test]
async fn a_snapshot_is_where_an_organization_starts_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let shown = json!({
        "id": "pol_06evsmp24r1pg71cm8500546pkbn", "name": "Security Research", "org": "other-name",
        "scope": {"teams": ["d290f1ee-6c54-4b01-90e6-d701748f0851"]},
        "created_at": "2026-04-22T00:00:00Z", "updated_at": "2026-04-22T00:00:00Z",
        "allowlist_v0": {"domain": "network", "rules": [
            // The service knows more than this version: the seed is not judged.
            {"id": "rule_1", "name": "twice", "actions": ["connect:sctp"], "resources": ["*"], "decision": "allow"},
            {"id": "rule_2", "name": "twice", "actions": ["connect:tcp"], "resources": ["**"], "decision": "deny"},
        ]},
    });
    let teams = json!([{"id": "d290f1ee-6c54-4b01-90e6-d701748f0851", "name": "imported"}]);
    let docker = json!({"org": "my-org", "teams": teams, "policies": [shown]});
    let snapshot = json!({"format_version": 1, "docker": docker, "later": {}}).to_string();
    let seed = || Seed::from(Snapshot::parse(&snapshot).unwrap());

    let fixture = Fixture::with(|builder| stored(builder, &path).seed(seed())).await;
    let id = shown["id"].as_str().unwrap();
    let mut expected = shown.clone();
    expected["org"] = json!("my-org");
    assert_eq!(fixture.send(reqwest::Method::GET, &policy(id), None).await.unwrap().body, expected);
    assert_eq!(fixture.emulator.state().orgs["my-org"].teams.len(), 3);
    // The answer holds an action that the contract does not know.
    fixture.send(reqwest::Method::DELETE, &policy(id), None).await.unwrap().expect(200);
    fixture.emulator.stop().await;
    // What was deleted stays deleted: the organization is known.
    let again = Fixture::with(|builder| stored(builder, &path).seed(seed())).await;
    assert_eq!(again.emulator.policies(), []);
}

#[tokio::test]
async fn documents_are_where_an_organization_starts() {
    use seawall::model::{
        Action, Body, Decision, Desired, DesiredPolicy, Domain, Origin, Policy, Resources, Rule,
        Scope,
    };
    let origin = Origin { file: "a.yaml".to_owned(), line: 1, column: 1 };
    let rule = Rule {
        name: "r".to_owned(),
        decision: Decision::Allow,
        actions: vec![Action::ConnectTcp],
        resources: Resources::Plain(vec!["cve.mitre.org".to_owned()].into()),
    };
    let uuid = "d290f1ee-6c54-4b01-90e6-d701748f0851";
    let scope = Scope::from_teams(["research".to_owned(), uuid.to_owned(), "new".to_owned()]);
    let policy = Policy { name: "p".to_owned(), scope, body: Body::Allowlist(vec![rule]) };
    let declared = DesiredPolicy {
        policy,
        domain: Domain::Network,
        previously: Vec::new(),
        orgs: Vec::new(),
        origin,
        rules: Vec::new(),
    };
    let seed = seed::from_desired(
        "my-org",
        &Desired { policies: vec![declared], vijil: Vec::new() },
        Vec::new(),
    );

    let fixture = Fixture::with(|builder| builder.seed(seed)).await;
    let list = fixture.get(POLICIES).await.expect(200).body;
    let shown =
        fixture.get(&super::policy(list["data"][0]["id"].as_str().unwrap())).await.expect(200).body;
    assert_eq!(shown["allowlist_v0"]["domain"], json!("network"));
    let teams = &fixture.emulator.state().orgs["my-org"].teams;
    let mut names: Vec<&str> = teams.values().map(|team| team.name.as_str()).collect();
    names.sort_unstable();
    // A team of the set-up with the same name is the same team; a UUID is an id.
    assert_eq!(names, [uuid, "new", "platform", "research"]);
    assert!(
        shown["scope"]["teams"]
            .as_array()
            .unwrap()
            .iter()
            .all(|id| teams.contains_key(id.as_str().unwrap()))
    );
    assert!(teams.contains_key(uuid));
}
