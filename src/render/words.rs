//! The words for plans and outcomes, shared by the formats for people. Each format adds its own
//! marks, and sanitizes foreign text.
//!
//! Invariant: widened access comes before uncertain changes, and these before narrowed access.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::access::cedar::StatementChange;
use crate::diagnostic::list;
use crate::model::{
    Decision, Domain, HttpResource, NOT_REFUSED, Origin, Resources, Rule, Scope, SettingChange,
    TeamDirectory,
};
use crate::plan::docker::{Change, Difference, PolicyChange};
use crate::plan::flips::{self, Flip};
use crate::plan::governed::{AudienceChange, Governed};
use crate::plan::guard::Guard;
use crate::plan::meaning::{AccessChange, Audience, Changes, Found, Incomplete, Kept, Meaning};
use crate::plan::step::{Object, Op, Reason};
use crate::plan::undeclared::{Effect, UndeclaredPolicy, WithoutEffect};
use crate::plan::{DockerPlan, GuardsFrom, Plan};

/// The effect of a plan as a short phrase: `widens access for 2 audiences`, `no access change`. An
/// incomplete comparison is stated first. A single audience is named; `write` formats the names of
/// teams.
#[must_use]
pub fn headline(meaning: &Meaning, write: impl Fn(&str) -> String) -> String {
    let whom = |audiences: BTreeSet<&Audience>| match audiences.first() {
        Some(one) if audiences.len() == 1 => (people(one, &write), true),
        Some(_) | None => (count(audiences.len(), "audience"), false),
    };
    let (cut, changes) = match &meaning.found {
        Found::Complete(changes) => (None, changes),
        Found::Incomplete(changes, Incomplete { rules, .. }) => {
            let about = if rules.is_empty() {
                String::new()
            } else {
                format!(" for {}", count(rules.len(), "rule"))
            };
            (Some(format!("the comparison is incomplete{about}")), changes)
        }
    };
    let may = |widens: bool| {
        changes.uncertain.iter().all(|gain| (gain.widens, gain.narrows) == (widens, !widens))
    };
    let uncertain = match (may(true), may(false)) {
        (true, _) => "may widen",
        (_, true) => "may narrow",
        (false, false) => "may change",
    };
    // What is certain says more.
    let audiences = |gains: &'_ [AccessChange]| -> BTreeSet<Audience> {
        gains.iter().map(|gain| Audience::clone(&gain.audience)).collect()
    };
    let is_said = match uncertain {
        "may widen" => audiences(&changes.uncertain).is_subset(&audiences(&changes.widened)),
        "may narrow" => audiences(&changes.uncertain).is_subset(&audiences(&changes.narrowed)),
        _ => false,
    };
    let none = Vec::new();
    let changes = [
        ("widens", &changes.widened),
        (uncertain, if is_said { &none } else { &changes.uncertain }),
        ("narrows", &changes.narrowed),
    ];
    // What changes for one audience alone is said in one part.
    let mut parts: Vec<(Vec<&str>, (String, bool))> = Vec::new();
    for (verb, gains) in changes.into_iter().filter(|(_, gains)| !gains.is_empty()) {
        let whom = whom(gains.iter().map(|gain| &*gain.audience).collect());
        match parts.last_mut() {
            Some((verbs, last)) if whom.1 && *last == whom => verbs.push(verb),
            Some(_) | None => parts.push((vec![verb], whom)),
        }
    }
    let parts = parts
        .into_iter()
        .map(|(verbs, (whom, _))| format!("{} access for {whom}", enumerate(&verbs, "and")));
    let mut parts: Vec<String> = cut.into_iter().chain(parts).collect();
    // A first policy closes what local rules opened, whatever its own rules are.
    let audiences = |wanted: AudienceChange| {
        let own = meaning.governed.iter().filter(|one| one.change == wanted);
        let audiences: BTreeSet<&Audience> = own.map(|one| &one.audience).collect();
        (!audiences.is_empty()).then(|| whom(audiences).0)
    };
    let mut first = audiences(AudienceChange::First);
    if let Some(to) = &first
        && let Some(part) = parts.iter_mut().find(|part| part.ends_with(&format!(" for {to}")))
    {
        part.push_str(" (first policy)");
        first = None;
    }
    let first = first.map(|to| format!("first policy for {to}"));
    let last = audiences(AudienceChange::Last).map(|to| format!("no policy is left for {to}"));
    let governed: Vec<String> = first.into_iter().chain(last).collect();
    match (parts.as_slice(), governed.as_slice()) {
        ([], []) => "no access change".to_owned(),
        ([], governed) => format!("{}, no access change by rules", governed.join(", ")),
        (parts, governed) => [parts, governed].concat().join(", "),
    }
}

