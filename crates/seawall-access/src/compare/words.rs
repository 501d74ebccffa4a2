//! The patterns of the rules, for each kind of members with reported changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::atom::Atom;
use crate::clause::Actions;
use crate::parallel;
use crate::text;
use crate::universe::{Host, HostClass, Universe};
use crate::witness::bracketed;

use super::alike::AlikeHosts;
use super::catalogues::{ANY_OTHER_ADDRESS, Catalogues, own_name};
use super::change_classes::{At, ChangeClass, ChangeClasses, Kind, Members};
use super::cover::{Catalogue, Description, Named};
use super::numbering::Numbering;

/// The text for targets that may be another spelling of a name in rules.
pub(super) const RESPELLED: &str = "** in another spelling";

/// The patterns of the rules, for each kind of members with reported changes.
pub(super) struct Words<'a> {
    pub(super) change_classes: &'a ChangeClasses,
    pub(super) alike: &'a AlikeHosts<'a>,
    pub(super) numbering: Numbering<'a>,
    folders: Catalogue<'a>,
    hosts: Catalogue<'a>,
    requests: Catalogue<'a>,
    addresses: Catalogue<'a>,
    /// The places to which the address must belong for the change to occur, by number.
    places: Vec<Arc<str>>,
}

impl<'a> Words<'a> {
    pub(super) fn new(
        universe: &'a Universe,
        change_classes: &'a ChangeClasses,
        alike: &'a AlikeHosts<'a>,
    ) -> Self {
        let catalogues = Catalogues::new(universe, alike);
        let needed = |kind, catalogue: &dyn Fn() -> Catalogue<'a>| {
            if change_classes.reports(kind) { catalogue() } else { Catalogue::new(alike) }
        };
        let ((numbering, hosts, addresses, places), (requests, folders)) = parallel::both(
            || {
                let numbering = Numbering::new(universe, change_classes);
                let hosts = needed(Kind::Hosts, &|| catalogues.hosts());
                let addresses = needed(Kind::Addresses, &|| catalogues.addresses());
                (numbering, hosts, addresses, catalogues.places(&change_classes.places))
            },
            || {
                let requests = needed(Kind::Requests, &|| catalogues.requests());
                (requests, needed(Kind::Folders, &|| catalogues.folders()))
            },
        );
        Self { change_classes, alike, numbering, folders, hosts, requests, addresses, places }
    }

    /// Patterns are those of the rules, with their meaning to the service, whether letter case
    /// matters or not. Another spelling is therefore described separately if it is uncertain, and
    /// never makes a pattern untrue.
    pub(super) fn describe(&self, cell: &ChangeClass, members: &Members) -> Vec<Description<'a>> {
        let report = &members.report;
        let numbering = &self.numbering;
        let is_apart = |member: &usize| {
            numbering.is_respelled(cell.kind, *member)
                || numbering.may_be_respelled(cell.kind, *member)
        };
        if !cell.outcome.is_uncertain() {
            // A certain change is the same as the change if case matters, which is described.
            let said = |member: &usize| !numbering.follows(cell, *member);
            return self.in_patterns(
                cell,
                &report.iter().copied().filter(said).collect::<Vec<usize>>(),
                members,
            );
        }
        let (covered, report): (Vec<usize>, Vec<usize>) =
            report.iter().copied().partition(is_apart);
        let mut descriptions = self.in_patterns(cell, &report, members);
        if !covered.is_empty() {
            descriptions.push(Description {
                text: RESPELLED.to_owned(),
                host: None,
                size: usize::MAX,
                covered,
            });
        }
        descriptions
    }

    fn in_patterns(
        &self,
        cell: &ChangeClass,
        report: &[usize],
        members: &Members,
    ) -> Vec<Description<'a>> {
        let is_true = self.change_classes.belongs(cell, members);
        let counts =
            |member: usize| is_true(member) || !self.numbering.is_respelled(cell.kind, member);
        match cell.kind {
            Kind::Folders => {
                self.folders.describe(report, &is_true, &counts, &|left| self.each(cell, left))
            }
            Kind::Addresses => {
                self.addresses.describe(report, &is_true, &|_| true, &|left| self.each(cell, left))
            }
            Kind::Hosts => {
                self.hosts.describe(report, &is_true, &|_| true, &|left| self.each_host(left))
            }
            Kind::Requests => {
                // Requests to hosts without HTTP clauses change like their connections.
                let tcp = ChangeClass { atom: Atom::Tcp, kind: Kind::Hosts, ..cell.clone() };
                let connections = self.change_classes.change_classes.get(&tcp);
                let connects = connections.map(|own| self.change_classes.belongs(&tcp, own));
                let is_true_of_request = |number| {
                    let uncovered = || self.numbering.uncovered(number);
                    is_true(number)
                        || connects
                            .as_ref()
                            .is_some_and(|connects| uncovered().is_some_and(connects))
                };
                let exists = |number| {
                    counts(number)
                        && match (self.numbering.request(number).1, cell.atom) {
                            (Some(request), Atom::Http(method)) => {
                                request.methods.meets(Actions::method(method))
                            }
                            _ => true,
                        }
                };
                self.requests
                    .describe(report, &is_true_of_request, &exists, &|left| self.each(cell, left))
            }
        }
    }

    /// Members one by one.
    fn each(&self, cell: &ChangeClass, members: &BTreeSet<usize>) -> Named {
        let object = |member: usize| {
            if cell.kind == Kind::Requests
                && let (class, _) = self.numbering.request(member)
                && class.host == Host::AnyAddress
            {
                let path = self.numbering.path(member).unwrap_or_else(|| "/".to_owned());
                return text::requests(ANY_OTHER_ADDRESS, Some(class.port), &path);
            }
            self.numbering
                .witness(&ChangeClass { at: None, ..cell.clone() }, member)
                .object()
                .to_owned()
        };
        members.iter().map(|member| (object(*member), vec![*member])).collect()
    }

    /// Hosts one by one.
    fn each_host(&self, members: &BTreeSet<usize>) -> Named {
        let name = |class: &HostClass| {
            let host = own_name(&class.host).unwrap_or_else(|| self.witness_host(class));
            text::connections(host, Some(class.port).filter(|_| !class.other_port))
        };
        members.iter().map(|member| (name(self.numbering.host(*member)), vec![*member])).collect()
    }

    fn witness_host(&self, class: &HostClass) -> String {
        match &class.host {
            Host::Name { name, .. } => name.clone(),
            Host::Address(address) => bracketed(*address),
            Host::AnyAddress => String::new(),
        }
    }

    /// The place to which the address must belong for the change to occur.
    pub(super) fn at(&self, at: At) -> Arc<str> {
        at.and_then(|at| self.places.get(at)).cloned().unwrap_or_default()
    }
}
