//! The neighbours of a pattern: the host or folder without its wildcard, and the other half of a
//! mount.

use super::{Item, Survey};
use crate::clause::{Actions, Target};
use crate::host::{Destination, HostPattern};
use crate::model::Decision;
use crate::path;
use crate::pattern::{Sequence, Token};
use crate::unknowns::Unknowns;

/// A pattern with a wildcard at its end, without the wildcard.
#[derive(Debug)]
pub struct Bare {
    /// True if the wildcard is `**`, which may match nothing; false for `*`, which does not.
    pub is_deep: bool,
    /// The host or folder in readable form.
    pub text: String,
    target: Target,
    actions: Actions,
}

impl Survey<'_> {
    /// The host or folder that an item's pattern is about, apart from a wildcard in front of it or
    /// below it.
    #[must_use]
    pub fn bare(&self, item: &Item<'_>) -> Option<Bare> {
        if item.is_malformed() {
            return None;
        }
        let target = item.parsed()?;
        let (sequence, least) = match target {
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
        let mut target = target.clone();
        match &mut target {
            Target::Network(Destination { host: HostPattern::Names(names), .. })
            | Target::Http(Destination { host: HostPattern::Names(names), .. }, _)
            | Target::Folder(names) => drop(names.tokens.pop()),
            Target::Network(_) | Target::Http(..) => {}
        }
        let text = match &target {
            Target::Network(destination) | Target::Http(destination, _) => {
                destination.host.to_string()
            }
            Target::Folder(_) => target.to_string(),
        };
        Some(Bare { is_deep, text, target, actions: item.actions })
    }

    /// Returns `true` if rules certainly decide about the bare host or folder for everybody whom
    /// the item governs. For a deny that is a deny too, or, if the wildcard certainly excludes the
    /// host, a rule on exactly that host.
    #[must_use]
    pub fn settles(&self, bare: &Bare, item: &Item<'_>) -> bool {
        let says = |other: &Item<'_>| {
            item.decision == Decision::Allow
                || other.decision == Decision::Deny
                || !bare.is_deep && other.host().is_some_and(|host| host == bare.text)
        };
        let takes = |other: &Item<'_>| says(other) && other.governs_all_of(item);
        self.covered((&bare.target, bare.actions), item, takes).is_some()
    }

    /// Returns `true` if rules may allow the bare host or folder to anybody.
    #[must_use]
    pub fn may_allow(&self, bare: &Bare) -> bool {
        self.may_be_allowed(&bare.target, bare.actions)
    }

    /// Returns `true` if something may be allowed on the host of an HTTP item.
    #[must_use]
    pub fn opens_host(&self, item: &Item<'_>) -> bool {
        let Target::Http(destination, _) = &*item.target() else { return true };
        self.opens(destination.clone())
    }

    /// The same on any port, whatever port the item is for.
    #[must_use]
    pub fn opens_host_elsewhere(&self, item: &Item<'_>) -> bool {
        let Target::Http(destination, _) = &*item.target() else { return true };
        self.opens(Destination { port: None, ..destination.clone() })
    }

    fn opens(&self, destination: Destination) -> bool {
        let everything =
            Sequence { tokens: vec![Token::Deep], unknowns: Unknowns::NONE, bare: Unknowns::NONE };
        self.may_be_allowed(&Target::Http(destination, everything), Actions::HTTP)
    }

    /// Returns `true` if an item allows writing while nothing certainly allows reading to the same
    /// audience.
    #[must_use]
    pub fn lacks_reading(&self, item: &Item<'_>) -> bool {
        let actions = item.actions;
        if item.decision == Decision::Deny
            || !actions.meets(Actions::WRITE)
            || actions.meets(Actions::READ)
        {
            return false;
        }
        let reads =
            |other: &Item<'_>| other.decision == Decision::Allow && other.governs_all_of(item);
        self.covered((&item.target(), Actions::READ), item, reads).is_none()
    }
}
