//! Guards against changes that a plan may not make, judged on the whole plan before the first
//! write.
//!
//! Invariant: every guard is judged and reported, lifted or not; a guard never changes the plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::list;
use crate::evidence::replay::Replay;
use crate::model::{
    Guards, Limit, Live, LiveVijil, MAX_POLICIES, MAX_RULES, PolicyId, Protected, Weakening,
    refused_if,
};

use super::docker::{Change, PolicyTarget, RuleTarget, Step, weakening};
use super::flips::Tested;
use super::meaning::{Found, Meaning};
use super::safe_order::Refusal;
use super::step::{Op, Reason};
use super::vijil;

/// The guards that judge a plan.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Limits the number of deletions.
    MaxDeletes,
    /// Protects policies: no plan may delete, empty or weaken them, and documents have to declare
    /// them.
    Protected,
    /// Refuses new access of any audience.
    DenyWidening,
    /// Refuses failing access tests.
    AccessTests,
    /// Limits the number of recorded requests that are newly denied.
    BlockedRequests,
    /// Refuses an order with an intermediate state that allows more than both ends.
    SafeOrder,
    /// Refuses what exceeds the limits of the service.
    ServiceLimits,
}

impl Guard {
    /// Every guard, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::MaxDeletes,
        Self::Protected,
        Self::DenyWidening,
        Self::AccessTests,
        Self::BlockedRequests,
        Self::SafeOrder,
        Self::ServiceLimits,
    ];

    /// The name, as settings and flags spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxDeletes => "max_deletes",
            Self::Protected => "protected",
            Self::DenyWidening => "deny_widening",
            Self::AccessTests => "access_tests",
            Self::BlockedRequests => "blocked_requests",
            Self::SafeOrder => "safe_order",
            Self::ServiceLimits => "service_limits",
        }
    }
}

/// The judgement of one guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Verdict {
    /// The guard.
    pub guard: Guard,
    /// True if the plan passes it.
    pub ok: bool,
    /// The finding, as a lower-case phrase.
    pub message: String,
}

impl Verdict {
    fn new(guard: Guard, judgement: Judgement) -> Self {
        let (ok, message) = match judgement {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        Self { guard, ok, message }
    }

    /// The verdict on both of two parts of a plan. A refusal of one part alone says nothing about
    /// the other.
    pub(super) fn beside(self, other: Self) -> Self {
        let message = match (self.ok, other.ok) {
            (true, false) => other.message,
            (false, true) => self.message,
            (true, true) | (false, false) => format!("{}; {}", self.message, other.message),
        };
        Self { guard: self.guard, ok: self.ok && other.ok, message }
    }
}

/// The data that guards judge, besides the settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged<'a> {
    /// The organization before.
    pub(super) live: &'a Live,
    /// The organization after all steps.
    pub(super) after: &'a Live,
    /// The plan.
    pub(super) steps: &'a [Step],
    /// The effect of the plan on access.
    pub(super) access: &'a Meaning,
    /// The reason why the order of calls is not safe, or not known to be safe.
    pub(super) order: Option<&'a Refusal>,
    /// Live policies that no document declares, whoever manages them: a change that stops declaring
    /// a policy could as well leave it to others.
    pub(super) undeclared: &'a [String],
    /// The results of access tests.
    pub(super) tested: &'a Tested,
    /// Effect of the plan on recorded requests; `None` without records.
    pub(super) recorded: Option<&'a Replay>,
    /// The Vijil side, if the plan has one.
    pub(super) vijil: Option<JudgedVijil<'a>>,
}

/// The Vijil side of what guards judge.
#[derive(Clone, Copy, Debug)]
pub(super) struct JudgedVijil<'a> {
    /// The team before.
    pub(super) live: &'a LiveVijil,
    /// The plan.
    pub(super) plan: &'a vijil::Plan,
}

/// Judges every guard, on both services.
pub(super) fn judge(guards: &Guards, judged: &Judged<'_>) -> Vec<Verdict> {
    let weakened = judged
        .vijil
        .map(|side| vijil::weakening::find(side.live, &side.plan.steps))
        .unwrap_or_default();
    let verdict = |guard| {
        let docker = Verdict::new(guard, of_docker(guard, guards, judged));
        match judged.vijil.map(|side| of_vijil(guard, guards, side, &weakened)) {
            None | Some(Ok(None)) => docker,
            Some(Ok(Some(message))) => docker.beside(Verdict::new(guard, Ok(message))),
            Some(Err(message)) => docker.beside(Verdict::new(guard, Err(message))),
        }
    };
    Guard::ALL.into_iter().map(verdict).collect()
}

