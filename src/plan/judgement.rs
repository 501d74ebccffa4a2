//! The judgement of a plan by its guards: when it is made, and again before it is applied.
//!
//! Invariant: a further judgement refuses more, never less.

use std::collections::BTreeSet;

use super::docker::simulate;
use super::guard::{self, Guard, Judged, Verdict};
use super::safe_order::{Refusal, verify};
use super::saved::Service;
use super::vijil::{self, VijilError, VijilPlan};
use super::{GuardsFrom, Plan, Unmanaged, compare, flips};
use crate::evidence::replay::Replay;
use crate::model::{Guards, Live, LiveVijil, Test};

impl Plan {
    /// Adds the Vijil side, which the guards judge too. Returns every part of the documents that is impossible.
    pub(super) fn add_vijil(&mut self, input: vijil::Input<'_>, guards: &Guards) -> Vec<VijilError> {
        let last = self.steps.last().map_or((0, 0), |step| (step.id, step.phase));
        let vijil::diff::Made { plan: vijil, errors, warnings } = vijil::diff::made(input, last.0, last.1);
        self.warnings.extend(warnings);
        judge_vijil(&mut self.guards, guards, input.live, &vijil);
        let left = vijil.unmanaged.iter().map(|policy| Unmanaged { service: Service::Vijil, policy: policy.clone() });
        self.unmanaged.extend(left);
        self.vijil = Some(vijil);
        errors
    }

    /// The plan with its guards judged again on the current live state. A guard that refused it before still refuses
    /// it. The order of the steps is verified, since the plan may come from a file.
    #[must_use]
    pub fn judged_again(mut self, live: Option<&Live>, vijil: Option<&LiveVijil>) -> Self {
        let mut verdicts = self.verdicts(&self.guard_settings, live, vijil);
        for verdict in &mut verdicts {
            match self.guards.iter().find(|before| before.guard == verdict.guard) {
                Some(before) if verdict.ok && !before.ok => *verdict = before.clone(),
                Some(_) => {}
                None => (verdict.ok, verdict.message) = (false, "the plan does not say".to_owned()),
            }
        }
        self.guards = verdicts;
        let unsafe_order = live.and_then(|live| verify::verify(live, &self.steps)).map(|refusal| match refusal {
            Refusal::Opens(opened) => {
                format!("in the order of the steps, an intermediate state would have this open: {opened}")
            }
            Refusal::Incomplete(cut) => format!("it is not known whether the order of the steps is safe: {cut}"),
        });
        if let (Some(why), Some(true)) = (unsafe_order, self.passes(Guard::SafeOrder)) {
            self.refuse(Guard::SafeOrder, &why);
        }
        self
    }

    fn passes(&self, guard: Guard) -> Option<bool> {
        self.guards.iter().find(|verdict| verdict.guard == guard).map(|verdict| verdict.ok)
    }

    /// The plan with its guards also judged by other settings, on the current live state: it passes a guard only if it
    /// passes it under both.
    #[must_use]
    pub fn judged_also(
        mut self,
        guards: &Guards,
        from: &GuardsFrom,
        live: Option<&Live>,
        vijil: Option<&LiveVijil>,
    ) -> Self {
        for verdict in self.verdicts(guards, live, vijil).into_iter().filter(|verdict| !verdict.ok) {
            self.refuse(verdict.guard, &format!("{} (guards of `{}`)", verdict.message, from.from));
        }
        self.guards_from.get_or_insert_with(|| from.clone());
        self
    }

    /// The plan with the results of access tests, which one of the guards judges.
    pub(super) fn tested(mut self, guards: &Guards, live: &Live, tests: &[Test]) -> Self {
        let tested = flips::run(live, &self.steps, tests);
        judge_tests(&mut self.guards, guards, &tested);
        self.flips = tested.flips;
        // A plan without steps changes no result.
        if !self.steps.is_empty() {
            self.tests = tests.iter().map(flips::CarriedTest::from).collect();
        }
        self
    }

    /// The plan, also judged by the current access tests of the workspace, without those that the plan carries.
    #[must_use]
    pub fn tested_also(mut self, tests: &[Test], live: Option<&Live>) -> Self {
        let Some(live) = live else { return self };
        let tests = tests.iter().map(flips::CarriedTest::from);
        let more: Vec<_> = tests.filter(|test| !self.tests.iter().any(|own| own.is_same(test))).collect();
        if let Err(why) = flips::run_carried(live, &self.steps, &more).judge() {
            self.refuse(Guard::AccessTests, &format!("{why} (in the current workspace)"));
        }
        self
    }

