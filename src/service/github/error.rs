//! Errors of placing a comment.

use crate::exit::{Exit, Explain};
use crate::service::http::{self, Refusal};

/// A failure of the conversation with GitHub.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The service gave no usable answer.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// It refused a comment.
    #[error("{host} does not take the comment: {refusal}")]
    Refused {
        /// The service's host.
        host: String,
        /// The refusal of the service.
        refusal: Refusal,
    },
    /// The comment was sent, but cannot be found afterwards.
    #[error("it is unknown whether the comment was posted: {cause}")]
    Unknown {
        /// The failure of the request.
        cause: http::Error,
    },
    /// Pages that link to each other in a loop.
    #[error("the pages of {what} of {host} have no end")]
    EndlessPages {
        /// The service's host.
        host: String,
        /// The objects that were listed.
        what: &'static str,
    },
}

impl Explain for Error {
    fn hint(&self) -> String {
        let refusal = match self {
            Self::Http(error) => error.refusal(),
            Self::Refused { refusal, .. } => Some(refusal),
            Self::Unknown { .. } => {
                return "run again: a comment that is there is edited".to_owned();
            }
            Self::EndlessPages { .. } => {
                return "check that `GITHUB_API_URL` is GitHub's own API".to_owned();
            }
        };
        let says = |word: &str| {
            refusal.is_some_and(|refusal| refusal.message.to_ascii_lowercase().contains(word))
        };
        let hint = match (refusal.map(|refusal| refusal.status), self) {
            (Some(401), _) => "the token is not valid, or has expired",
            (Some(403), _) if says("locked") => {
                "unlock the conversation of the pull request, or show the plan in the job's summary with `--print`"
            }
            (Some(403), _) if says("saml") => {
                "authorize the token for the organization's single sign-on"
            }
            (Some(403), _) => {
                "the token may not do this: a job needs `permissions: pull-requests: write`"
            }
            (Some(404), _) => {
                "check the repository and the pull request, and that the token may see them"
            }
            (Some(422), _) => {
                "show the plan in the job's summary instead: `seawall comment --print` writes the comment"
            }
            (_, Self::Http(error)) => return error.hint(),
            (
                Some(_) | None,
                Self::Refused { .. } | Self::Unknown { .. } | Self::EndlessPages { .. },
            ) => "correct what GitHub names, or write the comment with `seawall comment --print`",
        };
        hint.to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Http(error) => error.exit(),
            Self::Refused { .. } | Self::Unknown { .. } | Self::EndlessPages { .. } => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Explain as _, Refusal};

    #[test]
    fn what_github_said_is_told_with_what_to_do() {
        let table = [
            (403, "Unable to create comment because issue is locked.", "unlock the conversation"),
            (403, "Resource not accessible by integration", "pull-requests: write"),
            (401, "Bad credentials", "has expired"),
            (403, "Resource protected by organization SAML enforcement.", "single sign-on"),
            (422, "Validation Failed: Body is too long", "--print"),
            (410, "Issues are disabled for this repo", "what GitHub names"),
        ];
        for (status, message, hint) in table {
            let refusal = Refusal { status, code: None, message: message.to_owned() };
            let error = Error::Refused { host: "api.github.com".to_owned(), refusal };
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint().contains(hint), "{error}");
        }
    }
}
