//! Random organizations and records, and an evaluation of them that tries everything.
//!
//! It shares nothing with the engine but the documented rules: a deny of a name wins, then an allow
//! of a name; only then is the address asked. What is open is tried both ways: whether
//! `**.x.example` matches `x.example`, whether `**` decides a connection straight to an address,
//! like a name or like a block, the address of a name, whether a mount was for reading or writing,
//! and the teams of users that nobody listed.

use proptest::prelude::*;
use seawall::evidence::{Input, Memberships, Requests, read};
use seawall::model::{
    Action, Body, Decision, DesiredPolicy, DesiredRule, Origin, Policy, Resources, Rule, Scope,
};
use serde_json::Value;

use super::{connect, lines, record};

pub(super) const HOSTS: [&str; 5] =
    ["a.x.example", "b.a.x.example", "x.example", "y.example", "10.0.0.5"];
const PATTERNS: [&str; 9] = [
    "a.x.example",
    "*.x.example",
    "**.x.example",
    "x.example",
    "y.example:443",
    "**",
    "10.0.0.0/8",
    "10.0.0.5",
    "a.x.example:22",
];
pub(super) const PORTS: [u16; 2] = [443, 22];
const FOLDERS: [&str; 2] = ["/data/x", "/tmp"];
const TEAMS: [&str; 2] = ["red", "blue"];
/// Of the first three, the teams are known.
pub(super) const USERS: [(&str, &[&str]); 4] =
    [("none", &[]), ("one", &["red"]), ("both", &["red", "blue"]), ("anybody", &[])];

#[derive(Clone, Debug)]
pub(super) struct Organization {
    pub(super) rules: Vec<Stated>,
    pub(super) requests: Vec<Asked>,
}

/// A rule in a policy of its own.
#[derive(Clone, Debug)]
pub(super) struct Stated {
    pub(super) team: Option<&'static str>,
    pub(super) allow: bool,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Connect(&'static str),
    /// Whether it reads and whether it writes.
    Mount(&'static str, bool, bool),
}

#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) user: usize,
    pub(super) allowed: bool,
    pub(super) what: Wanted,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    Connect(&'static str, u16),
    Mount(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Known(bool),
    Unknown,
}

/// What is open, one way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Whether `**.x.example` matches `x.example`.
    apex: bool,
    /// Whether names have an address in 10.0.0.0/8.
    inside: bool,
    /// Whether `**` decides a connection straight to an address like a name.
    address_as_name: bool,
    /// The same, like a block that holds the address.
    address_as_block: bool,
}

impl Known {
    /// Every way.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..16_u8).map(|bits| {
            let is = |bit: u8| bits >> bit & 1 == 1;
            Self { apex: is(0), inside: is(1), address_as_name: is(2), address_as_block: is(3) }
        })
    }
}

pub(super) fn organization() -> impl Strategy<Value = Organization> {
    let team = prop_oneof![2 => Just(None), 1 => prop::sample::select(&TEAMS).prop_map(Some)];
    let what = prop_oneof![
        5 => prop::sample::select(&PATTERNS).prop_map(What::Connect),
        1 => (prop::sample::select(&["/data/**", "/tmp", "/**"][..]), any::<bool>(), any::<bool>())
            .prop_map(|(path, read, write)| What::Mount(path, read || !write, write)),
    ];
    let rule = (team, prop::bool::weighted(0.7), what).prop_map(|(team, allow, what)| Stated {
        team,
        allow,
        what,
    });
    let wanted = prop_oneof![
        5 => (prop::sample::select(&HOSTS[..]), prop::sample::select(&PORTS[..])).prop_map(|(host, port)| Wanted::Connect(host, port)),
        1 => prop::sample::select(&FOLDERS[..]).prop_map(Wanted::Mount),
    ];
    let request = (0..USERS.len(), any::<bool>(), wanted).prop_map(|(user, allowed, what)| Asked {
        user,
        allowed,
        what,
    });
    (prop::collection::vec(rule, 0..6), prop::collection::vec(request, 0..14))
        .prop_map(|(rules, requests)| Organization { rules, requests })
}

impl Organization {
    pub(super) fn policies(&self) -> Vec<Policy> {
        let policy = |(number, stated): (usize, &Stated)| {
            let (actions, resource) = match &stated.what {
                What::Connect(pattern) => (vec![Action::ConnectTcp], pattern),
                What::Mount(path, read, write) => {
                    let actions = [(*read, Action::Read), (*write, Action::Write)];
                    (
                        actions
                            .into_iter()
                            .filter(|(own, _)| *own)
                            .map(|(_, action)| action)
                            .collect(),
                        path,
                    )
                }
            };
            let rule = Rule {
                name: format!("rule {number}"),
                decision: if stated.allow { Decision::Allow } else { Decision::Deny },
                actions,
                resources: Resources::Plain(vec![(*resource).to_owned()].into()),
            };
            let scope = Scope::from_teams(stated.team.map(str::to_owned));
            Policy { name: format!("policy {number}"), scope, body: Body::Allowlist(vec![rule]) }
        };
        self.rules.iter().enumerate().map(policy).collect()
    }