fn of_docker(guard: Guard, guards: &Guards, judged: &Judged<'_>) -> Judgement {
    match guard {
        Guard::MaxDeletes => max_deletes(guards.max_deletes, judged),
        Guard::Protected => protected(&guards.protected, judged),
        Guard::DenyWidening => deny_widening(guards.deny_widening, judged),
        Guard::AccessTests => access_tests(guards.access_tests, judged.tested),
        Guard::BlockedRequests => {
            blocked_requests(guards, judged.steps.is_empty(), judged.recorded)
        }
        Guard::SafeOrder => safe_order(judged),
        Guard::ServiceLimits => service_limits(judged),
    }
}

/// The verdict on the Vijil side; `None` if there is nothing to say.
fn of_vijil(
    guard: Guard,
    guards: &Guards,
    JudgedVijil { live, plan: vijil::Plan { steps, left_alone, .. } }: JudgedVijil<'_>,
    weakened: &[vijil::Weakened],
) -> Result<Option<String>, String> {
    match guard {
        Guard::MaxDeletes => vijil::guard::max_deletes(guards, live, steps, weakened),
        Guard::Protected => vijil::guard::protected(guards, live, steps, left_alone, weakened),
        Guard::DenyWidening => vijil::guard::deny_widening(guards, weakened),
        Guard::AccessTests | Guard::BlockedRequests | Guard::SafeOrder | Guard::ServiceLimits => {
            Ok(None)
        }
    }
}

type Judgement = Result<String, String>;

fn max_deletes(limit: Option<Limit>, judged: &Judged<'_>) -> Judgement {
    let mut policies = 0_usize;
    let mut rules: BTreeMap<&PolicyId, usize> = BTreeMap::new();
    for step in judged.steps {
        // Temporary objects of an earlier apply do not count, and neither do objects that are
        // deleted to be created again at once.
        let id = step.change.policy().existing();
        let (Some(id), Op::Delete) = (id, step.change.op()) else { continue };
        match (&step.change, step.because) {
            (_, Some(Reason::TemporaryDeny))
            | (Change::Rule { .. }, Some(Reason::SplitNarrows))
            | (Change::Rule { target: RuleTarget::Planned(_), .. }, _) => {}
            (Change::Policy { .. }, _) => policies += 1,
            (Change::Rule { .. }, _) => *rules.entry(id).or_default() += 1,
        }
    }
    let all = judged.live.policies.len();
    let counted = format!(
        "deletes {policies} of {all} live policies and {} rules",
        rules.values().sum::<usize>()
    );
    let Some(limit) = limit else { return Ok(format!("{counted}; no limit is set")) };
    if exceeds(limit, policies, all) {
        return Err(format!("deletes {policies} of {all} live policies; at most {limit} may go"));
    }
    for (id, count) in rules {
        let Some(policy) = judged.live.policies.iter().find(|policy| policy.id == *id) else {
            continue;
        };
        let all = policy.rules().len();
        if exceeds(limit, count, all) {
            let name = &policy.name;
            return Err(format!(
                "deletes {count} of {all} live rules of `{name}`; at most {limit} may go"
            ));
        }
    }
    Ok(format!("{counted}; at most {limit} may go"))
}

fn exceeds(limit: Limit, deleted: usize, all: usize) -> bool {
    limit.is_exceeded(deleted as u64, all as u64)
}

fn protected(policies: &[Protected], judged: &Judged<'_>) -> Judgement {
    let mut refusals: Vec<String> = Vec::new();
    for before in &judged.live.policies {
        let Some(protected) = policies.iter().find(|one| one.name == before.name) else { continue };
        let (name, allows) = (&before.name, |kind: Weakening| protected.allow.contains(&kind));
        let after = judged
            .after
            .policies
            .iter()
            .find(|after| after.id == before.id || after.name == before.name);
        let Some(after) = after else {
            refusals.extend(
                (!allows(Weakening::Delete))
                    .then(|| format!("deletes the protected policy `{name}`")),
            );
            continue;
        };
        if !allows(Weakening::Delete) && judged.undeclared.contains(name) {
            refusals.push(format!("no document declares the protected policy `{name}`"));
        }
        let weaker = weakening::of_policy(&before.policy(), &after.policy(), &judged.live.teams);
        let refused = weaker.into_iter().filter(|(kind, _)| !allows(*kind)).map(|(kind, what)| {
            if kind == Weakening::Empty {
                return format!("empties the protected policy `{name}`");
            }
            format!("weakens the protected policy `{name}` ({}): {what}", kind.name())
        });
        refusals.extend(refused);
    }
    match (refusals.is_empty(), policies.len()) {
        (false, _) => Err(list::separated(&refusals, "; ")),
        (true, 0) => Ok("no policy is protected".to_owned()),
        (true, count) => Ok(format!(
            "{count} protected {} kept",
            if count == 1 { "policy is" } else { "policies are" }
        )),
    }
}

