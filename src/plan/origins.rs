//! The places of the rules that make a difference.
//!
//! Invariant: a declared rule is reported with the place of its declaration, even if its former
//! version is the cause; an undeclared rule is reported as live. No place is guessed.

use std::collections::BTreeMap;

use super::Base;
use super::docker::diff::Diff;
use crate::access::Cause;
use crate::model::{Body, Desired, DesiredPolicy, Origin};

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

    /// The places for a change made outside, from the documents to live state.
    pub(super) fn of_drift(documents: &'a Desired) -> Self {
        // A rule that the documents do not have now was declared when they were last applied.
        Self { old: Side::declared(documents, None), new: Side::declared(documents, Some(LIVE)) }
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

impl<'a> Side<'a> {
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
