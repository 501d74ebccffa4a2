//! The earlier steps that each step depends on, and the requests that it touches.
//!
//! Invariant: a step that runs although an earlier one was not carried out widens nothing. A step
//! depends on every earlier step that shares a request with it, that gives up a name which it
//! takes, or that gives an audience another policy of a domain before this step deletes its last
//! one. The cost is proportional to the plan, not to its square: a step that shares requests with
//! very many others depends on all steps that touch its domains.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;

use crate::access::RuleIndex;
use crate::model::{Action, Body, Domain, LivePolicy, Resources, Rule};

use super::{Change, PolicyTarget, Step};
use crate::plan::dependencies::{Beyond, Dependencies};
use crate::plan::step::{Delta, Object, Op};

/// The largest number of dependencies by shared requests that a step names. Above it, the step
/// depends on all steps that touch a domain which it touches.
const MOST: usize = 250;

/// The largest number of pairs of steps that are compared. Afterwards, no step names its
/// dependencies.
const MOST_PAIRS: usize = 1_000_000;

/// The relations of a step to others: its dependencies, and the domains in which it may change
/// access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// The steps that have to come first.
    pub dependencies: Dependencies,
    /// Domains in which the answer to a request may change, or in which an audience gets its first
    /// policy or loses its last.
    pub touches: BTreeSet<Domain>,
}

impl Relations {
    /// Stores the relations in a step.
    pub(crate) fn give<C>(self, step: &mut crate::plan::step::Step<C>) {
        (step.dependencies, step.touches) = (self.dependencies, self.touches);
    }
}

/// The relations of steps, in their order. `touched` are the policies that they are about, before
/// the plan.
pub(crate) fn relations(steps: &[Step], touched: &[LivePolicy]) -> Vec<Relations> {
    let contents = Contents::new(steps, touched);
    let about = steps.iter().map(|step| About::new(&step.change, &contents));
    let steps: Vec<(&Step, About<'_>)> = steps.iter().zip(about).collect();
    // What no later phase has anything to do with is not looked for either.
    let mut last: BTreeMap<Domain, usize> = BTreeMap::new();
    for (step, about) in &steps {
        last.extend(about.domains.iter().map(|domain| (*domain, step.phase)));
    }
    let is_looked_for = |step: &Step, about: &About<'_>| {
        about.domains.iter().any(|domain| last.get(domain).is_some_and(|phase| step.phase < *phase))
    };
    let (mut earlier, mut pairs) = (Earlier::default(), 0);
    let mut relations = Vec::with_capacity(steps.len());
    for phase in steps.chunk_by(|(one, _), (other, _)| one.phase == other.phase) {
        let mut found = HashMap::default();
        for (step, about) in phase {
            let dependencies = earlier.dependencies(step, about, &mut pairs, &mut found);
            relations.push(Relations { dependencies, touches: about.domains.clone() });
        }
        for (step, about) in phase {
            earlier.add(step, about);
            if is_looked_for(step, about) {
                about.rules.iter().for_each(|rule| earlier.rules_of_steps.insert(rule, step.id));
            }
        }
    }
    relations
}

/// The relations of a step of a loaded plan: those that it states, and those that follow from its
/// steps. It may state fewer, since earlier versions found fewer.
///
/// # Errors
///
/// Returns the reason why it cannot be what it states, as a lower-case phrase.
pub(crate) fn joined(
    said: Relations,
    found: Relations,
    is_earlier: impl Fn(usize) -> bool,
) -> Result<Relations, String> {
    if !said.dependencies.steps.iter().all(|step| is_earlier(*step)) {
        return Err("it waits for a step that is not earlier".to_owned());
    }
    let touches = said.touches.union(&found.touches).copied().collect();
    Ok(Relations { dependencies: said.dependencies.join(found.dependencies), touches })
}

