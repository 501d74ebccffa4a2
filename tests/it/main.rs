//! The integration tests, one module a subject, in one binary.

mod command_line;
