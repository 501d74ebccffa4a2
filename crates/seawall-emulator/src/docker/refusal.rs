//! The refusals of the service.

use serde_json::json;

use super::DockerOperation;
use crate::exchange::Response;

/// The error codes of the governance API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 400: malformed or invalid.
    InvalidArgument,
    /// 401: missing or wrong credentials.
    Unauthenticated,
    /// 403: the caller lacks the permission, or the organization the subscription.
    PermissionDenied,
    /// 403: a limit is reached.
    LimitExceeded,
    /// 404: no such object, or one that is hidden from the caller.
    NotFound,
    /// 409: the name is in use.
    Conflict,
    /// 500: unexpected.
    Internal,
}

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: Code,
    message: String,
}

impl Code {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidArgument => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied | Self::LimitExceeded => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Internal => 500,
        }
    }

    /// The code on the wire.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::LimitExceeded => "limit_exceeded",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Internal => "internal",
        }
    }
}

impl Refusal {
    /// A refusal with this code.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// The answer, in the envelope of the API that the operation belongs to.
    #[must_use]
    pub fn response(&self, operation: DockerOperation) -> Response {
        let body = if operation.is_governance() {
            json!({"error": {"code": self.code.text(), "message": self.message}})
        } else {
            json!({"message": self.message, "errinfo": null})
        };
        Response::json(self.code.status(), &body)
    }
}
