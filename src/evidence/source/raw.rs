//! Records as they are, without a meaning.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::ReadError;
use super::compression::decompressed;
use crate::json;
use crate::source::disk::{FileError, MAX_STATE_BYTES, open_named};

/// Reads all records of a file without interpreting them; pages of records are flattened.
///
/// # Errors
///
/// Returns an error if the file cannot be read, is larger than a snapshot may be, or holds something
/// that is not JSON.
pub fn raw(file: &Path) -> Result<Vec<Value>, ReadError> {
    let path = file.to_string_lossy().into_owned();
    let open = |source| ReadError::Open { path: path.clone(), source };
    let broken = |source| ReadError::Read { path: path.clone(), source };
    let stream = decompressed(Box::new(open_named(file).map_err(open)?)).map_err(broken)?;
    let mut text = Vec::new();
    stream.take(MAX_STATE_BYTES + 1).read_to_end(&mut text).map_err(broken)?;
    if text.len() as u64 > MAX_STATE_BYTES || json::measure(&text).1 > json::MAX_FILE_VALUES {
        return Err(open(FileError::TooLarge(MAX_STATE_BYTES)));
    }
    let values = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
    let mut records = Vec::new();
    for value in values {
        match value.map_err(|error| broken(error.into()))? {
            Value::Array(all) => records.extend(all),
            Value::Object(mut object) => match object.remove("events") {
                Some(Value::Array(events)) => records.extend(events),
                Some(_) | None => records.push(Value::Object(object)),
            },
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                records.push(other)
            }
        }
    }
    Ok(records)
}
