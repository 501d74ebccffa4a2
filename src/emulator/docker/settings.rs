//! The accounts, and the behaviour of the service where the documentation leaves it open.

/// The settings that do not change between calls.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The accounts that may log in.
    pub accounts: Vec<Account>,
    /// True if the organization has the subscription; without it every governance call is `permission_denied`.
    pub entitled: bool,
    /// Maxima.
    pub limits: Limits,
    /// Choices where the facts are silent.
    pub behaviour: Behaviour,
    /// A raw access token of the organization that may read its audit log.
    pub audit_token: Option<String>,
    /// The lifetime of a token, in seconds; the service says about ten minutes.
    pub token_seconds: i64,
}

/// Credentials, and what they open.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// A Docker ID, or the organization's name for an access token of the organization.
    pub identifier: String,
    /// A password or an access token.
    pub secret: String,
    /// The role of the account.
    pub role: Role,
}

/// The rights of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Owner,
    /// See groups; governance is `permission_denied`.
    Member,
    /// Log in; the organization is hidden.
    Outsider,
}

/// Maxima of the service. Tests make them smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Policies of an organization, all types together.
    pub policies: usize,
    /// Rules of one allowlist policy.
    pub rules: usize,
    /// Bytes of one policy as compact JSON.
    pub policy_bytes: usize,
}

/// Choices where the service may behave either way; the defaults are the first variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Two rules of one name in a policy.
    pub duplicate_rule_names: DuplicateRuleNames,
    /// A policy whose last rule was deleted.
    pub empty_allowlist: EmptyAllowlist,
    /// The scope of a policy for everybody.
    pub empty_scope: EmptyScope,
    /// The order of policies and of rules.
    pub order: ListOrder,
    /// The comparison of policy names.
    pub names: NameMatching,
    /// Members of a body that the API does not know.
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
    /// Nothing.
    Accept,
}

/// The answer for a policy after its last rule is deleted. A policy that never had a rule shows no `allowlist_v0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyAllowlist {
    /// No `allowlist_v0`.
    #[default]
    Absent,
    /// `{"rules": []}`.
    NoRules,
}

/// The scope in the answer for a policy for everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyScope {
    /// `{}`.
    #[default]
    Absent,
    /// `{"teams": []}`.
    NoTeams,
}

/// The order in which policies and rules are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// By id, which has nothing to do with the order of creation.
    #[default]
    ById,
    /// By id, backwards.
    ByIdBackwards,
}

/// The comparison of policy names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameMatching {
    /// Equal ones.
    #[default]
    Exact,
    /// Those that differ in the case of letters only.
    IgnoringCase,
}

/// The treatment of members of a body that the API does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// `400 invalid_argument`.
    #[default]
    Refuse,
    /// Nothing.
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
        shown.field("behaviour", behaviour).field("token_seconds", token_seconds).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { identifier, secret: _, role } = self;
        f.debug_struct("Account").field("identifier", identifier).field("role", role).finish_non_exhaustive()
    }
}
