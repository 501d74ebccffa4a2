//! The paths of the rules for requests to a host, prepared once for all requests there.
//!
//! Invariant: what is prepared depends on nothing but the clauses that match the host, so that it
//! serves every host that the same clauses match, on any port.

use std::sync::{Arc, PoisonError, RwLock};

use crate::clause::Clause;
use crate::hash::HashMap;
use crate::trie::{Case, Hit, Trie};

/// The most clauses of all hosts that are kept: beyond them, paths are prepared for each request.
const MOST_CLAUSES: usize = 1 << 16;

/// The paths of hosts, by the clauses that match them.
#[derive(Debug, Default)]
pub(super) struct HostPaths(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    paths: HashMap<Vec<Hit>, Arc<Trie>>,
    clauses: usize,
}

impl HostPaths {
    /// The paths that clauses on a host tell apart.
    pub(super) fn of<'c>(&self, hits: &[Hit], clause: impl Fn(&Hit) -> &'c Clause) -> Arc<Trie> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(paths) = kept.paths.get(hits) {
            return Arc::clone(paths);
        }
        drop(kept);
        let mut paths = Trie::new(Case::Unknown);
        for hit in hits {
            clause(hit).target.insert_path(&mut paths, hit);
        }
        let paths = Arc::new(paths);
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster.
        if kept.clauses + hits.len() <= MOST_CLAUSES
            && kept.paths.insert(hits.to_vec(), Arc::clone(&paths)).is_none()
        {
            kept.clauses += hits.len();
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;
    use crate::state::State;

    #[test]
    fn hosts_with_the_same_clauses_share_paths_up_to_a_limit() {
        let policies = crate::compare::tests::policies(
            "org: allow request:get a.example.com/x/** *.example.com/y a.example.com:8080/z",
        );
        let state = State::new(&policies);
        let kept = |text: &str| {
            let request = Request::parse(text).unwrap();
            let first = format!("{:?}", state.question(&request));
            assert_eq!(format!("{:?}", State::new(&policies).question(&request)), first, "{text}");
            assert_eq!(format!("{:?}", state.question(&request)), first, "{text}");
            state.paths.0.read().unwrap().paths.len()
        };
        assert_eq!(kept("GET https://a.example.com/x/1"), 1);
        assert_eq!(kept("GET https://a.example.com/y"), 1);
        assert_eq!(kept("GET https://b.example.com/y"), 2);
        assert_eq!(kept("GET https://c.example.com/x/1"), 2);
        assert_eq!(kept("GET https://a.example.com:8080/z"), 3);
        state.paths.0.write().unwrap().clauses = MOST_CLAUSES;
        assert_eq!(kept("GET https://other.example/x"), 3);
    }
}
