//! The entries of a rule's lists as they are written.
//!
//! A rule means sets: an entry that occurs twice in a list counts once. Invariant: the model's nth
//! entry is the nth distinct entry of the list, and findings about it point there.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::Body;
use super::resolve::Declared;
use super::rule::HttpTarget;
use crate::model::{Action, Resources};

/// The resources of a rule.
enum Written<'a> {
    Texts(&'a [String]),
    Targets(&'a [HttpTarget]),
}

impl Declared<'_> {
    /// The JSON pointer to a resource of a rule, by its index in the model.
    #[must_use]
    pub fn resource(&self, rule: usize, resource: usize) -> String {
        let distinct = self.distinct(rule);
        match self.written(rule) {
            Written::Texts(texts) if texts.len() == distinct => {
                pointer(rule, "resources", resource)
            }
            Written::Texts(texts) => pointer(rule, "resources", nth_distinct(texts, resource)),
            Written::Targets(targets) if targets.len() == distinct => {
                pointer(rule, "http_resources", resource)
            }
            Written::Targets(targets) => {
                let targets = targets.iter().map(HttpTarget::resource);
                pointer(rule, "http_resources", nth_distinct(targets, resource))
            }
        }
    }

    /// The number of resources of a rule in the model.
    fn distinct(&self, rule: usize) -> usize {
        self.desired.policy.rules().get(rule).map_or(0, |rule| match &rule.resources {
            Resources::Plain(texts) => texts.len(),
            Resources::Http(targets) => targets.len(),
        })
    }

    /// The JSON pointer to an action of a rule, by its index in the model.
    #[must_use]
    pub fn action(&self, rule: usize, action: usize) -> String {
        let written: Option<&[Action]> = match &self.document.body {
            Body::NetworkPolicy(policy) => {
                policy.rules.get(rule).map(|rule| rule.actions.as_slice())
            }
            Body::FilesystemPolicy(policy) => {
                policy.rules.get(rule).map(|rule| rule.actions.as_slice())
            }
            Body::Workspace(_)
            | Body::McpPolicy(_)
            | Body::AgentPolicy(_)
            | Body::AccessTest(_) => None,
        };
        pointer(rule, "actions", nth_distinct(written.unwrap_or_default(), action))
    }

    /// The repeated resources of a rule: JSON pointers to the first occurrence and to the later
    /// one.
    #[must_use]
    pub fn repeated_resources(&self, rule: usize) -> Vec<(String, String)> {
        let distinct = self.distinct(rule);
        let (key, pairs) = match self.written(rule) {
            Written::Texts(texts) if texts.len() != distinct => ("resources", repeated(texts)),
            Written::Targets(targets) if targets.len() != distinct => {
                ("http_resources", repeated(targets.iter().map(HttpTarget::resource)))
            }
            Written::Texts(_) | Written::Targets(_) => return Vec::new(),
        };
        pairs
            .into_iter()
            .map(|(first, again)| (pointer(rule, key, first), pointer(rule, key, again)))
            .collect()
    }

    fn written(&self, rule: usize) -> Written<'_> {
        match &self.document.body {
            Body::NetworkPolicy(policy) => match policy.rules.get(rule) {
                Some(rule) => match &rule.http_resources {
                    Some(targets) => Written::Targets(targets),
                    None => Written::Texts(rule.resources.as_deref().unwrap_or_default()),
                },
                None => Written::Texts(&[]),
            },
            Body::FilesystemPolicy(policy) => Written::Texts(
                policy.rules.get(rule).map(|rule| &*rule.resources).unwrap_or_default(),
            ),
            Body::Workspace(_)
            | Body::McpPolicy(_)
            | Body::AgentPolicy(_)
            | Body::AccessTest(_) => Written::Texts(&[]),
        }
    }
}

fn pointer(rule: usize, key: &str, entry: usize) -> String {
    format!("/rules/{rule}/{key}/{entry}")
}

/// The position of the nth distinct entry.
fn nth_distinct<T: Ord>(entries: impl IntoIterator<Item = T>, nth: usize) -> usize {
    let mut seen = BTreeSet::new();
    let mut distinct = entries
        .into_iter()
        .enumerate()
        .filter_map(|(index, entry)| seen.insert(entry).then_some(index));
    distinct.nth(nth).unwrap_or(nth)
}

/// The repeated entries: the position of the first occurrence and of the later one.
fn repeated<T: Ord>(entries: impl IntoIterator<Item = T>) -> Vec<(usize, usize)> {
    let mut seen = BTreeMap::new();
    let pairs = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| (*seen.entry(entry).or_insert(index), index));
    pairs.filter(|(first, index)| first != index).collect()
}
