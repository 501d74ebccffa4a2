//! The words for plans and outcomes, shared by the formats for people. Plain words: each format adds its own marks, and
//! makes foreign text safe.
//!
//! Invariant: what opens comes before what may, and that before what closes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::access::cedar::StatementChange;
use crate::model::{Decision, Domain, HttpResource, Resources, Rule, Scope, TeamDirectory};
use crate::plan::docker::{Change, Difference, PolicyChange};
use crate::plan::flips::{self, Flip};
use crate::plan::governed::{AudienceChange, Governed};
use crate::plan::guard::Guard;
use crate::plan::meaning::{AccessChange, Audience, Changes, Found, Incomplete, Meaning};
use crate::plan::saved::Summary;
use crate::plan::step::{Op, Reason};
use crate::plan::undeclared::{Effect, UndeclaredPolicy, WithoutEffect};
use crate::plan::{GuardsFrom, Plan};

/// The effect of a plan, in a few words: `widens access for 2 audiences`, `no access change`. That a comparison is
/// incomplete comes first.
#[must_use]
pub fn headline(meaning: &Meaning) -> String {
    let audiences = |gains: &[AccessChange]| {
        let audiences: BTreeSet<&Audience> = gains.iter().map(|gain| &gain.audience).collect();
        count(audiences.len(), "audience")
    };
    let (cut, changes) = match &meaning.found {
        Found::Complete(changes) => (None, changes),
        Found::Incomplete(changes, Incomplete { rules, .. }) => {
            let about = if rules.is_empty() { String::new() } else { format!(" for {}", count(rules.len(), "rule")) };
            (Some(format!("the comparison is incomplete{about}")), changes)
        }
    };
    let changes = [
        ("widens access", &changes.widened),
        ("may change access", &changes.uncertain),
        ("narrows access", &changes.narrowed),
    ];
    let changes = changes.into_iter().filter(|(_, gains)| !gains.is_empty());
    let parts: Vec<String> =
        cut.into_iter().chain(changes.map(|(what, gains)| format!("{what} for {}", audiences(gains)))).collect();
    if parts.is_empty() { "no access change".to_owned() } else { parts.join(", ") }
}

/// The addition to a plan's headline about the undeclared policies that keep something of it from having an effect.
/// `write` makes the names of policies safe.
#[must_use]
pub fn without_effect_headline(plan: &Plan, write: impl Fn(&str) -> String) -> Option<String> {
    let decide = undeclared_decide(&plan.without_effect, write)?;
    Some(match plan.access.is_nothing() {
        true => format!(", because {decide}"),
        false => format!(", and a part has no effect, because {decide}"),
    })
}

/// `the undeclared policy X allows it`, of all changes without effect; `None` where there are none.
fn undeclared_decide(all: &[WithoutEffect], write: impl Fn(&str) -> String) -> Option<String> {
    let names: BTreeSet<&str> = all.iter().flat_map(|one| &one.policies).map(String::as_str).collect();
    let decisions: BTreeSet<Decision> = all.iter().map(|one| one.decision).collect();
    let (singular, plural) = match decisions.into_iter().collect::<Vec<_>>().as_slice() {
        [] => return None,
        [Decision::Allow] => ("allows", "allow"),
        [Decision::Deny] => ("denies", "deny"),
        _ => ("decides", "decide"),
    };
    let names: Vec<String> = names.into_iter().map(write).collect();
    Some(match names.as_slice() {
        [one] => format!("the undeclared policy {one} {singular} it"),
        several => format!("the undeclared policies {} {plural} it", several.join(", ")),
    })
}

/// The reason why one change has no effect. `write` makes the names of policies safe.
#[must_use]
pub fn why_without_effect(one: &WithoutEffect, write: impl Fn(&str) -> String) -> String {
    let names: Vec<String> = one.policies.iter().map(|name| write(name)).collect();
    let (names, several) = (names.join(", "), names.len() > 1);
    let (noun, allows, denies) = if several { ("policies", "allow", "deny") } else { ("policy", "allows", "denies") };
    match (one.decision, one.widens) {
        (Decision::Allow, true) => format!("the undeclared {noun} {names} already {allows} it"),
        (Decision::Allow, false) => format!("the undeclared {noun} {names} still {allows} it"),
        (Decision::Deny, true) => format!("the undeclared {noun} {names} still {denies} it"),
        (Decision::Deny, false) => format!("the undeclared {noun} {names} already {denies} it"),
    }
}

