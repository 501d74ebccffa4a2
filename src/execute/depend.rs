//! Which steps a step that was not done holds back.
//!
//! Invariant: what runs although another step was not done opens nothing. A step is let through only if it shares no
//! request with that one, takes no name that it was to give up, and takes no audience's last policy of a domain away
//! while the step that was to give it another one is missing. The cost is that of the plan, not of its square.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Interactions, Universe};
use crate::model::{Body, Domain, Rule};
use crate::plan::Plan;
use crate::plan::shown;
use crate::plan::step::{Change, Object, PolicyTarget, RuleTarget, Step};

/// The steps that were not done, ready to be asked for.
#[derive(Debug)]
pub(super) struct Dependencies<'a> {
    plan: &'a Plan,
    /// What each step speaks of; made when a step was not done for the first time.
    about: Option<AboutPlan>,
    undone: Undone,
    /// Their ids.
    noted: BTreeSet<usize>,
    /// By step: rules of its policy that the plan did not see. Who counts on the step would count on theirs, too.
    unseen: BTreeMap<usize, Vec<Rule>>,
}

/// By what a later step can have to do with it: the first step that was not done.
#[derive(Debug, Default)]
struct Undone {
    /// About the policy itself.
    heads: BTreeMap<PolicyTarget, usize>,
    /// About anything of the policy.
    policies: BTreeMap<PolicyTarget, usize>,
    rules: BTreeMap<(PolicyTarget, String), usize>,
    /// Names of policies that were to be given up.
    names: BTreeMap<String, usize>,
    /// Requests whose answers were to change.
    points: BTreeMap<usize, usize>,
    /// Sides of crossings on which something was to change.
    sides: BTreeMap<Side, usize>,
    /// Domains in which anything may have been to change.
    domains: BTreeMap<Domain, usize>,
    /// Domains in which something was to change.
    spoken: BTreeMap<Domain, usize>,
    /// Domains in which somebody was to get rules.
    governing: BTreeMap<Domain, usize>,
}

impl<'a> Dependencies<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let (noted, unseen) = (BTreeSet::new(), BTreeMap::new());
        Self { plan, about: None, undone: Undone::default(), noted, unseen }
    }

    /// Takes note of a step that was not done, with the rules of its policy that the plan did not see.
    pub(super) fn add(&mut self, step: &Step, unseen: &[Rule]) {
        self.noted.insert(step.id);
        if unseen.is_empty() {
            let about = self.about.get_or_insert_with(|| AboutPlan::new(self.plan, &self.unseen));
            return self.undone.add(step, about.of(step));
        }
        self.unseen.insert(step.id, unseen.to_vec());
        let about = self.about.insert(AboutPlan::new(self.plan, &self.unseen));
        self.undone = Undone::default();
        for step in self.plan.steps.iter().filter(|step| self.noted.contains(&step.id)) {
            self.undone.add(step, about.of(step));
        }
    }

    /// The first step that was not done and that this one depends on.
    pub(super) fn held_back(&self, step: &Step) -> Option<usize> {
        let about = self.about.as_ref()?.of(step);
        let undone = &self.undone;
        let policy = own_policy(&step.change);
        let of_policy = policy.as_ref().and_then(|policy| match step.change.object() {
            Object::Policy => undone.policies.get(policy),
            Object::Rule => undone.heads.get(policy),
        });
        let of_rule = policy.zip(step.change.rule_name()).and_then(|(policy, rule)| {
            let own = undone.rules.get(&(policy.clone(), rule.to_owned()));
            let former = former_rule_name(&step.change).and_then(|name| undone.rules.get(&(policy, name.to_owned())));
            own.or(former)
        });
        let of_name = takes(&step.change).and_then(|name| undone.names.get(name));
        let of_points = about.points.iter().filter_map(|point| undone.points.get(point));
        let of_sides = about.sides.iter().filter_map(|side| undone.sides.get(&side.other()));
        let of_domains = about.domains.iter().flat_map(|domain| {
            let all = undone.domains.get(domain);
            let spoken = undone.spoken.get(domain).filter(|_| about.anything);
            let governing = undone.governing.get(domain).filter(|_| about.governs_less);
            [all, spoken, governing].into_iter().flatten()
        });
        of_policy
            .into_iter()
            .chain(of_rule)
            .chain(of_name)
            .chain(of_points)
            .chain(of_sides)
            .chain(of_domains)
            .min()
            .copied()
    }
}

