//! Plans as Markdown: short enough for a comment, and no text of others is markup.

use proptest::prelude::*;
use seawall::evidence::replay::{Agreement, Change, Disagreement, Replay, Unknowns};
use seawall::evidence::{Gap, Skipped, Window};
use seawall::model::{
    Action, Body, Cedar, Decision, Desired, DesiredPolicy, DesiredRule, Domain, Guards, Live,
    LiveBody, LivePolicy, LiveRule, Origin, Ownership, Policy, PolicyId, Protected, Resources,
    Rule, RuleId, Scope, SettingChange, Team, TeamDirectory,
};
use seawall::plan::meaning::{AccessChange, Audience, Changes, Found, Meaning};
use seawall::plan::step::Op;
use seawall::plan::undeclared::WithoutEffect;
use seawall::plan::vijil::{self, Bucket, Difference, Step, Subject, Weaker};
use seawall::plan::warning::{Code, Finding, Warning};
use seawall::plan::{self, DockerPlan, GuardsFrom, Plan, docker};
use seawall::render::markdown::{self, Made};
use seawall::render::plan as terminal;
use seawall::render::plan::View;
use seawall::report::Links;

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
        "&#96;",
        "\\",
        "\u{200b}",
        "\u{2066}",
        "my-org/policies#12",
        "GH-7",
        "0123456789abcdef0123456789abcdef01234567",
        "mail@example.com",
        "$x$",
        "[^1]",
        "~~x~~",
        ":tada:",
        "<img src=x onerror=alert(1)>",
        "> [!NOTE]",
        "- [ ] x",
        "---",
        "    ",
        "\r\n\r\n",
        "::add-mask::x",
        "##[error]x",
        "%0A",
        "a",
        " ",
    ]);
    prop::collection::vec(pieces, 0..6)
        .prop_map(|pieces| format!("{CANARY}{}{CANARY}", pieces.concat()))
}

fn rule(name: &str, decision: Decision, host: &str) -> Rule {
    let resources = Resources::Plain(vec![host.to_owned()].into());
    Rule { name: name.to_owned(), decision, actions: vec![Action::parse("connect:tcp")], resources }
}

fn declared(policy: Policy, domain: Domain, file: &str) -> DesiredPolicy {
    let origin = Origin { file: file.to_owned(), line: 1, column: 1 };
    let rules = policy
        .rules()
        .iter()
        .map(|_| DesiredRule { previously: Vec::new(), origin: origin.clone() })
        .collect();
    DesiredPolicy { policy, domain, previously: Vec::new(), orgs: Vec::new(), origin, rules }
}

fn make(desired: Vec<DesiredPolicy>, live: &Live, protected: &str) -> Plan {
    let mut policies = desired;
    policies.sort_by(|one, other| one.policy.name.cmp(&other.policy.name));
    let target = docker::Target { org: live.org.clone(), endpoint: "embedded".to_owned() };
    let ownership = Ownership { exclusive: true, ..Default::default() };
    let guards = Guards { protected: vec![Protected::wholly(protected)], ..Guards::default() };
    let desired = Desired { policies, ..Desired::default() };
    let side = docker::Input { target: &target, desired: &desired, live, ownership: &ownership };
    plan::make(plan::Input { docker: Some(side), ..plan::Input::new(&guards) }).unwrap()
}

