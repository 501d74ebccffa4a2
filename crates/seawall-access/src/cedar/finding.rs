//! The faults in a Cedar text, beyond its syntax.

/// A finding about a Cedar text. The code determines its severity and its documentation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The start of the place, in bytes of the text.
    pub start: usize,
    /// The end of the place, exclusive.
    pub end: usize,
    /// One of [`super::code`].
    pub code: &'static str,
    /// A lower-case phrase with text of users in backticks.
    pub message: String,
    /// The advice, in the imperative.
    pub help: String,
}

/// The codes of findings about Cedar.
pub mod code {
    /// Cedar's parser rejects the text.
    pub const SYNTAX: &str = "cedar-syntax";
    /// A text without any statement.
    pub const EMPTY: &str = "cedar-empty";
    /// A statement has an `@id`.
    pub const ID: &str = "cedar-id";
    /// A statement has a slot.
    pub const TEMPLATE: &str = "cedar-template";
    /// `@requireApproval` on a `forbid`.
    pub const APPROVAL_ON_FORBID: &str = "mcp-approval-on-forbid";
    /// `@requireApproval` without a reason.
    pub const APPROVAL_REASON: &str = "mcp-approval-reason";
    /// An annotation that resembles `@requireApproval`.
    pub const APPROVAL_NAME: &str = "mcp-approval-name";
    /// The action does not exist.
    pub const UNKNOWN_ACTION: &str = "mcp-unknown-action";
    /// The entity type does not exist.
    pub const UNKNOWN_TYPE: &str = "mcp-unknown-type";
    /// The attribute does not exist.
    pub const UNKNOWN_ATTRIBUTE: &str = "mcp-unknown-attribute";
    /// A value has the wrong type.
    pub const TYPE_MISMATCH: &str = "mcp-type-mismatch";
    /// `.contains()` on a string.
    pub const CONTAINS_ON_STRING: &str = "mcp-contains-on-string";
    /// An attribute that only some of the actions' resources have.
    pub const ATTRIBUTE_OF_OTHERS: &str = "mcp-attribute-of-others";
    /// A clause on the principal.
    pub const PRINCIPAL: &str = "mcp-principal";
    /// An action that the gateway does not ask about.
    pub const UNGATED_ACTION: &str = "mcp-ungated-action";
    /// `context.request_time` for the registration of a server.
    pub const REGISTER_TIME: &str = "mcp-register-time";
    /// An argument read without `has`.
    pub const UNGUARDED_ARGUMENT: &str = "mcp-unguarded-argument";
    /// A `?` in a pattern of `like`.
    pub const LIKE_QUESTION_MARK: &str = "mcp-like-question-mark";
    /// An unknown type of server.
    pub const SERVER_TYPE: &str = "mcp-server-type";
    /// `@requireApproval` on a registration.
    pub const APPROVAL_ON_REGISTER: &str = "mcp-approval-on-register";
    /// A permit that a forbid covers.
    pub const COVERED_PERMIT: &str = "mcp-shadowed-permit";
    /// A permit without an action.
    pub const EVERY_ACTION: &str = "mcp-every-action";
    /// A statement that matches no request.
    pub const NEVER_MATCHES: &str = "mcp-never-matches";
}