/// An audience, to follow `gained by`. `write` formats the names of teams.
#[must_use]
pub fn people(audience: &Audience, write: impl Fn(&str) -> String) -> String {
    match audience.teams.as_slice() {
        [] => "the whole organization".to_owned(),
        teams @ [_] => format!("members of {}", audience.names(teams, write).concat()),
        teams => format!("members of {} together", audience.names(teams, write).join(" and ")),
    }
}

/// The addition to a plan's headline about undeclared policies because of which a part of it has no
/// effect. `write` formats the names of policies.
#[must_use]
pub fn without_effect_headline(
    plan: &DockerPlan,
    write: impl Fn(&str) -> String,
) -> Option<String> {
    let decide = undeclared_decide(&plan.without_effect, write)?;
    Some(match plan.access.is_nothing() {
        true => format!(", because {decide}"),
        false => format!(", and a part has no effect, because {decide}"),
    })
}

/// The cause of all changes without effect: `the undeclared policy X allows it`; `None` without
/// such changes.
fn undeclared_decide(all: &[WithoutEffect], write: impl Fn(&str) -> String) -> Option<String> {
    let names: BTreeSet<&str> =
        all.iter().flat_map(|one| &one.policies).map(String::as_str).collect();
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
        several => format!("the undeclared policies {} {plural} it", list::listed(several)),
    })
}

/// The reason why a change has no effect. `write` formats the names of policies.
#[must_use]
pub fn why_without_effect(one: &WithoutEffect, write: impl Fn(&str) -> String) -> String {
    let names: Vec<String> = one.policies.iter().map(|name| write(name)).collect();
    let (names, several) = (list::listed(&names), names.len() > 1);
    let (noun, allows, denies) =
        if several { ("policies", "allow", "deny") } else { ("policy", "allows", "denies") };
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
pub const BUCKETS: &str = "Rules in force by consequence";
/// The meaning of these counts.
pub const BUCKETS_ARE: &str = "one control of Vijil's judge each";
/// The name of rules that have no consequence.
pub const NO_ACTION: &str = "no action";

/// The text for a comparison that is incomplete, before the reasons.
pub const INCOMPLETE: &str = "The comparison is incomplete";
/// The meaning of an incomplete comparison.
pub const INCOMPLETE_MEANS: &str =
    "the rules are listed as they are written: their audiences may gain or lose any of it";

/// The advice about an incomplete comparison. `write` formats patterns.
#[must_use]
pub fn incomplete_help(incomplete: &Incomplete, write: impl Fn(&str) -> String) -> String {
    let patterns: Vec<String> = incomplete.patterns.iter().map(|one| write(one)).collect();
    let first = match patterns.as_slice() {
        [] => String::new(),
        patterns => format!(", first in {}", list::listed(patterns)),
    };
    format!(
        "use fewer wildcards{first}, whichever rule has them; or judge the listed rules by hand, \
         and lift the guards that refuse"
    )
}

/// A sentence for each audience that gets its first policies or loses its last ones, sorted.
/// `people` formats an audience.
#[must_use]
pub fn governed(all: &[Governed], people: impl Fn(&Audience) -> String) -> Vec<String> {
    let mut domains: BTreeMap<(AudienceChange, &Audience), BTreeSet<Domain>> = BTreeMap::new();
    for Governed { audience, domain, change } in all {
        domains.entry((*change, audience)).or_default().insert(*domain);
    }
    let sentence = |((change, audience), domains): (
        (AudienceChange, &Audience),
        BTreeSet<Domain>,
    )| {
        let names: Vec<&str> = domains.into_iter().map(Domain::title).collect();
        let (people, policies) = (people(audience), list::noun(names.len(), "policy"));
        match change {
            AudienceChange::First => {
                format!(
                    "first {} {policies} for {people}: all else is denied now, whatever local rules allowed",
                    enumerate(&names, "and")
                )
            }
            AudienceChange::Last => {
                format!(
                    "no {} policy is left for {people}: local rules may apply again",
                    enumerate(&names, "or")
                )
            }
        }
    };
    domains.into_iter().map(sentence).collect()
}

/// `a, b and c`.
fn enumerate(items: &[&str], conjunction: &str) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

/// The effect of an undeclared policy with its audience. `write` formats names.
#[must_use]
pub fn undeclared(one: &UndeclaredPolicy, write: impl Fn(&str) -> String) -> String {
    let UndeclaredPolicy { effect, policy, teams } = one;
    let effect = match effect {
        Effect::Widens => "widens access",
        Effect::MayWiden => "may widen access",
        Effect::Narrows => "narrows access",
        Effect::MayNarrow => "may narrow access",
    };
    let people = members(teams, &write);
    format!("{}, for {people}: {effect}", write(policy))
}

/// The addition to a plan's headline about changes of the settings that guard it.
#[must_use]
pub fn settings_headline(guards: &GuardsFrom) -> Option<&'static str> {
    match (guards.found, guards.changed.is_empty()) {
        (false, _) => Some("in a workspace that the base does not have"),
        (true, false) => Some("and changes the settings that guard it"),
        (true, true) => None,
    }
}

