//! Ids in the form of the services', derived only from what they name, so that runs are
//! reproducible.

use sha2::{Digest, Sha256};

/// 28 lower-case letters and digits for a number, different for each salt. The order of the texts
/// differs from that of the numbers, since nothing may depend on ids being in the order of
/// creation.
pub(super) fn alphanumeric(salt: &str, number: u64) -> String {
    let digest = Sha256::digest(format!("object/{salt}/{number}"));
    let digit =
        |byte: &u8| char::from_digit(u32::from(*byte) % 36, 36).expect("less than the radix");
    digest.iter().take(28).map(digit).collect()
}

/// A salt derived from these ids.
pub(super) fn salt<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let digest = ids.fold(Sha256::new(), |digest, id| digest.chain_update(id).chain_update("/"));
    hex(&digest.finalize())
}

/// A UUID for a team, the same for the same names (a custom, "version 8" UUID of RFC 9562).
pub(super) fn team_id(org: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("team/{org}/{name}"));
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(digest.get(..16).expect("a digest has 32 bytes"));
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default()).join("-")
}

/// A UUID for a number, different for each salt, and likewise unordered.
pub(super) fn uuid(salt: &str, number: u64) -> String {
    team_id(salt, &format!("object/{number}"))
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 random bytes as hexadecimal digits.
///
/// # Panics
/// Panics if the operating system provides no random bytes.
#[must_use]
pub fn unguessable() -> String {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    hex(&bytes)
}

/// Returns `true` if a text has the form of a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_shape_of_the_service_and_are_stable() {
        assert_eq!(alphanumeric("", 1).len(), 28);
        assert!(
            alphanumeric("", 1)
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
        );
        assert_ne!(alphanumeric("", 1), alphanumeric("", 2));
        assert_ne!(alphanumeric("", 1), alphanumeric("a", 1));
        assert!(is_uuid(&team_id("my-org", "research")));
        assert_eq!(team_id("my-org", "research"), team_id("my-org", "research"));
        assert_ne!(team_id("my-org", "research"), team_id("other", "research"));
        assert!(!is_uuid("research"));
    }
}
