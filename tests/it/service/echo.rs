//! A service that gives back what it was sent in secret: in any field, and in any form.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use seawall::exit::Explain as _;
use seawall::service::docker::Snapshot;

use super::odd::{Odd, json};
use super::{Client, limits};

const TOKEN: &str = "dckr_pat_aB3-xY7_kLm9Qr2TzW5uVbN8cDe";
const BEARER: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzb21lb25lIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";

/// What a service may say of a secret.
fn echoes() -> Vec<String> {
    let percent: String = TOKEN.bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        TOKEN.to_owned(),
        BEARER.to_owned(),
        format!("Bearer {BEARER}"),
        TOKEN[..TOKEN.len() - 2].to_owned(),
        TOKEN[9..].to_owned(),
        TOKEN.to_uppercase(),
        STANDARD.encode(TOKEN),
        STANDARD.encode(TOKEN).trim_end_matches('=').to_owned(),
        URL_SAFE_NO_PAD.encode(format!("someone:{TOKEN}")),
        STANDARD.encode(format!("a-longer-name:{TOKEN}")),
        percent,
        BEARER.split('.').nth(2).unwrap().to_owned(),
        BEARER.rsplit_once('.').unwrap().0.to_owned(),
    ]
}

/// The whole live state, or the error, in every form that leaves the program.
async fn said(client: &Client) -> String {
    match client.reader.live().await {
        Ok(live) => format!("{live:?}"),
        Err(error) => format!("{error} {error:?} {:?}", error.hint()),
    }
}

#[tokio::test]
async fn no_field_brings_a_secret_back() {
    let empty = || json(200, r#"{"results":[],"next":null}"#);
    let policies =
        |body: String| json(200, &format!(r#"{{"data":[{body}],"next_page_token":null}}"#));
    let mut number = 0;
    for echo in echoes() {
        for place in [
            "org", "id", "name", "scope", "rule", "cedar", "team", "next", "type", "message",
            "code", "text",
        ] {
            let said_by_service = echo.clone();
            let odd = Odd::bare(move |_, request| {
                let echo = &said_by_service;
                let path = request.path.split('?').next().unwrap_or_default();
                if path.ends_with("/auth/token") {
                    return json(200, &format!(r#"{{"access_token":"{BEARER}"}}"#));
                }
                let policy = |field: &str| json(200, &format!(r#"{{"id":"p","name":"n",{field}}}"#));
                match (place, path.ends_with("/groups"), path.ends_with("/policies")) {
                    ("message", ..) => json(403, &format!(r#"{{"error":{{"code":"no","message":"x {echo} x"}}}}"#)),
                    ("code", ..) => json(400, &format!(r#"{{"error":{{"code":"{echo}","message":"x"}}}}"#)),
                    ("text", ..) => json(400, echo),
                    ("team", true, _) => json(200, &format!(r#"{{"results":[{{"uuid":"{echo}","name":"{echo}"}}],"next":null}}"#)),
                    ("next", true, _) => json(200, &format!(r#"{{"results":[],"next":"https://example.com/{echo}"}}"#)),
                    ("type", true, _) => json(200, &format!(r#"{{"results":"{echo}","next":null}}"#)),
                    (_, true, _) => empty(),
                    ("org", _, true) => policies(format!(r#"{{"id":"p","org":"{echo}"}}"#)),
                    ("id", _, true) => policies(format!(r#"{{"id":"{echo}"}}"#)),
                    (_, _, true) => policies(r#"{"id":"p"}"#.to_owned()),
                    ("name", ..) => json(200, &format!(r#"{{"id":"p","name":"a {echo} b"}}"#)),
                    ("scope", ..) => policy(&format!(r#""scope":{{"teams":["{echo}"]}}"#)),
                    ("rule", ..) => policy(&format!(
                        r#""allowlist_v0":{{"rules":[{{"id":"r","name":"{echo}","actions":["connect:tcp"],"decision":"allow","resources":["{echo}"]}}]}}"#
                    )),
                    ("cedar", ..) => policy(&format!(r#""cedar_v1":{{"text":"\n// {echo}","schema_url":"{echo}"}}"#)),
                    _ => json(200, &format!(r#"{{"id":"{echo}","name":"n"}}"#)),
                }
            })
            .await;
            let client = Client::new(&odd.base(), "someone", TOKEN, "my-org", limits());
            let said = said(&client).await;
            let shown = format!("{place}: {echo}: {said}");
            // Nothing of ten characters is left of what was echoed.
            for part in echo.as_bytes().windows(10) {
                assert!(!said.as_bytes().windows(10).any(|other| other == part), "{shown}");
            }
            number += usize::from(said.contains("[secret]"));
        }
    }
    assert!(number > 100, "the services did echo: {number}");
}

#[tokio::test]
async fn a_snapshot_holds_no_secret() {
    let odd = Odd::bare(|_, request| match request.path.split('?').next().unwrap_or_default() {
        path if path.ends_with("/auth/token") => json(200, &format!(r#"{{"access_token":"{BEARER}"}}"#)),
        path if path.ends_with("/groups") => json(200, r#"{"results":[],"next":null}"#),
        path if path.ends_with("/policies") => json(200, r#"{"data":[{"id":"p"}],"next_page_token":null}"#),
        _ => {
            json(200, &format!(r#"{{"id":"p","name":"{TOKEN}","cedar_v1":{{"text":"// {BEARER}","schema_url":"x"}}}}"#))
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("seawall.yaml"),
        format!(
            "apiVersion: seawall/v1\nkind: Workspace\ndocker: {{org: my-org, endpoint: \"{}\"}}\n",
            odd.base()
        ),
    )
    .unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(["snapshot", "-v", "-v", "-v"]).current_dir(folder.path()).env_clear();
    command.envs([("DOCKER_USERNAME", "someone"), ("DOCKER_PASSWORD", TOKEN)]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(Snapshot::parse_each(&stdout).is_ok() && stdout.contains("[secret]"), "{stdout}");
    for secret in [TOKEN, BEARER] {
        assert!(!stdout.contains(secret) && !stderr.contains(secret), "{stdout}\n{stderr}");
    }
}
