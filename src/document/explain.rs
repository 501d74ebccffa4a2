//! Explanations of schema errors, with the place and the fix.
//!
//! Invariant: the validator's own messages are shown only for keywords that our schemas do not use.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::kind::Kind;
use super::{field, rule};
use crate::diagnostic::{Diagnostic, FileId, Label, did_you_mean, nearest, synonym};
use crate::model::SHARE;
use crate::source::{Spans, Tree};

/// The place of an error, and the schema that it comes from.
struct Site<'a> {
    file: FileId,
    kind: &'a Kind,
    pointer: &'a str,
    places: &'a Spans,
    /// The object of the schema whose keyword failed.
    schema: &'a Value,
}

/// Adds the findings for one error of the validator.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the validator knows more keywords than our schemas use"
)]
pub(super) fn explain(
    error: &ValidationError<'_>,
    kind: &Kind,
    schema: &Value,
    file: FileId,
    tree: &Tree,
    findings: &mut Vec<Diagnostic>,
) {
    let pointer = error.instance_path().as_str();
    let keyword = error.schema_path().as_str();
    let around = keyword.rsplit_once('/').map_or("", |(around, _)| around);
    let schema = schema.pointer(around).unwrap_or(&Value::Null);
    let site = Site { file, kind, pointer, places: tree.places.nearest(pointer), schema };
    let instance = error.instance().as_ref();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            findings.extend(unexpected.iter().map(|key| site.unknown_key(key)));
        }
        // The finding about the unknown key names the missing one.
        ValidationErrorKind::Required { property }
            if site.is_misspelt(property.as_str(), instance) => {}
        ValidationErrorKind::Required { property } => findings.push(site.missing_key(property)),
        ValidationErrorKind::Type { kind } => findings.push(site.wrong_type(kind, instance)),
        // A value that is not text has been reported for its type.
        ValidationErrorKind::Enum { .. }
            if !instance.is_string() && site.schema.get("type").is_some() => {}
        ValidationErrorKind::Enum { .. } => findings.push(site.unknown_value(instance)),
        // Only actions have a form other than a list of words; a value that is not text has been
        // reported for its type.
        ValidationErrorKind::AnyOf { .. } if !instance.is_string() => {}
        ValidationErrorKind::AnyOf { .. } => findings.push(site.unknown_value(instance)),
        ValidationErrorKind::Constant { expected_value } => {
            findings.push(site.constant(expected_value, instance))
        }
        ValidationErrorKind::MinItems { .. } => {
            findings.push(
                site.finding("empty", format!("{} is empty", site.subject()))
                    .help("give at least one item"),
            );
        }
        ValidationErrorKind::MinLength { .. } => {
            let finding = site.finding("empty", format!("{} is empty", site.subject()));
            findings.push(finding.help("write at least one character"));
        }
        ValidationErrorKind::MaxLength { limit } => {
            let message = format!(
                "{} has more than the {limit} characters that the service takes",
                site.subject()
            );
            findings.push(
                site.finding("too-long", message).help(format!("shorten it to {limit} characters")),
            );
        }
        ValidationErrorKind::Not { .. } => {
            let message = match pointer.ends_with("/docker") {
                true => "`docker` takes `org` for one organization or `orgs` for several, not both",
                false => "a policy takes at most one of `source_text` and `source_file`",
            };
            let finding = site.finding("one-of", message);
            findings.push(finding.help("remove one of the two"));
        }
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
            let finding =
                site.finding("out-of-range", format!("{} cannot be `{instance}`", site.subject()));
            findings.push(finding.help(site.range()));
        }
        ValidationErrorKind::Pattern { .. } => findings.push(site.pattern(instance)),
        ValidationErrorKind::OneOfNotValid { .. } if !choices(site.schema).is_empty() => {
            findings.push(site.unknown_value(instance));
        }
        // Keys are checked in mappings only; other values have been reported for their type.
        ValidationErrorKind::OneOfNotValid { .. }
        | ValidationErrorKind::OneOfMultipleValid { .. }
            if !instance.is_object() => {}
        ValidationErrorKind::OneOfNotValid { .. }
            if site.contents().iter().any(|key| site.is_misspelt(Some(key), instance)) => {}
        ValidationErrorKind::OneOfNotValid { .. } => findings.push(site.one_of(instance, false)),
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            findings.push(site.one_of(instance, true))
        }
        ValidationErrorKind::MinProperties { .. } | ValidationErrorKind::MaxProperties { .. } => {
            if pointer.ends_with("/review") {
                // The finding about the unknown key says what is wrong.
                let is_known = |key: &String| matches!(key.as_str(), "approved" | "rejected");
                let keys = || instance.as_object().into_iter().flat_map(serde_json::Map::keys);
                if keys().filter(|key| is_known(key)).count() == 1 {
                    return;
                }
                let finding = site.finding(
                    "review",
                    "a review is one `approved` with notes or one `rejected` with a reason",
                );
                findings
                    .push(finding.help("write `review: {approved: …}` or `review: {rejected: …}`"));
                return;
            }
            let finding = site.finding(
                "expectation",
                "an expectation is one `allow`, one `deny` or one `approval`",
            );
            findings
                .push(finding.help("write each expectation as an item of its own: `- allow: …`"));
        }
        _ => {
            let finding = site.finding("invalid", error.to_string());
            findings.push(finding.help("compare it with the schema: `seawall schema`"));
        }
    }
}

