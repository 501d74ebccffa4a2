//! Decides if a change weakens a policy, regardless of other policies.
//!
//! A policy is weaker if it denies less, to any audience, or allows more. This is judged by
//! effective access. Its denies are compared beside a policy that allows everything, so that a deny
//! that moves to another rule, or that another deny subsumes, is no loss. Its allows are compared
//! under its own denies.
//!
//! Invariant: a change counts as weakening if it is uncertain or cannot be compared.

use std::slice::from_ref;

use crate::access::cedar::SCHEMA_URL;
use crate::access::{self, Changes, Comparison, Entry};
use crate::model::{
    Action, Body, Cedar, Decision, Domain, Layer, Policy, Resources, Rule, Scope, TeamDirectory,
    Weakening,
};

/// The ways in which a policy becomes weaker: for each kind of change, its effect as a phrase.
#[must_use]
pub fn of_policy(
    before: &Policy,
    after: &Policy,
    teams: &TeamDirectory,
) -> Vec<(Weakening, String)> {
    if before.scope == after.scope && before.body == after.body {
        return Vec::new();
    }
    if before.domain().is_some() && after.domain().is_none() {
        return vec![(Weakening::Empty, "loses its last rule".to_owned())];
    }
    let mut found = Vec::new();
    // First the same rules for another scope, then other rules for that scope.
    let rescoped = Policy { scope: after.scope.clone(), ..before.clone() };
    if before.scope != after.scope {
        let lost =
            denies_less(before, &rescoped, teams).or_else(|| allows_more(before, &rescoped, teams));
        found.extend(lost.map(|what| (Weakening::Scope, what)));
    }
    found.extend(denies_less(&rescoped, after, teams).map(|what| (Weakening::NarrowDeny, what)));
    let under_new_denies = with_denies_of(&rescoped, after);
    found.extend(
        allows_more(&under_new_denies, after, teams).map(|what| (Weakening::AddAllow, what)),
    );
    found
}

fn denies_less(before: &Policy, after: &Policy, teams: &TeamDirectory) -> Option<String> {
    let open = [before.domain(), after.domain()].into_iter().flatten().map(everything);
    let open: Vec<Policy> = open.collect();
    let side =
        |policy: &Policy| -> Vec<Policy> { open.iter().cloned().chain([policy.clone()]).collect() };
    let found = access::compare(&side(before), &side(after), teams);
    gained(&found, ["no longer denies", "may no longer deny", "what it denies cannot be compared"])
}

fn allows_more(before: &Policy, after: &Policy, teams: &TeamDirectory) -> Option<String> {
    let found = access::compare(from_ref(before), from_ref(after), teams);
    gained(&found, ["allows", "may allow", "what it allows cannot be compared"])
}

/// The first access that somebody gains: certain, possible, or unknown.
fn gained(found: &Comparison, [certain, possible, unknown]: [&str; 3]) -> Option<String> {
    let (Changes { widened, narrowed: _, uncertain }, incomplete) = match found {
        Comparison::Complete(changes) => (changes, None),
        Comparison::Incomplete(changes, incomplete) => (changes, Some(incomplete)),
    };
    let say = |verb: &str, all: &[&Entry]| {
        let people = |entry: &Entry| match entry.audience.teams.as_slice() {
            [] => "the whole organization".to_owned(),
            teams => teams.join(" + "),
        };
        let (first, rest) = all.split_first()?;
        let to = people(first);
        let rest = match rest {
            [] => String::new(),
            // A list never leaves out just one item.
            [second] if people(second) == to => {
                return Some(format!("{verb} `{}` and `{}` to {to}", first.access, second.access));
            }
            [second] => format!(", and `{}` to {}", second.access, people(second)),
            rest => format!(", and {} more", rest.len()),
        };
        Some(format!("{verb} `{}` to {to}{rest}", first.access))
    };
    let certainly: Vec<&Entry> = widened.iter().collect();
    let possibly: Vec<&Entry> = uncertain.iter().filter(|entry| entry.widens).collect();
    let cut = || {
        let why: Vec<String> = incomplete?.why.iter().map(ToString::to_string).collect();
        Some(format!("{unknown}: {}", why.join(", and ")))
    };
    say(certain, &certainly).or_else(cut).or_else(|| say(possible, &possibly))
}

