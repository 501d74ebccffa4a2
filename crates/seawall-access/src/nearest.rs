//! Rules that nearly allow a denied request, with the missing part.
//!
//! Invariant: a rule is named only if one change of it would allow the request, so that the advice
//! is correct.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::atom::Atom;
use super::clause::{Actions, Clause, Target};
use super::host::{Destination, HostPattern};
use super::pattern::{Sequence, Token};
use super::request::{Host, Request, request_path};
use crate::model::{Decision, Scope};
use crate::state::State;

/// The largest number of rules that are named.
const NAMED: usize = 3;

/// A miss: the distance from a match, and the missing part.
type Miss = (u8, String);

/// The rules nearest to allowing the denied parts of a request.
pub(super) fn find(
    state: &State<'_>,
    refused: &[Atom],
    teams: &BTreeSet<String>,
    request: &Request,
) -> Vec<String> {
    let mut misses = BTreeSet::new();
    for clause in state.clauses.iter().filter(|clause| clause.decision == Decision::Allow) {
        let Some((policy, rule)) = state.rules.get(clause.group) else { continue };
        let Some(policy) = state.policies.get(*policy) else { continue };
        let miss = refused.iter().filter_map(|atom| miss(clause, *atom, request)).min();
        let miss = match (miss, &policy.scope) {
            (None, _) => continue,
            (Some(miss), _) if state.governs(clause.group, teams) => miss,
            // For others, it must be allowed without the change.
            (Some((0, _)), Scope::Teams(own)) => {
                let teams: Vec<&str> = own.iter().map(String::as_str).collect();
                (0, format!("allows it for members of `{}`", teams.join("`, `")))
            }
            (Some(_), _) => continue,
        };
        let rule = policy.rules().get(*rule).map(|rule| rule.name.as_str()).unwrap_or_default();
        misses.insert((miss.0, format!("`{} › {rule}` {}", policy.name, miss.1)));
    }
    misses.into_iter().take(NAMED).map(|(_, text)| text).collect()
}

fn miss(clause: &Clause, atom: Atom, request: &Request) -> Option<Miss> {
    let needed = match (atom, &clause.target) {
        (Atom::Http(method), Target::Http(..)) => Actions::method(method),
        (Atom::Http(_), _) => Actions::TCP,
        (atom, _) => Actions::needed(atom),
    };
    let speaks = clause.actions.meets(needed);
    match (request, &clause.target) {
        (Request::Connect { host, port, .. }, Target::Http(destination, _)) => {
            let same = host_miss(destination, host).is_some_and(|miss| miss.0 == 0)
                && on_port(destination, *port);
            (same && atom == Atom::Tcp)
                .then(|| (1, "allows only some HTTP requests to it".to_owned()))
        }
        (
            Request::Connect { host, port, .. } | Request::Http { host, port, .. },
            Target::Network(destination),
        ) => one_of([
            host_miss(destination, host)?,
            port_miss(destination, *port),
            action_miss(clause, speaks),
        ]),
        (Request::Http { host, port, path, .. }, Target::Http(destination, pattern)) => {
            let path_miss = sequence_miss(
                pattern,
                &request_path(path).1,
                &clause.target.path(),
                &clause.target,
                path,
            )?;
            one_of([
                host_miss(destination, host)?,
                port_miss(destination, *port),
                action_miss(clause, speaks),
                path_miss,
            ])
        }
        (Request::Folder { segments, .. }, Target::Folder(pattern)) => {
            let shown = super::path::folder_text(segments);
            let path_miss =
                sequence_miss(pattern, segments, &clause.target.path(), &clause.target, &shown)?;
            one_of([path_miss, action_miss(clause, speaks)])
        }
        _ => None,
    }
}

/// The only missing part; `None` if several are missing.
fn one_of<const N: usize>(misses: [Miss; N]) -> Option<Miss> {
    let missing: Vec<Miss> = misses.into_iter().filter(|miss| miss.0 > 0).collect();
    match missing.len() {
        0 => Some((0, String::new())),
        1 => missing.into_iter().next(),
        _ => None,
    }
}

fn on_port(destination: &Destination, port: u16) -> bool {
    destination.port.is_none_or(|own| own == port)
}

fn port_miss(destination: &Destination, port: u16) -> Miss {
    match destination.port {
        Some(own) if own != port => (1, format!("allows port {own} only, not {port}")),
        Some(_) | None => (0, String::new()),
    }
}

fn action_miss(clause: &Clause, speaks: bool) -> Miss {
    if speaks {
        return (0, String::new());
    }
    (1, format!("allows only {}", clause.actions))
}

fn host_miss(destination: &Destination, host: &Host) -> Option<Miss> {
    match (&destination.host, host) {
        (HostPattern::Names(names), Host::Name(labels, _)) => {
            let last_first: Vec<String> = labels.iter().rev().cloned().collect();
            let narrow = |tokens: Vec<Token>| {
                HostPattern::Names(Sequence { tokens, ..names.clone() }).to_string()
            };
            sequence_miss(names, &last_first, &narrow, &destination.host, host)
        }
        (HostPattern::Names(names), Host::Address(_)) => {
            (names.tokens == [Token::Deep]).then(|| (0, String::new()))
        }
        (HostPattern::Address(own), Host::Address(asked)) => {
            (own == asked).then(|| (0, String::new()))
        }
        (HostPattern::Cidr(block), Host::Address(asked) | Host::Name(_, Some(asked))) => {
            block.contains(asked).then(|| (0, String::new()))
        }
        (HostPattern::Address(_) | HostPattern::Cidr(_), Host::Name(..)) => None,
    }
}

/// The distance of a sequence from a match: zero, the last wildcard, or too far. `write` formats
/// the sequence with other tokens.
fn sequence_miss(
    pattern: &Sequence,
    labels: &[String],
    write: &dyn Fn(Vec<Token>) -> String,
    own: &dyn Display,
    asked: &dyn Display,
) -> Option<Miss> {
    if matches(&pattern.tokens, labels) {
        return Some((0, String::new()));
    }
    let bare = match pattern.tokens.split_last() {
        Some((Token::One | Token::Deep, rest)) => rest,
        Some(_) | None => pattern.tokens.as_slice(),
    };
    if bare.is_empty() {
        return None;
    }
    let with = |last: Token| bare.iter().cloned().chain([last]).collect::<Vec<_>>();
    // The narrowest change that suffices.
    let better = [bare.to_vec(), with(Token::One), with(Token::Deep)]
        .into_iter()
        .find(|tokens| matches(tokens, labels))?;
    Some((2, format!("has `{own}`, which does not match `{asked}`; `{}` would", write(better))))
}

fn matches(tokens: &[Token], labels: &[String]) -> bool {
    // The numbers of labels that the tokens so far may match.
    let mut reached = vec![false; labels.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for token in tokens {
        let mut before = false;
        for (at, place) in reached.iter_mut().enumerate() {
            let label = at.checked_sub(1).and_then(|at| labels.get(at));
            let next = match token {
                Token::Deep => *place || before,
                Token::One => before && label.is_some(),
                Token::Literal(own) => before && label == Some(own),
                Token::Glob(glob) => before && label.is_some_and(|label| glob.matches(label)),
            };
            before = if *token == Token::Deep { next } else { *place };
            *place = next;
        }
    }
    reached.last() == Some(&true)
}