/// The label of undeclared live policies; for a plan from other documents, of policies that are no
/// longer declared.
#[must_use]
pub fn left_alone_label(plan: &Plan) -> &'static str {
    if plan.before.is_some() {
        "No longer declared, left as they are:"
    } else {
        "Undeclared (live, left as they are):"
    }
}

/// The expectations to list: those that fail after the plan. With `all`, also those that the plan
/// fixes.
#[must_use]
pub fn failing_flips(plan: &DockerPlan, all: bool) -> Vec<&Flip> {
    plan.flips.iter().filter(|flip| all || flip.after != flip.expected).collect()
}

/// The effect of a plan on access tests as a sentence, unless a guard refuses the plan for it; and
/// true if all of them pass.
#[must_use]
pub fn tests_permitted(plan: &Plan) -> Option<(&str, bool)> {
    let verdict = plan.guards.iter().find(|verdict| verdict.guard == Guard::AccessTests)?;
    let message = verdict.message.as_str();
    (verdict.ok && message != flips::NONE_FAILS).then(|| (message, !message.ends_with(NOT_REFUSED)))
}

/// The limit of a plan that starts from other documents.
pub const NOT_LIVE: &str = "Live state was not read: it may differ from both.";

/// The settings that apply instead of the proposed ones.
#[must_use]
pub fn settings_rule(guards: &GuardsFrom) -> &'static str {
    match guards.found {
        true => "this plan is judged by the settings of the base, not by the proposed ones",
        false => {
            "until the base has the workspace, nothing may be deleted, and no access may be gained"
        }
    }
}

/// The ways to get a plan past a guard that refuses it, after the change of the documents: the
/// setting and its file, or the flag. `write` formats the name of the base.
#[must_use]
pub fn ways_past(
    guard: Guard,
    guards: Option<&GuardsFrom>,
    write: impl Fn(&str) -> String,
) -> String {
    let file = match guards {
        Some(guards) => format!("`seawall.yaml` of {}", write(&guards.from)),
        None => "`seawall.yaml`".to_owned(),
    };
    let way = match guard {
        // A base without the workspace has no settings to change.
        Guard::MaxDeletes | Guard::DenyWidening if guards.is_some_and(|guards| !guards.found) => {
            "merge the settings first".to_owned()
        }
        Guard::MaxDeletes => format!("raise `guards.max_deletes` in {file}"),
        Guard::Protected => {
            format!("allow this kind of change in `guards.protected` of {file}")
        }
        Guard::DenyWidening => format!("set `guards.deny_widening: false` in {file}"),
        Guard::AccessTests => {
            format!(
                "mend the documents, the undeclared policy or the test, set \
                 `guards.access_tests: false` in {file}"
            )
        }
        Guard::BlockedRequests => format!("raise `guards.blocked_requests` in {file}"),
        Guard::SafeOrder => {
            "apply the change in two steps, or use fewer wildcards in the rules".to_owned()
        }
        Guard::ServiceLimits => "declare fewer policies or rules".to_owned(),
    };
    format!("{way}, or lift it for one run with `apply --allow {}`", guard.name())
}

