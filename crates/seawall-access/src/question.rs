//! A request as points, one for each kind of address that the host may have.
//!
//! The address of a name is known when a connection is opened, not when somebody asks. A request is allowed where it is
//! allowed at every address, and denied where it is denied at every one. Two things are said beside the answer rather
//! than make it uncertain, since they would do so for every name: a name that is allowed elsewhere, and would be denied
//! only at addresses that it does not have as a rule ([`Known`]), is allowed; and what denies at some addresses is no
//! reason where nothing allows at any. The other way round nothing is taken for granted: what some address allows is
//! never called denied. Comparisons know nothing of this: they look at every address by itself.
//!
//! Invariant: with an address that was said, the answer is that of one point.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::atom::Atom;
use super::point::{Match, Point, Role, Verdict};
use super::ranges::Known;
use crate::model::{Decision, Domain};

/// A rule or statement that decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The policy's place among those that were given.
    pub policy: usize,
    /// The rule's place in the policy, or the statement's in its Cedar text.
    pub rule: Option<usize>,
    /// The policy's name.
    pub policy_name: String,
    /// The rule's name.
    pub rule_name: Option<String>,
    /// The decision of the rule or statement.
    pub decision: Option<Decision>,
    /// The pattern that matches.
    pub pattern: Option<String>,
    /// The reasons why it is uncertain whether it matches.
    pub doubts: Vec<String>,
}

/// A request as points: it is allowed when each part is, and certain when it is so at every address that is possible.
#[derive(Clone, Debug)]
pub struct Question {
    pub(super) parts: Vec<Part>,
}

/// A part of a request.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// At addresses that are alike; never empty.
    places: Vec<At>,
}

/// A place at addresses that are alike.
#[derive(Clone, Debug)]
struct At {
    place: MatchedPoint,
    /// The blocks of these addresses.
    blocks: Vec<IpNet>,
    /// True if addresses that no block holds are among them, or the one that was said.
    open: bool,
    /// True if these are addresses that the name does not have, as a rule.
    unusual: bool,
}

/// A point, and what matches it with its clause.
#[derive(Clone, Debug)]
pub(super) struct MatchedPoint {
    pub(super) point: Point,
    pub(super) found: Vec<(Match, u32)>,
}

/// The number of blocks that are named.
const NAMED: usize = 4;

impl Part {
    /// A part whose address was said or does not matter.
    pub(super) fn single(place: MatchedPoint) -> Self {
        Self { places: vec![At { place, blocks: Vec::new(), open: true, unusual: false }] }
    }

    /// A part for a name at each kind of address, with the block that they are in, if any.
    pub(super) fn at_addresses(labels: &[String], places: impl Iterator<Item = (Option<IpNet>, MatchedPoint)>) -> Self {
        let mut known: BTreeMap<(bool, Point), usize> = BTreeMap::new();
        let mut all: Vec<At> = Vec::new();
        let name = Known::from_name(&labels.join("."));
        for (block, place) in places {
            let unusual = block.is_some_and(|block| name.hardly_has(&block));
            let at = *known.entry((unusual, place.point.clone())).or_insert(all.len());
            if at == all.len() {
                all.push(At { place, blocks: Vec::new(), open: false, unusual });
            }
            if let Some(own) = all.get_mut(at) {
                own.blocks.extend(block);
                own.open |= block.is_none();
            }
        }
        Self { places: all }
    }

    fn verdicts(&self, unusual: bool, in_force: impl Fn(usize) -> bool) -> BTreeSet<Verdict> {
        let places = self.places.iter().filter(|at| at.unusual == unusual);
        places.map(|at| at.place.point.verdict(&in_force)).collect()
    }

    fn verdict(&self, in_force: impl Fn(usize) -> bool) -> Verdict {
        let usual = self.verdicts(false, &in_force);
        match usual.first() {
            Some(Verdict::Allow) if usual.len() == 1 => Verdict::Allow,
            Some(only) if usual.len() == 1 && self.verdicts(true, in_force).is_subset(&usual) => *only,
            Some(_) | None => Verdict::Uncertain,
        }
    }

    /// The blocks at which this is the answer; `None` stands for all other addresses.
    fn blocks(&self, wanted: Verdict, in_force: impl Fn(usize) -> bool) -> Vec<Option<IpNet>> {
        let places = || self.places.iter().filter(|at| at.place.point.verdict(&in_force) == wanted);
        let blocks = places().flat_map(|at| &at.blocks).copied().collect();
        let rest = places().any(|at| at.open).then_some(None);
        IpNet::aggregate(&blocks).into_iter().map(Some).chain(rest).collect()
    }
}

/// Blocks in words.
fn named(blocks: &[Option<IpNet>]) -> String {
    let text = |block: &Option<IpNet>| block.map_or_else(|| "any other address".to_owned(), |block| block.to_string());
    // One alone is never left out.
    let named = if blocks.len() <= NAMED + 1 { blocks.len() } else { NAMED };
    let mut texts: Vec<String> = blocks.iter().take(named).map(text).collect();
    if blocks.len() > named {
        texts.push(format!("{} more", blocks.len() - named));
    }
    texts.join(", ")
}

impl Question {
    /// Returns `true` if the request is allowed, with the rules that are in force.
    pub fn verdict(&self, in_force: impl Fn(usize) -> bool) -> Verdict {
        self.parts.iter().map(|part| part.verdict(&in_force)).min().unwrap_or(Verdict::Uncertain)
    }

