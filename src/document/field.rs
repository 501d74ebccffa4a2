//! The parts that kinds of documents share: field types, and decoders for conditions that a type
//! does not express.
//!
//! Invariant: `null` is never accepted in place of a value. An empty `scope:` must not silently
//! mean the whole organization.

use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer, Error};

pub(super) use crate::model::present;

/// The version of the document format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum ApiVersion {
    #[serde(rename = "seawall/v1")]
    V1,
}

/// Text with at least one character.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer)
        .and_then(|text| if text.is_empty() { Err(D::Error::custom("is empty")) } else { Ok(text) })
}

/// The address of a service: a URL, or `embedded`.
pub(super) const ENDPOINT: &str = "^(embedded$|[Hh][Tt][Tt][Pp][Ss]?://)";

/// Decodes the address of a service, in the form of [`ENDPOINT`].
pub(super) fn endpoint<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = text(deserializer)?;
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if text == "embedded" || matches!(scheme.as_deref(), Some("http" | "https")) {
        return Ok(Some(text));
    }
    Err(D::Error::custom("is neither a URL nor `embedded`"))
}

/// An optional [`text`].
pub(super) fn optional_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    text(deserializer).map(Some)
}

/// A list with at least one item.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Vec::deserialize(deserializer)
        .and_then(|list| if list.is_empty() { Err(D::Error::custom("is empty")) } else { Ok(list) })
}

/// An optional [`list`].
pub(super) fn optional_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    list(deserializer).map(Some)
}

/// A list of texts, none of them empty.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Vec::<String>::deserialize(deserializer).and_then(|list| {
        if list.iter().any(String::is_empty) {
            Err(D::Error::custom("holds an empty text"))
        } else {
            Ok(list)
        }
    })
}

/// Optional [`texts`].
pub(super) fn present_texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    texts(deserializer).map(Some)
}

/// Optional [`texts`] with at least one item.
pub(super) fn optional_texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    let list = texts(deserializer)?;
    if list.is_empty() { Err(D::Error::custom("is empty")) } else { Ok(Some(list)) }
}