/// The steps of earlier phases, indexed by what relates a later step to them.
#[derive(Debug, Default)]
struct Earlier<'a> {
    /// By policy: the steps about the policy itself.
    heads: BTreeMap<&'a PolicyTarget, Vec<usize>>,
    /// By policy: the steps about the policy or its rules.
    policies: BTreeMap<&'a PolicyTarget, Vec<usize>>,
    rules: BTreeMap<(&'a PolicyTarget, &'a str), Vec<usize>>,
    /// By name: the steps that give up the name.
    names: BTreeMap<&'a str, Vec<usize>>,
    /// The rules of steps, to find those that share a request.
    rules_of_steps: RuleIndex,
    /// By domain: the steps that may change any answer.
    domains: BTreeMap<Domain, Vec<usize>>,
    /// By domain: the steps that change something.
    spoken: BTreeMap<Domain, Vec<usize>>,
    /// By domain: the steps by which an audience gets rules.
    governing: BTreeMap<Domain, Vec<usize>>,
}

impl<'a> Earlier<'a> {
    /// The earlier steps that a step depends on; `pairs` counts what was found, and `found` has the
    /// steps with which each rule shares a request: very many rules repeat the same resources.
    fn dependencies(
        &self,
        step: &'a Step,
        about: &About<'a>,
        pairs: &mut usize,
        found: &mut HashMap<(&'a [Action], &'a Resources), BTreeSet<usize>, RandomState>,
    ) -> Dependencies {
        let objects: BTreeSet<usize> =
            self.about_objects(&step.change).flatten().copied().collect();
        let mut requests = BTreeSet::new();
        for list in self.about_domains(about) {
            // One more than the limit is enough to see that there are too many.
            requests.extend(list.get(..=MOST).unwrap_or(list));
        }
        for rule in &about.rules {
            if *pairs <= MOST_PAIRS && !self.rules_of_steps.is_empty() {
                let key = (rule.actions.as_slice(), &rule.resources);
                let found = found.entry(key).or_insert_with(|| {
                    let mut found = BTreeSet::new();
                    self.rules_of_steps.find(rule, MOST, &mut found);
                    found
                });
                let left = (MOST + 1).saturating_sub(requests.len());
                let more: Vec<usize> = found.difference(&requests).take(left).copied().collect();
                requests.extend(more);
            }
        }
        *pairs += requests.len();
        if requests.len() > MOST || *pairs > MOST_PAIRS {
            return Dependencies { steps: objects, beyond: Some(Beyond::SameDomains) };
        }
        Dependencies::on(objects.into_iter().chain(requests))
    }

    /// Steps about the same policy or rule, or about a name that this step takes.
    fn about_objects(&self, change: &'a Change) -> impl Iterator<Item = &Vec<usize>> {
        let policy = change.policy();
        let of_policy = match change.object() {
            Object::Policy => self.policies.get(policy),
            Object::Rule => self.heads.get(policy),
        };
        let (before, after) = change.rule_sides();
        let of_rule = [before, after].map(|rule| self.rules.get(&(policy, rule?.name.as_str())));
        let of_name = change.taken_name().and_then(|name| self.names.get(name));
        of_policy.into_iter().chain(of_rule.into_iter().flatten()).chain(of_name)
    }

    /// Steps that may share any request of a domain: both steps touch the domain.
    fn about_domains(&self, about: &About<'_>) -> impl Iterator<Item = &Vec<usize>> {
        about.domains.iter().flat_map(move |domain| {
            let all = self.domains.get(domain);
            let spoken = self.spoken.get(domain).filter(|_| about.anything);
            let governing = self.governing.get(domain).filter(|_| about.governs_less);
            [all, spoken, governing].into_iter().flatten()
        })
    }

    fn add(&mut self, step: &'a Step, about: &About<'_>) {
        let (id, change) = (step.id, &step.change);
        let policy = change.policy();
        if change.object() == Object::Policy {
            self.heads.entry(policy).or_default().push(id);
        }
        if let Some(rule) = change.rule_name() {
            self.rules.entry((policy, rule)).or_default().push(id);
        }
        self.policies.entry(policy).or_default().push(id);
        if let Some(name) = change.freed_name() {
            self.names.entry(name).or_default().push(id);
        }
        for domain in &about.domains {
            if about.anything {
                self.domains.entry(*domain).or_default().push(id);
            }
            self.spoken.entry(*domain).or_default().push(id);
            if about.governs_more {
                self.governing.entry(*domain).or_default().push(id);
            }
        }
    }
}

