//! Saved plans that say something else than was saved, under a checksum that fits: whoever changes one can make that too.

use seawall::model::{Live, LiveVijil};
use seawall::plan::Plan;
use seawall::plan::dependencies::Beyond;
use seawall::plan::guard::Guard;
use seawall::plan::step::Op;
use serde_json::{Value, json};

use super::{Organization, desired, make};

const BEFORE: &str = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nrules:\n  - {name: r, decision: allow, \
                      actions: ['connect:tcp'], resources: [a.example.com]}\n";

/// A plan that deletes a policy, changes a rule and makes another policy.
async fn plan() -> (Plan, Live) {
    let gone = BEFORE.replace("name: p", "name: q");
    let organization = Organization::new(&desired(&format!("{BEFORE}---\n{gone}")), |builder| builder).await;
    let after = format!("{}---\n{}", BEFORE.replace("a.ex", "b.ex"), BEFORE.replace("name: p", "name: new"));
    let live = organization.reader().live().await.unwrap();
    (make(&desired(&after), &live), live)
}

/// A change of a saved plan.
type Alteration = Box<dyn FnOnce(&mut Value)>;

/// The plan that a file with this change says, under its own checksum.
fn altered(plan: &Plan, change: impl FnOnce(&mut Value)) -> Result<Plan, String> {
    let mut file: Value = serde_json::from_str(&plan.to_json()).unwrap();
    change(&mut file);
    file["checksum"] = "".into();
    // The sum is that of the whole without it, which only a plan that can be read has.
    let mut document: seawall::plan::saved::PlanDocument =
        serde_json::from_value(file).map_err(|error| error.to_string())?;
    document.sign();
    let text = serde_json::to_string(&document).unwrap();
    Plan::from_json(&text).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_plan_that_does_not_hold_together_is_refused() {
    let (plan, _) = plan().await;
    assert_eq!(altered(&plan, |_| ()).unwrap(), plan);
    let update = plan.steps.iter().position(|step| step.change.rule_name().is_some()).unwrap();
    let changes: Vec<(&str, Alteration)> = vec![
        ("another policy", Box::new(move |file| file["steps"][update]["request"]["path"][4] = "pol_other".into())),
        ("another organization", Box::new(move |file| file["steps"][update]["request"]["path"][1] = "other".into())),
        ("another body", Box::new(move |file| file["steps"][update]["request"]["body"] = json!({"decision": "allow"}))),
        ("another verb", Box::new(move |file| file["steps"][update]["op"] = "delete".into())),
        ("an earlier phase", Box::new(|file| file["steps"][2]["phase"] = 0.into())),
        ("a step twice", Box::new(|file| file["steps"][1]["id"] = 1.into())),
        ("a policy that is not looked at", Box::new(|file| file["live"]["touched"] = json!([]))),
        ("a policy that was another", Box::new(|file| file["live"]["touched"][0]["was"]["name"] = "x".into())),
        (
            "a policy twice",
            Box::new(|file| {
                let first = file["live"]["touched"][0].clone();
                file["live"]["touched"].as_array_mut().unwrap().push(first);
            }),
        ),
        ("another summary", Box::new(|file| file["summary"]["delete"] = 0.into())),
        (
            "a policy that is left alone, and changed",
            Box::new(|file| {
                file["unmanaged"] = json!([{"service": "docker", "policy": "p"}]);
            }),
        ),
        ("a step under another name", Box::new(move |file| file["steps"][update]["policy"] = "q".into())),
        (
            "an object that was another",
            Box::new(move |file| file["steps"][update]["before"]["resources"] = json!(["x.example.com"])),
        ),
        ("a key more", Box::new(move |file| file["steps"][update]["after"]["note"] = "harmless".into())),
        ("other statements", Box::new(move |file| file["steps"][update]["statements"] = json!([]))),
        (
            "records that do not add up",
            Box::new(|file| {
                let window = json!({"first": null, "last": null, "records": 2, "requests": 1, "users": 1,
                    "skipped": {"not_a_decision": 0, "not_enforced": 0, "duplicate": 0, "broken": 0}});
                file["recorded"] = json!({"format_version": 1, "window": window, "newly_denied": [], "newly_allowed": [],
                    "agreement": {"agree": 2, "disagree": 0, "unknown": 0, "disagreements": []}, "unchanged": 1, "unknown": []});
            }),
        ),
        (
            "no service",
            Box::new(|file| {
                file.as_object_mut().unwrap().remove("docker");
            }),
        ),
    ];
    for (what, change) in changes {
        let error = altered(&plan, change).unwrap_err();
        assert!(
            error.contains("was changed after it was saved") || error.contains("it is for no service"),
            "{what}: {error}"
        );
    }
}

/// The position of the first step that this is true of.
fn position(file: &Value, holds: impl Fn(&Value) -> bool) -> usize {
    file["steps"].as_array().unwrap().iter().position(holds).unwrap()
}

fn is(step: &Value, op: &str, object: &str) -> bool {
    step["op"] == op && step["object"] == object
}

/// Puts a step behind all others, with everything that counts them.
fn append(file: &mut Value, mut step: Value) {
    let steps = file["steps"].as_array_mut().unwrap();
    step["id"] = (steps.len() + 1).into();
    step["phase"] = (steps.last().unwrap()["phase"].as_u64().unwrap() + 1).into();
    let op = step["op"].as_str().unwrap().to_owned();
    steps.push(step);
    file["summary"][&op] = (file["summary"][&op].as_u64().unwrap() + 1).into();
}

#[tokio::test]
async fn each_step_is_one_that_the_differences_of_the_plan_explain() {
    let (plan, _) = plan().await;
    let twice = |op: &'static str, object: &'static str| -> Alteration {
        Box::new(move |file| {
            let step = file["steps"][position(file, |step| is(step, op, object))].clone();
            append(file, step);
        })
    };
    let because = |op: &'static str, object: &'static str, reason: &'static str| -> Alteration {
        Box::new(move |file| {
            let at = position(file, |step| is(step, op, object));
            file["steps"][at]["because"] = reason.into();
        })
    };
    let created =
        || json!({"name": "everything", "actions": ["connect:tcp"], "resources": ["**"], "decision": "allow"});
    let create = move |file: &mut Value, policy: Value, name: &str| {
        let request = json!({"method": "POST", "path": ["orgs", super::ORG, "governance", "policies", policy, "rules"], "body": created()});
        let step = json!({"service": "docker", "op": "create", "object": "rule", "policy": name, "rule": "everything", "before": null,
            "after": created(), "changed": [], "request": request, "source": null});
        append(file, step);
    };
    let table: Vec<(&str, Alteration, &str)> = vec![
        ("a policy made twice", twice("create", "policy"), "is there already"),
        ("a rule made twice", twice("create", "rule"), "is there already"),
        ("a rule changed twice", twice("update", "rule"), "does not find the object that it states"),
        ("a policy deleted twice", twice("delete", "policy"), "there is no such policy"),
        (
            "a change that goes back",
            Box::new(|file| {
                let mut step = file["steps"][position(file, |step| is(step, "update", "rule"))].clone();
                let (before, after) = (step["before"].clone(), step["after"].clone());
                step["request"]["body"] = json!({"resources": before["resources"]});
                (step["before"], step["after"]) = (after, before);
                append(file, step);
            }),
            "do not explain a further step",
        ),
        // Neither guard would count these.
        ("a deletion as one of a temporary deny", because("delete", "policy", "temporary_deny"), "its reason"),
        ("a deletion as a part", because("delete", "policy", "split_widens"), "its reason"),
        ("a creation as one of a temporary deny", because("create", "rule", "temporary_deny"), "its reason"),
        ("a rename that is none", because("update", "rule", "temporary_name"), "is not explained"),
        (
            "a rule that comes and goes",
            Box::new(move |file| {
                let id = file["live"]["touched"][0]["id"].clone();
                let name = file["live"]["touched"][0]["was"]["name"].as_str().unwrap().to_owned();
                create(file, id.clone(), &name);
                let path = json!(["orgs", super::ORG, "governance", "policies", id, "rules", {"rule": "everything"}]);
                let step = json!({"service": "docker", "op": "delete", "object": "rule", "policy": name, "rule": "everything",
                "before": file["steps"].as_array().unwrap().last().unwrap()["after"], "after": null, "changed": [],
                "request": {"method": "DELETE", "path": path, "body": null}, "source": null});
                append(file, step);
            }),
            "the plan",
        ),
        (
            "a rule in a policy that is not looked at",
            Box::new(move |file| create(file, "pol_other".into(), "p")),
            "no such policy",
        ),
        (
            "a rule beside the policy that it waits for",
            Box::new(|file| {
                let policy = position(file, |step| is(step, "create", "policy"));
                let rule = position(file, |step| is(step, "create", "rule"));
                for at in policy..=rule {
                    file["steps"][at]["phase"] = file["steps"][policy]["phase"].clone();
                }
            }),
            "does not wait",
        ),
    ];
    for (what, change, says) in table {
        let error = altered(&plan, change).unwrap_err();
        assert!(error.contains("after it was saved") && error.contains(says), "{what}: {error}");
    }
}