/// The addition to a plan's headline about access tests.
#[must_use]
pub fn tests_headline(plan: &Plan) -> Option<String> {
    let broken = plan.broken_tests().len();
    (broken > 0).then(|| format!("breaks {}", count(broken, "access test")))
}

/// The heading above the counts of rules in force by consequence.
pub const BUCKETS: &str = "Rules in force by consequence (one control of Vijil's judge each)";
/// The name of rules that have no consequence.
pub const NO_ACTION: &str = "no action";

/// The text for a comparison that is incomplete, before the reasons.
pub const INCOMPLETE: &str = "The comparison is incomplete";
/// The meaning of an incomplete comparison.
pub const INCOMPLETE_MEANS: &str =
    "the rules are listed as they are written: whoever they govern may gain or lose any of it";

/// The meaning of a change by which an audience comes to have policies of a domain, or has none any more. `people` is
/// foreign text.
#[must_use]
pub fn governed(one: &Governed, people: &str) -> String {
    let domain = match one.domain {
        Domain::Network => "network",
        Domain::Filesystem => "file system",
        Domain::Mcp => "MCP",
    };
    match one.change {
        AudienceChange::First => format!("first {domain} policy for {people}: until now, local rules may have applied"),
        AudienceChange::Last => format!("no {domain} policy is left for {people}: local rules may apply again"),
    }
}

/// The effect of an undeclared policy, and its audience. `write` makes names safe.
#[must_use]
pub fn undeclared(one: &UndeclaredPolicy, write: impl Fn(&str) -> String) -> String {
    let UndeclaredPolicy { effect, policy, teams } = one;
    let effect = match effect {
        Effect::Widens => "widens access",
        Effect::MayWiden => "may widen access",
        Effect::Narrows => "narrows access",
        Effect::MayNarrow => "may narrow access",
    };
    let people = match teams.as_slice() {
        [] => "the whole organization".to_owned(),
        teams => teams.iter().map(|team| write(team)).collect::<Vec<_>>().join(", "),
    };
    format!("{}, for {people}: {effect}", write(policy))
}

/// The addition to a plan's headline about the settings that guard it; the base's name is foreign text.
#[must_use]
pub fn settings_headline(guards: &GuardsFrom) -> Option<&'static str> {
    match (guards.found, guards.changed.is_empty()) {
        (false, _) => Some("in a workspace that the base does not have"),
        (true, false) => Some("and changes the settings that guard it"),
        (true, true) => None,
    }
}

/// The label of live policies that no document declares; for a plan from other documents, of those that it no longer
/// declares.
#[must_use]
pub fn unmanaged_label(plan: &Plan) -> &'static str {
    if plan.before.is_some() {
        "No longer declared, left as they are:"
    } else {
        "Unmanaged (live, not declared, left as they are):"
    }
}

/// The expectations to list: those that do not hold after the plan. With `all`, also those that hold only now.
#[must_use]
pub fn failing_flips(plan: &Plan, all: bool) -> Vec<&Flip> {
    plan.flips.iter().filter(|flip| all || flip.after != flip.expected).collect()
}

/// The number of access tests that pass, where all of them do.
#[must_use]
pub fn tests_pass(plan: &Plan) -> Option<&str> {
    let verdict = plan.guards.iter().find(|verdict| verdict.guard == Guard::AccessTests)?;
    (verdict.ok && verdict.message != flips::NONE_FAILS).then_some(verdict.message.as_str())
}

/// The limit of a plan that starts from other documents.
pub const NOT_LIVE: &str = "Live state was not read: it may differ from both.";