/// A plan of every kind of step, in which every text of others is hostile.
fn plan_of(texts: &[String]) -> Plan {
    let text = |at: usize| format!("{} {at}", texts[at % texts.len()]);
    let network = |name: usize, rules| Policy {
        name: text(name),
        scope: Scope::from_teams(["team".to_owned()]),
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
            live_policy(
                "gone",
                8,
                LiveBody::Allowlist(vec![of("only", rule(&text(9), Decision::Deny, &text(10)))]),
            ),
            live_policy("cedar", 11, LiveBody::Cedar(cedar(12))),
        ],
        teams: TeamDirectory::new([Team { id: "team".to_owned(), name: text(13) }]),
    };
    let desired = vec![
        declared(
            network(3, vec![rule(&text(4), Decision::Allow, &text(14))]),
            Domain::Network,
            &text(15),
        ),
        declared(
            network(16, vec![rule(&text(17), Decision::Allow, &text(18))]),
            Domain::Network,
            &text(19),
        ),
        declared(
            Policy { name: text(11), scope: Scope::Organization, body: Body::Cedar(cedar(20)) },
            Domain::Mcp,
            "m",
        ),
    ];
    let change = |setting: &str, at| SettingChange {
        setting: setting.into(),
        base: text(at).into(),
        proposed: vec![text(at + 1)].into(),
    };
    let changed = vec![change("docker.org", 21), change("docker.left_alone", 22)];
    let rule = |at: usize, op: Op| {
        let after = serde_json::json!({
            "rule_id": text(at + 5),
            "natural_language": text(at),
            "consequence": {"action": text(at + 1), "severity": text(at + 2)},
        });
        let before = (op != Op::Create).then(Default::default);
        let (policy, rule) = (Subject::Existing(text(at + 3)), Subject::Existing(text(at + 4)));
        let sides = (before, after.as_object().cloned());
        let change = vijil::Change::from_sides(op, policy, Some((rule, None)), sides).unwrap();
        Step::new(Difference { id: at, ..Difference::new(&text(at + 3), change) }, 1)
    };
    let steps = [Op::Create, Op::Update, Op::Approve, Op::Reject].into_iter().zip(24..);
    let vijil = vijil::Plan {
        target: vijil::Target { endpoint: text(30) },
        steps: steps.map(|(op, at)| rule(at, op)).collect(),
        left_alone: vec![text(31)],
        meaning: vijil::Meaning {
            weakened: vec![vijil::Weakened {
                policy: text(40),
                rule: Some(text(41)),
                what: Weaker::Consequence,
                change: text(42),
                certain: true,
            }],
            buckets: vec![Bucket { action: Some(text(43)), before: 0, after: 1 }],
        },
        live: vijil::Record { fingerprint: String::new(), touched: Vec::new() },
    };
    let vijil = Some(vijil);
    let warning = Warning {
        code: Code::PossibleRename,
        message: text(44),
        help: text(45),
        source: Some(Origin { file: text(46), line: 1, column: 1 }),
    };
    let place = Origin { file: text(53), line: 2, column: 1 };
    let finding =
        Finding { code: text(51), message: text(52), help: Some(text(54)), source: Some(place) };
    let without_effect = WithoutEffect {
        widens: true,
        audience: Audience { teams: vec![text(47)], alike: Vec::new() },
        access: text(48).into(),
        witness: text(49),
        decision: Decision::Allow,
        policies: vec![text(50)],
    };
    let made = make(desired, &live, &text(8));
    let docker = made.docker.map(|docker| DockerPlan {
        without_effect: vec![without_effect],
        recorded: Some(recorded(&text)),
        ..docker
    });
    Plan {
        docker,
        vijil,
        warnings: vec![warning],
        findings: vec![finding],
        guards_from: Some(GuardsFrom { from: text(23), found: true, changed }),
        ..made
    }
}

/// Recorded requests, as a saved plan may hold them: any text stands in the place of each.
fn recorded(text: &impl Fn(usize) -> String) -> Replay {
    let change = |at: usize| Change {
        request: text(at),
        teams: vec![text(at + 1)],
        teams_known: true,
        count: 2,
        users: 1,
        names: vec![text(at + 2)],
        first: Some(text(at + 3)),
        last: Some(text(at + 4)),
        because: vec![text(at + 5)],
    };
    let (first, last, skipped) = (Some(text(32)), Some(text(33)), Skipped::default());
    Replay {
        format_version: 1,
        window: Window { first, last, records: 7, requests: 3, users: 1, skipped },
        agreement: Agreement {
            agree: 6,
            disagree: 1,
            unknown: 0,
            disagreements: vec![Disagreement {
                request: text(34),
                recorded: Decision::Allow,
                computed: Decision::Deny,
                count: 1,
            }],
        },
        newly_denied: vec![change(35)],
        newly_allowed: vec![change(41)],
        denied_users: 1,
        unchanged: 0,
        unknown: vec![Unknowns { reason: Gap::TeamUnknown, count: 3, example: text(47) }],
    }
}

