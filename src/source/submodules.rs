//! Submodules that are missing in a clone.
//!
//! Invariant: documents that are missing because they were not fetched never look like deleted
//! ones.

use std::path::Path;

use super::disk::{self, Root};

/// The largest list of submodules that is read.
const MOST: u64 = 1 << 20;

/// The empty folders below `root` that are submodules, as sorted paths relative to it with `/`
/// between segments.
pub(super) fn left_out(root: &Path) -> Vec<String> {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let mut found = Vec::new();
    for top in root.ancestors() {
        for path in listed(top) {
            let folder = top.join(path);
            let inside =
                folder.strip_prefix(&root).ok().filter(|inside| !inside.as_os_str().is_empty());
            if let Some(inside) = inside.filter(|_| disk::is_empty_folder(&folder)) {
                found.push(inside.to_string_lossy().replace('\\', "/"));
            }
        }
        if top.join(".git").exists() {
            break;
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The paths of the submodules of a repository, according to its list.
fn listed(top: &Path) -> Vec<String> {
    let bytes = Root::new(top)
        .and_then(|root| root.read(&top.join(".gitmodules"), MOST))
        .unwrap_or_default();
    paths(&String::from_utf8_lossy(&bytes))
}

fn paths(text: &str) -> Vec<String> {
    let path = |line: &str| {
        let (key, value) = line.trim().split_once('=')?;
        let value = value.trim().trim_matches('"').trim_end_matches('/');
        (key.trim().eq_ignore_ascii_case("path") && !value.is_empty()).then(|| value.to_owned())
    };
    text.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn the_list_of_submodules_is_read() {
        let text = "[submodule \"a\"]\n\tpath = policies/shared\n\turl = ../shared\r\n[submodule \"b\"]\n  Path=\"b c/\"\n\tpathname = x\n";
        assert_eq!(paths(text), ["policies/shared", "b c"]);
    }
}
