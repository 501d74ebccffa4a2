//! The client of GitHub's REST API: the part for a plan in a pull request.
//!
//! Invariants: it can write only comments in conversations of one repository, on its own
//! connection, so that it cannot reach a service whose policies a plan changes. A comment is edited
//! only if the token's owner wrote it, whatever markers others copy into theirs. No link of an
//! answer leads to another host.

mod comment;
mod error;
mod pull;
mod repository;

pub use comment::{Comment, Marker, Placed};
pub use error::Error;
pub use pull::Head;
pub use repository::Repository;

use secrecy::SecretString;

use super::http::{
    Authorization, BaseUrl, Clock, CommentWriter, Connection, Limits, Observer, Reader,
};

/// The default address of the service.
pub const ENDPOINT: &str = "https://api.github.com";
/// The largest page size that the service accepts.
const PAGE_SIZE: &str = "100";

/// The conversations of one repository.
#[derive(Clone, Debug)]
pub struct GitHub {
    reader: Reader,
    writer: CommentWriter,
    repository: Repository,
}

impl GitHub {
    /// Connects with this token. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the system's certificates cannot be read.
    pub fn connect(
        base: BaseUrl,
        token: SecretString,
        repository: Repository,
        clock: Clock,
        observer: Option<Observer>,
    ) -> Result<Self, Error> {
        let connection = Connection::with(
            base,
            Authorization::Bearer(token),
            Limits::default(),
            clock,
            observer,
        )?;
        let (reader, writer) = (Reader::new(connection.clone()), CommentWriter::new(connection));
        Ok(Self { reader, writer, repository })
    }

    /// The path of the repository with what follows.
    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        let Repository { owner, name } = &self.repository;
        ["repos", owner, name].into_iter().chain(rest.iter().copied()).collect()
    }
}