/// What GitHub makes of it: CommonMark with its own extensions, HTML of the text as it is.
fn html(markdown: &str) -> String {
    let mut options = comrak::Options::default();
    let extension = &mut options.extension;
    extension.table = true;
    extension.autolink = true;
    extension.strikethrough = true;
    extension.tasklist = true;
    extension.footnotes = true;
    extension.alerts = true;
    extension.math_dollars = true;
    extension.math_code = true;
    options.render.r#unsafe = true;
    comrak::markdown_to_html(markdown, &options)
}

/// What is shown as anything but code, where mentions, references and links are made; every tag is
/// one of ours.
fn prose(markdown: &str) -> String {
    const TAGS: [&str; 25] = [
        "h3",
        "h4",
        "b",
        "p",
        "div",
        "blockquote",
        "ul",
        "li",
        "details",
        "summary",
        "code",
        "pre",
        "br",
        "strong",
        "em",
        "sub",
        "a",
        "ol",
        "hr",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ];
    let html = html(markdown);
    let mut open: Vec<&str> = Vec::new();
    let mut prose = String::new();
    let is_code = |open: &[&str]| open.contains(&"code") || open.contains(&"pre");
    let mut pieces = html.split('<');
    prose.push_str(pieces.next().unwrap());
    for piece in pieces {
        let (tag, text) =
            piece.split_once('>').unwrap_or_else(|| panic!("`<{piece}` is not a tag in {html}"));
        let closing = tag.strip_prefix('/');
        let (name, attributes) =
            closing.unwrap_or(tag).split_once(' ').unwrap_or((closing.unwrap_or(tag), ""));
        if tag == "!-- --" {
            if !is_code(&open) {
                prose.push_str(text);
            }
            continue;
        }
        assert!(TAGS.contains(&name.trim_end_matches('/')), "`<{tag}>` in {html}");
        let ours = [
            "",
            "/",
            "align=\"right\"",
            "class=\"language-diff\"",
            "href=\"https://github.example/run/7\"",
        ];
        let path = attributes.strip_prefix("href=\"https://github.example/blob/main/policies/");
        let is_path = |one: char| one.is_ascii_alphanumeric() || "-._~/%#".contains(one);
        let place = path
            .and_then(|path| path.strip_suffix('"'))
            .is_some_and(|path| path.chars().all(is_path));
        let alert = attributes.starts_with("class=\"markdown-alert");
        assert!(ours.contains(&attributes) || alert || place, "`<{tag}>` in {html}");
        match closing {
            Some(name) => assert_eq!(open.pop(), Some(name), "{html}"),
            None if ["br", "hr"].contains(&name.trim_end_matches('/')) => {}
            None => open.push(name),
        }
        if !is_code(&open) {
            prose.push_str(text);
        }
    }
    assert!(open.is_empty(), "{open:?} in {html}");
    prose
}