fn deny_widening(denied: bool, judged: &Judged<'_>) -> Judgement {
    let mut gains = judged.access.gains();
    let first = gains.next().map(|first| format!("`{}` for {}", first.access, first.audience));
    let others: Vec<_> = gains.collect();
    let example = first.map(|first| match others.as_slice() {
        [] => first,
        [second] => format!("{first} and `{}` for {}", second.access, second.audience),
        others => format!("{first} and {} more", others.len()),
    });
    let found = match (&judged.access.found, example) {
        (Found::Complete(_), None) => return Ok("no audience gains access".to_owned()),
        (Found::Complete(_), Some(example)) if denied => {
            format!("gives or may give new access: {example}")
        }
        (Found::Complete(_), Some(example)) => format!("access may be gained, as in {example}"),
        (Found::Incomplete(_, incomplete), example) => {
            let as_in = example.map(|example| format!(", as in {example}")).unwrap_or_default();
            format!(
                "the comparison is incomplete, so that access may be gained{as_in}: {}",
                incomplete.in_short()
            )
        }
    };
    refused_if(denied, found)
}

fn access_tests(refused: bool, tested: &Tested) -> Judgement {
    tested.judge().or_else(|why| refused_if(refused, why))
}

/// Judges the number of recorded requests that a plan newly denies. If the records are
/// inconclusive, the verdict says so, and refuses the plan only if records are required.
fn blocked_requests(guards: &Guards, is_empty: bool, recorded: Option<&Replay>) -> Judgement {
    if is_empty {
        return Ok("no access changes".to_owned());
    }
    let told = match recorded {
        Some(replay) => told(replay),
        None => Err("no records were given with `--records`".to_owned()),
    };
    match (told, guards.blocked_requests) {
        (Ok((found, _)), None) => Ok(format!("{found}; no limit is set")),
        (Ok((found, (denied, all))), Some(limit)) => {
            let found = format!("{found}; at most {limit} may be denied");
            if limit.is_exceeded(denied, all) { Err(found) } else { Ok(found) }
        }
        (Err(why), _) if guards.require_records => {
            Err(format!("it could not be judged: {why}; records are required"))
        }
        (Err(_), None) => Ok("no limit is set".to_owned()),
        (Err(why), Some(_)) => Ok(format!("it could not be judged: {why}")),
    }
}

/// Returns `true` if the records allow a judgement of the plan.
pub(super) fn tells(replay: &Replay) -> bool {
    told(replay).is_ok()
}

/// Effect of a plan on recorded requests: a phrase, and the numbers of denied and of all requests.
/// `Err` with a reason if the records are inconclusive. Unknown decisions never count as known.
fn told(replay: &Replay) -> Result<(String, (u64, u64)), String> {
    let (denied, unknown, all) = (replay.denied(), replay.untold(), replay.window.records);
    if all == 0 {
        return Err("the records hold no decision".to_owned());
    }
    if unknown == all {
        return Err(format!("of none of the {all} recorded requests is it known"));
    }
    let mut found = format!("denies {denied} of {all} recorded requests");
    if unknown > 0 {
        found.push_str(&format!("; of {unknown} it is not known"));
    }
    if replay.agreement.disagree > 0 {
        found.push_str(&format!(
            "; {} were decided differently when they were recorded",
            replay.agreement.disagree
        ));
    }
    Ok((found, (denied, all)))
}

fn safe_order(judged: &Judged<'_>) -> Judgement {
    let unknown =
        |why: String| Err(format!("it is unknown if every intermediate state is safe: {why}"));
    match (judged.order, &judged.access.found) {
        (Some(Refusal::Opens(opened)), _) => Err(format!(
            "no order of calls is safe: in an intermediate state, this would be open: {opened}"
        )),
        // The measure for every intermediate state is what both ends allow.
        (_, Found::Incomplete(_, incomplete)) => unknown(incomplete.in_short()),
        (Some(Refusal::Incomplete(cut)), Found::Complete(_)) => unknown(cut.to_string()),
        (None, Found::Complete(_)) => {
            Ok("no intermediate state allows more than both ends".to_owned())
        }
    }
}

