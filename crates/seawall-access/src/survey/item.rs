//! The resources of rules, as questions about their relations need them.
//!
//! Most resources of large policies are names of hosts. The parsed form of a name takes several
//! times the memory of its text, so that only the text is kept, and parsed whenever it is asked
//! for.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::clause::{Actions, Clause, RuleClauses, Target};
use crate::host::{Destination, HostPattern, canonical_name};
use crate::model::{Decision, Policy, Resources, Rule, Scope};
use crate::pattern::{Sequence, Token};
use crate::ranges::Known;
use crate::text;
use crate::unknowns::{Unknown, Unknowns};

/// One resource of one rule.
#[derive(Debug)]
pub struct Item<'a> {
    policy: u32,
    rule: u32,
    resource: u32,
    /// The number of its target, which other items may have too. Before there are any, that of the
    /// group of a plain name.
    pub(super) pattern: u32,
    subject: Subject<'a>,
    /// The policy's scope, the same object for all items of policies with the same one.
    pub(super) scope: &'a Scope,
    pub(super) actions: Actions,
    /// The decision of the rule.
    pub decision: Decision,
}

/// The target of an item.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject<'a> {
    /// The host and port of a [`canonical_name`].
    Name(&'a str, Option<u16>),
    /// Any other target.
    Parsed(Box<Target>),
}

/// The kind of resource that a rule concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Connections to a host or an address.
    Host,
    /// Connections to a CIDR block.
    Block(IpNet),
    /// HTTP requests.
    Http,
    /// Folders.
    Folder,
}

/// The items of a policy with this scope, one for each resource.
pub(super) fn items<'a>(policy: usize, own: &'a Policy, scope: &'a Scope) -> Vec<Item<'a>> {
    let count = |rule: &Rule| match &rule.resources {
        Resources::Plain(all) => all.len(),
        Resources::Http(all) => all.len(),
    };
    let index = |at: usize| u32::try_from(at).expect("fewer parts than bytes of policies");
    let mut items = Vec::with_capacity(own.rules().iter().map(count).sum());
    for (number, rule) in own.rules().iter().enumerate() {
        let of = RuleClauses::new(rule, 0);
        let item = |resource: usize, subject: Subject<'a>, actions: Actions| Item {
            policy: index(policy),
            rule: index(number),
            resource: index(resource),
            pattern: 0,
            subject,
            scope,
            actions,
            decision: rule.decision,
        };
        // Documents have no unknown actions, so that there is one clause.
        let parsed = |resource: usize, clauses: Vec<Clause>| {
            let clause = clauses.into_iter().find(|clause| clause.unknowns.is_empty())?;
            Some(item(resource, Subject::Parsed(Box::new(clause.target)), clause.actions))
        };
        match &rule.resources {
            Resources::Plain(all) => {
                let own = all.iter().enumerate().filter_map(|(at, resource)| {
                    match of.connections().zip(canonical_name(resource)) {
                        Some((actions, (host, port))) => {
                            Some(item(at, Subject::Name(host, port), actions))
                        }
                        None => parsed(at, of.plain(resource)),
                    }
                });
                items.extend(own);
            }
            Resources::Http(all) => {
                let own = all.iter().enumerate();
                items.extend(own.filter_map(|(at, resource)| parsed(at, of.http(resource))));
            }
        }
    }
    items
}

impl<'a> Item<'a> {
    /// The host and the port of a plain name.
    pub(super) fn name(&self) -> Option<(&'a str, Option<u16>)> {
        match self.subject {
            Subject::Name(host, port) => Some((host, port)),
            Subject::Parsed(_) => None,
        }
    }
}