/// The values of a setting before and after a change, in words. Of long lists, only the items that
/// come or go are named, since a reviewer must see these.
#[must_use]
pub fn settings(change: &SettingChange) -> (String, String) {
    let (Value::Array(base), Value::Array(proposed)) = (&change.base, &change.proposed) else {
        return (setting(&change.base), setting(&change.proposed));
    };
    if base.len().max(proposed.len()) <= list::MOST {
        return (setting(&change.base), setting(&change.proposed));
    }
    let but = |own: &Vec<Value>, other: &Vec<Value>| {
        let own: Vec<String> =
            own.iter().filter(|item| !other.contains(item)).map(setting).collect();
        let same = base.iter().filter(|item| proposed.contains(item)).count();
        let same = (same > 0).then(|| format!("{same} that stay"));
        own.into_iter().chain(same).collect::<Vec<_>>().join(", ")
    };
    (but(base, proposed), but(proposed, base))
}

/// A setting's value in words.
fn setting(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(setting).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// `1 rule`, `2 rules`, `2 policies`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {}", list::noun(number, noun))
}

/// The number of changes of each kind, and of the objects that change: `3 to create (1 policy,
/// 2 rules), 1 to delete (rule)`.
#[must_use]
pub fn summary(changes: impl IntoIterator<Item = (Op, Object)>) -> String {
    let mut counts: BTreeMap<Op, [usize; 2]> = BTreeMap::new();
    for (op, object) in changes {
        let [policies, rules] = counts.entry(op).or_default();
        *match object {
            Object::Policy => policies,
            Object::Rule => rules,
        } += 1;
    }
    let counted = |(op, [policies, rules]): (Op, [usize; 2])| {
        let objects = match (policies, rules) {
            (_, 0) => list::noun(policies, "policy"),
            (0, _) => list::noun(rules, "rule"),
            (_, _) => format!("{}, {}", count(policies, "policy"), count(rules, "rule")),
        };
        format!("{} to {} ({objects})", policies + rules, verb(op))
    };
    counts.into_iter().map(counted).collect::<Vec<_>>().join(", ")
}

/// The attention that a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It widens access.
    Danger,
    /// It may widen access, or is uncertain.
    Careful,
    /// It narrows access.
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
    /// The audience.
    pub audience: &'a Audience,
    /// The access that changes; never empty.
    pub gains: Vec<&'a AccessChange>,
}

/// Access that changes for the same reason.
#[derive(Debug)]
pub struct Cause<'a> {
    /// The rules that make the difference.
    pub because: Vec<&'a str>,
    /// The reasons why the changes are uncertain, and the teams that do not share them.
    pub remarks: Vec<Cow<'a, str>>,
    /// The entries that change, the broadest first; never empty.
    pub entries: Vec<Entry<'a>>,
}

/// Access of one kind.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The action: `connect:tcp`, `GET,HEAD`.
    pub action: &'a str,
    /// The objects of the action, the broadest first; never empty.
    pub objects: Vec<Cow<'a, str>>,
    /// True if the objects are hosts or addresses without a port.
    pub every_port: bool,
    /// An example of a request, if the objects are not requests themselves.
    pub witness: Option<&'a str>,
    /// The decision on the exceptions of the only object.
    pub except: Option<&'static str>,
}

impl<'a> Group<'a> {
    /// The changes of the group by cause, those with the broadest access first.
    #[must_use]
    pub fn causes(&self) -> Vec<Cause<'a>> {
        self.causes_by(|gain| gain.because.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The same by the policies whose rules make the difference.
    #[must_use]
    pub fn causes_by_policy(&self) -> Vec<Cause<'a>> {
        self.causes_by(|gain| {
            gain.because.iter().map(|rule| split_rule(rule).0).collect::<BTreeSet<_>>()
        })
    }

    /// The teams that do not share a change of the whole organization, as a sentence.
    fn unaffected<'t>(&self, gain: &AccessChange) -> Option<Cow<'t, str>> {
        let does = if self.sign == '-' { "keep" } else { "are still denied" };
        let names = list::listed(&gain.unaffected);
        let is_any = !gain.unaffected.is_empty();
        is_any.then(|| format!("members of {names} {does} {}", gain.witness).into())
    }

