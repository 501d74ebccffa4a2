//! Decides if any request that a rule matches may be allowed.
//!
//! Invariant: a *no* is certain. A possible match counts as a match.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::PoisonError;

use ipnet::IpNet;

use super::{Group, Item, Survey};
use crate::clause::{Actions, Target};
use crate::host::HostPattern;
use crate::model::Decision;
use crate::pattern::{Sequence, Token};
use crate::target_index::surrounding;

/// The access that is allowed by address, and whether any request is allowed.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    any_request: bool,
    any_block: Actions,
    blocks: BTreeMap<IpNet, Actions>,
    /// The blocks among them that contain most addresses. Nearly all organizations have none.
    wide: BTreeSet<IpNet>,
}

impl Allowed {
    /// Returns `true` if a large allowed block contains this address and most others.
    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        !self.wide.is_empty()
            && surrounding(IpNet::from(address)).any(|net| self.wide.contains(&net))
    }

    pub(super) fn add(&mut self, target: &Target, actions: Actions) {
        self.any_request |= matches!(target, Target::Http(..));
        if let Some(block) = target.block() {
            self.any_block = self.any_block.union(actions);
            let own = self.blocks.entry(block).or_default();
            *own = own.union(actions);
            if block.prefix_len() < if matches!(block, IpNet::V4(_)) { 8 } else { 16 } {
                self.wide.insert(block);
            }
        }
    }

    /// The actions that are allowed on this block or on one that contains it.
    fn around(&self, block: IpNet) -> Actions {
        let own = surrounding(block).filter_map(|net| self.blocks.get(&net));
        own.fold(Actions::default(), |all, own| all.union(*own))
    }

    /// The actions that are allowed on blocks inside of this one.
    fn inside(&self, block: IpNet) -> Actions {
        let first = IpNet::new(block.network(), 0).unwrap_or(block);
        let last = IpNet::from(block.broadcast());
        self.blocks
            .range(first..=last)
            .filter(|(net, _)| block.contains(*net))
            .fold(Actions::default(), |all, (_, own)| all.union(*own))
    }
}

impl Survey<'_> {
    /// Returns `true` if something that `of` matches may be allowed. A rule on a name and one on
    /// addresses may overlap, since a name has some address; so may a rule on connections and one
    /// on requests.
    #[must_use]
    pub fn meets_an_allow(&self, of: &Item<'_>) -> bool {
        if of.name().is_some() {
            // Looking it up takes as long.
            return self.may_be_allowed(&of.target(), of.actions);
        }
        let key = (of.pattern, of.actions);
        let known = || self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(met) = known().get(&key) {
            return *met;
        }
        let met = self.may_be_allowed(&of.target(), of.actions);
        known().insert(key, met);
        met
    }

    pub(super) fn may_be_allowed(&self, target: &Target, actions: Actions) -> bool {
        let http = matches!(target, Target::Http(..));
        let connects = if http { Actions::TCP } else { actions };
        let port = target.port();
        let allows = |number: u32, actions: Actions| {
            let own = self.item(number);
            let on_port = port.is_none() || own.port().is_none_or(|own| Some(own) == port);
            own.decision == Decision::Allow && on_port && own.actions.meets(actions)
        };
        let requests = if http { actions } else { Actions::HTTP };
        let group = |group: &Group| {
            let by_request = match target {
                Target::Http(_, path) => {
                    let walk = |path: &Sequence| {
                        group.paths().is_some_and(|paths| {
                            paths.meets(path, |number| allows(number, requests))
                        })
                    };
                    // `/*` may match `/`.
                    walk(path)
                        || path.tokens == [Token::One]
                            && walk(&Sequence { tokens: Vec::new(), ..path.clone() })
                }
                Target::Network(_) | Target::Folder(_) => {
                    actions.meets(Actions::TCP)
                        && group.http().iter().any(|number| allows(*number, requests))
                }
            };
            by_request || group.network.iter().any(|number| allows(*number, connects))
        };
        let destination = match target {
            Target::Folder(folder) => {
                return self.folders.meets(folder, |number| allows(number, actions));
            }
            Target::Network(destination) | Target::Http(destination, _) => destination,
        };
        match &destination.host {
            HostPattern::Names(names) => {
                self.allowed.any_block.meets(connects)
                    || self.meets_host(names, |at| self.group(at).is_some_and(group))
                    || names.tokens == [Token::Deep]
                        && self.literals.values().filter_map(|at| self.group(*at)).any(group)
            }
            HostPattern::Address(address) => {
                let own = self.group_at(*address);
                own.into_iter().chain(self.groups_of_any_address()).any(group)
                    || self.allowed.around(IpNet::from(*address)).meets(connects)
            }
            HostPattern::Cidr(block) => {
                let inside = self.literals.range(block.network()..=block.broadcast());
                self.allowed.any_request && actions.meets(Actions::TCP)
                    || self
                        .allowed
                        .around(*block)
                        .union(self.allowed.inside(*block))
                        .meets(connects)
                    || inside.filter_map(|(_, at)| self.group(*at)).any(group)
                    || self.groups_of_any_address().any(group)
            }
        }
    }
}