impl Undone {
    fn add(&mut self, step: &Step, about: &About) {
        let id = step.id;
        if let Some(policy) = own_policy(&step.change) {
            if step.change.object() == Object::Policy {
                self.heads.entry(policy.clone()).or_insert(id);
            }
            if let Some(rule) = step.change.rule_name() {
                self.rules.entry((policy.clone(), rule.to_owned())).or_insert(id);
            }
            self.policies.entry(policy).or_insert(id);
        }
        if let Some(name) = gives_up(&step.change) {
            self.names.entry(name.to_owned()).or_insert(id);
        }
        for point in &about.points {
            self.points.entry(*point).or_insert(id);
        }
        for side in &about.sides {
            self.sides.entry(*side).or_insert(id);
        }
        for domain in &about.domains {
            if about.anything {
                self.domains.entry(*domain).or_insert(id);
            }
            self.spoken.entry(*domain).or_insert(id);
            if about.governs_more {
                self.governing.entry(*domain).or_insert(id);
            }
        }
    }
}

/// The policy that a step is about, also the one that it creates.
fn own_policy(change: &Change) -> Option<PolicyTarget> {
    match change {
        Change::CreatePolicy { after } => Some(PolicyTarget::Planned(after.name.clone())),
        Change::UpdatePolicy { .. }
        | Change::DeletePolicy { .. }
        | Change::CreateRule { .. }
        | Change::UpdateRule { .. }
        | Change::DeleteRule { .. } => change.policy().cloned(),
    }
}

fn former_rule_name(change: &Change) -> Option<&str> {
    match change {
        Change::UpdateRule { before, .. } => Some(&before.name),
        Change::CreatePolicy { .. }
        | Change::UpdatePolicy { .. }
        | Change::DeletePolicy { .. }
        | Change::CreateRule { .. }
        | Change::DeleteRule { .. } => None,
    }
}

fn gives_up(change: &Change) -> Option<&str> {
    match change {
        Change::UpdatePolicy { before, .. } => Some(&before.name),
        Change::DeletePolicy { before, .. } => Some(&before.name),
        Change::CreatePolicy { .. }
        | Change::CreateRule { .. }
        | Change::UpdateRule { .. }
        | Change::DeleteRule { .. } => None,
    }
}

fn takes(change: &Change) -> Option<&str> {
    match change {
        Change::CreatePolicy { after } | Change::UpdatePolicy { after, .. } => Some(&after.name),
        Change::DeletePolicy { .. }
        | Change::CreateRule { .. }
        | Change::UpdateRule { .. }
        | Change::DeleteRule { .. } => None,
    }
}

/// What the steps of a plan speak of.
#[derive(Debug)]
struct AboutPlan(BTreeMap<usize, About>);

/// What one step speaks of.
#[derive(Debug, Default)]
struct About {
    /// Requests that its rules match, as numbers.
    points: BTreeSet<usize>,
    sides: BTreeSet<Side>,
    domains: BTreeSet<Domain>,
    /// It may change the answer to any request of its domains.
    anything: bool,
    /// Somebody may get rules by it.
    governs_more: bool,
    /// Somebody may lose the last rules by it.
    governs_less: bool,
}

/// Names, or the addresses that they may have: who speaks of the one shares requests with all who speak of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Side {
    /// Which of [`Interactions::crossings`].
    crossing: usize,
    names: bool,
}

impl Side {
    fn other(self) -> Self {
        Self { names: !self.names, ..self }
    }
}

const DOMAINS: [Domain; 3] = [Domain::Network, Domain::Filesystem, Domain::Mcp];

impl AboutPlan {
    fn new(plan: &Plan, unseen: &BTreeMap<usize, Vec<Rule>>) -> Self {
        let contents = Contents::of(plan);
        let rules_of = |step: &Step| {
            let unseen = unseen.get(&step.id).into_iter().flatten().cloned();
            contents.rules(&step.change).into_iter().chain(unseen).collect()
        };
        let rules: BTreeMap<usize, Vec<Rule>> = plan.steps.iter().map(|step| (step.id, rules_of(step))).collect();
        let by_step = rules.iter().flat_map(|(id, rules)| rules.iter().map(|rule| (rule, *id)));
        // Where not all requests are known, each step may share one with every other step of its domain.
        let company = Universe::build(by_step).map(|universe| universe.company());
        let mut steps: BTreeMap<usize, About> = plan
            .steps
            .iter()
            .map(|step| {
                let rules = rules.get(&step.id).map_or(&[][..], Vec::as_slice);
                (step.id, About::new(&step.change, rules, &contents, company.is_ok()))
            })
            .collect();
        let Interactions { sets, crossings } = company.unwrap_or_default();
        for (number, set) in sets.iter().enumerate() {
            for group in set {
                if let Some(about) = steps.get_mut(group) {
                    about.points.insert(number);
                }
            }
        }
        for (crossing, (on_names, on_addresses)) in crossings.iter().enumerate() {
            for (names, groups) in [(true, on_names), (false, on_addresses)] {
                for group in groups {
                    if let Some(about) = steps.get_mut(group) {
                        about.sides.insert(Side { crossing, names });
                    }
                }
            }
        }
        Self(steps)
    }

