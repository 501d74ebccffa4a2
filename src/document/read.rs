//! Reads one document: from values with places to its typed form.

use std::ops::Range;

use serde_json::Value;

use super::kind::{Body, KINDS, Kind};
use super::{explain, schema};
use crate::diagnostic::{Diagnostic, FileId, Label, did_you_mean, nearest};
use crate::source::{Spans, Tree};

/// A document that fits its kind's schema.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file that holds it.
    pub file: FileId,
    /// The place of each part of the document.
    pub places: Spans,
    /// The document as it was written, without its rules.
    written: Value,
    /// The typed form.
    pub body: Body,
}

impl Document {
    /// The place of the value at a JSON pointer, or of the nearest enclosing value that exists.
    #[must_use]
    pub fn label(&self, pointer: &str) -> Label {
        Label::new(self.file, self.places.nearest(pointer).span())
    }

    /// A short place for the value at a JSON pointer; for a mapping, its first key.
    #[must_use]
    pub fn head(&self, pointer: &str) -> Label {
        Label::new(self.file, self.places.nearest(pointer).head())
    }

    /// The place of the item with this text in the list at a JSON pointer.
    #[must_use]
    pub fn item(&self, pointer: &str, text: &str) -> Label {
        let list = self.written.pointer(pointer).and_then(Value::as_array);
        let index = list
            .and_then(|list| list.iter().position(|item| item.as_str() == Some(text)))
            .unwrap_or_default();
        self.label(&format!("{pointer}/{index}"))
    }

    /// The place of a key in the mapping at a JSON pointer, or of the mapping's first key if it
    /// does not have the key.
    #[must_use]
    pub fn key(&self, pointer: &str, key: &str) -> Label {
        let mapping = self.places.nearest(pointer);
        let span =
            mapping.entry(key).map_or_else(|| mapping.head(), |entry| entry.key_span.clone());
        Label::new(self.file, span)
    }
}

/// Checks a document against the schema of its kind and decodes it. `settings` is true for the
/// workspace's own file. Adds all errors to `findings`; with an error, returns `None`.
pub fn read(
    file: FileId,
    tree: Tree,
    settings: bool,
    findings: &mut Vec<Diagnostic>,
) -> Option<Document> {
    let kind = kind(file, &tree, settings).map_err(|finding| findings.push(*finding)).ok()?;
    let compiled = schema::compiled(kind);
    // A boolean answer is many times faster than a list of errors, and nearly all documents are
    // valid.
    if !compiled.validator.is_valid(&tree.value) {
        let known = findings.len();
        for error in compiled.validator.iter_errors(&tree.value) {
            explain::explain(&error, kind, &compiled.schema, file, &tree, findings);
        }
        // A document that is refused without a word would be missing without a word.
        if findings.len() == known {
            let finding =
                Diagnostic::error("invalid", "the document does not match the schema of its kind");
            let finding = finding.at(Label::new(file, tree.places.head()));
            findings.push(finding.help("compare it with the schema: `seawall schema`"));
        }
        return None;
    }
    let Tree { value, places } = tree;
    let written = without_rules(&value);
    match (kind.decode)(value) {
        Ok(body) => Some(Document { file, places, written, body }),
        Err(error) => {
            // The decoder refuses what the schema accepts. A property test prevents this.
            let finding = Diagnostic::error(
                "undecodable",
                format!("the document cannot be decoded: {error}"),
            );
            let finding = finding.at(Label::new(file, places.head()));
            findings.push(finding.help("compare it with the schema: `seawall schema`"));
            None
        }
    }
}

