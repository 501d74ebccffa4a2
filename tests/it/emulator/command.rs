//! `seawall emulator` as a process: what it prints, how it ends, and what a killed one leaves
//! behind.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use super::{POLICIES, http};

/// A running `seawall emulator`, killed when it is dropped.
struct Process {
    child: Child,
    address: String,
}

/// The emulator with a login that the environment chooses.
fn command(arguments: &[&str]) -> Command {
    let mut command = without_login(arguments);
    command.env("DOCKER_USERNAME", "seawall").env("DOCKER_PASSWORD", "emulator");
    command
}

fn without_login(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.arg("emulator").args(arguments).env("NO_COLOR", "1");
    let logins = [
        "DOCKER_USERNAME",
        "DOCKER_PASSWORD",
        "VIJIL_CLIENT_ID",
        "VIJIL_CLIENT_SECRET",
        "VIJIL_API_KEY",
    ];
    for variable in logins.into_iter().chain(["SEAWALL_ORG"]) {
        command.env_remove(variable);
    }
    command
}

fn fails(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&stdout), "");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim_end().to_owned() }
    }

    /// Ends it as `kill -9` does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn token(&self, identifier: &str, secret: &str) -> (u16, String) {
        let body = json!({"identifier": identifier, "secret": secret});
        let (status, body) = self.call(Method::POST, "/auth/token", "", Some(body)).await.unwrap();
        (status, body["access_token"].as_str().unwrap_or_default().to_owned())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let mut request =
            http().request(method, format!("{}{path}", self.address)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The word after a name in the output of a process.
fn said<'a>(stderr: &'a str, name: &str) -> &'a str {
    stderr
        .split_whitespace()
        .find_map(|word| word.strip_prefix(name))
        .unwrap_or_else(|| panic!("{name}: {stderr}"))
}

