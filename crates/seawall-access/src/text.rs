//! Patterns in the form of rules.

use std::borrow::Cow;
use std::fmt;

use super::clause::{Actions, Target};
use super::host::{Destination, HostPattern};
use super::path::folder_text;
use super::pattern::{Sequence, Token};
use super::unknowns::{Unknown, Unknowns};
use super::witness::bracketed;

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::One => f.write_str("*"),
            Self::Deep => f.write_str("**"),
            Self::Glob(glob) => write!(f, "{glob}"),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(names) => f.write_str(&name(names)),
            Self::Address(address) => f.write_str(&bracketed(*address)),
            Self::Cidr(block) => write!(f, "{block}"),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host_text())?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Destination {
    /// The host without its port, in readable form.
    pub(super) fn host_text(&self) -> String {
        self.written.as_ref().map_or_else(|| self.host.to_string(), ToString::to_string)
    }
}

/// The pattern of a name.
pub(super) fn name(names: &Sequence) -> String {
    let mut text = String::with_capacity(64);
    for (at, label) in names.tokens.iter().rev().enumerate() {
        if at > 0 {
            text.push('.');
        }
        match label {
            Token::Literal(label) => text.push_str(label),
            Token::One => text.push('*'),
            Token::Deep => text.push_str("**"),
            Token::Glob(glob) => text.push_str(&glob.to_string()),
        }
    }
    text
}

/// Connections to a host.
pub(super) fn connections(host: impl fmt::Display, port: Option<u16>) -> String {
    port.map_or_else(|| host.to_string(), |port| format!("{host}:{port}"))
}

/// Requests to a host: `http://` for port 80, without a scheme for every port, `https://`
/// otherwise.
pub(super) fn requests(host: impl fmt::Display, port: Option<u16>, path: &str) -> String {
    match port {
        None => format!("{host}{path}"),
        Some(443) => format!("https://{host}{path}"),
        Some(80) => format!("http://{host}{path}"),
        Some(port) => format!("https://{host}:{port}{path}"),
    }
}

/// The path of a request.
pub(super) fn request_path(path: &Sequence) -> String {
    format!("/{}", segments(path).join("/"))
}

fn segments(sequence: &Sequence) -> Vec<String> {
    sequence.tokens.iter().map(Token::to_string).collect()
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(destination) => write!(f, "{destination}"),
            Self::Http(destination, path) => f.write_str(&requests(
                destination.host_text(),
                destination.port,
                &request_path(path),
            )),
            Self::Folder(folder) if folder.tokens == [Token::Deep] => f.write_str("**"),
            Self::Folder(folder) => f.write_str(&folder_text(&segments(folder))),
        }
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (Self::TCP, "connect:tcp"),
            (Self::UDP, "connect:udp"),
            (Self::READ, "read"),
            (Self::WRITE, "write"),
        ];
        let named = named
            .into_iter()
            .filter(|(action, _)| self.meets(*action))
            .map(|(_, name)| name.to_owned());
        let words: Vec<String> = named.chain(self.methods().map(str::to_ascii_uppercase)).collect();
        f.write_str(&words.join(", "))
    }
}

impl Target {
    /// Formats the path or folder with other tokens.
    pub(super) fn path(&self) -> impl Fn(Vec<Token>) -> String {
        let own = self.clone();
        move |tokens| match &own {
            Self::Http(destination, path) => {
                Self::Http(destination.clone(), Sequence { tokens, ..path.clone() }).to_string()
            }
            Self::Folder(folder) => Self::Folder(Sequence { tokens, ..folder.clone() }).to_string(),
            Self::Network(_) => own.to_string(),
        }
    }

    /// The pattern for what the target matches with these open questions: itself, or, if it is open
    /// whether a `**` may match nothing, itself without the `**`. `None` if no pattern expresses
    /// it.
    pub(super) fn narrowed(&self, unknowns: Unknowns) -> Option<Cow<'_, Self>> {
        if unknowns.is_empty() {
            return Some(Cow::Borrowed(self));
        }
        let mut target = self.clone();
        for unknown in unknowns.iter() {
            match (unknown, &mut target) {
                (Unknown::Apex, Self::Network(destination) | Self::Http(destination, _)) => {
                    match &mut destination.host {
                        HostPattern::Names(names) => names.tokens.truncate(names.tokens.len() - 1),
                        HostPattern::Address(_) | HostPattern::Cidr(_) => return None,
                    }
                }
                (Unknown::FolderItself, Self::Folder(folder)) => {
                    folder.tokens.truncate(folder.tokens.len() - 1)
                }
                (Unknown::EmptySegment, Self::Http(_, path)) => path.tokens.clear(),
                (
                    Unknown::Apex
                    | Unknown::FolderItself
                    | Unknown::EmptySegment
                    | Unknown::Case
                    | Unknown::MiddleDoubleStar
                    | Unknown::HomeFolder
                    | Unknown::AddressAsName
                    | Unknown::AddressAsBlock
                    | Unknown::Rewritten
                    | Unknown::NotRewritten
                    | Unknown::RequestForm,
                    _,
                ) => return None,
                (
                    Unknown::LoneStar
                    | Unknown::InnerWildcard
                    | Unknown::PartialWildcard
                    | Unknown::QuestionMark
                    | Unknown::CharacterClass
                    | Unknown::HostCase
                    | Unknown::HostDot
                    | Unknown::HostLetters
                    | Unknown::Ipv6Literal
                    | Unknown::HttpAddress
                    | Unknown::CidrHostBits
                    | Unknown::CidrPort
                    | Unknown::PatternForm
                    | Unknown::Uninspected
                    | Unknown::Malformed
                    | Unknown::Action
                    | Unknown::NoPolicy,
                    _,
                ) => {}
            }
        }
        Some(Cow::Owned(target))
    }
}
