//! Explanations of the validator's findings in the terms of MCP policies.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst::{Clause, Expr, Template, Var};

use super::finding::{Finding, code};
use super::validate::{Checked, Complaint, Kind};
use super::{McpAction, UNGATED, schema};
use crate::suggestion::{did_you_mean, nearest};

/// The names that other tools and drafts use for the actions.
///
/// Source: the method names of the Model Context Protocol, and the example of the Docker AI
/// Governance API that says `call_tool`.
const ALIASES: [(&str, &str); 9] = [
    ("calltool", "invokeTool"),
    ("toolscall", "invokeTool"),
    ("usetool", "invokeTool"),
    ("callprimordial", "invokePrimordial"),
    ("resourcesread", "readResource"),
    ("promptsget", "getPrompt"),
    ("registerserver", "register"),
    ("toolslist", "listTools"),
    ("resourceslist", "listResources"),
];

/// The finding for a validator's complaint. [`unguarded`] reports missing guards, and a separate
/// check reports clauses on the principal.
pub(super) fn explain(text: &str, complaint: &Complaint, checked: &Checked) -> Option<Finding> {
    let source = text.get(complaint.start..complaint.end).unwrap_or_default();
    let (code, message, help) = match complaint.kind {
        Kind::Unguarded => return None,
        Kind::Action => unknown_action(source),
        Kind::EntityType => unknown_type(source),
        Kind::ContextAttribute => context_attribute(complaint, checked),
        Kind::ResourceAttribute => resource_attribute(complaint, checked)?,
        Kind::Type
            if complaint.message.contains("AnyEntity")
                && complaint.message.contains("saw String") =>
        {
            let message = format!(
                "{} treats a string as an entity: the statement is skipped",
                backticked(source)
            );
            (
                code::TYPE_MISMATCH,
                message,
                "compare the string itself with `==` or `like`".to_owned(),
            )
        }
        Kind::Type if complaint.help.as_deref().is_some_and(|help| help.contains("`like`")) => {
            let message = format!(
                "{} is a string, and `.contains()` looks into sets",
                backticked(receiver(source))
            );
            let help = format!("write `{} like \"*…*\"`", receiver(source));
            (code::CONTAINS_ON_STRING, message, help)
        }
        Kind::Type | Kind::Other => {
            let help = complaint.help.clone();
            (
                code::TYPE_MISMATCH,
                complaint.message.clone(),
                help.unwrap_or_else(|| "compare values of one type".to_owned()),
            )
        }
    };
    Some(Finding { start: complaint.start, end: complaint.end, code, message, help })
}

/// One finding for each place that reads arguments without checking that they exist.
pub(super) fn unguarded(checked: &Checked) -> Vec<Finding> {
    let mut places: BTreeMap<(usize, usize), BTreeSet<(usize, &str)>> = BTreeMap::new();
    for complaint in checked.complaints.iter().filter(|complaint| complaint.kind == Kind::Unguarded)
    {
        let guards = places.entry((complaint.start, complaint.end)).or_default();
        guards.insert((complaint.message.len(), complaint.message.as_str()));
    }
    let finding = |((start, end), guards): ((usize, usize), BTreeSet<(usize, &str)>)| {
        let guards: Vec<&str> = guards.into_iter().map(|(_, guard)| guard).collect();
        let message =
            "an argument is read that can be missing; then the statement is skipped".to_owned();
        let help = format!("put `{} &&` in front", guards.join(" && "));
        Finding { start, end, code: code::UNGUARDED_ARGUMENT, message, help }
    };
    places.into_iter().map(finding).collect()
}

fn unknown_action(source: &str) -> (&'static str, String, String) {
    let id = source.rsplit("::").next().unwrap_or(source).trim().trim_matches('"');
    let message = format!("there is no action {}; the statement never matches", backticked(source));
    let help = match nearest_action(id) {
        Some(name) => format!("did you mean `MCP::Action::\"{name}\"`? {}", action_names()),
        None => action_names(),
    };
    (code::UNKNOWN_ACTION, message, help)
}