#[cfg(unix)]
#[tokio::test]
async fn the_first_line_is_the_address_and_a_signal_ends_it() {
    let mut process = Process::start(&mut command(&["--team", "research"]));
    let port = process
        .address
        .strip_prefix("http://127.0.0.1:")
        .and_then(|rest| rest.strip_suffix("/v2"))
        .unwrap();
    assert!(port.parse::<u16>().is_ok(), "{}", process.address);
    let (status, token) = process.token("seawall", "emulator").await;
    assert_eq!(status, 200);
    let (_, groups) = process.call(Method::GET, "/orgs/my-org/groups", &token, None).await.unwrap();
    assert_eq!(groups["results"][0]["name"], json!("research"));

    let id = process.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(process.child.wait().unwrap().code(), Some(0));
    let mut stderr = String::new();
    process.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let origin = process.address.strip_suffix("/v2").unwrap();
    let shown = stderr.replace(origin, "http://127.0.0.1:PORT");
    let shown = shown.replace(said(&stderr, "VIJIL_CLIENT_SECRET="), "SECRET");
    insta::assert_snapshot!(shown.replace(said(&stderr, "DOCKER_AUDIT_TOKEN="), "TOKEN"), @r"
    serving organization `my-org`, until Ctrl-C
    log in with the DOCKER_USERNAME and DOCKER_PASSWORD that it was started with
    read the audit log with DOCKER_AUDIT_TOKEN=TOKEN
    serving Vijil at http://127.0.0.1:PORT
    log in with VIJIL_CLIENT_ID=vk_seawall VIJIL_CLIENT_SECRET=SECRET
    ");
}

#[tokio::test]
async fn a_login_that_nobody_chose_is_a_new_one_each_time_and_printed() {
    let mut secrets = std::collections::BTreeSet::new();
    // Without it nobody could log in, so that `-q` does not hide it.
    for arguments in [&[][..], &["-q"]] {
        let mut process = Process::start(&mut without_login(arguments));
        let mut stderr = BufReader::new(process.child.stderr.take().unwrap());
        let mut lines = String::new();
        while !lines.contains("VIJIL_CLIENT_SECRET=") {
            assert_ne!(stderr.read_line(&mut lines).unwrap(), 0, "{lines}");
        }
        assert_eq!(process.token("seawall", "emulator").await.0, 401);
        let secret = said(&lines, "DOCKER_PASSWORD=");
        assert_eq!(process.token(said(&lines, "DOCKER_USERNAME="), secret).await.0, 200);
        let pair = said(&lines, "VIJIL_CLIENT_SECRET=");
        let body = json!({"client_id": said(&lines, "VIJIL_CLIENT_ID="), "client_secret": pair});
        let vijil = format!("{}/v1/auth/token", process.address.strip_suffix("/v2").unwrap());
        assert_eq!(http().post(&vijil).json(&body).send().await.unwrap().status(), 200);
        assert!(secret.len() >= 32 && pair.len() >= 32, "{lines}");
        secrets.extend([secret.to_owned(), pair.to_owned()]);
    }
    assert_eq!(secrets.len(), 4);
}

#[tokio::test]
async fn requests_of_other_web_sites_are_refused_before_all_else() {
    let process = Process::start(&mut command(&[]));
    let (_, token) = process.token("seawall", "emulator").await;
    let port = process.address.rsplit(':').next().unwrap().strip_suffix("/v2").unwrap();
    let table = [
        ("host", format!("localhost:{port}"), 200),
        ("host", format!("rebound.example.com:{port}"), 403),
        ("host", "127.0.0.1".to_owned(), 403),
        ("origin", format!("http://127.0.0.1:{port}"), 200),
        ("origin", format!("http://rebound.example.com:{port}"), 403),
        ("origin", "null".to_owned(), 403),
        ("sec-fetch-site", "none".to_owned(), 200),
        ("sec-fetch-site", "same-site".to_owned(), 403),
        ("sec-fetch-site", "cross-site".to_owned(), 403),
    ];
    for (name, value, status) in &table {
        let request = |method, path: &str| {
            http()
                .request(method, format!("{}{path}", process.address))
                .bearer_auth(&token)
                .header(*name, value)
        };
        assert_eq!(
            request(Method::GET, POLICIES).send().await.unwrap().status(),
            *status,
            "{name}: {value}"
        );
        let login = json!({"identifier": "seawall", "secret": "emulator"});
        let answer = request(Method::POST, "/auth/token").json(&login).send().await.unwrap();
        assert_eq!(answer.status(), *status, "{name}: {value}");
        assert!(answer.headers().get("access-control-allow-origin").is_none());
        let create =
            request(Method::POST, POLICIES).json(&json!({"name": format!("{name} {value}")}));
        assert_eq!(
            create.send().await.unwrap().status(),
            if *status == 200 { 201 } else { 403 },
            "{name}: {value}"
        );
    }
    let answered = table.iter().filter(|(_, _, status)| *status == 200).count();
    let list = process.call(Method::GET, POLICIES, &token, None).await.unwrap().1;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(answered), "{list}");
}

#[tokio::test]
async fn credentials_come_from_the_environment_and_are_not_shown() {
    let environment = [("DOCKER_USERNAME", "alice"), ("DOCKER_PASSWORD", "dckr_pat_example")];
    let mut process = Process::start(command(&["--org", "acme"]).envs(environment));
    assert_eq!(process.token("seawall", "emulator").await.0, 401);
    let (status, token) = process.token("alice", "dckr_pat_example").await;
    assert_eq!(status, 200);
    let acme = "/orgs/acme/governance/policies";
    assert_eq!(process.call(Method::GET, acme, &token, None).await.unwrap().0, 200);
    process.child.kill().unwrap();
    let mut output = String::new();
    process.child.stderr.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(output.contains("acme") && !output.contains("dckr_pat"), "{output}");

    let (code, message) = fails(without_login(&[]).env("DOCKER_USERNAME", "alice"));
    assert_eq!(code, Some(2), "{message}");
}