/// The allows of one policy with the denies of another. Cedar text stays whole.
fn with_denies_of(policy: &Policy, denies: &Policy) -> Policy {
    let (Body::Allowlist(own), Body::Allowlist(other)) = (&policy.body, &denies.body) else {
        return policy.clone();
    };
    let is = |decision: Decision| move |rule: &&Rule| rule.decision == decision;
    let allows = own.iter().filter(is(Decision::Allow));
    let rules = allows.chain(other.iter().filter(is(Decision::Deny))).cloned().collect();
    Policy { body: Body::Allowlist(rules), ..policy.clone() }
}

/// A policy that allows every request of a domain.
fn everything(domain: Domain) -> Policy {
    let rule = |layer: Layer, resources: &[&str]| Rule {
        name: "everything".to_owned(),
        decision: Decision::Allow,
        actions: Action::all().into_iter().filter(|own| own.layer() == Some(layer)).collect(),
        resources: Resources::Plain(resources.iter().map(|one| (*one).to_owned()).collect()),
    };
    let body = match domain {
        // Addresses too, since the documentation does not say whether a host pattern decides a
        // connection straight to an address.
        Domain::Network => {
            Body::Allowlist(vec![rule(Layer::Network, &["**", "0.0.0.0/0", "::/0"])])
        }
        Domain::Filesystem => {
            Body::Allowlist(vec![rule(Layer::Filesystem, &["**", "/", "/**", "~", "~/**"])])
        }
        Domain::Mcp => Body::Cedar(Cedar {
            text: "permit (principal, action, resource);".to_owned(),
            schema_url: SCHEMA_URL.to_owned(),
        }),
    };
    Policy { name: "everything".to_owned(), scope: Scope::Organization, body }
}

#[cfg(test)]
mod tests {
    use super::of_policy;
    use crate::access::cedar::SCHEMA_URL;
    use crate::model::{
        Action, Body, Cedar, Decision, HttpResource, Policy, Resources, Rule, Scope, TeamDirectory,
        Weakening,
    };
    use Decision::{Allow, Deny};
    use Weakening::{AddAllow, Empty, NarrowDeny, Scope as Rescope};

    fn rule(name: &str, decision: Decision, actions: &[Action], resources: &[&str]) -> Rule {
        let resources = Resources::Plain(resources.iter().map(|one| (*one).to_owned()).collect());
        Rule { name: name.to_owned(), decision, actions: actions.to_vec(), resources }
    }

    fn tcp(decision: Decision, hosts: &[&str]) -> Rule {
        rule("r", decision, &[Action::ConnectTcp], hosts)
    }

    fn get(decision: Decision, path: &str) -> Rule {
        let target =
            HttpResource { host: "a.example".to_owned(), port: None, path: path.to_owned() };
        let (actions, resources) = (vec![Action::Request("get")], Resources::Http(vec![target]));
        Rule { name: "h".to_owned(), decision, actions, resources }
    }

    fn read(decision: Decision, folders: &[&str]) -> Rule {
        rule("f", decision, &[Action::Read, Action::Write], folders)
    }

    fn policy(teams: &[&str], rules: Vec<Rule>) -> Policy {
        let scope = Scope::from_teams(teams.iter().map(|team| (*team).to_owned()));
        Policy { name: "P".to_owned(), scope, body: Body::Allowlist(rules) }
    }

    fn kinds(before: &Policy, after: &Policy) -> Vec<Weakening> {
        of_policy(before, after, &TeamDirectory::default())
            .into_iter()
            .map(|(kind, _)| kind)
            .collect()
    }

