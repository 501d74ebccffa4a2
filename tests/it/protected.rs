//! `guards.protected`: what a plan may not do to a policy, and what the settings allow all the
//! same.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::examples::seawall;

const HEAD: &str = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Guardrails\n";
const RULES: &str = "rules:
  - {name: sites, decision: deny, actions: [connect:tcp], resources: [paste.example.com, hooks.example.com]}
  - {name: mail, decision: deny, actions: [connect:tcp], resources: [mail.example.com]}
";

fn write(folder: &Path, protected: &str, ownership: &str, rules: &str) {
    let settings = format!(
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {{org: acme, endpoint: embedded, ownership: {ownership}, teams: [a, b]}}\n\
         guards: {{protected: {protected}}}\n"
    );
    fs::write(folder.join("seawall.yaml"), settings).unwrap();
    let base = format!("{HEAD}{RULES}").replace("Guardrails", "Base").replace("deny", "allow");
    fs::write(folder.join("base.yaml"), base).unwrap();
    let guardrails = folder.join("guardrails.yaml");
    match rules {
        "" => drop(fs::remove_file(guardrails)),
        rules => fs::write(guardrails, format!("{HEAD}{rules}")).unwrap(),
    }
}

fn plan(folder: &Path) -> (Option<i32>, String, Value) {
    let (code, stdout, stderr) = seawall(folder, &["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&stdout).expect(&stderr);
    let guards = plan["guards"].as_array().unwrap();
    let guard = guards.iter().find(|guard| guard["guard"] == "protected").unwrap();
    (code, guard["message"].as_str().unwrap().to_owned(), plan)
}

#[test]
fn a_plan_that_weakens_a_protected_policy_is_refused_unless_the_settings_allow_that_kind_of_change()
{
    let moved = RULES
        .replace("paste.example.com, ", "")
        .replace("[mail.example.com]", "[mail.example.com, paste.example.com]");
    let narrowed = RULES.replace("paste.example.com, ", "");
    let removed = RULES.replace(
        "  - {name: mail, decision: deny, actions: [connect:tcp], resources: [mail.example.com]}\n",
        "",
    );
    let exempted = format!("scope: {{teams: [a]}}\n{RULES}");
    let opened = format!(
        "{RULES}  - {{name: new, decision: allow, actions: [connect:tcp], resources: [new.example.com]}}\n"
    );
    let more = RULES.replace("[mail.example.com]", "[mail.example.com, ftp.example.com]");
    // The settings, the rules, and what refuses them; empty where nothing does.
    let table = [
        ("[Guardrails]", moved.as_str(), ""),
        ("[Guardrails]", more.as_str(), ""),
        (
            "[Guardrails]",
            narrowed.as_str(),
            "weakens the protected policy `Guardrails` (narrow-deny): no longer denies `connect:tcp paste.example.com` to the whole organization",
        ),
        (
            "[{name: Guardrails}]",
            removed.as_str(),
            "weakens the protected policy `Guardrails` (narrow-deny): no longer denies `connect:tcp mail.example.com` to the whole organization",
        ),
        ("[{name: Guardrails, allow: [narrow-deny]}]", removed.as_str(), ""),
        ("[{name: Guardrails, allow: [add-allow, scope]}]", removed.as_str(), "(narrow-deny)"),
        (
            "[Guardrails]",
            exempted.as_str(),
            "weakens the protected policy `Guardrails` (scope): no longer denies ",
        ),
        ("[{name: Guardrails, allow: [scope]}]", exempted.as_str(), ""),
        (
            "[Guardrails]",
            opened.as_str(),
            "weakens the protected policy `Guardrails` (add-allow): allows `connect:tcp new.example.com` to the whole organization",
        ),
        ("[Base, {name: Guardrails, allow: [add-allow]}]", opened.as_str(), ""),
        ("[Guardrails]", "rules: []\n", "empties the protected policy `Guardrails`"),
        ("[{name: Guardrails, allow: [empty]}]", "rules: []\n", ""),
    ];
    let folder = TempDir::new().unwrap();
    write(folder.path(), "[Guardrails]", "declared", RULES);
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    for (protected, rules, refused) in table {
        write(folder.path(), protected, "declared", rules);
        let (code, message, plan) = plan(folder.path());
        assert_eq!(
            code,
            Some(if refused.is_empty() { 0 } else { 4 }),
            "{protected} {rules}\n{message}"
        );
        assert!(message.contains(refused), "{protected} {rules}\n{message}");
        assert_ne!(plan["steps"], serde_json::json!([]), "{rules}");
    }
}

#[test]
fn a_protected_policy_whose_document_goes_is_refused_whoever_owns_what() {
    let undeclared = "no document declares the protected policy `Guardrails`";
    for (ownership, refused) in [
        ("declared", undeclared),
        ("exclusive", "deletes the protected policy `Guardrails`"),
        // The same change leaves it to others.
        ("declared, unmanaged: [Guard*]", undeclared),
        ("declared, owns: [Base]", undeclared),
        ("exclusive, unmanaged: [Guardrails]", undeclared),
        ("exclusive, owns: [Base]", undeclared),
    ] {
        let folder = TempDir::new().unwrap();
        write(folder.path(), "[Guardrails]", "declared", RULES);
        let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
        assert_eq!(code, Some(0), "{stdout}{stderr}");
        write(folder.path(), "[Guardrails]", ownership, "");
        let (code, message, _) = plan(folder.path());
        assert_eq!((code, message.as_str()), (Some(4), refused));
        write(folder.path(), "[{name: Guardrails, allow: [delete]}]", ownership, "");
        let (code, message, _) = plan(folder.path());
        assert_eq!(code, Some(0), "{message}");
    }
}

#[test]
fn a_wrong_entry_is_an_error_at_its_place() {
    let folder = TempDir::new().unwrap();
    let table = [
        ("[{name: Guardrails, allow: [narow-deny]}]", "did you mean `narrow-deny`?"),
        ("[{allow: [scope]}]", "`name`"),
        ("[{name: Guardrails, alow: [scope]}]", "did you mean `allow`?"),
        ("[[Guardrails]]", "protected"),
        ("Guardrails", "`protected`"),
    ];
    for (protected, says) in table {
        write(folder.path(), protected, "declared", RULES);
        let (code, _, stderr) = seawall(folder.path(), &["validate"]);
        let (_, stdout, _) = seawall(folder.path(), &["validate", "--format", "human"]);
        assert!(code == Some(1), "{protected}");
        let all = format!("{stdout}{stderr}");
        assert!(all.contains(says) && all.contains("seawall.yaml:4:"), "{protected} {all}");
    }
}