    fn of(&self, step: &Step) -> &About {
        self.0.get(&step.id).expect("every step of the plan was looked at")
    }
}

impl About {
    fn new(change: &Change, rules: &[Rule], contents: &Contents, complete: bool) -> Self {
        let mut about = Self { anything: !complete, ..Self::default() };
        for rule in rules {
            match rule.domain() {
                Some(domain) => {
                    about.domains.insert(domain);
                }
                // What only a later version understands may be about anything.
                None => {
                    about.domains.extend(DOMAINS);
                    about.anything = true;
                }
            }
        }
        let cedar = |head: &crate::plan::step::Head| head.cedar.is_some();
        let is_cedar = match change {
            Change::CreatePolicy { after } => cedar(after),
            Change::UpdatePolicy { before, after, .. } => before != after && cedar(after) && !only_renames(change),
            Change::DeletePolicy { before, .. } => matches!(before.body, Body::Cedar(_)),
            Change::CreateRule { .. } | Change::UpdateRule { .. } | Change::DeleteRule { .. } => false,
        };
        if is_cedar {
            about.domains.insert(Domain::Mcp);
            about.anything = true;
        }
        let rescopes = matches!(change, Change::UpdatePolicy { .. }) && !only_renames(change);
        about.governs_more = match change {
            Change::CreatePolicy { .. } | Change::CreateRule { .. } => true,
            Change::UpdateRule { before, after, .. } => before.domain() != after.domain(),
            Change::UpdatePolicy { .. } => rescopes,
            Change::DeletePolicy { .. } | Change::DeleteRule { .. } => false,
        };
        about.governs_less = match change {
            Change::DeletePolicy { .. } => true,
            Change::DeleteRule { policy, .. } => contents.is_emptied(policy),
            Change::UpdateRule { before, after, .. } => before.domain() != after.domain(),
            Change::UpdatePolicy { .. } => rescopes,
            Change::CreatePolicy { .. } | Change::CreateRule { .. } => false,
        };
        about
    }
}

fn only_renames(change: &Change) -> bool {
    change.changed().iter().all(|field| *field == "name")
}

/// The rules of the policies that a plan touches, as they were and as its steps make them.
struct Contents {
    rules: BTreeMap<PolicyTarget, Vec<Rule>>,
    /// Live rules less those that steps delete.
    left: BTreeMap<PolicyTarget, usize>,
}

impl Contents {
    fn of(plan: &Plan) -> Self {
        let mut contents = Self { rules: BTreeMap::new(), left: BTreeMap::new() };
        for touched in &plan.live.touched {
            let target = PolicyTarget::Existing(crate::model::PolicyId(touched.id.clone()));
            let rules = touched.was.pointer("/body/rules").and_then(serde_json::Value::as_array);
            let rules: Vec<Rule> = rules
                .into_iter()
                .flatten()
                .filter_map(|live| serde_json::from_value::<shown::ShownRule>(live.get("rule")?.clone()).ok())
                .map(Rule::from)
                .collect();
            contents.left.insert(target.clone(), rules.len());
            contents.rules.insert(target, rules);
        }
        for step in &plan.steps {
            let Some(policy) = step.change.policy() else { continue };
            match &step.change {
                Change::CreateRule { after, .. } | Change::UpdateRule { after, .. } => {
                    contents.rules.entry(policy.clone()).or_default().push(after.clone());
                }
                Change::DeleteRule { rule: RuleTarget::Existing(_), .. } => {
                    let left = contents.left.entry(policy.clone()).or_default();
                    *left = left.saturating_sub(1);
                }
                Change::DeleteRule { rule: RuleTarget::Planned(_), .. }
                | Change::CreatePolicy { .. }
                | Change::UpdatePolicy { .. }
                | Change::DeletePolicy { .. } => {}
            }
        }
        contents
    }

    fn is_emptied(&self, policy: &PolicyTarget) -> bool {
        self.left.get(policy).is_none_or(|left| *left == 0)
    }

