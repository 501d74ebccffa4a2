//! The division of calls into a half that only narrows and a half that only widens, for changes
//! that no order of single calls makes safe.
//!
//! Invariant: both halves together end where the whole call ends, and the state between them is not
//! more open than either side of the call.

use crate::model::{Body, Cedar, Decision, Policy, Resources, Rule, RuleId, Scope};

use super::cedar::statements;
use crate::plan::docker::diff::PolicySlot;
use crate::plan::docker::draft::Draft;
use crate::plan::docker::temporary::STANDS_IN;
use crate::plan::docker::{Change, PolicyFields, PolicyTarget, RuleTarget};
use crate::plan::step::{Delta, Reason};

/// The largest number of further calls for which a policy's allows are deleted one by one; above
/// it, a temporary deny needs fewer calls.
const FEW: usize = 2;

/// The parts of a call, each of which depends on the one before; `None` for a call that cannot be
/// divided.
pub(super) fn split(draft: &Draft, slot: &PolicySlot) -> Option<Vec<Draft>> {
    let mut parts = match &draft.change {
        Change::Rule { policy, target, delta: Delta::Update { before, after } } => {
            parts(draft, split_rule(policy, target, (before, after), slot)?)
        }
        Change::Policy { target, delta: Delta::Update { before, after } } => {
            parts(draft, split_head(target, before, after)?)
        }
        Change::Policy { target, delta: Delta::Delete { before } } => {
            split_deletion(draft, target, before, slot)?
        }
        Change::Policy { target, delta: Delta::Create { after } } => {
            parts(draft, split_creation(target, after)?)
        }
        Change::Rule { delta: Delta::Create { .. } | Delta::Delete { .. }, .. } => return None,
    };
    let last = parts.len().checked_sub(1)?;
    for (index, part) in parts.iter_mut().enumerate() {
        part.because = Some(if index == last { Reason::SplitWidens } else { Reason::SplitNarrows });
    }
    Some(parts)
}

fn parts(draft: &Draft, changes: Vec<Change>) -> Vec<Draft> {
    changes.into_iter().map(|change| Draft { change, ..draft.clone() }).collect()
}

fn split_rule(
    policy: &PolicyTarget,
    target: &RuleTarget,
    (before, after): (&Rule, &Rule),
    slot: &PolicySlot,
) -> Option<Vec<Change>> {
    let change = |delta| Change::Rule { policy: policy.clone(), target: target.clone(), delta };
    let update = |before: &Rule, after: &Rule| {
        change(Delta::Update { before: before.clone(), after: after.clone() })
    };
    let create = |rule: &Rule| Change::create_rule(policy.clone(), rule.clone());
    let replace = || vec![change(Delta::Delete { before: before.clone() }), create(after)];
    // Rules of the new domain that have to come before this one can be added between the two parts.
    if before.domain() != after.domain() {
        return Some(replace());
    }
    if before.decision != after.decision {
        return None;
    }
    let between = match after.decision {
        Decision::Deny => together(before, after),
        Decision::Allow => common(before, after),
    };
    Some(match (between, after.decision) {
        (Some(between), _) => vec![update(before, &between), update(&between, after)],
        (None, Decision::Allow) => replace(),
        // A deny that changes its layer: a replacement denies meanwhile.
        (None, Decision::Deny) => {
            let mut stand_in = Rule { name: format!("{}{STANDS_IN}", after.name), ..after.clone() };
            // An apply that stopped may have left one.
            while slot.contents().any(|rule| rule.name == stand_in.name) {
                stand_in.name.push_str(STANDS_IN);
            }
            let delete = Change::Rule {
                policy: policy.clone(),
                target: RuleTarget::Planned(stand_in.name.clone()),
                delta: Delta::Delete { before: stand_in.clone() },
            };
            vec![create(&stand_in), update(before, after), delete]
        }
    })
}