/// The effects of one step.
#[derive(Debug, Default)]
struct About<'a> {
    /// The rules that it adds, removes, or puts in force for other audiences.
    rules: Vec<&'a Rule>,
    domains: BTreeSet<Domain>,
    /// True if it may change the answer to any request of its domains.
    anything: bool,
    /// True if an audience may get rules by it.
    governs_more: bool,
    /// True if an audience may lose its last rules by it.
    governs_less: bool,
}

/// The domains of a rule: every domain for a rule that only a later version understands.
#[must_use]
pub fn domains(rule: &Rule) -> BTreeSet<Domain> {
    match rule.domain() {
        Some(domain) => BTreeSet::from([domain]),
        None => BTreeSet::from([Domain::Network, Domain::Filesystem, Domain::Mcp]),
    }
}

impl<'a> About<'a> {
    fn new(change: &'a Change, contents: &Contents<'a>) -> Self {
        let mut about = Self { rules: contents.rules(change), ..Self::default() };
        for rule in &about.rules {
            about.domains.extend(domains(rule));
            about.anything |= rule.domain().is_none();
        }
        let cedar = |head: &super::PolicyFields| head.cedar.is_some();
        let (is_cedar, governs_more, governs_less) = match change {
            Change::Policy { delta: Delta::Create { after }, .. } => (cedar(after), true, false),
            Change::Policy { delta: Delta::Update { after, .. }, .. } => {
                let more = !only_renames(change);
                (more && cedar(after), more, more)
            }
            Change::Policy { delta: Delta::Delete { before }, .. } => {
                (matches!(before.body, Body::Cedar(_)), false, true)
            }
            Change::Rule { delta: Delta::Create { .. }, .. } => (false, true, false),
            Change::Rule { delta: Delta::Update { before, after }, .. } => {
                let moves = before.domain() != after.domain();
                (false, moves, moves)
            }
            Change::Rule { policy, delta: Delta::Delete { .. }, .. } => {
                (false, false, contents.is_emptied(policy))
            }
        };
        if is_cedar {
            about.domains.insert(Domain::Mcp);
            about.anything = true;
        }
        Self { governs_more, governs_less, ..about }
    }
}

fn only_renames(change: &Change) -> bool {
    change.changed().iter().all(|field| *field == "name")
}

/// The rules of the policies that a plan touches, as they were and as its steps make them.
struct Contents<'a> {
    rules: BTreeMap<&'a PolicyTarget, Vec<&'a Rule>>,
    /// The live rules.
    live: BTreeMap<PolicyTarget, Vec<&'a Rule>>,
    /// Live rules without those that steps delete.
    left: BTreeMap<PolicyTarget, usize>,
}

impl<'a> Contents<'a> {
    fn new(steps: &'a [Step], touched: &'a [LivePolicy]) -> Self {
        let mut contents =
            Self { rules: BTreeMap::new(), live: BTreeMap::new(), left: BTreeMap::new() };
        for policy in touched {
            let target = PolicyTarget::Existing(policy.id.clone());
            let rules: Vec<&Rule> = policy.rules().iter().map(|live| &live.rule).collect();
            contents.left.insert(target.clone(), rules.len());
            contents.live.insert(target, rules);
        }
        for step in steps {
            let Change::Rule { policy, target, delta } = &step.change else { continue };
            match delta {
                Delta::Create { after } | Delta::Update { after, .. } => {
                    contents.rules.entry(policy).or_default().push(after);
                }
                Delta::Delete { .. } => {
                    let left = contents.left.entry(policy.clone()).or_default();
                    *left = left.saturating_sub(usize::from(target.existing().is_some()));
                }
            }
        }
        contents
    }

