//! The property: from documents with comments, whatever is live, `--adopt` leaves nothing to plan,
//! keeps every comment that stands above what stays, and changes nothing where nothing differs.

use proptest::prelude::*;
use seawall::model::{Action, Body, Cedar, Decision, HttpResource, Policy, Resources, Rule, Scope};

use crate::examples::seawall;
use crate::import::{files, organization, team, workspace};

fn rule(filesystem: bool) -> impl Strategy<Value = (Decision, Vec<Action>, Resources)> {
    let hosts = vec!["a.example.com", "b.example.com:443", "**.example.com", "10.0.0.0/8"];
    let folders = vec!["/data/**", "~/src", "/etc/passwd"];
    let plain = |list: Vec<&str>| Resources::Plain(list.into_iter().map(str::to_owned).collect());
    let network = (
        prop::sample::subsequence(vec![Action::ConnectTcp, Action::ConnectUdp], 1..=2),
        prop::sample::subsequence(hosts, 1..=4).prop_shuffle(),
    )
        .prop_map(move |(actions, hosts)| (actions, plain(hosts)));
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
    let files = (
        prop::sample::subsequence(vec![Action::Read, Action::Write], 1..=2),
        prop::sample::subsequence(folders, 1..=3),
    )
        .prop_map(move |(actions, list)| (actions, plain(list)));
    let body = match filesystem {
        true => files.boxed(),
        false => prop_oneof![3 => network, 1 => http].boxed(),
    };
    (prop_oneof![Just(Decision::Allow), Just(Decision::Deny)], body)
        .prop_map(|(decision, (actions, resources))| (decision, actions, resources))
}

fn body() -> impl Strategy<Value = Body> {
    let rules = |filesystem| {
        prop::collection::vec(prop::option::weighted(0.7, rule(filesystem)), 0..4).prop_map(
            |rules| {
                let named =
                    rules.into_iter().zip(1..).filter_map(|(rule, number)| Some((rule?, number)));
                let named = named.map(|((decision, actions, resources), number)| Rule {
                    name: format!("r{number}"),
                    decision,
                    actions,
                    resources,
                });
                Body::Allowlist(named.collect())
            },
        )
    };
    let text =
        "(  // one\n|// two\n|\n|\t\n){0,3}permit \\(principal, action, resource\\);(\n|\n\n|)";
    let cedar = (text, any::<bool>()).prop_map(|(text, other)| {
        let schema = if other {
            "https://schemas.docker.com/policy/cedar/v1/mcp/v0"
        } else {
            "https://example.com/s"
        };
        Body::Cedar(Cedar { text, schema_url: schema.to_owned() })
    });
    prop_oneof![4 => rules(false), 1 => rules(true), 1 => cedar]
}

/// Policies of four names, and one that is always there.
fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let scope = prop::sample::subsequence(vec![1, 2, 3, 4], 0..=2)
        .prop_map(|teams| Scope::from_teams(teams.into_iter().map(team)));
    prop::collection::vec(prop::option::weighted(0.8, (scope, body())), 4).prop_map(|policies| {
        let named =
            policies.into_iter().zip(1..).filter_map(|(policy, number)| Some((policy?, number)));
        let named =
            named.map(|((scope, body), number)| Policy { name: format!("p{number}"), scope, body });
        let stays = Policy {
            name: "stays".into(),
            scope: Scope::Organization,
            body: Body::Allowlist(Vec::new()),
        };
        named.chain([stays]).collect()
    })
}

/// How documents are written: with block lists or short ones, in one file or several, with one line
/// end or the other.
#[derive(Clone, Copy, Debug)]
struct Layout {
    blocks: bool,
    one_file: bool,
    windows: bool,
}

/// The text with a comment above each key of the document and each rule, and behind each name.
fn commented(text: &str, layout: Layout, from: &str) -> String {
    let mut written = String::new();
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let key = line.split(':').next().unwrap_or_default();
        let known = ["kind", "name", "scope", "rules", "cedar", "schema_url"].contains(&key);
        if known || line.starts_with("  - name: r") {
            written.push_str(&format!("{:indent$}# {from}.{number}.\n", ""));
        }
        match line.trim_start().split_once(": [") {
            Some((key, list)) if layout.blocks && list.ends_with(']') && list != "]" => {
                written.push_str(&format!("{:indent$}{key}:  # {from}.{number}b.\n", ""));
                for item in list.trim_end_matches(']').split(", ") {
                    written.push_str(&format!("{:indent$}  - {item}\n", ""));
                }
            }
            _ if known && key == "name" => {
                written.push_str(&format!("{line} # {from}.{number}c.\n"))
            }
            _ => written.push_str(&format!("{line}\n")),
        }
    }
    written
}