/// The action that another name stands for.
pub(super) fn nearest_action(id: &str) -> Option<&'static str> {
    let plain: String =
        id.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let known = || McpAction::ALL.iter().map(|action| action.name()).chain(UNGATED);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == plain).map(|(_, name)| *name);
    alias
        .or_else(|| known().find(|name| name.eq_ignore_ascii_case(&plain)))
        .or_else(|| nearest(id, known()))
}

/// The actions in words, as advice.
pub(super) fn action_names() -> String {
    format!("the actions are `{}`", McpAction::ALL.map(McpAction::name).join("`, `"))
}

/// The entity types in words, as advice.
const TYPE_NAMES: &str = "the types are `MCP::Server`, `MCP::Tool`, `MCP::Primordial`, `MCP::Resource` and `MCP::Prompt`";

fn unknown_type(source: &str) -> (&'static str, String, String) {
    let name = source.rsplit("::").next().unwrap_or(source).trim();
    let message = format!("there is no entity type {}", backticked(source));
    let known = || McpAction::ALL.iter().map(|action| action.resource_type());
    let help = match known()
        .find(|known| known.eq_ignore_ascii_case(name))
        .or_else(|| nearest(name, known()))
    {
        Some(known) => format!("did you mean `MCP::{known}`? {TYPE_NAMES}"),
        None if name.to_ascii_lowercase().contains("group") => {
            "groups of servers are not supported; name the servers one by one".to_owned()
        }
        None => TYPE_NAMES.to_owned(),
    };
    (code::UNKNOWN_TYPE, message, help)
}

/// The attributes of the context.
const CONTEXT: [&str; 2] = ["args", "request_time"];

/// The attribute of the context that another name stands for.
fn nearest_in_context(name: &str) -> Option<&'static str> {
    let is_long = name.to_ascii_lowercase().starts_with("arg");
    nearest(name, CONTEXT).or_else(|| is_long.then_some("args"))
}

/// The advice about a `has` that never holds, since no resource of these actions, or no context,
/// has the attribute.
pub(super) fn false_guard(tree: &Template, actions: &BTreeSet<McpAction>) -> Option<String> {
    let known: BTreeSet<&str> = actions
        .iter()
        .flat_map(|action| schema::attributes(action.resource_type()))
        .map(|(name, _)| name)
        .collect();
    let known: Vec<&str> = known.into_iter().collect();
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else asks for an attribute")]
    let about = |expr: &Expr| match expr {
        Expr::HasAttr { expr, attrs } => match (&**expr, attrs.first().as_str()) {
            (Expr::Var(Var::Resource), name) if !known.contains(&name) => {
                let help = match nearest(name, known.iter().copied()) {
                    Some(near) => did_you_mean(near, &known),
                    None if known.is_empty() => "the resource has no attributes".to_owned(),
                    None => format!("the attributes are `{}`", known.join("`, `")),
                };
                Some(format!("`resource has {name}` never holds: {help}"))
            }
            (Expr::Var(Var::Context), name) if !CONTEXT.contains(&name) => {
                let help = match nearest_in_context(name) {
                    Some(near) => format!("did you mean `context has {near}`?"),
                    None => format!("the context has `{}`", CONTEXT.join("` and `")),
                };
                Some(format!("`context has {name}` never holds: {help}"))
            }
            (_, _) => None,
        },
        _ => None,
    };
    tree.clauses().iter().find_map(|clause| {
        let (Clause::When(condition) | Clause::Unless(condition)) = clause;
        condition.reduce(&|expr| about(expr).map(Some), &|one, other| one.or(other), None)
    })
}

