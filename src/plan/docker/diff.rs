//! The differences between desired and live, as slots: one for each policy and rule that exists on
//! either side.
//!
//! Invariant: the slots hold everything that decides access, changed or not, so that both ends and
//! every intermediate state can be computed from the slots alone.

use crate::model::{
    Desired, DesiredPolicy, Domain, Live, LiveBody, LivePolicy, Origin, Ownership, PolicyId, Rule,
    RuleId,
};

use super::{PolicyFields, changed_fields, matching};
use crate::plan::step::Reason;

/// The states before and after a change.
#[derive(Clone, Debug, Default)]
pub struct Diff {
    /// Declared policies in the order of their names, then undeclared live policies.
    pub policies: Vec<PolicySlot>,
    /// Names of live policies that are left alone, sorted.
    pub left_alone: Vec<String>,
}

/// One policy before and after the change.
#[derive(Clone, Debug)]
pub struct PolicySlot {
    /// The live policy.
    pub before: Option<(PolicyId, PolicyFields)>,
    /// The policy after the change; equal to `before` for a policy that is left alone.
    pub after: Option<PolicyFields>,
    /// Its rules, changed or not, since all of them decide access.
    pub rules: Vec<RuleSlot>,
    /// The place where a document declares it.
    pub origin: Option<Origin>,
    /// The reason for its creation or deletion, if it is not obvious.
    pub because: Option<Reason>,
}

/// One rule before and after the change.
#[derive(Clone, Debug)]
pub struct RuleSlot {
    /// The live rule.
    pub before: Option<(RuleId, Rule)>,
    /// The rule after the change.
    pub after: Option<Rule>,
    /// The place where a document declares it.
    pub origin: Option<Origin>,
    /// The reason for its creation or deletion, if it is not obvious.
    pub because: Option<Reason>,
}

impl PolicySlot {
    /// The versions of the policy that exist, before and after.
    pub fn heads(&self) -> impl Iterator<Item = &PolicyFields> {
        self.before.as_ref().map(|(_, head)| head).into_iter().chain(&self.after)
    }

    /// All versions of its rules.
    pub fn contents(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().flat_map(RuleSlot::versions)
    }

    /// Returns `true` if one of its versions is a Cedar policy.
    #[must_use]
    pub fn is_cedar(&self) -> bool {
        self.heads().any(|head| head.cedar.is_some())
    }

    /// The name to show for the policy: the declared one, otherwise the live one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.after
            .as_ref()
            .or(self.before.as_ref().map(|(_, head)| head))
            .map_or("", |head| head.name.as_str())
    }
}

impl RuleSlot {
    /// The versions of the rule that exist, before and after.
    pub fn versions(&self) -> impl Iterator<Item = &Rule> {
        self.before.as_ref().map(|(_, rule)| rule).into_iter().chain(&self.after)
    }

    /// Returns `true` if one of its versions is this rule.
    #[must_use]
    pub fn has(&self, rule: &Rule) -> bool {
        self.versions().any(|own| own == rule)
    }

    /// Returns `true` if a call is needed that does more than rename.
    #[must_use]
    pub fn changes_meaning(&self) -> bool {
        match (&self.before, &self.after) {
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
            (Some((_, before)), Some(after)) => {
                changed_fields(before, after).iter().any(|field| *field != "name")
            }
        }
    }
}

/// Compares both sides. Team keys of `desired` are ids already.
#[must_use]
pub fn diff(desired: &Desired, live: &Live, ownership: &Ownership) -> Diff {
    let matched = matching::policies(&desired.policies, &live.policies);
    let mut result = Diff::default();
    for (declared, found) in desired.policies.iter().zip(&matched) {
        match found.and_then(|index| live.policies.get(index)) {
            None => result.policies.push(created(declared, None)),
            Some(found) if same_kind(declared, found) => {
                result.policies.push(kept(declared, found))
            }
            Some(found) => {
                result.policies.push(deleted(found, Some(Reason::Replace)));
                result.policies.push(created(declared, Some(Reason::Replace)));
            }
        }
    }
    let left = ownership.left();
    for (index, policy) in live.policies.iter().enumerate() {
        if matched.contains(&Some(index)) {
            continue;
        }
        let forgotten = super::temporary::is_temporary_deny(&policy.name);
        if forgotten || ownership.exclusive && !left(&policy.name) {
            let because = forgotten.then_some(Reason::TemporaryDeny);
            result.policies.push(deleted(policy, because));
        } else {
            result.left_alone.push(policy.name.clone());
            result.policies.push(left_alone(policy));
        }
    }
    result.left_alone.sort();
    result
}