fn write(folder: &std::path::Path, layout: Layout) -> Vec<(String, String)> {
    let all: Vec<(String, String)> = files(folder)
        .into_iter()
        .map(|(path, text)| (path.clone(), commented(&text, layout, &path)))
        .collect();
    let lines =
        |text: &str| if layout.windows { text.replace('\n', "\r\n") } else { text.to_owned() };
    if layout.one_file {
        all.iter().for_each(|(path, _)| std::fs::remove_file(folder.join(path)).unwrap());
        let text: Vec<&str> = all.iter().map(|(_, text)| text.as_str()).collect();
        std::fs::write(folder.join("policies/all.yaml"), lines(&text.join("---\n"))).unwrap();
    } else {
        all.iter().for_each(|(path, text)| std::fs::write(folder.join(path), lines(text)).unwrap());
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_adopting_nothing_is_left_to_plan_and_comments_are_kept(
        before in policies(), after in policies(), exclusive in any::<bool>(),
        (blocks, one_file, windows) in (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2)),
    ) {
        let layout = Layout { blocks, one_file, windows };
        let settings = if exclusive { "  ownership: exclusive\n" } else { "" };
        let folder = workspace(settings, &organization(before.clone()));
        let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
        prop_assert_eq!(code, Some(0), "{}{}", stdout, stderr);
        let written = write(folder.path(), layout);
        let as_it_was = files(folder.path());
        let (code, stdout, stderr) = seawall(folder.path(), &["drift", "--adopt", "--live-from", "live.json"]);
        prop_assert_eq!((code, stdout.as_str()), (Some(0), "Nothing to adopt: the documents match the live state.\n"), "{}", stderr);
        prop_assert_eq!(&files(folder.path()), &as_it_was);

        let live = organization(after.clone());
        std::fs::write(folder.path().join("live.json"), seawall::service::docker::Snapshot::from(&live).text()).unwrap();
        let (code, shown, _) = seawall(folder.path(), &["drift", "--format", "json", "--live-from", "live.json"]);
        let drift: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let undeclared = drift["undeclared"]["policies"].as_array().unwrap();
        prop_assert!(undeclared.is_empty() || !exclusive, "{}", shown);
        let (pending, _, _) = seawall(folder.path(), &["plan", "--detailed-exitcode", "--live-from", "live.json"]);
        // What no order of calls carries out safely is pending too, and refused.
        let pending = if pending == Some(4) { Some(3) } else { pending };
        let pending = if undeclared.is_empty() { pending } else { Some(3) };
        prop_assert_eq!(code, pending, "{}", shown);
        let (code, stdout, stderr) = seawall(folder.path(), &["drift", "--adopt", "--live-from", "live.json"]);
        prop_assert_eq!(code, Some(0), "{}{}{:?}", stdout, stderr, as_it_was);
        let adopted = files(folder.path());
        let (code, stdout, stderr) = seawall(folder.path(), &["plan", "--detailed-exitcode", "--live-from", "live.json"]);
        prop_assert_eq!(code, Some(0), "{}{}{:?}", stdout, stderr, adopted);
        let (code, stdout, stderr) = seawall(folder.path(), &["drift", "--live-from", "live.json"]);
        prop_assert_eq!(code, Some(0), "{}{}{:?}", stdout, stderr, adopted);

        let all: String = adopted.iter().map(|(_, text)| text.as_str()).collect();
        for (path, text) in &written {
            let name = path.trim_start_matches("policies/").trim_end_matches(".yaml");
            let of = |policies: &[Policy]| policies.iter().find(|policy| policy.name == name).map(kind);
            let (Some(was), Some(is)) = (of(&before), of(&after)) else { continue };
            // What became another kind of policy has a document of its own.
            if was.zip(is).is_some_and(|(was, is)| was != is) || was.is_none() || is.is_none() {
                continue;
            }
            for comment in text.lines().filter_map(|line| Some(line.split_once("# policies/")?.1)) {
                prop_assert!(comment.contains("b.") || all.contains(comment), "{} is lost:\n{}\n{}", comment, text, all);
            }
        }
    }
}

fn kind(policy: &Policy) -> Option<seawall::model::Domain> {
    policy.domain()
}