    /// The approval that is asked for afterwards, or the decision on the exceptions of a change, in
    /// words.
    fn kept(&self, gain: &AccessChange) -> Option<&'static str> {
        if gain.approval {
            return Some(match self.sign {
                '-' => " (a person is asked for approval now)",
                _ => " (once a person approves)",
            });
        }
        Some(match (gain.except?, self.sign) {
            (Kept::Allowed, '+') => " (allowed before)",
            (Kept::Allowed, '-') => " (still allowed)",
            (Kept::Denied, '+') => " (still denied)",
            (Kept::Denied, '-') => " (denied before)",
            (Kept::Allowed | Kept::Denied, _) => return None,
        })
    }

    /// Changes with the same key have one cause, with all of their rules.
    fn causes_by<K: Ord>(&self, key: impl Fn(&'a AccessChange) -> K) -> Vec<Cause<'a>> {
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
        let mut known: BTreeMap<K, usize> = BTreeMap::new();
        for (action, object, gain) in gains {
            let at = *known.entry(key(gain)).or_insert_with(|| {
                causes.push(Cause {
                    because: Vec::new(),
                    remarks: Vec::new(),
                    entries: Vec::new(),
                });
                causes.len() - 1
            });
            let Some(cause) = causes.get_mut(at) else { continue };
            let rules = gain.because.iter().map(String::as_str);
            for rule in rules {
                if !cause.because.contains(&rule) {
                    cause.because.push(rule);
                }
            }
            let doubt = gain.doubt.as_deref().map(Cow::Borrowed);
            for remark in doubt.into_iter().chain(self.unaffected(gain)) {
                if !cause.remarks.contains(&remark) {
                    cause.remarks.push(remark);
                }
            }
            // For an MCP action without a target, every call would be an example.
            let says = |witness: &str| match action {
                "mcp" => gain.access.text() == witness,
                _ => gain.access.starts(witness),
            };
            let witness = Some(gain.witness.as_str()).filter(|witness| !says(witness));
            // An object of several words is ambiguous in a list, so that it gets an entry of its
            // own.
            let every_port = action.starts_with("connect:") && !has_port(&object);
            let except = self.kept(gain);
            let joins = |entry: &&mut Entry<'_>| {
                entry.action == action
                    && entry.except == except
                    && entry.every_port == every_port
                    && !entry.objects.iter().take(1).any(|own| own.contains(' '))
            };
            let entry =
                if object.contains(' ') { None } else { cause.entries.iter_mut().find(joins) };
            match entry {
                Some(entry) => {
                    entry.objects.push(object);
                    entry.witness = entry.witness.or(witness);
                }
                None => {
                    let objects = vec![object];
                    cause.entries.push(Entry { action, objects, every_port, witness, except });
                }
            }
        }
        causes
    }
}

/// A reason of an access change as the effect with the policy, and the rule: ``now allow
/// `P`` and `r` of ``now allow `P › r` (a.yaml:1:1)``. A policy as a whole has no rule.
fn split_rule(because: &str) -> (&str, Option<&str>) {
    let text = Origin::split_off(because).map_or(because, |(text, _)| text);
    let whole = text.strip_suffix('`');
    whole
        .and_then(|text| text.split_once(" › "))
        .map_or((text, None), |(policy, rule)| (policy, Some(rule)))
}

/// The reasons of a change by new rules, those of each policy as one phrase without places: ``allow
/// `P`: r, s``.
#[must_use]
pub fn by_effect(because: &[&str]) -> Vec<(String, Vec<String>)> {
    let mut effects: Vec<(String, Vec<String>)> = Vec::new();
    for (effect, rule) in because.iter().map(|rule| split_rule(rule)) {
        let effect = effect.strip_prefix("now ").unwrap_or(effect);
        let effect = if rule.is_some() { format!("{effect}`:") } else { effect.to_owned() };
        // A name with a comma is not told from two names.
        let rule = rule
            .map(|rule| if rule.contains(", ") { format!("`{rule}`") } else { rule.to_owned() });
        match effects.iter_mut().find(|(known, _)| *known == effect) {
            Some((_, rules)) => rules.extend(rule),
            None => effects.push((effect, rule.into_iter().collect())),
        }
    }
    effects
}

/// The text for hosts and addresses without a port.
pub const EVERY_PORT: &str = " (every port)";

