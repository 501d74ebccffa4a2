//! Paths as a folder sees them.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

/// A path as seen from `folder`: below it or beside it, with `..` where it leads upward. A path
/// that has nothing in common with the folder but the root, or that is relative already, stays as
/// it is. Symbolic links are not followed.
#[must_use]
pub fn relative<'a>(path: &'a Path, folder: &Path) -> Cow<'a, Path> {
    let is_name = |component: &Component<'_>| matches!(component, Component::Normal(_));
    let same = path.components().zip(folder.components()).take_while(|(one, other)| one == other);
    let (same, names) =
        same.fold((0, 0), |(all, names), (one, _)| (all + 1, names + usize::from(is_name(&one))));
    if path.is_relative() || names == 0 {
        return Cow::Borrowed(path.strip_prefix(".").unwrap_or(path));
    }
    let up = folder.components().skip(same).map(|_| Component::ParentDir);
    Cow::Owned(up.chain(path.components().skip(same)).collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::relative;

    #[test]
    fn paths_lead_from_the_folder() {
        let table = [
            ("/home/me/repo/policies/a.yaml", "/home/me/repo", "policies/a.yaml"),
            ("/home/me/repo", "/home/me/repo", ""),
            ("/home/me/repo/a.yaml", "/home/me/repo/policies/teams", "../../a.yaml"),
            ("/home/me/other/a.yaml", "/home/me/repo", "../other/a.yaml"),
            // Nothing in common.
            ("/tmp/x/a.yaml", "/home/me", "/tmp/x/a.yaml"),
            ("/tmp/x/a.yaml", "", "/tmp/x/a.yaml"),
            // Relative to the folder already.
            ("../other/a.yaml", "/home/me", "../other/a.yaml"),
            ("policies/a.yaml", "/home/me", "policies/a.yaml"),
            ("./a.yaml", "/home/me", "a.yaml"),
            (".", "/home/me", ""),
        ];
        for (path, folder, expected) in table {
            assert_eq!(relative(Path::new(path), Path::new(folder)), Path::new(expected), "{path}");
        }
    }
}
