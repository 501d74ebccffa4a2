//! The limits of the service.

/// The most policies of all types that the service takes in an organization. Source: the concepts manual.
pub const MAX_POLICIES: usize = 100;

/// The most rules that the service takes in a policy. Source: the concepts manual.
pub const MAX_RULES: usize = 250;
