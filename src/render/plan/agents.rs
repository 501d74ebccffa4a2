//! The Vijil side of a plan: rules as sentences, what happens when they are broken, where they were drawn from, and
//! which of them people approve.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::super::sanitize::line;
use super::super::words;
use super::{BAD, BOLD, CAREFUL, DIM, GOOD};
use crate::model::{Fields, confidence};
use crate::plan::agents::{AgentPlan, AgentStep};
use crate::plan::step::{Object, Op};

const APPROVED: Style = AnsiColor::Green.on_default().bold().invert();
const REJECTED: Style = AnsiColor::Red.on_default().bold().invert();

pub(super) fn write(out: &mut String, plan: &AgentPlan) -> fmt::Result {
    if plan.steps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}Policies for agents{BOLD:#}")?;
    let mut policies: BTreeMap<&str, Vec<&AgentStep>> = BTreeMap::new();
    for step in &plan.steps {
        policies.entry(&step.policy_name).or_default().push(step);
    }
    for (policy, steps) in policies {
        writeln!(out, "  {BOLD}{}{BOLD:#}", line(policy))?;
        for step in steps {
            write_step(out, step)?;
        }
    }
    Ok(())
}

fn write_step(out: &mut String, step: &AgentStep) -> fmt::Result {
    let id = step.id;
    let name = line(step.rule_id.as_deref().unwrap_or("the policy"));
    match step.op {
        Op::Create => write!(out, "    {GOOD}+{GOOD:#} {name}")?,
        Op::Update => write!(out, "    {CAREFUL}~{CAREFUL:#} {name}")?,
        Op::Delete => write!(out, "    {BAD}-{BAD:#} {name}")?,
        Op::Approve => write!(out, "    {APPROVED} APPROVE {APPROVED:#} {BOLD}{name}{BOLD:#}")?,
        Op::Reject => write!(out, "    {REJECTED} REJECT {REJECTED:#} {BOLD}{name}{BOLD:#}")?,
        Op::Activate => write!(out, "    {GOOD}activate{GOOD:#} {name}")?,
    }
    writeln!(out, "  {DIM}#{id}{DIM:#}")?;
    if let Some(because) = step.because {
        writeln!(out, "        {CAREFUL}{}{CAREFUL:#}", words::reason(because))?;
    }
    match (step.object(), step.op) {
        (Object::Rule, Op::Create | Op::Delete) => write_rule(out, step),
        (Object::Rule, Op::Approve | Op::Reject) => {
            write_rule(out, step)?;
            let notes = step.text("review_notes");
            let label = if step.op == Op::Approve { "notes" } else { "reason" };
            if notes.is_empty() { Ok(()) } else { writeln!(out, "        {label}: {}", line(notes)) }
        }
        (_, Op::Update) => write_fields(out, step),
        (Object::Policy, Op::Create | Op::Delete | Op::Activate | Op::Approve | Op::Reject) | (_, Op::Activate) => {
            Ok(())
        }
    }
}

/// The rule as a sentence, its consequence, and where it was drawn from.
fn write_rule(out: &mut String, step: &AgentStep) -> fmt::Result {
    writeln!(out, "        {}: “{}”", line(step.text("rule_type")), line(step.text("natural_language")))?;
    let object = step.after.as_ref().or(step.before.as_ref());
    let consequence = object.and_then(|object| object.get("consequence"));
    let part = |key: &str| consequence.and_then(|consequence| consequence.get(key)?.as_str()).map(line);
    let severity = part("severity");
    let style = match severity.as_deref() {
        Some("critical" | "high") => BAD,
        Some("medium") => CAREFUL,
        Some(_) | None => Style::new(),
    };
    let action = part("action").unwrap_or("no action".into());
    let severity = severity.unwrap_or("none given".into());
    writeln!(out, "        when broken: {action}, severity {style}{severity}{style:#}")?;
    write_provenance(out, step)
}

fn write_provenance(out: &mut String, step: &AgentStep) -> fmt::Result {
    let Some(provenance) = &step.provenance else { return Ok(()) };
    let text = |pointer: &str| provenance.pointer(pointer).and_then(Value::as_str).map(line);
    if let Some(quotation) = text("/source_location/source_text") {
        let section = text("/source_location/section").map(|section| format!(", {section}")).unwrap_or_default();
        writeln!(out, "        {DIM}from the source{section}:{DIM:#} “{quotation}”")?;
    }
    if let Some(score) = confidence(provenance) {
        let by = text("/model_used").unwrap_or("a model".into());
        let style = if score < 0.7 { CAREFUL } else { DIM };
        writeln!(out, "        {style}drawn by {by} with a confidence of {:.0} %{style:#}", score * 100.0)?;
    }
    Ok(())
}

fn write_fields(out: &mut String, step: &AgentStep) -> fmt::Result {
    let of =
        |side: &Option<Fields>, key: &str| side.as_ref().and_then(|side| side.get(key).cloned()).unwrap_or_default();
    for key in step.changed() {
        let (before, after) = (of(&step.before, &key), of(&step.after, &key));
        match (before.as_str(), after.as_str()) {
            (Some(before), Some(after))
                if matches!(key.as_str(), "natural_language" | "source_text" | "description") =>
            {
                writeln!(out, "        {key}: {}", words_changed(before, after))?;
            }
            _ => {
                let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                writeln!(out, "        {key}: {} → {}", line(&shown(&before)), line(&shown(&after)))?;
            }
        }
    }
    Ok(())
}

/// A text with the words that go and come marked, also without colours.
fn words_changed(before: &str, after: &str) -> String {
    let mut out = String::new();
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        let text = line(change.value());
        let _ = match change.tag() {
            ChangeTag::Equal => write!(out, "{text}"),
            ChangeTag::Delete if text.trim().is_empty() => Ok(()),
            ChangeTag::Insert if text.trim().is_empty() => write!(out, "{text}"),
            ChangeTag::Delete => write!(out, "{BAD}[-{text}-]{BAD:#}"),
            ChangeTag::Insert => write!(out, "{GOOD}{{+{text}+}}{GOOD:#}"),
        };
    }
    out
}