    /// The same policies as if documents declared them.
    pub(super) fn declared(&self) -> Vec<DesiredPolicy> {
        let origin = Origin { file: "x".to_owned(), line: 1, column: 1 };
        let declared = |policy: Policy| DesiredPolicy {
            domain: policy.domain().unwrap(),
            rules: vec![DesiredRule { previously: Vec::new(), origin: origin.clone() }],
            previously: Vec::new(),
            orgs: Vec::new(),
            origin: origin.clone(),
            policy,
        };
        self.policies().into_iter().map(declared).collect()
    }

    pub(super) fn memberships() -> Memberships {
        let mut memberships = Memberships::default();
        for (user, teams) in USERS.into_iter().take(3) {
            memberships.set(user, teams.iter().map(|team| (*team).to_owned()));
        }
        memberships
    }

    /// The requests, as they are read from a file of their records.
    pub(super) fn recorded(&self) -> Requests {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records.jsonl");
        std::fs::write(&file, lines(&self.records())).unwrap();
        read(&[Input::Path(file)]).unwrap().requests
    }

    pub(super) fn records(&self) -> Vec<Value> {
        let record = |(number, asked): (usize, &Asked)| {
            let decision = if asked.allowed { "ALLOW" } else { "DENY" };
            let (id, user) = (format!("record {number}"), USERS[asked.user].0);
            match &asked.what {
                Wanted::Connect(host, port) => {
                    connect(&id, user, &format!("{host}:{port}"), decision)
                }
                Wanted::Mount(path) => record(&id, user, "filesystem_mount", path, decision),
            }
        };
        self.requests.iter().enumerate().map(record).collect()
    }

    pub(super) fn answer(&self, asked: &Asked) -> Answer {
        self.answer_without(asked, None)
    }

    pub(super) fn answer_without(&self, asked: &Asked, without: Option<usize>) -> Answer {
        let about_network = matches!(asked.what, Wanted::Connect(..));
        let of_domain = |stated: &Stated| matches!(stated.what, What::Connect(_)) == about_network;
        // The last rule of a domain takes the domain with it.
        if !self
            .rules
            .iter()
            .enumerate()
            .any(|(number, stated)| Some(number) != without && of_domain(stated))
        {
            return Answer::Unknown;
        }
        let (_, own) = USERS[asked.user];
        let choices: Vec<Vec<&str>> = match asked.user {
            3 => vec![vec![], vec!["red"], vec!["blue"], vec!["red", "blue"]],
            _ => vec![own.to_vec()],
        };
        let mut answers = Vec::new();
        for teams in choices {
            let rules: Vec<&Stated> = self
                .rules
                .iter()
                .enumerate()
                .filter(|(number, stated)| {
                    Some(*number) != without && stated.team.is_none_or(|team| teams.contains(&team))
                })
                .map(|(_, stated)| stated)
                .collect();
            for known in Known::all() {
                match asked.what {
                    Wanted::Connect(host, port) => {
                        answers.push(connects(&rules, host, port, known))
                    }
                    Wanted::Mount(path) => {
                        answers.extend([true, false].map(|read| mounts(&rules, path, read)))
                    }
                }
            }
        }
        match (answers.iter().all(|one| *one), answers.iter().any(|one| *one)) {
            (true, _) => Answer::Known(true),
            (_, false) => Answer::Known(false),
            _ => Answer::Unknown,
        }
    }
}

fn connects(rules: &[&Stated], host: &str, port: u16, known: Known) -> bool {
    let is_address = host == "10.0.0.5";
    let mut sides = [[false; 2]; 2];
    for stated in rules {
        let What::Connect(pattern) = stated.what else { continue };
        let by_address = pattern.contains('/');
        let (name, address) = match pattern {
            _ if by_address => (false, is_address || known.inside),
            "**" if is_address => (known.address_as_name, known.address_as_block),
            _ => (names(pattern, host, port, known), false),
        };
        sides[0][usize::from(stated.allow)] |= name;
        sides[1][usize::from(stated.allow)] |= address;
    }
    let [[denied, allowed], [address_denied, address_allowed]] = sides;
    !denied && (allowed || address_allowed && !address_denied)
}

pub(super) fn names(pattern: &str, host: &str, port: u16, known: Known) -> bool {
    let (pattern, own) =
        pattern.split_once(':').map_or((pattern, None), |(name, port)| (name, port.parse().ok()));
    if own.is_some_and(|own: u16| own != port) {
        return false;
    }
    match pattern.split_once('.') {
        _ if pattern == "**" || pattern == host => true,
        Some(("*", rest)) => host.split_once('.').is_some_and(|(_, own)| own == rest),
        Some(("**", rest)) => host.ends_with(&format!(".{rest}")) || host == rest && known.apex,
        _ => false,
    }
}

fn mounts(rules: &[&Stated], path: &str, read: bool) -> bool {
    let (mut allowed, mut denied) = (false, false);
    for stated in rules {
        let What::Mount(pattern, reads, writes) = stated.what else { continue };
        let matches = match pattern.strip_suffix("/**") {
            Some(folder) => path.starts_with(&format!("{folder}/")),
            None => pattern == path,
        };
        if matches && if read { reads } else { writes } {
            if stated.allow { allowed = true } else { denied = true }
        }
    }
    allowed && !denied
}
