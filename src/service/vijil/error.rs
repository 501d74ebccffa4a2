//! Errors of reading the Vijil side.

use crate::exit::{Exit, Explain};
use crate::service::http;

/// A failure to read from Vijil.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The transport failed, or the service refused.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// A list that changed each time its pages were read.
    #[error("{host} shows {shown} of {total} {what}, however often they are listed")]
    Unstable {
        /// The service's host.
        host: String,
        /// `policies` or `rules`.
        what: &'static str,
        /// The number of objects that the service states.
        total: usize,
        /// The number of objects that it showed.
        shown: usize,
    },
}

impl Explain for Error {
    fn hint(&self) -> String {
        match self {
            Self::Http(http::Error::Login { .. }) => {
                "check `VIJIL_CLIENT_ID` and `VIJIL_CLIENT_SECRET`, or log in with Vijil's own tool again".to_owned()
            }
            Self::Http(error) if error.refusal().is_some_and(|refusal| refusal.status == 401) => {
                "check `VIJIL_API_KEY`, or log in with Vijil's own tool again".to_owned()
            }
            Self::Http(error) => error.hint(),
            Self::Unstable { .. } => "somebody may be changing it: run again".to_owned(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Http(error) => error.exit(),
            Self::Unstable { .. } => Exit::Failed,
        }
    }
}
