//! The accounts, and the behaviour of the service where the documentation leaves it open.

/// The settings that do not change between calls.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The accounts that may log in.
    pub accounts: Vec<Account>,
    /// True if the organization has the subscription; without it, every governance call is
    /// `permission_denied`.
    pub entitled: bool,
    /// Limits.
    pub limits: Limits,
    /// Choices where the documentation says nothing.
    pub behaviour: Behaviour,
    /// A raw access token of the organization that may read its audit log.
    pub audit_token: Option<String>,
    /// The lifetime of a token, in seconds; the service documents about ten minutes.
    pub token_seconds: i64,
}

/// Credentials with a role.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// A Docker ID, or the organization's name for an access token of the organization.
    pub identifier: String,
    /// A password or an access token.
    pub secret: String,
    /// The role of the account.
    pub role: Role,
}

/// The role of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May do everything.
    Owner,
    /// May see groups; governance is `permission_denied`.
    Member,
    /// May log in; the organization is hidden.
    Outsider,
}

/// Limits of the service. Tests lower them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Policies of an organization, of all types.
    pub policies: usize,
    /// Rules of one allowlist policy.
    pub rules: usize,
    /// Bytes of a policy as compact JSON.
    pub policy_bytes: usize,
}

/// Choices where the documentation permits several behaviours; the defaults are the first variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Two rules with the same name in a policy.
    pub duplicate_rule_names: DuplicateRuleNames,
    /// A policy whose last rule was deleted.
    pub empty_allowlist: EmptyAllowlist,
    /// The scope of a policy for the whole organization.
    pub empty_scope: EmptyScope,
    /// The order of policies and of rules.
    pub order: ListOrder,
    /// The comparison of policy names.
    pub names: NameMatching,
    /// Unknown members of a body.
    pub unknown_fields: UnknownFields,
    /// The refusal of a policy over the size limit.
    pub too_large: TooLarge,
    /// True if an edit of a rule leaves the `updated_at` of its policy alone.
    pub rule_edits_keep_time: bool,
}

/// The behaviour when a rule gets a name that another rule of the policy has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicateRuleNames {
    /// `409 conflict`.
    #[default]
    Conflict,
    /// Accepted.
    Accept,
}

/// The answer for a policy after its last rule is deleted. A policy that never had a rule shows no
/// `allowlist_v0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyAllowlist {
    /// No `allowlist_v0`.
    #[default]
    Absent,
    /// `{"rules": []}`.
    NoRules,
}

/// The scope of a policy for the whole organization in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyScope {
    /// `{}`.
    #[default]
    Absent,
    /// `{"teams": []}`.
    NoTeams,
}

/// The order of policies and rules in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// By id, which is independent of the order of creation.
    #[default]
    ById,
    /// By id, in reverse.
    ByIdBackwards,
}

/// The comparison of policy names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameMatching {
    /// By exact text.
    #[default]
    Exact,
    /// Ignoring letter case.
    IgnoringCase,
}

/// The treatment of unknown members of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// `400 invalid_argument`.
    #[default]
    Refuse,
    /// Ignored.
    Ignore,
}

/// The refusal of a policy over the size limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TooLarge {
    /// `400 invalid_argument`.
    #[default]
    InvalidArgument,
    /// `403 limit_exceeded`.
    LimitExceeded,
}

impl Default for Limits {
    fn default() -> Self {
        Self { policies: 100, rules: 250, policy_bytes: 400 * 1024 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            entitled: true,
            limits: Limits::default(),
            behaviour: Behaviour::default(),
            audit_token: None,
            token_seconds: 600,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { accounts, entitled, limits, behaviour, token_seconds, audit_token: _ } = self;
        let mut shown = f.debug_struct("Settings");
        shown.field("accounts", accounts).field("entitled", entitled).field("limits", limits);
        shown
            .field("behaviour", behaviour)
            .field("token_seconds", token_seconds)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { identifier, secret: _, role } = self;
        f.debug_struct("Account")
            .field("identifier", identifier)
            .field("role", role)
            .finish_non_exhaustive()
    }
}
