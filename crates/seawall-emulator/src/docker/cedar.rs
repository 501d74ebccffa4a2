//! The checks of the service for Cedar text.

use serde_json::Value;

use super::fields::Fields;
use super::{Cedar, Refusal, UnknownFields};
use seawall_access::cedar;

/// Parses `cedar_v1`: valid Cedar with at least one `permit` or `forbid`, and without `@id`, which
/// the service assigns. Templates are refused, since nothing could link them.
pub(super) fn parse(value: Value, unknown: UnknownFields) -> Result<Cedar, Refusal> {
    let mut fields = Fields::from_object(value, "cedar_v1")?;
    let text = fields.required_text("text")?;
    let schema_url = fields.required_text("schema_url")?;
    fields.end(unknown)?;
    match cedar::examine_syntax(&text).first() {
        Some(finding) => Err(Refusal::invalid(format!("cedar_v1.text: {}", finding.message))),
        None => Ok(Cedar { text, schema_url }),
    }
}
