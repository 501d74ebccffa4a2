//! Results of comparisons, in one table.

mod alike;
mod noise;

use super::*;
use crate::essential::Part;
use crate::model::{Action, Body, Cedar, HttpResource, Resources, Rule, Scope, Team};

/// `allow connect:tcp a b` and `deny request:get,request:head host[:port]/path`.
fn rule(text: &str) -> Rule {
    let words: Vec<&str> = text.split(' ').collect();
    let decision = if words[0] == "allow" { Decision::Allow } else { Decision::Deny };
    let actions: Vec<Action> = words[1].split(',').map(Action::parse).collect();
    let http = |text: &&str| {
        let (host, path) = text.split_once('/').unwrap();
        let (host, port) = match host.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().unwrap())),
            None => (host, None),
        };
        HttpResource { host: host.to_owned(), port, path: format!("/{path}") }
    };
    let resources = if words[1].starts_with("request") {
        Resources::Http(words[2..].iter().map(http).collect())
    } else {
        Resources::Plain(words[2..].iter().map(|one| (*one).to_owned()).collect())
    };
    Rule { name: text.to_owned(), decision, actions, resources }
}

/// `org: rule; rule` or `a,b: rule`, a policy a line.
pub(crate) fn policies(text: &str) -> Vec<Policy> {
    let policy = |(number, line): (usize, &str)| {
        let (scope, rules) = line.trim().split_once(": ").unwrap();
        let teams = scope.split(',').filter(|team| *team != "org").map(str::to_owned);
        Policy {
            name: format!("p{number}"),
            scope: Scope::from_teams(teams),
            body: Body::Allowlist(rules.split("; ").map(rule).collect()),
        }
    };
    text.lines().filter(|line| !line.trim().is_empty()).enumerate().map(policy).collect()
}

/// `+` widened, `-` narrowed, `?` uncertain; audience, access, witness.
fn lines(old: &str, new: &str) -> Vec<String> {
    let comparison = compare(&policies(old), &policies(new), &TeamDirectory::default());
    let line = |sign: char, entry: &Entry| {
        format!("{sign} [{}] {} | {}", entry.audience.teams.join("+"), entry.access, entry.witness)
    };
    let Comparison::Complete(Changes { widened, narrowed, uncertain }) = comparison else {
        panic!("{comparison:?}")
    };
    let of = |sign, entries: Vec<Entry>| {
        entries.iter().map(|entry| line(sign, entry)).collect::<Vec<_>>()
    };
    [of('+', widened), of('-', narrowed), of('?', uncertain)].concat()
}

