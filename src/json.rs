//! JSON texts: their nesting and number of values, measured before they are parsed, their hashes,
//! and their schemas.
//!
//! Invariant: a text of at most [`MAX_DEPTH`] levels can be put into a plan, a snapshot and a report,
//! written, and read back: each wraps it in a few levels, and the parser refuses texts that nest
//! deeper than 127.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The deepest answer of a service. Its largest object needs six levels.
pub(crate) const MAX_DEPTH: usize = 64;
/// The most values of one answer: several times those of the largest policy, which has 400 KB. A
/// value can take a hundred times the memory of its text.
pub(crate) const MAX_VALUES: usize = 500_000;

/// The deepest snapshot or saved plan, which wraps what services answered.
pub(crate) const MAX_FILE_DEPTH: usize = 80;

/// The most values of a snapshot or a saved plan: several times those of a full organization.
pub(crate) const MAX_FILE_VALUES: usize = 10_000_000;

/// The generator of the JSON Schemas (2020-12) of what is written.
pub(crate) fn schema_generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().with_transform(RecursiveTransform(join_lines)).into_generator()
}

/// Takes the line breaks of this source out of a description.
pub(crate) fn join_lines(schema: &mut schemars::Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}

/// The deepest level of a text, and how many values it may hold at most; of a text that is not
/// JSON, some numbers.
#[must_use]
pub(crate) fn measure(text: &[u8]) -> (usize, usize) {
    let (mut depth, mut deepest, mut values) = (0_usize, 0, 1_usize);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
                values += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
    }
    (deepest, values)
}

/// `sha256:` and the hash of a value as compact JSON.
#[must_use]
pub(crate) fn hash_json(value: &serde_json::Value) -> String {
    hash(&[&value.to_string()])
}

/// `sha256:` and the hash of the parts of a text.
pub(crate) fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::measure;

    #[test]
    fn levels_and_values_are_counted_outside_of_texts() {
        let table = [
            ("1", 0, 1),
            ("[]", 1, 2),
            (r#"{"a": [1, 2, {"b": null}]}"#, 3, 6),
            (r#"["[[[{{{,,,"]"#, 1, 2),
            (r#"["\"[[[", [1]]"#, 2, 4),
            (r#"["\\", [1]]"#, 2, 4), // the escape is one of a backslash
            ("[[1], [2], [3]]", 2, 7),
            ("]]]", 0, 1),
        ];
        for (text, depth, values) in table {
            assert_eq!(measure(text.as_bytes()), (depth, values), "{text}");
        }
    }
}
