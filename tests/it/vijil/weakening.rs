//! What a plan weakens of rules for agents: told first, judged by the guards, kept in the plan.

use std::fs;

use seawall::emulator::VijilBehaviour;
use serde_json::{Value, json};

use super::{RULES, World, text};

impl World {
    fn guards(&self, guards: &str) {
        let settings =
            format!("apiVersion: seawall/v1\nkind: Workspace\nvijil: {{}}\nguards: {guards}\n");
        fs::write(self.path().join("seawall.yaml"), settings).unwrap();
    }

    /// The exit code, the headline, and the plan.
    fn judged(&self, guards: &str) -> (Option<i32>, String, Value) {
        self.guards(guards);
        let shown = self.run(&["plan"]);
        let headline = text(&shown).lines().next().unwrap_or_default().to_owned();
        let json = self.run(&["plan", "--format", "json"]);
        let plan =
            serde_json::from_slice(&json.stdout).unwrap_or_else(|_| panic!("{}", text(&json)));
        (shown.status.code(), headline, plan)
    }
}

fn message(plan: &Value, guard: &str) -> String {
    let guards = plan["guards"].as_array().unwrap();
    guards.iter().find(|one| one["guard"] == guard).unwrap()["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_weakens_rules_in_force_is_in_the_headline_and_refused_by_the_guards() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    world.apply();
    let first = RULES.split("  - rule_id: PRIV-002").next().unwrap();
    let second = RULES.replace(first, "");
    let with = |from: &str, to: &str| RULES.replacen(from, to, 1);
    let condition =
        "    constraints: [{condition_type: context, field: hour, operator: '>', value: 8}]\n";
    let permission = RULES.to_owned()
        + "  - {rule_id: OK-1, rule_type: permission, action: read, consequence: {action: log, severity: low}, \
           natural_language: Agents may read all., review: {approved: ok}}\n";
    // The status, the rules, what the headline says, and whether `deny_widening` refuses it.
    let table = [
        ("draft", RULES.to_owned(), "deactivates 1 policy for agents", true),
        ("archived", RULES.to_owned(), "deactivates 1 policy for agents", true),
        (
            "active",
            with("action: block", "action: log"),
            "weakens PRIV-001: block → log; approves",
            true,
        ),
        (
            "active",
            with("severity: high", "severity: info"),
            "weakens PRIV-001: severity high → info",
            true,
        ),
        (
            "active",
            with("block, severity: high", "warn, severity: low"),
            "weakens PRIV-001: block → warn, severity high → low",
            true,
        ),
        (
            "active",
            with("target: customer_pii", "target: emails"),
            "may weaken PRIV-001: target customer_pii → emails",
            true,
        ),
        (
            "active",
            with("    target: customer_pii\n", &format!("    target: customer_pii\n{condition}")),
            "weakens PRIV-001: other conditions",
            true,
        ),
        ("active", second, "weakens PRIV-001: deleted", true),
        ("active", permission, "weakens OK-1: a new permission", true),
        (
            "draft",
            with("{approved: seen}", "{rejected: no}"),
            "deactivates 1 policy for agents; weakens PRIV-001: rejected",
            true,
        ),
        (
            "active",
            with("action: warn", "action: block"),
            "Plan for Vijil: approves 1 rule for agents",
            false,
        ), // stricter
        ("active", with("log what they read", "log all that they read"), "rewords PRIV-002", false),
        (
            "active",
            with("target: customer_pii", "target: 'customer_pii, keys'"),
            "Plan for Vijil: approves 1 rule for agents",
            false,
        ),
    ];
    for (status, rules, says, refused) in table {
        world.write(status, &rules);
        let (code, headline, plan) = world.judged("{deny_widening: true}");
        assert!(headline.contains(says), "{says}\n{headline}");
        assert_eq!(code, Some(if refused { 4 } else { 0 }), "{says}: {plan:#}");
        assert_eq!(message(&plan, "deny_widening").contains("weaken"), refused, "{says}: {plan:#}");
        let (code, _, plan) = world.judged("{deny_widening: false}");
        assert_eq!(code, Some(0), "{says}: {plan:#}");
        assert_eq!(
            plan["vijil"].get("weakened").is_some(),
            refused || says.starts_with("rewords"),
            "{says}: {plan:#}"
        );
        let markdown = text(&world.run(&["plan", "--format", "markdown"]));
        let first = markdown
            .lines()
            .next()
            .unwrap()
            .replace("<code>", "")
            .replace("</code>", "")
            .replace("&#95;", "_");
        assert!(first.contains(says.trim_start_matches("Plan for Vijil: ")), "{says}\n{first}");
        // What is saved is what is shown, and judged by its guards again.
        world.guards("{deny_widening: true}");
        world.run(&["plan", "--out", "plan.json"]);
        world.service.forget_calls();
        let applied = world.run(&["apply", "--yes", "--plan", "plan.json"]);
        assert!(!refused || applied.status.code() == Some(4), "{says}: {}", text(&applied));
        assert!(!refused || world.service.writes().is_empty(), "{says}");
        world.guards("{}");
        world.write("active", RULES);
        world.apply();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_policy_for_agents_is_not_weakened_and_what_is_out_of_force_counts_as_deleted()
{
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    world.apply();
    let log = RULES.replacen("action: block", "action: log", 1);
    let reworded = RULES.replacen("log what they read", "log all that they read", 1);
    let stricter = RULES.replacen("severity: low", "severity: critical", 1);
    let first = RULES.split("  - rule_id: PRIV-002").next().unwrap();
    let rejected = RULES.replace("approved: seen", "rejected: no");
    let replaced = RULES.replace("PRIV-002", "LOG-2");
    let empty = "[]";
    // The guards, the status, the rules, and what refuses them; empty where nothing does.
    let table = [
        (
            "{protected: [Data]}",
            "active",
            log.as_str(),
            "protected",
            "weakens the protected policy `Data` (weaken-rule): PRIV-001: block → log",
        ),
        (
            "{protected: [Data]}",
            "active",
            reworded.as_str(),
            "protected",
            "(weaken-rule): PRIV-002: reworded",
        ),
        ("{protected: [Data]}", "active", stricter.as_str(), "", ""),
        (
            "{protected: [Data]}",
            "archived",
            RULES,
            "protected",
            "weakens the protected policy `Data` (deactivate): Data: active → archived",
        ),
        ("{protected: [{name: Data, allow: [weaken-rule]}]}", "active", log.as_str(), "", ""),
        (
            "{protected: [{name: Data, allow: [weaken-rule]}]}",
            "draft",
            RULES,
            "protected",
            "(deactivate)",
        ),
        ("{protected: [{name: Data, allow: [deactivate]}]}", "draft", RULES, "", ""),
        // A rule that goes for another one empties nothing.
        ("{protected: [{name: Data, allow: [weaken-rule]}]}", "active", replaced.as_str(), "", ""),
        (
            "{max_deletes: 0}",
            "draft",
            RULES,
            "max_deletes",
            "deletes or deactivates 1 of 1 live policies for agents; at most 0 may go",
        ),
        ("{max_deletes: 1}", "draft", RULES, "", ""),
        (
            "{max_deletes: 0}",
            "active",
            first,
            "max_deletes",
            "deletes 1 of 2 live rules of `Data`; at most 0 may go",
        ),
        ("{max_deletes: 1}", "active", first, "", ""),
        (
            "{max_deletes: 1}",
            "draft",
            rejected.as_str(),
            "max_deletes",
            "deletes or rejects 2 of 2 live rules of `Data`; at most 1 may go",
        ),
        ("{protected: [Data]}", "draft", empty, "protected", "empties the protected policy `Data`"),
    ];
    for (guards, status, rules, guard, says) in table {
        match rules {
            "[]" => {
                let head =
                    "apiVersion: seawall/v1\nkind: AgentPolicy\nname: Data\ncategory: privacy\n";
                fs::write(
                    world.path().join("data.yaml"),
                    format!("{head}status: {status}\nrules: []\n"),
                )
                .unwrap();
            }
            rules => world.write(status, rules),
        }
        let (code, _, plan) = world.judged(guards);
        assert_eq!(
            code,
            Some(if guard.is_empty() { 0 } else { 4 }),
            "{guards} {status} {says}: {plan:#}"
        );
        assert!(
            guard.is_empty() || message(&plan, guard).contains(says),
            "{guards} {status}: {}",
            message(&plan, guard)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_for_agents_whose_document_goes_is_protected_and_counted() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    world.apply();
    fs::rename(world.path().join("data.yaml"), world.path().join("other.yaml")).unwrap();
    let text = fs::read_to_string(world.path().join("other.yaml")).unwrap();
    let other = text.split("status:").next().unwrap().replace("name: Data", "name: Other");
    fs::write(world.path().join("other.yaml"), other + "rules: []\n").unwrap();
    // The ownership, the guards, and what refuses the plan; empty where nothing does.
    let table = [
        ("declared", "{protected: [Data]}", "no document declares the protected policy `Data`"),
        ("exclusive", "{protected: [Data]}", "deletes the protected policy `Data`"),
        ("declared", "{protected: [{name: Data, allow: [delete]}]}", ""),
        ("exclusive", "{protected: [{name: Data, allow: [delete]}]}", ""),
        (
            "exclusive",
            "{max_deletes: 0}",
            "deletes 1 of 1 live policies for agents; at most 0 may go",
        ),
        ("declared", "{max_deletes: 0}", ""),
    ];
    for (ownership, guards, says) in table {
        let settings = format!(
            "apiVersion: seawall/v1\nkind: Workspace\nvijil: {{ownership: {ownership}}}\nguards: {guards}\n"
        );
        fs::write(world.path().join("seawall.yaml"), settings).unwrap();
        let json = world.run(&["plan", "--format", "json"]);
        let plan: Value = serde_json::from_slice(&json.stdout).unwrap();
        let refusals = plan["guards"].as_array().unwrap().iter().filter(|one| one["ok"] == false);
        let refusals: Vec<&str> = refusals.map(|one| one["message"].as_str().unwrap()).collect();
        let expected: Vec<&str> = Some(says).filter(|says| !says.is_empty()).into_iter().collect();
        assert_eq!(refusals, expected, "{ownership} {guards}");
        assert_eq!(json.status.code(), Some(if says.is_empty() { 0 } else { 4 }), "{guards}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_of_a_former_text_is_a_warning_and_rules_are_counted_by_consequence() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    let shown = text(&world.run(&["plan"]));
    let counts = "Rules in force by consequence: block 0 → 1, warn 0 → 1\n";
    assert!(shown.contains(counts), "{shown}");
    world.apply();
    let edited = RULES.replacen("action: block", "action: log", 1);
    world.write("active", &edited);
    let plan = world.plan();
    assert_eq!(plan["warnings"][0]["code"], "stale-approval-note");
    assert_eq!(plan["warnings"][0]["source"]["file"], "data.yaml");
    assert_eq!(plan["warnings"].as_array().unwrap().len(), 1);
    let buckets = json!([{"action": "block", "before": 1, "after": 0}, {"action": "log", "before": 0, "after": 1}]);
    assert_eq!(plan["vijil"]["buckets"], buckets);
    let shown = text(&world.run(&["plan"]));
    assert!(shown.contains("Warning: `PRIV-001` of `Data` changes, and the note of its approval is the one of its former text  data.yaml:"), "{shown}");
    let markdown = text(&world.run(&["plan", "--format", "markdown"]));
    assert!(
        markdown.contains("> [!WARNING]\n> <code>`PRIV-001` of `Data` changes")
            || markdown.contains("PRIV-001"),
        "{markdown}"
    );
    // A new note is a new review; without one, the pipeline's own note is taken.
    for review in ["approved: seen again", "approved: ''"] {
        world.write("active", &edited.replacen("approved: seen", review, 1));
        assert_eq!(world.plan().get("warnings"), None, "{review}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_or_policy_that_comes_beside_an_equal_one_that_goes_looks_like_a_rename() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    world.apply();
    let hint = |plan: &Value| plan["warnings"][0]["help"].as_str().map(str::to_owned);
    world.write("active", &RULES.replace("PRIV-002", "LOG-2"));
    assert_eq!(
        hint(&world.plan()).as_deref(),
        Some("looks like a rename: add previously: [PRIV-002]")
    );
    let shown = text(&world.run(&["plan"]));
    assert!(shown.contains("  looks like a rename: add previously: [PRIV-002]\n"), "{shown}");
    // It says something else, or says so itself.
    let other = RULES.replace("PRIV-002", "LOG-2").replace("log what", "log all that");
    let named = RULES.replace("rule_id: PRIV-002", "rule_id: LOG-2\n    previously: [PRIV-002]");
    for rules in [other, named] {
        world.write("active", &rules);
        assert_eq!(hint(&world.plan()), None, "{rules}");
    }
    world.write("active", RULES);
    let text = fs::read_to_string(world.path().join("data.yaml")).unwrap();
    fs::write(world.path().join("data.yaml"), text.replace("name: Data", "name: Customers"))
        .unwrap();
    assert_eq!(hint(&world.plan()).as_deref(), Some("looks like a rename: add previously: [Data]"));
    // One of its rules says something else.
    let other = text.replace("name: Data", "name: Customers").replace("log what", "log all that");
    fs::write(world.path().join("data.yaml"), other).unwrap();
    assert_eq!(hint(&world.plan()), None);
}
