//! Effective access of an audience summarized by policy, for organizations with too many entries to
//! list.
//!
//! A policy of many teams gives each of them the same access. The first of these audiences has the
//! list, and the others refer to it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::destination::{Kind, Parts};
use super::id::{Id, Inherited};
use super::named::{Named, RuleRef};
use super::text::count;
use crate::access::Entry;

/// Access that one policy gives an audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Whole {
    /// Fragment id of the summary.
    pub id: Id,
    /// Fragment id of the policy in the list of rules.
    pub policy: Id,
    /// The policy's name.
    pub name: String,
    /// The file that declares it; `None` for a policy that is only live.
    pub file: Option<String>,
    /// Number of allowed entries: `12 entries`.
    pub count: String,
    /// Allowed access by destination; empty if another list holds the same, or if the size limit is
    /// reached.
    pub groups: Vec<DenseGroup>,
    /// The audience whose list holds the same access.
    pub same: Option<Inherited>,
}

/// Allowed access to one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DenseGroup {
    /// Kind of the destination.
    pub kind: Kind,
    /// The registrable domain, folder or server.
    pub name: String,
    /// One line for each action.
    pub lines: Vec<DenseLine>,
}

/// Targets that one action is allowed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DenseLine {
    /// Actions, separated by commas.
    pub action: String,
    /// Targets, grouped by their rules.
    pub items: Vec<DenseItem>,
}

/// Targets with the same rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DenseItem {
    /// Targets, separated by commas.
    pub objects: String,
    /// Rules that allow them.
    pub rules: Vec<DenseRule>,
}

/// Rule that allows an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DenseRule {
    /// Fragment id of the rule's row; `None` if the report does not list it.
    pub id: Option<Id>,
    /// Its line (`:12`) in the policy's file, its `file:line` elsewhere, or its name if it is only
    /// live.
    pub text: String,
}

/// Lists written so far, and the bytes left for more.
#[derive(Debug)]
pub(super) struct Lists {
    left: usize,
    known: BTreeMap<String, Vec<(Inherited, Vec<DenseGroup>)>>,
}

impl Lists {
    pub(super) fn new(most: usize) -> Self {
        Self { left: most, known: BTreeMap::new() }
    }

    /// Summarizes the entries of an audience by policy.
    pub(super) fn by_policy(
        &mut self,
        named: &Named<'_>,
        entries: &[&Entry],
        audience: &Inherited,
    ) -> Vec<Whole> {
        let mut policies: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in entries {
            let first = entry.because.iter().find(|cause| cause.comes);
            policies
                .entry(first.map_or("", |cause| cause.policy.as_str()))
                .or_default()
                .push(entry);
        }
        policies
            .into_iter()
            .map(|(policy, own)| self.whole(named, policy, &own, audience))
            .collect()
    }

    fn whole(
        &mut self,
        named: &Named<'_>,
        policy: &str,
        entries: &[&Entry],
        audience: &Inherited,
    ) -> Whole {
        let file = named.policy_origin(policy).map(|origin| origin.file.clone());
        let groups = groups(named, file.as_deref(), entries);
        let id = Id::new("w", &[audience.id.as_str(), policy]);
        let mut whole = Whole {
            policy: named.id(policy, None),
            name: policy.to_owned(),
            count: count(entries.len(), "entry"),
            groups: Vec::new(),
            same: None,
            id,
            file,
        };
        let known = self.known.entry(policy.to_owned()).or_default();
        if let Some((first, _)) = known.iter().find(|(_, other)| *other == groups) {
            whole.same = Some(first.clone());
        } else if let Some(left) = self.left.checked_sub(bytes(&groups)) {
            self.left = left;
            known.push((
                Inherited { id: whole.id.clone(), name: audience.name.clone() },
                groups.clone(),
            ));
            whole.groups = groups;
        }
        whole
    }
}

/// Approximate size of the groups in the page, in bytes.
fn bytes(groups: &[DenseGroup]) -> usize {
    let rule = |rule: &DenseRule| 27 + rule.text.len();
    let item =
        |item: &DenseItem| 2 + item.objects.len() + item.rules.iter().map(rule).sum::<usize>();
    let line =
        |line: &DenseLine| 20 + line.action.len() + line.items.iter().map(item).sum::<usize>();
    groups
        .iter()
        .map(|group| 60 + group.name.len() + group.lines.iter().map(line).sum::<usize>())
        .sum()
}

type Targets = BTreeMap<Vec<RuleRef>, Vec<String>>;

fn groups(named: &Named<'_>, file: Option<&str>, entries: &[&Entry]) -> Vec<DenseGroup> {
    let mut groups: BTreeMap<(Kind, String), BTreeMap<String, Targets>> = BTreeMap::new();
    for entry in entries {
        let Parts { action, object, destination } = Parts::new(&entry.access);
        let rules = named.causes(entry);
        let own = groups.entry((destination.kind, destination.group)).or_default();
        own.entry(action).or_default().entry(rules).or_default().push(object);
    }
    let rule = |rule: RuleRef| {
        let own = |text: &String| {
            let line =
                file.and_then(|file| text.strip_prefix(file)).filter(|line| line.starts_with(':'));
            line.map(str::to_owned)
        };
        let text = rule.text.as_ref().map(|text| own(text).unwrap_or_else(|| text.clone()));
        DenseRule { id: rule.id, text: text.unwrap_or(rule.name) }
    };
    let item = |(rules, objects): (Vec<RuleRef>, Vec<String>)| DenseItem {
        objects: objects.join(", "),
        rules: rules.into_iter().map(rule).collect(),
    };
    let line = |(action, targets): (String, Targets)| {
        let mut items: Vec<(Vec<RuleRef>, Vec<String>)> = targets.into_iter().collect();
        items.sort_by(|(_, one), (_, other)| one.cmp(other));
        DenseLine { action, items: items.into_iter().map(item).collect() }
    };
    let group = |((kind, name), lines): ((Kind, String), BTreeMap<String, Targets>)| DenseGroup {
        kind,
        name,
        lines: lines.into_iter().map(line).collect(),
    };
    groups.into_iter().map(group).collect()
}
