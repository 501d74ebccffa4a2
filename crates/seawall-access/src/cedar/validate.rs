//! Runs the engine's validator on a statement, action by action.
//!
//! The validator rejects a statement that fails for any action. At run time such a statement is
//! only skipped for that action, so that each action is validated separately: a failure for all
//! actions is a mistake, a failure for some is a trap.
//!
//! Invariant: no finding depends on what the vendor's documentation leaves open: the types of
//! arguments and of the request time, and the rules that strict validation adds to what evaluation
//! requires.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use cedar_policy::pst::{ActionConstraint, EntityUID};
use cedar_policy::{
    Policy, PolicySet, ValidationError, ValidationMode, ValidationResult, ValidationWarning,
    Validator,
};
use miette::Diagnostic as _;
use serde_json::json;

use super::arguments::Reads;
use super::guards::Guards;
use super::{McpAction, Statement, schema};

/// The results of the checks of a statement.
#[derive(Debug)]
pub(super) struct Checked {
    /// The gated actions that its scope names, or all of them.
    pub(super) actions: BTreeSet<McpAction>,
    /// The actions for which it can match a request.
    pub(super) possible: BTreeSet<McpAction>,
    /// The complaints in the order of the text.
    pub(super) complaints: Vec<Complaint>,
}

/// A complaint of the validator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Complaint {
    /// Bytes of the text.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
    /// Cedar's message; for an attribute its name, for a missing guard the guard.
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// The actions to which it applies.
    pub(super) actions: BTreeSet<McpAction>,
}

/// The kind of a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The action does not exist.
    Action,
    /// The entity type does not exist.
    EntityType,
    /// The resource does not have the attribute.
    ResourceAttribute,
    /// The context does not have the attribute.
    ContextAttribute,
    /// An optional attribute is read without `has`.
    Unguarded,
    /// A value has the wrong type.
    Type,
    /// Another reason for which evaluation fails.
    Other,
}

/// Validates one statement of a text; a template gets an empty result.
pub(super) fn validate(text: &str, statement: &Statement) -> Checked {
    let (Some(policy), Some(tree)) = (&statement.policy, &statement.tree) else {
        return Checked {
            actions: BTreeSet::new(),
            possible: BTreeSet::new(),
            complaints: Vec::new(),
        };
    };
    let alone = |policy: &Policy| {
        PolicySet::from_policies([policy.clone()]).expect("one policy has one id")
    };
    let set = alone(policy);
    let guards = OnceCell::new();
    let actions = actions_in_scope(&tree.action);
    let reads = Reads::new(tree);
    let mut possible = BTreeSet::new();
    let mut found: BTreeMap<Complaint, BTreeSet<McpAction>> = BTreeMap::new();
    // Without an existing action in the scope, only unknown names are of interest, and every action
    // shows them.
    let looked_at =
        if actions.is_empty() { BTreeSet::from([McpAction::InvokeTool]) } else { actions.clone() };
    for action in looked_at {
        let own;
        let validator: &Validator = match (reads.arguments(), reads.request_time()) {
            (None, None) => schema::validator(action),
            (arguments, time) => {
                let arguments = arguments.unwrap_or_else(|| json!({}));
                own = schema::validator_with(action, arguments, time.unwrap_or("datetime"));
                &own
            }
        };
        let result = validator.validate(&set, ValidationMode::Strict);
        let all = |result: &ValidationResult| -> Vec<Complaint> {
            result
                .validation_errors()
                .filter_map(|error| complaint(text, statement, error))
                .collect()
        };
        let mut complaints = all(&result);
        if complaints.iter().any(|complaint| complaint.kind == Kind::Unguarded) {
            let guards = guards.get_or_init(|| Guards::new(tree));
            complaints.retain(|one| one.kind != Kind::Unguarded || !guards.protect(&one.message));
        }
        let never = result
            .validation_warnings()
            .any(|warning| matches!(warning, ValidationWarning::ImpossiblePolicy(_)));
        let errs = complaints.iter().any(|complaint| !matches!(complaint.kind, Kind::Unguarded));
        if actions.contains(&action) && !never && !errs {
            possible.insert(action);
        }
        for complaint in complaints {
            if !actions.is_empty() || matches!(complaint.kind, Kind::Action | Kind::EntityType) {
                found.entry(complaint).or_default().insert(action);
            }
        }
    }
    let complaints =
        found.into_iter().map(|(complaint, actions)| Complaint { actions, ..complaint }).collect();
    Checked { actions, possible, complaints }
}

