//! The clients of the services.

pub mod docker;
pub mod http;
