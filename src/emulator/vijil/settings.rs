//! The accounts, and the behaviour of the service where the facts are silent.

/// Credentials that are taken, each for the same user and team.
#[derive(Clone, PartialEq, Eq)]
pub struct VijilAccount {
    /// The identifier of a key pair; the service's start with `vk_`.
    pub client_id: String,
    /// The secret of the key pair, which is the password of the login too.
    pub client_secret: String,
    /// A key that is sent as it is, where there is one.
    pub api_key: Option<String>,
    /// The login with a password, where there is one.
    pub email: Option<String>,
}

/// The settings that do not change between calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The accounts that may log in.
    pub accounts: Vec<VijilAccount>,
    /// Choices where the facts are silent.
    pub behaviour: VijilBehaviour,
    /// The lifetime of a token, in seconds; the manual says a day.
    pub token_seconds: i64,
}

/// Choices where the service may behave either way; the defaults are the first variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VijilBehaviour {
    /// The status of a rule whose content was edited.
    pub after_edit: AfterEdit,
    /// A review of a rule that was reviewed before.
    pub second_review: SecondReview,
    /// The answer to a refused activation.
    pub refused_activation: RefusedActivation,
    /// True if rejected rules do not stand against an activation.
    pub rejected_rules_pass: bool,
    /// The status of an active policy after a rule of it is added or edited.
    pub active_edit: ActiveEdit,
    /// `status: active` in an update of a policy.
    pub patched_active: PatchedActive,
    /// True if only a draft policy can be activated, and not an archived one.
    pub only_drafts_activate: bool,
    /// The status that a new rule asks for.
    pub created_status: CreatedStatus,
    /// Two rules of one `rule_id` in a policy, and two policies of one name.
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
    /// A policy that still has rules is deleted.
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
        /// It stays what it was, `approved` too.
        Unchanged,
    }
}

choice! {
    /// A review of a rule that was reviewed before.
    SecondReview {
        /// It replaces the earlier one.
        Accept,
        /// 409 where it says the same.
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
    /// The status of an active policy after a rule of it is added or edited.
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
        /// Asks for approved rules as an activation does.
        Gated,
        /// Is taken whatever the rules are.
        Taken,
        /// Is refused with 400.
        Refused,
    }
}

choice! {
    /// The status that a new rule asks for.
    CreatedStatus {
        /// A new rule is a draft.
        Ignored,
        /// It is taken.
        Taken,
    }
}

choice! {
    /// Two rules of one `rule_id` in a policy, and two policies of one name.
    Duplicates {
        /// They stand side by side.
        Accept,
        /// 409.
        Conflict,
    }
}

choice! {
    /// An `id` that the client chose.
    ClientIds {
        /// It is taken; one that is in use is refused with 409.
        Taken,
        /// It is ignored.
        Ignored,
    }
}

choice! {
    /// An explicit `null` in an update.
    NullUpdate {
        /// It clears a field that may be null, and is skipped for another.
        Clears,
        /// It is skipped.
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
    /// A policy that still has rules is deleted.
    DeleteWithRules {
        /// The rules go with it.
        Cascades,
        /// 409.
        Refused,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { accounts: Vec::new(), behaviour: VijilBehaviour::default(), token_seconds: 24 * 60 * 60 }
    }
}

impl std::fmt::Debug for VijilAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { client_id, client_secret: _, api_key: _, email } = self;
        f.debug_struct("VijilAccount").field("client_id", client_id).field("email", email).finish_non_exhaustive()
    }
}