#[test]
fn changes_are_said_in_the_patterns_of_rules() {
    let table: &[(&str, &str, &[&str])] = &[
        // A new host for one team.
        (
            "org: deny connect:tcp bad.example.com",
            "org: deny connect:tcp bad.example.com\nresearch: allow connect:tcp cve.mitre.org",
            &["+ [research] connect:tcp cve.mitre.org | connect:tcp cve.mitre.org:443"],
        ),
        // A deny that stays is an exception; the documentation does not say if it includes the
        // apex.
        (
            "org: deny connect:tcp bad.example.com",
            "org: deny connect:tcp bad.example.com; allow connect:tcp **.example.com:443",
            &[
                "+ [] connect:tcp **.example.com:443 except bad.example.com | connect:tcp other.example.com:443",
                "? [] connect:tcp example.com:443 | connect:tcp example.com:443",
            ],
        ),
        // What a pattern with exceptions covers is no line of its own.
        (
            "org: deny connect:tcp bad.test\na: allow connect:tcp api.example.com",
            "org: deny connect:tcp bad.test\na: allow connect:tcp api.example.com\nb: allow connect:tcp **",
            &[
                "+ [b] connect:tcp ** except bad.test | connect:tcp other:443",
                "? [b] connect:tcp any other address | connect:tcp 192.0.2.1:443",
            ],
        ),
        // The removal of a deny opens what is allowed below it, and nothing else.
        (
            "org: allow connect:tcp a.example.com; deny connect:tcp **",
            "org: allow connect:tcp a.example.com",
            &["+ [] connect:tcp a.example.com | connect:tcp a.example.com:443"],
        ),
        // Both protocols, listed one by one.
        (
            "org: allow connect:tcp a.example.com",
            "org: allow connect:udp a.example.com",
            &[
                "+ [] connect:udp a.example.com | connect:udp a.example.com:443",
                "- [] connect:tcp a.example.com | connect:tcp a.example.com:443",
            ],
        ),
        // Two policies that exchange their teams.
        (
            "a: allow connect:tcp x.example.com\nb: deny connect:tcp x.example.com",
            "b: allow connect:tcp x.example.com\na: deny connect:tcp x.example.com",
            &[
                "+ [b] connect:tcp x.example.com | connect:tcp x.example.com:443",
                "- [a] connect:tcp x.example.com | connect:tcp x.example.com:443",
            ],
        ),
        // A deny of one team is removed: members of another team that is allowed gain access, if
        // they are in both.
        (
            "a: allow connect:tcp x.example.com\nb: deny connect:tcp x.example.com; deny connect:tcp y.example.com",
            "a: allow connect:tcp x.example.com\nb: deny connect:tcp y.example.com",
            &["+ [a+b] connect:tcp x.example.com | connect:tcp x.example.com:443"],
        ),
        // Blocks of addresses with exceptions.
        (
            "org: deny connect:tcp 10.1.0.0/16",
            "org: deny connect:tcp 10.1.0.0/16; allow connect:tcp 10.0.0.0/8",
            &["+ [] connect:tcp 10.0.0.0/8 except 10.1.0.0/16 | connect:tcp 10.0.0.1:443"],
        ),
        // A denied name is now decided by its address.
        (
            "org: allow connect:tcp 10.0.0.0/8; deny connect:tcp db.example.com",
            "org: allow connect:tcp 10.0.0.0/8",
            &[
                "+ [] connect:tcp db.example.com at 10.0.0.0/8 | connect:tcp db.example.com:443 at 10.0.0.1",
            ],
        ),
        // A name that was decided by its address is now allowed everywhere.
        (
            "org: allow connect:tcp 10.0.0.0/8",
            "org: allow connect:tcp 10.0.0.0/8 db.example.com",
            &[
                "+ [] connect:tcp db.example.com except at 10.0.0.0/8 | connect:tcp db.example.com:443 at 203.0.113.1",
            ],
        ),
        // Denied addresses that the name hardly has are left out; others are listed.
        (
            "org: deny connect:tcp 169.254.0.0/16",
            "org: deny connect:tcp 169.254.0.0/16; allow request:get db.example.com:443/**",
            &[
                "+ [] GET https://db.example.com/** except at 169.254.0.0/16 | GET https://db.example.com/",
            ],
        ),
        (
            "org: deny connect:tcp 203.0.113.0/24",
            "org: deny connect:tcp 203.0.113.0/24; allow request:get db.example.com:443/**",
            &[
                "+ [] GET https://db.example.com/** except at 203.0.113.0/24 | GET https://db.example.com/ at 198.51.100.1",
            ],
        ),
        // Requests.
        (
            "org: deny connect:tcp bad.example.com",
            "org: deny connect:tcp bad.example.com; allow request:get,request:head api.github.com:443/repos/docker/**",
            &[
                "+ [] GET,HEAD https://api.github.com/repos/docker/** | GET https://api.github.com/repos/docker",
            ],
        ),
        // The documentation does not say if case matters: a folder in rules is listed separately,
        // all others together.
        (
            "org: allow read /42/**; deny read /42/Secret; deny read /42/secret",
            "org: allow read /42/**; deny read /42/Secret",
            &["? [] read /42/secret | read /42/secret"],
        ),
        (
            "org: deny read /42",
            "org: deny read /42; allow read *:\\Data; deny read D:\\data",
            &[
                "+ [] read *:\\Data except D:\\Data | read C:\\Data",
                "? [] read D:\\Data | read D:\\Data",
            ],
        ),
        // Nor does it say where home folders are, and whose `/home/bob` is.
        (
            "org: allow read /home/bob/**; deny read ~/42",
            "org: allow read /home/bob/**",
            &["? [] read ** in another spelling | read /home/bob/42"],
        ),
        (
            "org: deny read /42",
            "org: deny read /42; allow read ~/42",
            &["+ [] read ~/42 | read ~/42"],
        ),
        // A name without letters has no case.
        (
            "org: deny read /42",
            "org: deny read /42; allow read C:\\1\\**",
            &["+ [] read C:\\1\\** | read C:\\1\\other", "? [] read C:\\1 | read C:\\1"],
        ),
        // A rule that replaces another one: its effect on other spellings is implied.
        (
            "org: allow request:get a.example.com:443/x/y/**; deny connect:tcp 10.0.0.0/8",
            "org: allow request:get a.example.com:443/x/**; deny connect:tcp 10.0.0.0/8",
            &[
                "+ [] GET https://a.example.com/x/** except https://a.example.com/x/y/** except at 10.0.0.0/8 | GET https://a.example.com/x",
            ],
        ),
        // Requests that follow from a connection are not listed again.
        (
            "org: allow request:get a.example.com/x",
            "org: allow connect:tcp b.example.com; allow request:get a.example.com/x",
            &["+ [] connect:tcp b.example.com | connect:tcp b.example.com:443"],
        ),
        // Requests that are excluded again; a connection that cannot be inspected may be blocked.
        (
            "org: allow connect:tcp a.example.com",
            "org: allow connect:tcp a.example.com; deny request:delete a.example.com/**",
            &[
                "- [] DELETE a.example.com/** | DELETE https://a.example.com/",
                "? [] connect:tcp a.example.com | connect:tcp a.example.com:443",
            ],
        ),
        // The documentation does not say if `**` matches the folder itself.
        (
            "org: allow read /data",
            "org: allow read /data /data/**; allow read,write ~/src/**; deny write ~/src/secret",
            &[
                "+ [] read /data/** | read /data/other",
                "+ [] write ~/src/** except ~/src/secret | write ~/src/other",
                "+ [] read ~/src/** | read ~/src/other",
                "? [] read ~/src | read ~/src",
                "? [] write ~/src | write ~/src",
            ],
        ),
        // The last policy of a domain is removed.
        (
            "org: deny read /data\norg: allow connect:tcp a.example.com",
            "org: allow connect:tcp a.example.com",
            &["? [] read ** | read ~", "? [] write ** | write ~"],
        ),
    ];
    for (old, new, expected) in table {
        assert_eq!(lines(old, new), *expected, "\n{old}\n→\n{new}");
    }
}

