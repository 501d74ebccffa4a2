//! Guards, their settings, and access tests.

use serde_json::Value;

use super::count;
use crate::diagnostic::list;
use crate::model::{NOT_REFUSED, SettingChange};
use crate::plan::flips::{self, Flip};
use crate::plan::guard::Guard;
use crate::plan::{DockerPlan, GuardsFrom, Plan};

/// The addition to a plan's headline about changes of the settings that guard it.
#[must_use]
pub fn settings_headline(guards: &GuardsFrom) -> Option<&'static str> {
    match (guards.found, guards.changed.is_empty()) {
        (false, _) => Some("in a workspace that the base does not have"),
        (true, false) => Some("and changes the settings that guard it"),
        (true, true) => None,
    }
}

/// The addition to a plan's headline about access tests.
#[must_use]
pub fn tests_headline(plan: &Plan) -> Option<String> {
    let broken = plan.broken_tests().len();
    (broken > 0).then(|| format!("breaks {}", count(broken, "access test")))
}

/// The expectations to list: those that fail after the plan. With `all`, also those that the plan
/// fixes.
#[must_use]
pub fn failing_flips(plan: &DockerPlan, all: bool) -> Vec<&Flip> {
    plan.flips.iter().filter(|flip| all || flip.after != flip.expected).collect()
}

/// The effect of a plan on access tests as a sentence, unless a guard refuses the plan for it; and
/// true if all of them pass.
#[must_use]
pub fn tests_permitted(plan: &Plan) -> Option<(&str, bool)> {
    let verdict = plan.guards.iter().find(|verdict| verdict.guard == Guard::AccessTests)?;
    let message = verdict.message.as_str();
    (verdict.ok && message != flips::NONE_FAILS).then(|| (message, !message.ends_with(NOT_REFUSED)))
}

/// The settings that apply instead of the proposed ones.
#[must_use]
pub fn settings_rule(guards: &GuardsFrom) -> &'static str {
    match guards.found {
        true => "this plan is judged by the settings of the base, not by the proposed ones",
        false => {
            "until the base has the workspace, nothing may be deleted, and no access may be gained"
        }
    }
}

/// The ways to get a plan past a guard that refuses it, after the change of the documents: the
/// setting and its file, or the flag. `write` formats the name of the base.
#[must_use]
pub fn ways_past(
    guard: Guard,
    guards: Option<&GuardsFrom>,
    write: impl Fn(&str) -> String,
) -> String {
    let file = match guards {
        Some(guards) => format!("`seawall.yaml` of {}", write(&guards.from)),
        None => "`seawall.yaml`".to_owned(),
    };
    let way = match guard {
        // A base without the workspace has no settings to change.
        Guard::MaxDeletes | Guard::DenyWidening if guards.is_some_and(|guards| !guards.found) => {
            "merge the settings first".to_owned()
        }
        Guard::MaxDeletes => format!("raise `guards.max_deletes` in {file}"),
        Guard::Protected => {
            format!("allow this kind of change in `guards.protected` of {file}")
        }
        Guard::DenyWidening => format!("set `guards.deny_widening: false` in {file}"),
        Guard::AccessTests => {
            format!(
                "mend the documents, the undeclared policy or the test, set \
                 `guards.access_tests: false` in {file}"
            )
        }
        Guard::BlockedRequests => format!("raise `guards.blocked_requests` in {file}"),
        Guard::SafeOrder => {
            "apply the change in two steps, or use fewer wildcards in the rules".to_owned()
        }
        Guard::ServiceLimits => "declare fewer policies or rules".to_owned(),
    };
    format!("{way}, or lift it for one run with `apply --allow {}`", guard.name())
}

/// The values of a setting before and after a change, in words. Of long lists, only the items that
/// come or go are named, since a reviewer must see these.
#[must_use]
pub fn settings(change: &SettingChange) -> (String, String) {
    let (Value::Array(base), Value::Array(proposed)) = (&change.base, &change.proposed) else {
        return (setting(&change.base), setting(&change.proposed));
    };
    if base.len().max(proposed.len()) <= list::MOST {
        return (setting(&change.base), setting(&change.proposed));
    }
    let but = |own: &Vec<Value>, other: &Vec<Value>| {
        let own: Vec<String> =
            own.iter().filter(|item| !other.contains(item)).map(setting).collect();
        let same = base.iter().filter(|item| proposed.contains(item)).count();
        let same = (same > 0).then(|| format!("{same} that stay"));
        own.into_iter().chain(same).collect::<Vec<_>>().join(", ")
    };
    (but(base, proposed), but(proposed, base))
}

/// A setting's value in words.
fn setting(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(setting).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