    #[test]
    fn a_policy_is_weaker_when_it_denies_less_or_allows_more_whatever_its_text_is() {
        let all: &[&str] = &[];
        type Side = (&'static [&'static str], Vec<Rule>);
        let table: Vec<(Side, Side, &[Weakening])> = vec![
            // Denies that stay, written differently.
            (
                (all, vec![tcp(Deny, &["a.example", "b.example"])]),
                (all, vec![tcp(Deny, &["b.example"]), tcp(Deny, &["a.example"])]),
                &[],
            ),
            (
                (all, vec![tcp(Deny, &["**.a.example", "b.a.example"])]),
                (all, vec![tcp(Deny, &["**.a.example"])]),
                &[],
            ),
            (
                (all, vec![tcp(Deny, &["a.example"])]),
                (all, vec![tcp(Deny, &["a.example", "b.example"])]),
                &[],
            ),
            (
                (all, vec![tcp(Deny, &["10.0.0.0/8"])]),
                (all, vec![tcp(Deny, &["10.0.0.0/9", "10.128.0.0/9"])]),
                &[],
            ),
            // Denies that are removed.
            (
                (all, vec![tcp(Deny, &["a.example", "b.example"])]),
                (all, vec![tcp(Deny, &["a.example"])]),
                &[NarrowDeny],
            ),
            (
                (all, vec![tcp(Deny, &["a.example"])]),
                (all, vec![tcp(Deny, &["a.example:443"])]),
                &[NarrowDeny],
            ),
            (
                (all, vec![tcp(Deny, &["10.0.0.0/8"])]),
                (all, vec![tcp(Deny, &["10.0.0.0/9"])]),
                &[NarrowDeny],
            ),
            (
                (all, vec![tcp(Deny, &["**.a.example", "a.example"])]),
                (all, vec![tcp(Deny, &["**.a.example"])]),
                &[NarrowDeny],
            ), // nobody knows
            (
                (
                    all,
                    vec![rule(
                        "r",
                        Deny,
                        &[Action::ConnectTcp, Action::ConnectUdp],
                        &["a.example"],
                    )],
                ),
                (all, vec![tcp(Deny, &["a.example"])]),
                &[NarrowDeny],
            ),
            ((all, vec![get(Deny, "/**")]), (all, vec![get(Deny, "/x")]), &[NarrowDeny]),
            (
                (all, vec![read(Deny, &["~/.ssh", "~/.ssh/**"])]),
                (all, vec![read(Deny, &["~/.ssh"])]),
                &[NarrowDeny],
            ),
            (
                (all, vec![tcp(Deny, &["a.example"])]),
                (all, vec![tcp(Allow, &["a.example"])]),
                &[NarrowDeny, AddAllow],
            ),
            ((all, vec![tcp(Deny, &["a.example"])]), (all, vec![]), &[Empty]),
            // Allows.
            (
                (all, vec![tcp(Allow, &["a.example"])]),
                (all, vec![tcp(Allow, &["a.example", "b.example"])]),
                &[AddAllow],
            ),
            (
                (all, vec![tcp(Allow, &["a.example", "b.example"])]),
                (all, vec![tcp(Allow, &["a.example"])]),
                &[],
            ),
            (
                (all, vec![tcp(Deny, &["a.example"])]),
                (all, vec![tcp(Deny, &["a.example"]), tcp(Allow, &["a.example"])]),
                &[],
            ),
            (
                (all, vec![tcp(Deny, &["a.example"])]),
                (all, vec![tcp(Deny, &["a.example"]), tcp(Allow, &["b.example"])]),
                &[AddAllow],
            ),
            // Teams.
            (
                (all, vec![tcp(Deny, &["a.example"])]),
                (&["x"], vec![tcp(Deny, &["a.example"])]),
                &[Rescope],
            ),
            (
                (&["x", "y"], vec![tcp(Deny, &["a.example"])]),
                (&["x"], vec![tcp(Deny, &["a.example"])]),
                &[Rescope],
            ),
            (
                (&["x"], vec![tcp(Deny, &["a.example"])]),
                (all, vec![tcp(Deny, &["a.example"])]),
                &[],
            ),
            (
                (&["x"], vec![tcp(Allow, &["a.example"])]),
                (all, vec![tcp(Allow, &["a.example"])]),
                &[Rescope],
            ),
            (
                (all, vec![tcp(Allow, &["a.example"])]),
                (&["x"], vec![tcp(Allow, &["a.example"])]),
                &[],
            ),
            (
                (&["x", "y"], vec![tcp(Deny, &["a.example", "b.example"])]),
                (&["x"], vec![tcp(Deny, &["a.example"])]),
                &[Rescope, NarrowDeny],
            ),
        ];
        for ((old_teams, old), (new_teams, new), expected) in table {
            let (before, after) = (policy(old_teams, old), policy(new_teams, new));
            assert_eq!(kinds(&before, &after), expected, "{before:?}\n{after:?}");
        }
    }

    #[test]
    fn a_cedar_policy_is_judged_by_what_it_says() {
        let cedar = |text: &str| Policy {
            body: Body::Cedar(Cedar { text: text.to_owned(), schema_url: SCHEMA_URL.to_owned() }),
            ..policy(&[], Vec::new())
        };
        let permit = "permit (principal, action == MCP::Action::\"invokeTool\", resource);\n";
        let forbid = "forbid (principal, action == MCP::Action::\"invokeTool\", resource == MCP::Tool::\"Bash\");\n";
        let both = format!("{permit}{forbid}");
        let table: [(String, String, &[Weakening]); 5] = [
            (both.clone(), format!("// moved\n{forbid}\n{permit}"), &[]),
            (both.clone(), permit.to_owned(), &[NarrowDeny, AddAllow]),
            (forbid.to_owned(), both.clone(), &[AddAllow]),
            (permit.to_owned(), both.clone(), &[]),
            (both, forbid.to_owned(), &[]),
        ];
        for (before, after, expected) in table {
            assert_eq!(kinds(&cedar(&before), &cedar(&after)), expected, "{before}\n{after}");
        }
    }

    #[test]
    fn what_is_gained_is_told_by_what_comes_first() {
        let hosts = ["a.example", "b.example", "c.example", "k.example"];
        let denies = |hosts: &[&str]| policy(&[], vec![tcp(Deny, hosts)]);
        let allows = |teams: &[&str]| policy(teams, vec![tcp(Allow, &["a.example"])]);
        let table = [
            (
                denies(&["c.example", "k.example"]),
                denies(&["k.example"]),
                "no longer denies `connect:tcp c.example` to the whole organization",
            ),
            (
                denies(&["b.example", "c.example", "k.example"]),
                denies(&["k.example"]),
                "no longer denies `connect:tcp b.example` and `connect:tcp c.example` to the whole organization",
            ),
            (
                denies(&hosts),
                denies(&["k.example"]),
                "no longer denies `connect:tcp a.example` to the whole organization, and 2 more",
            ),
            (
                allows(&["z"]),
                allows(&["x", "y"]),
                "allows `connect:tcp a.example` to x, and `connect:tcp a.example` to y",
            ),
        ];
        for (before, after, expected) in table {
            let found = of_policy(&before, &after, &TeamDirectory::default());
            let [(_, message)] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_weaker() {
        let behind = |n: usize| "/*".repeat(n);
        let folders: Vec<String> = (0..24)
            .flat_map(|n| [format!("/d/**/a*{}", behind(n)), format!("/d/**/[!a]*{}", behind(n))])
            .collect();
        let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
        let after = policy(&[], vec![read(Deny, folders.get(1..).unwrap())]);
        let found =
            of_policy(&policy(&[], vec![read(Deny, &folders)]), &after, &TeamDirectory::default());
        let [(NarrowDeny, message)] = found.as_slice() else { panic!("{found:?}") };
        assert!(message.contains("cannot be compared: "), "{message}");
    }
}
