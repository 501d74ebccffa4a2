//! The steps of both services in one list.

use std::collections::BTreeSet;

use super::Plan;
use super::dependencies::Dependencies;
use super::step::{Object, Op};
use super::{docker, vijil};
use crate::model::Domain;

/// A step about either service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AnyStep<'a> {
    /// A step about Docker.
    Docker(&'a docker::Step),
    /// A step about Vijil.
    Vijil(&'a vijil::Step),
}

impl<'a> AnyStep<'a> {
    /// The number of the step, from 1, in the order of the plan.
    #[must_use]
    pub fn id(self) -> usize {
        match self {
            Self::Docker(step) => step.id,
            Self::Vijil(step) => step.id,
        }
    }

    /// See [`super::step::Step::phase`].
    #[must_use]
    pub fn phase(self) -> usize {
        match self {
            Self::Docker(step) => step.phase,
            Self::Vijil(step) => step.phase,
        }
    }

    /// See [`super::step::Step::dependencies`].
    #[must_use]
    pub fn dependencies(self) -> &'a Dependencies {
        match self {
            Self::Docker(step) => &step.dependencies,
            Self::Vijil(step) => &step.dependencies,
        }
    }

    /// See [`super::step::Step::touches`].
    #[must_use]
    pub fn touches(self) -> &'a BTreeSet<Domain> {
        match self {
            Self::Docker(step) => &step.touches,
            Self::Vijil(step) => &step.touches,
        }
    }

    /// The operation.
    #[must_use]
    pub fn op(self) -> Op {
        match self {
            Self::Docker(step) => step.change.op(),
            Self::Vijil(step) => step.change.op(),
        }
    }

    /// The policy's name: the declared one, or the live one if no document declares the policy.
    #[must_use]
    pub fn policy(self) -> &'a str {
        match self {
            Self::Docker(step) => &step.difference.policy,
            Self::Vijil(step) => &step.difference.policy,
        }
    }

    /// The name of the rule, if the step is about one.
    #[must_use]
    pub fn rule(self) -> Option<&'a str> {
        match self {
            Self::Docker(step) => step.difference.change.rule_name(),
            Self::Vijil(step) => step.difference.change.rule_name(),
        }
    }

    /// The step, if it is about Docker.
    #[must_use]
    pub fn docker(self) -> Option<&'a docker::Step> {
        match self {
            Self::Docker(step) => Some(step),
            Self::Vijil(_) => None,
        }
    }
}

impl Plan {
    /// The operations of the steps, with the kinds of objects.
    pub fn operations(&self) -> impl Iterator<Item = (Op, Object)> {
        let docker = self.docker_steps().iter().map(|step| step.change.operation());
        docker.chain(self.vijil_steps().iter().map(|step| step.change.operation()))
    }

    /// The steps about both services, in order.
    pub fn all_steps(&self) -> impl Iterator<Item = AnyStep<'_>> + Clone {
        let docker = self.docker_steps().iter().map(AnyStep::Docker);
        docker.chain(self.vijil_steps().iter().map(AnyStep::Vijil))
    }
}
