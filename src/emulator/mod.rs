//! The services as a state machine behind a socket, durable, with faults.
