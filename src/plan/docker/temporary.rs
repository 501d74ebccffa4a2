//! Names of objects that exist only during an apply.

use crate::model::{Decision, Rule};

/// The name of a policy while its future name is still taken. The declared policy of that name
/// matches it, so that the next apply finishes one that stopped in between.
pub(crate) fn temporary_name(name: &str) -> String {
    format!("{name} (seawall is renaming this)")
}

/// The name of a policy that only denies while other calls are carried out, and of a rule if there
/// is no room for a policy. A plan that finds one live deletes it, since an apply stopped before it
/// did.
pub(crate) fn temporary_deny(number: usize) -> String {
    format!("{TEMPORARY_DENY} {number}")
}

/// Returns `true` if a live policy or rule of this name is a temporary deny that an apply left
/// behind.
pub(crate) fn is_temporary_deny(name: &str) -> bool {
    name.strip_prefix(TEMPORARY_DENY).and_then(|rest| rest.strip_prefix(' ')).is_some_and(
        |number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
    )
}

const TEMPORARY_DENY: &str = "seawall: temporary deny";

/// The suffix of a deny that replaces another one while that one changes its layer.
pub(crate) const STANDS_IN: &str = " (seawall: stands in)";

/// Returns `true` if a rule is such a replacement.
pub(crate) fn is_stand_in(rule: &Rule) -> bool {
    rule.decision == Decision::Deny && rule.name.ends_with(STANDS_IN)
}
