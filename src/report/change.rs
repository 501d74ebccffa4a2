//! What changes: access that audiences gain or lose, and what that would have meant for recorded requests.

use serde::Serialize;

use super::id::Id;
use super::named::Named;
use super::place::{Links, Place, place};
use super::text::{Text, count, listed, pieces};
use crate::access::{Access, Audience, Changes, Comparison, Entry};
use crate::evidence::Window;
use crate::evidence::replay::{self, Replay};
use crate::evidence::usage::Usage;
use crate::model::Origin;
use crate::plan::guard::Verdict;
use crate::plan::meaning::{self, Meaning};

/// So many entries are listed of each kind.
const MOST_ENTRIES: usize = 1_000;

/// What changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// From what: `the live state`, `the documents of main`.
    pub from: Text,
    /// In one sentence.
    pub headline: String,
    /// How much changes.
    pub total: usize,
    /// Widened, uncertain, narrowed.
    pub parts: Vec<Part<Changed>>,
    /// What the guards say.
    pub guards: Vec<Guarded>,
}

/// Entries of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part<T> {
    /// The kind.
    pub title: &'static str,
    /// How it is coloured.
    pub tone: &'static str,
    /// The entries.
    pub entries: Vec<T>,
    /// How many more there are.
    pub more: usize,
}

/// Access that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// For whom.
    pub audience: String,
    /// What is done.
    pub action: String,
    /// On what.
    pub object: String,
    /// One request that changes, where the target does not say it itself.
    pub witness: Option<String>,
    /// The rules that make the difference.
    pub because: Vec<Because>,
}

/// A rule that makes a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Because {
    /// What it does, with its name.
    pub text: Text,
    /// Where the report lists it; absent for what is no longer there.
    pub id: Option<Id>,
    /// Where it is declared.
    pub place: Option<Place>,
}

/// What a guard says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guarded {
    /// Its name in `seawall.yaml`.
    pub name: String,
    /// True if it lets the change pass.
    pub ok: bool,
    /// What it found.
    pub message: Text,
}

/// What recorded requests tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// What the records are.
    pub window: String,
    /// How often the model decides as it was recorded.
    pub agreement: Option<String>,
    /// Requests whose decision changes.
    pub parts: Vec<Part<Asked>>,
    /// Of what nobody can tell.
    pub unknown: Vec<Untold>,
}

/// A recorded request whose decision changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Members of which teams.
    pub who: String,
    /// The request.
    pub request: String,
    /// How often, by how many users.
    pub count: String,
    /// The last time.
    pub last: Option<String>,
    /// The rules behind it.
    pub because: Vec<Because>,
}

/// Recorded requests of which nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Untold {
    /// How many.
    pub count: String,
    /// Why.
    pub reason: String,
    /// One of them.
    pub example: String,
}

/// A change as a comparison found it, or as a plan has it.
#[derive(Debug)]
pub enum Difference<'a> {
    /// Two sets of documents.
    Documents(&'a Comparison),
    /// A plan against live state.
    Plan(&'a Meaning, &'a [Verdict]),
}

/// The section about a change.
pub(super) fn change(from: &str, difference: &Difference<'_>, named: &Named<'_>, links: Option<&Links>) -> Change {
    let unguarded: &[Verdict] = &[];
    let ([widened, uncertain, narrowed], cut, guards) = match difference {
        Difference::Documents(comparison) => {
            let (Changes { widened, narrowed, uncertain }, cut) = match comparison {
                Comparison::Complete(changes) => (changes, None),
                Comparison::Incomplete(changes, incomplete) => {
                    let why: Vec<String> = incomplete.why.iter().map(ToString::to_string).collect();
                    (changes, Some(why.join(", and ")))
                }
            };
            let own = |entries: &[Entry]| of_entries(entries, named);
            ([own(widened), own(uncertain), own(narrowed)], cut, unguarded)
        }
        Difference::Plan(meaning, guards) => {
            let meaning::Changes { widened, narrowed, uncertain } = meaning.changes();
            let cut = meaning.incomplete().map(|incomplete| incomplete.why.clone());
            let own = |gains: &[meaning::AccessChange]| of_gains(gains, links);
            ([own(widened), own(uncertain), own(narrowed)], cut, *guards)
        }
    };
    let parts =
        vec![part("Widened", "bad", widened), part("Uncertain", "warn", uncertain), part("Narrowed", "good", narrowed)];
    let total = parts.iter().map(|part| part.entries.len() + part.more).sum();
    let guarded = |verdict: &Verdict| Guarded {
        name: verdict.guard.name().to_owned(),
        ok: verdict.ok,
        message: pieces(&verdict.message),
    };
    let cut = cut.map(|cut| format!(" The comparison is incomplete: {cut}.")).unwrap_or_default();
    Change {
        from: pieces(from),
        headline: headline(&parts) + &cut,
        total,
        parts,
        guards: guards.iter().map(guarded).collect(),
    }
}

fn headline(parts: &[Part<Changed>]) -> String {
    let told: Vec<String> = parts
        .iter()
        .map(|part| (part.title, part.entries.len() + part.more))
        .filter(|(_, number)| *number > 0)
        .map(|(title, number)| match title {
            "Widened" => format!("widens access in {}", count(number, "place")),
            "Narrowed" => format!("narrows it in {}", count(number, "place")),
            _ => format!("may change it in {}", count(number, "place")),
        })
        .collect();
    match told.as_slice() {
        [] => "Nobody gains or loses access.".to_owned(),
        told => format!("It {}.", listed(told, 3)),
    }
}

