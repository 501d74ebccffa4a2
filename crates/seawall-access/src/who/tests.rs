use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{AccessLevel, Everybody, Who};
use crate::compare::tests::policies;
use crate::model::{Body, Cedar, Policy, Scope, TeamDirectory};
use crate::request::Request;
use crate::state::State;

/// `allow [a] -[b]`: an audience on each line, with the teams that reduce its access.
fn lines(everybody: &Everybody) -> Vec<String> {
    let line = |Who { audience, level, unless, .. }: &Who| {
        let of = |at: usize| {
            audience
                .alike
                .get(at)
                .into_iter()
                .flatten()
                .map(|other| format!("|{other}"))
                .collect::<String>()
        };
        let teams: Vec<String> = audience
            .teams
            .iter()
            .enumerate()
            .map(|(at, team)| format!("{team}{}", of(at)))
            .collect();
        let unless: String = unless
            .iter()
            .map(|less| format!(" -{}:{:?}", less.teams.join("|"), less.level))
            .collect();
        format!("{level:?} [{}]{unless}", teams.join(" + "))
    };
    everybody.who.iter().map(line).collect()
}

fn who(policies: &[Policy], request: &str) -> Everybody {
    State::new(policies).who(&Request::parse(request).unwrap(), &TeamDirectory::default())
}

#[test]
fn every_audience_is_told_once_with_whoever_gets_less() {
    let table: &[(&str, &str, &[&str])] = &[
        ("a: allow connect:tcp x.example", "connect:tcp y.example", &[]),
        ("a: allow connect:tcp x.example", "connect:tcp x.example", &["Allow [a]"]),
        // Equivalent teams are one audience; teams of another policy are a separate one.
        (
            "c,a: allow connect:tcp x.example\nb: allow connect:tcp x.example\nd: allow connect:tcp y.example",
            "connect:tcp x.example",
            &["Allow [a|c]", "Allow [b]"],
        ),
        // Access of everybody is listed for no team; a deny removes it.
        (
            "org: allow connect:tcp x.example\na: allow connect:tcp x.example\nb: deny connect:tcp **.example",
            "connect:tcp x.example",
            &["Allow [] -b:Deny"],
        ),
        (
            "org: deny connect:tcp x.example\na: allow connect:tcp x.example",
            "connect:tcp x.example",
            &[],
        ),
        (
            "a,b: allow connect:tcp x.example\nb,c: deny connect:tcp x.example",
            "connect:tcp x.example",
            &["Allow [a] -b:Deny -c:Deny"],
        ),
        // The apex may be included for everybody, and is for one team.
        (
            "org: allow connect:tcp **.x.example\na: allow connect:tcp x.example",
            "connect:tcp x.example",
            &["Uncertain []", "Allow [a]"],
        ),
        // A deny that may apply.
        (
            "a: allow connect:tcp x.example\nb: deny connect:tcp **.x.example",
            "connect:tcp x.example",
            &["Allow [a] -b:Uncertain"],
        ),
        // Each has a part.
        (
            "a,d: allow read /data\nb: allow write /data\nc: deny write /**",
            "mount rw /data",
            &["Allow [a|d + b] -c:Deny"],
        ),
        ("a: allow read /data", "mount rw /data", &[]),
        // Nothing is known if no policy is about it.
        ("a: allow connect:tcp x.example", "read /data", &["Uncertain []"]),
    ];
    for (text, request, expected) in table {
        assert_eq!(lines(&who(&policies(text), request)), *expected, "{text}");
    }
}

#[test]
fn mcp_calls_are_asked_for_alike() {
    let policy = |teams: &[&str], text: &str| Policy {
        name: text.to_owned(),
        scope: Scope::from_teams(teams.iter().map(|team| (*team).to_owned())),
        body: Body::Cedar(Cedar {
            text: text.to_owned(),
            schema_url: crate::cedar::SCHEMA_URL.to_owned(),
        }),
    };
    let call = "mcp invokeTool notion/search {\"readOnly\": true}";
    let permit = "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };";
    let asks = format!("@requireApproval(\"why\")\n{permit}");
    let forbid = "forbid (principal, action, resource);";
    // The gateway allows everything to audiences without a policy.
    assert_eq!(
        lines(&who(&[policy(&["a"], permit), policy(&["b"], forbid)], call)),
        ["Allow [] -b:Deny"]
    );
    let nothing = policy(&[], "permit (principal, action == MCP::Action::\"register\", resource);");
    let all = [nothing, policy(&["a"], permit), policy(&["b", "c"], &asks), policy(&["d"], forbid)];
    assert_eq!(
        lines(&who(&all, call)),
        ["Allow [a] -b|c:Approval -d:Deny", "Approval [b|c] -d:Deny"]
    );
}

