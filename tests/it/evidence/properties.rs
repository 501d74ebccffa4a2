//! What holds of all records and rules: how they are divided and cut, and what edits that rest on
//! them do.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use seawall::evidence::replay::{self, RuleOrigins, Side};
use seawall::evidence::suggest::{self, Suggested, Suggestion, Target};
use seawall::evidence::{Input, Reading, Requests, narrow, read, usage};
use seawall::model::{Body, Policy, Resources, Rule, TeamDirectory};
use seawall::render;
use serde_json::{Value, json};

use super::lines;
use super::reading::{gz, of_the_api, zst};
use super::world::{
    Answer, Asked, HOSTS, Known, Organization, PORTS, Stated, USERS, Wanted, What, names,
    organization,
};

/// Everything that is said of records, as bytes.
fn everything(requests: &Requests, old: &Organization, new: &Organization) -> String {
    let (memberships, declared, places) =
        (Organization::memberships(), new.declared(), RuleOrigins::default());
    let found = replay::replay(replay::Input {
        requests,
        before: Side { policies: &old.policies(), places: &places },
        after: Side { policies: &new.policies(), places: &places },
        memberships: &memberships,
        teams: &TeamDirectory::default(),
        named: true,
    });
    let input = usage::Input { requests, declared: &declared, memberships: &memberships, least: 0 };
    let (used, narrowed) = (usage::usage(input), narrow::narrow(input));
    let suggested = render::suggest::documents(&suggestion(requests, new, 3));
    format!("{}{}{narrowed:?}{suggested}", found.to_json(), used.to_json())
}

fn suggestion(requests: &Requests, world: &Organization, min_names: usize) -> Suggestion {
    let (declared, memberships) = (world.declared(), Organization::memberships());
    let input = suggest::Input {
        requests,
        declared: &declared,
        memberships: &memberships,
        min_users: 0,
        min_count: 1,
        min_names,
    };
    suggest::suggest(input)
}

fn read_folder(folder: &Path) -> Reading {
    read(&[Input::Path(folder.to_owned())]).unwrap()
}

fn write_form(folder: &Path, number: usize, records: &[Value]) {
    let (name, bytes) = match number % 6 {
        0 => ("jsonl", lines(records).into_bytes()),
        1 => ("jsonl.gz", gz(&lines(records))),
        2 => ("jsonl.zst", zst(&lines(records))),
        3 => ("json", json!({"events": records, "next_page_token": ""}).to_string().into_bytes()),
        4 => ("json.gz", gz(&format!("{:#}", Value::Array(records.to_vec())))),
        _ => ("ndjson", lines(&records.iter().map(of_the_api).collect::<Vec<_>>()).into_bytes()),
    };
    std::fs::write(folder.join(format!("audit-{number}.{name}")), bytes).unwrap();
}

/// The rules with suggested ones beside them, each resource and team by itself.
fn with_suggested(world: &Organization, suggested: &[Suggested]) -> Organization {
    let mut after = world.clone();
    for policy in suggested {
        let teams: Vec<Option<&'static str>> = match policy.teams.as_slice() {
            [] => vec![None],
            teams => teams.iter().map(|team| Some(leaked(team))).collect(),
        };
        for rule in &policy.rules {
            let Target::Plain(resource) = &rule.target else {
                panic!("nobody asked for {:?}", rule.target)
            };
            let what = What::Connect(leaked(resource));
            after.rules.extend(teams.iter().map(|team| Stated {
                team: *team,
                allow: true,
                what: what.clone(),
            }));
        }
    }
    after
}

/// The rules as they are after a policy of each was edited, each resource by itself.
fn as_edited(world: &Organization, policies: &[Policy]) -> Organization {
    let mut after = Organization { rules: Vec::new(), requests: world.requests.clone() };
    for (stated, policy) in world.rules.iter().zip(policies) {
        let Body::Allowlist(rules) = &policy.body else { panic!("there is no Cedar") };
        for Rule { resources, .. } in rules {
            let Resources::Plain(resources) = resources else { panic!("there are no HTTP rules") };
            let each = resources.iter().map(|resource| match stated.what {
                What::Connect(_) => What::Connect(leaked(resource)),
                What::Mount(_, read, write) => What::Mount(leaked(resource), read, write),
            });
            after.rules.extend(each.map(|what| Stated { what, ..stated.clone() }));
        }
    }
    after
}

fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// Whether an edit takes something from a request that was allowed.
fn is_harmed(request: &Asked, before: &Organization, after: &Organization) -> bool {
    match (before.answer(request), after.answer(request)) {
        (Answer::Known(true), after) => after != Answer::Known(true),
        (Answer::Unknown, Answer::Known(false)) => request.allowed,
        (Answer::Known(false) | Answer::Unknown, _) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn results_do_not_depend_on_order_and_division_of_records(
        old in organization(), new in organization(), seed in any::<u64>(), size in 1_usize..6,
    ) {
        let mut records = old.records();
        // Some are written twice.
        records.extend(records.clone().into_iter().step_by(3));
        let whole = tempfile::tempdir().unwrap();
        std::fs::write(whole.path().join("all.jsonl"), lines(&records)).unwrap();
        let expected = everything(&read_folder(whole.path()).requests, &old, &new);
        let divided = tempfile::tempdir().unwrap();
        std::fs::write(divided.path().join("none.jsonl"), "").unwrap();
        fastrand::Rng::with_seed(seed).shuffle(&mut records);
        for (number, part) in records.chunks(size).enumerate() {
            write_form(divided.path(), number + usize::try_from(seed % 6).unwrap(), part);
        }
        prop_assert_eq!(everything(&read_folder(divided.path()).requests, &old, &new), expected);
    }

    /// However a file is cut: what was whole counts, and what is not is broken.
    #[test]
    fn a_half_written_file_loses_nothing_that_was_written(world in organization(), form in 0_usize..6, part in 0.0..1.0) {
        let records = world.records();
        let folder = tempfile::tempdir().unwrap();
        write_form(folder.path(), form, &records);
        let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
        let length = (bytes.len() as f64 * part) as usize;
        std::fs::write(&file, &bytes[..length]).unwrap();
        let Requests { groups, skipped, .. } = read_folder(folder.path()).requests;
        let counted: u64 = groups.iter().map(|group| group.count).sum();
        // Of a compressed file, the stream and the record that it was cut in.
        let most = if matches!(form, 1 | 2 | 4) { 2 } else { 1 };
        prop_assert!(skipped.broken <= most && counted <= records.len() as u64, "{} of {}", counted, records.len());
        if matches!(form, 0 | 5) {
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            let whole = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count() as u64;
            prop_assert_eq!((counted, skipped.broken), (whole, text.lines().count() as u64 - whole));
        } else if length > 20 {
            // Nothing of the rest of a compressed file or of a page is passed over in silence.
            prop_assert!(skipped.broken > 0 || counted == records.len() as u64);
        }
    }

    /// What narrower rules are proposed for takes nothing from what was allowed.
    #[test]
    fn narrower_rules_deny_nothing_that_was_allowed(world in organization()) {
        let (requests, declared, memberships) = (world.recorded(), world.declared(), Organization::memberships());
        let input = usage::Input { requests: &requests, declared: &declared, memberships: &memberships, least: 0 };
        let policies = world.policies();
        let edited = narrow::narrowed(&policies, &narrow::narrow(input));
        let after = as_edited(&world, &edited);
        prop_assert!(narrow::harm(&requests, &policies, &edited, &memberships).is_none());
        for request in &world.requests {
            prop_assert!(!is_harmed(request, &world, &after), "{:?} of {:?} under {:?}", request, world, after.rules);
        }
    }

    /// The proof before `--write` finds a request exactly where an edit takes something from one.
    #[test]
    fn an_edit_that_denies_what_was_allowed_is_found(world in organization(), other in organization()) {
        let after = Organization { requests: world.requests.clone(), ..other };
        let harm = narrow::harm(&world.recorded(), &world.policies(), &after.policies(), &Organization::memberships());
        prop_assert_eq!(harm.is_some(), world.requests.iter().any(|request| is_harmed(request, &world, &after)));
    }

    /// What is suggested allows what it says, to the teams that asked and for what they asked, and
    /// nothing that a deny is about.
    #[test]
    fn a_suggestion_allows_what_was_asked_for_and_nothing_else(world in organization()) {
        let found = suggestion(&world.recorded(), &world, 99);
        let after = with_suggested(&world, &found.policies);
        let suggested: BTreeSet<String> = found.policies.iter().flat_map(|policy| &policy.rules).map(|rule| match &rule.target {
            Target::Plain(resource) => format!("connect:tcp {resource}"),
            Target::Http(..) => String::new(),
        }).collect();
        let text = |what: &Wanted| match what {
            Wanted::Connect(host, port) => format!("connect:tcp {host}:{port}"),
            Wanted::Mount(path) => format!("mount {path}"),
        };
        for request in world.requests.iter().filter(|request| !request.allowed) {
            let left_out = found.left_out.iter().any(|(own, ..)| *own == text(&request.what));
            let open = after.answer(request) == Answer::Known(true);
            prop_assert!(open || left_out, "{:?} is neither allowed nor left out: {:?}", request, found);
        }
        for rule in world.rules.iter().filter(|rule| !rule.allow) {
            let What::Connect(pattern) = rule.what else { continue };
            for (host, port) in HOSTS.iter().flat_map(|host| PORTS.map(|port| (host, port))) {
                let covers = Known::all().any(|known| names(pattern, host, port, known));
                prop_assert!(!covers || !suggested.contains(&format!("connect:tcp {host}:{port}")), "{} {:?}", pattern, found);
            }
        }
        for (user, (host, port)) in (0..USERS.len()).flat_map(|user| {
            HOSTS.iter().flat_map(|host| PORTS.map(|port| (*host, port))).map(move |target| (user, target))
        }) {
            let probe = Asked { user, allowed: false, what: Wanted::Connect(host, port) };
            if world.answer(&probe) != Answer::Known(false) || after.answer(&probe) == Answer::Known(false) {
                continue;
            }
            let askers: Vec<&[&str]> = world.requests.iter()
                .filter(|one| !one.allowed && one.what == probe.what && world.answer(one) == Answer::Known(false))
                .map(|one| USERS[one.user].1).collect();
            let in_teams = askers.iter().any(|teams| !teams.is_empty());
            let shares = askers.iter().any(|teams| teams.iter().any(|team| USERS[user].1.contains(team)));
            // Whose teams are unknown may be in each of them.
            let may_gain = if in_teams { shares || user == 3 } else { !askers.is_empty() };
            prop_assert!(may_gain, "{:?} gains it by {:?}", probe, found);
        }
    }
}