/// Returns `true` if a host or an address has a port, without looking at its exceptions.
fn has_port(object: &str) -> bool {
    let first =
        object.split(" except ").next().and_then(|own| own.split(" at ").next()).unwrap_or(object);
    let port = first.rsplit_once(':').map_or("", |(_, port)| port);
    // The groups of an IPv6 block are not ports.
    !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && (first.matches(':').count() == 1 || first.contains("]:"))
}

/// A rough measure of what a pattern covers, since a reviewer must not miss the broadest.
fn breadth(object: &str) -> u8 {
    if !object.contains(['*', '/']) {
        return 0;
    }
    let host = object.split_once("://").map_or(object, |(_, rest)| rest);
    let host = if object.starts_with('/') {
        host
    } else {
        host.split_once("/*").map_or(host, |(host, _)| host)
    };
    let deep = host.bytes().zip(host.bytes().skip(1)).any(|pair| pair == (b'*', b'*'));
    match (deep, host.contains(['*', '/']), object.contains('*')) {
        (true, _, _) => 3,
        (false, true, _) => 2,
        (false, false, true) => 1,
        (false, false, false) => 0,
    }
}

/// The changes by kind, widened access first, and then by audience.
#[must_use]
pub fn groups(meaning: &Meaning) -> Vec<Group<'_>> {
    let changes: &Changes = meaning.changes();
    let certain = |gains, tone, sign, happens, does| (gains, tone, sign, happens, does);
    let uncertain = |widens, narrows| {
        let gains: Vec<&AccessChange> = changes
            .uncertain
            .iter()
            .filter(|gain| (gain.widens, gain.narrows) == (widens, narrows))
            .collect();
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
        let mut audiences: BTreeMap<&Audience, Vec<&AccessChange>> = BTreeMap::new();
        for gain in gains {
            audiences.entry(&*gain.audience).or_default().push(gain);
        }
        let group = |(audience, gains)| Group { tone, sign, happens, does, audience, gains };
        groups.extend(audiences.into_iter().map(group));
    }
    groups
}

/// The steps by policy: first policies with deletions, then those that change, then new ones.
#[must_use]
pub fn by_policy<'a>(
    differences: impl IntoIterator<Item = &'a Difference>,
) -> Vec<(&'a str, Vec<&'a Difference>)> {
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

/// The reason for a call that the difference does not explain: what the call does, and why.
#[must_use]
pub fn reason(because: Reason, op: Op) -> &'static str {
    match because {
        Reason::SplitNarrows => {
            "one of several calls for this change: it only takes access away, and a later one gives \
             the new access, since a single call would open for a moment what neither the old nor \
             the new rules allow"
        }
        Reason::SplitWidens => {
            "the last of several calls for this change: it gives the new access, after earlier ones \
             took the old access away"
        }
        Reason::TemporaryDeny if op == Op::Delete => {
            "only needed during an apply: all calls that could have opened access are done, and the \
             deny is deleted"
        }
        Reason::TemporaryDeny => {
            "only needed during this apply: it denies what the calls would otherwise open for a \
             moment, and a later call deletes it"
        }
        Reason::TemporaryName => {
            "gets another name first, since its new name is still in use; a later call gives it the \
             new name"
        }
        Reason::Replace => {
            "deleted and created again, since the service cannot turn Cedar text into rules, or \
             rules into Cedar text"
        }
        Reason::DomainChange => {
            "deleted and created again: the policy changes from one domain (network, file system) \
             to another, and the service can only do that with the last rule of a policy"
        }
        Reason::EditedInPlace => "the policy stays active; the next call approves the rule",
        Reason::Deactivated => {
            "a draft while its rules are edited, as `edit_active: deactivate` asks for"
        }
        Reason::Reactivated => "active again, now that its rules are edited",
        Reason::Unarchived => "an archived policy becomes a draft before it can be activated",
        Reason::ApprovedAnew => "approved again: the rule differs from what was approved",
    }
}

/// The text for a change of Cedar text that keeps its meaning.
pub const SAME_STATEMENTS: &str = "every statement stays: only layout, comments or order change, which has no effect but takes one call";

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

/// The members of these teams, or the whole organization, as the people that a policy is for.
/// `write` formats the names of teams.
#[must_use]
pub fn members(teams: &[String], write: impl Fn(&str) -> String) -> String {
    match teams {
        [] => "the whole organization".to_owned(),
        teams => {
            let names: Vec<String> = teams.iter().map(|team| write(team)).collect();
            format!("members of {}", list::listed(&names))
        }
    }
}

