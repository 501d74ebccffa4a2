//! `show`: a saved plan, as `plan` printed it, wherever it is read.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::examples::{copy, repository, seawall};

/// Runs where there is no workspace, no credential and no way to a service.
fn show(plan: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let elsewhere = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.current_dir(elsewhere.path()).arg("show").arg(plan).args(arguments);
    let variables =
        [("NO_COLOR", "1"), ("HTTPS_PROXY", "http://127.0.0.1:9"), ("HOME", "/nonexistent")];
    let output = command.env_clear().envs(variables).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A workspace whose first plan has steps for both services.
fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(&repository("examples/policies"), folder.path());
    folder
}

#[test]
fn a_saved_plan_is_shown_as_it_was_printed() {
    let folder = workspace();
    let saved = folder.path().join("plan.json");
    let formats: [&[&str]; 4] = [&[], &["-v"], &["--format", "markdown"], &["--format", "json"]];
    for guards in [&[][..], &["--deny-widening"]] {
        for format in formats {
            let arguments = [&["plan", "-q", "--out", "plan.json"], guards, format].concat();
            let (arguments, format) = match format {
                ["-v"] => (arguments.into_iter().filter(|one| *one != "-q").collect(), format),
                _ => (arguments, format),
            };
            let (code, printed, stderr) = seawall(folder.path(), &arguments);
            assert_eq!(
                code,
                Some(if guards.is_empty() { 0 } else { 4 }),
                "{arguments:?}: {stderr}"
            );
            // What its guards refuse is shown as well as any other plan.
            let (code, shown, stderr) = show(&saved, format);
            assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
            assert!(
                shown == printed && !shown.is_empty(),
                "{arguments:?}:\n{shown}\n---\n{printed}"
            );
        }
    }
    assert!(show(&saved, &[]).1.contains("Refused by `deny_widening`"));
    // A plan without steps, too.
    assert_eq!(seawall(folder.path(), &["apply", "--yes", "-q"]).0, Some(0));
    let (_, printed, _) = seawall(folder.path(), &["plan", "-q", "--out", "plan.json"]);
    assert_eq!(show(&saved, &[]), (Some(0), printed, String::new()));
}

#[test]
fn a_plan_that_apply_refuses_is_not_shown() {
    let folder = workspace();
    let saved = folder.path().join("plan.json");
    assert_eq!(seawall(folder.path(), &["plan", "-q", "--out", "plan.json"]).0, Some(0));
    let text = fs::read_to_string(&saved).unwrap();
    // Under a checksum that fits, as whoever changes the file can make it.
    let signed = |change: fn(&mut Value)| {
        let mut file: Value = serde_json::from_str(&text).unwrap();
        change(&mut file);
        let mut document: seawall::plan::saved::PlanDocument =
            serde_json::from_value(file).unwrap();
        document.sign();
        serde_json::to_string(&document).unwrap()
    };
    assert_eq!(
        signed(|_| ()).len(),
        serde_json::from_str::<Value>(&text).unwrap().to_string().len()
    );
    let table = [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "it is not one JSON object"),
        ("{}", "cannot be read"),
        (r#"{"format_version": 1, "docker": {}}"#, "cannot be read"),
        (r#"{"format_version": 2, "steps": []}"#, "format version 2"),
        (&text.replacen("\"create\"", "\"delete\"", 1), "changed after it was saved"),
        (&text.replacen("connect:tcp", "connect:udp", 1), "changed after it was saved"),
        (
            &signed(|file| file["steps"][0]["policy"] = "Another".into()),
            "changed after it was saved",
        ),
        (&signed(|file| file["summary"]["create"] = 0.into()), "changed after it was saved"),
    ];
    for (text, says) in table {
        fs::write(&saved, text).unwrap();
        for format in ["human", "markdown", "json"] {
            let (code, stdout, stderr) = show(&saved, &["--format", format]);
            assert_eq!((code, stdout.as_str()), (Some(4), ""), "{text}: {stderr}");
            assert!(
                stderr.contains(says) && stderr.contains("help: make a new plan"),
                "{text}: {stderr}"
            );
        }
        let applied = seawall(folder.path(), &["apply", "--plan", "plan.json", "--yes"]);
        assert_eq!(
            applied.2,
            show(&saved, &[]).2.replace(saved.to_str().unwrap(), "plan.json"),
            "{text}"
        );
    }
    let missing = folder.path().join("missing.json");
    let (code, stdout, stderr) = show(&missing, &[]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(stderr.contains("missing.json` cannot be read"), "{stderr}");
}