    /// The rules that a change puts in force, takes out of force, or makes govern others.
    fn rules(&self, change: &Change) -> Vec<Rule> {
        match change {
            Change::CreatePolicy { .. } => Vec::new(),
            Change::UpdatePolicy { .. } if only_renames(change) => Vec::new(),
            Change::UpdatePolicy { policy, .. } => self.rules.get(policy).cloned().unwrap_or_default(),
            Change::DeletePolicy { before, .. } => before.rules().to_vec(),
            Change::CreateRule { after, .. } => vec![after.clone()],
            Change::UpdateRule { .. } if only_renames(change) => Vec::new(),
            Change::UpdateRule { before, after, .. } => vec![before.clone(), after.clone()],
            Change::DeleteRule { before, .. } => vec![before.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Decision, Desired, DesiredPolicy, DesiredRule, Origin, Policy, Resources, Scope};

    /// Policies of one rule each: the name, and what it allows.
    fn desired(policies: &[(String, String)]) -> Desired {
        let origin = Origin { file: "policies.yaml".to_owned(), line: 1, column: 1 };
        let policy = |(name, host): &(String, String)| {
            let resources = Resources::Plain(vec![host.clone()]);
            let rule =
                Rule { name: "r".to_owned(), decision: Decision::Allow, actions: vec![Action::ConnectTcp], resources };
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
        let target = crate::plan::Target { org: "org".to_owned(), endpoint: "embedded".to_owned() };
        let ownership = crate::plan::diff::Ownership { exclusive: true, ..Default::default() };
        let guards = crate::document::Guards::default();
        let nothing = crate::model::Live { org: "org".to_owned(), ..crate::model::Live::default() };
        let make = |desired: &Desired, live: &crate::model::Live| {
            let (target, ownership) = (&target, &ownership);
            let docker = Some(crate::plan::DockerInput { target, desired, live, ownership });
            crate::plan::make(crate::plan::Input { docker, ..crate::plan::Input::new(&guards) }).unwrap()
        };
        let made = make(&desired(before), &nothing);
        let live = crate::plan::simulate::simulate(&nothing, made.steps.iter().map(|step| &step.change));
        make(&desired(after), &live)
    }

    fn named(names: &[(&str, &str)]) -> Vec<(String, String)> {
        names.iter().map(|(name, host)| ((*name).to_owned(), (*host).to_owned())).collect()
    }

    /// The steps that are held back when the step of this policy and verb is not done, as policies.
    fn held(plan: &Plan, policy: &str, object: Object) -> Vec<String> {
        let mut dependencies = Dependencies::new(plan);
        let missing = plan.steps.iter().find(|step| step.policy == policy && step.change.object() == object).unwrap();
        dependencies.add(missing, &[]);
        let mut held = Vec::new();
        for step in plan.steps.iter().filter(|step| step.id > missing.id) {
            if dependencies.held_back(step).is_some() {
                dependencies.add(step, &[]);
                held.push(step.policy.clone());
            }
        }
        held
    }

    #[test]
    fn a_missing_step_holds_back_what_counts_on_it_and_nothing_else() {
        let plan_of = |before: &[(&str, &str)], after: &[(&str, &str)]| plan(&named(before), &named(after));
        // The rule of a policy that was not made; not that of another.
        let two = plan_of(&[], &[("a", "a.example.com"), ("b", "b.example.com")]);
        assert_eq!(held(&two, "a", Object::Policy), ["a"]);
        assert_eq!(held(&two, "a", Object::Rule), [""; 0]);
        // The last policy of a domain stays until another one is there, whatever that one says.
        let replaced = plan_of(&[("old", "a.example.com")], &[("new", "b.example.com")]);
        assert_eq!(held(&replaced, "new", Object::Policy), ["new", "old"]);
        assert_eq!(held(&replaced, "new", Object::Rule), ["old"]);
    }

    #[test]
    fn asking_costs_as_much_as_the_plan_not_as_its_square() {
        // Each name may have an address in each block.
        let target = |number: usize| match number % 2 {
            0 => format!("h{number}.example.com"),
            _ => format!("10.{}.{}.0/24", number / 256, number % 256),
        };
        let many: Vec<(String, String)> = (0..1_500).map(|number| (format!("p{number}"), target(number))).collect();
        let plan = plan(&[], &many);
        let mut dependencies = Dependencies::new(&plan);
        let policies = plan.steps.iter().filter(|step| step.change.object() == Object::Policy);
        policies.for_each(|step| dependencies.add(step, &[]));
        // 1,500 missing steps times 1,500 that may wait for them: pair by pair this would take minutes.
        let rules = plan.steps.iter().filter(|step| step.change.object() == Object::Rule);
        assert_eq!(rules.filter(|step| dependencies.held_back(step).is_some()).count(), 1_500);
    }
}
