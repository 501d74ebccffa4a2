//! The steps of a plan.

use std::collections::BTreeMap;

use super::count;
use crate::access::cedar::StatementChange;
use crate::diagnostic::list;
use crate::model::{Decision, HttpResource, Resources, Rule};
use crate::plan::docker::Difference;
use crate::plan::step::{Object, Op, Reason};

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
        steps.iter().any(|step| step.change.rule().is_none() && step.change.op() == Op::Create)
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

#[cfg(test)]
mod tests {
    use super::summary;
    use crate::plan::step::{Object, Op};

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
}
