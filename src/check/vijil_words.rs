//! Probable slips in the parts of an `AgentPolicy` that take any text, as the service does.
//!
//! Invariant: only a word that is nearly a known one is reported, since the lists are open.

use serde_json::{Map, Value};

use super::{Check, Run};
use crate::diagnostic::{Diagnostic, Label, Severity, nearest};
use crate::document::DeclaredVijil;
use crate::model::CONSEQUENCE_ACTIONS;

const CODE: &str = "probable-typo";

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Warning,
    title: "a word of a rule for agents is probably misspelt",
    explanation: "The service takes any text as the action of a consequence and as `constraint_logic`, and any keys in a \
        consequence, a constraint and a provenance, so that it does not report a slip. The judge has one control for each \
        action of a consequence: `blok` would get one of its own, which blocks nothing.",
    bad: "apiVersion: seawall/v1\nkind: AgentPolicy\nname: x\ncategory: privacy\nrules:\n  \
        - {rule_id: A, rule_type: prohibition, action: a, consequence: {action: blok, severity: low}, natural_language: Agents must not a.}\n",
    fix: "Correct the word, or suppress the finding where it is meant.",
    run: Run::Vijil(look),
}];

/// The keys that the service documents.
const CONSEQUENCE: [&str; 3] = ["action", "severity", "message"];
const CONSTRAINT: [&str; 4] = ["condition_type", "field", "operator", "value"];
const PROVENANCE: [&str; 4] = ["extracted_by", "model_used", "confidence_score", "source_location"];
/// The documented default, and what its opposite is probably called.
const LOGIC: [&str; 2] = ["all", "any"];

fn look(policy: &DeclaredVijil<'_>, findings: &mut Vec<Diagnostic>) {
    let actions = CONSEQUENCE_ACTIONS.map(|(action, _)| action);
    for (index, rule) in policy.desired.rules.iter().enumerate() {
        let (consequence, logic) =
            (rule.fields.get("consequence"), rule.fields.get("constraint_logic"));
        let own = |name: &str, object, known| (format!("/rules/{index}/{name}"), object, known);
        let mut objects: Vec<(String, &Value, &[&str])> = Vec::new();
        objects.extend(consequence.map(|it| own("consequence", it, &CONSEQUENCE[..])));
        let constraints = rule.fields.get("constraints").and_then(Value::as_array);
        for (number, constraint) in constraints.into_iter().flatten().enumerate() {
            objects.push(own(&format!("constraints/{number}"), constraint, &CONSTRAINT));
        }
        objects.extend(rule.provenance.as_ref().map(|it| own("provenance", it, &PROVENANCE[..])));
        for (pointer, object, known) in objects {
            for key in object.as_object().into_iter().flat_map(Map::keys) {
                let place = policy.document.key(&pointer, key);
                findings.extend(slip("key here", key, known, place));
            }
        }
        let action = consequence.and_then(|consequence| consequence.get("action"));
        let texts: [(&str, &str, Option<&Value>, &[&str]); 2] = [
            ("consequence/action", "action of a consequence", action, &actions),
            ("constraint_logic", "value of `constraint_logic`", logic, &LOGIC),
        ];
        for (field, what, value, known) in texts {
            let place = policy.document.label(&format!("/rules/{index}/{field}"));
            let written = value.and_then(Value::as_str);
            findings.extend(written.and_then(|written| slip(what, written, known, place)));
        }
    }
}

/// The finding for a word that is nearly a known one.
fn slip(what: &str, written: &str, known: &[&str], place: Label) -> Option<Diagnostic> {
    // `and` is as far from `any` as a slip, and means `all`.
    if known.contains(&written) || written.eq_ignore_ascii_case("and") {
        return None;
    }
    let near = nearest(written, known.iter().copied())?;
    let finding = Diagnostic::warning(CODE, format!("`{written}` is not a known {what}"));
    Some(finding.at(place).help(format!("did you mean `{near}`?")))
}