/// The settings that hold instead of the proposed ones.
#[must_use]
pub fn settings_rule(guards: &GuardsFrom) -> &'static str {
    match guards.found {
        true => "this plan is judged by the settings of the base, not by the proposed ones",
        false => "until the base has the workspace, nothing may be deleted, and no access may be gained",
    }
}

/// A setting's value in words.
#[must_use]
pub fn setting(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(setting).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// `1 rule`, `2 rules`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The number of steps of each kind: `1 to create, 2 to delete`.
#[must_use]
pub fn summary(summary: Summary) -> String {
    let Summary { create, update, delete, approve, reject, activate } = summary;
    let counts = [
        (create, "create"),
        (update, "update"),
        (delete, "delete"),
        (approve, "approve"),
        (reject, "reject"),
        (activate, "activate"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, verb)| format!("{count} to {verb}")).collect();
    counts.join(", ")
}

/// The attention that a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It opens something.
    Danger,
    /// It may.
    Careful,
    /// It closes something.
    Calm,
}

/// Access that changes in the same way for the same audience.
#[derive(Debug)]
pub struct Group<'a> {
    /// The attention that it needs.
    pub tone: Tone,
    /// `+`, `?` or `-`.
    pub sign: char,
    /// The kind of change: `gained by`, to be followed by the audience.
    pub happens: &'static str,
    /// The same, to follow the audience: `gains`.
    pub does: &'static str,
    /// For whom.
    pub audience: &'a Audience,
    /// The access that changes; never empty.
    pub gains: Vec<&'a AccessChange>,
}

/// Access that changes for the same reason.
#[derive(Debug)]
pub struct Cause<'a> {
    /// The rules that make the difference.
    pub because: &'a [String],
    /// The entries that change, the broadest first; never empty.
    pub entries: Vec<Entry<'a>>,
}

/// Access of one kind.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The action: `connect:tcp`, `GET,HEAD`.
    pub action: &'a str,
    /// On what, the broadest first; never empty.
    pub objects: Vec<Cow<'a, str>>,
    /// True if the objects are hosts or addresses without a port.
    pub every_port: bool,
    /// A request among it, where the objects do not say one themselves.
    pub witness: Option<&'a str>,
}

impl<'a> Group<'a> {
    /// The group by reason: those with the broadest access first.
    #[must_use]
    pub fn causes(&self) -> Vec<Cause<'a>> {
        let mut gains: Vec<(&str, Cow<'_, str>, &'a AccessChange)> = self
            .gains
            .iter()
            .map(|gain| {
                let (action, object) = gain.access.parts();
                (action, object, *gain)
            })
            .collect();
        gains.sort_by_cached_key(|(_, object, _)| std::cmp::Reverse(breadth(object)));
        let mut causes: Vec<Cause<'a>> = Vec::new();
        let mut known: BTreeMap<&[String], usize> = BTreeMap::new();
        for (action, object, gain) in gains {
            let at = *known.entry(gain.because.as_slice()).or_insert_with(|| {
                causes.push(Cause { because: &gain.because, entries: Vec::new() });
                causes.len() - 1
            });
            let Some(cause) = causes.get_mut(at) else { continue };
            // Of an MCP action without a target every call would be an example.
            let says = |witness: &str| match action {
                "mcp" => gain.access.text() == witness,
                _ => gain.access.starts(witness),
            };
            let witness = Some(gain.witness.as_str()).filter(|witness| !says(witness));
            // An object in several words cannot stand in a list: it is the only one of its entry.
            let every_port = action.starts_with("connect:") && !has_port(&object);
            let joins = |entry: &&mut Entry<'_>| {
                entry.action == action
                    && entry.every_port == every_port
                    && !entry.objects.iter().take(1).any(|own| own.contains(' '))
            };
            let entry = if object.contains(' ') { None } else { cause.entries.iter_mut().find(joins) };
            match entry {
                Some(entry) => {
                    entry.objects.push(object);
                    entry.witness = entry.witness.or(witness);
                }
                None => cause.entries.push(Entry { action, objects: vec![object], every_port, witness }),
            }
        }
        causes
    }
}

/// The text for hosts and addresses without a port.
pub const EVERY_PORT: &str = " (every port)";

