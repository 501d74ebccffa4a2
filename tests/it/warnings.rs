//! Warnings of a plan: a policy or rule that looks like a rename.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::examples::seawall;

const RULES: &str = "rules:
  - {name: sites, decision: deny, actions: [connect:tcp], resources: [paste.example.com]}
  - {name: mail, decision: allow, actions: [connect:tcp], resources: [mail.example.com]}
";
const OTHER: &str = "rules:
  - {name: sites, decision: deny, actions: [connect:tcp], resources: [paste.example.com]}
";
/// The same, in another order and under other names.
const SAME: &str = "rules:
  - {name: post, decision: allow, actions: [connect:tcp], resources: [mail.example.com]}
  - {name: no, decision: deny, actions: [connect:tcp], resources: [paste.example.com]}
";

#[test]
fn a_policy_that_comes_beside_an_equal_one_that_no_document_declares_looks_like_a_rename() {
    // Settings, the new document behind its name, and what is hinted.
    let table = [
        ("", RULES.to_owned(), Some("[Guard rails]")),
        (", ownership: exclusive", RULES.to_owned(), Some("[Guard rails]")),
        ("", SAME.to_owned(), Some("[Guard rails]")),
        ("", format!("scope: {{teams: [a]}}\n{RULES}"), Some("[Guard rails]")), // renamed and edited
        ("", OTHER.to_owned(), None),
        ("", "rules: []\n".to_owned(), None),
        (", unmanaged: ['Guard*']", RULES.to_owned(), None), // of others
        ("", format!("previously: [Guard rails]\n{RULES}"), None),
    ];
    for (docker, document, hint) in table {
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let settings = |docker: &str| {
            format!(
                "apiVersion: seawall/v1\nkind: Workspace\ndocker: {{org: acme, endpoint: embedded, teams: [a]{docker}}}\n"
            )
        };
        let policy = |name: &str, rest: &str| {
            format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: {name}\n{rest}")
        };
        write("seawall.yaml", &settings(""));
        write("a.yaml", &policy("Guard rails", RULES));
        let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
        assert_eq!(code, Some(0), "{stdout}{stderr}");
        write("seawall.yaml", &settings(docker));
        write("a.yaml", &policy("Rails", &document));
        let (_, stdout, stderr) = seawall(folder.path(), &["plan", "--format", "json"]);
        let plan: Value = serde_json::from_str(&stdout).expect(&stderr);
        let expected = hint.map(|name| format!("looks like a rename: add previously: {name}"));
        assert_eq!(
            plan["warnings"][0]["help"].as_str(),
            expected.as_deref(),
            "{docker} {document}"
        );
        let (_, human, _) = seawall(folder.path(), &["plan"]);
        let (_, markdown, _) = seawall(folder.path(), &["plan", "--format", "markdown"]);
        for shown in [human, markdown] {
            assert_eq!(
                shown.contains("looks like a rename"),
                hint.is_some(),
                "{docker} {document}\n{shown}"
            );
        }
    }
}

#[test]
fn a_rule_that_is_renamed_and_edited_looks_like_a_rename() {
    let rule = |name: &str, decision: &str, actions: &str, hosts: &str| {
        format!(
            "  - {{name: {name}, decision: {decision}, actions: [{actions}], resources: [{hosts}]}}\n"
        )
    };
    let stays = rule("mail", "allow", "connect:tcp", "mail.example.com");
    let old = rule("data", "allow", "connect:tcp", "a.example.com, b.example.com");
    let new = |name: &str, hosts: &str| rule(name, "allow", "connect:tcp", hosts);
    // The rules of the document afterwards, beside one that stays, and what is hinted.
    let table = [
        (new("CVE", "a.example.com, c.example.com"), Some("add previously: [data]")),
        (
            new("CVE, previously: [base]", "a.example.com, c.example.com"),
            Some("write previously: [base, data]"),
        ),
        (new("CVE", "a.example.com"), Some("add previously: [data]")),
        (new("CVE, previously: [data]", "a.example.com, c.example.com"), None),
        (new("data", "a.example.com, c.example.com"), None), // only edited
        (new("CVE", "a.example.com, b.example.com"), None),  // only renamed
        (new("CVE", "c.example.com, d.example.com"), None),
        (rule("CVE", "deny", "connect:tcp", "a.example.com, b.example.com"), None),
        (rule("CVE", "allow", "connect:udp", "a.example.com, b.example.com"), None),
        // Divided: either could be the old one.
        (new("CVE", "a.example.com") + &new("CWE", "b.example.com"), None),
    ];
    for (rules, hint) in table {
        let folder = TempDir::new().unwrap();
        let write = |rules: &str| {
            let head = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: P\nrules:\n";
            fs::write(folder.path().join("a.yaml"), format!("{head}{rules}")).unwrap();
        };
        let settings = "apiVersion: seawall/v1\nkind: Workspace\n\
                        docker: {org: acme, endpoint: embedded}\nguards: {max_deletes: 0}\n";
        fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
        write(&(old.clone() + &stays));
        let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
        assert_eq!(code, Some(0), "{stdout}{stderr}");
        write(&(rules.clone() + &stays));
        let hint = hint.map(|text| format!("looks like a rename: {text}"));
        let (_, stdout, stderr) = seawall(folder.path(), &["plan", "--format", "json"]);
        let plan: Value = serde_json::from_str(&stdout).expect(&stderr);
        assert_eq!(plan["warnings"][0]["help"].as_str(), hint.as_deref(), "{rules}");
        for format in ["human", "markdown"] {
            let (_, shown, _) = seawall(folder.path(), &["plan", "--format", format]);
            let at = shown.find("looks like a rename");
            assert_eq!(at.is_some(), hint.is_some(), "{rules}\n{shown}");
            // It is the cure of the refusal, and stands above it.
            if let Some(at) = at.filter(|_| format == "human") {
                assert!(at < shown.find("Refused by `max_deletes`").unwrap(), "{shown}");
            }
        }
    }
}
