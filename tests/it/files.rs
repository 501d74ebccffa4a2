//! The files that are read and written in a checkout that a stranger wrote.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::examples::seawall;

/// Text that no output may hold: the token that a checkout keeps in `.git/config`, and a file of
/// the machine.
const SECRET: &str = "hunter2";
const WORKSPACE: &str =
    "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n";
const NETWORK: &str = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Research\nrules:\n  - {name: r, decision: allow, \
                       actions: [connect:tcp], resources: [a.example.com]}\n";

struct Checkout(TempDir);

impl Checkout {
    /// A repository with a workspace in `w`, and a folder beside it.
    fn new(settings: &str) -> Self {
        let checkout = Self(tempfile::tempdir().unwrap());
        checkout.write("outside/secret.yaml", &format!("kind: [{SECRET}\n"));
        checkout.write("repository/.git/config", &format!("[http]\n\textraheader = {SECRET}\n"));
        checkout.write("repository/w/seawall.yaml", settings);
        checkout.write("repository/w/policy.yaml", NETWORK);
        checkout
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn workspace(&self) -> PathBuf {
        self.0.path().join("repository/w")
    }

    fn link(&self, path: &str, target: &str) {
        symlink(target, self.workspace().join(path)).unwrap();
    }

    fn outside(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path().join("outside")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let (code, stdout, stderr) = seawall(&self.workspace(), arguments);
        assert!(!format!("{stdout}{stderr}").contains(SECRET), "{arguments:?}: {stdout}{stderr}");
        (code, format!("{stdout}{stderr}"))
    }
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn no_document_and_no_file_that_one_names_leads_elsewhere() {
    let vijil = |file: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: AgentPolicy\nname: A\ncategory: security\nstatus: draft\nsource_file: {file}\nrules: []\n"
        )
    };
    let cedar = |file: &str| {
        format!("apiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar_file: {file}\n")
    };
    let table: [(&str, Option<String>, Option<&str>, &str); 10] = [
        ("source_file", Some(vijil("../.git/config")), None, "leads outside of the workspace"),
        (
            "source_file, linked",
            Some(vijil("side")),
            Some("../.git/config"),
            "leads outside of the workspace",
        ),
        (
            "source_file, of the machine",
            Some(vijil("side")),
            Some("../../outside/secret.yaml"),
            "leads outside",
        ),
        (
            "source_file, a device",
            Some(vijil("side")),
            Some("/dev/zero"),
            "leads outside of the workspace",
        ),
        ("source_file, state", Some(vijil(".seawall/x")), None, "leads into `.seawall`"),
        ("cedar_file", Some(cedar("../.git/config")), None, "leads outside of the workspace"),
        (
            "cedar_file, linked",
            Some(cedar("side")),
            Some("../.git/config"),
            "leads outside of the workspace",
        ),
        ("a document", None, Some("../../outside/secret.yaml"), "outside of the workspace"),
        ("a document, the token", None, Some("../.git/config"), "outside of the workspace"),
        ("a document, a device", None, Some("/dev/zero"), "outside of the workspace"),
    ];
    for (what, document, link, message) in table {
        let vijil = format!("{WORKSPACE}vijil: {{endpoint: embedded}}\n");
        let checkout = Checkout::new(&vijil);
        checkout.write("repository/w/.seawall/x", SECRET);
        match (&document, link) {
            (Some(document), link) => {
                checkout.write("repository/w/document.yaml", document);
                if let Some(target) = link {
                    checkout.link("side", target);
                }
            }
            (None, target) => checkout.link("document.yaml", target.unwrap()),
        }
        for arguments in [
            &["plan"][..],
            &["plan", "--format", "json"],
            &["plan", "--out", "plan.json"],
            &["validate"],
            &["validate", "document.yaml"],
            &["validate", "--format", "json", "document.yaml"],
            &["fmt", "--check", "document.yaml"],
            &["emulator", "--seed", "."],
        ] {
            let (code, said) = checkout.run(arguments);
            // `fmt` reads the document alone, and not what it names.
            let is_clean = arguments[0] == "fmt" && document.is_some();
            assert!(code == Some(1) || is_clean, "{what}: {arguments:?}: {code:?} {said}");
            let is_told = said.contains(message) || arguments[0] == "emulator" || is_clean;
            assert!(is_told, "{what}: {arguments:?}: {said}");
        }
        assert!(!checkout.workspace().join("plan.json").exists(), "{what}");
    }
}

