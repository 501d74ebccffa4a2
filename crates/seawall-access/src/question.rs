//! A request as points, one for each kind of address that its host may have.
//!
//! The address of a name is known when a connection is opened, not when somebody asks. A request is
//! allowed if it is allowed at every address, and denied if it is denied at every address. Two
//! facts are reported beside the answer instead of making it uncertain, since they apply to every
//! name. A name that is allowed elsewhere, and would be denied only at addresses that it usually
//! does not have ([`Known`]), is allowed. A deny of some addresses is not a reason if no allow
//! matches any address. The opposite is not assumed: a request that some address allows is never
//! denied. Comparisons do not use this: they look at every address separately.
//!
//! Invariant: with a stated address, the answer is that of a single point.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::atom::Atom;
use super::point::{Match, Point, Role, Verdict};
use super::ranges::Known;
use super::unknowns::Unknowns;
use crate::model::{Decision, Domain};

/// A rule or statement that decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The policy's index in the given list.
    pub policy: usize,
    /// The rule's index in the policy, or the statement's in its Cedar text.
    pub rule: Option<usize>,
    /// The policy's name.
    pub policy_name: String,
    /// The rule's name.
    pub rule_name: Option<String>,
    /// The decision of the rule or statement.
    pub decision: Option<Decision>,
    /// The pattern that matches.
    pub pattern: Option<String>,
    /// The reasons why the match is uncertain.
    pub doubts: Vec<String>,
}

/// A request as points: it is allowed if each part is, and certain if it is so at every possible
/// address.
#[derive(Clone, Debug)]
pub struct Question {
    pub(super) parts: Vec<Part>,
}

/// A part of a request.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The places with equivalent addresses; never empty.
    places: Vec<At>,
}

/// A place with equivalent addresses.
#[derive(Clone, Debug)]
struct At {
    place: MatchedPoint,
    /// The blocks of these addresses.
    blocks: Vec<IpNet>,
    /// True if addresses outside of every block are among them, or the stated address.
    open: bool,
    /// True if the name usually does not have these addresses.
    unusual: bool,
}

/// A point, and its matches with their clauses.
#[derive(Clone, Debug)]
pub(super) struct MatchedPoint {
    pub(super) point: Point,
    pub(super) found: Vec<(Match, u32)>,
}

/// The largest number of blocks that are named.
const NAMED: usize = 4;

impl Part {
    /// A part whose address is stated or irrelevant.
    pub(super) fn single(place: MatchedPoint) -> Self {
        Self { places: vec![At { place, blocks: Vec::new(), open: true, unusual: false }] }
    }

    /// A part for a name at each kind of address, with its block, if there is one.
    pub(super) fn at_addresses(
        name: Known,
        places: impl Iterator<Item = (Option<IpNet>, MatchedPoint)>,
    ) -> Self {
        let mut known: BTreeMap<(bool, Point), usize> = BTreeMap::new();
        let mut all: Vec<At> = Vec::new();
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
            Some(only) if usual.len() == 1 && self.verdicts(true, in_force).is_subset(&usual) => {
                *only
            }
            Some(_) | None => Verdict::Uncertain,
        }
    }

    /// The blocks with this answer; `None` represents all other addresses.
    fn blocks(&self, wanted: Verdict, in_force: impl Fn(usize) -> bool) -> Vec<Option<IpNet>> {
        let places = || self.places.iter().filter(|at| at.place.point.verdict(&in_force) == wanted);
        let blocks = places().flat_map(|at| &at.blocks).copied().collect();
        let rest = places().any(|at| at.open).then_some(None);
        IpNet::aggregate(&blocks).into_iter().map(Some).chain(rest).collect()
    }
}

/// A list of blocks in words.
fn named(blocks: &[Option<IpNet>]) -> String {
    let text = |block: &Option<IpNet>| {
        block.map_or_else(|| "any other address".to_owned(), |block| block.to_string())
    };
    // A list never leaves out just one item.
    let named = if blocks.len() <= NAMED + 1 { blocks.len() } else { NAMED };
    let mut texts: Vec<String> = blocks.iter().take(named).map(text).collect();
    if blocks.len() > named {
        texts.push(format!("{} more", blocks.len() - named));
    }
    texts.join(", ")
}

impl Question {
    /// Returns `true` if the request is allowed for the rules in force.
    pub fn verdict(&self, in_force: impl Fn(usize) -> bool) -> Verdict {
        self.parts.iter().map(|part| part.verdict(&in_force)).min().unwrap_or(Verdict::Uncertain)
    }

