//! The places of the rules that make a difference.
//!
//! Invariant: in a plan, a declared rule is reported with the place of its declaration, even if its
//! former version is the cause, since that is where the change was made; in drift, only if the
//! documents say the same. An undeclared rule is reported as live. No place is guessed.

use std::collections::BTreeMap;

use super::Base;
use super::docker::PolicyFields;
use super::docker::diff::Diff;
use super::docker::matching::same_content;
use crate::access::Cause;
use crate::model::{Body, Desired, DesiredPolicy, Origin, Rule};

/// The place of an undeclared rule.
const LIVE: &str = "live";

/// The places of the rules of two states.
#[derive(Debug, Default)]
pub(super) struct Origins<'a> {
    old: Side<'a>,
    new: Side<'a>,
}

/// The places of the rules of one state.
#[derive(Debug, Default)]
struct Side<'a> {
    known: BTreeMap<(&'a str, Part<'a>), &'a Origin>,
    /// The place of everything that has no entry.
    others: Option<&'static str>,
    /// The version that the places belong to, if it is not that of the documents.
    version: Option<&'a str>,
}

/// A policy, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Whole,
    Rule(&'a str),
    /// An MCP statement, by its index in the text.
    Statement(usize),
}

impl<'a> Origins<'a> {
    /// The places for a change from live state to documents. A rule that is removed and declared
    /// differently has the place of that declaration.
    pub(super) fn of_change(diff: &'a Diff, desired: &'a Desired) -> Self {
        let mut old = Side { others: Some(LIVE), ..Side::default() };
        for slot in &diff.policies {
            let (Some((_, before)), Some(after), Some(origin)) =
                (&slot.before, &slot.after, &slot.origin)
            else {
                continue;
            };
            old.known.insert((&before.name, Part::Whole), origin);
            for rule in slot.rules.iter().filter(|rule| rule.after.is_some()) {
                if let (Some((_, before_rule)), Some(origin)) = (&rule.before, &rule.origin) {
                    old.known.insert((&before.name, Part::Rule(&before_rule.name)), origin);
                }
            }
            // The same text for another scope: its statements have the places of their
            // declarations.
            if before.cedar == after.cedar
                && let Some(declared) = declared(desired, &after.name)
            {
                old.add_statements(&before.name, declared);
            }
        }
        Self { old, new: Side::declared(desired, Some(LIVE)) }
    }

    /// The places for a change made outside, from what was applied to live state. A rule has a place
    /// if the documents say the same under its name, or under a name that it had before.
    pub(super) fn of_drift(diff: &'a Diff, documents: &'a Desired) -> Self {
        let declared: BTreeMap<&str, &DesiredPolicy> = documents
            .policies
            .iter()
            .flat_map(|one| named(&one.policy.name, &one.previously).map(move |name| (name, one)))
            .collect();
        // A rule that the documents do not have now was declared when they were last applied.
        let mut old = Side::default();
        let mut new = Side { others: Some(LIVE), ..Side::default() };
        for slot in &diff.policies {
            let before = slot.rules.iter().filter_map(|rule| Some(&rule.before.as_ref()?.1));
            let after = slot.rules.iter().filter_map(|rule| rule.after.as_ref());
            if let Some((_, head)) = &slot.before
                && let Some(declared) = declared.get(head.name.as_str())
            {
                old.add_same(head, before, declared);
            }
            if let Some(head) = &slot.after
                && let Some(declared) = declared.get(head.name.as_str())
            {
                new.add_same(head, after, declared);
            }
        }
        Self { old, new }
    }

    /// The places for a change from other documents to documents.
    pub(super) fn of_documents(base: Base<'a>, desired: &'a Desired) -> Self {
        let old = Side { version: Some(base.from), ..Side::declared(base.desired, None) };
        Self { old, new: Side::declared(desired, None) }
    }

    /// A cause with its place.
    pub(super) fn tell(&self, cause: &Cause) -> String {
        let side = if cause.comes { &self.new } else { &self.old };
        let part = match (cause.statement, &cause.rule) {
            (Some(statement), _) => Part::Statement(statement),
            (None, Some(rule)) => Part::Rule(rule),
            (None, None) => Part::Whole,
        };
        match (side.known.get(&(cause.policy.as_str(), part)), side.others) {
            (Some(origin), _) => match side.version {
                Some(version) => format!("{cause} ({version}:{origin})"),
                None => format!("{cause} ({origin})"),
            },
            (None, Some(others)) => format!("{cause} ({others})"),
            (None, None) => cause.to_string(),
        }
    }
}

fn declared<'a>(desired: &'a Desired, name: &str) -> Option<&'a DesiredPolicy> {
    desired.policies.iter().find(|declared| declared.policy.name == name)
}

/// A name and earlier names.
fn named<'a>(name: &'a str, previously: &'a [String]) -> impl Iterator<Item = &'a str> {
    std::iter::once(name).chain(previously.iter().map(String::as_str))
}

impl<'a> Side<'a> {
    /// Adds a policy and those of its rules that `declared` has with the same content.
    fn add_same(
        &mut self,
        head: &'a PolicyFields,
        rules: impl Iterator<Item = &'a Rule>,
        declared: &'a DesiredPolicy,
    ) {
        match (&head.cedar, &declared.policy.body) {
            (None, _) => {}
            // The statements of another text have other numbers.
            (Some(own), Body::Cedar(text)) if own == text => {
                self.add_statements(&head.name, declared);
            }
            (Some(_), _) => return,
        }
        self.known.insert((&head.name, Part::Whole), &declared.origin);
        let own: BTreeMap<&str, (&Rule, &Origin)> = declared
            .policy
            .rules()
            .iter()
            .zip(&declared.rules)
            .flat_map(|(rule, beside)| {
                named(&rule.name, &beside.previously)
                    .map(move |name| (name, (rule, &beside.origin)))
            })
            .collect();
        for rule in rules {
            let same = own.get(rule.name.as_str());
            if let Some((_, origin)) = same.filter(|(own, _)| same_content(own, rule)) {
                self.known.insert((&head.name, Part::Rule(&rule.name)), origin);
            }
        }
    }

    fn declared(desired: &'a Desired, others: Option<&'static str>) -> Self {
        let mut side = Self { others, ..Self::default() };
        for declared in &desired.policies {
            let name = declared.policy.name.as_str();
            side.known.insert((name, Part::Whole), &declared.origin);
            for (rule, beside) in declared.policy.rules().iter().zip(&declared.rules) {
                side.known.insert((name, Part::Rule(&rule.name)), &beside.origin);
            }
            side.add_statements(name, declared);
        }
        side
    }

    fn add_statements(&mut self, name: &'a str, declared: &'a DesiredPolicy) {
        if matches!(declared.policy.body, Body::Cedar(_)) {
            let numbered = declared.rules.iter().enumerate();
            self.known
                .extend(numbered.map(|(at, beside)| ((name, Part::Statement(at)), &beside.origin)));
        }
    }
}
