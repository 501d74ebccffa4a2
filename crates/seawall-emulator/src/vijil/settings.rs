//! The accounts, and the behaviour of the service where the documentation leaves it open.

/// Accepted credentials, each for the same user and team.
#[derive(Clone, PartialEq, Eq)]
pub struct VijilAccount {
    /// The identifier of a key pair; the service's start with `vk_`.
    pub client_id: String,
    /// The secret of the key pair, which is also the password of the login.
    pub client_secret: String,
    /// A key that is sent unchanged, if there is one.
    pub api_key: Option<String>,
    /// The login with a password, if there is one.
    pub email: Option<String>,
}

/// The settings that do not change between calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The accounts that may log in.
    pub accounts: Vec<VijilAccount>,
    /// Choices where the documentation says nothing.
    pub behaviour: VijilBehaviour,
    /// The lifetime of a token, in seconds; the manual says a day.
    pub token_seconds: i64,
}

/// Choices where the documentation permits several behaviours; the defaults are the first variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VijilBehaviour {
    /// The status of a rule whose content was edited.
    pub after_edit: AfterEdit,
    /// A further review of a reviewed rule.
    pub second_review: SecondReview,
    /// The answer to a refused activation.
    pub refused_activation: RefusedActivation,
    /// True if rejected rules do not prevent an activation.
    pub rejected_rules_pass: bool,
    /// The status of an active policy after one of its rules is added or edited.
    pub active_edit: ActiveEdit,
    /// `status: active` in an update of a policy.
    pub patched_active: PatchedActive,
    /// True if only a draft policy can be activated, and not an archived one.
    pub only_drafts_activate: bool,
    /// The status in the creation of a rule.
    pub created_status: CreatedStatus,
    /// Two rules with the same `rule_id` in a policy, and two policies with the same name.
    pub duplicates: Duplicates,
    /// An `id` that the client chose.
    pub client_ids: ClientIds,
    /// An explicit `null` in an update.
    pub null_update: NullUpdate,
    /// A consequence without some of the documented members.
    pub consequences: Consequences,
    /// The meaning of `count` in the list of all rules.
    pub count: Count,
    /// The order of lists.
    pub order: VijilOrder,
    /// The deletion of a policy that still has rules.
    pub delete_with_rules: DeleteWithRules,
    /// True if a copy of a preset has no rules.
    pub copies_without_rules: bool,
    /// True if answers lack the fields that only newer versions of the service show.
    pub older_fields: bool,
}

macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $(#[$first_meta:meta])* $first:ident, $($(#[$variant_meta:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name { $(#[$first_meta])* #[default] $first, $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every choice.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$variant),+];
        }
    };
}

choice! {
    /// The status of a rule whose content was edited.
    AfterEdit {
        /// A reviewed rule becomes `modified`, its review is cleared.
        Modified,
        /// Every rule becomes `draft`, its review is cleared.
        Draft,
        /// The rule keeps its status, even `approved`.
        Unchanged,
    }
}

choice! {
    /// A further review of a reviewed rule.
    SecondReview {
        /// It replaces the earlier review.
        Accept,
        /// 409 if both reviews are equal.
        ConflictWhenSame,
    }
}

choice! {
    /// The answer to a refused activation.
    RefusedActivation {
        /// 400.
        BadRequest,
        /// 409.
        Conflict,
        /// 422 with a text.
        Unprocessable,
    }
}

choice! {
    /// The status of an active policy after one of its rules is added or edited.
    ActiveEdit {
        /// It stays active.
        Stays,
        /// It becomes a draft.
        BecomesDraft,
        /// The call is refused with 409.
        Refused,
    }
}

choice! {
    /// `status: active` in an update of a policy.
    PatchedActive {
        /// It requires approved rules, as an activation does.
        Gated,
        /// It is accepted whatever the rules are.
        Taken,
        /// It is refused with 400.
        Refused,
    }
}

choice! {
    /// The status in the creation of a rule.
    CreatedStatus {
        /// A new rule is always a draft.
        Ignored,
        /// It is accepted.
        Taken,
    }
}

choice! {
    /// Two rules with the same `rule_id` in a policy, and two policies with the same name.
    Duplicates {
        /// Both exist.
        Accept,
        /// 409.
        Conflict,
    }
}

choice! {
    /// An `id` that the client chose.
    ClientIds {
        /// It is accepted; an id that is in use is refused with 409.
        Taken,
        /// It is ignored.
        Ignored,
    }
}

choice! {
    /// An explicit `null` in an update.
    NullUpdate {
        /// It clears a field that may be null, and is ignored for others.
        Clears,
        /// It is ignored.
        Skipped,
    }
}

choice! {
    /// A consequence without some of the documented members.
    Consequences {
        /// It is kept as it was sent.
        AsSent,
        /// `action`, `severity` and `message` are filled in.
        Filled,
    }
}

choice! {
    /// The meaning of `count` in the list of all rules.
    Count {
        /// All results.
        Total,
        /// The results of the page.
        Page,
    }
}

choice! {
    /// The order of lists.
    VijilOrder {
        /// The latest first.
        LatestFirst,
        /// The earliest first.
        EarliestFirst,
    }
}

choice! {
    /// The deletion of a policy that still has rules.
    DeleteWithRules {
        /// The rules are deleted too.
        Cascades,
        /// 409.
        Refused,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            behaviour: VijilBehaviour::default(),
            token_seconds: 24 * 60 * 60,
        }
    }
}

impl std::fmt::Debug for VijilAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { client_id, client_secret: _, api_key: _, email } = self;
        f.debug_struct("VijilAccount")
            .field("client_id", client_id)
            .field("email", email)
            .finish_non_exhaustive()
    }
}