#[test]
fn pipes_are_not_waited_for() {
    let checkout = Checkout::new(WORKSPACE);
    pipe(&checkout.workspace().join("pipe.yaml"));
    let side = "apiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar_file: pipe.yaml\n";
    checkout.write("repository/w/side.yaml", side);
    for arguments in [
        &["validate"][..],
        &["validate", "pipe.yaml"],
        &["fmt", "pipe.yaml"],
        &["validate", "side.yaml"],
    ] {
        let (code, said) = checkout.run(arguments);
        assert!(code == Some(1) && said.contains("not a regular file"), "{arguments:?}: {said}");
    }
    for arguments in [&["plan", "--live-from", "pipe.yaml"][..], &["apply", "--plan", "pipe.yaml"]]
    {
        let checkout = Checkout::new(WORKSPACE);
        pipe(&checkout.workspace().join("pipe.yaml"));
        let settings = format!("{WORKSPACE}include: [policy.yaml]\n");
        checkout.write("repository/w/seawall.yaml", &settings);
        let (code, said) = checkout.run(arguments);
        assert!(code == Some(2) && said.contains("not a regular file"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_seed_is_a_file_of_the_workspace() {
    let table = [
        ("../../outside/secret.yaml", false, "leads outside"),
        ("../.git/config", false, "leads outside"),
        ("/dev/zero", false, "leads outside"),
        ("../../outside/missing", false, "leads outside"), // nor does it say what exists
        ("../../outside/secret.yaml", true, "leads outside"),
        ("../.git/config", true, "leads outside"),
        ("/dev/zero", true, "leads outside"),
        ("pipe", true, "not a regular file"),
        ("pipe", false, "not a regular file"),
    ];
    for (target, is_link, message) in table {
        let seed = if is_link { "seed.json" } else { target };
        let settings = format!(
            "apiVersion: seawall/v1\nkind: Workspace\ninclude: [agent.yaml]\nvijil: {{endpoint: embedded, seed: {seed}}}\n"
        );
        let checkout = Checkout::new(&settings);
        let vijil = "apiVersion: seawall/v1\nkind: AgentPolicy\nname: A\ncategory: security\nstatus: draft\nrules: []\n";
        checkout.write("repository/w/agent.yaml", vijil);
        pipe(&checkout.workspace().join("pipe"));
        if is_link {
            checkout.link("seed.json", target);
        }
        let (code, said) = checkout.run(&["plan"]);
        assert!(code == Some(1) && said.contains(message), "{target}, {is_link}: {code:?} {said}");
    }
}

#[test]
fn the_state_folder_is_no_link_and_comes_from_no_commit() {
    for target in ["../../outside", "../.git", "folder"] {
        let checkout = Checkout::new(WORKSPACE);
        fs::create_dir(checkout.workspace().join("folder")).unwrap();
        checkout.link(".seawall", target);
        let (code, said) = checkout.run(&["plan"]);
        assert!(
            code == Some(5) && said.contains("`.seawall` is a link"),
            "{target}: {code:?} {said}"
        );
        assert_eq!(checkout.outside(), ["secret.yaml"]);
        assert_eq!(fs::read_dir(checkout.workspace().join("folder")).unwrap().count(), 0);
    }
    // The file in it.
    let checkout = Checkout::new(WORKSPACE);
    fs::create_dir(checkout.workspace().join(".seawall")).unwrap();
    checkout.link(".seawall/emulator.redb", "../../../outside/new");
    fs::remove_dir_all(checkout.0.path().join("repository/.git")).unwrap();
    let (code, said) = checkout.run(&["plan"]);
    assert!(code == Some(5) && said.contains("cannot be opened"), "{code:?} {said}");
    assert_eq!(checkout.outside(), ["secret.yaml"]);

    // A commit's own.
    let checkout = Checkout::new(WORKSPACE);
    fs::remove_dir_all(checkout.0.path().join("repository/.git")).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(arguments);
        let output = command.current_dir(checkout.0.path().join("repository")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "-q"]);
    assert_eq!(checkout.run(&["apply", "--yes"]).0, Some(0));
    assert_eq!(checkout.run(&["plan", "--detailed-exitcode"]).0, Some(0)); // what git does not track
    git(&["add", "-f", "w/.seawall/emulator.redb"]);
    let (code, said) = checkout.run(&["plan"]);
    assert!(
        code == Some(1) && said.contains("`w/.seawall/emulator.redb` is tracked by git"),
        "{code:?} {said}"
    );
}

#[test]
fn results_are_not_written_through_links() {
    let checkout = Checkout::new(&format!("{WORKSPACE}include: [policy.yaml]\n"));
    fs::remove_dir_all(checkout.0.path().join("repository/.git")).unwrap();
    checkout.link("out.json", "../../outside/secret.yaml");
    checkout.link("new.json", "../../outside/new");
    checkout.link("inside.json", "policy.yaml");
    checkout.link("folder", "../../outside");
    pipe(&checkout.workspace().join("pipe.json"));
    for target in ["out.json", "new.json", "inside.json", "folder/new.json", "pipe.json"] {
        for command in ["plan", "snapshot"] {
            let (code, said) = checkout.run(&[command, "--out", target]);
            assert!(
                code == Some(5) && said.contains("cannot be written"),
                "{command} {target}: {code:?} {said}"
            );
        }
        let state = ["emulator", "--state", target];
        let (code, said) = checkout.run(&state);
        assert!(code == Some(5) && said.contains("cannot be opened"), "{target}: {code:?} {said}");
    }
    assert_eq!(checkout.outside(), ["secret.yaml"]);
    assert_eq!(
        fs::read_to_string(checkout.0.path().join("outside/secret.yaml")).unwrap(),
        format!("kind: [{SECRET}\n")
    );
    assert_eq!(fs::read_to_string(checkout.workspace().join("policy.yaml")).unwrap(), NETWORK);
    assert_eq!(checkout.run(&["plan", "--out", "plan.json"]).0, Some(0));
    assert_eq!(checkout.run(&["plan", "--out", "plan.json"]).0, Some(0)); // over its own
}

#[test]
fn documents_are_not_imported_or_laid_out_through_links() {
    let ugly = NETWORK.replace("name: Research", "name: 'Research'");
    let checkout = Checkout::new(&format!("{WORKSPACE}include: ['*.yaml']\n"));
    fs::remove_dir_all(checkout.0.path().join("repository/.git")).unwrap();
    checkout.write("repository/w/text", &ugly);
    fs::remove_file(checkout.workspace().join("policy.yaml")).unwrap();
    checkout.link("policy.yaml", "text");
    let (code, said) = checkout.run(&["fmt"]);
    assert!(code == Some(5) && said.contains("is a link"), "{code:?} {said}");
    assert_eq!(fs::read_to_string(checkout.workspace().join("text")).unwrap(), ugly);

    checkout
        .write("repository/w/seawall.yaml", &format!("{WORKSPACE}include: ['policies/*.yaml']\n"));
    checkout.link("policies", "../../outside");
    let live = r#"{"format_version": 1, "docker": {"org": "acme", "teams": [], "policies": [
        {"id": "pol_1", "name": "Live", "org": "acme", "scope": {}}]}}"#;
    checkout.write("repository/w/live.json", live);
    fs::remove_file(checkout.workspace().join("policy.yaml")).unwrap();
    let (code, said) = checkout.run(&["import", "--live-from", "live.json"]);
    assert!(code == Some(5) && said.contains("`policies` is a link"), "{code:?} {said}");
    assert_eq!(checkout.outside(), ["secret.yaml"]);
}