#[tokio::test]
async fn a_guard_that_refused_a_plan_refuses_it_still_and_is_judged_again() {
    let (mut plan, live) = plan().await;
    let refused = |plan: &Plan, guard| plan.refusals(&Default::default()).any(|verdict| verdict.guard == guard);
    // What the plan records counts, whatever would be found now.
    plan.guards.iter_mut().for_each(|verdict| verdict.ok = verdict.guard != Guard::SafeOrder);
    let again = plan.clone().judged_again(Some(&live), None::<&LiveVijil>);
    assert!(refused(&again, Guard::SafeOrder) && again.refusals(&Default::default()).count() == 1);
    // What it does not record is missing.
    plan.guards.clear();
    assert_eq!(plan.clone().judged_again(Some(&live), None).refusals(&Default::default()).count(), Guard::ALL.len());
    // What it records as passed is judged by its settings on what is live.
    let (mut plan, live) = self::plan().await;
    assert_eq!(plan.refusals(&Default::default()).count(), 0);
    plan.guard_settings.protected = vec![seawall::model::Protected::wholly("q")];
    plan.guard_settings.deny_widening = true;
    plan.guard_settings.max_deletes = Some(seawall::model::Limit::Count(0));
    let again = plan.judged_again(Some(&live), None);
    for guard in [Guard::Protected, Guard::DenyWidening, Guard::MaxDeletes] {
        assert!(refused(&again, guard), "{guard:?}");
    }
    assert!(!refused(&again, Guard::SafeOrder) && !refused(&again, Guard::ServiceLimits));
}

