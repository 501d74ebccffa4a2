//! The clients of the services.

pub mod docker;
pub mod http;
pub mod vijil;
