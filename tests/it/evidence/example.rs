//! The month of records in `examples/records`: what it holds follows from the code here, and
//! nothing else.
//!
//! `SEAWALL_ACCEPT=1 cargo test --test it -- evidence::example` writes it anew.

use std::fs::File;
use std::io::{Read as _, Write as _};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::run;
use crate::examples::{accepts, copy, repository};

const FILE: &str = "examples/records/november.jsonl.gz";

/// The people of the example organization, and their teams. `examples/teams.yaml` says the same.
const USERS: [(&str, Option<&str>); 14] = [
    ("ana", Some("research")),
    ("bo", Some("research")),
    ("cem", Some("research")),
    ("dee", Some("platform")),
    ("eli", Some("platform")),
    ("fay", Some("platform")),
    ("gus", None),
    ("hal", None),
    ("ida", None),
    ("jo", None),
    ("kim", None),
    ("lou", None),
    ("mia", None),
    ("ned", None),
];

/// Those whose agents install packages.
const INSTALLERS: [&str; 6] = ["ana", "bo", "dee", "eli", "gus", "hal"];

/// The month, record by record.
struct Month {
    lines: String,
    written: usize,
}

impl Month {
    fn record(&mut self, (day, minute): (usize, usize), user: &str, decision: &str, own: Value) {
        let second = self.written * 7 % 60;
        let mut record = json!({
            "audit_event_id": format!("{:08x}-0000-4000-8000-{:012x}", self.written.wrapping_mul(2_654_435_761) % (1 << 32), self.written),
            "timestamp": format!("2026-11-{day:02}T{:02}:{:02}:{second:02}Z", 8 + minute / 60, minute % 60),
            "schema_version": "1.216.0", "category": "AUDIT_CATEGORY_EVALUATION",
            "decision": format!("AUDIT_DECISION_{decision}"), "username": user, "org_name": "acme",
            "enforcement_mode": "enforce", "hostname": format!("{user}-laptop"), "client_name": "sbx",
            "agent": if self.written.is_multiple_of(3) { "codex" } else { "claude" },
        });
        for (key, value) in own.as_object().unwrap() {
            record[key] = value.clone();
        }
        self.lines.push_str(&format!("{record}\n"));
        self.written += 1;
    }

    fn connect(&mut self, at: (usize, usize), user: &str, resource: &str, allowed: bool) {
        let mut own = json!({"action_type": "network_egress", "resource_id": resource, "network_egress": {"protocol": "tcp"}});
        if !allowed {
            own["deny_reason"] = json!([format!(
                "no applicable policies for op(action=net:connect:tcp, resource=net:domain:{resource})"
            )]);
        }
        self.record(at, user, if allowed { "ALLOW" } else { "DENY" }, own);
    }

    /// An HTTP request that was allowed, and the connection that it was made on.
    fn request(&mut self, at: (usize, usize), user: &str, host: &str, path: &str) {
        let target =
            json!({"method": "HTTP_METHOD_GET", "host": host, "port": "443", "path": path});
        let own = json!({"action_type": "http_request", "resource_id": format!("{host}:443"), "http_request": target});
        self.record(at, user, "ALLOW", own);
        self.connect(at, user, &format!("{host}:443"), true);
    }
}

