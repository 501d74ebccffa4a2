//! The transport: time-outs, retries, limits and secrets.
