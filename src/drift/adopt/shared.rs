//! Documents for several organizations whose live policies differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diagnostic::list;
use crate::import;
use crate::model::{Desired, Live, Origin};
use crate::plan::docker::matching;

/// One organization.
pub struct Side<'a> {
    /// The desired state; team keys are ids.
    pub desired: &'a Desired,
    /// The live state.
    pub live: &'a Live,
    /// The names of the policies that differ there.
    pub drifts: &'a BTreeSet<&'a str>,
}

/// A document in the version that each of its organizations would need.
struct Shared<'a> {
    name: &'a str,
    orgs: Vec<&'a str>,
    drifts: bool,
    wanted: Vec<Option<Value>>,
    /// Organizations that were not compared.
    unseen: Vec<&'a str>,
}

/// The reasons why documents cannot declare the live state of all their organizations, one phrase
/// for each document; `all` are the organizations of the workspace.
#[must_use]
pub fn conflicts(all: &[String], sides: &[Side<'_>]) -> Vec<String> {
    let seen: BTreeSet<&str> = sides.iter().map(|side| side.live.org.as_str()).collect();
    let mut shared: BTreeMap<&Origin, Shared<'_>> = BTreeMap::new();
    for Side { desired, live, drifts } in sides {
        let matched = matching::policies(&desired.policies, &live.policies);
        for (declared, found) in desired.policies.iter().zip(matched) {
            let name = declared.policy.name.as_str();
            let orgs = if declared.orgs.is_empty() { all } else { &declared.orgs };
            if orgs.len() < 2 {
                continue;
            }
            let entry = shared.entry(&declared.origin).or_insert_with(|| {
                let unseen =
                    orgs.iter().map(String::as_str).filter(|org| !seen.contains(org)).collect();
                Shared { name, orgs: Vec::new(), drifts: false, wanted: Vec::new(), unseen }
            });
            entry.orgs.push(&live.org);
            entry.drifts |= drifts.contains(name);
            let found = found.and_then(|index| live.policies.get(index));
            entry
                .wanted
                .push(found.map(|policy| unordered(&import::document(policy, &live.teams).into())));
        }
    }
    let conflict = |one: Shared<'_>| {
        let Shared { name, orgs, drifts, wanted, unseen } = one;
        if !drifts {
            None
        } else if !unseen.is_empty() {
            Some(format!("`{name}` is for {} too, which `--org` leaves out", list::quoted(&unseen)))
        } else if wanted.windows(2).any(|pair| pair.first() != pair.last()) {
            Some(format!("`{name}` differs between {}", list::quoted(&orgs)))
        } else {
            None
        }
    };
    shared.into_values().filter_map(conflict).collect()
}

/// The value with its lists sorted, since their order has no meaning in a policy.
fn unordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(unordered).collect();
            items.sort_by_cached_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), unordered(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
