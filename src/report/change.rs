//! Report section about a change: access that audiences gain or lose, and its effect on recorded
//! requests.

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

/// Largest number of entries that are listed of each kind.
const MOST_ENTRIES: usize = 1_000;

/// Access changes against a base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The base: `the live state`, or the documents of a ref or folder.
    pub from: Text,
    /// Summary in one sentence.
    pub headline: String,
    /// Number of entries in all parts, unlisted ones included.
    pub total: usize,
    /// Widened, uncertain and narrowed access, in this order.
    pub parts: Vec<Part<Changed>>,
    /// Verdicts of the guards; empty for a comparison of documents.
    pub guards: Vec<Guarded>,
}

/// Entries of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part<T> {
    /// Heading of the kind.
    pub title: &'static str,
    /// CSS class for the heading: `bad`, `warn` or `good`.
    pub tone: &'static str,
    /// The listed entries.
    pub entries: Vec<T>,
    /// Number of entries that are not listed.
    pub more: usize,
}

/// Access that an audience gains or loses, or may gain or lose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Names of the teams, or `everyone`.
    pub audience: String,
    /// Actions, separated by commas.
    pub action: String,
    /// Target, in the patterns of the rules.
    pub object: String,
    /// Example of a request whose decision changes; `None` if it is the access itself.
    pub witness: Option<String>,
    /// Rules that cause the difference.
    pub because: Vec<Because>,
}

/// Rule that causes a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Because {
    /// Effect and name of the rule, such as “no longer deny `research › dns`”.
    pub text: Text,
    /// Fragment id of the rule's row; `None` for a cause of a plan and for a rule that is gone.
    pub id: Option<Id>,
    /// Place of the declaration, if known.
    pub place: Option<Place>,
}

/// Verdict of a guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guarded {
    /// Its name in `seawall.yaml`.
    pub name: String,
    /// True if it lets the change pass.
    pub ok: bool,
    /// The guard's reason.
    pub message: Text,
}

/// Recorded requests, and the effect of the change on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedRequests {
    /// Period and number of the records.
    pub window: String,
    /// Agreement between the recorded decisions and the model's; `None` if nothing is compared.
    pub agreement: Option<String>,
    /// Requests whose decision changes.
    pub parts: Vec<Part<Asked>>,
    /// Requests whose decision the model cannot determine.
    pub unknown: Vec<Untold>,
}

/// Recorded request whose decision changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Names of the user's teams, or a phrase if they are unknown.
    pub who: String,
    /// The request.
    pub request: String,
    /// Number of occurrences and of users: `3 times, 2 users`.
    pub count: String,
    /// Date of the last occurrence; `None` if the records have no times.
    pub last: Option<String>,
    /// Rules that cause the change.
    pub because: Vec<Because>,
}

/// Recorded requests with the same reason for an unknown decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Untold {
    /// Number of requests.
    pub count: String,
    /// Reason why the decision is unknown.
    pub reason: String,
    /// Example of such a request.
    pub example: String,
}

/// Access changes, from a comparison of documents or from a plan.
#[derive(Debug)]
pub enum Difference<'a> {
    /// Comparison of two sets of documents.
    Documents(&'a Comparison),
    /// Plan against live state, with the verdicts of the guards.
    Plan(&'a Meaning, &'a [Verdict]),
}

/// Builds the section about a change.
pub(super) fn change(
    from: &str,
    difference: &Difference<'_>,
    named: &Named<'_>,
    links: Option<&Links>,
) -> Change {
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
    let parts = vec![
        part("Widened", "bad", widened),
        part("Uncertain", "warn", uncertain),
        part("Narrowed", "good", narrowed),
    ];
    let total = parts.iter().map(|part| part.entries.len() + part.more).sum();
    let guarded = |verdict: &Verdict| Guarded {
        name: verdict.guard.name().to_owned(),
        ok: verdict.ok,
        message: pieces(&verdict.message),
    };
    let cut = cut.map(|cut| format!("The comparison is incomplete: {cut}."));
    let known = Some(headline(&parts)).filter(|_| cut.is_none() || total > 0);
    let headline: Vec<String> = cut.into_iter().chain(known).collect();
    Change {
        from: pieces(from),
        headline: headline.join(" "),
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

/// The example request of an access; `None` if it is the access itself.
fn witness(access: &Access, witness: &str) -> Option<String> {
    (access.text() != witness).then(|| witness.to_owned())
}

/// Separates the place from a cause in words, and links it.
fn placed(because: &str, links: Option<&Links>) -> Because {
    // A cause of the old side may be in another version of the file, which the links do not lead
    // to.
    let links = links.filter(|_| because.starts_with("now "));
    match Origin::split_off(because) {
        Some((rule, origin)) => {
            Because { text: pieces(rule), id: None, place: Some(place(&origin, links)) }
        }
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

/// Builds the section about recorded requests.
pub(super) fn recorded(
    usage: &Usage,
    replay: Option<&Replay>,
    links: Option<&Links>,
) -> RecordedRequests {
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
    RecordedRequests {
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

/// Period and number of the records, as a sentence.
pub(super) fn window(window: &Window) -> String {
    let Window { first, last, records, requests, users, skipped: _ } = window;
    let day =
        |time: &Option<String>| time.as_deref().and_then(|time| time.get(..10)).map(str::to_owned);
    let span = match (day(first), day(last)) {
        (Some(first), Some(last)) if first == last => format!(" of {first}"),
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    let records = count(number(*records), "record");
    format!(
        "{records}{span}: {} by {}.",
        count(*requests, "different request"),
        count(*users, "named user")
    )
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Incomplete, SurveyLimit};
    use crate::plan::meaning::Found;

    #[test]
    fn an_incomplete_comparison_is_never_no_change() {
        let cut = |folders: SurveyLimit| Incomplete {
            why: [folders].into(),
            rules: Vec::new(),
            audiences: Vec::new(),
            patterns: Vec::new(),
        };
        let documents = Comparison::Incomplete(Changes::default(), cut(SurveyLimit::Folders));
        let meaning = Meaning {
            found: Found::Incomplete(
                meaning::Changes::default(),
                meaning::Incomplete {
                    why: SurveyLimit::Folders.to_string(),
                    rules: Vec::new(),
                    audiences: Vec::new(),
                    patterns: Vec::new(),
                },
            ),
            governed: Vec::new(),
        };
        let named = Named::new("acme", &[], &[], None);
        let headlines = [Difference::Documents(&documents), Difference::Plan(&meaning, &[])]
            .map(|difference| change("main", &difference, &named, None).headline);
        let says = "The comparison is incomplete: the wildcards of the rules distinguish more \
                    folders than can be compared.";
        assert_eq!(headlines, [says, says]);
    }
}
