//! Plans as Markdown: short enough for a comment, and no text of others is markup.

use proptest::prelude::*;
use seawall::document::Guards;
use seawall::model::{
    Action, Body, Cedar, Decision, Desired, DesiredPolicy, DesiredRule, Domain, Live, LiveBody, LivePolicy, LiveRule,
    Origin, Policy, PolicyId, Resources, Rule, RuleId, Scope, Team, TeamDirectory,
};
use seawall::plan::{self, Plan, Target, diff::Ownership};
use seawall::render::markdown;

/// In every foreign text, so that it is found again.
const CANARY: char = '研';

/// Text that would be markup, a mention, a link, or would end what it stands in.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "</code>",
        "</details>",
        "<script>",
        "```\n",
        "~~~\n",
        "\n\n# h\n",
        "|x|\n|-|\n",
        "@octocat",
        "#1",
        "![i](u)",
        "[a](b)",
        "https://x.example",
        "www.x.example",
        "`",
        "**",
        "<!-- seawall -->",
        "-->",
        "\u{202e}",
        "\u{1b}[2J",
        "&lt;",
        "\\",
        "a",
        " ",
    ]);
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| format!("{CANARY}{}{CANARY}", pieces.concat()))
}

fn rule(name: &str, decision: Decision, host: &str) -> Rule {
    let resources = Resources::Plain(vec![host.to_owned()]);
    Rule { name: name.to_owned(), decision, actions: vec![Action::parse("connect:tcp")], resources }
}

fn declared(policy: Policy, domain: Domain, file: &str) -> DesiredPolicy {
    let origin = Origin { file: file.to_owned(), line: 1, column: 1 };
    let rules = policy.rules().iter().map(|_| DesiredRule { previously: Vec::new(), origin: origin.clone() }).collect();
    DesiredPolicy { policy, domain, previously: Vec::new(), origin, rules }
}

fn make(desired: Vec<DesiredPolicy>, live: &Live, protected: &str) -> Plan {
    let mut policies = desired;
    policies.sort_by(|one, other| one.policy.name.cmp(&other.policy.name));
    let target = Target { org: live.org.clone(), endpoint: "embedded".to_owned() };
    let ownership = Ownership { exclusive: true, unmanaged: Vec::new() };
    let guards = Guards { protected: vec![protected.to_owned()], ..Guards::default() };
    let desired = Desired { policies, ..Desired::default() };
    plan::make(plan::Input { target: &target, desired: &desired, live, ownership: &ownership, guards: &guards })
}

/// A plan of every kind of step, in which every text of others is hostile.
fn plan_of(texts: &[String]) -> Plan {
    let text = |at: usize| format!("{} {at}", texts[at % texts.len()]);
    let network = |name: usize, rules| Policy {
        name: text(name),
        scope: Scope::of(["team".to_owned()]),
        body: Body::Allowlist(rules),
    };
    let cedar = |end: usize| Cedar {
        text: format!("permit (principal, action, resource);\n// {}", text(end)),
        schema_url: text(1),
    };
    let live_policy = |id: &str, name: usize, body| LivePolicy {
        id: PolicyId(id.to_owned()),
        name: text(name),
        scope: Scope::Organization,
        body,
    };
    let of = |id: &str, rule| LiveRule { id: RuleId(id.to_owned()), rule };
    let live = Live {
        org: text(2),
        policies: vec![
            live_policy(
                "kept",
                3,
                LiveBody::Allowlist(vec![
                    of("same", rule(&text(4), Decision::Allow, &text(5))),
                    of("gone", rule(&text(6), Decision::Deny, &text(7))),
                ]),
            ),
            live_policy("gone", 8, LiveBody::Allowlist(vec![of("only", rule(&text(9), Decision::Deny, &text(10)))])),
            live_policy("cedar", 11, LiveBody::Cedar(cedar(12))),
        ],
        teams: TeamDirectory::new([Team { id: "team".to_owned(), name: text(13) }]),
    };
    let desired = vec![
        declared(network(3, vec![rule(&text(4), Decision::Allow, &text(14))]), Domain::Network, &text(15)),
        declared(network(16, vec![rule(&text(17), Decision::Allow, &text(18))]), Domain::Network, &text(19)),
        declared(Policy { name: text(11), scope: Scope::Organization, body: Body::Cedar(cedar(20)) }, Domain::Mcp, "m"),
    ];
    make(desired, &live, &text(8))
}

/// The Markdown without code spans and fenced blocks.
fn markup(text: &str) -> String {
    let mut rest = String::new();
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let marks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if marks >= 3 => fence = Some(&line[..marks]),
            None => {
                let mut line = line;
                while let Some((before, after)) = line.split_once("<code>") {
                    rest.push_str(before);
                    line = after.split_once("</code>").expect("a code span ends on its line").1;
                }
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    assert!(fence.is_none(), "{text}");
    rest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn foreign_text_is_never_markup(texts in prop::collection::vec(hostile(), 1..5)) {
        let text = markdown::plan(&plan_of(&texts));
        let markup = markup(&text);
        prop_assert!(text.contains(CANARY));
        prop_assert!(!markup.contains([CANARY, '@', '\u{1b}', '\u{202e}']), "{}", markup);
        prop_assert!(!markup.contains("http") && !markup.contains("<script") && !markup.contains("<!--"), "{}", markup);
        prop_assert_eq!(markup.matches("<details>").count(), markup.matches("</details>").count());
        prop_assert_eq!(markup.matches("<summary>").count(), markup.matches("</summary>").count());
    }
}

#[test]
fn a_plan_of_any_size_fits_into_a_comment_and_says_what_is_left_out() {
    let policies = (0..100).map(|policy| {
        let rules = (0..60).map(|number| {
            rule(
                &format!("rule {number} {}", "|".repeat(200)),
                Decision::Allow,
                &format!("h{number}.p{policy}.example.com"),
            )
        });
        let body = Body::Allowlist(rules.collect());
        declared(
            Policy { name: format!("Policy {policy}"), scope: Scope::Organization, body },
            Domain::Network,
            "p.yaml",
        )
    });
    let live = Live { org: "acme".to_owned(), ..Live::default() };
    let plan = make(policies.collect(), &live, "none");
    let text = markdown::plan(&plan);
    assert!(text.len() < markdown::MOST - 1_000, "{}", text.len());
    assert!(text.contains("more entries about access") && text.contains("more steps"), "{}", &text[text.len() - 400..]);
    assert!(text.starts_with("### seawall: widens access for 1 audience"));
    let markup = markup(&text);
    assert_eq!(markup.matches("<details>").count(), markup.matches("</details>").count());
}