impl Item<'_> {
    /// The policy's index in the given list.
    #[must_use]
    pub fn policy(&self) -> usize {
        self.policy as usize
    }

    /// The rule's index in the policy.
    #[must_use]
    pub fn rule(&self) -> usize {
        self.rule as usize
    }

    /// The resource's index in the rule.
    #[must_use]
    pub fn resource(&self) -> usize {
        self.resource as usize
    }

    /// The policy and the rule, by their indexes.
    pub(super) fn of_rule(&self) -> (usize, usize) {
        (self.policy(), self.rule())
    }

    pub(super) fn subject(&self) -> &Subject<'_> {
        &self.subject
    }

    pub(super) fn target(&self) -> Cow<'_, Target> {
        match &self.subject {
            Subject::Name(host, port) => {
                Cow::Owned(Target::Network(Destination::canonical(host, *port)))
            }
            Subject::Parsed(target) => Cow::Borrowed(target),
        }
    }

    /// The open questions of every match of its host.
    pub(super) fn unknowns(&self) -> Unknowns {
        self.parsed().and_then(Target::destination).map_or(Unknowns::NONE, |own| own.unknowns)
    }

    /// Returns `true` if it certainly matches its host on this port, or on every port.
    pub(super) fn is_certain_at(&self, port: Option<u16>) -> bool {
        self.unknowns().is_empty() && self.port().is_none_or(|own| port == Some(own))
    }

    /// Returns `true` if the target is one for requests.
    pub(super) fn is_http(&self) -> bool {
        matches!(self.parsed(), Some(Target::Http(..)))
    }

    /// The folder that it concerns.
    pub(super) fn folder(&self) -> Option<&Sequence> {
        match self.parsed()? {
            Target::Folder(folder) => Some(folder),
            Target::Network(_) | Target::Http(..) => None,
        }
    }

    /// The target, unless it is a name that is parsed only when asked for. That one has no wildcard.
    pub(super) fn parsed(&self) -> Option<&Target> {
        match &self.subject {
            Subject::Name(..) => None,
            Subject::Parsed(target) => Some(target),
        }
    }

    /// The host pattern, if it is a name.
    fn names(&self) -> Option<Cow<'_, str>> {
        match &self.subject {
            Subject::Name(host, _) => Some(Cow::Borrowed(host)),
            Subject::Parsed(target) => target.names().map(|names| Cow::Owned(text::name(names))),
        }
    }

    /// Returns `true` if this item governs everybody whom `other` governs.
    #[must_use]
    pub fn governs_all_of(&self, other: &Self) -> bool {
        self.scope.governs_all_of(other.scope)
    }

    /// The kind of resource that it concerns.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.parsed() {
            Some(Target::Network(Destination { host: HostPattern::Cidr(block), .. })) => {
                Kind::Block(*block)
            }
            None | Some(Target::Network(_)) => Kind::Host,
            Some(Target::Http(..)) => Kind::Http,
            Some(Target::Folder(_)) => Kind::Folder,
        }
    }

    /// Returns `true` if it matches every host.
    #[must_use]
    pub fn is_every_host(&self) -> bool {
        match self.parsed() {
            Some(target @ Target::Network(_)) => {
                target.names().is_some_and(|names| names.tokens == [Token::Deep])
            }
            Some(Target::Http(..) | Target::Folder(_)) | None => false,
        }
    }

    /// Returns `true` if its host is `*` alone.
    #[must_use]
    pub fn is_lone_star(&self) -> bool {
        self.parsed()
            .and_then(Target::names)
            .is_some_and(|names| names.unknowns.contains(Unknown::LoneStar))
    }

    /// The parties that know the names that it matches; `None` if it matches no names, or all of
    /// them.
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        let names = if self.kind() == Kind::Host { self.names()? } else { return None };
        (names != "**").then(|| Known::from_name(&names))
    }

    /// The host pattern without port and path; `None` for addresses, blocks, folders, and invalid
    /// hosts.
    #[must_use]
    pub fn host(&self) -> Option<Cow<'_, str>> {
        self.names().filter(|_| !self.is_malformed())
    }

    /// The path of an HTTP rule.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        match self.parsed()? {
            Target::Http(_, path) => Some(text::request_path(path)),
            Target::Network(_) | Target::Folder(_) => None,
        }
    }

    /// The port, if there is only one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match &self.subject {
            Subject::Name(_, port) => *port,
            Subject::Parsed(target) => target.port(),
        }
    }

    /// The address, if it has one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self.parsed()?.host()? {
            HostPattern::Address(address) => Some(*address),
            HostPattern::Names(_) | HostPattern::Cidr(_) => None,
        }
    }

    /// Returns `true` if its syntax is invalid, so that findings about its pattern would mislead.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        let unknowns = self.folder().map_or_else(|| self.unknowns(), |folder| folder.unknowns);
        unknowns.contains(Unknown::Malformed)
    }

    /// Returns `true` if both concern the same protocol of connections.
    #[must_use]
    pub fn shares_actions_with(&self, other: &Self) -> bool {
        self.actions.meets(other.actions)
    }

    /// The pattern in readable form.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.subject {
            Subject::Name(host, port) => text::connections(host, *port),
            Subject::Parsed(target) => target.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Body};

    #[test]
    fn a_name_answers_as_its_parsed_form() {
        let resources = ["a.example.com", "b.example.com:443", "c.svc.cluster.local", "x.y"];
        let rule = Rule {
            name: "r".to_owned(),
            decision: Decision::Deny,
            actions: vec![Action::ConnectTcp],
            resources: Resources::Plain(resources.map(str::to_owned).into()),
        };
        let body = Body::Allowlist(vec![rule]);
        let policy = Policy { name: "p".to_owned(), scope: Scope::Organization, body };
        let names = items(0, &policy, &policy.scope);
        let parsed = items(0, &policy, &policy.scope).into_iter().map(|item| {
            let target = Target::Network(Destination::parse(&item.text()));
            Item { subject: Subject::Parsed(Box::new(target)), ..item }
        });
        let answers = |item: &Item<'_>| {
            (
                (item.of_rule(), item.resource(), item.text(), item.target().into_owned()),
                (item.kind(), item.known(), item.port(), item.path(), item.address()),
                (item.host().map(Cow::into_owned), item.unknowns(), item.folder().cloned()),
                (item.is_every_host(), item.is_malformed(), item.is_http()),
            )
        };
        assert_eq!(names.len(), resources.len());
        for ((name, parsed), resource) in names.iter().zip(parsed).zip(resources) {
            assert_eq!(
                *name.subject(),
                Subject::Name(resource.split(':').next().unwrap(), name.port())
            );
            assert_eq!(answers(name), answers(&parsed), "{resource}");
        }
    }
}
