//! The services as a state machine behind a socket on the loopback interface: durable, and with
//! injected faults.
//!
//! ```text
//!  TCP ── connection ── server ──▶ docker::Service::handle(State, Request) → Response     no I/O, no clock
//!                         │     └─▶ vijil::Service::handle, for paths that start with `/v1`
//!                         │ fault: what happens to this call
//!                         └ store: what the call changed, in one durable transaction, before the answer
//! ```
//!
//! It shares the model of policies and Cedar with the client, and neither its wire types nor its
//! transport, so that a mistake in one is not hidden by the same mistake in the other. It opens no
//! path: a state file is handed over open.
//!
//! Invariant: the emulator refuses what the service is documented to refuse. Where the
//! documentation says nothing, it takes one choice, listed here, with a switch in [`Behaviour`] if
//! a client must handle several:
//!
//! | question | answer | switch |
//! |---|---|---|
//! | order of policies and rules | by id, which is not the order of creation | `order` |
//! | two rules of one name in a policy | 409 | `duplicate_rule_names` |
//! | a policy whose last rule was deleted | shows no `allowlist_v0` | `empty_allowlist` |
//! | a scope of everybody | shows `{}` | `empty_scope` |
//! | policy names that differ in case | are two names | `names` |
//! | unknown members of a body, `null` where a value is meant | 400 | `unknown_fields` (not for `null`) |
//! | a policy over 400 KB (409,600 bytes of compact JSON) | 400 | `too_large` |
//! | an edit of a rule | bumps the policy's `updated_at` | `rule_edits_keep_time` |
//! | rule calls on a Cedar policy, Cedar text for an allowlist policy | 400 | |
//! | an empty update of a rule, `scope: {}` as the only field | accepted, changes nothing but the time | |
//! | patterns of hosts and paths | are not judged, beyond the schema of the API | |
//! | Cedar | syntax, at least one statement, no `@id`, no templates; not judged against a schema | |
//! | repeated actions, resources and teams | are kept | |
//! | a bad `page_token` | 400; a token outlives the policy that it points at | |
//! | which refusal comes first | 401, 404 for the organization, 403, 404 for the object, 400, 409, 403 for a limit | |
//! | an unknown route | 404, after 401 | |
//! | a team in a scope is deleted | the scope keeps its id | |
//! | groups: `page_size` | 10 by default, at most 100; a page past the end is 404; names are told apart by case | |
//! | groups: members | listed by name, ten on a page by default, at most 100; only `username` and `type` are shown | |
//! | a login without both fields | 400 | |
//! | the audit log: which records | those of `--seed`, and a record of each governance call that wrote (`policy_action`); it decides about no sandbox | |
//! | the audit log: tokens | the raw token of the set-up, and the raw secret of an account under the organization's name; 401 for all others | |
//! | the audit log: order | the newest first, then by identity; a record without a time is not shown | |
//! | the audit log: more than five requests in a second of the clock | 429 with `Retry-After: 1`; all organizations together | `unlimited_audit` |
//! | the audit log: a range over 30 days, one that is not that of the token, a bad token | 400 | |
//! | the audit log: an organization that it does not have | 404 | |
//! | 429 | only with a rate limit or a fault, in the Hub's envelope | |
//! | `Host`, `Origin`, `Sec-Fetch-Site` | other than a local caller's: 403, before all else (`visitor`) | |

mod builder;
mod clock;
mod connection;
pub mod docker;
mod exchange;
mod fault;
mod identity;
mod operation;
mod record;
mod running;
mod seed;
mod server;
mod state;
mod store;
pub mod vijil;
mod visitor;

pub use builder::Builder;
pub use docker::{Account, Behaviour, DockerOperation, Limits, Role};
pub use exchange::{Request, Response};
pub use fault::{
    Answer, Calls, Edit, FalseAnswer, Fault, FaultKind, FaultSpecError, Form, SYNTAX, Wait,
    WaitForm,
};
pub use identity::unguessable as random_secret;
pub use operation::Operation;
pub use record::Call;
pub use running::Running;
pub use seed::Seed;
pub use state::{Group, Org, State, VijilState};
pub use store::StoreError;
pub use vijil::{VijilAccount, VijilBehaviour, VijilOperation};

/// The start of an emulator.
#[derive(Clone, Copy, Debug)]
pub struct Emulator;

/// The reason why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The port is taken, or may not be used.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Bind {
        /// The port asked for.
        port: u16,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The state file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Emulator {
    /// The setup of an emulator.
    pub fn builder() -> Builder {
        Builder::default()
    }
}
