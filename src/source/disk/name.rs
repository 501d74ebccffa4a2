//! Names of folders that hold no documents, in every spelling that a file system accepts.

use std::ffi::OsStr;
use std::path::Path;

/// Folders that belong to git, which may hold credentials, and to seawall.
const INTERNAL: [&str; 2] = [".git", ".seawall"];
/// Characters that HFS+ ignores when it compares names.
const IGNORED: [std::ops::RangeInclusive<char>; 4] = [
    '\u{200c}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{206a}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
];

/// The internal folder that a path leads into; `None` for any other path.
pub(super) fn internal(path: &Path) -> Option<&'static str> {
    path.components().find_map(|part| folder(part.as_os_str()))
}

/// Returns `true` if some file system takes the name for `.git` or `.seawall`: in any letter case,
/// with ignored characters, as a short name of Windows, or followed by blanks, dots or a stream,
/// which Windows drops.
#[must_use]
pub fn is_internal(name: &OsStr) -> bool {
    folder(name).is_some()
}

fn folder(name: &OsStr) -> Option<&'static str> {
    let name = name.to_string_lossy();
    let ignored = |character: &char| IGNORED.iter().any(|range| range.contains(character));
    let name: String =
        name.split(':').next().unwrap_or_default().chars().filter(|one| !ignored(one)).collect();
    // The only letter that folds to a letter of these names, other than its capital.
    let name = name.trim_end_matches(['.', ' ']).to_lowercase().replace('\u{17f}', "s");
    INTERNAL.into_iter().find(|internal| name == *internal || is_short(&name, internal))
}

/// Returns `true` if the name is a short name of Windows, such as `git~1` for `.git`.
fn is_short(name: &str, long: &str) -> bool {
    let Some((stem, number)) = name.split_once('~') else { return false };
    let long = long.trim_start_matches('.');
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && stem == long.get(..6).unwrap_or(long)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::internal;

    #[test]
    fn internal_folders_are_known_by_every_name() {
        let table = [
            (".git/config", Some(".git")),
            (".git", Some(".git")), // a work tree has a file of this name
            ("a/.git/config", Some(".git")),
            (".GIT/config", Some(".git")),
            (".gIt/config", Some(".git")),
            (".git./config", Some(".git")),
            (".git . ./config", Some(".git")),
            (".git::$INDEX_ALLOCATION/config", Some(".git")),
            (".g\u{200c}it/config", Some(".git")),
            ("\u{feff}.git/config", Some(".git")),
            ("git~1/config", Some(".git")),
            ("GIT~12/config", Some(".git")),
            (".seawall/emulator.redb", Some(".seawall")),
            (".SeaWall/emulator.redb", Some(".seawall")),
            (".\u{17f}eawall/x", Some(".seawall")),
            ("SEAWAL~1/x", Some(".seawall")),
            (".github/workflows/x.yml", None),
            (".gitignore", None),
            ("git/x.yaml", None),
            ("git~/x.yaml", None),
            ("x.git/x.yaml", None),
            ("seawall/x.yaml", None),
            (".git-templates/x", None),
        ];
        for (path, folder) in table {
            assert_eq!(internal(Path::new(path)), folder, "{path}");
        }
    }
}
