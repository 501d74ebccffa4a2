//! Names of what is there only while a plan is carried out.

/// The name of a policy while the name that it will have is still taken. The declared policy of that name recognizes
/// it, so that an apply that stopped in between is finished by the next one.
pub(super) fn temporary_name(name: &str) -> String {
    format!("{name} (seawall is renaming this)")
}

/// The name of a policy that only denies while other calls are made, and of a rule where there is no room for a policy.
/// A plan that finds one live deletes it: an apply stopped before it did.
pub(super) fn temporary_deny(number: usize) -> String {
    format!("{TEMPORARY_DENY} {number}")
}

/// Returns `true` if a live policy or rule of this name is a temporary deny that an apply left behind.
pub(super) fn is_temporary_deny(name: &str) -> bool {
    name.strip_prefix(TEMPORARY_DENY)
        .and_then(|rest| rest.strip_prefix(' '))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

const TEMPORARY_DENY: &str = "seawall: temporary deny";