/// Everything that GitHub would link or act on, outside of code.
fn assert_inert(markdown: &str) {
    let prose = prose(markdown);
    let found = [CANARY, '@', '\u{1b}', '\u{202e}', '\u{2066}', '\u{200b}', '$']
        .into_iter()
        .find(|mark| prose.contains(*mark));
    assert_eq!(found, None, "{prose}");
    for link in ["://", "www.", "GH-", "0123456789abcdef", ":tada:"] {
        assert!(!prose.contains(link), "{link} in {prose}");
    }
    let reference =
        prose.as_bytes().windows(2).any(|pair| pair[0] == b'#' && pair[1].is_ascii_digit());
    // `&#39;` is how HTML writes an apostrophe.
    assert!(!reference || !prose.replace("&#", "").contains('#'), "{prose}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn foreign_text_is_never_markup(texts in prop::collection::vec(hostile(), 1..5)) {
        let plan = plan_of(&texts);
        let links = Links::new("https://github.example/blob/main/{file}#L{line}", "policies").unwrap();
        let (commit, run) = (Some("0123456789abcdef"), Some("https://github.example/run/7"));
        let made = Made { commit, run, report: None, links: Some(&links) };
        let text = markdown::comment(&plan, made);
        prop_assert!(text.contains(CANARY) && text.len() <= markdown::MOST);
        assert_inert(&text);
        let plain = terminal::human(&plan, View { width: 120, all: true, folder: "" });
        for shown in [&text, &plain] {
            let acts = |line: &str| line.contains("##[") || line.trim_start().starts_with("::");
            prop_assert!(!shown.lines().any(acts), "{}", shown);
        }
    }
}

#[test]
fn a_comment_links_to_the_access_report() {
    let made = Made { report: Some("https://github.example/artifacts/7?x=\"1"), ..Made::default() };
    let text = markdown::comment(&plan_of(&["rule".to_owned()]), made);
    assert!(
        text.contains(
            "<a href=\"https://github.example/artifacts/7?x=&quot;1\">The access report</a>"
        ),
        "{text}"
    );
    assert!(
        !markdown::comment(&plan_of(&["rule".to_owned()]), Made::default())
            .contains("access report")
    );
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
    assert!(
        text.contains("more entries about access") && text.contains("more steps"),
        "{}",
        &text[text.len() - 400..]
    );
    assert!(text.starts_with("### seawall: widens access for the whole organization"));
    assert_inert(&text);
}

/// A policy for a team with this number of rules, each for a host of its own.
fn large(team: &str, rules: usize) -> DesiredPolicy {
    let rules = (0..rules).map(|number| {
        let name = format!("rule {number} {}", "x".repeat(100));
        rule(&name, Decision::Allow, &format!("h{number}.{team}.example.com"))
    });
    let (name, scope) = (format!("Policy for {team}"), Scope::from_teams([team.to_owned()]));
    declared(
        Policy { name, scope, body: Body::Allowlist(rules.collect()) },
        Domain::Network,
        "p.yaml",
    )
}

#[test]
fn a_long_table_of_one_audience_leaves_room_for_those_of_others() {
    let teams = ["alpha", "beta", "gamma"];
    let directory = teams.map(|team| Team { id: team.to_owned(), name: team.to_owned() });
    let live =
        Live { org: "acme".to_owned(), teams: TeamDirectory::new(directory), ..Live::default() };
    let plan = make(teams.map(|team| large(team, 200)).to_vec(), &live, "none");
    let text = markdown::plan(&plan);
    assert!(text.contains("more entries about access"), "not all fit");
    for team in teams {
        let rows = text
            .lines()
            .filter(|line| line.starts_with('|') && line.contains(&format!(".{team}.")))
            .count();
        assert!(rows > 20, "{team}: {rows} rows");
    }
    let tables: Vec<&str> = text.lines().filter(|line| line.starts_with("**Members of")).collect();
    assert_eq!(tables, teams.map(|team| format!("**Members of <code>{team}</code>**")));
}

