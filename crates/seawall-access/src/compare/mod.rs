//! The effect of a change on access: which audiences gain and lose what.
//!
//! The two states are split into clauses ([`state_clauses`]), these into classes ([`Universe`]),
//! each class is judged for every relevant audience ([`outcome`]), and differences are described in
//! the patterns of the rules ([`cover`]). Of names that no rule tells apart, one goes through all
//! this for the others ([`alike`]).
//!
//! The words of [`Entry::access`]: `connect:tcp HOST` and `connect:udp HOST` with a host pattern,
//! and `:PORT` where it is one port; `read PATH` and `write PATH`, of which a writable mount needs
//! both; `GET,HEAD https://HOST/PATH` for requests, `http://` for port 80, no scheme for every
//! port, and `ANY` for every method. After these, ` except …` takes something away, ` in part`
//! leaves open which part of a pattern is meant, where no pattern of a rule says it, and ` at …`
//! holds only where the host has such an address. Requests that follow from a connection are not
//! listed beside it. `** in another spelling` is whatever may be what rules name and is written
//! otherwise: a path in another letter case, a folder below the usual place of home folders. What
//! rules open or close in their own spelling they may open or close in another one too, or leave as
//! it is; that goes without saying, or every change to a path would be uncertain. It is listed
//! where a rule that opens, or closes, has nothing certain listed for the same audience.
//!
//! Invariant: an entry is listed exactly when some request changes for its audience and for no
//! smaller one; `uncertain` says where something undocumented would make a difference. Where rules
//! tell apart more than can be looked through, what they say is uncertain as a whole, and the
//! comparison is another one by its type: [`Comparison::Incomplete`].

mod access;
mod alike;
mod catalogues;
mod causes;
mod change_classes;
mod cover;
mod describe;
mod incomplete;
mod mcp;
mod numbering;
mod outcome;
mod state_clauses;
mod team_classes;
mod teams;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Decision, Domain, Policy, Rule, TeamDirectory};

pub use self::access::Access;
use self::alike::{AlikeHosts, Reduced};
use self::change_classes::change_classes;
use self::outcome::Outcome;
use self::state_clauses::StateClauses;
use super::classes::Spelling;
use super::essential::{Effort, Wanted, Why};
use super::universe::{SurveyLimit, Universe};

/// The effect of a change on access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The lists hold every change.
    Complete(Changes),
    /// The comparison was cut short. The access of certain rules is listed as uncertain, and
    /// everything else as usual.
    Incomplete(Changes, Incomplete),
}

/// Access that changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Access that an audience gains.
    pub widened: Vec<Entry>,
    /// Access that an audience loses.
    pub narrowed: Vec<Entry>,
    /// Access that may change: that depends on something that is not documented, or that was not
    /// compared.
    pub uncertain: Vec<Entry>,
}

/// The part of a comparison that was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// The kinds of target of which there were too many; not empty.
    pub why: BTreeSet<SurveyLimit>,
    /// The added and removed rules about these.
    pub rules: Vec<Arc<Cause>>,
    /// The audiences that they govern.
    pub audiences: Vec<Arc<Audience>>,
    /// The patterns of any rules that have the most wildcards, a few.
    pub patterns: Vec<String>,
}

/// Access that changes for an audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The audience: members of exactly these teams, and of further teams whose rules do not matter
    /// here.
    pub audience: Arc<Audience>,
    /// The access that changes, in patterns.
    pub access: Access,
    /// An example, as `can` takes it.
    pub witness: String,
    /// The rules that make the difference.
    pub because: Arc<[Arc<Cause>]>,
    /// True if the audience may gain something; certainly in `widened`.
    pub widens: bool,
    /// True if the audience may lose something; certainly in `narrowed`.
    pub narrows: bool,
}

/// Members of exactly these teams.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Audience {
    /// Names of at most two teams, sorted; empty for a member of none, which represents the whole
    /// organization.
    pub teams: Vec<String>,
    /// For each of these, the other teams with the same change, sorted; empty if each team has its
    /// own entries.
    pub alike: Vec<Vec<String>>,
}

/// A rule that makes the difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// True for a rule of the new state whose effect starts; false for one of the old state whose
    /// effect ends.
    pub comes: bool,
    /// The policy's name, in its own state.
    pub policy: String,
    /// The rule's name; `None` for a policy as a whole.
    pub rule: Option<String>,
    /// The decision of the rule.
    pub decision: Option<Decision>,
    /// The index of an MCP statement in its policy's text.
    pub statement: Option<usize>,
}

