//! Comparisons of a change beside rules that have little or nothing to do with it.

use proptest::prelude::*;

use super::*;
use crate::universe::Universe;
use crate::{Point, Request, State, Verdict};

/// Rules that together have too many distinctions to be compared, one of each shape, with a change
/// that they must not hide.
fn shapes() -> Vec<(&'static str, &'static str, Vec<String>)> {
    let all =
        |count: usize, of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<Vec<String>>();
    vec![
        (
            "one suffix behind many folders",
            "read /var/lib/docker/volumes/db/data/**",
            all(9, &|n| format!("read /**/0{n}/*/*/*/*/*/*/*/*/x")),
        ),
        (
            "each its own suffix behind many folders",
            "read /var/lib/docker/volumes/db/data/**",
            all(20, &|n| format!("read /**/k{n}/*/*/*/*/*/*/*/*/x{n}")),
        ),
        (
            "folders anywhere in a home folder",
            "read ~/.aws/**",
            all(33, &|n| format!("read ~/**/.secret{n}/**")),
        ),
        (
            "elsewhere in a home folder",
            "read ~/.aws/**",
            all(33, &|n| format!("read ~/work/**/.secret{n}/**")),
        ),
        (
            "labels anywhere in a host",
            "connect:tcp **.corp.example",
            all(110, &|n| format!("connect:tcp **.n{n}.**.m{n}.corp.example")),
        ),
        (
            "parts of a label",
            "connect:tcp *.corp.example",
            all(110, &|n| {
                format!(
                    "connect:tcp *{}{}-*{n}*.corp.example",
                    char::from(b'a' + (n % 26) as u8),
                    n % 7
                )
            }),
        ),
        (
            "parts of a folder",
            "read /srv/data/**",
            all(10, &|n| format!("read /srv/data/*{}{n}*{n}-*", char::from(b'a' + n as u8))),
        ),
        (
            "paths below paths",
            "request:get api.example.com/**",
            all(300, &|n| format!("request:get api.example.com/**/k{n}/*/**/m{n}")),
        ),
        (
            "parts of a path",
            "request:get api.example.com/v1/**",
            all(300, &|n| format!("request:get api.example.com/v1/report-{n:03}-*/x")),
        ),
    ]
}

#[test]
fn noise_hides_nothing() {
    for (shape, change, noise) in shapes() {
        for decision in ["deny", "allow"] {
            let noise: Vec<String> =
                noise.iter().map(|rule| format!("{decision} {rule}")).collect();
            let noise = format!("org: {}", noise.join("; "));
            let with = format!("{noise}\norg: allow {change}");
            // From an earlier pull request, and from the same one.
            for before in [noise.as_str(), ""] {
                let comparison =
                    compare(&policies(before), &policies(&with), &TeamDirectory::default());
                let Comparison::Complete(Changes { widened, .. }) = comparison else {
                    panic!("incomplete: {shape}, {decision}, {} before", before.len())
                };
                let opened = |entry: &&Entry| {
                    let (_, object) = change.split_once(' ').unwrap();
                    entry.access.text().contains(object)
                };
                let entry = widened
                    .iter()
                    .find(opened)
                    .unwrap_or_else(|| panic!("hidden: {shape}, {decision}"));
                assert_eq!(entry.audience.teams, [""; 0], "{shape}, {decision}");
                let is = |state: &str| {
                    let request = Request::parse(&entry.witness).expect(&entry.witness);
                    State::new(&policies(state)).ask(&Default::default(), &request).verdict
                };
                let was = if before.is_empty() { Verdict::Deny } else { is(before) };
                assert_eq!(
                    (was, is(&with)),
                    (Verdict::Deny, Verdict::Allow),
                    "{shape}, {decision}: {entry:?}"
                );
            }
        }
    }
}

/// Rules of which one of each pair matches every target of a certain depth, so that no target
/// subsumes another.
fn explosive(depth: usize) -> String {
    let behind = |n: usize| "/*".repeat(n);
    let pair =
        |n: usize| format!("deny read /d/**/a*{}; deny read /d/**/[!a]*{}", behind(n), behind(n));
    format!("org: {}", (0..depth).map(pair).collect::<Vec<_>>().join("; "))
}

