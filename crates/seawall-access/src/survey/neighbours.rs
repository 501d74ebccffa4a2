//! The neighbours of a pattern: the host or folder without its wildcard, and the other half of a
//! mount.

use std::net::IpAddr;

use super::{Item, Survey};
use crate::clause::{Actions, Clause, Target};
use crate::host::{Destination, HostPattern};
use crate::model::Decision;
use crate::path;
use crate::pattern::{Sequence, Token};
use crate::ranges::Known;
use crate::text;
use crate::unknowns::{Unknown, Unknowns};

/// A pattern with a wildcard at its end, without the wildcard.
#[derive(Debug)]
pub struct Bare {
    /// True if the wildcard is `**`, which may match nothing; false for `*`, which does not.
    pub is_deep: bool,
    /// The host or folder in readable form.
    pub text: String,
    clause: Clause,
}

impl Survey {
    /// The host or folder that an item's pattern is about, apart from a wildcard in front of it or
    /// below it.
    #[must_use]
    pub fn bare(&self, item: &Item) -> Option<Bare> {
        if item.is_malformed() {
            return None;
        }
        let (sequence, least) = match &item.clause.target {
            Target::Network(destination) | Target::Http(destination, _) => {
                match &destination.host {
                    HostPattern::Names(names) => (names, 1),
                    HostPattern::Address(_) | HostPattern::Cidr(_) => return None,
                }
            }
            Target::Folder(folder) => {
                let drive = matches!(folder.tokens.first(), Some(Token::Literal(format)) if format != path::UNIX && format != path::HOME);
                (folder, if drive { 3 } else { 2 })
            }
        };
        let (last, others) = sequence.tokens.split_last()?;
        let is_deep = match last {
            Token::Deep => true,
            Token::One => false,
            Token::Literal(_) | Token::Glob(_) => return None,
        };
        let literal = |token: &Token| matches!(token, Token::Literal(_));
        if others.len() < least || !others.iter().all(literal) {
            return None;
        }
        let mut clause = item.clause.clone();
        match &mut clause.target {
            Target::Network(Destination { host: HostPattern::Names(names), .. })
            | Target::Http(Destination { host: HostPattern::Names(names), .. }, _)
            | Target::Folder(names) => drop(names.tokens.pop()),
            Target::Network(_) | Target::Http(..) => {}
        }
        let text = match &clause.target {
            Target::Network(destination) | Target::Http(destination, _) => {
                destination.host.to_string()
            }
            Target::Folder(_) => clause.target.to_string(),
        };
        Some(Bare { is_deep, text, clause })
    }

    /// Returns `true` if rules certainly decide about the bare host or folder for everybody whom
    /// the item governs. For a deny that is a deny too, or, if the wildcard certainly excludes the
    /// host, a rule on exactly that host.
    #[must_use]
    pub fn settles(&self, bare: &Bare, item: &Item) -> bool {
        let says = |other: &Item| {
            item.decision == Decision::Allow
                || other.decision == Decision::Deny
                || !bare.is_deep && other.host().is_some_and(|host| host == bare.text)
        };
        self.covered(&bare.clause, item, |other| says(other) && other.governs_all_of(item))
            .is_some()
    }

    /// Returns `true` if rules may allow the bare host or folder to anybody.
    #[must_use]
    pub fn may_allow(&self, bare: &Bare) -> bool {
        self.may_be_allowed(&bare.clause)
    }

    /// Returns `true` if something may be allowed on the host of an HTTP item.
    #[must_use]
    pub fn opens_host(&self, item: &Item) -> bool {
        let Target::Http(destination, _) = &item.clause.target else { return true };
        self.opens(item, destination.clone())
    }

    /// The same on any port, whatever port the item is for.
    #[must_use]
    pub fn opens_host_elsewhere(&self, item: &Item) -> bool {
        let Target::Http(destination, _) = &item.clause.target else { return true };
        self.opens(item, Destination { port: None, ..destination.clone() })
    }

    fn opens(&self, item: &Item, destination: Destination) -> bool {
        let everything =
            Sequence { tokens: vec![Token::Deep], unknowns: Unknowns::NONE, bare: Unknowns::NONE };
        let target = Target::Http(destination, everything);
        let clause = Clause { target, actions: Actions::HTTP, ..item.clause.clone() };
        self.may_be_allowed(&clause)
    }

    /// Returns `true` if an item allows writing while nothing certainly allows reading to the same
    /// audience.
    #[must_use]
    pub fn lacks_reading(&self, item: &Item) -> bool {
        let actions = item.clause.actions;
        if item.decision == Decision::Deny
            || !actions.meets(Actions::WRITE)
            || actions.meets(Actions::READ)
        {
            return false;
        }
        let clause = Clause { actions: Actions::READ, ..item.clause.clone() };
        let reads = |other: &Item| other.decision == Decision::Allow && other.governs_all_of(item);
        self.covered(&clause, item, reads).is_none()
    }
}

impl Item {
    /// The parties that know the names that it matches; `None` if it matches no names, or all of
    /// them.
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        let Target::Network(destination) = &self.clause.target else { return None };
        match &destination.host {
            HostPattern::Names(names) if names.tokens != [Token::Deep] => {
                Some(Known::from_name(&destination.host.to_string()))
            }
            HostPattern::Names(_) | HostPattern::Address(_) | HostPattern::Cidr(_) => None,
        }
    }

    /// The host pattern without port and path; `None` for addresses, blocks, folders, and invalid
    /// hosts.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        match &self.clause.target {
            Target::Network(_) | Target::Http(..) if self.is_malformed() => None,
            Target::Network(destination) | Target::Http(destination, _) => {
                match &destination.host {
                    HostPattern::Names(names) => Some(text::name(names)),
                    HostPattern::Address(_) | HostPattern::Cidr(_) => None,
                }
            }
            Target::Folder(_) => None,
        }
    }

    /// The path of an HTTP rule.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        match &self.clause.target {
            Target::Http(_, path) => Some(text::request_path(path)),
            Target::Network(_) | Target::Folder(_) => None,
        }
    }

    /// The port, if there is only one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.clause.target.port()
    }

    /// The address, if it has one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match &self.clause.target {
            Target::Network(destination) | Target::Http(destination, _) => {
                match &destination.host {
                    HostPattern::Address(address) => Some(*address),
                    HostPattern::Names(_) | HostPattern::Cidr(_) => None,
                }
            }
            Target::Folder(_) => None,
        }
    }

    /// Returns `true` if it has no valid syntax, so that statements about its pattern would be
    /// misleading.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        match &self.clause.target {
            Target::Network(destination) | Target::Http(destination, _) => {
                destination.unknowns.contains(Unknown::Malformed)
            }
            Target::Folder(folder) => folder.unknowns.contains(Unknown::Malformed),
        }
    }

    /// Returns `true` if both concern the same protocol of connections.
    #[must_use]
    pub fn shares_actions_with(&self, other: &Self) -> bool {
        self.clause.actions.meets(other.clause.actions)
    }

    /// The pattern in readable form.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.clause.target {
            Target::Http(destination, path) => {
                text::requests(destination.host_text(), destination.port, &text::request_path(path))
            }
            Target::Network(_) | Target::Folder(_) => self.clause.target.to_string(),
        }
    }
}
