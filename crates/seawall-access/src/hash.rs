//! Hash maps for very many keys.
//!
//! They are several times faster than those of the standard library, and seeded in each process, so
//! that nobody can write documents whose keys collide. No result depends on their order.

use foldhash::fast::RandomState;

/// A map.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;

/// A set that numbers its values in the order in which they come.
pub(crate) type IndexSet<T> = indexmap::IndexSet<T, RandomState>;

/// A set.
pub(crate) type HashSet<T> = std::collections::HashSet<T, RandomState>;