fn part<T>(title: &'static str, tone: &'static str, mut entries: Vec<T>) -> Part<T> {
    let more = entries.len().saturating_sub(MOST_ENTRIES);
    entries.truncate(MOST_ENTRIES);
    Part { title, tone, entries, more }
}

fn of_entries(entries: &[Entry], named: &Named<'_>) -> Vec<Changed> {
    let changed = |entry: &Entry| {
        let Audience { teams, alike } = &*entry.audience;
        let because = entry.because.iter().map(|cause| {
            let rule = named.cause(cause);
            let (id, place) = match named.holds(cause) {
                true => (rule.id, rule.text.map(|text| Place { text, link: rule.link })),
                false => (None, None),
            };
            Because { text: pieces(&cause.to_string()), id, place }
        });
        let (action, object) = entry.access.parts();
        Changed {
            audience: audience(teams, alike),
            action: action.to_owned(),
            object: object.into_owned(),
            witness: witness(&entry.access, &entry.witness),
            because: because.collect(),
        }
    };
    entries.iter().map(changed).collect()
}

fn of_gains(gains: &[meaning::AccessChange], links: Option<&Links>) -> Vec<Changed> {
    let changed = |gain: &meaning::AccessChange| {
        let (action, object) = gain.access.parts();
        Changed {
            audience: audience(&gain.audience.teams, &gain.audience.alike),
            action: action.to_owned(),
            object: object.into_owned(),
            witness: witness(&gain.access, &gain.witness),
            because: gain.because.iter().map(|because| placed(because, links)).collect(),
        }
    };
    gains.iter().map(changed).collect()
}

/// The example of an access, unless it is the access itself.
fn witness(access: &Access, witness: &str) -> Option<String> {
    (access.text() != witness).then(|| witness.to_owned())
}

/// A reason with its place apart.
fn placed(because: &str, links: Option<&Links>) -> Because {
    // What no longer holds may stand in another version.
    let links = links.filter(|_| because.starts_with("now "));
    match Origin::split_off(because) {
        Some((rule, origin)) => Because { text: pieces(rule), id: None, place: Some(place(&origin, links)) },
        None => Because { text: pieces(because), id: None, place: None },
    }
}

fn audience(teams: &[String], alike: &[Vec<String>]) -> String {
    if teams.is_empty() {
        return "everyone".to_owned();
    }
    let named = teams.iter().enumerate().map(|(place, team)| {
        let others: Vec<String> = alike.get(place).into_iter().flatten().cloned().collect();
        listed(&std::iter::once(team.clone()).chain(others).collect::<Vec<_>>(), 4)
    });
    named.collect::<Vec<_>>().join(" with ")
}

/// The section about recorded requests.
pub(super) fn recorded(usage: &Usage, replay: Option<&Replay>, links: Option<&Links>) -> Recorded {
    let part_of = |title, tone, changes: &[replay::Change]| {
        part(title, tone, changes.iter().map(|change| asked(change, links)).collect())
    };
    let parts = replay.map(|replay| {
        vec![
            part_of("Would be denied, was allowed", "bad", &replay.newly_denied),
            part_of("Would be allowed, was denied", "warn", &replay.newly_allowed),
        ]
    });
    let untold = |one: &replay::Unknowns| Untold {
        count: count(number(one.count), "request"),
        reason: one.reason.phrase().to_owned(),
        example: one.example.clone(),
    };
    let agreement = replay.map(|replay| {
        let replay::Agreement { agree, disagree, unknown, .. } = &replay.agreement;
        format!(
            "Of these, {} are decided as recorded by what was in force before, {} otherwise, and of {} nobody can tell. \
             {} are decided as before.",
            super::text::thousands(number(*agree)),
            super::text::thousands(number(*disagree)),
            super::text::thousands(number(*unknown)),
            super::text::thousands(number(replay.unchanged)),
        )
    });
    Recorded {
        window: window(&usage.window),
        agreement,
        parts: parts.unwrap_or_default(),
        unknown: replay.iter().flat_map(|replay| &replay.unknown).map(untold).collect(),
    }
}

fn asked(change: &replay::Change, links: Option<&Links>) -> Asked {
    Asked {
        who: match (change.teams_known, change.teams.as_slice()) {
            (false, _) => "members of unknown teams".to_owned(),
            (true, []) => "members of no team".to_owned(),
            (true, teams) => listed(teams, 6),
        },
        request: change.request.clone(),
        count: format!("{}, {}", count(number(change.count), "time"), count(change.users, "user")),
        last: change.last.as_deref().and_then(|last| last.get(..10)).map(str::to_owned),
        because: change.because.iter().map(|because| placed(because, links)).collect(),
    }
}

/// What records reach over, in words.
pub(super) fn window(window: &Window) -> String {
    let Window { first, last, records, requests, users, skipped: _ } = window;
    let day = |time: &Option<String>| time.as_deref().and_then(|time| time.get(..10)).map(str::to_owned);
    let span = match (day(first), day(last)) {
        (Some(first), Some(last)) if first == last => format!(" of {first}"),
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    let records = count(number(*records), "record");
    format!("{records}{span}: {} by {}.", count(*requests, "different request"), count(*users, "named user"))
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