#[test]
fn what_no_pattern_tells_apart_is_said_in_part() {
    // Below `/Users/**`, `/Users/u/x` is `~/x` in somebody's home folder and certainly lost; what
    // is deeper may be kept. No pattern of a rule tells these apart, so that an exception of one
    // deeper folder would claim all others.
    let lines = lines("blue: allow write /Users/**", "org: deny write ~/*; allow write ~/**");
    let lost: Vec<&String> = lines.iter().filter(|line| line.starts_with('-')).collect();
    assert_eq!(
        lost,
        ["- [blue] write /Users/** in part except ~ | write /Users/other/other"],
        "{lines:#?}"
    );
}

/// Their number is that of an organization, and each may be below any usual place of home folders.
#[test]
fn many_folders_in_homes_are_compared_whole() {
    let folders = (0..1_600).map(|at| format!("allow read ~/team-{}/{}/**", at / 40, at % 40));
    let rules = format!("org: {}", folders.collect::<Vec<String>>().join("; "));
    match compare(&[], &policies(&rules), &TeamDirectory::default()) {
        Comparison::Complete(changes) => assert_eq!(changes.widened.len(), 1_600),
        Comparison::Incomplete(_, incomplete) => panic!("{:?}", incomplete.why),
    }
}

#[test]
fn a_regrouping_is_no_change() {
    for (old, new) in [
        // Rules split, joined and reordered.
        (
            "org: allow connect:tcp,connect:udp a.example.com b.example.com",
            "org: allow connect:udp b.example.com a.example.com; allow connect:tcp b.example.com\norg: allow connect:tcp a.example.com",
        ),
        // A scope split over two policies.
        ("a,b: allow read ~/x/**", "b: allow read ~/x/**\na: allow read ~/x/**"),
        // Another spelling of the same host.
        // A rule that another one covers, even if the other one is uncertain.
        ("org: allow connect:tcp **.x.example", "org: allow connect:tcp **.x.example *.x.example"),
        // An allow under a deny.
        (
            "org: deny connect:tcp **.x.example",
            "org: deny connect:tcp **.x.example; allow connect:tcp **.x.example",
        ),
        // Two blocks that make one.
        ("org: allow connect:tcp 10.0.0.0/9 10.128.0.0/9", "org: allow connect:tcp 10.0.0.0/8"),
        // An allow that repeats the organization's own allow.
        ("org: allow read /x", "org: allow read /x\na: allow read /x"),
        // An HTTP allow made irrelevant by a denied connection.
        (
            "org: deny connect:tcp a.example",
            "org: deny connect:tcp a.example; allow request:get a.example/x",
        ),
    ] {
        assert_eq!(lines(old, new), [""; 0], "\n{old}\n→\n{new}");
    }
}

