//! Names of what is there only while a plan is carried out.

use crate::model::{Decision, Rule};

/// The name of a policy while the name that it will have is still taken. The declared policy of that name recognizes
/// it, so that an apply that stopped in between is finished by the next one.
pub(crate) fn temporary_name(name: &str) -> String {
    format!("{name} (seawall is renaming this)")
}

/// The name of a policy that only denies while other calls are made, and of a rule where there is no room for a policy.
/// A plan that finds one live deletes it: an apply stopped before it did.
pub(crate) fn temporary_deny(number: usize) -> String {
    format!("{TEMPORARY_DENY} {number}")
}

/// Returns `true` if a live policy or rule of this name is a temporary deny that an apply left behind.
pub(crate) fn is_temporary_deny(name: &str) -> bool {
    name.strip_prefix(TEMPORARY_DENY)
        .and_then(|rest| rest.strip_prefix(' '))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

const TEMPORARY_DENY: &str = "seawall: temporary deny";

/// The end of the name of a deny that stands in for another while that one changes its layer.
pub(crate) const STANDS_IN: &str = " (seawall: stands in)";

/// Returns `true` if a rule is a deny that stands in for another.
pub(crate) fn is_stand_in(rule: &Rule) -> bool {
    rule.decision == Decision::Deny && rule.name.ends_with(STANDS_IN)
}
