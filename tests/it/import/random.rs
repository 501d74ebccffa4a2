//! The property over random organizations: each live policy is imported or refused with a reason,
//! nothing of what was imported would change, and without refusals a plan is empty, also where
//! everything undeclared is to go.

use proptest::prelude::*;
use seawall::model::{Action, Body, Cedar, Decision, HttpResource, Policy, Resources, Rule, Scope};

use super::{files, organization, team, workspace};
use crate::examples::seawall;

fn text() -> impl Strategy<Value = String> {
    let words = [
        "no",
        "1.0",
        "null",
        "~",
        "2026-01-01",
        "con",
        "../x",
        "Policy",
        "policy",
        "a",
        "b",
        "x: y # z",
        "研究",
        "🦀",
    ];
    prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "[a-c \t\n\r:#'\"\\\\{}&*|\u{1b}\u{202e}é-]{1,12}",
        1 => any::<String>(),
    ]
}

fn rule(filesystem: bool) -> BoxedStrategy<Rule> {
    let hosts = vec![
        "a.example.com",
        "b.example.com:443",
        "**.example.com",
        "10.0.0.0/8",
        "*.x.example.com",
    ];
    let folders = vec!["/data/**", "C:\\data\\**", "~/src", "/etc/passwd"];
    let plain = |list: Vec<&str>| Resources::Plain(list.into_iter().map(str::to_owned).collect());
    let network = (
        prop::sample::subsequence(vec![Action::ConnectTcp, Action::ConnectUdp], 1..=2)
            .prop_shuffle(),
        prop::sample::subsequence(hosts, 1..=4).prop_shuffle(),
    );
    let target = |(path, port): (&str, Option<u16>)| HttpResource {
        host: "a.example.com".into(),
        port,
        path: path.into(),
    };
    let http = prop::sample::subsequence(
        vec![("/x", None), ("/**", Some(443)), ("/y/*", Some(80))],
        1..=3,
    )
    .prop_map(move |list| {
        (vec![Action::Request("get")], Resources::Http(list.into_iter().map(target).collect()))
    });
    let folders = (
        prop::sample::subsequence(vec![Action::Read, Action::Write], 1..=2),
        prop::sample::subsequence(folders, 1..=3).prop_shuffle(),
    );
    let body = match filesystem {
        true => folders.prop_map(move |(actions, list)| (actions, plain(list))).boxed(),
        false => prop_oneof![3 => network.prop_map(move |(actions, list)| (actions, plain(list))), 1 => http].boxed(),
    };
    let decision = prop_oneof![Just(Decision::Allow), Just(Decision::Deny)];
    (text(), decision, body)
        .prop_map(|(name, decision, (actions, resources))| Rule {
            name,
            decision,
            actions,
            resources,
        })
        .boxed()
}

fn policy() -> impl Strategy<Value = Policy> {
    let scope = prop::sample::subsequence((1..=6).collect::<Vec<_>>(), 0..=2)
        .prop_map(|teams| Scope::from_teams(teams.into_iter().map(team)));
    let rules =
        |filesystem| prop::collection::vec(rule(filesystem), 0..5).prop_map(Body::Allowlist);
    let layout = "(  |\t|// ü\n|\n|\r\n| \n){0,5}";
    let cedar = (layout, layout, any::<bool>()).prop_map(|(before, after, other)| {
        let text = format!(
            "{before}permit (principal, action, resource)\n  when {{ resource.readOnly }};{after}"
        );
        let schema = if other {
            "https://schemas.docker.com/policy/cedar/v1/mcp/v0"
        } else {
            "https://example.com/s"
        };
        Body::Cedar(Cedar { text, schema_url: schema.to_owned() })
    });
    let body = prop_oneof![4 => rules(false), 2 => rules(true), 1 => cedar];
    (text(), scope, body).prop_map(|(name, scope, body)| Policy { name, scope, body })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planning_right_after_an_import_is_empty(policies in prop::collection::vec(policy(), 1..6), exclusive in any::<bool>()) {
        let live = organization(policies);
        let ownership = if exclusive { "  ownership: exclusive\n" } else { "" };
        let folder = workspace(ownership, &live);
        let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
        let refused = stderr.lines().filter(|line| line.starts_with("  `")).count();
        prop_assert_eq!(code, Some(i32::from(refused > 0)), "{}{}", stdout, stderr);
        let written = files(folder.path());
        prop_assert_eq!(written.len() + refused, live.policies.len(), "{}{}", stdout, stderr);
        let acts = |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
        prop_assert!(!stdout.contains(acts) && !stderr.contains(acts), "{:?}{:?}", stdout, stderr);
        for (path, text) in &written {
            prop_assert!(path.starts_with("policies/") && path.ends_with(".yaml") && path.matches('/').count() == 1);
            prop_assert!(!text.contains(|character| acts(character) && character != '\t'), "{:?}", text);
        }
        if written.is_empty() {
            return Ok(());
        }
        let check = ["fmt", "--check"].into_iter().chain(written.iter().map(|(path, _)| path.as_str()));
        let (code, stdout, stderr) = seawall(folder.path(), &check.collect::<Vec<_>>());
        prop_assert_eq!(code, Some(0), "{}{}", stdout, stderr);
        let (code, stdout, stderr) = seawall(folder.path(), &["plan", "--live-from", "live.json", "--detailed-exitcode"]);
        match refused > 0 && exclusive {
            // What could not be imported would go, and nothing else.
            true => prop_assert_eq!(stdout.matches(" - the policy").count(), refused, "{}{}", stdout, stderr),
            false => prop_assert_eq!(code, Some(0), "{}{}", stdout, stderr),
        }
    }
}