/// The gated actions that a scope matches.
pub(super) fn actions_in_scope(constraint: &ActionConstraint) -> BTreeSet<McpAction> {
    let named = |uid: &EntityUID| {
        McpAction::parse(&uid.eid).filter(|_| uid.ty.to_string() == "MCP::Action")
    };
    match constraint {
        ActionConstraint::Any => McpAction::ALL.into(),
        ActionConstraint::Eq(uid) => named(uid).into_iter().collect(),
        ActionConstraint::In(uids) => uids.iter().filter_map(named).collect(),
    }
}

fn complaint(text: &str, statement: &Statement, error: &ValidationError) -> Option<Complaint> {
    let label = error.labels().and_then(|mut labels| labels.next());
    let span: Range<usize> = label.map_or_else(
        || statement.span.clone(),
        |label| label.offset()..label.offset() + label.len(),
    );
    let source = text.get(span.clone()).unwrap_or_default();
    let words = without_id(&error.to_string());
    let mut help = error.help().map(|help| without_id(&help.to_string()));
    let kind = kind(error, &words, source)?;
    let message = match kind {
        Kind::ResourceAttribute | Kind::ContextAttribute => {
            help = None;
            let path = backticked(&words)?;
            path.split('.').next().unwrap_or(path).to_owned()
        }
        Kind::Unguarded => backticked(&help.take()?)?.trim_end_matches(" && ..").to_owned(),
        Kind::Action | Kind::EntityType | Kind::Type | Kind::Other => words,
    };
    Some(Complaint {
        start: span.start,
        end: span.end,
        kind,
        message,
        help,
        actions: BTreeSet::new(),
    })
}

/// The first text in backticks.
fn backticked(words: &str) -> Option<&str> {
    words.split('`').nth(1)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine's errors may grow; what is new is told in its words"
)]
fn kind(error: &ValidationError, words: &str, source: &str) -> Option<Kind> {
    match error {
        ValidationError::UnrecognizedActionId(_) => Some(Kind::Action),
        ValidationError::UnrecognizedEntityType(_) => Some(Kind::EntityType),
        // A separate check reports clauses on the principal.
        ValidationError::UnsafeAttributeAccess(_) if words.contains("`MCP::Principal`") => None,
        ValidationError::UnsafeAttributeAccess(_) if words.contains(" in context ") => {
            Some(Kind::ContextAttribute)
        }
        ValidationError::UnsafeAttributeAccess(_) => Some(Kind::ResourceAttribute),
        ValidationError::UnsafeOptionalAttributeAccess(_) => Some(Kind::Unguarded),
        // The types of arguments are unknown, and a set of several types is valid in evaluation.
        ValidationError::UnexpectedType(_) | ValidationError::IncompatibleTypes(_)
            if source.contains("context") || source.starts_with('[') =>
        {
            None
        }
        ValidationError::UnexpectedType(_) | ValidationError::IncompatibleTypes(_) => {
            Some(Kind::Type)
        }
        // Rules of strict validation that evaluation does not have.
        ValidationError::EmptySetForbidden(_) | ValidationError::NonLitExtConstructor(_) => None,
        _ => Some(Kind::Other),
    }
}

/// Cedar's message without the generated id of the statement.
fn without_id(words: &str) -> String {
    match words.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
        Some((_, rest)) => rest.to_owned(),
        None => words.to_owned(),
    }
}
