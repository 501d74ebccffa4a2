//! The cost of comparing two states at the service's full size, 100 policies of 250 rules, and its
//! growth.
//!
//! A comparison that takes longer than a second fails, whatever changes. `grows` compares a quarter
//! of the size with the whole; the second takes about four times as long. `shapes` are what
//! organizations have: hosts, hosts and folders and requests, blocks of addresses, and everything
//! for everybody.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on fails"
)]

use std::time::{Duration, Instant};

use divan::Bencher;
use seawall::access::{Changes, Comparison, compare};
use seawall::model::{
    Action, Body, Decision, HttpResource, Policy, Resources, Rule, Scope, TeamDirectory,
};

fn main() {
    // As a benchmark, and not where it is only built or listed.
    if std::env::args().any(|argument| argument == "--bench") {
        within_a_second();
    }
    divan::main();
}

/// The change between two states at full size.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// A tenth of the rules speaks of something else.
    Tenth,
    /// Every deny allows.
    Denies,
    /// Every policy governs another team, so that each pair of teams matters.
    Scopes,
    /// Nothing is there before.
    Everything,
    /// Nothing is there after.
    Gone,
}

fn states(shape: Shape, turn: Change) -> (Vec<Policy>, Vec<Policy>) {
    let (old, mut new) = (policies(shape, 100, 0), policies(shape, 100, 0));
    match turn {
        Change::Tenth => new = policies(shape, 100, 1),
        Change::Denies => {
            let rules = new.iter_mut().flat_map(|policy| match &mut policy.body {
                Body::Allowlist(rules) => rules.iter_mut(),
                Body::Cedar(_) => unreachable!("there are none"),
            });
            rules.for_each(|rule| rule.decision = Decision::Allow);
        }
        Change::Scopes => {
            for (index, policy) in
                new.iter_mut().enumerate().filter(|(index, _)| !index.is_multiple_of(10))
            {
                policy.scope = Scope::from_teams([format!("team-{}", (index + 1) % 33)]);
            }
        }
        Change::Everything => return (Vec::new(), new),
        Change::Gone => return (old, Vec::new()),
    }
    (old, new)
}

/// No comparison at full size takes longer than a second.
fn within_a_second() {
    let mut missed = Vec::new();
    for (shape, turn) in SHAPES.into_iter().flat_map(|shape| {
        [Change::Tenth, Change::Denies, Change::Scopes, Change::Everything, Change::Gone]
            .map(|turn| (shape, turn))
    }) {
        let (old, new) = states(shape, turn);
        let start = Instant::now();
        let found = run(&old, &new);
        let took = start.elapsed();
        assert!(
            shape == Shape::Shared || !found.widened.is_empty() || !found.narrowed.is_empty(),
            "{shape:?} {turn:?} changes something"
        );
        println!("{:<20}{took:>12.1?}", format!("{shape:?}, {turn:?}"));
        if took >= Duration::from_secs(1) {
            missed.push((shape, turn));
        }
    }
    assert!(missed.is_empty(), "more than a second: {missed:?}");
}

/// The form of rules.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// Host names and wildcards in front of them.
    Hosts,
    /// Four of ten rules on hosts, two on requests, three on folders, one on blocks; guardrails for
    /// the organization.
    Mixed,
    /// CIDR blocks beside hosts.
    Blocks,
    /// The same hosts in every team's policy.
    Shared,
}

const SHAPES: [Shape; 4] = [Shape::Hosts, Shape::Mixed, Shape::Blocks, Shape::Shared];

fn rule(shape: Shape, policy: usize, number: usize, edition: usize) -> Rule {
    let decision = if number.is_multiple_of(9) { Decision::Deny } else { Decision::Allow };
    let version = if number.is_multiple_of(10) { edition } else { 0 };
    let owner = if shape == Shape::Shared { 0 } else { policy };
    let hosts = || {
        Resources::Plain(
            vec![
                format!("service-{number}.v{version}.team-{owner}.example.com:443"),
                format!("**.cdn-{number}-{owner}.example.com"),
                format!("*.api-{number}.team-{owner}.example.com"),
            ]
            .into(),
        )
    };
    let (actions, resources) = match (shape, number % 10) {
        (Shape::Hosts | Shape::Shared, _) | (Shape::Mixed, 0..=3) | (Shape::Blocks, 0..=4) => {
            (vec![Action::ConnectTcp], hosts())
        }
        (Shape::Mixed, 4..=5) => {
            let target = |path: String| HttpResource {
                host: format!("api-{owner}.example.com"),
                port: Some(443),
                path: format!("/repos/{number}/{path}"),
            };
            let targets = vec![target(format!("v{version}/**")), target("docs/*".to_owned())];
            (vec![Action::Request("get"), Action::Request("head")], Resources::Http(targets))
        }
        (Shape::Mixed, 6..=8) => {
            let paths = vec![
                format!("~/team-{owner}/{number}/**"),
                format!("/data/{owner}/v{version}/{number}"),
            ];
            (vec![Action::Read, Action::Write], Resources::Plain(paths.into()))
        }
        (Shape::Mixed | Shape::Blocks, _) => {
            let block = format!("10.{}.{}.0/24", (policy * 3 + version) % 256, number % 256);
            (vec![Action::ConnectTcp], Resources::Plain(vec![block].into()))
        }
    };
    Rule { name: format!("rule {number}"), decision, actions, resources }
}

fn policies(shape: Shape, count: usize, edition: usize) -> Vec<Policy> {
    let policy = |index: usize| Policy {
        name: format!("policy {index}"),
        scope: if index.is_multiple_of(10) {
            Scope::Organization
        } else {
            Scope::from_teams([format!("team-{}", index % 33)])
        },
        body: Body::Allowlist((0..250).map(|number| rule(shape, index, number, edition)).collect()),
    };
    (0..count).map(policy).collect()
}

fn run(old: &[Policy], new: &[Policy]) -> Changes {
    match compare(old, new, &TeamDirectory::default()) {
        Comparison::Complete(changes) => changes,
        Comparison::Incomplete(_, incomplete) => panic!("incomplete: {:?}", incomplete.why),
    }
}

/// A tenth of the rules changes.
#[divan::bench(args = SHAPES, sample_count = 5, sample_size = 1)]
fn shapes(bencher: Bencher<'_, '_>, shape: Shape) {
    let (old, new) = (policies(shape, 100, 0), policies(shape, 100, 1));
    assert!(!run(&old, &new).widened.is_empty());
    bencher.bench_local(|| run(&old, &new));
}

/// Nothing is there before.
#[divan::bench(args = SHAPES, sample_count = 5, sample_size = 1)]
fn everything(bencher: Bencher<'_, '_>, shape: Shape) {
    let new = policies(shape, 100, 1);
    bencher.bench_local(|| run(&[], &new));
}

/// Nothing changes.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn nothing(bencher: Bencher<'_, '_>) {
    let new = policies(Shape::Mixed, 100, 1);
    bencher.bench_local(|| run(&new, &new));
}

/// A tenth of the rules of as many policies.
#[divan::bench(args = [25, 100], sample_count = 5, sample_size = 1)]
fn grows(bencher: Bencher<'_, '_>, count: usize) {
    let (old, new) = (policies(Shape::Mixed, count, 0), policies(Shape::Mixed, count, 1));
    bencher.bench_local(|| run(&old, &new));
}