#[test]
fn what_cannot_be_looked_through_is_uncertain_as_a_whole() {
    let noise = explosive(24);
    let other = "\nred: allow connect:tcp a.example.com";
    let old = policies(&noise);
    let new = policies(&format!("{noise}\nred,blue: allow read /d/**{other}"));
    let comparison = compare(&old, &new, &TeamDirectory::default());
    let Comparison::Incomplete(changes, incomplete) = comparison else { panic!("{comparison:?}") };
    let why: Vec<String> = incomplete.why.iter().map(ToString::to_string).collect();
    assert_eq!(why, ["the wildcards of the rules distinguish more folders than can be compared"]);
    assert_eq!(
        incomplete.rules.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["now allow `p1 › allow read /d/**`"]
    );
    let audiences: Vec<&str> =
        incomplete.audiences.iter().flat_map(|own| &own.teams).map(String::as_str).collect();
    assert_eq!(audiences, ["blue", "red"]);
    let shown: Vec<String> = changes
        .uncertain
        .iter()
        .map(|entry| {
            format!(
                "{} {} {} {}",
                entry.audience.teams.join("+"),
                entry.access,
                entry.widens,
                entry.narrows
            )
        })
        .collect();
    assert_eq!(shown, ["blue read /d/** true false", "red read /d/** true false"]);
    // Unrelated parts are reported as usual.
    let widened: Vec<String> =
        changes.widened.iter().map(|entry| entry.access.to_string()).collect();
    assert_eq!(widened, ["connect:tcp a.example.com"]);
}

const TEAMS: [&str; 3] = ["org", "red", "red,blue"];

/// Some rules of the table, for random scopes.
fn some(most: usize) -> impl Strategy<Value = Vec<String>> {
    let rule = prop::sample::select(crate::tests::RULES.to_vec());
    let policy = (prop::sample::select(TEAMS.to_vec()), rule)
        .prop_map(|(scope, rule)| format!("{scope}: {rule}"));
    prop::collection::vec(policy, 0..most)
}

/// A rule about folders with wildcards in all possible places.
fn folder_rule() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["**", "*", "a", "b*", "*c", "[!a]*"]);
    let segments = prop::collection::vec(segment, 1..5);
    let (decision, root) =
        (prop::sample::select(vec!["deny", "allow"]), prop::sample::select(vec!["/d", "~", ""]));
    (decision, root, segments).prop_map(|(decision, root, segments)| {
        format!("{decision} read {root}/{}", segments.join("/"))
    })
}

/// The teams of an audience, and whether it gains something or loses something.
type Directions = BTreeSet<(Vec<String>, bool)>;