/// A rule that matches everything that either matches, and possibly more; `None` across layers.
pub(super) fn together(one: &Rule, other: &Rule) -> Option<Rule> {
    let resources = match (&one.resources, &other.resources) {
        (Resources::Plain(one), Resources::Plain(other)) => {
            Resources::Plain(union(one, other).into())
        }
        (Resources::Http(one), Resources::Http(other)) => Resources::Http(union(one, other)),
        (Resources::Plain(_), Resources::Http(_)) | (Resources::Http(_), Resources::Plain(_)) => {
            return None;
        }
    };
    (one.domain() == other.domain()).then(|| Rule {
        actions: union(&one.actions, &other.actions),
        resources,
        ..other.clone()
    })
}

/// A rule that matches at most what both match according to their lists; `None` if that is nothing.
fn common(one: &Rule, other: &Rule) -> Option<Rule> {
    let resources = match (&one.resources, &other.resources) {
        (Resources::Plain(one), Resources::Plain(other)) => {
            Resources::Plain(shared(one, other)?.into())
        }
        (Resources::Http(one), Resources::Http(other)) => Resources::Http(shared(one, other)?),
        (Resources::Plain(_), Resources::Http(_)) | (Resources::Http(_), Resources::Plain(_)) => {
            return None;
        }
    };
    Some(Rule { actions: shared(&one.actions, &other.actions)?, resources, ..other.clone() })
}

fn union<T: Clone + PartialEq>(one: &[T], other: &[T]) -> Vec<T> {
    other.iter().chain(one.iter().filter(|item| !other.contains(item))).cloned().collect()
}

fn shared<T: Clone + PartialEq>(one: &[T], other: &[T]) -> Option<Vec<T>> {
    let shared: Vec<T> = other.iter().filter(|item| one.contains(item)).cloned().collect();
    (!shared.is_empty()).then_some(shared)
}

fn split_head(
    target: &PolicyTarget,
    before: &PolicyFields,
    after: &PolicyFields,
) -> Option<Vec<Change>> {
    let between = match (&before.cedar, &after.cedar) {
        (Some(old), Some(new)) if before.scope == after.scope => {
            PolicyFields { cedar: Some(meeting_text(old, new)?), ..after.clone() }
        }
        (None, None) => PolicyFields { scope: both(&before.scope, &after.scope)?, ..after.clone() },
        (Some(_), Some(_)) | (None, Some(_)) | (Some(_), None) => return None,
    };
    (between != *before && between != *after)
        .then(|| vec![update(target, before, &between), update(target, &between, after)])
}

fn update(target: &PolicyTarget, before: &PolicyFields, after: &PolicyFields) -> Change {
    let delta = Delta::Update { before: before.clone(), after: after.clone() };
    Change::Policy { target: target.clone(), delta }
}

/// The teams of both, unless one contains the other.
fn both(one: &Scope, other: &Scope) -> Option<Scope> {
    match (one, other) {
        (Scope::Teams(one), Scope::Teams(other))
            if !one.is_subset(other) && !other.is_subset(one) =>
        {
            Some(Scope::Teams(one.union(other).cloned().collect()))
        }
        (Scope::Teams(_), Scope::Teams(_))
        | (Scope::Organization, _)
        | (_, Scope::Organization) => None,
    }
}

/// The permits of both, and the forbids and approvals of either.
fn meeting_text(one: &Cedar, other: &Cedar) -> Option<Cedar> {
    if one.schema_url != other.schema_url {
        return None;
    }
    let (old, new) = (statements(one), statements(other));
    let permits = old.permits.intersection(&new.permits).map(|permit| new.source(permit));
    let former =
        old.forbids.difference(&new.forbids).chain(old.approvals.difference(&new.approvals));
    let former = former.map(|statement| old.source(statement));
    let text: Vec<&str> = new.stopping().chain(former).chain(permits).collect();
    (!text.is_empty())
        .then(|| Cedar { text: text.join("\n"), schema_url: other.schema_url.clone() })
}

/// Returns `true` if a call may set this text between the two ends.
pub(super) fn is_between(cedar: &Cedar, old: Option<&Cedar>, new: Option<&Cedar>) -> bool {
    let met = old.zip(new).and_then(|(old, new)| meeting_text(old, new));
    met.into_iter()
        .chain([old, new].into_iter().flatten().filter_map(without_permits))
        .any(|between| between == *cedar)
}

