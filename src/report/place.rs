//! Places in files, with links to the repository.
//!
//! Invariant: a link starts like its template, whose scheme is `https` or `http`, and no character
//! of a file's name can end the path of the URL.

use std::fmt::Write as _;

use serde::Serialize;

use crate::model::Origin;

/// Template for links to lines of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    template: String,
    /// Prefix for names of files: the workspace's folder in the repository, with `/` at its end;
    /// empty for the root.
    folder: String,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// `file:line`.
    pub text: String,
    /// URL of the line; `None` if places are not links.
    pub link: Option<String>,
}

impl Links {
    /// Parses a template with `{file}` and optionally `{line}`; names of files are relative to
    /// `folder` in the repository.
    ///
    /// # Errors
    ///
    /// Returns a message if the template is not an HTTP URL, lacks `{file}`, or contains
    /// whitespace.
    pub fn new(template: &str, folder: &str) -> Result<Self, String> {
        let is_web = ["https://", "http://"].iter().any(|scheme| template.starts_with(scheme));
        if !is_web {
            return Err("a link starts with `https://` or `http://`".to_owned());
        }
        if !template.contains("{file}") {
            return Err("a link needs `{file}`, and mostly `{line}`".to_owned());
        }
        if template.chars().any(|character| character.is_control() || character.is_whitespace()) {
            return Err("a link holds no blanks".to_owned());
        }
        let folder = if folder.is_empty() {
            String::new()
        } else {
            format!("{}/", folder.trim_end_matches('/'))
        };
        Ok(Self { template: template.to_owned(), folder })
    }

    /// A place in the workspace as one in the repository.
    #[must_use]
    pub fn in_repository(&self, place: &str) -> String {
        format!("{}{place}", self.folder)
    }

    /// The URL of a line.
    #[must_use]
    pub fn url(&self, file: &str, line: usize) -> String {
        let path = encoded(&self.in_repository(file));
        self.template.replace("{line}", &line.to_string()).replace("{file}", &path)
    }
}

/// The place of an origin.
pub(super) fn place(origin: &Origin, links: Option<&Links>) -> Place {
    Place {
        text: origin.file_line(),
        link: links.map(|links| links.url(&origin.file, origin.line)),
    }
}

/// Percent-encodes all characters of a path that have a meaning in URLs, except `/`.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(byte))
            }
            _ => write!(text, "%{byte:02X}").expect("writing to a string"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Links;

    #[test]
    fn links_lead_to_the_file_and_nowhere_else() {
        let links =
            Links::new("https://git.corp.example/p/blob/main/{file}#L{line}", "infra/policies")
                .unwrap();
        let table = [
            ("a.yaml", "infra/policies/a.yaml"),
            ("a b?x=1#y.yaml", "infra/policies/a%20b%3Fx%3D1%23y.yaml"),
            ("\"><script>.yaml", "infra/policies/%22%3E%3Cscript%3E.yaml"),
            // A name is not expanded as a placeholder.
            ("{line}.yaml", "infra/policies/%7Bline%7D.yaml"),
        ];
        for (file, path) in table {
            assert_eq!(
                links.url(file, 7),
                format!("https://git.corp.example/p/blob/main/{path}#L7")
            );
        }
        for wrong in [
            "javascript:alert(1)//{file}",
            "data:text/html,{file}",
            "//x/{file}",
            "https://x/",
            "https://x/ {file}",
        ] {
            assert!(Links::new(wrong, "").is_err(), "{wrong}");
        }
    }
}