impl Cause {
    fn of_rule(comes: bool, policy: &Policy, rule: &Rule) -> Self {
        let (policy, name) = (policy.name.clone(), rule.name.clone());
        Self { comes, policy, rule: Some(name), decision: Some(rule.decision), statement: None }
    }

    /// Returns `true` if it grants access; `false` if it takes it away.
    fn opens(&self) -> bool {
        self.comes == (self.decision == Some(Decision::Allow))
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let asks = self.rule.as_ref().is_some_and(|rule| rule.starts_with("@requireApproval"));
        let decision = match self.decision {
            Some(Decision::Allow) if asks => "ask for approval ",
            Some(Decision::Allow) => "allow ",
            Some(Decision::Deny) => "deny ",
            None => "",
        };
        let rule = self.rule.as_ref().map(|rule| format!(" › {rule}")).unwrap_or_default();
        let now = if self.comes { "now" } else { "no longer" };
        write!(f, "{now} {decision}`{}{rule}`", self.policy)
    }
}

/// Compares two states of an organization's policies. `teams` gives the names of teams.
#[must_use]
pub fn compare(old: &[Policy], new: &[Policy], teams: &TeamDirectory) -> Comparison {
    compare_within(old, new, teams, Effort::default())
}

/// The same with other limits.
fn compare_within(
    old: &[Policy],
    new: &[Policy],
    teams: &TeamDirectory,
    effort: Effort,
) -> Comparison {
    let reduced = alike::reduce(old, new)
        .map(|Reduced { old, new, alike }| of_rules((&old, &new), &alike, teams, effort));
    // Fewer names allow fewer distinctions: the limit is that of all names.
    let complete = reduced.filter(|(_, incomplete)| incomplete.is_none());
    let (mut changes, incomplete) =
        complete.unwrap_or_else(|| of_rules((old, new), &AlikeHosts::default(), teams, effort));
    changes.add(mcp::entries(old, new, teams));
    changes.uncertain.extend(domains_that_end(old, new));
    match incomplete {
        None => Comparison::Complete(changes),
        Some(incomplete) => Comparison::Incomplete(changes, incomplete),
    }
}

/// The changes that allow and deny rules make. Names in `alike` stand for others.
fn of_rules(
    (old, new): (&[Policy], &[Policy]),
    alike: &AlikeHosts<'_>,
    teams: &TeamDirectory,
    effort: Effort,
) -> (Changes, Option<Incomplete>) {
    let mut changes = Changes::default();
    let mut incomplete = None;
    let mut statements = StateClauses::new(old, new);
    if !statements.are_equal() {
        let clauses = std::mem::take(&mut statements.clauses);
        let part = |group: usize| statements.change(group).part();
        let wanted = Wanted { why: Why::Change { part: &part, between: false }, effort };
        let (universe, cuts) = Universe::divide(clauses, Spelling::Any, &wanted);
        if !cuts.is_empty() {
            let (what, entries) =
                incomplete::entries(&cuts, &universe, &statements, (old, new), teams);
            changes.add(entries);
            incomplete = Some(what);
        }
        statements.join_alike(&universe);
        let change_classes = change_classes(&universe, &statements);
        changes.append(describe::entries(
            &universe,
            &statements,
            (&change_classes, alike),
            (old, new),
            teams,
        ));
        changes.leave_out_what_follows();
    }
    (changes, incomplete)
}

impl Comparison {
    /// Adapts the comparison to states that are complete, since they hold every policy of an
    /// organization. A domain without any policy may be open: if it loses its last policy, no loss
    /// of access is certain.
    #[must_use]
    pub fn of_whole_states(mut self, old: &[Policy], new: &[Policy]) -> Self {
        let (Self::Complete(changes) | Self::Incomplete(changes, _)) = &mut self;
        for domain in [Domain::Network, Domain::Filesystem] {
            if ended(domain, old, new).is_empty() {
                continue;
            }
            let is_about = |entry: &mut Entry| match entry.access.parts().0 {
                "mcp" => false,
                "read" | "write" => domain == Domain::Filesystem,
                _ => domain == Domain::Network,
            };
            changes.uncertain.extend(changes.narrowed.extract_if(.., is_about));
        }
        self
    }
}

