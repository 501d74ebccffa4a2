//! The application layer: code that commands share, from settings to a plan and back to the
//! terminal. It knows no command.

pub(crate) mod baseline;
pub(crate) mod before;
pub(crate) mod commit;
pub(crate) mod connect;
pub(crate) mod context;
pub(crate) mod embedded;
pub(crate) mod every;
pub(crate) mod evidence;
pub(crate) mod git;
pub(crate) mod guards_from;
pub(crate) mod history;
pub(crate) mod organizations;
pub(crate) mod output;
pub(crate) mod pipeline;
pub(crate) mod planning;
pub(crate) mod progress;
pub(crate) mod reading;
pub(crate) mod recorded;
pub(crate) mod services;
pub(crate) mod settings;
pub(crate) mod signal;
pub(crate) mod since;
pub(crate) mod vijil;
mod warnings;
pub(crate) mod watch;
pub(crate) mod workspace;
pub(crate) mod wrap;
pub(crate) mod writing;

pub use crate::exit::{Exit, Failure};
pub use connect::{Connected, organization};
pub use context::Context;
pub use settings::{Environment, Overrides, Setting};