#[test]
fn letter_case_hidden_files_and_line_ends_decide_nothing() {
    let checkout = Checkout::new(WORKSPACE);
    for (path, name) in [
        ("A.YML", "A"),
        ("sub/b.Yaml", "B"),
        (".hidden.yaml", "C"),
        (".github/workflows/x.yml", "D"),
    ] {
        checkout.write(&format!("repository/w/{path}"), &NETWORK.replace("Research", name));
    }
    let names = || {
        let (code, said) = checkout.run(&["plan", "--format", "json", "-q"]);
        assert_eq!(code, Some(0), "{said}");
        let plan: serde_json::Value = serde_json::from_str(&said).unwrap();
        let steps =
            plan["steps"].as_array().unwrap().iter().filter(|step| step["object"] == "policy");
        let mut names: Vec<String> =
            steps.map(|step| step["policy"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    fs::remove_dir_all(checkout.0.path().join("repository/.git")).unwrap();
    assert_eq!(names(), ["A", "B", "Research"]);
    checkout.write(
        "repository/w/seawall.yaml",
        &format!("{WORKSPACE}include: ['**/*.yml', .hidden.yaml]\n"),
    );
    assert_eq!(names(), ["A", "C"]); // what is hidden is a document only where a pattern says so
    checkout.write(
        "repository/w/seawall.yaml",
        &format!("{WORKSPACE}include: ['**/*.yml', '.github/**/*.yml']\n"),
    );
    assert_eq!(names(), ["A", "D"]);

    let mcp = "apiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar_file: m.cedar\n";
    let cedar = "// Reads.\npermit (principal, action, resource)\nwhen { resource.readOnly };\n";
    checkout.write("repository/w/seawall.yaml", &format!("{WORKSPACE}include: [m.yaml]\n"));
    checkout.write("repository/w/m.yaml", mcp);
    let plan = |text: &str| {
        checkout.write("repository/w/m.cedar", text);
        checkout.run(&["plan", "--format", "json", "-q"])
    };
    let plain = plan(cedar);
    assert_eq!(plain.0, Some(0), "{}", plain.1);
    assert_eq!(plan(&cedar.replace('\n', "\r\n")), plain);
    assert_eq!(plan(&format!("\u{feff}{}", cedar.replace('\n', "\r\n"))), plain);

    let settings = format!("{WORKSPACE}vijil: {{endpoint: embedded}}\ninclude: [v.yaml]\n");
    checkout.write("repository/w/seawall.yaml", &settings);
    checkout.write(
        "repository/w/v.yaml",
        "apiVersion: seawall/v1\nkind: AgentPolicy\nname: V\ncategory: privacy\nsource_file: v.txt\nrules: []\n",
    );
    let plan = |text: &str| {
        checkout.write("repository/w/v.txt", text);
        checkout.run(&["plan", "--format", "json", "-q"])
    };
    let plain = plan("One.\nTwo.\n");
    assert!(plain.0 == Some(0) && plain.1.contains(r"One.\nTwo.\n"), "{}", plain.1);
    assert_eq!(plan("\u{feff}One.\r\nTwo.\r\n"), plain);
}
