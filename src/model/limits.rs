//! The limits of the service.

/// The largest number of policies of all types in an organization. Source: the concepts manual.
pub const MAX_POLICIES: usize = 100;

/// The largest number of rules in a policy. Source: the concepts manual.
pub const MAX_RULES: usize = 250;
