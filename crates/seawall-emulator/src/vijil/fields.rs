//! Validates bodies and queries against the declared API, with the refusals of its framework: all
//! failures at once, each as `{"type", "loc", "msg", "input"}`.
//!
//! Unknown fields are ignored, as the framework does by default. Objects that the API types as
//! "this or any object" are kept as sent.

use serde_json::{Map, Value, json};

use crate::exchange::{Request, Response, whole_number};

/// The kind of a field's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Text with a minimum and a maximum number of characters.
    Text(usize, usize),
    /// One of these values.
    Choice(&'static [&'static str]),
    /// A UUID.
    Id,
    /// A list of texts.
    Texts,
    /// Any object.
    Object,
    /// A list of any objects.
    Objects,
}

/// A field of a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) nullable: bool,
}

pub(super) const LONG: usize = usize::MAX;

/// A call that the framework refuses.
#[derive(Debug, Default)]
pub(super) struct Invalid(Vec<Value>);

impl Invalid {
    pub(super) fn add(
        &mut self,
        kind: &str,
        loc: Value,
        msg: impl Into<String>,
        input: Value,
        ctx: Option<Value>,
    ) {
        let mut error = json!({"type": kind, "loc": loc, "msg": msg.into(), "input": input});
        if let (Some(ctx), Some(error)) = (ctx, error.as_object_mut()) {
            error.insert("ctx".to_owned(), ctx);
        }
        self.0.push(error);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn response(&self) -> Response {
        Response::json(422, &json!({"detail": self.0}))
    }
}

/// The members of a JSON body that the API knows.
pub(super) fn body(
    request: &Request,
    fields: &[Field],
    invalid: &mut Invalid,
) -> Map<String, Value> {
    if request.body.is_empty() {
        invalid.add("missing", json!(["body"]), "Field required", Value::Null, None);
        return Map::new();
    }
    let whole: Value = match serde_json::from_slice(&request.body) {
        Ok(value) => value,
        Err(error) => {
            let ctx = json!({"error": error.to_string()});
            invalid.add(
                "json_invalid",
                json!(["body", error.column()]),
                "JSON decode error",
                json!({}),
                Some(ctx),
            );
            return Map::new();
        }
    };
    let Value::Object(members) = &whole else {
        let message = "Input should be a valid dictionary or object to extract fields from";
        invalid.add("model_attributes_type", json!(["body"]), message, whole.clone(), None);
        return Map::new();
    };
    let mut taken = Map::new();
    for field in fields {
        match members.get(field.name) {
            None if field.required => {
                invalid.add(
                    "missing",
                    json!(["body", field.name]),
                    "Field required",
                    whole.clone(),
                    None,
                );
            }
            None => {}
            Some(Value::Null) if field.nullable => {
                taken.insert(field.name.to_owned(), Value::Null);
            }
            Some(value) => {
                judge(field.kind, value, &json!(["body", field.name]), invalid);
                taken.insert(field.name.to_owned(), value.clone());
            }
        }
    }
    taken
}

fn judge(kind: Kind, value: &Value, loc: &Value, invalid: &mut Invalid) {
    let mut add =
        |kind: &str, msg: String, ctx| invalid.add(kind, loc.clone(), msg, value.clone(), ctx);
    match (kind, value) {
        (Kind::Text(least, most), Value::String(text)) => {
            let count = text.chars().count();
            if count < least {
                add("string_too_short", at_least(least), Some(json!({"min_length": least})));
            } else if count > most {
                let msg = format!("String should have at most {most} characters");
                add("string_too_long", msg, Some(json!({"max_length": most})));
            }
        }
        (Kind::Text(..), _) => {
            add("string_type", "Input should be a valid string".to_owned(), None)
        }
        (Kind::Choice(options), value) => {
            if !value.as_str().is_some_and(|text| options.contains(&text)) {
                let expected = one_of(options);
                add(
                    "enum",
                    format!("Input should be {expected}"),
                    Some(json!({"expected": expected})),
                );
            }
        }
        (Kind::Id, value) => {
            if value.as_str().and_then(uuid).is_none() {
                add(
                    "uuid_parsing",
                    "Input should be a valid UUID".to_owned(),
                    Some(json!({"error": "invalid UUID"})),
                );
            }
        }
        (Kind::Texts, value) => {
            if !value.as_array().is_some_and(|list| list.iter().all(Value::is_string)) {
                add("list_type", "Input should be a valid list of strings".to_owned(), None);
            }
        }
        (Kind::Object, value) => {
            if !value.is_object() {
                add("dict_type", "Input should be a valid dictionary".to_owned(), None);
            }
        }
        (Kind::Objects, value) => {
            if !value.as_array().is_some_and(|list| list.iter().all(Value::is_object)) {
                add("list_type", "Input should be a valid list of dictionaries".to_owned(), None);
            }
        }
    }
}

fn at_least(least: usize) -> String {
    format!("String should have at least {least} character{}", if least == 1 { "" } else { "s" })
}

fn one_of(options: &[&str]) -> String {
    let quoted: Vec<String> = options.iter().map(|option| format!("'{option}'")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// A number of the query within bounds.
pub(super) fn number(
    request: &Request,
    name: &str,
    (least, most, default): (usize, usize, usize),
    invalid: &mut Invalid,
) -> usize {
    let Some(text) = request.parameter(name) else { return default };
    let loc = json!(["query", name]);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let Some(size) = whole_number(digits) else {
        let msg = "Input should be a valid integer, unable to parse string as an integer";
        invalid.add("int_parsing", loc, msg, json!(text), None);
        return default;
    };
    let is_negative = digits.len() < text.len() && size > 0;
    if is_negative || size < least {
        let msg = format!("Input should be greater than or equal to {least}");
        invalid.add("greater_than_equal", loc, msg, json!(text), Some(json!({"ge": least})));
        return default;
    }
    if size > most {
        let msg = format!("Input should be less than or equal to {most}");
        invalid.add("less_than_equal", loc, msg, json!(text), Some(json!({"le": most})));
        return default;
    }
    size
}

/// A choice in the query; an empty one is refused like any other invalid one.
pub(super) fn choice<'a>(
    request: &'a Request,
    name: &str,
    options: &'static [&'static str],
    invalid: &mut Invalid,
) -> Option<&'a str> {
    let text = request.parameter(name)?;
    judge(Kind::Choice(options), &json!(text), &json!(["query", name]), invalid);
    Some(text)
}