fn context_attribute(complaint: &Complaint, checked: &Checked) -> (&'static str, String, String) {
    let name = complaint.message.as_str();
    if name == "request_time" {
        let message =
            "a registration carries no `context.request_time`; there the statement never matches";
        return (
            code::REGISTER_TIME,
            message.to_owned(),
            "give registration a statement without it".to_owned(),
        );
    }
    let carry = if complaint.actions.len() == 1 { "carries" } else { "carry" };
    let message = format!("{} {carry} no `context.{name}`", list(&complaint.actions));
    let help = match (name, nearest_in_context(name)) {
        ("args", _) => "arguments come with `invokeTool` and `invokePrimordial`".to_owned(),
        (_, Some(near)) => format!("did you mean `context.{near}`?"),
        (_, None) => format!("the context has `{}`", CONTEXT.join("` and `")),
    };
    let code = if complaint.actions == checked.actions {
        code::UNKNOWN_ATTRIBUTE
    } else {
        code::ATTRIBUTE_OF_OTHERS
    };
    (code, message, help)
}

fn resource_attribute(
    complaint: &Complaint,
    checked: &Checked,
) -> Option<(&'static str, String, String)> {
    let name = complaint.message.as_str();
    let types: BTreeSet<&str> =
        complaint.actions.iter().map(|action| action.resource_type()).collect();
    let lacks = |what: &str| match types
        .iter()
        .map(|name| format!("`MCP::{name}`"))
        .collect::<Vec<_>>()
        .as_slice()
    {
        all if all.len() == McpAction::ALL.len() => format!("no resource has {what}"),
        [one] => format!("{one} has no {}", what.trim_start_matches("an ")),
        several => format!("{} have no {}", several.join(", "), what.trim_start_matches("an ")),
    };
    let lacking = lacks(&format!("an attribute `{name}`"));
    let owners: Vec<McpAction> = McpAction::ALL
        .into_iter()
        .filter(|action| schema::attributes(action.resource_type()).any(|(own, _)| own == name))
        .collect();
    if complaint.actions != checked.actions && !owners.is_empty() {
        let actions = list(&complaint.actions);
        let message = format!("{lacking}: for {actions} the statement is skipped");
        let help = format!(
            "name the actions that it is about, such as `action == MCP::Action::\"{}\"`",
            owners.first()?
        );
        return Some((code::ATTRIBUTE_OF_OTHERS, message, help));
    }
    let known: BTreeSet<&str> = types
        .iter()
        .flat_map(|resource_type| schema::attributes(resource_type))
        .map(|(name, _)| name)
        .collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => did_you_mean(near, &known.into_iter().collect::<Vec<_>>()),
        None if name.to_ascii_lowercase().starts_with("server") => {
            "name the server as an entity: `resource in MCP::Server::\"name\"`".to_owned()
        }
        None if name == "args" && complaint.actions.iter().all(|action| action.has_arguments()) => {
            "the arguments of a call are in `context.args`".to_owned()
        }
        None if !owners.is_empty() => {
            let owners: Vec<String> =
                owners.iter().map(|action| format!("`MCP::{}`", action.resource_type())).collect();
            format!("`{name}` is an attribute of {}", owners.join(" and "))
        }
        None if known.is_empty() => {
            format!("compare the whole: `resource == MCP::{}::\"name\"`", types.first()?)
        }
        None => {
            format!("the attributes are `{}`", known.into_iter().collect::<Vec<_>>().join("`, `"))
        }
    };
    Some((code::UNKNOWN_ATTRIBUTE, lacking, help))
}

/// The actions in words: `` `register`, `invokeTool` ``.
pub(super) fn list(actions: &BTreeSet<McpAction>) -> String {
    actions.iter().map(|action| format!("`{action}`")).collect::<Vec<_>>().join(", ")
}

fn backticked(source: &str) -> String {
    format!("`{}`", source.trim().replace(['\n', '\r'], " "))
}

/// The receiver of a method call, as written.
fn receiver(source: &str) -> &str {
    source.rfind(".contains").and_then(|at| source.get(..at)).unwrap_or(source).trim()
}