/// Every list either counts the items that it leaves out, of which there are two or more, or shows
/// all of them.
#[test]
fn a_list_counts_what_it_leaves_out_and_never_leaves_out_one_item() {
    let because =
        |count: usize| (0..count).map(|at| format!("now allow `P › r{at}` (live)")).collect();
    let finding = |at: usize| Finding {
        code: "c".into(),
        message: format!("w{at}"),
        help: None,
        source: None,
    };
    let setting =
        |at: usize| SettingChange { setting: format!("s{at}"), base: 1.into(), proposed: 2.into() };
    for (count, more) in [(20, None), (21, None), (22, Some("… and 2 more"))] {
        let mut plan = plan_of(&["x".to_owned()]);
        let access = "connect:tcp a.example.com:443";
        let everybody = Audience { teams: Vec::new(), alike: Vec::new() }.into();
        let change = AccessChange {
            because: because(count),
            widens: true,
            ..AccessChange::plain(everybody, access.to_owned().into(), access.into())
        };
        let changes = Changes { widened: vec![change], ..Changes::default() };
        let access = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        plan.docker.as_mut().unwrap().access = access;
        plan.findings = (0..count).map(finding).collect();
        let changed = (0..count).map(setting).collect();
        plan.guards_from = Some(GuardsFrom { from: "main".into(), found: true, changed });
        let text = markdown::plan(&plan);
        let row = text.lines().find(|line| line.contains("r0")).unwrap();
        let findings =
            text.split("#### New warnings").nth(1).unwrap().split("\n\n").nth(1).unwrap();
        let settings = text.split("\n\n").find(|part| part.contains("Settings, against")).unwrap();
        for list in [row, findings, settings] {
            assert_eq!(list.contains("… and"), more.is_some(), "{count}: {list}");
            assert!(list.contains(more.unwrap_or_default()), "{count}: {list}");
        }
    }
}

/// The plan for teams that gain and lose access in several ways.
#[test]
fn each_audience_has_one_table_and_each_reason_one_row() {
    let host = |name: &str, decision, host: &str| rule(name, decision, host);
    let policy = |name: &str, team: &str, rules: Vec<Rule>| Policy {
        name: name.to_owned(),
        scope: Scope::from_teams([team.to_owned()]),
        body: Body::Allowlist(rules),
    };
    let live_rule = LiveRule {
        id: RuleId("r".into()),
        rule: host("old", Decision::Allow, "old.example.com:443"),
    };
    let live = Live {
        org: "acme".to_owned(),
        policies: vec![LivePolicy {
            id: PolicyId("p".into()),
            name: "Research".to_owned(),
            scope: Scope::from_teams(["research".to_owned()]),
            body: LiveBody::Allowlist(vec![live_rule]),
        }],
        teams: TeamDirectory::new(
            ["research", "platform"]
                .map(|team| Team { id: team.to_owned(), name: team.to_owned() }),
        ),
    };
    let mut wide = host("wide", Decision::Allow, "a.example.com:443");
    wide.resources =
        Resources::Plain(vec!["a.example.com:443".to_owned(), "*.b.example.com".to_owned()].into());
    let desired = vec![
        declared(policy("Research", "research", vec![wide]), Domain::Network, "teams/a b.yaml"),
        declared(
            policy(
                "Platform",
                "platform",
                vec![host("git", Decision::Allow, "git.example.com:443")],
            ),
            Domain::Network,
            "p.yaml",
        ),
    ];
    let links = Links::new("https://github.example/blob/main/{file}#L{line}", "policies").unwrap();
    let plan = make(desired, &live, "none");
    let text = markdown::comment(&plan, Made { links: Some(&links), ..Made::default() });
    assert_eq!(text.matches("| change | what | why |").count(), 2, "{text}");
    assert_eq!(text.matches("🔴&nbsp;gains").count(), 2, "one row for each reason: {text}");
    assert_eq!(text.matches("🟢&nbsp;loses").count(), 1, "{text}");
    let link = "<a href=\"https://github.example/blob/main/policies/teams/a%20b.yaml#L1\">";
    assert!(text.contains(link), "{text}");
    let research = text.find("**Members of <code>research</code>**").unwrap();
    let calls = text.find("<details><summary><b>").unwrap();
    assert!(research < calls, "the calls are folded, below what they mean: {text}");
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    let row = text
        .lines()
        .find(|line| line.starts_with("| 🔴&nbsp;gains") && line.contains("wide"))
        .unwrap();
    assert!(
        row.contains("a.example.com")
            && row.contains("b.example.com")
            && row.contains("now allow <code>"),
        "{row}"
    );
    assert_inert(&text);
}
