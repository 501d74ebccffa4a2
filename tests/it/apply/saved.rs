//! Saved plans that say something else than was saved, under a checksum that fits: whoever changes one can make that too.

use seawall::model::{Live, LiveAgents};
use seawall::plan::Plan;
use seawall::plan::guard::Guard;
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
    let changes: [(&str, Alteration); 8] = [
        ("another policy", Box::new(move |file| file["steps"][update]["request"]["path"][4] = "pol_other".into())),
        ("another organization", Box::new(move |file| file["steps"][update]["request"]["path"][1] = "other".into())),
        ("another body", Box::new(move |file| file["steps"][update]["request"]["body"] = json!({"decision": "allow"}))),
        ("another verb", Box::new(move |file| file["steps"][update]["op"] = "delete".into())),
        ("an earlier phase", Box::new(|file| file["steps"][2]["phase"] = 0.into())),
        ("a step twice", Box::new(|file| file["steps"][1]["id"] = 1.into())),
        ("a policy that is not looked at", Box::new(|file| file["live"]["touched"] = json!([]))),
        ("a policy that was another", Box::new(|file| file["live"]["touched"][0]["was"]["name"] = "x".into())),
    ];
    for (what, change) in changes {
        let error = altered(&plan, change).unwrap_err();
        assert!(error.contains("was changed after it was saved"), "{what}: {error}");
    }
}

#[tokio::test]
async fn a_guard_that_refused_a_plan_refuses_it_still_and_is_judged_again() {
    let (mut plan, live) = plan().await;
    let refused = |plan: &Plan, guard| plan.refusals(&Default::default()).any(|verdict| verdict.guard == guard);
    // What the plan records counts, whatever would be found now.
    plan.guards.iter_mut().for_each(|verdict| verdict.ok = verdict.guard != Guard::SafeOrder);
    let again = plan.clone().judged_again(Some(&live), None::<&LiveAgents>);
    assert!(refused(&again, Guard::SafeOrder) && again.refusals(&Default::default()).count() == 1);
    // What it does not record is missing.
    plan.guards.clear();
    assert_eq!(plan.clone().judged_again(Some(&live), None).refusals(&Default::default()).count(), Guard::ALL.len());
    // What it records as passed is judged by its settings on what is live.
    let (mut plan, live) = self::plan().await;
    assert_eq!(plan.refusals(&Default::default()).count(), 0);
    plan.guard_settings.protected = vec!["q".to_owned()];
    plan.guard_settings.deny_widening = true;
    plan.guard_settings.max_deletes = Some(seawall::document::MaxDeletes::Count(0));
    let again = plan.judged_again(Some(&live), None);
    for guard in [Guard::Protected, Guard::DenyWidening, Guard::MaxDeletes] {
        assert!(refused(&again, guard), "{guard:?}");
    }
    assert!(!refused(&again, Guard::SafeOrder) && !refused(&again, Guard::ServiceLimits));
}