/// Returns `true` if a host or an address has a port, what is taken out of it aside.
fn has_port(object: &str) -> bool {
    let first = object.split(" except ").next().and_then(|own| own.split(" at ").next()).unwrap_or(object);
    let port = first.rsplit_once(':').map_or("", |(_, port)| port);
    // The groups of an IPv6 block are not ports.
    !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && (first.matches(':').count() == 1 || first.contains("]:"))
}

/// Roughly how much a pattern covers: what a reviewer must not miss is the broadest.
fn breadth(object: &str) -> u8 {
    if !object.contains(['*', '/']) {
        return 0;
    }
    let host = object.split_once("://").map_or(object, |(_, rest)| rest);
    let host = if object.starts_with('/') { host } else { host.split_once("/*").map_or(host, |(host, _)| host) };
    let deep = host.bytes().zip(host.bytes().skip(1)).any(|pair| pair == (b'*', b'*'));
    match (deep, host.contains(['*', '/']), object.contains('*')) {
        (true, _, _) => 3,
        (false, true, _) => 2,
        (false, false, true) => 1,
        (false, false, false) => 0,
    }
}

/// The changes, by audience: widened access first.
#[must_use]
pub fn groups(meaning: &Meaning) -> Vec<Group<'_>> {
    let changes: &Changes = meaning.changes();
    let certain = |gains, tone, sign, happens, does| (gains, tone, sign, happens, does);
    let uncertain = |widens, narrows| {
        let gains: Vec<&AccessChange> =
            changes.uncertain.iter().filter(|gain| (gain.widens, gain.narrows) == (widens, narrows)).collect();
        gains
    };
    let sections: [(Vec<&AccessChange>, Tone, char, &str, &str); 6] = [
        certain(changes.widened.iter().collect(), Tone::Danger, '+', "gained by", "gains"),
        (uncertain(true, false), Tone::Careful, '?', "may be gained by", "may gain"),
        (uncertain(true, true), Tone::Careful, '?', "may change for", "may gain or lose"),
        (uncertain(false, false), Tone::Careful, '?', "may change for", "may gain or lose"),
        (uncertain(false, true), Tone::Careful, '?', "may be lost by", "may lose"),
        certain(changes.narrowed.iter().collect(), Tone::Calm, '-', "lost by", "loses"),
    ];
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (gains, tone, sign, happens, does) in sections {
        // By audience: where its group is.
        let mut known: BTreeMap<&Audience, usize> = BTreeMap::new();
        for gain in gains {
            let at = *known.entry(&gain.audience).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(group) => group.gains.push(gain),
                None => {
                    groups.push(Group { tone, sign, happens, does, audience: &gain.audience, gains: vec![gain] });
                }
            }
        }
    }
    groups
}

/// The steps by policy. Policies that lose something come first, then those that change, then new ones.
#[must_use]
pub fn by_policy<'a>(differences: impl IntoIterator<Item = &'a Difference>) -> Vec<(&'a str, Vec<&'a Difference>)> {
    let mut policies: BTreeMap<&str, Vec<&Difference>> = BTreeMap::new();
    for step in differences {
        policies.entry(&step.policy).or_default().push(step);
    }
    let has = |steps: &[&Difference], op| steps.iter().any(|step| step.change.op() == op);
    let makes = |steps: &[&Difference]| {
        steps.iter().any(|step| matches!(step.change, Change::Policy(PolicyChange::Create { .. })))
    };
    let mut policies: Vec<(&str, Vec<&Difference>)> = policies.into_iter().collect();
    policies.sort_by_key(|(_, steps)| (!has(steps, Op::Delete), makes(steps)));
    policies
}