/// The text without its permits, if there is more in it.
fn without_permits(cedar: &Cedar) -> Option<Cedar> {
    let statements = statements(cedar);
    let rest: Vec<&str> = statements.stopping().collect();
    (!rest.is_empty() && !statements.permits.is_empty())
        .then(|| Cedar { text: rest.join("\n"), schema_url: cedar.schema_url.clone() })
}

fn split_deletion(
    draft: &Draft,
    target: &PolicyTarget,
    before: &Policy,
    slot: &PolicySlot,
) -> Option<Vec<Draft>> {
    let head = PolicyFields::new(before);
    let Some(cedar) = &head.cedar else { return empty_first(draft, target, before, slot) };
    let between = PolicyFields { cedar: Some(without_permits(cedar)?), ..head.clone() };
    let left = between.with_rules(Vec::new());
    let delete = Change::Policy { target: target.clone(), delta: Delta::Delete { before: left } };
    Some(parts(draft, vec![update(target, &head, &between), delete]))
}

/// Deletes the allows of a policy before the policy itself, if they are few.
fn empty_first(
    draft: &Draft,
    target: &PolicyTarget,
    before: &Policy,
    slot: &PolicySlot,
) -> Option<Vec<Draft>> {
    let rules = slot.rules.iter().enumerate();
    let rules = rules.filter_map(|(index, rule)| Some((index, rule.before.as_ref()?)));
    let (allows, denies): (Vec<_>, Vec<_>) =
        rules.partition(|(_, (_, rule))| rule.decision == Decision::Allow);
    if allows.is_empty() || allows.len() > FEW {
        return None;
    }
    let deletion = |(index, (id, rule)): (usize, &(RuleId, Rule))| {
        let change = Change::Rule {
            policy: target.clone(),
            target: RuleTarget::Existing(id.clone()),
            delta: Delta::Delete { before: rule.clone() },
        };
        Draft { rule: Some(index), change, ..draft.clone() }
    };
    let left = denies.into_iter().map(|(_, (_, rule))| rule.clone()).collect();
    let before = Policy { body: Body::Allowlist(left), ..before.clone() };
    let rest = Change::Policy { target: target.clone(), delta: Delta::Delete { before } };
    Some(
        allows.into_iter().map(deletion).chain([Draft { change: rest, ..draft.clone() }]).collect(),
    )
}

fn split_creation(target: &PolicyTarget, after: &PolicyFields) -> Option<Vec<Change>> {
    let between =
        PolicyFields { cedar: Some(without_permits(after.cedar.as_ref()?)?), ..after.clone() };
    let widen = update(target, &between, after);
    Some(vec![Change::create_policy(between), widen])
}

#[cfg(test)]
mod tests {
    use super::super::proof::{ends, policy};
    use super::{is_between, split, split_creation, split_head};
    use crate::model::Decision::{self, Allow, Deny};
    use crate::model::{Action, Body, Cedar, HttpResource, Resources, Scope};
    use crate::plan::docker::{Change, PolicyFields, PolicyTarget};
    use crate::plan::step::{Delta, Op, Reason};

