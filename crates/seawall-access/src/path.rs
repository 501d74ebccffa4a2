//! Paths of HTTP requests and of folders, in rules and in requests.
//!
//! Invariant: formats of folders differ in their first segment, so that a pattern overlaps only its
//! own format. Source: the file system manual of Docker AI Governance.

use super::pattern::{Sequence, Token, partial_unknowns};
use super::unknowns::{Unknown, Unknowns};

/// The first segments that identify the formats; none of them is a valid name of a folder.
pub(super) const UNIX: &str = "/";
pub(super) const HOME: &str = "~/";
pub(super) const DRIVE: &str = ":\\";
pub(super) const WSL: &str = "\\\\wsl.localhost\\";
pub(super) const SHARE: &str = "\\\\";

/// The path of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum PathPattern {
    /// These folders.
    Folders(Sequence),
    /// Nothing: environment variables are not expanded.
    Nothing,
}

impl PathPattern {
    /// Parses a resource of a `read` or `write` rule.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        if has_variable(text) {
            return Self::Nothing;
        }
        if text == "**" {
            let bare = Unknowns::NONE;
            return Self::Folders(Sequence {
                tokens: vec![Token::Deep],
                unknowns: Unknowns::NONE,
                bare,
            });
        }
        let Some(segments) = folder_segments(text) else {
            return Self::Folders(everything(Unknown::Malformed));
        };
        let odd = is_undocumented(text, &segments)
            || segments.iter().skip(1).any(|segment| matches!(segment.as_str(), "" | "." | ".."));
        let mut unknowns = segments
            .iter()
            .skip(1)
            .fold(Unknowns::NONE, |all, one| all.union(partial_unknowns(one)));
        if odd {
            unknowns = unknowns.union(Unknown::Malformed.into());
        }
        let tokens = segments
            .iter()
            .filter(|segment| !segment.is_empty())
            .map(|one| Token::parse(one))
            .collect();
        Self::Folders(Sequence { tokens, unknowns, bare: Unknown::FolderItself.into() })
    }
}

/// Returns `true` if a whole path has none of the documented forms: it uses the separators of
/// another system, a network share, or wildcards of other tools.
fn is_undocumented(text: &str, segments: &[String]) -> bool {
    let format = segments.first().map(String::as_str);
    let drive_with_slashes =
        format == Some(DRIVE) && text.split_once(':').is_some_and(|(_, rest)| rest.contains('/'));
    let other = if matches!(format, Some(UNIX | HOME)) { '\\' } else { '/' };
    drive_with_slashes
        || format == Some(SHARE)
        || segments.iter().skip(1).any(|segment| {
            segment.contains([other, '{', '}']) || segment.contains(']') && !segment.contains('[')
        })
        || text.starts_with("~\\")
}

/// Every folder, uncertain.
pub(super) fn everything(unknown: Unknown) -> Sequence {
    Sequence { tokens: vec![Token::Deep], unknowns: unknown.into(), bare: Unknowns::NONE }
}

/// The segments of a folder, its format first; `None` for a relative path.
pub(super) fn folder_segments(text: &str) -> Option<Vec<String>> {
    let (format, rest, separator) = if let Some(rest) = text.strip_prefix('/') {
        (vec![UNIX.to_owned()], rest, '/')
    } else if text == "~" {
        (vec![HOME.to_owned()], "", '/')
    } else if let Some(rest) = text.strip_prefix("~/") {
        (vec![HOME.to_owned()], rest, '/')
    } else if let Some(rest) = text.strip_prefix("~\\") {
        (vec![HOME.to_owned()], rest, '\\')
    } else if let Some(rest) = strip_prefix_ignoring_case(text, WSL) {
        (vec![WSL.to_owned()], rest, '\\')
    } else if let Some(rest) = text.strip_prefix("\\\\") {
        (vec![SHARE.to_owned()], rest, '\\')
    } else {
        let (drive, rest) = text.split_once(':')?;
        if !(drive == "*" || drive.len() == 1 && drive.chars().all(|c| c.is_ascii_alphabetic())) {
            return None;
        }
        let separator = if rest.starts_with('/') { '/' } else { '\\' };
        let rest = rest.strip_prefix(['\\', '/']).unwrap_or(rest);
        (vec![DRIVE.to_owned(), drive.to_ascii_uppercase()], rest, separator)
    };
    let mut segments = format;
    if !rest.is_empty() {
        segments.extend(rest.split(separator).map(str::to_owned));
    }
    Some(segments)
}