/// The reason why a plan holds a call that the difference alone does not ask for.
#[must_use]
pub fn reason(because: Reason) -> &'static str {
    match because {
        Reason::SplitNarrows => "first half: one call would open access on the way, in any order",
        Reason::SplitWidens => "second half: one call would open access on the way, in any order",
        Reason::TemporaryDeny => "for a moment: no order of calls keeps closed what both ends keep closed",
        Reason::TemporaryName => "for a moment: the name that it gets is still taken",
        Reason::Replace => "replaced: the service cannot turn Cedar text into rules, or rules into Cedar text",
        Reason::DomainChange => {
            "created again: the policy changes its domain, and the service moves only its last rule"
        }
        Reason::EditedInPlace => "the policy stays active; the next call approves the rule",
        Reason::Deactivated => "a draft while its rules are edited, as `edit_active: deactivate` asks for",
        Reason::Reactivated => "active again, now that its rules are edited",
        Reason::Unarchived => "an archived policy becomes a draft before it can be activated",
        Reason::ApprovedAnew => "approved again: the rule differs from what was approved",
    }
}

/// The text for a Cedar text that changes without a change of meaning.
pub const SAME_STATEMENTS: &str =
    "every statement stays: only layout, comments or order change, which decides nothing, and is one call all the same";

/// The change of a Cedar statement.
#[must_use]
pub fn statement(change: &StatementChange) -> &'static str {
    match change {
        StatementChange::Added(_) => "statement added",
        StatementChange::Removed(_) => "statement removed",
        StatementChange::Changed(..) => "statement changed",
    }
}

/// The name of an operation in a report.
#[must_use]
pub fn verb(op: Op) -> &'static str {
    match op {
        Op::Create => "create",
        Op::Update => "update",
        Op::Delete => "delete",
        Op::Approve => "approve",
        Op::Reject => "reject",
        Op::Activate => "activate",
    }
}

/// `allow` or `deny`.
#[must_use]
pub fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
    }
}

/// Names of the teams that a scope governs, sorted, not sanitized; empty for the whole organization.
#[must_use]
pub fn team_names<'a>(scope: &'a Scope, teams: &'a TeamDirectory) -> Vec<&'a str> {
    let mut names: Vec<&str> = scope.teams().into_iter().map(|key| teams.name(key)).collect();
    names.sort_unstable();
    names
}

/// The actions of a rule as the service names them.
#[must_use]
pub fn actions(rule: &Rule) -> Vec<String> {
    rule.actions.iter().map(ToString::to_string).collect()
}

/// The resources of a rule: hosts, addresses, paths, or `host:port/path` for HTTP.
#[must_use]
pub fn resources(rule: &Rule) -> Vec<String> {
    match &rule.resources {
        Resources::Plain(list) => list.clone(),
        Resources::Http(list) => list
            .iter()
            .map(|HttpResource { host, port, path }| match port {
                Some(port) => format!("{host}:{port}{path}"),
                None => format!("{host}{path}"),
            })
            .collect(),
    }
}

/// A list of which only the two ends are shown: its beginning, how many are left out, its end.
#[must_use]
pub fn folded<T>(list: &[T], most: usize) -> (&[T], usize, &[T]) {
    // One alone is never left out.
    if list.len() <= most.saturating_add(1) {
        return (list, 0, &[]);
    }
    let (first, rest) = list.split_at(most.div_ceil(2));
    let (hidden, last) = rest.split_at(rest.len() - most / 2);
    (first, hidden.len(), last)
}

#[cfg(test)]
mod tests {
    use super::{folded, groups, headline};
    use crate::plan::meaning::{AccessChange, Audience, Changes, Found, Incomplete, Meaning};

    fn gain(team: &str, access: &str, widens: bool, narrows: bool) -> AccessChange {
        let audience = Audience { teams: vec![team.to_owned()], alike: Vec::new() };
        AccessChange {
            audience,
            access: access.to_owned().into(),
            witness: access.into(),
            because: Vec::new(),
            widens,
            narrows,
        }
    }

    #[test]
    fn what_opens_comes_first_and_each_audience_is_named_once() {
        let changes = Changes {
            widened: ["a", "b", "a"].map(|team| gain(team, "1", true, false)).to_vec(),
            narrowed: vec![gain("a", "4", false, true)],
            uncertain: vec![gain("a", "5", false, true), gain("a", "6", true, false)],
        };
        let meaning = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        assert_eq!(
            headline(&meaning),
            "widens access for 2 audiences, may change access for 1 audience, narrows access for 1 audience"
        );
        let shown: Vec<(&str, String, usize)> = groups(&meaning)
            .iter()
            .map(|group| (group.happens, group.audience.to_string(), group.gains.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("gained by", "a".into(), 2),
                ("gained by", "b".into(), 1),
                ("may be gained by", "a".into(), 1),
                ("may be lost by", "a".into(), 1),
                ("lost by", "a".into(), 1)
            ]
        );
    }

