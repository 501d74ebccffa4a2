//! Saved plans that say something else than was saved, under a checksum that fits: whoever changes
//! one can make that too.

use seawall::model::{
    Body, Cedar, Decision, Domain, Live, LivePolicy, LiveVijil, Policy, Resources, Rule, Scope,
};
use seawall::plan::dependencies::Beyond;
use seawall::plan::docker::{
    Change, Difference, PolicyFields, PolicyTarget, RuleTarget, Step, simulate,
};
use seawall::plan::guard::Guard;
use seawall::plan::step::{Delta, Op, Reason};
use seawall::plan::{DockerPlan, Plan};
use serde_json::{Value, json};

use super::{Organization, desired, make};

const BEFORE: &str = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nrules:\n  - {name: r, decision: allow, \
                      actions: ['connect:tcp'], resources: [a.example.com]}\n";

/// A plan that deletes a policy, changes a rule and makes another policy.
async fn plan() -> (Plan, Live) {
    let gone = BEFORE.replace("name: p", "name: q");
    let organization =
        Organization::new(&desired(&format!("{BEFORE}---\n{gone}")), |builder| builder).await;
    let after = format!(
        "{}---\n{}",
        BEFORE.replace("a.ex", "b.ex"),
        BEFORE.replace("name: p", "name: new")
    );
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
    let update =
        plan.docker_steps().iter().position(|step| step.change.rule_name().is_some()).unwrap();
    let changes: Vec<(&str, Alteration)> = vec![
        (
            "another policy",
            Box::new(move |file| file["steps"][update]["request"]["path"][4] = "pol_other".into()),
        ),
        (
            "another organization",
            Box::new(move |file| file["steps"][update]["request"]["path"][1] = "other".into()),
        ),
        (
            "another body",
            Box::new(move |file| {
                file["steps"][update]["request"]["body"] = json!({"decision": "allow"})
            }),
        ),
        ("another verb", Box::new(move |file| file["steps"][update]["op"] = "delete".into())),
        ("an earlier phase", Box::new(|file| file["steps"][2]["phase"] = 0.into())),
        (
            "a phase that goes back",
            Box::new(each_unrelated(|step, at| step["phase"] = json!([2, 1, 3, 4][at]))),
        ),
        ("a step twice", Box::new(|file| file["steps"][1]["id"] = 1.into())),
        (
            "a number twice",
            Box::new(each_unrelated(|step, at| step["id"] = json!([1, 1, 2, 3][at]))),
        ),
        (
            "a number too high",
            Box::new(each_unrelated(|step, at| step["id"] = json!([1, 2, 3, 5][at]))),
        ),
        ("a policy that is not looked at", Box::new(|file| file["live"]["touched"] = json!([]))),
        (
            "another hash",
            Box::new(|file| file["live"]["touched"][0]["fingerprint"] = "sha256:0".into()),
        ),
        ("another id", Box::new(|file| file["live"]["touched"][0]["id"] = "pol_other".into())),
        (
            "a policy that was another",
            Box::new(|file| file["live"]["touched"][0]["was"]["name"] = "x".into()),
        ),
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
        (
            "a step under another name",
            Box::new(move |file| file["steps"][update]["policy"] = "q".into()),
        ),
        (
            "an object that was another",
            Box::new(move |file| {
                file["steps"][update]["before"]["resources"] = json!(["x.example.com"])
            }),
        ),
        (
            "a key more",
            Box::new(move |file| file["steps"][update]["after"]["note"] = "harmless".into()),
        ),
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
            "no organization",
            Box::new(|file| {
                let target =
                    json!({"endpoint": "embedded", "live": {"fingerprint": "", "touched": []}});
                file["vijil"] = target;
                file.as_object_mut().unwrap().remove("docker");
                each_unrelated(|step, _| step["request"]["path"][1] = "".into())(file);
            }),
        ),
        (
            "no service",
            Box::new(|file| {
                file.as_object_mut().unwrap().remove("docker");
            }),
        ),
        (
            "neither a service nor a step",
            Box::new(|file| {
                file.as_object_mut().unwrap().remove("docker");
                file["steps"] = json!([]);
                file["live"]["touched"] = json!([]);
                let counts = file["summary"].as_object_mut().unwrap();
                counts.values_mut().for_each(|count| *count = 0.into());
            }),
        ),
    ];
    for (what, change) in changes {
        let error = altered(&plan, change).unwrap_err();
        assert!(
            error.contains("was changed after it was saved")
                || error.contains("it is for no service")
                || error.contains("it has steps for Docker, and no organization"),
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
    let created = || json!({"name": "everything", "actions": ["connect:tcp"], "resources": ["**"], "decision": "allow"});
    let create = move |file: &mut Value, policy: Value, name: &str| {
        let request = json!({"method": "POST", "path": ["orgs", super::ORG, "governance", "policies", policy, "rules"], "body": created()});
        let step = json!({"service": "docker", "op": "create", "object": "rule", "policy": name, "rule": "everything", "before": null,
            "after": created(), "changed": [], "request": request, "source": null});
        append(file, step);
    };
    let table: Vec<(&str, Alteration, &str)> = vec![
        ("a policy made twice", twice("create", "policy"), "is there already"),
        ("a rule made twice", twice("create", "rule"), "is there already"),
        (
            "a rule changed twice",
            twice("update", "rule"),
            "does not find the object that it states",
        ),
        ("a policy deleted twice", twice("delete", "policy"), "there is no such policy"),
        (
            "a change that goes back",
            Box::new(|file| {
                let mut step =
                    file["steps"][position(file, |step| is(step, "update", "rule"))].clone();
                let (before, after) = (step["before"].clone(), step["after"].clone());
                step["request"]["body"] = json!({"resources": before["resources"]});
                (step["before"], step["after"]) = (after, before);
                append(file, step);
            }),
            "do not explain a further step",
        ),
        // Neither guard would count these.
        (
            "a deletion as one of a temporary deny",
            because("delete", "policy", "temporary_deny"),
            "its reason",
        ),
        ("a deletion as a part", because("delete", "policy", "split_widens"), "its reason"),
        (
            "a creation as one of a temporary deny",
            because("create", "rule", "temporary_deny"),
            "its reason",
        ),
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
    let refused = |plan: &Plan, guard| {
        plan.refusals(&Default::default()).any(|verdict| verdict.guard == guard)
    };
    // What the plan records counts, whatever would be found now.
    plan.guards.iter_mut().for_each(|verdict| verdict.ok = verdict.guard != Guard::SafeOrder);
    let again = plan.clone().judged_again(Some(&live), None::<&LiveVijil>);
    assert!(refused(&again, Guard::SafeOrder) && again.refusals(&Default::default()).count() == 1);
    // What it does not record is missing.
    plan.guards.clear();
    assert_eq!(
        plan.clone().judged_again(Some(&live), None).refusals(&Default::default()).count(),
        Guard::ALL.len()
    );
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

/// A policy of network rules, each `NAME DECISION HOST…`.
fn network(name: &str, scope: &str, rules: &[&str]) -> String {
    let rule = |rule: &&str| {
        let mut words = rule.split(' ');
        let (name, decision) = (words.next().unwrap(), words.next().unwrap());
        let hosts: Vec<&str> = words.collect();
        format!(
            "  - {{name: {name}, decision: {decision}, actions: ['connect:tcp'], resources: {hosts:?}}}\n"
        )
    };
    let rules: String = rules.iter().map(rule).collect();
    format!(
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: {name}\nscope: {{teams: [{scope}]}}\nrules:\n{rules}"
    )
}

/// The plan from some documents to others, with the live state.
async fn plan_between(before: &str, after: &str) -> (Plan, Live) {
    let organization = Organization::new(&desired(before), |builder| builder).await;
    let live = organization.reader().live().await.unwrap();
    (make(&desired(after), &live), live)
}

/// The Docker side, to be altered.
fn docker(plan: &mut Plan) -> &mut DockerPlan {
    plan.docker.as_mut().unwrap()
}

/// The plan that its file says.
fn read(plan: &Plan) -> Result<Plan, String> {
    Plan::from_json(&plan.to_json()).map_err(|error| error.to_string())
}

/// The plan with other steps, in this order and one a phase, which state no relations between them.
/// Each is shown under the last name of its policy.
fn of_steps(plan: &Plan, steps: impl IntoIterator<Item = (Change, Option<Reason>)>) -> Plan {
    let steps: Vec<(Change, Option<Reason>)> = steps.into_iter().collect();
    let touched = &plan.docker.as_ref().unwrap().live.touched;
    let mut after = touched.clone();
    steps.iter().for_each(|(change, _)| simulate::carry_out(&mut after, change));
    let name = |change: &Change| {
        let id = simulate::policy_id(change.policy());
        let found = after.iter().chain(touched).find(|policy| policy.id == id);
        found.map_or_else(
            || id.0.trim_start_matches("planned:").to_owned(),
            |policy| policy.name.clone(),
        )
    };
    let step = |(number, (change, because)): (usize, &(Change, Option<Reason>))| {
        let policy = name(change);
        let difference = Difference {
            id: number,
            change: change.clone(),
            because: *because,
            source: None,
            policy,
        };
        seawall::plan::step::Step::new(difference, number)
    };
    let mut plan = plan.clone();
    docker(&mut plan).steps = (1..).zip(&steps).map(step).collect();
    plan
}

/// The plan whose only step is divided in two parts, by way of another object.
fn divided(plan: &Plan, between: &Between) -> Plan {
    let [step] = plan.docker_steps() else { panic!("{:?}", plan.docker_steps()) };
    let update = |before: Option<&Between>, after: Option<&Between>| match &step.change {
        Change::Rule { policy, target, delta: Delta::Update { before: old, after: new } } => {
            let side = |own: &Rule, other: Option<&Between>| match other {
                Some(Between::Hosts(hosts)) => {
                    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
                    Rule { resources: Resources::Plain(hosts), ..own.clone() }
                }
                _ => own.clone(),
            };
            let delta = Delta::Update { before: side(old, before), after: side(new, after) };
            Change::Rule { policy: policy.clone(), target: target.clone(), delta }
        }
        Change::Policy { target, delta: Delta::Update { before: old, after: new } } => {
            let side = |own: &PolicyFields, other: Option<&Between>| match other {
                Some(Between::Scope(scope)) => PolicyFields { scope: scope.clone(), ..own.clone() },
                Some(Between::Text(text)) => {
                    let cedar =
                        own.cedar.clone().map(|cedar| Cedar { text: text.to_string(), ..cedar });
                    PolicyFields { cedar, ..own.clone() }
                }
                _ => own.clone(),
            };
            let delta = Delta::Update { before: side(old, before), after: side(new, after) };
            Change::Policy { target: target.clone(), delta }
        }
        change => panic!("{change:?}"),
    };
    let (first, last) = (update(None, Some(between)), update(Some(between), None));
    of_steps(plan, [(first, Some(Reason::SplitNarrows)), (last, Some(Reason::SplitWidens))])
}

/// What a plan sets on the way.
enum Between {
    Hosts(&'static [&'static str]),
    Scope(Scope),
    Text(&'static str),
}

#[tokio::test]
async fn two_steps_about_one_object_are_the_parts_of_its_difference() {
    let before = network("p", "", &["r allow a.example.com b.example.com"]);
    let (plan, _) = plan_between(&before, &before.replace("a.example.com", "c.example.com")).await;
    let parts = divided(&plan, &Between::Hosts(&["b.example.com"]));
    assert_eq!(read(&parts).unwrap().docker_steps().len(), 2);
    let back = {
        let [first, last] = parts.docker_steps() else { panic!() };
        let (Some(old), _) = first.change.rule_sides() else { panic!() };
        let mut change = last.change.clone();
        let Change::Rule { delta: Delta::Update { after, .. }, .. } = &mut change else { panic!() };
        after.clone_from(old);
        change
    };
    /// A change of the two parts.
    type Edit = Box<dyn Fn(&mut Vec<Step>)>;
    let table: [(Edit, &str); 4] = [
        (
            Box::new(|steps| steps[1].phase = 1),
            "does not wait for an earlier step about the same object",
        ),
        (
            Box::new(move |steps| steps[1].difference.change = back.clone()),
            "takes an earlier step back",
        ),
        (
            Box::new(|steps| {
                steps[0].difference.because = Some(Reason::SplitWidens);
                steps[1].difference.because = Some(Reason::SplitNarrows);
            }),
            "do not explain a further step about the same object",
        ),
        (Box::new(|steps| drop(steps.pop())), "its reason"),
    ];
    for (edit, says) in table {
        let mut plan = parts.clone();
        edit(&mut docker(&mut plan).steps);
        let error = read(&plan).unwrap_err();
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[tokio::test]
async fn a_deny_that_stands_in_for_another_one_is_created_and_deleted_by_one_plan() {
    let before = network("p", "", &["r deny a.example.com"]);
    let (plan, _) = plan_between(&before, &before.replace("a.example.com", "b.example.com")).await;
    let [step] = plan.docker_steps() else { panic!("{:?}", plan.docker_steps()) };
    let Change::Rule { policy, delta: Delta::Update { after, .. }, .. } = &step.change else {
        panic!("{:?}", step.change)
    };
    let table = [
        ("r (seawall: stands in)", Decision::Deny, Ok(3)),
        ("r (seawall: stands in)", Decision::Allow, Err(())),
        ("other", Decision::Deny, Err(())),
    ];
    for (name, decision, expected) in table {
        let rule = Rule { name: name.to_owned(), decision, ..after.clone() };
        let create = Change::create_rule(policy.clone(), rule.clone());
        let target = RuleTarget::Planned(name.to_owned());
        let delta = Delta::Delete { before: rule };
        let delete = Change::Rule { policy: policy.clone(), target, delta };
        let (narrows, widens) = (Some(Reason::SplitNarrows), Some(Reason::SplitWidens));
        let steps = [(create, narrows), (step.change.clone(), narrows), (delete, widens)];
        let found = read(&of_steps(&plan, steps)).map(|plan| plan.docker_steps().len());
        let explained = |why: &String| why.contains("deletes what an earlier step made");
        assert!(found.as_ref().err().is_none_or(explained), "{found:?}");
        assert_eq!(found.map_err(drop), expected, "{name} {decision:?}");
    }
}

#[tokio::test]
async fn a_deletion_that_no_guard_counts_is_one_that_is_made_again() {
    let before = network(
        "p",
        "",
        &["r deny a.example.com", "s deny b.example.com", "t allow c.example.com"],
    );
    let after = network("p", "", &["u deny d.example.com", "t allow c.example.com"]);
    let (mut plan, live) = plan_between(&before, &after).await;
    plan.guard_settings.max_deletes = Some(seawall::model::Limit::Count(0));
    let as_parts = |number: usize| {
        let mut plan = plan.clone();
        let deletes = |step: &&mut Step| step.change.op() == Op::Delete;
        let because = |step: &mut Step, reason: Reason| step.difference.because = Some(reason);
        let steps = &mut docker(&mut plan).steps;
        steps
            .iter_mut()
            .filter(deletes)
            .take(number)
            .for_each(|step| because(step, Reason::SplitNarrows));
        let creates = |step: &&mut Step| step.change.op() == Op::Create;
        steps.iter_mut().filter(creates).for_each(|step| because(step, Reason::SplitWidens));
        plan
    };
    let message = |plan: Plan| {
        let judged = plan.judged_again(Some(&live), None);
        let verdict =
            judged.guards.into_iter().find(|verdict| verdict.guard == Guard::MaxDeletes).unwrap();
        (verdict.ok, verdict.message)
    };
    assert_eq!(
        message(plan.clone()),
        (false, "deletes 2 of 3 live rules of `p`; at most 0 may go".to_owned())
    );
    // One rule can be another one afterwards, but two cannot.
    assert!(message(read(&as_parts(1)).unwrap()).1.starts_with("deletes 1 of 3"));
    assert!(message(as_parts(2)).0, "nothing but its reason would count them");
    let error = read(&as_parts(2)).unwrap_err();
    assert!(error.contains("its reason"), "{error}");
}

#[tokio::test]
async fn no_step_is_about_a_rule_of_a_policy_that_goes() {
    let before = network("p", "", &["r deny a.example.com", "s allow b.example.com"]);
    let (plan, _) = plan_between(&before, "").await;
    let Change::Policy { target: policy, delta: Delta::Delete { before } } =
        &plan.docker_steps()[0].change
    else {
        panic!()
    };
    let rules = plan.docker.as_ref().unwrap().live.touched[0].rules();
    let rule = |at: usize, delta: Delta<Rule>| {
        let target = RuleTarget::Existing(rules[at].id.clone());
        Change::Rule { policy: policy.clone(), target, delta }
    };
    let left = |left: Vec<Rule>| {
        let before = Policy { body: Body::Allowlist(left), ..before.clone() };
        Change::Policy { target: policy.clone(), delta: Delta::Delete { before } }
    };
    let own = |at: usize| rules[at].rule.clone();
    let narrower = |rule: &Rule| Rule { name: format!("{} once", rule.name), ..rule.clone() };
    let delete = |at: usize| rule(at, Delta::Delete { before: own(at) });
    let (reason, widens) = (Some(Reason::SplitNarrows), Some(Reason::SplitWidens));
    // As the planner divides a deletion.
    let parts = [(delete(1), reason), (left(vec![own(0)]), widens)];
    assert!(read(&of_steps(&plan, parts)).is_ok());
    let renamed = rule(0, Delta::Update { before: own(0), after: narrower(&own(0)) });
    let table = [
        [(delete(1), None), (left(vec![own(0)]), None)],
        [(renamed, None), (left(vec![narrower(&own(0)), own(1)]), None)],
    ];
    for steps in table {
        let error = read(&of_steps(&plan, steps)).unwrap_err();
        assert!(error.contains("its policy is deleted"), "{error}");
    }
}

/// Changes each step of a saved plan, which then states no relations between steps; the number
/// counts from 0.
fn each_unrelated(change: impl Fn(&mut Value, usize)) -> impl FnOnce(&mut Value) {
    move |file| {
        for (at, step) in file["steps"].as_array_mut().unwrap().iter_mut().enumerate() {
            let fields = step.as_object_mut().unwrap();
            ["depends_on", "depends_beyond", "touches"]
                .iter()
                .for_each(|key| drop(fields.remove(*key)));
            change(step, at);
        }
    }
}

/// Changes each step of a saved plan.
fn each(change: impl Fn(&mut serde_json::Map<String, Value>)) -> impl FnOnce(&mut Value) {
    move |file| {
        file["steps"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|step| change(step.as_object_mut().unwrap()))
    }
}

#[tokio::test]
async fn a_step_waits_for_what_the_plan_states_and_for_what_follows_from_its_steps() {
    let (plan, _) = plan().await;
    assert!(plan.docker_steps().iter().any(|step| !step.dependencies.steps.is_empty()));
    // Earlier versions saved plans without relations, or with fewer: what each of them may leave
    // out is found again.
    for keys in [&["depends_on"][..], &["touches"], &["depends_on", "touches"]] {
        let untold = |step: &mut serde_json::Map<String, Value>| {
            keys.iter().for_each(|key| drop(step.remove(*key)))
        };
        assert_eq!(altered(&plan, each(untold)).unwrap(), plan, "{keys:?}");
    }
    let more = |key: &'static str, value: Value| {
        altered(&plan, each(move |step| drop(step.insert(key.to_owned(), value.clone()))))
    };
    let all = more("depends_beyond", "all_earlier".into()).unwrap();
    let beyond = |step: &Step| step.dependencies.beyond == Some(Beyond::AllEarlier);
    assert!(all.docker_steps().iter().all(beyond));
    let mcp = more("touches", json!(["mcp"])).unwrap();
    for (step, own) in mcp.docker_steps().iter().zip(plan.docker_steps()) {
        assert!(
            step.touches.contains(&Domain::Mcp) && step.touches.is_superset(&own.touches),
            "{step:?}"
        );
    }
    for (key, value, says) in [
        ("depends_on", json!([1, 2, 3, 4, 5, 6]), "waits for a step that is not earlier"),
        ("depends_on", json!("none"), "invalid type"),
    ] {
        let error = more(key, value).unwrap_err();
        assert!(error.contains(says), "{key}: {error}");
    }
}

#[test]
fn a_plan_that_an_earlier_version_saved_can_be_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/plans");
    let plans: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(plans.len() > 3);
    for path in plans {
        let plan = Plan::from_json(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(!plan.docker_steps().is_empty(), "{path:?}");
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
    let ops: Vec<Op> = plan.docker_steps().iter().map(|step| step.change.op()).collect();
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
        assert_eq!(is_safe(&plan), safe, "{what}: {:?}", plan.docker_steps());
    }
}

#[tokio::test]
async fn a_scope_or_a_text_that_neither_end_has_is_refused() {
    let is_safe = |plan: &Plan, live: &Live| {
        let judged = read(plan).unwrap().judged_again(Some(live), None);
        !judged.refusals(&Default::default()).any(|verdict| verdict.guard == Guard::SafeOrder)
    };
    let before = network("p", "research", &["r allow a.example.com"]);
    let (plan, live) = plan_between(&before, &before.replace("research", "platform")).await;
    let scope = |names: &[&str]| {
        let id =
            |name: &&str| live.teams.iter().find(|team| team.name == *name).unwrap().id.to_owned();
        Between::Scope(Scope::from_teams(names.iter().map(id)))
    };
    let table = [
        (scope(&["research", "platform"]), true),
        (scope(&["sales"]), false),
        (scope(&["research", "platform", "sales"]), false),
        (Between::Scope(Scope::Organization), false),
    ];
    for (number, (between, safe)) in table.iter().enumerate() {
        assert_eq!(is_safe(&divided(&plan, between), &live), *safe, "{number}");
    }

    let mcp = |permitted: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: McpPolicy\nname: m\ncedar: |\n  permit (principal, action == \
             MCP::Action::\"invokeTool\", resource) when {{ resource.{permitted} }};\n  forbid (principal, action, \
             resource) when {{ resource.destructive }};\n"
        )
    };
    let (plan, live) = plan_between(&mcp("readOnly"), &mcp("idempotent")).await;
    assert!(is_safe(&plan, &live));
    let table = [
        ("forbid (principal, action, resource) when { resource.destructive };", true),
        ("permit (principal, action, resource);", false),
        (
            "permit (principal, action, resource); forbid (principal, action, resource) when { resource.destructive };",
            false,
        ),
        ("forbid (principal, action, resource);", false), // the planner would not set it
    ];
    for (text, safe) in table {
        assert_eq!(is_safe(&divided(&plan, &Between::Text(text)), &live), safe, "{text}");
    }
}

/// Changes of the policies that a plan touches.
struct Changes<'a>(&'a Plan);

impl Changes<'_> {
    fn live(&self, name: &str) -> &LivePolicy {
        self.0
            .docker
            .as_ref()
            .unwrap()
            .live
            .touched
            .iter()
            .find(|policy| policy.name == name)
            .unwrap()
    }

    fn target(&self, name: &str) -> PolicyTarget {
        PolicyTarget::Existing(self.live(name).id.clone())
    }

    /// Changes the policy between these versions of what is live.
    fn head(
        &self,
        name: &str,
        before: fn(&mut PolicyFields),
        after: fn(&mut PolicyFields),
    ) -> Change {
        let own = PolicyFields::new(&self.live(name).policy());
        let (mut old, mut new) = (own.clone(), own);
        before(&mut old);
        after(&mut new);
        let delta = Delta::Update { before: old, after: new };
        Change::Policy { target: self.target(name), delta }
    }

    fn delete(&self, name: &str, change: fn(&mut Policy)) -> Change {
        let mut before = self.live(name).policy();
        change(&mut before);
        Change::Policy { target: self.target(name), delta: Delta::Delete { before } }
    }

    /// Changes the first rule of a policy between these versions of what is live.
    fn rule(&self, name: &str, before: fn(&mut Rule), after: fn(&mut Rule)) -> Change {
        let own = &self.live(name).rules()[0];
        let (mut old, mut new) = (own.rule.clone(), own.rule.clone());
        before(&mut old);
        after(&mut new);
        let delta = Delta::Update { before: old, after: new };
        let target = RuleTarget::Existing(own.id.clone());
        Change::Rule { policy: self.target(name), target, delta }
    }

    fn delete_rule(&self, name: &str, change: fn(&mut Rule)) -> Change {
        let own = &self.live(name).rules()[0];
        let mut before = own.rule.clone();
        change(&mut before);
        let target = RuleTarget::Existing(own.id.clone());
        Change::Rule { policy: self.target(name), target, delta: Delta::Delete { before } }
    }

    fn create_rule(&self, name: &str, own: &str, decision: Decision) -> [Change; 2] {
        let after =
            Rule { name: own.to_owned(), decision, ..self.live("p").rules()[0].rule.clone() };
        let (policy, target) = (self.target(name), RuleTarget::Planned(own.to_owned()));
        let delta = Delta::Delete { before: after.clone() };
        [Change::create_rule(policy.clone(), after), Change::Rule { policy, target, delta }]
    }

    fn create(&self, name: &str) -> [Change; 2] {
        let after = PolicyFields { name: name.to_owned(), scope: Scope::Organization, cedar: None };
        let target = PolicyTarget::Planned(name.to_owned());
        let delta = Delta::Delete { before: after.with_rules(Vec::new()) };
        [Change::create_policy(after), Change::Policy { target, delta }]
    }
}

#[tokio::test]
async fn each_step_finds_what_it_states_and_has_the_reason_that_it_states() {
    let mcp = "apiVersion: seawall/v1\nkind: McpPolicy\nname: m\ncedar: |\n  permit (principal, action, resource);\n";
    let (p, q) =
        (network("p", "", &["r deny a.example.com"]), network("q", "", &["r allow b.example.com"]));
    let (plan, _) = plan_between(&format!("{p}---\n{q}---\n{mcp}"), "").await;
    let of = Changes(&plan);
    let same = |_: &mut PolicyFields| ();
    let rename: fn(&mut PolicyFields) = |head| head.name = "other".to_owned();
    let temporary: fn(&mut PolicyFields) =
        |head| head.name = "other (seawall is renaming this)".to_owned();
    let (differs, nothing, reason) =
        ("does not find the object that it states", "changes nothing", "its reason");
    let further = "do not explain a further step about the same object";
    let deny = "seawall: temporary deny 1";
    let [make, unmake] = of.create(deny);
    let [add, remove] = of.create_rule("p", deny, Decision::Deny);
    let [open, close] = of.create_rule("p", deny, Decision::Allow);
    let [more, less] = of.create_rule("p", "more", Decision::Deny);
    let [create, delete] = of.create("more");
    let (narrows, widens) = (Some(Reason::SplitNarrows), Some(Reason::SplitWidens));
    let (for_now, by_name) = (Some(Reason::TemporaryDeny), Some(Reason::TemporaryName));
    type Steps = Vec<(Change, Option<Reason>)>;
    let accepted: Vec<Steps> = vec![
        vec![(of.head("p", same, rename), None)],
        vec![(of.head("p", same, temporary), by_name), (of.head("p", temporary, rename), None)],
        vec![(of.delete("p", |_| ()), None)],
        vec![(of.delete_rule("p", |_| ()), None), (more.clone(), None)],
        vec![(make.clone(), for_now), (unmake.clone(), for_now)],
        vec![(add.clone(), for_now), (remove.clone(), for_now)],
    ];
    for (number, steps) in accepted.into_iter().enumerate() {
        assert_eq!(read(&of_steps(&plan, steps)).err(), None, "{number}");
    }
    let cedar: fn(&mut PolicyFields) = |head| {
        let schema_url = "https://schemas.docker.com/policy/cedar/v1/mcp/v0".to_owned();
        head.cedar =
            Some(Cedar { text: "permit (principal, action, resource);".to_owned(), schema_url });
    };
    let moved: fn(&mut PolicyFields) = |head| {
        head.name = "other (seawall is renaming this)".to_owned();
        head.scope = Scope::from_teams(["t".to_owned()]);
    };
    let gone = |mut change: Change| {
        let Change::Rule { target, .. } = &mut change else { panic!("{change:?}") };
        *target = RuleTarget::Existing(seawall::model::RuleId("none".to_owned()));
        change
    };
    let refused: Vec<(Steps, &str)> = vec![
        (vec![(of.head("p", |head| head.name = "x".to_owned(), rename), None)], differs),
        (
            vec![(
                of.head("p", |head| head.scope = Scope::from_teams(["t".to_owned()]), rename),
                None,
            )],
            differs,
        ),
        (vec![(of.head("p", same, same), None)], nothing),
        (vec![(of.head("p", same, cedar), None)], nothing),
        (vec![(gone(of.delete_rule("p", |_| ())), None)], "its policy has no such rule"),
        (
            vec![(of.head("p", same, rename), narrows), (of.head("p", rename, same), widens)],
            "it takes an earlier step back",
        ),
        // More or other than a temporary name.
        (
            vec![
                (of.head("p", same, temporary), by_name),
                (of.head("p", temporary, |head| head.name = "x".to_owned()), narrows),
                (of.head("p", |head| head.name = "x".to_owned(), temporary), by_name),
                (of.head("p", temporary, rename), widens),
            ],
            further,
        ),
        (vec![(of.head("p", same, moved), by_name), (of.head("p", moved, rename), None)], reason),
        (
            vec![
                (of.head("p", same, |head| head.name = "x".to_owned()), by_name),
                (of.head("p", |head| head.name = "x".to_owned(), rename), None),
            ],
            reason,
        ),
        (
            vec![
                (of.rule("p", |_| (), |rule| rule.decision = Decision::Allow), by_name),
                (
                    of.rule(
                        "p",
                        |rule| rule.decision = Decision::Allow,
                        |rule| rule.name = "x".to_owned(),
                    ),
                    None,
                ),
            ],
            reason,
        ),
        (
            vec![(of.head("p", same, |head| head.name = "q".to_owned()), None)],
            "is the name of another policy",
        ),
        (vec![(of.delete("p", |policy| policy.name = "x".to_owned()), None)], differs),
        (vec![(of.delete("p", |policy| policy.body = Body::Allowlist(Vec::new())), None)], differs),
        (
            vec![(
                of.rule(
                    "p",
                    |rule| rule.decision = Decision::Allow,
                    |rule| rule.name = "x".to_owned(),
                ),
                None,
            )],
            differs,
        ),
        (vec![(of.rule("p", |_| (), |_| ()), None)], nothing),
        (vec![(of.delete_rule("p", |rule| rule.decision = Decision::Allow), None)], differs),
        (
            vec![(of.create_rule("m", "x", Decision::Deny)[0].clone(), None)],
            "a Cedar policy has no rules",
        ),
        // An object that comes and goes.
        (
            vec![(more.clone(), narrows), (less.clone(), widens)],
            "deletes what an earlier step made",
        ),
        (
            vec![(create.clone(), narrows), (delete.clone(), widens)],
            "deletes what an earlier step made",
        ),
        (vec![(more.clone(), None), (less, None)], further),
        // What is called temporary.
        (vec![(of.rule("p", |_| (), |rule| rule.decision = Decision::Allow), for_now)], reason),
        (vec![(of.head("p", same, rename), for_now)], reason),
        (vec![(of.delete_rule("p", |_| ()), for_now)], reason),
        (vec![(of.delete("p", |_| ()), for_now)], reason),
        (vec![(make, for_now)], reason),
        (vec![(create, for_now), (delete, for_now)], reason),
        (vec![(add, for_now)], reason),
        (vec![(open, for_now), (close, for_now)], reason),
    ];
    for (number, (steps, says)) in refused.into_iter().enumerate() {
        let error = read(&of_steps(&plan, steps)).unwrap_err();
        assert!(
            error.contains("after it was saved") && error.contains(says),
            "{number} {says}: {error}"
        );
    }
}

#[tokio::test]
async fn nobody_is_left_without_a_policy_while_steps_of_one_phase_run() {
    let (before, after) = (
        network("p", "", &["r allow a.example.com"]),
        network("q", "", &["r allow b.example.com"]),
    );
    let (plan, live) = plan_between(&before, &after).await;
    let is_safe = |plan: &Plan| {
        let judged = read(plan).unwrap().judged_again(Some(&live), None);
        !judged.refusals(&Default::default()).any(|verdict| verdict.guard == Guard::SafeOrder)
    };
    assert!(is_safe(&plan));
    let ops: Vec<(Op, usize)> =
        plan.docker_steps().iter().map(|step| (step.change.op(), step.phase)).collect();
    assert_eq!(ops, [(Op::Create, 1), (Op::Create, 2), (Op::Delete, 3)]);
    let mut together = plan.clone();
    let step = &mut docker(&mut together).steps[2];
    step.phase = 2;
    step.dependencies = Default::default();
    assert!(!is_safe(&together));
}

#[tokio::test]
async fn a_plan_that_nests_too_deeply_or_holds_too_much_is_no_plan() {
    let (plan, _) = plan().await;
    let text = plan.to_json();
    let with =
        |more: &str| text.replacen("\"unmanaged\": []", &format!("\"unmanaged\": {more}"), 1);
    let nested = |levels: usize| with(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    let many = with(&format!("[{}0]", "0,".repeat(10_000_000)));
    for (text, says) in [
        (nested(79), "invalid type"), // as deep as may be, and no list of objects
        (nested(80), "it nests deeper than a plan"),
        (nested(118), "it nests deeper than a plan"),
        (nested(1_000_000), "it nests deeper than a plan"),
        (many, "it holds more values than the largest plan"),
    ] {
        for error in [
            Plan::from_json(&text).map(|_| ()).unwrap_err(),
            seawall::plan::set::from_json(&text).map(|_| ()).unwrap_err(),
        ] {
            assert!(error.to_string().contains(says), "{says}: {error}");
        }
    }
}