/// The text of a folder whose segments start with its format.
pub(super) fn folder_text(segments: &[String]) -> String {
    let Some((format, rest)) = segments.split_first() else { return String::new() };
    match (format.as_str(), rest) {
        (HOME, []) => "~".to_owned(),
        (UNIX | HOME, rest) => format!("{format}{}", rest.join("/")),
        (DRIVE, [drive, rest @ ..]) => format!("{drive}:\\{}", rest.join("\\")),
        (_, rest) => format!("{format}{}", rest.join("\\")),
    }
}

/// Returns `true` if segments can name a folder: a drive requires its letter, a WSL path its
/// distribution.
pub(super) fn is_folder(segments: &[String]) -> bool {
    is_whole(segments.first().map(String::as_str), segments.len())
}

/// The same for so many segments, of which this is the first.
pub(super) fn is_whole(format: Option<&str>, segments: usize) -> bool {
    let needed = match format {
        Some(UNIX | HOME) => 1,
        Some(DRIVE | WSL) => 2,
        _ => 3,
    };
    segments >= needed
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// `$NAME`, `${NAME}` or `%NAME%`.
pub(super) fn has_variable(text: &str) -> bool {
    let dollar = text.match_indices('$').any(|(at, _)| {
        text.get(at + 1..).is_some_and(|rest| {
            rest.starts_with(|c: char| c == '{' || c == '_' || c.is_ascii_alphabetic())
        })
    });
    let mut percents = text.split('%').skip(1);
    let name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    dollar || text.matches('%').count() >= 2 && percents.next().is_some_and(name)
}

/// The pattern of an HTTP path.
pub(super) fn http_pattern(text: &str) -> Sequence {
    let segments = http_segments(text);
    let mut unknowns =
        segments.iter().fold(Unknowns::NONE, |all, one| all.union(partial_unknowns(one)));
    if !is_canonical(text) {
        unknowns = unknowns.union(Unknown::PatternForm.into());
    }
    let tokens = segments.iter().map(|segment| Token::parse(segment)).collect();
    Sequence { tokens, unknowns, bare: Unknowns::NONE }
}

/// The segments of an HTTP path, normalised: percent-encoding decoded, empty and `.` segments
/// removed, `..` resolved, query and fragment cut off. A canonical path is unchanged.
pub(super) fn http_segments(text: &str) -> Vec<String> {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let mut segments: Vec<String> = Vec::new();
    for segment in decode(path).split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment.to_owned()),
        }
    }
    segments
}

/// Returns `true` if a path has the form that the manuals describe, apart from wildcards. The query
/// is not part of it.
pub(super) fn is_canonical(path: &str) -> bool {
    path == "/"
        || path.starts_with('/')
            && !path.contains(['%', '?', '#', '\\'])
            && !path.contains(char::is_control)
            && path.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."))
}

fn decode(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = if *first == b'%' { after.get(..2) } else { None };
        let decoded =
            digits.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = decoded.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The pattern of a text that is a valid pattern of folders, for tests.
#[cfg(test)]
pub(super) fn folders(text: &str) -> Sequence {
    match PathPattern::parse(text) {
        PathPattern::Folders(sequence) => sequence,
        PathPattern::Nothing => panic!("{text} is a pattern of folders"),
    }
}
