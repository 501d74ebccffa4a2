//! The Public Suffix List, under the names of the `psl` crate.
//!
//! The `psl` crate is more than eleven thousand generic functions, and each crate that calls one
//! compiles all of them: an eighth of the code of `seawall`, in the library and again in its tests.
//! This crate compiles them once.

pub use psl::{Suffix, Type};

/// The public suffix of a name; the last label where the list has none.
#[must_use]
pub fn suffix(name: &[u8]) -> Option<Suffix<'_>> {
    psl::suffix(name)
}

/// The text of [`suffix`], without a dot at its end.
#[must_use]
pub fn suffix_str(name: &str) -> Option<&str> {
    std::str::from_utf8(suffix(name.as_bytes())?.trim().as_bytes()).ok()
}

/// The registrable domain of a name: its public suffix and one label more. `None` for a public
/// suffix itself.
#[must_use]
pub fn domain_str(name: &str) -> Option<&str> {
    psl::domain_str(name)
}