/// Names of the teams that a scope governs, sorted, not sanitized; empty for the whole
/// organization.
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
        Resources::Plain(list) => list.to_vec(),
        Resources::Http(list) => list
            .iter()
            .map(|HttpResource { host, port, path }| match port {
                Some(port) => format!("{host}:{port}{path}"),
                None => format!("{host}{path}"),
            })
            .collect(),
    }
}

/// A list shortened in its middle: the first items, the number left out, and the last items.
#[must_use]
pub fn folded<T>(list: &[T], most: usize) -> (&[T], usize, &[T]) {
    // A list never leaves out just one item.
    if list.len() <= most.saturating_add(1) {
        return (list, 0, &[]);
    }
    let (first, rest) = list.split_at(most.div_ceil(2));
    let (hidden, last) = rest.split_at(rest.len() - most / 2);
    (first, hidden.len(), last)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{by_effect, folded, governed, groups, headline, summary};
    use crate::model::Domain;
    use crate::plan::governed::{AudienceChange, Governed};
    use crate::plan::meaning::{AccessChange, Audience, Changes, Found, Incomplete, Meaning};
    use crate::plan::step::{Object, Op};

    fn gain(team: &str, access: &str, widens: bool, narrows: bool) -> AccessChange {
        let audience = Audience { teams: vec![team.to_owned()], alike: Vec::new() };
        AccessChange {
            audience: Arc::new(audience),
            access: access.to_owned().into(),
            witness: access.into(),
            because: Arc::default(),
            widens,
            narrows,
            doubt: None,
            except: None,
            approval: false,
            unaffected: Vec::new(),
        }
    }

    #[test]
    fn widened_access_comes_first_and_each_audience_is_named_once() {
        let changes = Changes {
            widened: ["a", "b", "a"].map(|team| gain(team, "1", true, false)).to_vec(),
            narrowed: vec![gain("a", "4", false, true)],
            uncertain: vec![gain("a", "5", false, true), gain("a", "6", true, false)],
        };
        let meaning = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        assert_eq!(
            headline(&meaning, str::to_owned),
            "widens access for 2 audiences, may change and narrows access for members of a"
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
    fn rules_of_one_policy_are_one_reason() {
        let of = |access: &str, rule: &str| AccessChange {
            because: [format!("now allow `{rule}` (a.yaml:1:1)")].into(),
            ..gain("a", access, true, false)
        };
        let gains = [
            of("connect:tcp a.example:443", "P › one"),
            of("connect:tcp b.example:443", "Q › three, four"),
            of("connect:tcp **.c.example:443", "P › two"),
            of("mcp register", "M"),
        ];
        let changes = Changes { widened: gains.to_vec(), ..Changes::default() };
        let meaning = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        let groups = groups(&meaning);
        let shown = groups[0].causes_by_policy().into_iter().map(|cause| {
            let objects: Vec<String> = cause
                .entries
                .iter()
                .flat_map(|entry| &entry.objects)
                .map(ToString::to_string)
                .collect();
            let effects: Vec<String> = by_effect(&cause.because)
                .iter()
                .map(|(effect, rules)| format!("{effect} {}", rules.join(", ")))
                .collect();
            (effects.join("; "), objects.join(" "))
        });
        let expected = [
            ("allow `P`: two, one", "**.c.example:443 a.example:443"),
            ("allow `Q`: `three, four`", "b.example:443"),
            ("allow `M` ", "register"),
        ];
        let shown: Vec<(String, String)> = shown.collect();
        assert_eq!(
            shown,
            expected.map(|(effect, objects)| (effect.to_owned(), objects.to_owned()))
        );
    }

    #[test]
    fn access_is_listed_by_reason_and_the_broadest_first() {
        let because = |rule: &str| [format!("now allow `{rule}`")].into();
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
                    format!(
                        "{}: {} {objects}{ports} ({:?})",
                        cause.because[0], entry.action, entry.witness
                    )
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
    fn audiences_and_their_first_policies_come_sorted() {
        let changes = Changes {
            widened: ["zeta", "alpha", "mid", "alpha"]
                .map(|team| gain(team, "1", true, false))
                .to_vec(),
            narrowed: ["zeta", "alpha"].map(|team| gain(team, "2", false, true)).to_vec(),
            ..Changes::default()
        };
        let meaning = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        let listed: Vec<(&str, String)> = groups(&meaning)
            .iter()
            .map(|group| (group.happens, group.audience.to_string()))
            .collect();
        let expected = [
            ("gained by", "alpha"),
            ("gained by", "mid"),
            ("gained by", "zeta"),
            ("lost by", "alpha"),
            ("lost by", "zeta"),
        ];
        assert_eq!(listed, expected.map(|(happens, team)| (happens, team.to_owned())));

        let one = |team: &str, domain, change| Governed {
            audience: Audience::clone(&gain(team, "", true, false).audience),
            domain,
            change,
        };
        let all = [
            one("zeta", Domain::Network, AudienceChange::Last),
            one("mid", Domain::Mcp, AudienceChange::First),
            one("alpha", Domain::Filesystem, AudienceChange::First),
            one("mid", Domain::Filesystem, AudienceChange::First),
            one("mid", Domain::Network, AudienceChange::First),
            one("zeta", Domain::Mcp, AudienceChange::Last),
        ];
        assert_eq!(
            governed(&all, ToString::to_string),
            [
                "first file system policy for alpha: all else is denied now, whatever local rules allowed",
                "first network, file system and MCP policies for mid: all else is denied now, whatever local rules allowed",
                "no network or MCP policy is left for zeta: local rules may apply again",
            ]
        );
    }

    #[test]
    fn an_incomplete_comparison_is_never_no_change() {
        let cut = |rules: &[&str]| Incomplete {
            why: "too many".to_owned(),
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            audiences: Vec::new(),
            patterns: Vec::new(),
        };
        let meaning = |rules: &[&str], uncertain: Vec<AccessChange>| Meaning {
            found: Found::Incomplete(Changes { uncertain, ..Changes::default() }, cut(rules)),
            governed: Vec::new(),
        };
        let may = vec![gain("a", "5", true, false)];
        assert_eq!(
            headline(&meaning(&["r"], may), str::to_owned),
            "the comparison is incomplete for 1 rule, may widen access for members of a"
        );
        let bare = meaning(&[], Vec::new());
        assert_eq!(headline(&bare, str::to_owned), "the comparison is incomplete");
        assert!(!bare.is_nothing());
        let saved = serde_json::to_value(&bare).unwrap();
        assert_eq!(
            (&saved["exact"], &saved["incomplete"]["why"]),
            (&false.into(), &"too many".into())
        );
        // The form in which an older version saved an incomplete comparison.
        let older = r#"{"exact": false, "widened": [], "narrowed": [], "uncertain": []}"#;
        let older: Meaning = serde_json::from_str(older).unwrap();
        assert!(matches!(older.found, Found::Incomplete(..)), "{older:?}");
    }

    #[test]
    fn the_counts_tell_policies_from_rules() {
        let (policy, rule) = (Object::Policy, Object::Rule);
        let all = |op, objects: &[(usize, Object)]| -> Vec<(Op, Object)> {
            let each = objects.iter().flat_map(|(count, object)| vec![(op, *object); *count]);
            each.collect()
        };
        let create = all(Op::Create, &[(4, policy), (16, rule)]);
        let table = [
            (create.clone(), "20 to create (4 policies, 16 rules)"),
            (
                [create, all(Op::Delete, &[(1, rule)])].concat(),
                "20 to create (4 policies, 16 rules), 1 to delete (rule)",
            ),
            (all(Op::Update, &[(1, policy)]), "1 to update (policy)"),
            (all(Op::Approve, &[(2, rule)]), "2 to approve (rules)"),
            (Vec::new(), ""),
        ];
        for (changes, expected) in table {
            assert_eq!(summary(changes), expected);
        }
    }

    #[test]
    fn a_fold_keeps_both_ends() {
        assert_eq!(folded(&[1, 2, 3], 3), (&[1, 2, 3][..], 0, &[][..]));
        assert_eq!(folded(&[1, 2, 3, 4], 3), (&[1, 2, 3, 4][..], 0, &[][..]));
        assert_eq!(folded(&[1, 2, 3, 4, 5], 3), (&[1, 2][..], 2, &[5][..]));
        assert_eq!(folded(&[1, 2], 0), (&[][..], 2, &[][..]));
    }
}