#[test]
fn causes_name_the_rules_that_make_the_difference() {
    let old = policies("org: deny connect:tcp x.example; allow connect:udp x.example");
    let new =
        policies("org: allow connect:udp x.example\na: allow connect:tcp x.example y.example");
    let comparison = compare(
        &old,
        &new,
        &TeamDirectory::new([Team { id: "a".into(), name: "Research".into() }]),
    );
    let Comparison::Complete(Changes { widened, .. }) = comparison else {
        panic!("{comparison:?}")
    };
    let shown: Vec<(Vec<String>, String, Vec<String>)> = widened
        .iter()
        .map(|entry| {
            let because = entry.because.iter().map(ToString::to_string).collect();
            (entry.audience.teams.clone(), entry.access.to_string(), because)
        })
        .collect();
    let allow = "now allow `p1 › allow connect:tcp x.example y.example`".to_owned();
    let deny = "no longer deny `p0 › deny connect:tcp x.example`".to_owned();
    assert_eq!(
        shown,
        [
            (
                vec!["Research".to_owned()],
                "connect:tcp x.example".to_owned(),
                vec![deny, allow.clone()]
            ),
            (vec!["Research".to_owned()], "connect:tcp y.example".to_owned(), vec![allow]),
        ]
    );
}

#[test]
fn mcp_policies_are_compared_by_what_they_permit() {
    let cedar = |name: &str, schema_url: &str, text: &str, teams: &[&str]| Policy {
        name: name.to_owned(),
        scope: Scope::from_teams(teams.iter().map(|team| (*team).to_owned())),
        body: Body::Cedar(Cedar { text: text.to_owned(), schema_url: schema_url.to_owned() }),
    };
    let known =
        |name: &str, text: &str, teams: &[&str]| cedar(name, crate::cedar::SCHEMA_URL, text, teams);
    let foreign = |name: &str, text: &str| cedar(name, "https://schemas.example.com", text, &[]);
    let lines = |old: Policy, new: Policy| {
        let comparison = compare(&[old], &[new], &TeamDirectory::default());
        let Comparison::Complete(Changes { widened, narrowed, uncertain }) = comparison else {
            panic!("incomplete")
        };
        let of = |sign: &'static str, entries: Vec<Entry>| {
            entries.into_iter().map(move |entry| {
                let because: Vec<String> = entry.because.iter().map(ToString::to_string).collect();
                format!("{sign} {} | {} | {}", entry.access, entry.witness, because.join(", "))
            })
        };
        of("+", widened).chain(of("-", narrowed)).chain(of("?", uncertain)).collect::<Vec<_>>()
    };
    let prompts = r#"permit (principal, action == MCP::Action::"getPrompt", resource);"#;
    // A rename and another layout have the same meaning, even if the schema is unknown.
    assert_eq!(
        lines(known("a", prompts, &[]), known("b", &prompts.replace("; ", "\n;"), &[])),
        [""; 0]
    );
    assert_eq!(lines(foreign("a", prompts), foreign("b", &format!("// why\n{prompts}"))), [""; 0]);
    // One more statement, with an example.
    assert_eq!(
        lines(
            known("a", prompts, &[]),
            known(
                "a",
                &format!("{prompts} permit (principal, action, resource in MCP::Server::\"x\");"),
                &[]
            )
        ),
        [
            "+ mcp register x | mcp register x | now allow `a › permit (principal, action, resource in MCP::Server::\"x\");`",
            "+ mcp invokeTool, readResource x/* | mcp invokeTool x/other | now allow `a › permit (principal, action, resource in MCP::Server::\"x\");`"
        ]
    );
    // A text that cannot be parsed is uncertain, in both directions at once.
    assert_eq!(
        lines(foreign("a", prompts), foreign("a", "forbid (principal, action, resource);")),
        ["? mcp ** | mcp ** | no longer `a`, now `a`"]
    );
}

#[test]
fn where_the_last_policy_of_a_domain_goes_nothing_is_lost_for_certain() {
    let (hosts, folders) = ("org: allow connect:tcp x.example.com", "org: allow read /a");
    for (new, narrowed, lost) in [
        ("", 0, 2),
        (folders, 0, 1),
        // Another team's policy keeps the domain.
        ("a: allow connect:tcp x.example.com", 1, 1),
    ] {
        let (old, new) = (policies(&format!("{hosts}\n{folders}")), policies(new));
        let comparison = compare(&old, &new, &TeamDirectory::default());
        let Comparison::Complete(changes) = comparison.of_whole_states(&old, &new) else {
            panic!("few rules")
        };
        let is_lost = |entry: &&Entry| entry.narrows && !entry.widens;
        assert_eq!(
            (changes.narrowed.len(), changes.uncertain.iter().filter(is_lost).count()),
            (narrowed, lost),
            "{changes:?}"
        );
    }
}