fn same_kind(declared: &DesiredPolicy, found: &LivePolicy) -> bool {
    (declared.domain == Domain::Mcp) == matches!(found.body, LiveBody::Cedar(_))
}

fn created(declared: &DesiredPolicy, because: Option<Reason>) -> PolicySlot {
    let rules = declared
        .policy
        .rules()
        .iter()
        .zip(&declared.rules)
        .map(|(rule, beside)| RuleSlot {
            before: None,
            after: Some(rule.clone()),
            origin: Some(beside.origin.clone()),
            because: None,
        })
        .collect();
    let after = Some(PolicyFields::new(&declared.policy));
    PolicySlot { before: None, after, rules, origin: Some(declared.origin.clone()), because }
}

fn deleted(live: &LivePolicy, because: Option<Reason>) -> PolicySlot {
    PolicySlot { after: None, because, rules: live_rules(live, false), ..left_alone(live) }
}

fn left_alone(live: &LivePolicy) -> PolicySlot {
    let head = PolicyFields::new(&live.policy());
    PolicySlot {
        before: Some((live.id.clone(), head.clone())),
        after: Some(head),
        rules: live_rules(live, true),
        origin: None,
        because: None,
    }
}

fn live_rules(live: &LivePolicy, stay: bool) -> Vec<RuleSlot> {
    live.rules()
        .iter()
        .map(|rule| RuleSlot {
            before: Some((rule.id.clone(), rule.rule.clone())),
            after: stay.then(|| rule.rule.clone()),
            origin: None,
            because: None,
        })
        .collect()
}

fn kept(declared: &DesiredPolicy, live: &LivePolicy) -> PolicySlot {
    let mut matched = matching::rules(declared, live.rules());
    let because = if changes_domain(declared, live) {
        keep_one(&mut matched);
        Some(Reason::DomainChange)
    } else {
        None
    };
    let mut rules: Vec<RuleSlot> = Vec::new();
    for ((rule, beside), found) in declared.policy.rules().iter().zip(&declared.rules).zip(&matched)
    {
        let before = found
            .and_then(|index| live.rules().get(index))
            .map(|live| (live.id.clone(), live.rule.clone()));
        let because = if before.is_none() { because } else { None };
        rules.push(RuleSlot {
            before,
            after: Some(rule.clone()),
            origin: Some(beside.origin.clone()),
            because,
        });
    }
    for (index, rule) in live.rules().iter().enumerate() {
        if !matched.contains(&Some(index)) {
            let before = Some((rule.id.clone(), rule.rule.clone()));
            let forgotten = super::temporary::is_temporary_deny(&rule.rule.name);
            let because = if forgotten { Some(Reason::TemporaryDeny) } else { because };
            rules.push(RuleSlot { before, after: None, origin: None, because });
        }
    }
    PolicySlot {
        before: Some((live.id.clone(), PolicyFields::new(&live.policy()))),
        after: Some(PolicyFields::new(&declared.policy)),
        rules,
        origin: Some(declared.origin.clone()),
        because: None,
    }
}

fn changes_domain(declared: &DesiredPolicy, live: &LivePolicy) -> bool {
    let before = live.policy().domain();
    let after = declared.policy.domain();
    before.is_some() && after.is_some() && before != after
}

/// The service changes the domain of a rule only if the policy has no other rule. One rule is
/// therefore changed in place, and the others are deleted before and created again after it.
fn keep_one(matched: &mut [Option<usize>]) {
    let mut kept = false;
    for slot in matched.iter_mut().filter(|slot| slot.is_some()) {
        if kept {
            *slot = None;
        }
        kept = true;
    }
}