/// Rules are the largest part of a document, so that only their typed form is kept.
fn without_rules(value: &Value) -> Value {
    let entries = value.as_object().into_iter().flatten().filter(|(key, _)| *key != "rules");
    Value::Object(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn kind(file: FileId, tree: &Tree, settings: bool) -> Result<&'static Kind, Box<Diagnostic>> {
    let label = |span: Range<usize>| Label::new(file, span);
    let Value::Object(values) = &tree.value else {
        let finding =
            Diagnostic::error("wrong-type", "a document is a mapping with `apiVersion` and `kind`");
        let help = "write `apiVersion: seawall/v1` and `kind`, or leave the file out with `include` in `seawall.yaml`";
        return Err(Box::new(finding.at(label(tree.places.span())).help(help)));
    };
    let names: Vec<&str> =
        KINDS.iter().filter(|kind| kind.settings == settings).map(|kind| kind.name).collect();
    let Some(value) = values.get("kind") else {
        let finding = Diagnostic::error("missing-key", "the key `kind` is missing");
        let help = if values.contains_key("apiVersion") || settings {
            format!("add `kind: {}`", names.join("`, or `kind: "))
        } else {
            format!(
                "add `apiVersion: seawall/v1` and `kind: {}`; a file that is not a document of seawall is left out with `include` in `seawall.yaml`",
                names.join("`, or `kind: ")
            )
        };
        return Err(Box::new(finding.at(label(tree.places.head())).help(help)));
    };
    let place = label(tree.places.nearest("/kind").span());
    let Value::String(name) = value else {
        let finding = Diagnostic::error("wrong-type", "`kind` must be text").at(place);
        return Err(Box::new(finding.help(format!("write one of `{}`", names.join("`, `")))));
    };
    match KINDS.iter().find(|kind| kind.name == name) {
        Some(kind) if kind.settings == settings => Ok(kind),
        Some(kind) if kind.settings => {
            let finding = Diagnostic::error(
                "misplaced-kind",
                "a `Workspace` document is only allowed in the workspace's own file",
            );
            let help =
                "leave the inner workspace out with `include`; each workspace is planned by itself";
            Err(Box::new(finding.at(place).help(help)))
        }
        Some(_) => {
            let finding = Diagnostic::error(
                "misplaced-kind",
                format!("the file of workspace settings cannot hold a `{name}`"),
            );
            Err(Box::new(
                finding
                    .at(place)
                    .help("write `kind: Workspace` here, and move the document to its own file"),
            ))
        }
        None => {
            let finding =
                Diagnostic::error("unknown-kind", format!("there is no kind `{name}`")).at(place);
            let foreign = values
                .get("apiVersion")
                .and_then(Value::as_str)
                .is_none_or(|version| !version.starts_with("seawall/"));
            Err(Box::new(finding.help(match nearest(name, names.iter().copied()) {
                Some(near) => did_you_mean(near, &names),
                None if foreign => {
                    format!(
                        "write one of `{}`, or leave the file out with `include` in `seawall.yaml`",
                        names.join("`, `")
                    )
                }
                None => format!("write one of `{}`", names.join("`, `")),
            })))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::diagnostic::Files;
    use crate::document::schema::compiled;
    use crate::source::parse;

    /// One document of each kind with every key.
    fn full(kind: usize) -> Value {
        let rule = json!({"name": "r", "previously": ["q"], "decision": "allow", "actions": ["connect:tcp"], "resources": ["a.example.com"]});
        let request = json!({"name": "s", "decision": "deny", "actions": ["request:get"],
            "http_resources": [{"host": "a.example.com", "port": 443, "path": "/x"}]});
        let policy = json!({"apiVersion": "seawall/v1", "kind": KINDS[kind].name, "name": "p", "previously": ["o"],
            "adopt": true, "description": "d", "scope": {"teams": ["t"]}});
        let with = |more: Value| {
            let mut all = policy.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        match KINDS[kind].name {
            "Workspace" => {
                json!({"apiVersion": "seawall/v1", "kind": "Workspace", "include": ["a/*.yaml"],
                "docker": {"org": "o", "endpoint": "embedded", "ownership": "exclusive", "owns": ["o *"], "unmanaged": ["l-*"], "teams": ["t"]},
                "vijil": {"endpoint": "embedded", "ownership": "declared"},
                "guards": {"max_deletes": "25%", "deny_widening": true, "protected": ["p"]}})
            }
            "NetworkPolicy" => with(json!({"rules": [rule, request]})),
            "FilesystemPolicy" => with(
                json!({"rules": [{"name": "r", "previously": [], "decision": "allow", "actions": ["read", "write"], "resources": ["/x"]}]}),
            ),
            "McpPolicy" => {
                with(json!({"schema_url": "u", "cedar": "permit (principal, action, resource);"}))
            }
            "AgentPolicy" => {
                json!({"apiVersion": "seawall/v1", "kind": "AgentPolicy", "name": "p", "previously": ["o"],
                "description": "d", "category": "privacy", "status": "active", "source_text": "s", "tags": ["t"],
                "rules": [{"rule_id": "R", "previously": ["Q"], "rule_type": "prohibition", "action": "a", "target": "t",
                    "assignee": "agent", "constraints": [{"field": "f"}], "constraint_logic": "all",
                    "consequence": {"action": "block", "severity": "high", "message": "m", "extra": 1},
                    "natural_language": "n", "category": "privacy", "tags": ["t"], "provenance": {"model_used": "m"},
                    "review": {"approved": ""}}, {"rule_id": "S", "rule_type": "permission", "action": "a", "consequence": {},
                    "natural_language": "n", "review": {"rejected": "r"}}]})
            }
            "AccessTest" => {
                json!({"apiVersion": "seawall/v1", "kind": "AccessTest", "name": "n", "description": "d",
                "as": {"teams": ["t"]}, "expect": [{"allow": "read /x"}, {"deny": "read /y"}]})
            }
            other => panic!("`{other}` has no example here"),
        }
    }

    fn accepts(kind: &'static Kind, value: &Value) -> (bool, bool) {
        (compiled(kind).validator.is_valid(value), (kind.decode)(value.clone()).is_ok())
    }

    #[test]
    fn a_full_document_of_each_kind_is_accepted() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert_eq!(accepts(kind, &full(index)), (true, true), "{}", kind.name);
        }
    }

    /// Values that people write in the wrong place.
    fn odd_values() -> Vec<Value> {
        vec![
            json!(null),
            json!(true),
            json!(0),
            json!(-1),
            json!(65_536),
            json!(1.5),
            json!(4_294_967_296_u64),
            json!(""),
            json!("101%"),
            json!("0%"),
            json!("007%"),
            json!("/x"),
            json!("read"),
            json!("allow"),
            json!([]),
            json!([""]),
            json!([null]),
            json!(["connect:tcp", "read"]),
            json!({}),
            json!({"allow": "x"}),
            json!({"teams": null}),
        ]
    }

    fn odd_value() -> impl Strategy<Value = Value> {
        proptest::sample::select(odd_values())
    }

    /// The findings for a document, and whether it was read.
    fn findings(value: &Value) -> (Vec<Diagnostic>, bool) {
        let mut findings = Vec::new();
        let file = Files::default().add("a.yaml", "a.yaml", "");
        let settings = value["kind"] == "Workspace";
        let parsed = parse(file, &value.to_string(), &mut findings);
        let read = parsed
            .documents
            .into_iter()
            .filter_map(|tree| read(file, tree, settings, &mut findings))
            .count();
        (findings, read == 1)
    }

    /// A document that is missing without a word is a policy that nobody declares.
    #[test]
    fn each_value_that_is_refused_is_told_where_it_stands() {
        for (index, kind) in KINDS.iter().enumerate() {
            // The document itself is at 0: without content there is none.
            for at in 1..60 {
                for odd in odd_values() {
                    let mut value = full(index);
                    change(&mut value, &mut at.clone(), &Change::Replace(odd.clone()));
                    let (findings, read) = findings(&value);
                    let told = findings.iter().any(|finding| finding.code != "invalid");
                    assert_eq!(read, !told, "{} {at} {odd}: {findings:?}", kind.name);
                }
            }
        }
    }

    /// Changes the nth value of a document, in depth-first order.
    fn change(value: &mut Value, at: &mut usize, how: &Change) {
        if *at == 0 {
            *at = usize::MAX;
            match (how, &mut *value) {
                // Derived decoders accept a list as the fields of a structure in order; the schema
                // refuses it first.
                (Change::Replace(Value::Array(_)), Value::Object(_)) => {}
                (Change::Replace(new), _) => *value = new.clone(),
                (Change::Remove(nth), Value::Object(entries)) if !entries.is_empty() => {
                    let key = entries.keys().nth(nth % entries.len()).cloned().unwrap();
                    entries.shift_remove(&key);
                }
                (Change::Add(key, new), Value::Object(entries)) => {
                    entries.insert(key.clone(), new.clone());
                }
                (Change::Add(_, new), Value::Array(items)) => items.push(new.clone()),
                (Change::Remove(_), Value::Array(items)) => items.clear(),
                _ => {}
            }
            return;
        }
        *at -= 1;
        let parts: Vec<&mut Value> = match value {
            Value::Object(entries) => entries.values_mut().collect(),
            Value::Array(items) => items.iter_mut().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for part in parts {
            if *at == usize::MAX {
                return;
            }
            change(part, at, how);
        }
    }

    #[derive(Clone, Debug)]
    enum Change {
        Replace(Value),
        Remove(usize),
        Add(String, Value),
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let keys = [
            "resources",
            "http_resources",
            "cedar_file",
            "cedar",
            "port",
            "teams",
            "extra",
            "deny",
            "description",
        ];
        prop_oneof![
            odd_value().prop_map(Change::Replace),
            (0_usize..8).prop_map(Change::Remove),
            (proptest::sample::select(keys.to_vec()), odd_value())
                .prop_map(|(key, value)| Change::Add(key.to_owned(), value)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Otherwise an editor and `seawall` would disagree about a document.
        #[test]
        fn schema_and_decoder_accept_the_same_documents(
            kind in 0..KINDS.len(),
            changes in proptest::collection::vec((0_usize..40, any_change()), 0..3),
        ) {
            let mut value = full(kind);
            for (mut at, how) in changes {
                change(&mut value, &mut at, &how);
            }
            let (schema, decoder) = accepts(&KINDS[kind], &value);
            prop_assert_eq!(schema, decoder, "{:#}", value);
        }
    }
}
