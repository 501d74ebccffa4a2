//! What the service demands of Cedar text.

use std::str::FromStr as _;

use cedar_policy::PolicySet;
use serde_json::Value;

use super::fields::Fields;
use super::{Cedar, Refusal, UnknownFields};

/// Reads `cedar_v1`: valid Cedar with at least one `permit` or `forbid`, none with an `@id`, which the service assigns.
/// Templates are refused, since nothing could link them.
pub(super) fn parse(value: Value, unknown: UnknownFields) -> Result<Cedar, Refusal> {
    let mut fields = Fields::of(value, "cedar_v1")?;
    let text = fields.required_text("text")?;
    let schema_url = fields.required_text("schema_url")?;
    fields.end(unknown)?;
    let policies = PolicySet::from_str(&text)
        .map_err(|error| Refusal::invalid(format!("cedar_v1.text is not valid Cedar: {error}")))?;
    if policies.templates().next().is_some() {
        return Err(Refusal::invalid("cedar_v1.text must not hold templates"));
    }
    if policies.policies().next().is_none() {
        return Err(Refusal::invalid("cedar_v1.text must hold at least one permit or forbid"));
    }
    if policies.policies().any(|policy| policy.annotation("id").is_some()) {
        return Err(Refusal::invalid("cedar_v1.text must not hold @id annotations"));
    }
    Ok(Cedar { text, schema_url })
}