    /// The points that the answer comes from.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.places().map(|place| &place.point)
    }

    fn places(&self) -> impl Iterator<Item = &MatchedPoint> {
        self.parts.iter().flat_map(|part| &part.places).map(|at| &at.place)
    }

    /// Matches of rules, each with the index of its part and of its place in the part.
    pub(super) fn matches(&self) -> impl Iterator<Item = (usize, usize, &Match)> {
        self.parts.iter().enumerate().flat_map(|(part, own)| {
            own.places
                .iter()
                .enumerate()
                .flat_map(move |(place, at)| at.place.point.matches().iter().map(move |found| (part, place, found)))
        })
    }

    /// The places that show why the answer is what it is.
    pub(super) fn telling(&self, verdict: Verdict, in_force: impl Fn(usize) -> bool) -> Vec<&MatchedPoint> {
        let mut telling = Vec::new();
        for part in &self.parts {
            let usual = || part.places.iter().filter(|at| !at.unusual);
            let open = usual().find(|at| at.open && at.place.point.verdict(&in_force) == verdict);
            match (verdict, open) {
                // What decides at every address, or nothing: a block does not deny what nothing allows outside of it.
                (Verdict::Deny, Some(at)) => telling.push(&at.place),
                (Verdict::Allow | Verdict::Deny, _) => telling.extend(usual().map(|at| &at.place)),
                (Verdict::Uncertain, _) => telling.extend(part.places.iter().map(|at| &at.place)),
            }
        }
        telling
    }

    /// The domain that is asked about.
    #[must_use]
    pub fn domain(&self) -> Domain {
        match self.places().map(|place| place.point.atom()).next() {
            Some(Atom::Tcp | Atom::Udp | Atom::Http(_)) => Domain::Network,
            Some(Atom::Read | Atom::Write) => Domain::Filesystem,
            None => Domain::Mcp,
        }
    }

    /// The rules that bear on the request at all, by their places in [`super::State::rules`].
    #[must_use]
    pub fn rules(&self) -> BTreeSet<usize> {
        self.places().flat_map(|place| place.point.matches()).map(|found| found.group).collect()
    }

    /// The same question with a rule that decides the other way round.
    #[must_use]
    pub fn flipped(&self, rule: usize) -> Self {
        let mut flipped = self.clone();
        for at in flipped.parts.iter_mut().flat_map(|part| &mut part.places) {
            at.place.point = at.place.point.flipped(rule);
        }
        flipped
    }

    /// The reason why nothing allows it.
    pub(super) fn unmet(&self, in_force: impl Fn(usize) -> bool) -> String {
        match self.refused(in_force).as_slice() {
            [Atom::Write] if self.parts.len() > 1 => "reading is allowed, but no rule allows writing".to_owned(),
            [Atom::Read] if self.parts.len() > 1 => "writing is allowed, but no rule allows reading".to_owned(),
            _ => "no rule allows it".to_owned(),
        }
    }

    /// The parts that are denied.
    pub(super) fn refused(&self, in_force: impl Fn(usize) -> bool) -> Vec<Atom> {
        let denied = self.parts.iter().filter(|part| part.verdict(&in_force) == Verdict::Deny);
        denied.filter_map(|part| part.places.first()).map(|at| at.place.point.atom()).collect()
    }

    /// The parts that some addresses may open, and no rule for the name does or keeps from it.
    pub(super) fn unnamed(&self, in_force: impl Fn(usize) -> bool) -> Vec<Atom> {
        let unnamed = self.parts.iter().filter(|part| {
            part.verdict(&in_force) == Verdict::Uncertain
                && part.places.iter().any(|at| {
                    let point = &at.place.point;
                    at.open
                        && point.verdict(&in_force) == Verdict::Deny
                        && !point.matches().iter().any(|one| in_force(one.group) && one.decision == Decision::Deny)
                })
        });
        unnamed.filter_map(|part| part.places.first()).map(|at| at.place.point.atom()).collect()
    }

    /// The reasons for an uncertain answer.
    pub(super) fn doubt(&self, because: &[Reason], in_force: impl Fn(usize) -> bool) -> String {
        let at = |wanted| -> Vec<Option<IpNet>> {
            self.parts.iter().flat_map(|part| part.blocks(wanted, &in_force)).collect()
        };
        let (allowed, denied) = (at(Verdict::Allow), at(Verdict::Deny));
        if !allowed.is_empty() && !denied.is_empty() {
            let (allowed, denied) = (named(&allowed), named(&denied));
            return format!(
                "it hangs on the address that the name resolves to: allowed at {allowed}, denied at {denied}; ask with ` at ADDRESS`"
            );
        }
        let mut doubts: Vec<&str> =
            because.iter().flat_map(|reason| reason.doubts.iter().map(String::as_str)).collect();
        doubts.sort_unstable();
        doubts.dedup();
        if doubts.is_empty() { "it hangs on something that is not documented".to_owned() } else { doubts.join("; ") }
    }

    /// The exceptions to what is allowed: denied or uncertain addresses that the name does not have as a rule.
    pub(super) fn exceptions(&self, in_force: impl Fn(usize) -> bool) -> Option<String> {
        let part = self.parts.iter().find(|part| part.verdict(&in_force) == Verdict::Allow)?;
        let denied = part.blocks(Verdict::Deny, &in_force);
        let doubtful = part.blocks(Verdict::Uncertain, &in_force);
        let blocks = [denied, doubtful].concat();
        let not = "not where the name resolves to an address in";
        (!blocks.is_empty()).then(|| format!("{not} {}; ask with ` at ADDRESS` for that", named(&blocks)))
    }

    /// Denies of addresses that are not asked since the name is allowed.
    pub(super) fn overruled(&self, in_force: impl Fn(usize) -> bool) -> bool {
        self.places().any(|place| {
            let matches = || place.point.matches().iter().filter(|one| in_force(one.group));
            matches().any(|one| one.role == Role::Name && one.decision == Decision::Allow)
                && matches().any(|one| one.role == Role::Address && one.decision == Decision::Deny)
        })
    }
}
