//! The changes that every fault is tried on: what was there, and what is wanted.

use seawall::model::Desired;
use seawall::plan::step::Reason;

/// A change, as documents.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) name: &'static str,
    pub(super) before: String,
    pub(super) after: String,
    /// What at least one step of its plan is there for.
    pub(super) because: Option<Reason>,
}

impl Change {
    pub(super) fn ends(&self) -> (Desired, Desired) {
        (super::desired(&self.before), super::desired(&self.after))
    }
}

/// A network or file system policy with rules of one line each:
/// `NAME: allow|deny ACTION RESOURCE,…`.
fn policy(kind: &str, name: &str, teams: &str, rules: &[&str]) -> String {
    let mut text = format!(
        "---\napiVersion: seawall/v1\nkind: {kind}\nname: {name}\nscope: {{teams: [{teams}]}}\n"
    );
    text.push_str(if rules.is_empty() { "rules: []\n" } else { "rules:\n" });
    for rule in rules {
        let (name, rest) = rule.split_once(": ").unwrap();
        let (decision, rest) = rest.split_once(' ').unwrap();
        let (action, resources) = rest.split_once(' ').unwrap();
        let (name, previously) = name.split_once(" < ").unwrap_or((name, ""));
        let resources = match action.starts_with("request:") {
            true => format!("http_resources: [{resources}]"),
            false => format!("resources: [{resources}]"),
        };
        text.push_str(&format!(
            "  - {{name: {name}, previously: [{previously}], decision: {decision}, actions: ['{action}'], {resources}}}\n"
        ));
    }
    text
}

fn network(name: &str, teams: &str, rules: &[&str]) -> String {
    policy("NetworkPolicy", name, teams, rules)
}

fn files(name: &str, teams: &str, rules: &[&str]) -> String {
    policy("FilesystemPolicy", name, teams, rules)
}

fn mcp(name: &str, text: &str) -> String {
    format!("---\napiVersion: seawall/v1\nkind: McpPolicy\nname: {name}\ncedar: '{text}'\n")
}

fn renamed(policy: &str, before: &str) -> String {
    policy.replacen("scope:", &format!("previously: [{before}]\nscope:"), 1)
}

const PERMIT: &str = "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };";
const FORBID: &str = "forbid (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.destructive };";

/// A policy that stays as it is.
fn staying() -> String {
    network(
        "guardrails",
        "",
        &[
            "no pastebins: deny connect:tcp pastebin.example.com",
            "docs: allow connect:tcp docs.example.com",
        ],
    )
}