/// Audiences with a certain change, and audiences with a possible one.
fn directions(comparison: &Comparison) -> (Directions, Directions) {
    let Comparison::Complete(Changes { widened, narrowed, uncertain }) = comparison else {
        panic!("{comparison:?}")
    };
    let of = |entries: &[Entry], widens: bool| -> Directions {
        entries.iter().map(|entry| (entry.audience.teams.clone(), widens)).collect()
    };
    let certain: BTreeSet<_> = of(widened, true).union(&of(narrowed, false)).cloned().collect();
    let mut possible = certain.clone();
    for entry in uncertain.iter().filter(|entry| !entry.access.what().contains(words::RESPELLED)) {
        let both = [(true, entry.widens), (false, entry.narrows)];
        possible.extend(
            both.iter()
                .filter(|(_, is)| *is)
                .map(|(widens, _)| (entry.audience.teams.clone(), *widens)),
        );
    }
    (certain, possible)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// The essential search alone finds the same changes for the same audiences as the whole
    /// comparison.
    #[test]
    fn the_essential_is_enough(kept in some(5), gone in some(3), come in some(3)) {
        let old = policies(&[kept.clone(), gone].concat().join("\n"));
        let new = policies(&[kept, come].concat().join("\n"));
        let all = compare(&old, &new, &TeamDirectory::default());
        let effort = Effort { nodes: 0, ..Effort::default() };
        let essential = compare_within(&old, &new, &TeamDirectory::default(), effort);
        let ((certain, possible), (found, maybe)) = (directions(&all), directions(&essential));
        // An audience is left out if a smaller one shows the same.
        let covered = |all: &Directions, (teams, widens): &(Vec<String>, bool)| {
            all.iter().any(|(own, direction)| direction == widens && own.iter().all(|team| teams.contains(team)))
        };
        prop_assert!(certain.iter().all(|one| covered(&found, one)), "{all:#?}\n{essential:#?}");
        prop_assert!(possible.iter().all(|one| covered(&maybe, one)), "{all:#?}\n{essential:#?}");
        prop_assert!(found.iter().all(|one| covered(&certain, one)), "{all:#?}\n{essential:#?}");
    }

    /// The same for the states between two others.
    #[test]
    fn the_essential_is_enough_on_the_way(
        rules in prop::collection::vec(prop::sample::select(crate::tests::RULES.to_vec()), 1..8),
        ends in prop::collection::vec(any::<[bool; 2]>(), 8),
        there in prop::collection::vec(any::<bool>(), 8),
    ) {
        let policies = policies(&rules.iter().map(|rule| format!("org: {rule}")).collect::<Vec<_>>().join("\n"));
        let rules = || policies.iter().flat_map(Policy::rules).zip(0..);
        let changes = |group: usize| ends[group] != [true, true];
        let part = |group: usize| Part { old: ends[group][0], new: ends[group][1], changes: changes(group) };
        let survey = |nodes: usize| {
            let clauses = rules().flat_map(|(rule, group)| crate::clause::clauses(rule, group)).collect();
            let why = Why::Change { part: &part, between: true };
            let effort = Effort { nodes, ..Effort::default() };
            let (universe, cuts) = Universe::divide(clauses, Spelling::Written, &Wanted { why, effort });
            assert!(cuts.is_empty());
            universe.points_about(changes).into_keys().collect::<Vec<Point>>()
        };
        let opens = |points: &[Point]| {
            let now = |group: usize| if changes(group) { there[group] } else { true };
            let (old, new) = (|group: usize| ends[group][0], |group: usize| ends[group][1]);
            points.iter().any(|point| point.may_open(&now, &[&old, &new]))
        };
        let (all, essential) = (survey(2_000_000), survey(0));
        prop_assert_eq!(opens(&all), opens(&essential));
    }

    /// A change that widens access by itself also widens it beside other rules, or may do so,
    /// unless these certainly deny it.
    #[test]
    fn no_noise_turns_a_widening_into_no_change(
        noise in prop::collection::vec(folder_rule(), 0..8),
        earlier in any::<bool>(),
        change in prop::sample::select(vec!["read /d/**", "read ~/a/**", "read /d/b*", "read /d/*/a", "read /**/c"]),
        nodes in prop::sample::select(vec![0, 50, 2_000_000]),
    ) {
        let effort = Effort { nodes, ..Effort::default() };
        is_shown(&noise, earlier, change, effort)?;
    }
}