fn service_limits(judged: &Judged<'_>) -> Judgement {
    let mut fullest = Fullest::new(judged.live);
    for phase in judged.steps.chunk_by(|one, other| one.phase == other.phase) {
        fullest.pass(phase);
    }
    if fullest.policies > MAX_POLICIES && fullest.policies > judged.live.policies.len() {
        let count = fullest.policies;
        return Err(format!(
            "the organization would have {count} policies at one time; the service accepts {MAX_POLICIES}"
        ));
    }
    if let Some((policy, count)) = fullest.too_many_rules {
        return Err(format!(
            "`{policy}` would have {count} rules at one time; the service accepts {MAX_RULES}"
        ));
    }
    Ok(format!("{} of {MAX_POLICIES} policies afterwards", fullest.policies_now))
}

/// The largest numbers of policies and rules that the service holds at any time during the apply.
struct Fullest {
    policies_now: usize,
    policies: usize,
    rules_now: BTreeMap<PolicyTarget, usize>,
    too_many_rules: Option<(String, usize)>,
}

impl Fullest {
    fn new(live: &Live) -> Self {
        let rules = live
            .policies
            .iter()
            .map(|one| (PolicyTarget::Existing(one.id.clone()), one.rules().len()));
        let policies = live.policies.len();
        Self { policies_now: policies, policies, rules_now: rules.collect(), too_many_rules: None }
    }

    /// The steps of a phase run in any order: in the worst case, all creations come before all
    /// deletions.
    fn pass(&mut self, phase: &[Step]) {
        for step in phase.iter().filter(|step| step.change.op() == Op::Create) {
            let now = self.holder(&step.change);
            *now += 1;
            let now = *now;
            if step.change.rule().is_some() && now > MAX_RULES {
                self.too_many_rules = Some((step.policy.clone(), now));
            }
        }
        self.policies = self.policies.max(self.policies_now);
        for step in phase.iter().filter(|step| step.change.op() == Op::Delete) {
            let now = self.holder(&step.change);
            *now = now.saturating_sub(1);
        }
    }

    /// The present number of policies, or of rules of the policy, to which the object belongs.
    fn holder(&mut self, change: &Change) -> &mut usize {
        match change {
            Change::Policy { .. } => &mut self.policies_now,
            Change::Rule { policy, .. } => self.rules_now.entry(policy.clone()).or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::SurveyLimit;
    use crate::model::{
        Action, Decision, LiveBody, LivePolicy, LiveRule, Resources, Rule, RuleId, Scope,
    };
    use crate::plan::docker::{Difference, PolicyFields};
    use crate::plan::meaning::{Changes, Incomplete};
    use crate::plan::step::Delta;

    fn judged<'a>(
        live: &'a Live,
        steps: &'a [Step],
        access: &'a Meaning,
        tested: &'a Tested,
        order: Option<&'a Refusal>,
    ) -> Judged<'a> {
        let (undeclared, recorded, vijil) = (&[], None, None);
        Judged { live, after: live, steps, access, order, undeclared, tested, recorded, vijil }
    }

    fn step(phase: usize, change: Change) -> Step {
        let (policy, source, because) = ("P".to_owned(), None, None);
        Step::new(Difference { id: phase, policy, change, source, because }, phase)
    }

    fn rule(name: &str) -> Rule {
        let resources = Resources::Plain(vec!["a.example.com".to_owned()].into());
        let (name, actions) = (name.to_owned(), vec![Action::ConnectTcp]);
        Rule { name, decision: Decision::Allow, actions, resources }
    }

    /// This number of policies, of which each has this number of rules.
    fn live(policies: usize, rules: usize) -> Live {
        let rule = |index: usize| LiveRule {
            id: RuleId(format!("rule_{index}")),
            rule: rule(&format!("r{index}")),
        };
        let policy = |index: usize| LivePolicy {
            id: PolicyId(format!("pol_{index}")),
            name: format!("P{index}"),
            scope: Scope::Organization,
            body: LiveBody::Allowlist((0..rules).map(rule).collect()),
        };
        Live { policies: (0..policies).map(policy).collect(), ..Live::default() }
    }