    /// The decision of a rule, and its hosts.
    type Side = (Decision, &'static [&'static str]);

    /// The hosts of the rule after each part of its change, `-` where it is gone.
    fn parts(before: Side, after: Side) -> Option<Vec<String>> {
        let side = |(decision, hosts): Side| [policy("p", &[("r", decision, hosts)])];
        let (_, diff, drafts) = ends(&side(before), &side(after));
        let parts = split(&drafts[0], &diff.policies[0])?;
        let last = parts.len() - 1;
        for (index, part) in parts.iter().enumerate() {
            let reason = if index == last { Reason::SplitWidens } else { Reason::SplitNarrows };
            assert_eq!(part.because, Some(reason));
        }
        let hosts = |part: &crate::plan::docker::draft::Draft| {
            let (_, after) = part.change.rule_sides();
            after.map_or_else(
                || "-".to_owned(),
                |rule| match &rule.resources {
                    Resources::Plain(hosts) => hosts.join(" "),
                    Resources::Http(_) => unreachable!("the rules are about hosts"),
                },
            )
        };
        Some(parts.iter().map(hosts).collect())
    }

    #[test]
    fn a_deny_that_stands_in_takes_a_name_that_is_free() {
        let left = "r (seawall: stands in)";
        let before = [policy("p", &[("r", Deny, &["a"]), (left, Deny, &["x"])])];
        let mut after = [policy("p", &[("r", Deny, &["a"])])];
        let Body::Allowlist(rules) = &mut after[0].body else { unreachable!("it has rules") };
        rules[0].actions = vec![Action::parse("request:get")];
        let path = "/**".to_owned();
        let target = HttpResource { host: "a".to_owned(), port: None, path };
        rules[0].resources = Resources::Http(vec![target]);
        let (_, diff, drafts) = ends(&before, &after);
        let update = drafts.iter().find(|draft| draft.change.op() == Op::Update).unwrap();
        let parts = split(update, &diff.policies[0]).unwrap();
        let (_, stand_in) = parts[0].change.rule_sides();
        assert_eq!(stand_in.unwrap().name, format!("{left} (seawall: stands in)"));
    }

    #[test]
    fn the_text_on_the_way_permits_what_both_do_and_forbids_what_either_does() {
        let [permit, forbid] = ["permit", "forbid"].map(|effect| {
            move |server: &str| {
                format!("{effect} (principal, action, resource in MCP::Server::\"{server}\");")
            }
        });
        let text = |statements: &[String]| Cedar {
            text: statements.join("\n"),
            schema_url: String::new(),
        };
        let old = text(&[permit("a"), permit("b"), forbid("x")]);
        let new = text(&[permit("c"), permit("a"), forbid("y")]);
        for (statements, expected) in [
            (vec![forbid("y"), forbid("x"), permit("a")], true),
            (vec![forbid("y"), permit("a")], false),
            (vec![forbid("y"), forbid("x")], false),
            (vec![forbid("y"), forbid("x"), permit("a"), permit("b")], false),
        ] {
            let found = is_between(&text(&statements), Some(&old), Some(&new));
            assert_eq!(found, expected, "{statements:?}");
        }
    }

    #[test]
    fn the_first_part_only_narrows() {
        let table: [(Side, Side, Option<&[&str]>); 4] = [
            // An allow keeps what both sides allow on the way; a deny what either denies.
            ((Allow, &["a", "b"]), (Allow, &["b", "c"]), Some(&["b", "b c"])),
            ((Deny, &["a"]), (Deny, &["b"]), Some(&["b a", "b"])),
            // Nothing is allowed by both.
            ((Allow, &["a"]), (Allow, &["b"]), Some(&["-", "b"])),
            // One call, whatever stands around it.
            ((Allow, &["a"]), (Deny, &["a"]), None),
        ];
        for (before, after, expected) in table {
            let expected = expected
                .map(|parts| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>());
            assert_eq!(parts(before, after), expected, "{before:?} {after:?}");
        }
    }

    /// A policy of the teams, with the text if there is one.
    fn head(teams: &[&str], text: Option<&str>) -> PolicyFields {
        let cedar = |text: &str| Cedar { text: text.to_owned(), schema_url: String::new() };
        PolicyFields {
            name: "p".to_owned(),
            scope: Scope::Teams(teams.iter().map(|team| (*team).to_owned()).collect()),
            cedar: text.map(cedar),
        }
    }

    const OPEN: &str = "permit (principal, action, resource in MCP::Server::\"a\");";
    const OTHER: &str = "permit (principal, action, resource in MCP::Server::\"b\");";
    const SHUT: &str = "forbid (principal, action, resource in MCP::Server::\"x\");";

    #[test]
    fn a_policy_on_the_way_governs_the_teams_of_both_sides() {
        let (target, both) = (PolicyTarget::Planned("p".to_owned()), [OPEN, OTHER].join("\n"));
        let mut moved = head(&["a"], Some(OTHER));
        moved.cedar.as_mut().unwrap().schema_url = "other".to_owned();
        let renamed = PolicyFields { name: "q".to_owned(), ..head(&["a"], None) };
        let table = [
            (head(&["a"], None), head(&["b"], None), Some(head(&["a", "b"], None))),
            // One call that widens, or narrows.
            (head(&["a"], None), head(&["a", "b"], None), None),
            (head(&["a", "b"], None), head(&["a"], None), None),
            (head(&["a", "b"], None), renamed, None),
            (head(&["a"], Some(OPEN)), head(&["a"], Some(&both)), None),
            (head(&["a"], Some(&both)), head(&["a"], Some(OPEN)), None),
            // Nothing is permitted by both, and nothing forbidden by either.
            (head(&["a"], Some(OPEN)), head(&["a"], Some(OTHER)), None),
            // Of several changes in one call, or of another language, nothing is known.
            (head(&["a"], Some(&[SHUT, OTHER].join("\n"))), head(&["b"], Some(OPEN)), None),
            (head(&["a"], Some(SHUT)), moved, None),
            (
                head(&["a"], Some(&[SHUT, OTHER].join("\n"))),
                head(&["a"], Some(OPEN)),
                Some(head(&["a"], Some(SHUT))),
            ),
        ];
        for (before, after, expected) in table {
            let expected = expected.map(|between| {
                let part = |before: &PolicyFields, after: &PolicyFields| {
                    let delta = Delta::Update { before: before.clone(), after: after.clone() };
                    Change::Policy { target: target.clone(), delta }
                };
                vec![part(&before, &between), part(&between, &after)]
            });
            assert_eq!(split_head(&target, &before, &after), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_new_policy_forbids_before_it_permits() {
        let target = PolicyTarget::Planned("p".to_owned());
        let after = head(&["a"], Some(&[SHUT, OPEN].join("\n")));
        let parts = split_creation(&target, &after).unwrap();
        let between = head(&["a"], Some(SHUT));
        assert_eq!(parts.first(), Some(&Change::create_policy(between.clone())));
        let delta = Delta::Update { before: between, after };
        assert_eq!(parts.get(1), Some(&Change::Policy { target: target.clone(), delta }));
        for text in [SHUT, OPEN] {
            assert_eq!(split_creation(&target, &head(&["a"], Some(text))), None, "{text}");
        }
    }

    #[test]
    fn a_few_allows_are_deleted_before_their_policy() {
        let rules = [("x", Deny, &["x"][..]), ("a", Allow, &["a"]), ("b", Allow, &["b"])];
        let third = ("c", Allow, &["c"][..]);
        let deleted = |rules: &[(&str, Decision, &[&str])]| {
            let (_, diff, drafts) = ends(&[policy("p", rules)], &[]);
            let parts = split(&drafts[0], &diff.policies[0])?;
            let name = |part: &crate::plan::docker::draft::Draft| match &part.change {
                Change::Rule { delta: Delta::Delete { before }, .. } => before.name.clone(),
                Change::Policy { delta: Delta::Delete { before }, .. } => {
                    let Body::Allowlist(left) = &before.body else { unreachable!("it has rules") };
                    let left = left.iter().map(|rule| rule.name.as_str());
                    format!("p with {}", left.collect::<Vec<_>>().join(" "))
                }
                Change::Rule { .. } | Change::Policy { .. } => unreachable!("it is a deletion"),
            };
            Some(parts.iter().map(name).collect::<Vec<_>>())
        };
        let parts = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(deleted(&rules[..1]), None, "there is no allow");
        assert_eq!(deleted(&rules[..2]), parts(&["a", "p with x"]));
        assert_eq!(deleted(&rules), parts(&["a", "b", "p with x"]));
        assert_eq!(deleted(&[rules[0], rules[1], rules[2], third]), None, "there are many");
    }
}