/// Fails if a change that widens access by itself neither widens it beside other rules nor may do
/// so, although these do not certainly deny it. Returns `true` if the comparison is complete.
fn is_shown(
    noise: &[String],
    earlier: bool,
    change: &str,
    effort: Effort,
) -> Result<bool, TestCaseError> {
    let of_org = |rules: &[String]| match rules {
        [] => String::new(),
        rules => format!("org: {}", rules.join("; ")),
    };
    let allows: Vec<String> =
        noise.iter().filter(|rule| rule.starts_with("allow")).cloned().collect();
    let (noise, allows) = (of_org(noise), policies(&of_org(&allows)));
    let own = format!("allow {change}");
    let alone = policies(&format!("org: {own}"));
    let before = policies(if earlier { &noise } else { "" });
    let after = policies(&format!("{noise}\norg: {own}"));
    let Comparison::Complete(alone) = compare(&[], &alone, &TeamDirectory::default()) else {
        panic!("alone")
    };
    let possible = |uncertain: Vec<Entry>| uncertain.into_iter().filter(|entry| entry.widens);
    let gains: Vec<(bool, Entry)> = (alone.widened.into_iter().map(|entry| (true, entry)))
        .chain(possible(alone.uncertain).map(|entry| (false, entry)))
        .collect();
    prop_assert!(!gains.is_empty());
    let names_own = |cause: &Arc<Cause>| cause.rule.as_ref() == Some(&own);
    let (changes, complete) =
        match compare_within(&before, &after, &TeamDirectory::default(), effort) {
            Comparison::Complete(changes) => (changes, true),
            Comparison::Incomplete(changes, incomplete) => {
                prop_assert!(!incomplete.rules.is_empty() && !incomplete.audiences.is_empty());
                if incomplete.rules.iter().any(names_own) {
                    let is_own = |entry: &Entry| {
                        let of_all = entry.audience.teams.is_empty();
                        entry.widens && of_all && entry.because.iter().any(names_own)
                    };
                    prop_assert!(changes.uncertain.iter().any(is_own));
                }
                (changes, false)
            }
        };
    if changes.widened.into_iter().chain(possible(changes.uncertain)).next().is_some() {
        return Ok(complete);
    }
    let written = gains.iter().filter(|(_, gain)| !gain.access.what().contains(words::RESPELLED));
    for (certain, gain) in written {
        let request = Request::parse(&gain.witness).expect(&gain.witness);
        let is = |state: &[Policy]| State::new(state).ask(&Default::default(), &request).verdict;
        // Closed by a rule, or as open as before: one more allow beside one that certainly matches
        // adds nothing.
        let open = |was: Verdict| was == Verdict::Allow || !certain && was == Verdict::Uncertain;
        let was_open = earlier && (open(is(&before)) || is(&allows) == Verdict::Allow);
        prop_assert!(is(&after) == Verdict::Deny || was_open, "{gain:?}");
    }
    Ok(complete)
}

/// Rules with more distinctions than a small effort explores, each with its number.
const EXPLOSIVE: [&str; 9] = [
    "read /d/**/0N/*/*/*/x",
    "read /d/**/kN/*/*/xN",
    "read /d/*N/**/*x/*",
    "read ~/**/.sN/**",
    "read /**/[!N]*/*/*",
    "connect:tcp **.nN.**.mN.corp.example",
    "connect:tcp *aN-*N*.corp.example",
    "request:get api.example.com/**/kN/*/**/mN",
    "request:get api.example.com/v1/report-N-*/*N",
];

#[test]
fn no_noise_that_cuts_a_comparison_short_turns_a_widening_into_no_change() {
    let noise = prop::collection::vec((prop::sample::select(&EXPLOSIVE[..]), 0..30_usize), 4..40);
    let changes = [
        "read /d/**",
        "read ~/a/**",
        "read /d/*/a",
        "connect:tcp **.corp.example",
        "connect:tcp *.corp.example",
        "request:get api.example.com/**",
        "request:get api.example.com/v1/**",
    ];
    let inputs = (
        noise,
        prop::sample::select(&["deny", "allow"][..]),
        any::<bool>(),
        prop::sample::select(changes.to_vec()),
        prop::sample::select(&[0, 2_000][..]),
        prop::sample::select(&[10, 300, 10_000][..]),
    );
    let ended = [std::cell::Cell::new(0), std::cell::Cell::new(0)];
    let config =
        ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() };
    let found = proptest::test_runner::TestRunner::new(config).run(
        &inputs,
        |(noise, decision, earlier, change, nodes, steps)| {
            let rule = |(rule, number): &(&str, usize)| {
                format!("{decision} {}", rule.replace('N', &number.to_string()))
            };
            let noise: Vec<String> = noise.iter().map(rule).collect();
            let complete = is_shown(&noise, earlier, change, Effort { nodes, steps })?;
            let [cut, whole] = &ended;
            let count = if complete { whole } else { cut };
            count.set(count.get() + 1);
            Ok(())
        },
    );
    assert_eq!(found, Ok(()));
    assert!(ended.iter().all(|count| count.get() >= 16), "{ended:?}");
}