    /// The points that determine the answer.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.places().map(|place| &place.point)
    }

    fn places(&self) -> impl Iterator<Item = &MatchedPoint> {
        self.parts.iter().flat_map(|part| &part.places).map(|at| &at.place)
    }

    /// Matches of rules, each with the index of its part and of its place in that.
    pub(super) fn matches(&self) -> impl Iterator<Item = (usize, usize, &Match)> {
        self.parts.iter().enumerate().flat_map(|(part, own)| {
            own.places.iter().enumerate().flat_map(move |(place, at)| {
                at.place.point.matches().iter().map(move |found| (part, place, found))
            })
        })
    }

    /// The places that are the reason for the answer.
    pub(super) fn telling(
        &self,
        verdict: Verdict,
        in_force: impl Fn(usize) -> bool,
    ) -> Vec<&MatchedPoint> {
        let mut telling = Vec::new();
        for part in &self.parts {
            let usual = || part.places.iter().filter(|at| !at.unusual);
            let open = usual().find(|at| at.open && at.place.point.verdict(&in_force) == verdict);
            match (verdict, open) {
                // The rules that decide at every address; without them, a block is not a reason for
                // a denial, since nothing allows the request outside of it.
                (Verdict::Deny, Some(at)) => telling.push(&at.place),
                (Verdict::Allow | Verdict::Deny, _) => telling.extend(usual().map(|at| &at.place)),
                (Verdict::Uncertain, _) => telling.extend(part.places.iter().map(|at| &at.place)),
            }
        }
        telling
    }

    /// The domain of the request.
    #[must_use]
    pub fn domain(&self) -> Domain {
        match self.places().map(|place| place.point.atom()).next() {
            Some(Atom::Tcp | Atom::Udp | Atom::Http(_)) => Domain::Network,
            Some(Atom::Read | Atom::Write) => Domain::Filesystem,
            None => Domain::Mcp,
        }
    }

    /// The rules that affect the request, by their indexes in [`super::State::rules`].
    #[must_use]
    pub fn rules(&self) -> BTreeSet<usize> {
        self.places().flat_map(|place| place.point.matches()).map(|found| found.group).collect()
    }

    /// The same question with the other decision of a rule.
    #[must_use]
    pub fn flipped(&self, rule: usize) -> Self {
        let mut flipped = self.clone();
        for at in flipped.parts.iter_mut().flat_map(|part| &mut part.places) {
            at.place.point = at.place.point.flipped(rule);
        }
        flipped
    }

    /// The reason why no rule allows it.
    pub(super) fn unmet(&self, in_force: impl Fn(usize) -> bool) -> String {
        match self.refused(in_force).as_slice() {
            [Atom::Write] if self.parts.len() > 1 => {
                "reading is allowed, but no rule allows writing".to_owned()
            }
            [Atom::Read] if self.parts.len() > 1 => {
                "writing is allowed, but no rule allows reading".to_owned()
            }
            _ => "no rule allows it".to_owned(),
        }
    }

    /// The denied parts.
    pub(super) fn refused(&self, in_force: impl Fn(usize) -> bool) -> Vec<Atom> {
        let denied = self.parts.iter().filter(|part| part.verdict(&in_force) == Verdict::Deny);
        denied.filter_map(|part| part.places.first()).map(|at| at.place.point.atom()).collect()
    }

    /// The parts that some addresses may open, and that no rule for the name allows or denies.
    pub(super) fn unnamed(&self, in_force: impl Fn(usize) -> bool) -> Vec<Atom> {
        let unnamed = self.parts.iter().filter(|part| {
            part.verdict(&in_force) == Verdict::Uncertain
                && part.places.iter().any(|at| {
                    let point = &at.place.point;
                    at.open
                        && point.verdict(&in_force) == Verdict::Deny
                        && !point
                            .matches()
                            .iter()
                            .any(|one| in_force(one.group) && one.decision == Decision::Deny)
                })
        });
        unnamed.filter_map(|part| part.places.first()).map(|at| at.place.point.atom()).collect()
    }

    /// The reasons for an uncertain answer, which depends on these open questions.
    pub(super) fn doubt(&self, unknowns: Unknowns, in_force: impl Fn(usize) -> bool) -> String {
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
        let mut doubts: Vec<String> = unknowns.iter().map(|unknown| unknown.to_string()).collect();
        doubts.sort_unstable();
        doubts.dedup();
        if doubts.is_empty() {
            "it hangs on something that is not documented".to_owned()
        } else {
            doubts.join("; ")
        }
    }

    /// The exceptions of an allowed request: denied or uncertain addresses that the name usually
    /// does not have.
    pub(super) fn exceptions(&self, in_force: impl Fn(usize) -> bool) -> Option<String> {
        let part = self.parts.iter().find(|part| part.verdict(&in_force) == Verdict::Allow)?;
        let denied = part.blocks(Verdict::Deny, &in_force);
        let doubtful = part.blocks(Verdict::Uncertain, &in_force);
        let blocks = [denied, doubtful].concat();
        let not = "not where the name resolves to an address in";
        (!blocks.is_empty())
            .then(|| format!("{not} {}; ask with ` at ADDRESS` for that", named(&blocks)))
    }

    /// Denies of addresses that do not apply since the name is allowed.
    pub(super) fn overruled(&self, in_force: impl Fn(usize) -> bool) -> bool {
        self.places().any(|place| {
            let matches = || place.point.matches().iter().filter(|one| in_force(one.group));
            matches().any(|one| one.role == Role::Name && one.decision == Decision::Allow)
                && matches().any(|one| one.role == Role::Address && one.decision == Decision::Deny)
        })
    }
}