/// A required text of the query.
pub(super) fn required<'a>(request: &'a Request, name: &str, invalid: &mut Invalid) -> &'a str {
    match request.parameter(name) {
        None => {
            invalid.add("missing", json!(["query", name]), "Field required", Value::Null, None);
            ""
        }
        Some(text) => {
            judge(Kind::Text(1, LONG), &json!(text), &json!(["query", name]), invalid);
            text
        }
    }
}

/// The id of a path in its usual form.
pub(super) fn path_id(text: &str, name: &str, invalid: &mut Invalid) -> String {
    uuid(text).unwrap_or_else(|| {
        judge(Kind::Id, &json!(text), &json!(["path", name]), invalid);
        String::new()
    })
}

/// A UUID in any form that the framework accepts, as 8-4-4-4-12 in lower case.
pub(super) fn uuid(text: &str) -> Option<String> {
    let inner = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let inner = inner.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(inner);
    let digits: String = match inner.len() {
        32 => inner.to_owned(),
        36 if crate::identity::is_uuid(inner) => inner.replace('-', ""),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = digits.to_ascii_lowercase();
    let parts: Vec<&str> = [0..8, 8..12, 12..16, 16..20, 20..32]
        .into_iter()
        .filter_map(|part| digits.get(part))
        .collect();
    Some(parts.join("-"))
}