impl Changes {
    /// Removes possible changes of other spellings because of rules with the same certain change in
    /// their own spelling.
    fn leave_out_what_follows(&mut self) {
        let is_respelled = |entry: &Entry| entry.access.what().contains(words::RESPELLED);
        type Certain = BTreeMap<Arc<Audience>, BTreeSet<Arc<Cause>>>;
        let audiences: BTreeSet<&Arc<Audience>> = self
            .uncertain
            .iter()
            .filter(|entry| is_respelled(entry))
            .map(|entry| &entry.audience)
            .collect();
        let certain = |entries: &[Entry]| {
            let mut causes: Certain = BTreeMap::new();
            for entry in entries.iter().filter(|entry| audiences.contains(&entry.audience)) {
                causes
                    .entry(entry.audience.clone())
                    .or_default()
                    .extend(entry.because.iter().cloned());
            }
            causes
        };
        let (widened, narrowed) = (certain(&self.widened), certain(&self.narrowed));
        self.uncertain.retain(|entry| {
            // A rule that only reduces a gain or a loss, such as one that another rule replaces, is
            // irrelevant here.
            let by = |certain: &Certain, opens: bool| {
                let leads = |cause: &&Arc<Cause>| cause.opens() == opens;
                certain.get(&entry.audience).is_some_and(|own| {
                    entry.because.iter().any(|cause| leads(&cause))
                        && entry.because.iter().filter(leads).all(|cause| own.contains(cause))
                })
            };
            let follows =
                (!entry.widens || by(&widened, true)) && (!entry.narrows || by(&narrowed, false));
            !(is_respelled(entry) && follows)
        });
    }

    fn push(&mut self, outcome: Outcome, entry: Entry) {
        match outcome {
            Outcome::Widened => self.widened.push(entry),
            Outcome::Narrowed => self.narrowed.push(entry),
            Outcome::Uncertain { .. } => self.uncertain.push(entry),
        }
    }

    fn add(&mut self, entries: impl IntoIterator<Item = (Outcome, Entry)>) {
        entries.into_iter().for_each(|(outcome, entry)| self.push(outcome, entry));
    }

    /// No changes, with room for these: there may be hundreds of thousands.
    fn with_room_for(parts: &[Self]) -> Self {
        let list = |of: fn(&Self) -> &Vec<Entry>| match parts {
            // It is taken as it is.
            [_] => Vec::new(),
            parts => Vec::with_capacity(parts.iter().map(|part| of(part).len()).sum()),
        };
        Self {
            widened: list(|part| &part.widened),
            narrowed: list(|part| &part.narrowed),
            uncertain: list(|part| &part.uncertain),
        }
    }

    fn append(&mut self, others: Self) {
        let Self { widened, narrowed, uncertain } = others;
        for (own, mut others) in [
            (&mut self.widened, widened),
            (&mut self.narrowed, narrowed),
            (&mut self.uncertain, uncertain),
        ] {
            if own.capacity() == 0 {
                // Without a copy: there may be millions.
                *own = others;
            } else {
                own.append(&mut others);
            }
        }
    }
}

/// The policies of a domain that loses its last one.
fn ended(domain: Domain, old: &[Policy], new: &[Policy]) -> Vec<Arc<Cause>> {
    let of = |policies: &[Policy]| -> Vec<String> {
        policies
            .iter()
            .filter(|policy| policy.domain() == Some(domain))
            .map(|policy| policy.name.clone())
            .collect()
    };
    let gone = if of(new).is_empty() { of(old) } else { Vec::new() };
    let cause =
        |policy| Cause { comes: false, policy, rule: None, decision: None, statement: None };
    gone.into_iter().map(cause).map(Arc::new).collect()
}

/// The entries for domains that lose their last policy: it is not documented if everything is still
/// denied then.
fn domains_that_end(old: &[Policy], new: &[Policy]) -> Vec<Entry> {
    [
        (Domain::Network, "connect:tcp **", "connect:tcp example.com:443"),
        (Domain::Filesystem, "read **", "read ~"),
        (Domain::Filesystem, "write **", "write ~"),
    ]
    .into_iter()
    .map(|(domain, access, witness)| (ended(domain, old, new), access, witness))
    .filter(|(because, ..)| !because.is_empty())
    .map(|(because, access, witness)| Entry {
        audience: Arc::default(),
        access: access.to_owned().into(),
        witness: witness.to_owned(),
        because: because.into(),
        widens: true,
        narrows: false,
    })
    .collect()
}

#[cfg(test)]
pub(super) mod tests;
