//! Parses the command line, runs, and exits.

fn main() {}
