//! Policies for agents from documents to a service and back, under every way in which the service
//! may behave.

mod drafts;
mod settings;
mod story;
mod weakening;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use seawall::emulator::vijil::AfterEdit;
use seawall::emulator::{
    Emulator, Operation, Running, Seed, VijilAccount, VijilBehaviour, VijilOperation,
};
use serde_json::{Value, json};

const RULES: &str = "  - rule_id: PRIV-001
    rule_type: prohibition
    action: disclose
    target: customer_pii
    consequence: {action: block, severity: high}
    natural_language: Agents must not disclose customer PII.
    review: {approved: seen}
  - rule_id: PRIV-002
    rule_type: obligation
    action: log
    consequence: {action: warn, severity: low}
    natural_language: Agents must log what they read.
    review: {approved: seen}
";

struct World {
    folder: tempfile::TempDir,
    service: Running,
}

impl World {
    async fn new(behaviour: VijilBehaviour) -> Self {
        Self::seeded(behaviour, Seed::default()).await
    }

    async fn seeded(behaviour: VijilBehaviour, seed: Seed) -> Self {
        let account = VijilAccount {
            client_id: "vk_one".into(),
            client_secret: "secret-one".into(),
            api_key: Some("key-of-one".into()),
            email: None,
        };
        let service = Emulator::builder()
            .vijil_account(account)
            .vijil_behaviour(behaviour)
            .seed(seed)
            .start()
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("seawall.yaml"),
            "apiVersion: seawall/v1\nkind: Workspace\nvijil: {}\n",
        )
        .unwrap();
        Self { folder, service }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, status: &str, rules: &str) {
        let head = "apiVersion: seawall/v1\nkind: AgentPolicy\nname: Data\ncategory: privacy\n";
        let status = if status.is_empty() { String::new() } else { format!("status: {status}\n") };
        fs::write(self.path().join("data.yaml"), format!("{head}{status}rules:\n{rules}")).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(
            arguments,
            &[("VIJIL_CLIENT_ID", "vk_one"), ("VIJIL_CLIENT_SECRET", "secret-one")],
        )
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_seawall"))
            .current_dir(self.path())
            .env_clear()
            .env("VIJIL_CONSOLE_URL", self.service.origin())
            .envs(variables.iter().copied())
            .args(arguments)
            .output()
            .unwrap()
    }

    fn apply(&self) {
        let output = self.run(&["apply", "--yes"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let again = self.run(&["plan", "--detailed-exitcode"]);
        assert_eq!(again.status.code(), Some(0), "not empty afterwards: {}", text(&again));
    }

    fn plan(&self) -> Value {
        let output = self.run(&["plan", "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn steps(&self) -> Vec<String> {
        let plan = self.plan();
        let step = |step: &Value| {
            format!(
                "{} {}",
                step["op"].as_str().unwrap(),
                step["rule"].as_str().unwrap_or("policy")
            )
        };
        plan["steps"].as_array().unwrap().iter().map(step).collect()
    }

    /// Status of the policy and of its rules, by `rule_id`.
    fn state(&self) -> (String, Vec<(String, String)>) {
        let vijil = self.service.state().vijil;
        let policy = vijil.policies.values().next().unwrap().text("status").to_owned();
        let mut rules: Vec<_> = vijil
            .rules
            .values()
            .map(|rule| (rule.text("rule_id").to_owned(), rule.text("status").to_owned()))
            .collect();
        rules.sort();
        (policy, rules)
    }

    /// The operations that were written, in order.
    fn writes(&self) -> Vec<VijilOperation> {
        let operation = |call: seawall::emulator::Call| match call.operation {
            Some(Operation::Vijil(operation)) => operation,
            other => panic!("{other:?}"),
        };
        self.service.writes().into_iter().map(operation).collect()
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_keeps_the_policy_active_and_is_approved_at_once_with_the_fewest_calls() {
    let world =
        World::new(VijilBehaviour { after_edit: AfterEdit::Unchanged, ..Default::default() }).await;
    world.write("active", RULES);
    assert_eq!(
        world.steps(),
        [
            "create policy",
            "create PRIV-001",
            "create PRIV-002",
            "approve PRIV-001",
            "approve PRIV-002",
            "activate policy"
        ]
    );
    world.apply();
    world.service.forget_calls();
    world.write("active", &RULES.replace("disclose customer PII", "disclose any customer PII"));
    let plan = world.plan();
    assert_eq!(
        plan["summary"],
        json!({"create": 0, "update": 1, "delete": 0, "approve": 1, "reject": 0, "activate": 0})
    );
    assert_eq!(plan["steps"][0]["because"], json!("edited_in_place"));
    assert_eq!(
        plan["steps"][0]["request"]["body"],
        json!({"natural_language": "Agents must not disclose any customer PII."})
    );
    assert_eq!(plan["steps"][1]["request"]["query"], json!({"notes": "seen"}));
    world.apply();
    use VijilOperation as O;
    assert_eq!(world.writes(), [O::UpdateRule, O::ApproveRule]);
    // A rule that goes needs nothing of that, and a review that says the same costs nothing.
    world.service.forget_calls();
    world.write(
        "active",
        &RULES
            .split("  - rule_id: PRIV-002")
            .next()
            .unwrap()
            .replace("disclose customer PII", "disclose any customer PII")
            .replace("approved: seen", "approved: seen again"),
    );
    world.apply();
    assert_eq!(world.writes(), [O::DeleteRule]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_goes_out_of_force_last() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    world.apply();
    world.write("archived", RULES.split("  - rule_id: PRIV-002").next().unwrap());
    assert_eq!(world.steps(), ["delete PRIV-002", "update policy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_documents_make_impossible_is_refused_before_any_call() {
    let world = World::new(VijilBehaviour::default()).await;
    let table = [
        ("active", RULES.replacen("{approved: seen}", "{rejected: no}", 1)), // offline already
        ("active", RULES.replacen("    review: {approved: seen}\n", "", 1)), // new, and nobody reviewed it
    ];
    for (status, rules) in table {
        world.write(status, &rules);
        let output = world.run(&["apply", "--yes"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(world.service.writes().is_empty());
    }
    // Without a review an approved rule stays approved, until it is edited.
    world.write("active", RULES);
    world.apply();
    let unreviewed = RULES.replace("    review: {approved: seen}\n", "");
    world.write("", &unreviewed);
    assert!(world.steps().is_empty());
    world.write("", &unreviewed.replace("log what", "log all that"));
    assert_eq!(world.run(&["plan"]).status.code(), Some(1));
    world.write("draft", &RULES.replacen("{approved: seen}", "{rejected: too vague}", 1));
    assert_eq!(world.steps(), ["update policy", "reject PRIV-001"]);
    world.apply();
    assert_eq!(world.state().1[0].1, "rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_object_and_running_again_finishes() {
    for (kind, nth) in [("lose-after", 1), ("cut", 2), ("lose-before", 3), ("rate-limit=1", 4)] {
        let world = World::new(VijilBehaviour::default()).await;
        world.write("active", RULES);
        world.service.arm(format!("{kind}@writes#{nth}").parse().unwrap());
        let first = world.run(&["apply", "--yes"]);
        assert!(matches!(first.status.code(), Some(0 | 5 | 6)), "{kind} {nth}: {}", text(&first));
        world.service.disarm();
        world.apply();
        let vijil = world.service.state().vijil;
        assert_eq!((vijil.policies.len(), vijil.rules.len()), (1, 2), "{kind} {nth}");
        assert_eq!(world.state().0, "active", "{kind} {nth}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_single_answer_is_believed_that_something_is_gone() {
    for fault in [
        "lie=empty@agent:listPolicies#1",
        "refuse=404@agent:listPolicyRules#1",
        "lie=empty@agent:listPolicyRules#1",
        "lie=missing@agent:listPolicyRules#1",
        "refuse=404@agent:getRule#1",
        "refuse=404@agent:deleteRule#1",
    ] {
        let world = World::new(VijilBehaviour::default()).await;
        world.write("", RULES);
        world.apply();
        // One rule goes, the other one stays.
        world.write("", RULES.split("  - rule_id: PRIV-002").next().unwrap());
        world.service.arm(fault.parse().unwrap());
        let output = world.run(&["apply", "--yes"]);
        world.service.disarm();
        let state = world.service.state().vijil;
        let ids: Vec<&str> = state.rules.values().map(|rule| rule.text("rule_id")).collect();
        assert_eq!(state.policies.len(), 1, "{fault}: {}", text(&output));
        assert!(
            ids.len() <= 2 && ids.iter().filter(|id| **id == "PRIV-001").count() == 1,
            "{fault}: {ids:?}"
        );
        // What is said to be gone is gone, where the plan knew of it.
        let left = ids.contains(&"PRIV-002") && text(&output).contains("1 to delete");
        assert!(!left || output.status.code() != Some(0), "{fault}: {}", text(&output));
        // The list shows that it is there, and it is deleted all the same.
        let done = output.status.code() == Some(0);
        assert!(done || !fault.contains("getRule"), "{fault}: {}", text(&output));
        world.apply();
        assert_eq!(world.service.state().vijil.rules.len(), 1, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_single_answer_is_believed_that_a_policy_is_gone() {
    for fault in ["refuse=404@agent:getPolicy#1", "refuse=404@agent:deletePolicy#1"] {
        let world = World::new(VijilBehaviour::default()).await;
        let settings = "apiVersion: seawall/v1\nkind: Workspace\nvijil: {ownership: exclusive}\n";
        fs::write(world.path().join("seawall.yaml"), settings).unwrap();
        let head = "apiVersion: seawall/v1\nkind: AgentPolicy\ncategory: privacy\nrules: []\n";
        fs::write(world.path().join("other.yaml"), format!("{head}name: Other\n")).unwrap();
        fs::write(world.path().join("data.yaml"), format!("{head}name: Data\n")).unwrap();
        world.apply();
        fs::remove_file(world.path().join("data.yaml")).unwrap();
        world.service.arm(fault.parse().unwrap());
        let output = world.run(&["apply", "--yes"]);
        world.service.disarm();
        let left = world.service.state().vijil.policies.len();
        assert_eq!(
            left,
            if output.status.code() == Some(0) { 1 } else { 2 },
            "{fault}: {output:?}"
        );
        world.apply();
        assert_eq!(world.service.state().vijil.policies.len(), 1, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_refused_once_a_rule_has_moved() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("draft", &RULES.replace("    review: {approved: seen}\n", ""));
    world.apply();
    world.write("draft", RULES);
    let saved = world.run(&["plan", "--out", "plan.json"]);
    assert_eq!(saved.status.code(), Some(0), "{}", text(&saved));
    let edit = |world: &World, sentence: &str| {
        world
            .service
            .edit(|state| {
                for rule in state.vijil.rules.values_mut() {
                    let rule = std::sync::Arc::make_mut(rule);
                    if rule.text("rule_id") == "PRIV-001" {
                        rule.object["natural_language"] = sentence.into();
                    }
                }
            })
            .unwrap();
    };
    edit(&world, "Agents may disclose everything.");
    world.service.forget_calls();
    let refused = world.run(&["apply", "--plan", "plan.json", "--yes"]);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(
        text(&refused).contains("may disclose everything") && world.service.writes().is_empty()
    );
    edit(&world, "Agents must not disclose customer PII.");
    let applied = world.run(&["apply", "--plan", "plan.json", "--yes"]);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied));
    assert_eq!(world.state().1[0].1, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_refused_once_a_policy_of_the_name_is_there() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    let saved = world.run(&["plan", "--out", "plan.json"]);
    assert_eq!(saved.status.code(), Some(0), "{}", text(&saved));
    world.write("draft", "  []\n");
    world.apply();
    world.service.forget_calls();
    let refused = world.run(&["apply", "--plan", "plan.json", "--yes"]);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert_eq!(text(&refused).matches("`Data` is there already").count(), 1, "{}", text(&refused));
    assert!(world.service.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_notes_and_secrets() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", &RULES.replace("approved: seen", "approved: ''"));
    let variables = [
        ("VIJIL_API_KEY", "key-of-one"),
        ("GITHUB_SHA", "abc123"),
        ("GITHUB_REPOSITORY", "o/r"),
        ("GITHUB_REF", "refs/pull/7/merge"),
    ];
    let output = world.run_with(&["apply", "--yes", "-vvv"], &variables);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!text(&output).contains("key-of-one"));
    let vijil = world.service.state().vijil;
    let notes = "Reviewed in pull request #7, merged as o/r@abc123";
    assert!(vijil.rules.values().all(|rule| rule.text("review_notes") == notes));
    let wrong = world.run_with(&["plan"], &[("VIJIL_API_KEY", "wrong")]);
    assert_eq!(wrong.status.code(), Some(5), "{}", text(&wrong));
    let half = world.run_with(&["plan"], &[("VIJIL_CLIENT_ID", "vk_one")]);
    assert_eq!(half.status.code(), Some(5), "{}", text(&half));
    // A stored session is renewed when it is over.
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir_all(home.join(".vijil")).unwrap();
    fs::write(
        home.join(".vijil/config.yaml"),
        format!("auth_token: {}\n", world.service.vijil_token()),
    )
    .unwrap();
    world.service.expire_tokens();
    let output = world.run_with(&["plan"], &[("HOME", home.to_str().unwrap())]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_whose_steps_were_changed_is_refused() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    world.run(&["plan", "--out", "plan.json"]);
    let saved = fs::read_to_string(world.path().join("plan.json")).unwrap();
    let changed = |pointer: &str, value: Value| {
        let mut plan: Value = serde_json::from_str(&saved).unwrap();
        let step = plan["steps"]
            .as_array()
            .unwrap()
            .iter()
            .position(|step| step["op"] == "approve")
            .unwrap();
        *plan.pointer_mut(&format!("/steps/{step}/{pointer}")).unwrap() = value;
        plan
    };
    let table = [
        changed("request/path/3", json!("reject")),
        changed("request/query", json!({"notes": "by nobody"})),
        changed("after/natural_language", json!("Agents may disclose everything.")), // what people saw
        changed("rule", json!("PRIV-002")),
        changed("op", json!("reject")),
    ];
    for plan in table {
        fs::write(world.path().join("changed.json"), plan.to_string()).unwrap();
        let refused = world.run(&["apply", "--plan", "changed.json", "--yes"]);
        assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
        assert!(text(&refused).contains("changed after it was saved"), "{}", text(&refused));
    }
    assert!(world.service.writes().is_empty());
    let applied = world.run(&["apply", "--plan", "plan.json", "--yes"]);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_field_that_a_document_leaves_out_stays_as_the_service_has_it() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    world.apply();
    let add = |object: &mut Value, more: Value| {
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone())
    };
    let edit = |state: &mut seawall::emulator::State| {
        for policy in state.vijil.policies.values_mut() {
            let policy = &mut std::sync::Arc::make_mut(policy).object;
            add(policy, json!({"description": "d", "source_text": "s", "tags": ["t"]}));
        }
        for rule in state.vijil.rules.values_mut() {
            let rule = &mut std::sync::Arc::make_mut(rule).object;
            add(
                rule,
                json!({"target": "t", "assignee": "all", "category": "brand", "tags": ["t"]}),
            );
            let condition =
                json!({"condition_type": "time", "field": "hour", "operator": ">", "value": 8});
            add(rule, json!({"constraint_logic": "any", "constraints": [condition]}));
            add(&mut rule["consequence"], json!({"message": "no", "ticket": {"queue": "p1"}}));
        }
    };
    world.service.edit(edit).unwrap();
    let rules = RULES.replace("    target: customer_pii\n", "");
    world.write("active", &rules);
    assert_eq!(world.steps(), [""; 0]);
    // What the documents do set is sent, and nothing beside it is lost.
    world.write("active", &rules.replace("severity: high", "severity: low"));
    world.apply();
    let vijil = world.service.state().vijil;
    let rule = vijil.rules.values().find(|rule| rule.text("rule_id") == "PRIV-001").unwrap();
    let consequence =
        json!({"action": "block", "severity": "low", "message": "no", "ticket": {"queue": "p1"}});
    assert_eq!((&rule.object["consequence"], &rule.object["target"]), (&consequence, &json!("t")));
}

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_read_sentences_quotations_and_what_changes_by_words() {
    let world = World::new(VijilBehaviour::default()).await;
    let provenance = "    provenance: {extracted_by: llm, model_used: reader-1, confidence_score: 0.5, source_location: \
                      {section: 4.2 Disclosure, paragraph: 3, source_text: Staff shall not pass on data of customers.}}\n";
    let rules = RULES.replacen("    review:", &format!("{provenance}    review:"), 1);
    world.write("active", &rules);
    let shown = text(&world.run(&["plan"]));
    for piece in [
        "Plan for Vijil: approves 2 rules, activates 1 policy for agents",
        " APPROVE  PRIV-001",
        "prohibition: “Agents must not disclose customer PII.”",
        "action disclose, target customer_pii",
        "when broken: block, severity high",
        "from the source, 4.2 Disclosure, paragraph 3: “Staff shall not pass on data of customers.”",
        "extracted by reader-1 with a confidence of 50 %",
        "notes: seen",
    ] {
        assert!(shown.contains(piece), "{piece}\n{shown}");
    }
    let markdown = text(&world.run(&["plan", "--format", "markdown"]));
    for piece in [
        "### seawall: approves 2 rules, activates 1 policy for agents",
        "✅ **APPROVE** <code>Data</code> › <code>PRIV-001</code>",
        "<code>prohibition</code>: <code>Agents must not disclose customer PII.</code>",
        "<code>4.2 Disclosure, paragraph 3</code>: <code>Staff shall not pass on data of customers.</code>",
        "🟡 extracted by <code>reader-1</code> with a confidence of 50 %",
    ] {
        assert!(markdown.contains(piece), "{piece}\n{markdown}");
    }
    world.apply();
    world.write(
        "active",
        &rules.replace("must not disclose customer PII", "must never disclose any customer PII"),
    );
    let words = "natural_language: Agents must [-not-] {+never+} disclose {+any+} customer PII.";
    let shown = text(&world.run(&["plan"]));
    assert!(shown.contains(words), "{shown}");
    let markdown = text(&world.run(&["plan", "--format", "markdown"]));
    let words = "<code>Agents must</code> <del><code>not</code></del> <ins><code>never</code></ins> <code>disclose</code>";
    assert!(markdown.contains(words), "{markdown}");
}

#[test]
fn rules_are_compared_across_policies() {
    let policy = |name: &str, status: &str, kind: &str, sentence: &str, review: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: AgentPolicy\nname: {name}\ncategory: privacy\n{status}rules:\n  - rule_id: R\n    \
             rule_type: {kind}\n    action: Disclose\n    target: pii\n    consequence: {{severity: low}}\n    \
             natural_language: {sentence}\n{review}"
        )
    };
    let table = [
        ("", "permission", "Yes.", "", &["contradicting-rules"][..]),
        ("", "prohibition", "' no '", "", &["duplicate-sentence"]),
        ("", "permission", "'no'", "", &["contradicting-rules", "duplicate-sentence"]),
        ("", "obligation", "Yes.", "", &[]),
        ("status: archived\n", "permission", "'no'", "", &[]),
        ("", "permission", "No.", "    review: {rejected: it repeats another}\n", &[]), // in nobody's way
    ];
    for (status, kind, sentence, review, expected) in table {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("seawall.yaml", "apiVersion: seawall/v1\nkind: Workspace\nvijil: {}\n");
        write("a.yaml", &policy("a", "", "prohibition", "No.", ""));
        write("b.yaml", &policy("b", status, kind, sentence, review));
        let mut validate = Command::new(env!("CARGO_BIN_EXE_seawall"));
        let output = validate
            .current_dir(folder.path())
            .args(["validate", "--format", "json"])
            .output()
            .unwrap();
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = findings["findings"].as_array().unwrap();
        // The rules have one id, and sentences of one word, which are findings of their own.
        let others = ["shared-rule-id", "vague-sentence"];
        let findings: Vec<&Value> = findings
            .iter()
            .filter(|finding| !others.contains(&finding["code"].as_str().unwrap()))
            .collect();
        let mut codes: Vec<&str> =
            findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect();
        codes.sort_unstable();
        assert_eq!(codes, expected, "{kind} {sentence} {review} {findings:?}");
        for finding in findings {
            let files = (finding["file"].as_str(), finding["related"][0]["file"].as_str());
            assert_eq!(files, (Some("b.yaml"), Some("a.yaml")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_for_vijil_is_one_that_the_plan_explains() {
    let world = World::new(VijilBehaviour::default()).await;
    world.write("active", RULES);
    world.apply();
    world.write("active", &RULES.replace("severity: high", "severity: low"));
    assert_eq!(world.steps(), ["update PRIV-001", "approve PRIV-001"]);
    let saved = world.run(&["plan", "--out", "plan.json"]);
    assert_eq!(saved.status.code(), Some(0), "{}", text(&saved));
    let saved: Value =
        serde_json::from_str(&fs::read_to_string(world.path().join("plan.json")).unwrap()).unwrap();
    let written = world.service.writes().len();
    let append = |plan: &mut Value, index: usize| {
        let mut step = plan["steps"][index].clone();
        let steps = plan["steps"].as_array_mut().unwrap();
        step["id"] = (steps.len() + 1).into();
        step["phase"] = (steps.last().unwrap()["phase"].as_u64().unwrap() + 1).into();
        let op = step["op"].as_str().unwrap().to_owned();
        steps.push(step);
        plan["summary"][&op] = (plan["summary"][&op].as_u64().unwrap() + 1).into();
    };
    /// A change of a saved plan, and what the refusal says.
    type Row<'a> = (Box<dyn Fn(&mut Value) + 'a>, &'static str);
    let table: Vec<Row<'_>> = vec![
        (Box::new(|plan| append(plan, 0)), "does the same"),
        (Box::new(|plan| append(plan, 1)), "does the same"),
        // An edit that nobody approves, in a policy that stays active.
        (
            Box::new(|plan| {
                plan["steps"].as_array_mut().unwrap().pop();
                plan["summary"]["approve"] = 0.into();
            }),
            "not approved",
        ),
        (Box::new(|plan| plan["steps"][0]["policy"] = "Other".into()), "is shown as `Other`"),
        (
            Box::new(|plan| plan["steps"][0]["before"]["natural_language"] = "Harmless.".into()),
            "after it was saved",
        ),
        (Box::new(|plan| plan["vijil"]["live"]["touched"] = json!([])), "no such policy"),
        (
            Box::new(|plan| plan["vijil"]["live"]["touched"][0]["was"]["name"] = "x".into()),
            "not what was live",
        ),
        (
            Box::new(|plan| plan["vijil"]["live"]["touched"][0]["was"]["rules"] = json!([])),
            "not what was live",
        ),
        (
            Box::new(|plan| {
                plan["unmanaged"] = json!([{"service": "vijil", "policy": "Data"}]);
            }),
            "states that `Data` is left alone",
        ),
        // Other calls than the differences say.
        (Box::new(|plan| plan["steps"][0]["request"]["path"][2] = "other".into()), "does not find"),
        (Box::new(|plan| plan["steps"][0]["request"]["body"] = json!({})), "hold together"),
        (
            Box::new(|plan| plan["steps"][1]["request"]["query"] = json!({"notes": "x"})),
            "hold together",
        ),
        // Steps that nobody would carry out.
        (
            Box::new(|plan| {
                plan.as_object_mut().unwrap().remove("vijil");
                plan["docker"] = json!({"org": "acme", "endpoint": "embedded"});
                let counts = plan["summary"].as_object_mut().unwrap();
                counts.values_mut().for_each(|count| *count = 0.into());
            }),
            "hold together",
        ),
        // What becomes weaker would not be told.
        (
            Box::new(|plan| drop(plan["vijil"].as_object_mut().unwrap().remove("weakened"))),
            "it would mean something else for access now",
        ),
    ];
    for (change, says) in table {
        let mut plan = saved.clone();
        change(&mut plan);
        plan["checksum"] = "".into();
        let mut document: seawall::plan::saved::PlanDocument =
            serde_json::from_value(plan).unwrap();
        document.sign();
        fs::write(world.path().join("changed.json"), serde_json::to_string(&document).unwrap())
            .unwrap();
        let refused = world.run(&["apply", "--plan", "changed.json", "--yes"]);
        assert_eq!(refused.status.code(), Some(4), "{says}: {}", text(&refused));
        assert!(text(&refused).contains(says), "{says}: {}", text(&refused));
    }
    assert_eq!(world.service.writes().len(), written);
    let applied = world.run(&["apply", "--plan", "plan.json", "--yes"]);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied));
}