    fn is_emptied(&self, policy: &PolicyTarget) -> bool {
        self.left.get(policy).is_none_or(|left| *left == 0)
    }

    /// The rules that a change adds, removes, or puts in force for other audiences.
    fn rules(&self, change: &'a Change) -> Vec<&'a Rule> {
        if change.op() == Op::Update && only_renames(change) {
            return Vec::new();
        }
        match change {
            Change::Policy { delta: Delta::Create { .. }, .. } => Vec::new(),
            Change::Policy { target, delta: Delta::Update { .. } } => {
                let all = [self.live.get(target), self.rules.get(target)];
                all.into_iter().flatten().flatten().copied().collect()
            }
            Change::Policy { delta: Delta::Delete { before }, .. } => {
                before.rules().iter().collect()
            }
            Change::Rule { .. } => {
                let (before, after) = change.rule_sides();
                before.into_iter().chain(after).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Action, Decision, Desired, DesiredPolicy, DesiredRule, Origin, Policy, Resources, Scope,
    };
    use crate::plan::Plan;
    use crate::plan::dependencies::Undone;
    use crate::plan::docker::Difference;

    /// Policies of one rule each: the name, and what it allows.
    fn desired(policies: &[(String, String)]) -> Desired {
        let origin = Origin { file: "policies.yaml".to_owned(), line: 1, column: 1 };
        let policy = |(name, host): &(String, String)| {
            let resources = Resources::Plain(vec![host.clone()].into());
            let rule = Rule {
                name: "r".to_owned(),
                decision: Decision::Allow,
                actions: vec![Action::ConnectTcp],
                resources,
            };
            let body = Body::Allowlist(vec![rule]);
            DesiredPolicy {
                policy: Policy { name: name.clone(), scope: Scope::Organization, body },
                domain: Domain::Network,
                previously: Vec::new(),
                orgs: Vec::new(),
                origin: origin.clone(),
                rules: vec![DesiredRule { previously: Vec::new(), origin: origin.clone() }],
            }
        };
        Desired { policies: policies.iter().map(policy).collect(), ..Desired::default() }
    }

    /// The plan from nothing to these policies, or from some of them to others.
    fn plan(before: &[(String, String)], after: &[(String, String)]) -> Plan {
        let target =
            super::super::Target { org: "org".to_owned(), endpoint: "embedded".to_owned() };
        let ownership = crate::model::Ownership { exclusive: true, ..Default::default() };
        let guards = crate::model::Guards::default();
        let nothing = crate::model::Live { org: "org".to_owned(), ..crate::model::Live::default() };
        let make = |desired: &Desired, live: &crate::model::Live| {
            let (target, ownership) = (&target, &ownership);
            let docker = Some(super::super::Input { target, desired, live, ownership });
            crate::plan::make(crate::plan::Input { docker, ..crate::plan::Input::new(&guards) })
                .unwrap()
        };
        let made = make(&desired(before), &nothing);
        let live = crate::plan::docker::simulate::simulate(
            &nothing,
            made.docker_steps().iter().map(|step| &step.change),
        );
        make(&desired(after), &live)
    }

    fn named(names: &[(&str, &str)]) -> Vec<(String, String)> {
        names.iter().map(|(name, host)| ((*name).to_owned(), (*host).to_owned())).collect()
    }

    /// The steps that are skipped when the step of this policy and object fails, by policy.
    fn held(plan: &Plan, policy: &str, object: Object) -> Vec<String> {
        let missing = plan
            .docker_steps()
            .iter()
            .find(|step| step.policy == policy && step.change.object() == object)
            .unwrap();
        let mut undone = Undone::default();
        undone.add(missing.id, missing.touches.iter().copied());
        let mut held = Vec::new();
        for step in plan.docker_steps().iter().filter(|step| step.phase > missing.phase) {
            if step.dependencies.first_of(&undone, &step.touches).is_some() {
                undone.add(step.id, step.touches.iter().copied());
                held.push(step.policy.clone());
            }
        }
        held
    }

    #[test]
    fn a_missing_step_holds_back_what_counts_on_it_and_nothing_else() {
        let plan_of =
            |before: &[(&str, &str)], after: &[(&str, &str)]| plan(&named(before), &named(after));
        // The rule of a policy that was not created is skipped; a rule of another policy is not.
        let two = plan_of(&[], &[("a", "a.example.com"), ("b", "b.example.com")]);
        assert_eq!(held(&two, "a", Object::Policy), ["a"]);
        assert_eq!(held(&two, "a", Object::Rule), [""; 0]);
        // The last policy of a domain stays until another one exists, whatever its rules are.
        let replaced = plan_of(&[("old", "a.example.com")], &[("new", "b.example.com")]);
        assert_eq!(held(&replaced, "new", Object::Policy), ["new", "old"]);
        assert_eq!(held(&replaced, "new", Object::Rule), ["old"]);
        let network = BTreeSet::from([Domain::Network]);
        let touches: Vec<&BTreeSet<Domain>> =
            replaced.docker_steps().iter().map(|step| &step.touches).collect();
        assert_eq!(touches, [&BTreeSet::new(), &network, &network]);
    }

    #[test]
    fn a_step_has_the_relations_that_a_plan_states_and_those_that_are_found() {
        let (network, mcp) = (BTreeSet::from([Domain::Network]), BTreeSet::from([Domain::Mcp]));
        let related = |steps: &[usize], touches: &BTreeSet<Domain>| Relations {
            dependencies: Dependencies::on(steps.iter().copied()),
            touches: touches.clone(),
        };
        let found = related(&[1], &network);
        let table = [
            (Relations::default(), Ok(found.clone())),
            (found.clone(), Ok(found.clone())),
            (related(&[1, 2], &network), Ok(related(&[1, 2], &network))),
            (related(&[2], &BTreeSet::new()), Ok(related(&[1, 2], &network))),
            (related(&[], &mcp), Ok(related(&[1], &network.union(&mcp).copied().collect()))),
            (related(&[1, 9], &network), Err("it waits for a step that is not earlier".to_owned())),
        ];
        for (said, expected) in table {
            assert_eq!(joined(said.clone(), found.clone(), |step| step <= 2), expected, "{said:?}");
        }
    }

    #[test]
    fn the_cost_is_that_of_the_plan_not_of_its_square() {
        // Each name may have an address in each block.
        let target = |number: usize| match number % 2 {
            0 => format!("h{number}.example.com"),
            _ => format!("10.{}.{}.0/24", number / 256, number % 256),
        };
        let many = |decision: Decision| -> Vec<Rule> {
            let rule = |number: usize| Rule {
                name: format!("r{number}"),
                decision,
                actions: vec![Action::ConnectTcp],
                resources: Resources::Plain(vec![target(number)].into()),
            };
            (0..600).map(rule).collect()
        };
        let step = |(id, (phase, after)): (usize, (usize, Rule))| {
            let change = Change::create_rule(PolicyTarget::Planned("p".to_owned()), after);
            Step::new(
                Difference { id, policy: "p".to_owned(), change, source: None, because: None },
                phase,
            )
        };
        let rules = many(Decision::Deny).into_iter().map(|rule| (1, rule));
        let rules = rules.chain(many(Decision::Allow).into_iter().map(|rule| (2, rule)));
        let steps: Vec<Step> = (1..).zip(rules).map(step).collect();
        // 600 steps with 300 dependencies or more each, and each of them depends on the rule of its
        // own name.
        let relations = relations(&steps, &[]);
        assert!(relations[..600].iter().all(|one| one.dependencies == Dependencies::default()));
        for (own, one) in (1..).zip(&relations[600..]) {
            let beyond = Some(Beyond::SameDomains);
            assert_eq!(one.dependencies, Dependencies { beyond, ..Dependencies::on([own]) });
        }
    }
}