pub(super) fn changes() -> Vec<Change> {
    let change = |name, before: &[String], after: &[String], because| Change {
        name,
        before: [&[staying()], before].concat().concat(),
        after: [&[staying()], after].concat().concat(),
        because,
    };
    vec![
        change(
            "policies come",
            &[],
            &[
                network(
                    "mirrors",
                    "research",
                    &[
                        "cve: allow connect:tcp cve.mitre.org",
                        "not att: deny connect:tcp attack.mitre.org",
                    ],
                ),
                files("folders", "", &["data: allow read /data/**"]),
                mcp("tools", PERMIT),
            ],
            None,
        ),
        change(
            "rules change in place",
            &[network(
                "mirrors",
                "",
                &[
                    "cve: allow connect:tcp cve.mitre.org",
                    "hosts: allow connect:tcp a.example.com, b.example.com",
                    "flips: allow connect:tcp flip.example.com",
                    "goes: allow connect:tcp goes.example.com",
                ],
            )],
            &[network(
                "mirrors",
                "",
                &[
                    "cve: allow connect:tcp cve.mitre.org, research.mitre.org",
                    "hosts: allow connect:tcp b.example.com, c.example.com",
                    "flips: deny connect:tcp flip.example.com",
                    "comes: deny connect:tcp comes.example.com",
                ],
            )],
            None,
        ),
        change(
            "policies go",
            &[
                network(
                    "mirrors",
                    "research",
                    &["cve: allow connect:tcp cve.mitre.org", "not: deny connect:tcp x.mitre.org"],
                ),
                files("folders", "", &["data: allow read /data/**"]),
                mcp("tools", FORBID),
            ],
            &[],
            None,
        ),
        change(
            "scopes change",
            &[
                network(
                    "wide",
                    "research",
                    &["cve: allow connect:tcp cve.mitre.org", "not: deny connect:tcp x.mitre.org"],
                ),
                network("narrow", "", &["a: allow connect:tcp a.example.com"]),
                network("moves", "research, sales", &["b: allow connect:tcp b.example.com"]),
            ],
            &[
                network(
                    "wide",
                    "",
                    &["cve: allow connect:tcp cve.mitre.org", "not: deny connect:tcp x.mitre.org"],
                ),
                network("narrow", "platform", &["a: allow connect:tcp a.example.com"]),
                network(
                    "moves",
                    "sales, platform",
                    &["b: allow connect:tcp b.example.com, c.example.com"],
                ),
            ],
            None,
        ),
        change(
            "names change",
            &[
                network("old", "", &["one: allow connect:tcp one.example.com"]),
                network("taken", "", &["two: allow connect:tcp two.example.com"]),
            ],
            &[
                renamed(
                    &network("taken", "", &["first < one: allow connect:tcp one.example.com"]),
                    "old",
                ),
                renamed(&network("next", "", &["two: allow connect:tcp two.example.com"]), "taken"),
            ],
            None,
        ),
        change(
            "names are swapped",
            &[
                network(
                    "a",
                    "",
                    &[
                        "one: allow connect:tcp one.example.com",
                        "two: allow connect:tcp two.example.com",
                    ],
                ),
                network(
                    "b",
                    "",
                    &["x: allow connect:tcp x.example.com", "y: deny connect:tcp y.example.com"],
                ),
            ],
            &[
                renamed(
                    &network(
                        "b",
                        "",
                        &[
                            "one: allow connect:tcp one.example.com",
                            "two: allow connect:tcp two.example.com",
                        ],
                    ),
                    "a",
                ),
                renamed(
                    &network(
                        "a",
                        "",
                        &[
                            "x: allow connect:tcp x.example.com",
                            "y: deny connect:tcp y.example.com",
                        ],
                    ),
                    "b",
                ),
            ],
            Some(Reason::TemporaryName),
        ),
        change(
            "one rule changes its domain",
            &[network("p", "research", &["r: allow connect:tcp one.example.com"])],
            &[files("p", "research", &["r: allow read /data/**"])],
            None,
        ),
        change(
            "many rules change their domain",
            &[network(
                "p",
                "research",
                &[
                    "r: allow connect:tcp one.example.com",
                    "s: deny connect:tcp two.example.com",
                    "t: allow connect:tcp t.example.com",
                ],
            )],
            &[files(
                "p",
                "research",
                &["r: allow read /data/**", "s: deny write /etc/**", "u: allow read /usr/**"],
            )],
            Some(Reason::DomainChange),
        ),
        change(
            "a deny becomes an allow of another domain that a new deny keeps closed",
            &[
                files("old", "", &["a: allow write /etc/passwd"]),
                network("p", "", &["r: deny connect:udp 10.0.0.0/8"]),
            ],
            &[files(
                "p",
                "platform",
                &["r: allow read ~/src", "s: allow read /etc/passwd", "t: deny read ~/src"],
            )],
            Some(Reason::SplitNarrows),
        ),
        change(
            "a policy loses its rules and a team, and the deny above them goes",
            &[
                network("above", "", &["d: deny connect:udp a.example.com"]),
                network("p", "research, platform", &["r: allow connect:udp a.example.com"]),
            ],
            &[network("p", "research", &[])],
            None,
        ),
        // The deny that goes may go sooner than planned: nothing may count on it.
        change(
            "a policy loses an allow and comes to govern more, and the deny above it goes",
            &[
                network("above", "", &["d: deny connect:tcp a.example.com"]),
                network(
                    "p",
                    "research",
                    &["r: allow connect:tcp a.example.com", "s: allow connect:tcp s.example.com"],
                ),
            ],
            &[network("p", "research, platform", &["s: allow connect:tcp s.example.com"])],
            None,
        ),
        change(
            "Cedar text becomes rules, and rules Cedar text",
            &[
                mcp("one", &format!("{PERMIT} {FORBID}")),
                network("two", "", &["a: allow connect:tcp a.example.com"]),
            ],
            &[network("one", "", &["a: allow connect:tcp a.example.com"]), mcp("two", FORBID)],
            Some(Reason::Replace),
        ),
        change(
            "Cedar text changes",
            &[mcp("tools", PERMIT)],
            &[mcp("tools", &format!("{PERMIT} {FORBID}"))],
            None,
        ),
        change(
            "denies change places",
            &[network(
                "p",
                "",
                &[
                    "all: allow connect:tcp a.example.com, b.example.com",
                    "one: deny connect:tcp a.example.com",
                    "two: deny connect:tcp b.example.com",
                ],
            )],
            &[network(
                "p",
                "",
                &[
                    "all: allow connect:tcp a.example.com, b.example.com",
                    "one: deny connect:tcp b.example.com",
                    "two: deny connect:tcp a.example.com",
                ],
            )],
            Some(Reason::SplitNarrows),
        ),
        change(
            "policies change teams",
            &[
                network(
                    "p",
                    "research",
                    &["a: allow connect:tcp a.example.com", "b: deny connect:tcp b.example.com"],
                ),
                network(
                    "q",
                    "platform",
                    &["b: allow connect:tcp b.example.com", "a: deny connect:tcp a.example.com"],
                ),
            ],
            &[
                network(
                    "p",
                    "platform",
                    &["a: allow connect:tcp a.example.com", "b: deny connect:tcp b.example.com"],
                ),
                network(
                    "q",
                    "research",
                    &["b: allow connect:tcp b.example.com", "a: deny connect:tcp a.example.com"],
                ),
            ],
            None,
        ),
        // Whoever fails to make the new one may not delete the old one: somebody would be left
        // without any.
        change(
            "somebody's only policy is replaced by another",
            &[files("old", "research", &["one: allow read /one/**"])],
            &[files("new", "research", &["two: allow read /two/**"])],
            None,
        ),
        // A rule that only seems to be gone would govern everybody.
        change(
            "a policy loses its rules and comes to govern everybody",
            &[network(
                "p",
                "sales",
                &["a: allow connect:tcp a.example.com", "b: allow connect:tcp b.example.com"],
            )],
            &[network("p", "research", &[])],
            None,
        ),
        // The name has to be given up first, and with it the deny that everybody was under.
        change(
            "a name is taken over with what it denies",
            &[
                network("x", "", &["no docs: deny connect:tcp docs.example.com"]),
                network("z", "research", &["no docs: deny connect:tcp docs.example.com"]),
            ],
            &[
                renamed(
                    &network("y", "research", &["no docs: deny connect:tcp docs.example.com"]),
                    "x",
                ),
                renamed(&network("x", "", &["no docs: deny connect:tcp docs.example.com"]), "z"),
            ],
            Some(Reason::TemporaryDeny),
        ),
        change(
            "policies change teams and what they say",
            &[
                network(
                    "p",
                    "research",
                    &["a: allow connect:tcp a.example.com", "c: deny connect:tcp c.example.com"],
                ),
                network(
                    "q",
                    "platform",
                    &["c: allow connect:tcp c.example.com", "a: deny connect:tcp a.example.com"],
                ),
            ],
            &[
                network(
                    "p",
                    "platform",
                    &["a: deny connect:tcp c.example.com", "c: allow connect:tcp a.example.com"],
                ),
                network(
                    "q",
                    "research",
                    &["c: deny connect:tcp a.example.com", "a: allow connect:tcp c.example.com"],
                ),
            ],
            None,
        ),
        change(
            "a rule moves to another policy, and HTTP rules to hosts",
            &[
                network(
                    "p",
                    "",
                    &[
                        "r: allow connect:tcp moves.example.com",
                        "s: allow connect:tcp s.example.com",
                    ],
                ),
                network(
                    "q",
                    "",
                    &["http: allow request:get {host: api.example.com, path: /v1/**}"],
                ),
            ],
            &[
                network("p", "", &["s: allow connect:tcp s.example.com"]),
                network(
                    "q",
                    "",
                    &[
                        "r: allow connect:tcp moves.example.com",
                        "http: allow connect:tcp api.example.com",
                    ],
                ),
            ],
            None,
        ),
    ]
}