/// Changes each step of a saved plan.
fn each(change: impl Fn(&mut serde_json::Map<String, Value>)) -> impl FnOnce(&mut Value) {
    move |file| file["steps"].as_array_mut().unwrap().iter_mut().for_each(|step| change(step.as_object_mut().unwrap()))
}

#[tokio::test]
async fn a_step_may_say_that_it_depends_on_more_and_not_on_less() {
    let (plan, _) = plan().await;
    assert!(plan.steps.iter().any(|step| step.dependencies != Default::default()));
    // Plans were saved without.
    let untold = |step: &mut serde_json::Map<String, Value>| {
        step.remove("depends_on");
        step.remove("touches");
    };
    assert_eq!(altered(&plan, each(untold)).unwrap(), plan);
    let more =
        altered(&plan, each(|step| drop(step.insert("depends_beyond".to_owned(), "all_earlier".into())))).unwrap();
    assert!(more.steps.iter().all(|step| step.dependencies.beyond == Some(Beyond::AllEarlier)));
    let table: [(&str, Value, &str); 4] = [
        ("depends_on", json!([]), "does not wait for step"),
        ("depends_on", json!([1, 2, 3, 4, 5, 6]), "waits for a step that is not earlier"),
        ("depends_on", json!("none"), "invalid type"),
        ("touches", json!(["mcp"]), "touches more than it states"),
    ];
    for (key, value, says) in table {
        let change = |step: &mut serde_json::Map<String, Value>| {
            if let Some(slot) = step.get_mut(key) {
                *slot = value.clone();
            }
        };
        let error = altered(&plan, each(change)).unwrap_err();
        assert!(error.contains(says), "{key}: {error}");
    }
}

#[tokio::test]
async fn steps_in_an_order_that_opens_something_are_refused() {
    let after = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nrules:\n  \
                 - {name: r, decision: allow, actions: ['connect:tcp'], resources: ['**.example.com']}\n  \
                 - {name: s, decision: deny, actions: ['connect:tcp'], resources: [b.example.com]}\n";
    let organization = Organization::new(&desired(BEFORE), |builder| builder).await;
    let live = organization.reader().live().await.unwrap();
    let plan = make(&desired(after), &live);
    let ops: Vec<Op> = plan.steps.iter().map(|step| step.change.op()).collect();
    assert_eq!(ops, [Op::Create, Op::Update]);
    let is_safe = |plan: &Plan| {
        let judged = plan.clone().judged_again(Some(&live), None);
        !judged.refusals(&Default::default()).any(|verdict| verdict.guard == Guard::SafeOrder)
    };
    let untold = |file: &mut Value| {
        each(|step| drop((step.remove("depends_on"), step.remove("touches"))))(file);
    };
    let table: [(&str, bool, Alteration); 5] = [
        ("as it was saved", true, Box::new(|_| ())),
        (
            "what it allows comes before what it denies",
            false,
            Box::new(move |file| {
                untold(file);
                let steps = file["steps"].as_array_mut().unwrap();
                steps.swap(0, 1);
                for (step, number) in steps.iter_mut().zip(1..) {
                    (step["id"], step["phase"]) = (json!(number), json!(number));
                }
            }),
        ),
        (
            "or together with it",
            false,
            Box::new(move |file| {
                untold(file);
                each(|step| drop(step.insert("phase".to_owned(), 1.into())))(file);
            }),
        ),
        (
            "over a version that neither end has",
            false,
            Box::new(move |file| {
                untold(file);
                let mut last = file["steps"][1].clone();
                file["steps"][1]["after"]["resources"] = json!(["**"]);
                file["steps"][1]["request"]["body"] = json!({"resources": ["**"]});
                file["steps"][1]["because"] = "split_narrows".into();
                last["before"]["resources"] = json!(["**"]);
                last["because"] = "split_widens".into();
                append(file, last);
            }),
        ),
        (
            "over one that is below both",
            true,
            Box::new(move |file| {
                untold(file);
                let mut last = file["steps"][1].clone();
                file["steps"][1]["after"]["resources"] = json!(["c.example.com"]);
                file["steps"][1]["request"]["body"] = json!({"resources": ["c.example.com"]});
                file["steps"][1]["because"] = "split_narrows".into();
                last["before"]["resources"] = json!(["c.example.com"]);
                last["because"] = "split_widens".into();
                append(file, last);
            }),
        ),
    ];
    for (what, safe, change) in table {
        let plan = altered(&plan, change).unwrap();
        assert_eq!(is_safe(&plan), safe, "{what}: {:?}", plan.steps);
    }
}
