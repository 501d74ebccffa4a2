//! Mistakes of users: collected, placed and coded.
