//! Output for people and programs, and the one place that makes foreign text safe.
