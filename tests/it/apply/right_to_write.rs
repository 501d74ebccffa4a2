//! Only `apply` can write to a service: kept by visibility as far as that goes, and by this test
//! where it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use seawall::emulator::{DockerOperation, Emulator, Operation};

/// Every source file with its text, tests in the file aside.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
                found.insert(
                    path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"),
                    text,
                );
            }
        }
    }
    found
}

/// The files that hold one of these texts.
fn holding(texts: &[&str]) -> Vec<String> {
    sources()
        .into_iter()
        .filter(|(_, text)| texts.iter().any(|wanted| text.contains(wanted)))
        .map(|(path, _)| path)
        .collect()
}

#[test]
fn only_an_approved_plan_gives_the_right_to_write() {
    // An approval is one type, made by one function, from a plan that its guards let pass.
    assert_eq!(holding(&["impl Approval for", "impl sealed::Sealed for"]), ["execute/mod.rs"]);
    assert_eq!(holding(&["WriteAccess::granted_by("]), ["execute/mod.rs"]);
    // The only code that carries one out.
    let carriers: BTreeSet<String> =
        holding(&["execute(", "execute::execute"]).into_iter().collect();
    assert!(
        carriers.is_subset(&["cli/apply.rs".to_owned(), "execute/mod.rs".to_owned()].into()),
        "{carriers:?}"
    );
    // Who can build a request that is not a GET: writes, and the exchange of credentials for a
    // token.
    let verbs = [
        "Method::POST",
        "Method::PATCH",
        "Method::DELETE",
        "Method::PUT",
        ".post(",
        ".patch(",
        ".delete(",
        ".put(",
    ];
    let senders: Vec<String> =
        holding(&verbs).into_iter().filter(|path| !path.starts_with("emulator/")).collect();
    assert_eq!(senders, ["service/http/token.rs", "service/http/write.rs"]);
    // What writes comments needs no approval: only the client of GitHub makes one, from a
    // connection of its own, and that client has no other paths than those of comments.
    let writers = ["service/github/mod.rs", "service/http/mod.rs", "service/http/write.rs"];
    assert_eq!(holding(&["CommentWriter"]), writers);
    assert_eq!(holding(&["GitHub::connect("]), ["cli/comment.rs"]);
    let paths = holding(&["writer.create(", "writer.edit("]);
    assert_eq!(paths, ["service/github/comment.rs"]);
}

/// The arguments of each command that uses a service; the others need none.
const COMMANDS: &[(&str, &[&str])] = &[
    ("apply", &[]),
    ("can", &["read", "/data"]),
    ("can", &["connect:tcp", "cve.mitre.org", "--live"]),
    ("comment", &["--plan", "plan.json", "--repository", "my-org/policies", "--pull-request", "1"]),
    ("completions", &["bash"]),
    ("drift", &[]),
    ("fmt", &[]),
    ("import", &[]),
    ("init", &["new", "--org", "my-org"]),
    ("man", &[]),
    ("schema", &[]),
    ("show", &["plan.json"]),
    ("snapshot", &[]),
    ("test", &[]),
    ("test", &["--live"]),
    ("validate", &[]),
    ("who-can", &["read", "/data"]),
    ("who-can", &["connect:tcp", "cve.mitre.org", "--live"]),
    ("plan", &["--out", "plan.json"]),
    ("plan", &["--format", "json", "--detailed-exitcode"]),
    ("plan", &["--before", "."]),
    ("snapshot", &["--out", "live.json"]),
    ("plan", &["--records", "records.jsonl"]),
    ("records", &["--out", "audit.jsonl"]),
    ("replay", &["--records", "records.jsonl"]),
    ("report", &["--out", "report.html", "--live"]),
    ("suggest", &["--records", "records.jsonl"]),
    ("usage", &["--records", "records.jsonl"]),
];

/// Commands that serve instead of asking, and print help.
const SERVING: [&str; 2] = ["emulator", "help"];

#[tokio::test(flavor = "multi_thread")]
async fn every_other_command_sends_reads_and_the_exchange_of_a_token_and_nothing_else() {
    let help = Command::new(env!("CARGO_BIN_EXE_seawall")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let list = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let known =
        |name: &str| COMMANDS.iter().any(|(known, _)| *known == name) || SERVING.contains(&name);
    let unknown: Vec<&str> = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| !known(name))
        .collect();
    assert_eq!(unknown, [""; 0], "say here what a new command is called with");

    for &(command, arguments) in COMMANDS {
        let emulator =
            Emulator::builder().org("my-org").account("someone", "secret").start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = format!(
            "apiVersion: seawall/v1\nkind: Workspace\ndocker: {{org: my-org, endpoint: '{}'}}\n",
            emulator.base_url()
        );
        std::fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
        let policy = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nrules:\n  - {name: r, decision: allow, \
                      actions: [connect:tcp], resources: [cve.mitre.org]}\n";
        std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
        let record = r#"{"audit_event_id":"1","timestamp":"2026-11-10T12:00:00Z","category":"AUDIT_CATEGORY_EVALUATION","decision":"AUDIT_DECISION_ALLOW","username":"ana","resource_id":"cve.mitre.org:443","action_type":"network_egress","network_egress":{"protocol":"tcp"}}"#;
        std::fs::write(folder.path().join("records.jsonl"), record).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_seawall"));
        process.arg(command).args(arguments).current_dir(folder.path());
        process.env("DOCKER_AUDIT_TOKEN", "secret");
        process
            .env("DOCKER_USERNAME", "someone")
            .env("DOCKER_PASSWORD", "secret")
            .stdin(std::process::Stdio::null());
        let output = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
        let calls = emulator.calls();
        let writes = calls.iter().filter(|call| {
            call.method != "GET"
                && call.operation != Some(Operation::Docker(DockerOperation::Authenticate))
        });
        assert_eq!(writes.count(), 0, "{command} {arguments:?}: {calls:?} {output:?}");
        assert_eq!(emulator.policies(), [], "{command}");
    }
}