#[test]
fn thousands_of_teams_are_judged_by_what_tells_them_apart() {
    let teams = |from: usize| {
        (from..from + 3_000).map(|number| format!("t{number:04}")).collect::<Vec<_>>().join(",")
    };
    let mut text = format!("{}: allow read /data\n{}: allow write /data\n", teams(0), teams(1_500));
    // One policy for each of many teams.
    for number in 0..500 {
        text.push_str(&format!("u{number:03}: allow read /data\n"));
    }
    let found = who(&policies(&text), "mount rw /data");
    assert!(!found.incomplete);
    let level: Vec<(Vec<String>, usize)> = found
        .who
        .iter()
        .map(|one| (one.audience.teams.clone(), one.audience.alike.concat().len()))
        .collect();
    // Those with both parts; those with one, in whatever policy, together with those with the
    // other.
    assert_eq!(level.len(), 2);
    assert_eq!(level[0], (vec!["t1500".to_owned()], 1_499));
    assert_eq!(level[1].0, ["t0000".to_owned(), "t3000".to_owned()]);
    assert_eq!(who(&policies(&text), "read /data").who.len(), 501);
}

/// A team of each audience, and the result of `who` for it.
fn told(everybody: &Everybody, teams: &BTreeSet<String>) -> Option<AccessLevel> {
    let is_in = |who: &&Who| {
        let of = |at: usize, team: &String| {
            teams.contains(team)
                || who
                    .audience
                    .alike
                    .get(at)
                    .into_iter()
                    .flatten()
                    .any(|other| teams.contains(other))
        };
        who.audience.teams.iter().enumerate().all(|(at, team)| of(at, team))
    };
    everybody.who.iter().filter(is_in).map(|who| who.level).max()
}

proptest! {
    /// For every combination of at most two teams: no member has more than what is listed, and
    /// every member with less is among the exceptions.
    #[test]
    fn nobody_is_forgotten(rules in prop::collection::vec((0usize..6, 0usize..5, 0usize..6), 1..7), asked in 0usize..4) {
        let scopes = ["org", "a", "b", "a,b", "b,c", "c"];
        let says = ["allow", "deny", "allow", "allow", "deny"];
        let whats = ["connect:tcp x.example", "connect:tcp **.x.example", "connect:tcp **.example", "read /data", "write /data", "read /**"];
        let requests = ["connect:tcp x.example", "connect:tcp y.x.example:22", "mount rw /data", "read /data"];
        let text: String = rules.iter().map(|(scope, says_at, what)| format!("{}: {} {}\n", scopes[*scope], says[*says_at], whats[*what])).collect();
        let policies = policies(&text);
        let state = State::new(&policies);
        let request = Request::parse(requests[asked]).unwrap();
        let everybody = state.who(&request, &TeamDirectory::default());
        let set = |teams: &[&str]| teams.iter().map(|team| (*team).to_owned()).collect::<BTreeSet<String>>();
        let all = [set(&[]), set(&["a"]), set(&["b"]), set(&["c"]), set(&["a", "b"]), set(&["a", "c"]), set(&["b", "c"])];
        let answers: BTreeMap<&BTreeSet<String>, AccessLevel> = all.iter().map(|teams| (teams, state.ask(teams, &request).level())).collect();
        for (teams, level) in &answers {
            let told_of = told(&everybody, teams).unwrap_or(AccessLevel::Deny);
            prop_assert!(*level <= told_of, "{text}{teams:?}: {level:?} > {told_of:?}");
            if *level < told_of {
                let among = everybody.who.iter().filter(|who| who.level > *level);
                let exceptions: BTreeSet<&String> = among.flat_map(|who| &who.unless).flat_map(|less| &less.teams).collect();
                prop_assert!(teams.iter().any(|team| exceptions.contains(team)), "{text}{teams:?}: {level:?}, told {told_of:?}");
            }
        }
        for Who { audience, level, .. } in &everybody.who {
            let own = set(&audience.teams.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(answers[&own], *level);
            prop_assert!(answers.iter().all(|(teams, other)| *teams == &own || !teams.is_subset(&own) || other < level), "{}{:?}", text, own);
        }
    }
}
