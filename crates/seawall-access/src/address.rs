//! The classes of addresses that a set of CIDR blocks distinguishes.
//!
//! Two blocks are disjoint or one contains the other, so that the blocks form a forest, and each
//! class is a block without the blocks inside of it. Invariant: every address is in exactly one
//! class, and each class has a member.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::trie::Hit;

/// CIDR blocks, each with the effect of a match.
pub(super) type Blocks = BTreeMap<IpNet, Vec<Hit>>;

/// Addresses that the same clauses match.
#[derive(Clone, Debug)]
pub(super) struct AddressClass {
    /// A member.
    pub(super) witness: IpAddr,
    /// True if rules name every member as a separate host.
    pub(super) named: bool,
    /// Sorted.
    pub(super) hits: Vec<Hit>,
}

/// The classes; the one that no block contains comes first. Members that are not `named` are
/// preferred.
pub(super) fn address_classes(blocks: &Blocks, named: &BTreeSet<IpAddr>) -> Vec<AddressClass> {
    let everything = [IpNet::from(Ipv4Net::default()), IpNet::from(Ipv6Net::default())];
    let mut nets: Vec<IpNet> = blocks.keys().copied().chain(everything).collect();
    nets.sort_unstable_by_key(|net| (net.network(), net.prefix_len()));
    nets.dedup();
    let mut classes = Vec::new();
    let mut around: Vec<(IpNet, &[Hit])> = Vec::new();
    for (at, net) in nets.iter().enumerate() {
        around.retain(|(outer, _)| outer.contains(net));
        around.push((*net, blocks.get(net).map(Vec::as_slice).unwrap_or_default()));
        let after = nets.get(at + 1..).unwrap_or_default();
        let count = after.iter().take_while(|inner| net.contains(*inner)).count();
        let inside = after.get(..count).unwrap_or_default();
        let free = member(net, inside, named);
        if let Some(witness) = free.or_else(|| member(net, inside, &BTreeSet::new())) {
            let mut hits: Vec<Hit> = around.iter().flat_map(|(_, hits)| *hits).copied().collect();
            hits.sort_unstable();
            classes.push(AddressClass { witness, named: free.is_none(), hits });
        }
    }
    classes.sort_by_key(|class| !class.hits.is_empty());
    classes
}

/// The clauses whose block holds the address, sorted.
pub(super) fn hits(blocks: &Blocks, address: IpAddr) -> Vec<Hit> {
    let around = (0..=IpNet::from(address).max_prefix_len())
        .filter_map(|length| IpNet::new(address, length).ok());
    let mut hits: Vec<Hit> =
        around.filter_map(|net| blocks.get(&net.trunc())).flatten().copied().collect();
    hits.sort_unstable();
    hits
}

/// Addresses reserved for documentation, which people recognize as examples.
const EXAMPLES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// An address of `net` outside of the given blocks, which are sorted by their start. The network
/// address is the last choice, since people ask about hosts.
fn member(net: &IpNet, inside: &[IpNet], named: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    let first = net.network();
    let free = |address: &IpAddr| {
        net.contains(address) && !inside.iter().any(|inner| inner.contains(address))
    };
    if let Some(example) = EXAMPLES.iter().find(|example| free(example) && !named.contains(example))
    {
        return Some(*example);
    }
    let host = successor(first).filter(|next| net.contains(next));
    host.and_then(|next| free_from(next, net, inside, named))
        .or_else(|| free_from(first, net, inside, named))
}

fn free_from(
    mut candidate: IpAddr,
    net: &IpNet,
    inside: &[IpNet],
    named: &BTreeSet<IpAddr>,
) -> Option<IpAddr> {
    for inner in inside {
        while candidate < inner.network() && named.contains(&candidate) {
            candidate = successor(candidate)?;
        }
        if inner.contains(&candidate) {
            candidate = successor(inner.broadcast())?;
        }
    }
    while named.contains(&candidate) {
        candidate = successor(candidate)?;
    }
    net.contains(&candidate).then_some(candidate)
}

fn successor(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_add(1).map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(v6) => v6.to_bits().checked_add(1).map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}