#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let start = || Process::start(&mut command(&["--state", path.to_str().unwrap()]));
    let mut answered = Vec::new();
    for round in 0..5 {
        let process = start();
        let (_, token) = process.token("seawall", "emulator").await;
        let list = process.call(Method::GET, POLICIES, &token, None).await.unwrap().1;
        let mut names: Vec<&str> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, answered, "round {round}");
        for number in 0..3 {
            let name = format!("{round}-{number}");
            let (status, _) = process
                .call(Method::POST, POLICIES, &token, Some(json!({"name": name})))
                .await
                .unwrap();
            assert_eq!(status, 201);
            answered.push(name);
        }
        // Right after the last answer.
        process.kill();
    }
}

#[tokio::test]
async fn a_process_killed_within_calls_leaves_each_whole_or_undone() {
    const WRITERS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let mut unanswered = 0;
    for round in 0..8 {
        let path = folder.path().join(format!("{round}.redb"));
        let start = || Process::start(&mut command(&["--state", path.to_str().unwrap()]));
        let process = start();
        let (_, token) = process.token("seawall", "emulator").await;
        let (http, url) = (http(), format!("{}{POLICIES}", process.address));
        let (answers, mut answered) = tokio::sync::mpsc::unbounded_channel();
        for writer in 0..WRITERS {
            let (http, url, token, answers) =
                (http.clone(), url.clone(), token.clone(), answers.clone());
            tokio::spawn(async move {
                for number in 0..25 {
                    let name = format!("{writer}-{number}");
                    let call = http.post(&url).bearer_auth(&token).json(&json!({"name": name}));
                    match call.send().await {
                        Ok(response) if response.status() == 201 => answers.send(name).unwrap(),
                        _ => break,
                    }
                }
            });
        }
        drop(answers);
        // Killed after some answers, with the other writers' calls under way.
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..=round * 5 {
            names.extend(answered.recv().await);
        }
        process.kill();
        while let Some(name) = answered.recv().await {
            names.insert(name);
        }

        let process = start();
        let (_, token) = process.token("seawall", "emulator").await;
        let list = process.call(Method::GET, POLICIES, &token, None).await.unwrap().1;
        let found: std::collections::BTreeSet<String> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["name"].as_str().unwrap().to_owned())
            .collect();
        assert!(names.is_subset(&found), "answered {names:?}, found {found:?}");
        let extra = found.len() - names.len();
        assert!(extra <= WRITERS, "at most one call a writer was under way: {names:?}, {found:?}");
        unanswered += extra;
    }
    println!("{unanswered} calls had their effect and lost their answer to a kill");
}

#[tokio::test]
async fn a_snapshot_and_faults_are_taken_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let seed = write(
        folder.path(),
        &json!({"format_version": 1, "docker": {"org": "acme", "teams": [], "policies": [{
            "id": "pol_1", "name": "p", "org": "acme", "scope": {},
            "created_at": "2026-04-22T00:00:00Z", "updated_at": "2026-04-22T00:00:00Z",
        }]}}),
    );
    let process = Process::start(&mut command(&[
        "--seed",
        &seed,
        "--fault",
        "cut@reads#2",
        "--fault",
        "delay=1",
    ]));
    let (_, token) = process.token("seawall", "emulator").await;
    let get = || process.call(Method::GET, "/orgs/acme/governance/policies/pol_1", &token, None);
    assert_eq!(get().await.unwrap().1["name"], json!("p"));
    assert!(get().await.is_err());
    assert_eq!(get().await.unwrap().0, 200);
}

