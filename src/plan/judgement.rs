//! The judgement of a plan by its guards: when it is made, and again before it is applied.
//!
//! Invariant: a further judgement refuses more, never less.

use std::collections::BTreeSet;

use super::docker::simulate;
use super::flips::{self, Tested};
use super::guard::{self, Guard, Judged, JudgedVijil, Verdict};
use super::meaning::Meaning;
use super::safe_order::{Refusal, verify};
use super::{GuardsFrom, Plan, bare_meaning_of};
use crate::model::{Guards, Live, LiveVijil, Test};

/// The facts that guards judge beside the plan itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis<'a> {
    /// The organization before.
    pub(super) live: &'a Live,
    /// The organization after all steps.
    pub(super) after: &'a Live,
    /// The effect of the steps on access.
    pub(super) access: &'a Meaning,
    /// The reason why the order of the steps is not safe, or not known to be safe.
    pub(super) order: Option<&'a Refusal>,
    /// The results of access tests.
    pub(super) tested: &'a Tested,
    /// The team of Vijil before.
    pub(super) vijil: Option<&'a LiveVijil>,
}

impl Plan {
    /// The plan with its guards judged again on the current live state. A guard that refused it
    /// before still refuses it. The order of the steps is verified, since the plan may come from a
    /// file.
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
        let order = live.and_then(|live| verify::verify(live, self.docker_steps()));
        let unsafe_order = order.map(|refusal| match refusal {
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

    /// The plan with its guards also judged by other settings, on the current live state: it passes
    /// a guard only if it passes it under both.
    #[must_use]
    pub fn judged_also(
        mut self,
        guards: &Guards,
        from: &GuardsFrom,
        live: Option<&Live>,
        vijil: Option<&LiveVijil>,
    ) -> Self {
        for verdict in self.verdicts(guards, live, vijil).into_iter().filter(|verdict| !verdict.ok)
        {
            self.refuse(verdict.guard, &format!("{} (guards of `{}`)", verdict.message, from.from));
        }
        self.guards_from.get_or_insert_with(|| from.clone());
        self
    }

    /// The plan, also judged by the current access tests of the workspace, without those that the
    /// plan carries.
    #[must_use]
    pub fn tested_also(mut self, tests: &[Test], live: Option<&Live>) -> Self {
        let (Some(docker), Some(live)) = (&self.docker, live) else { return self };
        let tests = tests.iter().map(flips::CarriedTest::from);
        let more: Vec<_> =
            tests.filter(|test| !docker.tests.iter().any(|own| own.is_same(test))).collect();
        if let Err(why) = flips::run_carried(live, &docker.steps, &more).judge() {
            self.refuse(Guard::AccessTests, &format!("{why} (in the current workspace)"));
        }
        self
    }

    /// The verdict of a guard that passes the plan because it lacks the data to judge it.
    #[must_use]
    pub fn unjudged(&self) -> Option<&Verdict> {
        let docker = self.docker.as_ref().filter(|docker| !docker.steps.is_empty())?;
        let is_unjudged = self.guard_settings.blocked_requests.is_some()
            && !docker.recorded.as_ref().is_some_and(guard::tells);
        let verdict = || {
            self.guards.iter().find(|verdict| verdict.guard == Guard::BlockedRequests && verdict.ok)
        };
        is_unjudged.then(verdict).flatten()
    }

    /// Makes a guard refuse the plan for a further reason.
    pub(super) fn refuse(&mut self, guard: Guard, why: &str) {
        for verdict in self.guards.iter_mut().filter(|verdict| verdict.guard == guard) {
            *verdict =
                verdict.clone().beside(Verdict { guard, ok: false, message: why.to_owned() });
        }
    }

    /// The verdicts of all guards on the current live state.
    fn verdicts(
        &self,
        guards: &Guards,
        live: Option<&Live>,
        vijil: Option<&LiveVijil>,
    ) -> Vec<Verdict> {
        let nothing = Live::default();
        let live = live.unwrap_or(&nothing);
        let steps = self.docker_steps();
        let tests = self.docker.as_ref().map_or(&[][..], |docker| &docker.tests);
        let after = simulate::simulate(live, steps.iter().map(|step| &step.change));
        let access = bare_meaning_of(live, &after, steps.is_empty());
        let tested = flips::run_carried(live, steps, tests);
        self.judged(
            guards,
            &Basis { live, after: &after, access: &access, order: None, tested: &tested, vijil },
        )
    }

    /// The verdicts of all guards.
    pub(super) fn judged(&self, guards: &Guards, basis: &Basis<'_>) -> Vec<Verdict> {
        let Basis { live, after, access, order, tested, vijil } = *basis;
        let vijil = self.vijil.as_ref().zip(vijil).map(|(plan, live)| JudgedVijil { live, plan });
        let (steps, docker) = (self.docker_steps(), self.docker.as_ref());
        let undeclared = docker.map_or(&[][..], |docker| &docker.left_alone);
        let recorded = docker.and_then(|docker| docker.recorded.as_ref());
        guard::judge(
            guards,
            &Judged { live, after, steps, access, order, undeclared, tested, recorded, vijil },
        )
    }

    /// The guards that refuse the plan, without those that are lifted.
    pub fn refusals<'a>(
        &'a self,
        lifted: &'a BTreeSet<Guard>,
    ) -> impl Iterator<Item = &'a Verdict> {
        self.guards.iter().filter(|verdict| !verdict.ok && !lifted.contains(&verdict.guard))
    }
}