    #[test]
    fn no_plan_passes_the_limits_of_the_service_at_any_time() {
        let head =
            || PolicyFields { name: "P".to_owned(), scope: Scope::Organization, cedar: None };
        let first = || PolicyTarget::Existing(PolicyId("pol_0".to_owned()));
        let policy = |delta| Change::Policy { target: first(), delta };
        let create = |phase| step(phase, Change::create_policy(head()));
        let delete =
            |phase| step(phase, policy(Delta::Delete { before: head().with_rules(Vec::new()) }));
        let create_rule = |phase| step(phase, Change::create_rule(first(), rule("new")));
        let delete_rule = |phase| {
            let target = RuleTarget::Existing(RuleId("rule_0".to_owned()));
            let delta = Delta::Delete { before: rule("r0") };
            step(phase, Change::Rule { policy: first(), target, delta })
        };
        let policies = |count: usize| {
            format!("would have {count} policies at one time; the service accepts {MAX_POLICIES}")
        };
        let rules =
            format!("`P` would have {} rules at one time; the service accepts", MAX_RULES + 1);
        let table = [
            (live(MAX_POLICIES - 1, 0), vec![create(1)], Ok(MAX_POLICIES)),
            (live(MAX_POLICIES, 0), vec![create(1)], Err(policies(MAX_POLICIES + 1))),
            (live(MAX_POLICIES, 0), vec![delete(1), create(2)], Ok(MAX_POLICIES)),
            (live(MAX_POLICIES, 0), vec![create(1), delete(2)], Err(policies(MAX_POLICIES + 1))),
            // Steps of one phase run in any order.
            (live(MAX_POLICIES, 0), vec![delete(1), create(1)], Err(policies(MAX_POLICIES + 1))),
            // An organization that has too many already may change, and may not grow.
            (live(MAX_POLICIES + 2, 0), vec![create_rule(1)], Ok(MAX_POLICIES + 2)),
            (live(MAX_POLICIES + 2, 0), vec![delete(1), create(2)], Ok(MAX_POLICIES + 2)),
            (live(MAX_POLICIES + 2, 0), vec![create(1)], Err(policies(MAX_POLICIES + 3))),
            (live(1, MAX_RULES - 1), vec![create_rule(1)], Ok(1)),
            (live(1, MAX_RULES), vec![create_rule(1)], Err(rules.clone())),
            (live(1, MAX_RULES), vec![delete_rule(1), create_rule(2)], Ok(1)),
            (live(1, MAX_RULES), vec![delete_rule(1), create_rule(1)], Err(rules)),
        ];
        let (access, tested) = (Meaning::default(), Tested::default());
        for (live, steps, expected) in table {
            let found = service_limits(&judged(&live, &steps, &access, &tested, None));
            match expected {
                Ok(count) => assert_eq!(
                    found,
                    Ok(format!("{count} of {MAX_POLICIES} policies afterwards")),
                    "{steps:?}"
                ),
                Err(says) => {
                    assert!(
                        found.as_ref().is_err_and(|why| why.contains(&says)),
                        "{found:?} {steps:?}"
                    );
                }
            }
        }
    }

    /// A guard refuses an unknown change, whatever else is listed.
    #[test]
    fn an_incomplete_comparison_and_an_order_that_cannot_be_judged_are_refused() {
        let incomplete = Incomplete {
            why: "too many".to_owned(),
            rules: vec!["now allow `p › r`".to_owned()],
            audiences: Vec::new(),
            patterns: Vec::new(),
        };
        let complete = Meaning::default();
        let cut = Meaning {
            found: Found::Incomplete(Changes::default(), incomplete),
            ..Meaning::default()
        };
        let order = Refusal::Incomplete(SurveyLimit::Folders);
        let (live, tested) = (Live::default(), Tested::default());
        let mut found = Vec::new();
        for (access, order) in [(&complete, None), (&cut, None), (&complete, Some(&order))] {
            let judged = judged(&live, &[], access, &tested, order);
            found.push((deny_widening(true, &judged), safe_order(&judged)));
        }
        let is_refused = |judgement: &Judgement, says: &str| {
            judgement.as_ref().is_err_and(|message| message.contains(says))
        };
        let [(Ok(_), Ok(_)), (widening, order), (Ok(_), alone)] = found.as_slice() else {
            panic!("{found:?}")
        };
        let why = "too many; not compared: now allow `p › r`";
        assert_eq!(
            [(widening, why), (order, why), (alone, "more folders than")]
                .map(|(judgement, says)| is_refused(judgement, says)),
            [true; 3],
            "{found:?}"
        );
    }
}