    #[test]
    fn access_is_listed_by_reason_and_the_broadest_first() {
        let because = |rule: &str| vec![format!("now allow `{rule}`")];
        let of = |access: &str, witness: &str, rule: &str| AccessChange {
            because: because(rule),
            witness: witness.into(),
            ..gain("a", access, true, false)
        };
        let gains = [
            of("connect:tcp a.example:443", "connect:tcp a.example:443", "one"),
            of("GET https://b.example/**", "GET https://b.example/", "one"),
            of("connect:tcp c.example", "connect:tcp c.example:443", "one"),
            of("connect:tcp **.d.example", "connect:tcp other.d.example:443", "two"),
            of("connect:tcp 10.0.0.0/8", "connect:tcp 10.0.0.1:443", "one"),
        ];
        let changes = Changes { widened: gains.to_vec(), ..Changes::default() };
        let meaning = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        let groups = groups(&meaning);
        let causes = groups[0].causes();
        let shown: Vec<String> = causes
            .iter()
            .flat_map(|cause| {
                let entry = |entry: &super::Entry<'_>| {
                    let ports = if entry.every_port { super::EVERY_PORT } else { "" };
                    let objects = entry.objects.join(" ");
                    format!("{}: {} {objects}{ports} ({:?})", cause.because[0], entry.action, entry.witness)
                };
                cause.entries.iter().map(entry).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(
            shown,
            [
                "now allow `two`: connect:tcp **.d.example (every port) (Some(\"connect:tcp other.d.example:443\"))",
                "now allow `one`: connect:tcp 10.0.0.0/8 c.example (every port) (Some(\"connect:tcp 10.0.0.1:443\"))",
                "now allow `one`: GET https://b.example/** (Some(\"GET https://b.example/\"))",
                "now allow `one`: connect:tcp a.example:443 (None)",
            ]
        );
    }

    #[test]
    fn an_incomplete_comparison_is_never_no_change() {
        let cut = |rules: &[&str]| Incomplete {
            why: "too many".to_owned(),
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            audiences: Vec::new(),
        };
        let meaning = |rules: &[&str], uncertain: Vec<AccessChange>| Meaning {
            found: Found::Incomplete(Changes { uncertain, ..Changes::default() }, cut(rules)),
            governed: Vec::new(),
        };
        let may = vec![gain("a", "5", true, false)];
        assert_eq!(
            headline(&meaning(&["r"], may)),
            "the comparison is incomplete for 1 rule, may change access for 1 audience"
        );
        let bare = meaning(&[], Vec::new());
        assert_eq!(headline(&bare), "the comparison is incomplete");
        assert!(!bare.is_nothing());
        let saved = serde_json::to_value(&bare).unwrap();
        assert_eq!((&saved["exact"], &saved["incomplete"]["why"]), (&false.into(), &"too many".into()));
        // What an older version saved of a comparison that was cut short.
        let older = r#"{"exact": false, "widened": [], "narrowed": [], "uncertain": []}"#;
        let older: Meaning = serde_json::from_str(older).unwrap();
        assert!(matches!(older.found, Found::Incomplete(..)), "{older:?}");
    }

    #[test]
    fn a_fold_keeps_both_ends() {
        assert_eq!(folded(&[1, 2, 3], 3), (&[1, 2, 3][..], 0, &[][..]));
        assert_eq!(folded(&[1, 2, 3, 4], 3), (&[1, 2, 3, 4][..], 0, &[][..]));
        assert_eq!(folded(&[1, 2, 3, 4, 5], 3), (&[1, 2][..], 2, &[5][..]));
        assert_eq!(folded(&[1, 2], 0), (&[][..], 2, &[][..]));
    }
}
