//! `seawall snapshot` as a process: settings and credentials from outside, exit codes, and what it
//! says.

use std::path::Path;
use std::process::Output;

use seawall::emulator::{Emulator, Running};
use seawall::service::docker::Snapshot;

/// A workspace with this `docker` section.
fn workspace(docker: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let policy = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Research\nscope: {teams: [research]}\nrules: []\n";
    std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let settings = format!("apiVersion: seawall/v1\nkind: Workspace\ndocker: {docker}\n");
    std::fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    folder
}

async fn snapshot(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(["snapshot"]).args(arguments).current_dir(folder).env_clear();
    command.envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn emulator() -> Running {
    Emulator::builder()
        .org("my-org")
        .teams(["research"])
        .account("someone", "dckr_pat_do-not-show-me")
        .start()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_service_needs_no_credentials_and_has_the_declared_teams() {
    let folder = workspace("{org: my-org, endpoint: embedded}");
    let output = snapshot(folder.path(), &["--out", "live.json"], &[]).await;
    assert_eq!(said(&output), (Some(0), String::new()));
    assert!(output.stdout.is_empty());
    let text = std::fs::read_to_string(folder.path().join("live.json")).unwrap();
    let live = Snapshot::parse(&text).unwrap().docker.unwrap().live().unwrap();
    assert_eq!((live.org.as_str(), live.policies.len()), ("my-org", 0));
    assert_eq!(live.teams.iter().map(|team| team.name).collect::<Vec<_>>(), ["research"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_say_where_who_and_which() {
    let emulator = emulator().await;
    let folder = workspace("{org: other-org, endpoint: embedded}");
    let variables = [
        ("SEAWALL_DOCKER_ENDPOINT", emulator.base_url()),
        ("DOCKER_USERNAME", "someone".into()),
        ("DOCKER_PASSWORD", "dckr_pat_do-not-show-me\n".into()),
    ];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let output = snapshot(folder.path(), &["--org", "my-org"], &variables).await;
    assert_eq!(said(&output), (Some(0), String::new()));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("{\n  \"format_version\": 1"));

    let output = snapshot(folder.path(), &["-vvv"], &variables).await; // `other-org` of the workspace
    let (code, stderr) = said(&output);
    assert_eq!((code, output.stdout.len()), (Some(5), 0));
    assert!(stderr.contains("shows no organization `other-org` to this account"), "{stderr}");
    assert!(!stderr.contains("do-not-show-me"), "{stderr}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stored_login_is_used_through_its_helper() {
    let emulator = emulator().await;
    let folder = workspace(&format!("{{org: my-org, endpoint: '{}'}}", emulator.base_url()));
    let helper = folder.path().join("docker-credential-test");
    let script = "#!/bin/sh\nread server\n[ \"$1 $server\" = 'get https://index.docker.io/v1/' ] || exit 1\n\
                  echo '{\"ServerURL\":\"x\",\"Username\":\"someone\",\"Secret\":\"dckr_pat_do-not-show-me\"}'\n";
    std::fs::write(&helper, script).unwrap();
    std::fs::write(folder.path().join("config.json"), r#"{"credsStore":"test"}"#).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let variables = [("DOCKER_CONFIG", folder.path().to_str().unwrap()), ("PATH", path.as_str())];
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = snapshot(folder.path(), &[], &variables).await;
    assert_eq!(said(&output), (Some(0), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_are_told_before_anything_is_sent() {
    let table = [
        ("{org: my-org}", &[][..], 5, "there are no Docker credentials"),
        ("{endpoint: embedded}", &[], 2, "no Docker organization is named"),
        (
            "{org: o}",
            &["--docker-endpoint", "http://hub.docker.com/v2"],
            2,
            "`--docker-endpoint`: plain http",
        ),
        ("{org: o}", &["--docker-endpoint", "https://hub.docker.com"], 2, "does not end in `v2`"),
        (
            "{org: o, endpoint: 'https://hub.docker.com.example/v2'}",
            &[],
            2,
            "would send Docker credentials to",
        ),
    ];
    for (docker, arguments, code, says) in table {
        let folder = workspace(docker);
        let (exit, stderr) = said(&snapshot(folder.path(), arguments, &[]).await);
        assert_eq!(exit, Some(code), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
}