fn month() -> String {
    let mut month = Month { lines: String::new(), written: 0 };
    // 1 November 2026 is a Sunday.
    for day in (1..=30).filter(|day| ![0, 1].contains(&(day % 7))) {
        for (number, (user, team)) in USERS.into_iter().enumerate() {
            let spread = |step: usize| (number * 37 + day * 11 + step * 53) % 540;
            if (day + number) % 5 == 0 {
                continue; // a day off
            }
            for step in 0..2 {
                let repository = ["web", "mobile", "docs"][(day + number + step) % 3];
                let path = format!("/acme/{repository}/info/refs");
                month.request((day, spread(step)), user, "git.corp.example", &path);
            }
            if INSTALLERS.contains(&user) && (day + number) % 3 == 0 {
                month.connect((day, spread(3)), user, "packages.corp.example:443", true);
            }
            if team == Some("research") {
                let host =
                    ["cve.mitre.org:443", "research.mitre.org:443", "db1.lab.corp.example:5432"]
                        [day % 3];
                month.connect((day, spread(4)), user, host, true);
            }
            if (day + number) % 4 == 0 {
                month.request(
                    (day, spread(5)),
                    user,
                    "api.github.com",
                    &format!("/repos/acme/web/pulls/{}", day % 5),
                );
            }
            if (day + number) % 6 == 0 {
                month.connect((day, spread(6)), user, "models.example.com:443", false);
            }
            if day % 10 == number {
                let own = json!({"action_type": "filesystem_mount", "resource_id": format!("/home/{user}/.ssh"), "deny_reason":
                    [format!("no applicable policies for op(action=fs:mount:read, resource=fs:path:/home/{user}/.ssh)")]});
                month.record((day, spread(7)), user, "DENY", own);
                // What a sandbox did with a decision is none, nor what was recorded and not
                // enforced.
                let own = json!({"action_type": "network_egress_execution", "resource_id": "git.corp.example:443", "category": "AUDIT_CATEGORY_EXECUTION"});
                month.record((day, spread(0)), user, "ALLOW", own);
                let own = json!({"action_type": "network_egress", "resource_id": "pastebin.com:443", "enforcement_mode": "audit",
                    "network_egress": {"protocol": "tcp"}});
                month.record((day, spread(8)), user, "DENY", own);
            }
        }
    }
    month.lines
}

#[test]
fn the_stored_records_are_those_that_this_code_writes() {
    let file = repository(FILE);
    if accepts() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut packed = GzEncoder::new(File::create(&file).unwrap(), flate2::Compression::best());
        packed.write_all(month().as_bytes()).unwrap();
        packed.finish().unwrap();
    }
    let mut text = String::new();
    GzDecoder::new(File::open(&file).unwrap()).read_to_string(&mut text).unwrap();
    assert!(text == month(), "run this test with `SEAWALL_ACCEPT=1`");
    assert!(std::fs::metadata(&file).unwrap().len() < 64 << 10);
    let teams: String = USERS
        .iter()
        .map(|(user, team)| format!("{user}: [{}]\n", team.unwrap_or_default()))
        .collect();
    assert!(std::fs::read_to_string(repository("examples/teams.yaml")).unwrap().ends_with(&teams));
}

#[test]
fn a_change_of_the_example_would_have_blocked_six_people() {
    let folder = tempfile::tempdir().unwrap();
    copy(&repository("examples"), &folder.path().join("examples"));
    let seawall =
        |arguments: &str| run(folder.path(), &arguments.split(' ').collect::<Vec<_>>(), "");
    assert_eq!(seawall("apply examples/policies --yes").0, 0);
    let plan = |more: &str| -> Value {
        let (_, stdout, stderr) = seawall(&format!(
            "plan examples/policies --records examples/records --format json{more}"
        ));
        serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}"))
    };
    // Applied once, nothing changes; and the records are those of this organization.
    let found = plan(" --teams examples/teams.yaml");
    assert_eq!((&found["steps"], &found["recorded"]["newly_denied"]), (&json!([]), &json!([])));
    assert_eq!(found["recorded"]["agreement"]["disagree"], 0, "{found:#}");
    assert!(
        found["recorded"]["agreement"]["agree"].as_u64()
            > found["recorded"]["agreement"]["unknown"].as_u64()
    );
    let file = folder.path().join("examples/policies/teams/everyone.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"packages.corp.example:443\", ", "")).unwrap();
    for more in ["", " --teams examples/teams.yaml"] {
        let found = plan(more);
        assert_eq!(found["recorded"]["denied_users"], 6, "{found:#}");
        let denied = found["recorded"]["newly_denied"].as_array().unwrap();
        assert!(
            denied.iter().all(|one| one["request"] == "connect:tcp packages.corp.example:443"),
            "{denied:?}"
        );
    }
}
