//! The clients of the services.

pub mod docker;
pub mod github;
pub mod http;
pub mod vijil;
