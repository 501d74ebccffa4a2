//! The changes of a step, in pieces that each format for people lays out in its own way.
//!
//! Invariant: a description holds everything that the step changes. Texts are foreign as they come.

use super::words;
use crate::access::cedar::StatementChange;
use crate::diagnostic::list;
use crate::model::{Body, Decision, Rule, Scope, TeamDirectory};
use crate::plan::docker::{Change, Difference, PolicyFields, statements};
use crate::plan::step::{Delta, Op};

/// A step in pieces.
#[derive(Debug)]
pub struct Description {
    /// The operation on the object.
    pub op: Op,
    /// The object.
    pub title: Title,
    /// The details, in order.
    pub details: Vec<Detail>,
}

/// The object of a step.
#[derive(Debug)]
pub enum Title {
    /// A policy as a whole, for these teams (none: the whole organization), with so many rules
    /// where it is deleted.
    Policy(Vec<String>, Option<usize>),
    /// The fields of a policy without its rules.
    PolicyItself,
    /// A rule.
    Rule(String),
    /// A rule that gets another name.
    Renamed(String, String),
}

/// A detail of the change that a step makes to its object.
#[derive(Debug)]
pub enum Detail {
    /// The reason why the plan holds the step, if the difference alone does not show it.
    Because(&'static str),
    /// The content of a rule.
    Says(Decision, Vec<String>, Vec<String>),
    /// A decision that flips.
    Flips(Decision, Decision),
    /// A value that changes.
    Becomes(&'static str, String, String),
    /// A scope that changes; no team is the whole organization.
    Scope(Vec<String>, Vec<String>),
    /// The items that a list loses, and those that it gains.
    Items(&'static str, Vec<String>, Vec<String>),
    /// A text that changes.
    Text(String, String),
    /// The changes of a Cedar text; none if only its layout, its comments or the order of its
    /// statements change.
    Statements(Vec<StatementChange>),
}

/// Takes a step apart.
#[must_use]
pub fn describe(step: &Difference, teams: &TeamDirectory) -> Description {
    let scope = |scope: &Scope| {
        words::team_names(scope, teams).into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let because =
        step.because.map(|because| Detail::Because(words::reason(because, step.change.op())));
    let (title, details) = match &step.change {
        Change::Policy { delta: Delta::Create { after }, .. } => {
            (Title::Policy(scope(&after.scope), None), texts(&step.change))
        }
        Change::Policy { delta: Delta::Delete { before }, .. } => {
            let rules = matches!(before.body, Body::Allowlist(_)).then(|| before.rules().len());
            (Title::Policy(scope(&before.scope), rules), texts(&step.change))
        }
        Change::Policy { delta: Delta::Update { before, after }, .. } => {
            let mut details = head(before, after, scope);
            details.extend(texts(&step.change));
            (Title::PolicyItself, details)
        }
        Change::Rule {
            delta: Delta::Create { after: rule } | Delta::Delete { before: rule },
            ..
        } => {
            let says = Detail::Says(rule.decision, words::actions(rule), words::resources(rule));
            (Title::Rule(rule.name.clone()), vec![says])
        }
        Change::Rule { delta: Delta::Update { before, after }, .. } => {
            let title = if before.name == after.name {
                Title::Rule(after.name.clone())
            } else {
                Title::Renamed(before.name.clone(), after.name.clone())
            };
            (title, fields(before, after))
        }
    };
    Description {
        op: step.change.op(),
        title,
        details: because.into_iter().chain(details).collect(),
    }
}

fn head(
    before: &PolicyFields,
    after: &PolicyFields,
    scope: impl Fn(&Scope) -> Vec<String>,
) -> Vec<Detail> {
    let mut details = Vec::new();
    if before.name != after.name {
        details.push(Detail::Becomes("name", before.name.clone(), after.name.clone()));
    }
    if before.scope != after.scope {
        let (old, new) = (scope(&before.scope), scope(&after.scope));
        // Of many teams, those that stay would hide those that come or go.
        details.push(match old.len().min(new.len()) > list::MOST {
            true => difference("teams", &old, &new),
            false => Detail::Scope(old, new),
        });
    }
    if let (Some(old), Some(new)) = (&before.cedar, &after.cedar)
        && old.schema_url != new.schema_url
    {
        details.push(Detail::Becomes("schema", old.schema_url.clone(), new.schema_url.clone()));
    }
    details
}

/// The changes of Cedar text: by statement, or if it is not understood, by line.
fn texts(change: &Change) -> Vec<Detail> {
    if let Some(changes) = statements::changes(change) {
        return vec![Detail::Statements(changes)];
    }
    if let Change::Policy { delta: Delta::Update { before, after }, .. } = change
        && let (Some(old), Some(new)) = (&before.cedar, &after.cedar)
        && old.text != new.text
    {
        return vec![Detail::Text(old.text.clone(), new.text.clone())];
    }
    Vec::new()
}

fn fields(before: &Rule, after: &Rule) -> Vec<Detail> {
    let mut details = Vec::new();
    if before.decision != after.decision {
        details.push(Detail::Flips(before.decision, after.decision));
    }
    for (label, old, new) in [
        ("actions", words::actions(before), words::actions(after)),
        ("resources", words::resources(before), words::resources(after)),
    ] {
        let items = difference(label, &old, &new);
        if !matches!(&items, Detail::Items(_, gone, come) if gone.is_empty() && come.is_empty()) {
            details.push(items);
        }
    }
    details
}

/// The items that a list loses and gains.
fn difference(label: &'static str, old: &[String], new: &[String]) -> Detail {
    let but = |own: &[String], other: &[String]| -> Vec<String> {
        own.iter().filter(|item| !other.contains(item)).cloned().collect()
    };
    Detail::Items(label, but(old, new), but(new, old))
}
