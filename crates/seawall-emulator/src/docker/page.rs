//! Pages of policies.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Refusal;
use crate::exchange::{Request, whole_number};

/// The largest page size, which is also the default.
const PAGE: usize = 100;

/// Parses `page_size`: absent or 0 means 100, more than 100 means 100, anything but a whole number
/// from 0 is refused.
pub(super) fn size(request: &Request) -> Result<usize, Refusal> {
    let Some(text) = request.parameter("page_size") else { return Ok(PAGE) };
    match whole_number(text) {
        Some(0) => Ok(PAGE),
        Some(size) => Ok(size.min(PAGE)),
        None => Err(Refusal::invalid("page_size must be a whole number from 0")),
    }
}

/// The id that the page follows. A token holds it and the organization, and stays valid after the
/// policy is deleted.
pub(super) fn after(request: &Request, org: &str) -> Result<Option<String>, Refusal> {
    let Some(token) = request.parameter("page_token").filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().and_then(|text| text.split_once('\n')) {
        Some((of, id)) if of == org => Ok(Some(id.to_owned())),
        _ => Err(Refusal::invalid("page_token is not valid")),
    }
}

/// The token of the page after this id.
pub(super) fn token(org: &str, id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{org}\n{id}"))
}