/// The words of a closed set, however its schema states it.
fn choices(schema: &Value) -> Vec<&str> {
    let words =
        schema.get("enum").or_else(|| schema.pointer("/anyOf/0/enum")).and_then(Value::as_array);
    let described = schema.get("oneOf").and_then(Value::as_array);
    let described = described.into_iter().flatten().filter_map(|choice| choice.get("const"));
    words.into_iter().flatten().chain(described).filter_map(Value::as_str).collect()
}

impl Site<'_> {
    fn finding(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(Label::new(self.file, self.places.head()))
    }

    /// The numbers that the schema accepts, as advice.
    fn range(&self) -> String {
        match (self.schema.get("minimum"), self.schema.get("maximum")) {
            (Some(least), Some(most)) => format!("write a number from {least} to {most}"),
            (Some(least), None) => format!("write a number that is at least {least}"),
            (None, Some(most)) => format!("write a number that is at most {most}"),
            (None, None) => "write another number".to_owned(),
        }
    }

    /// The name of the value: its key, or the list that it is an item of.
    fn subject(&self) -> String {
        let mut segments = self.pointer.rsplit('/');
        match (segments.next(), segments.next()) {
            (Some(_), Some(list)) if self.is_item() => {
                if list.is_empty() {
                    "this item".to_owned()
                } else {
                    format!("this item of `{list}`")
                }
            }
            (Some(""), _) | (None, _) => "the document".to_owned(),
            (Some(last), _) => format!("`{last}`"),
        }
    }

    /// Returns `true` if the value is an item of a list.
    fn is_item(&self) -> bool {
        let last = self.pointer.rsplit('/').next().unwrap_or_default();
        !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn known_keys(&self) -> impl Iterator<Item = &str> {
        self.schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|known| known.keys().map(String::as_str))
    }

    fn unknown_key(&self, key: &str) -> Diagnostic {
        let span = self
            .places
            .entry(key)
            .map_or_else(|| self.places.head(), |entry| entry.key_span.clone());
        let place = if self.pointer.is_empty() { article(self.kind.name) } else { self.subject() };
        let finding = Diagnostic::error("unknown-key", format!("{place} has no key `{key}`"));
        let finding = finding.at(Label::new(self.file, span));
        match (self.kind.name, self.pointer, key) {
            ("FilesystemPolicy", _, "http_resources") => {
                return finding.help("rules for HTTP requests belong into a `NetworkPolicy`");
            }
            ("AccessTest", "", "team" | "teams") => {
                let help = "write `as: {teams: [NAME]}`; without `as`, the test asks for a member of no team";
                return finding.help(help);
            }
            ("AgentPolicy", _, "severity") => {
                return finding
                    .help("it belongs into `consequence`: `{action: block, severity: high}`");
            }
            ("AgentPolicy", _, "text") => {
                return finding.help("the sentence of a rule is its `natural_language`, the text of a policy its `source_text`");
            }
            _ => {}
        }
        match nearest(key, self.known_keys()) {
            Some(near) if self.places.entry(near).is_some() => finding
                .help(format!("did you mean `{near}`? it is here already; remove one of the two")),
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => {
                let known: Vec<_> = self.known_keys().collect();
                finding.help(format!("the keys here are `{}`", known.join("`, `")))
            }
        }
    }

    /// The keys of which an object has exactly one.
    fn contents(&self) -> [&'static str; 2] {
        if self.kind.name == "McpPolicy" {
            ["cedar", "cedar_file"]
        } else {
            ["resources", "http_resources"]
        }
    }

    /// Returns `true` if a mapping has an unknown key that is probably meant to be this one.
    fn is_misspelt(&self, key: Option<&str>, instance: &Value) -> bool {
        let is_known = |written: &str| self.known_keys().any(|known| known == written);
        let written = instance.as_object().into_iter().flatten().map(|(written, _)| written);
        written
            .filter(|written| !is_known(written))
            .any(|written| nearest(written, self.known_keys()) == key)
    }

    fn missing_key(&self, property: &Value) -> Diagnostic {
        let key = property.as_str().unwrap_or_default();
        let finding = self.finding("missing-key", format!("the key `{key}` is missing"));
        if key == "rules" {
            return finding.help("add `rules`; `rules: []` explicitly declares none");
        }
        let schema = self.schema.get("properties").and_then(|known| known.get(key));
        if let Some(only) = schema.and_then(|schema| schema.get("const")?.as_str()) {
            return finding.help(format!("add `{key}: {only}`"));
        }
        let choices = schema.map(choices).unwrap_or_default();
        if !choices.is_empty() {
            return finding.help(format!("add `{key}`, one of `{}`", choices.join("`, `")));
        }
        let described = schema.and_then(|known| {
            let description = known.get("description")?.as_str()?;
            description
                .split(". ")
                .next()
                .map(|sentence| sentence.trim_end_matches('.').replace('\n', " "))
        });
        match described {
            Some(description) => {
                finding.help(format!("add `{key}`: {}", lower_first(&description)))
            }
            None => finding.help(format!("add `{key}`")),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of JSON values are settled")]
    fn wrong_type(&self, expected: &TypeKind, instance: &Value) -> Diagnostic {
        let expected: Vec<JsonType> = match expected {
            TypeKind::Single(one) => vec![*one],
            TypeKind::Multiple(several) => several.iter().collect(),
        };
        let wanted = expected.iter().map(|one| type_name(*one)).collect::<Vec<_>>().join(" or ");
        let message = match instance {
            Value::Null => format!("{} has no value, and must be {wanted}", self.subject()),
            _ => format!("{} must be {wanted}, not {}", self.subject(), described(instance)),
        };
        let finding = self.finding("wrong-type", message);
        let choices = choices(self.schema);
        if !choices.is_empty() {
            return finding.help(format!("write one of `{}`", choices.join("`, `")));
        }
        match instance {
            Value::Number(_) | Value::Bool(_) if expected.contains(&JsonType::String) => {
                finding.help(format!("put it in quotes: `\"{instance}\"`"))
            }
            Value::String(text) if expected == [JsonType::Boolean] => {
                let meant = if matches!(text.to_lowercase().as_str(), "yes" | "on" | "y" | "true") {
                    "true"
                } else {
                    "false"
                };
                finding
                    .help(format!("write `{meant}` without quotes; in YAML 1.2 words such as `yes` and `no` are text"))
            }
            // A plain text goes on in the next line, `- ` included.
            Value::String(text) if expected == [JsonType::Array] && text.contains(" - ") => {
                let first = text.split(" - ").next().unwrap_or_default();
                finding.help(format!("put `- ` in front of `{first}`, as in the lines below"))
            }
            Value::String(text) if expected == [JsonType::Array] => {
                finding.help(format!("write a list: `[{text}]`"))
            }
            Value::String(text) if text.parse::<i64>().is_ok() => finding.help("remove the quotes"),
            // `connect: tcp` is a mapping, `connect:tcp` is not.
            Value::Object(fields)
                if expected == [JsonType::String]
                    && fields.len() == 1
                    && let Some((key, text)) = fields.iter().find_map(|(key, value)| {
                        let number = value.as_u64().map(|number| number.to_string());
                        Some((key, value.as_str().map(str::to_owned).or(number)?))
                    }) =>
            {
                // A host with its port is another mapping of this kind.
                let is_key = self.pointer.contains("/resources/") && !key.contains('.');
                finding.help(match is_key {
                    true => format!("write the text alone: `{text}`"),
                    false => format!("write `{key}:{text}` without a space"),
                })
            }
            Value::Null if self.pointer == "/rules" => {
                finding.help("`rules: []` explicitly declares none")
            }
            Value::Null if self.pointer == "/scope" => {
                finding.help("name the teams, or remove the key to govern the whole organization")
            }
            Value::Null
                if self.kind.name == "FilesystemPolicy" && self.pointer.contains("/resources/") =>
            {
                finding.help(
                    "write `\"~\"` in quotes for the home folder: in YAML, `~` alone stands for nothing",
                )
            }
            Value::Null if self.is_item() => finding.help("give a value, or remove the `-`"),
            Value::Null => finding.help("give a value, or remove the key"),
            Value::Object(fields) if fields.is_empty() && expected == [JsonType::Array] => {
                finding.help("write `[]` for an empty list, or each item on a line of its own after `- `")
            }
            _ => finding.help(self.form(&expected)),
        }
    }

    /// The advice on how to write a value of these types.
    fn form(&self, expected: &[JsonType]) -> String {
        let example = self.schema.pointer("/examples/0");
        let keys: Vec<String> = self.known_keys().map(|key| format!("`{key}`")).collect();
        match (expected.first(), example) {
            (Some(JsonType::Array), _) => {
                "write a list: each item on a line of its own after `- `".to_owned()
            }
            (Some(JsonType::Object), _) => match keys.as_slice() {
                [] => "write a mapping: `key: value`".to_owned(),
                [only] => format!("write a mapping, `key: value`, with the key {only}"),
                several => {
                    format!("write a mapping, `key: value`, with keys among {}", several.join(", "))
                }
            },
            (Some(JsonType::Boolean), _) => "write `true` or `false`".to_owned(),
            (Some(JsonType::Integer | JsonType::Number), _) => {
                "write a number without quotes".to_owned()
            }
            (_, Some(Value::String(example))) => format!("write text such as `{example}`"),
            (Some(JsonType::String | JsonType::Null) | None, _) => {
                "write text on one line".to_owned()
            }
        }
    }

    fn unknown_value(&self, instance: &Value) -> Diagnostic {
        let options = choices(self.schema);
        let Some(text) = instance.as_str() else {
            let message = format!("{} cannot be {}", self.subject(), described(instance));
            return self
                .finding("wrong-type", message)
                .help(format!("write one of `{}`", options.join("`, `")));
        };
        let action = self.pointer.contains("/actions/");
        let what = if action {
            "there is no action".to_owned()
        } else {
            format!("{} cannot be", self.subject())
        };
        let finding = self.finding(
            if action { "unknown-action" } else { "unknown-value" },
            format!("{what} `{text}`"),
        );
        if action && let Some(help) = action_help(text, self.kind, &options) {
            return Diagnostic {
                message: format!("{} has no action `{text}`", article(self.kind.name)),
                ..finding.help(help)
            };
        }
        if action && text.eq_ignore_ascii_case("connect") {
            return finding.help(
                "write `connect:tcp` for connections, `request:connect` for the HTTP method",
            );
        }
        if action && (text.contains('*') || text.ends_with(":any") || text.ends_with(":all")) {
            let all = options.join("`, `");
            return finding.help(format!("list each action, since none stands for all: `{all}`"));
        }
        let near = nearest(text, options.iter().copied()).or_else(|| synonym(text, &options));
        let near = match near {
            // `get` and `tcp` are common abbreviations.
            None => options.iter().copied().find(|option| {
                option.split_once(':').is_some_and(|(_, method)| method.eq_ignore_ascii_case(text))
            }),
            near => near,
        };
        match near {
            Some(near) => finding.help(did_you_mean(near, &options)),
            None => finding.help(format!("write one of `{}`", options.join("`, `"))),
        }
    }

    fn constant(&self, expected: &Value, instance: &Value) -> Diagnostic {
        let expected = expected.as_str().unwrap_or_default();
        let message =
            format!("{} must be `{expected}`, not {}", self.subject(), described(instance));
        self.finding("unknown-value", message).help(format!("write `{expected}`"))
    }

    fn pattern(&self, instance: &Value) -> Diagnostic {
        let text = instance.as_str().unwrap_or_default();
        if self.pointer.ends_with("/path") {
            let finding =
                self.finding("wrong-format", format!("the path `{text}` does not start with `/`"));
            return finding.help(format!("write `/{}`", text.trim_start_matches('/')));
        }
        let finding =
            self.finding("wrong-format", format!("{} cannot be `{text}`", self.subject()));
        match self.schema.get("pattern").and_then(Value::as_str) {
            Some(field::ENDPOINT) => {
                let example =
                    self.schema.pointer("/examples/0").and_then(Value::as_str).unwrap_or_default();
                finding.help(format!(
                    "write a URL such as `{example}`, or `embedded` for an emulator in the process"
                ))
            }
            Some(SHARE) => {
                finding.help("write a share from `0%` to `100%`, or a count without quotes")
            }
            Some(_) | None => {
                finding.help("write it in the form that the schema shows: `seawall schema`")
            }
        }
    }

    fn one_of(&self, instance: &Value, both: bool) -> Diagnostic {
        let [first, second] = self.contents();
        if both {
            let place = |key| {
                self.places
                    .entry(key)
                    .map_or_else(|| self.places.head(), |entry| entry.key_span.clone())
            };
            let finding =
                Diagnostic::error("one-of", format!("`{first}` and `{second}` exclude each other"));
            let finding = finding.at(Label::new(self.file, place(second)));
            let finding = finding
                .related(Label::new(self.file, place(first)).saying("the other one is here"));
            return match first {
                "cedar" => finding.help("keep one of the two"),
                _ => finding.help(
                    "keep `resources` for `connect:…`, or `http_resources` for `request:…`; make two rules for both",
                ),
            };
        }
        let finding = self.finding("missing-key", format!("`{first}` or `{second}` is missing"));
        let requests = instance.get("actions").and_then(Value::as_array).is_some_and(|actions| {
            actions.iter().filter_map(Value::as_str).any(|action| action.starts_with("request:"))
        });
        match first {
            "cedar" => finding
                .help("add the policy text as `cedar`, or the name of its file as `cedar_file`"),
            _ if requests => {
                finding.help("add `http_resources`: the hosts and paths that the requests go to")
            }
            _ => finding.help("add `resources`: the hosts, addresses or CIDR blocks to connect to"),
        }
    }
}

/// The help for an action that belongs to another kind of document.
fn action_help(text: &str, kind: &Kind, own: &[&str]) -> Option<String> {
    let filesystem = kind.name == "FilesystemPolicy";
    let other = if filesystem { "NetworkPolicy" } else { "FilesystemPolicy" };
    rule::actions(!filesystem).any(|action| action.to_string() == text).then(|| {
        format!("`{text}` belongs into a `{other}`; the actions here are `{}`", own.join("`, `"))
    })
}

fn type_name(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Array => "a list",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Null => "nothing",
        JsonType::Number => "a number",
        JsonType::Object => "a mapping",
        JsonType::String => "text",
    }
}

/// A short description of a value.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::String(text) => format!("the text `{}`", text.chars().take(40).collect::<String>()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_lowercase().chain(characters).collect())
        .unwrap_or_default()
}

/// A kind of document in backticks, with its article.
fn article(kind: &str) -> String {
    let article = if kind.starts_with(['A', 'E', 'I', 'O']) { "an" } else { "a" };
    format!("{article} `{kind}`")
}
