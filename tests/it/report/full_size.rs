//! The report of an organization as large as the service takes it: 100 policies of 250 rules, 36
//! teams.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::examples::seawall;

const POLICIES: usize = 100;
const RULES: usize = 250;
const TEAMS: usize = 36;
/// What the page may weigh.
const MOST_BYTES: usize = 10_000_000;

/// Policies for the organization, for a team, and for every second team, with folders and requests
/// among them.
fn organization(folder: &Path) {
    fs::write(
        folder.join("seawall.yaml"),
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n",
    )
    .unwrap();
    for policy in 0..POLICIES {
        let kind = if policy % 10 == 9 { "FilesystemPolicy" } else { "NetworkPolicy" };
        let mut text = format!("apiVersion: seawall/v1\nkind: {kind}\nname: Policy {policy}\n");
        match policy % 5 {
            0 => {}
            1 => {
                let teams: Vec<String> = (0..TEAMS)
                    .skip(policy % 2)
                    .step_by(2)
                    .map(|team| format!("team-{team}"))
                    .collect();
                writeln!(text, "scope: {{teams: [{}]}}", teams.join(", ")).unwrap();
            }
            _ => writeln!(text, "scope: {{teams: [team-{}]}}", policy % TEAMS).unwrap(),
        }
        text += "rules:\n";
        for rule in 0..RULES {
            let decision = if rule % 9 == 0 { "deny" } else { "allow" };
            write!(text, "  - name: {decision} service {rule}\n    decision: {decision}\n")
                .unwrap();
            match (policy % 10, rule % 10) {
                (9, _) => writeln!(text, "    actions: [read]\n    resources: [\"/data/{policy}/{rule}/**\"]").unwrap(),
                (_, 5) => writeln!(
                    text,
                    "    actions: [request:get]\n    http_resources:\n      - {{host: api.team-{policy}.example.com, port: 443, path: /v1/{rule}/**}}"
                )
                .unwrap(),
                _ => writeln!(
                    text,
                    "    actions: [connect:tcp]\n    resources: [\"service-{rule}.team-{policy}.example.com:443\", \"**.cdn-{rule}-{policy}.example.net\"]"
                )
                .unwrap(),
            }
        }
        fs::write(folder.join(format!("policy-{policy:03}.yaml")), text).unwrap();
    }
}

#[test]
fn the_largest_organization_fits_a_page() {
    let folder = TempDir::new().unwrap();
    organization(folder.path());
    let (code, _, stderr) = seawall(
        folder.path(),
        &[
            "report",
            "--out",
            "report.html",
            "--link",
            "https://git.corp.example/policies/blob/0123456789abcdef0123456789abcdef01234567/{file}#L{line}",
        ],
    );
    assert_eq!(code, Some(0), "{stderr}");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
    // Every rule has its row.
    let rows = page.matches("<li id=r-").count();
    assert_eq!(rows, POLICIES * RULES);
    // What is allowed is listed, each with its rule, and once for all teams of a policy.
    assert!(!page.contains("Too long to list"));
    let whole =
        page.split("<section class=dense").find(|own| own.contains(">Policy 6</a>")).unwrap();
    assert!(whole.contains("service-1.team-6.example.com:443<a href=#r-"), "{}", &whole[..2_000]);
    assert_eq!(page.matches(" service-1.team-6.example.com:443<a").count(), 1);
    assert!(page.matches("The same as <a").count() > TEAMS);
    for team in 0..TEAMS {
        assert!(page.contains(&format!("team-{team}")), "team-{team} is left out");
    }
}