    /// The plan with its effect on recorded requests, which one of the guards judges.
    pub(super) fn replayed(mut self, guards: &Guards, replay: Replay) -> Self {
        let (ok, message) = match guard::blocked_requests(guards, self.steps.is_empty(), Some(&replay)) {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        for verdict in self.guards.iter_mut().filter(|verdict| verdict.guard == Guard::BlockedRequests) {
            (verdict.ok, verdict.message) = (ok, message.clone());
        }
        self.recorded = Some(replay);
        self
    }

    /// The verdict of a guard that passes the plan because it lacks the data to judge it.
    #[must_use]
    pub fn unjudged(&self) -> Option<&Verdict> {
        let is_unjudged = !self.steps.is_empty()
            && self.guard_settings.blocked_requests.is_some()
            && !self.recorded.as_ref().is_some_and(guard::tells);
        let verdict = || self.guards.iter().find(|verdict| verdict.guard == Guard::BlockedRequests && verdict.ok);
        is_unjudged.then(verdict).flatten()
    }

    /// Makes a guard refuse the plan for a further reason.
    pub(super) fn refuse(&mut self, guard: Guard, why: &str) {
        for verdict in self.guards.iter_mut().filter(|verdict| verdict.guard == guard) {
            verdict.message = if verdict.ok { why.to_owned() } else { format!("{}; {why}", verdict.message) };
            verdict.ok = false;
        }
    }

    fn verdicts(&self, guards: &Guards, live: Option<&Live>, vijil: Option<&LiveVijil>) -> Vec<Verdict> {
        let nothing = Live::default();
        let live = live.unwrap_or(&nothing);
        let after = simulate::simulate(live, self.steps.iter().map(|step| &step.change));
        let access = compare(live, &self.steps);
        let left = self.unmanaged.iter().filter(|one| one.service == Service::Docker);
        let undeclared: Vec<String> = left.map(|one| one.policy.clone()).collect();
        let (steps, undeclared) = (self.steps.as_slice(), undeclared.as_slice());
        let recorded = self.recorded.as_ref();
        let judged = Judged { live, after: &after, steps, access: &access, order: None, undeclared, recorded };
        let mut verdicts = guard::judge(guards, &judged);
        judge_tests(&mut verdicts, guards, &flips::run_carried(live, steps, &self.tests));
        if let (Some(plan), Some(live)) = (&self.vijil, vijil) {
            judge_vijil(&mut verdicts, guards, live, plan);
        }
        verdicts
    }

    /// The guards that refuse the plan, without those that are lifted.
    pub fn refusals<'a>(&'a self, lifted: &'a BTreeSet<Guard>) -> impl Iterator<Item = &'a Verdict> {
        self.guards.iter().filter(|verdict| !verdict.ok && !lifted.contains(&verdict.guard))
    }
}

/// Sets the verdict of the access tests.
fn judge_tests(verdicts: &mut [Verdict], guards: &Guards, tested: &flips::Tested) {
    let judged = tested.judge();
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.guard == Guard::AccessTests) {
        match &judged {
            Err(why) if guards.access_tests => (verdict.ok, verdict.message) = (false, why.clone()),
            Ok(message) if tested.passing > 0 => verdict.message.clone_from(message),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Adds the Vijil side to the verdicts.
fn judge_vijil(verdicts: &mut [Verdict], guards: &Guards, live: &LiveVijil, plan: &VijilPlan) {
    let VijilPlan { steps, unmanaged, .. } = plan;
    let weakened = vijil::weakening::find(live, steps);
    for verdict in verdicts {
        let found = match verdict.guard {
            Guard::MaxDeletes => vijil::guard::max_deletes(guards, live, steps, &weakened),
            Guard::Protected => vijil::guard::protected(guards, live, steps, unmanaged, &weakened),
            Guard::DenyWidening => vijil::guard::deny_widening(guards, &weakened),
            Guard::AccessTests | Guard::BlockedRequests | Guard::SafeOrder | Guard::ServiceLimits => Ok(None),
        };
        let (ok, more) = match found {
            Ok(None) => continue,
            Ok(Some(more)) => (true, more),
            Err(more) => (false, more),
        };
        verdict.message = match (verdict.ok, ok) {
            (true, false) => more,
            (true, true) | (false, false) => format!("{}; {more}", verdict.message),
            (false, true) => continue,
        };
        verdict.ok &= ok;
    }
}