#[tokio::test]
async fn what_cannot_be_used_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.redb");
    let state = state.to_str().unwrap();
    let process = Process::start(&mut command(&["--state", state]));
    let (code, message) = fails(&mut command(&["--state", state]));
    assert_eq!(code, Some(5));
    assert!(
        message.contains("is in use by another process") && message.contains("help"),
        "{message}"
    );

    let port =
        process.address.trim_start_matches("http://127.0.0.1:").trim_end_matches("/v2").to_owned();
    let new = folder.path().join("new.redb");
    let (code, message) = fails(&mut command(&["--port", &port, "--state", new.to_str().unwrap()]));
    assert!(!new.exists(), "a state file is created once the port is there");
    assert_eq!(code, Some(5));
    assert!(message.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{message}");

    let (code, message) = fails(&mut command(&["--fault", "explode"]));
    assert_eq!(code, Some(2));
    assert!(message.contains("no kind is named `explode`"), "{message}");

    let seed = write(folder.path(), &json!({"format_version": 9}));
    let (code, message) = fails(&mut command(&["--seed", &seed]));
    assert_eq!(code, Some(1));
    assert!(message.contains("live.json`: the snapshot has format version 9"), "{message}");
    let (code, message) = fails(&mut command(&["--seed", "no-such-file.json"]));
    assert_eq!(code, Some(5), "{message}");
    let (code, message) = fails(&mut command(&["--seed", folder.path().to_str().unwrap()]));
    assert_eq!(code, Some(1));
    assert!(message.contains("are wrong"), "{message}");
}

#[tokio::test]
async fn a_folder_of_records_is_an_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let record = json!({"audit_event_id": "1", "timestamp": jiff::Timestamp::now().to_string(), "username": "ana"});
    std::fs::write(folder.path().join("audit-1.jsonl"), format!("{record}\n")).unwrap();
    std::fs::write(folder.path().join("audit-2.jsonl.tmp"), "{\"audit_event_id\": \"2").unwrap();
    let mut seeded = command(&["--seed", folder.path().to_str().unwrap()]);
    let process = Process::start(seeded.env("DOCKER_AUDIT_TOKEN", "dckr_oat_1"));
    let (status, page) = process
        .call(Method::GET, "/auditlogs/governance/my-org", "dckr_oat_1", None)
        .await
        .unwrap();
    assert_eq!((status, &page["events"][0]["audit_event_id"]), (200, &json!("1")), "{page}");
    assert_eq!(page["events"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn documents_are_taken_from_a_workspace() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("seawall.yaml"),
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, teams: [platform]}\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("policy.yaml"),
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Mirrors\nscope: {teams: [research]}\nrules:\n\
         - {name: r, decision: allow, actions: [connect:tcp], resources: [cve.mitre.org]}\n",
    )
    .unwrap();
    let process = Process::start(&mut command(&["--seed", folder.path().to_str().unwrap()]));
    let (_, token) = process.token("seawall", "emulator").await;
    let get = async |path: &str| process.call(Method::GET, path, &token, None).await.unwrap().1;
    let groups = get("/orgs/acme/groups?search=research").await;
    let list = get("/orgs/acme/governance/policies").await;
    let policy = &list["data"][0];
    assert_eq!(
        (&policy["name"], &policy["scope"]["teams"][0]),
        (&json!("Mirrors"), &groups["results"][0]["uuid"])
    );
    assert_eq!(get("/orgs/acme/groups").await["count"], json!(2));
}

#[tokio::test]
async fn a_workspace_of_several_organizations_seeds_them_all() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {orgs: [acme, acme-labs]}\n";
    std::fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    let policy = |name: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: {name}\nscope: {{teams: [research]}}\nrules: []\n"
        )
    };
    let documents = format!("{}---\n{}orgs: [acme-labs]\n", policy("Both"), policy("Labs"));
    std::fs::write(folder.path().join("policies.yaml"), documents).unwrap();
    let process = Process::start(&mut command(&["--seed", folder.path().to_str().unwrap()]));
    let (_, token) = process.token("seawall", "emulator").await;
    let get = async |path: &str| process.call(Method::GET, path, &token, None).await.unwrap().1;
    for (org, policies) in [("acme", 1), ("acme-labs", 2)] {
        let list = get(&format!("/orgs/{org}/governance/policies")).await;
        assert_eq!(list["data"].as_array().map(Vec::len), Some(policies), "{list}");
        assert_eq!(get(&format!("/orgs/{org}/groups")).await["count"], json!(1));
    }
}

fn write(folder: &Path, snapshot: &Value) -> String {
    let path = folder.join("live.json");
    std::fs::write(&path, snapshot.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}
