//! Hash maps for very many keys.
//!
//! Several times quicker than those of the standard library, and still seeded anew in each process, so that nobody can
//! write documents whose keys collide. Their order is never what a result depends on.

use foldhash::fast::RandomState;

/// A map.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;

/// A set.
pub(crate) type HashSet<T> = std::collections::HashSet<T, RandomState>;
