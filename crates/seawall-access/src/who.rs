//! Everybody who may make a request: the audiences that are allowed, and the teams that reduce
//! their access.
//!
//! An organization has thousands of teams, but few scopes apply to a request. Teams in the same
//! scopes of the relevant policies form a class, and classes whose policies have the same effect
//! form a kind: kinds are judged alone and in pairs instead of teams.
//!
//! Invariants: an audience is listed exactly if its answer is more than that of every smaller one,
//! so that members of further teams have at least the listed access, unless one of these teams is
//! among the audience's exceptions. Each answer is that of `State::ask`. The order depends only on
//! the policies and the request.

use std::collections::{BTreeMap, BTreeSet};

use super::cedar::{self, Effect, McpRequest};
use super::compare::Audience;
use super::point::{Match, Role, Verdict};
use super::question::Question;
use super::request::Request;
use crate::answer::{APPROVAL_REASON, Answer};
use crate::model::{Decision, Scope, TeamDirectory};
use crate::state::State;

/// Access that an answer grants, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessLevel {
    /// It is denied.
    Deny,
    /// It may be allowed.
    Uncertain,
    /// It is allowed once a person approves, each time.
    Approval,
    /// It is allowed.
    Allow,
}

impl AccessLevel {
    /// `deny`, `uncertain`, `approval` or `allow`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Uncertain => "uncertain",
            Self::Approval => "approval",
            Self::Allow => "allow",
        }
    }
}

/// An audience that may make the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Members of these teams; empty for the whole organization.
    pub audience: Audience,
    /// Access that members have.
    pub level: AccessLevel,
    /// The answer, with its rules; for the first team of each kind.
    pub answer: Answer,
    /// Teams whose members have less access than the audience.
    pub unless: Vec<Unless>,
}

/// Teams whose members have less access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unless {
    /// The teams, by name, sorted.
    pub teams: Vec<String>,
    /// The remaining access.
    pub level: AccessLevel,
    /// The answer for a member of the first of them too.
    pub answer: Answer,
}

/// Everybody who may make the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Everybody {
    /// The whole organization first, then teams, then pairs of teams; each sorted by name.
    pub who: Vec<Who>,
    /// The answer for a member of no team.
    pub nobody: Answer,
    /// True if some combinations of two teams were not judged because there are too many kinds of
    /// them.
    pub incomplete: bool,
}

/// The number of points that are judged for pairs of kinds.
const MOST_WORK: usize = 1 << 20;

/// Estimated cost of one answer about an MCP call, in points.
const MCP_WORK: usize = 1 << 8;

/// Largest number of classes whose exceptions are listed one by one; beyond it, classes with equal
/// effects share one.
const CLASSES: usize = 64;

/// Effect of a policy on a request, independent of the policy's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// A rule matches a place of the question.
    Match(usize, usize, Match),
    /// MCP calls are governed: everything that nothing permits is denied.
    Governs,
    /// A statement matches, or may match.
    Statement { permits: Option<bool>, asks: bool, may: bool },
}

/// Equivalent teams.
#[derive(Clone, Debug)]
struct Class {
    /// Their ids, sorted by name.
    teams: Vec<String>,
    says: BTreeSet<Part>,
}

/// A request with its evaluation.
struct Asked<'a> {
    state: &'a State<'a>,
    request: &'a Request,
    question: Question,
    directory: &'a TeamDirectory,
}

impl Answer {
    /// Access that the answer grants.
    #[must_use]
    pub fn level(&self) -> AccessLevel {
        match self.verdict {
            Verdict::Uncertain if self.reason == APPROVAL_REASON => AccessLevel::Approval,
            verdict @ (Verdict::Allow | Verdict::Uncertain | Verdict::Deny) => verdict.into(),
        }
    }
}

impl From<Verdict> for AccessLevel {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow => Self::Allow,
            Verdict::Uncertain => Self::Uncertain,
            Verdict::Deny => Self::Deny,
        }
    }
}

impl State<'_> {
    /// The level of [`Self::ask`], without its explanation; `question` is that of the request.
    #[must_use]
    pub fn level(
        &self,
        question: &Question,
        teams: &BTreeSet<String>,
        request: &Request,
    ) -> AccessLevel {
        if matches!(request, Request::Mcp(_)) || !self.is_governed(question.domain()) {
            return self.ask(teams, request).level();
        }
        question.verdict(|group| self.governs(group, teams)).into()
    }

    /// Everybody who may make the request. `teams` gives the names of teams.
    #[must_use]
    pub fn who(&self, request: &Request, teams: &TeamDirectory) -> Everybody {
        let asked =
            Asked { state: self, request, question: self.question(request), directory: teams };
        let classes = asked.classes();
        let kinds = asked.kinds(&classes);
        let nobody = asked.answer(&[]);
        let least = nobody.level();
        let mut who = Vec::new();
        who.extend(asked.who(&[], &asked.unless(&[], least, &classes, &kinds)));
        let mut alone: Vec<(&Class, AccessLevel)> = Vec::new();
        for kind in &kinds {
            let level = asked.level(&[kind]);
            if level > least {
                let unless = asked.unless(&[kind], level, &classes, &kinds);
                // By class, since teams of one kind may have their access from different policies.
                let own = classes.iter().filter(|class| class.says == kind.says);
                who.extend(own.filter_map(|class| asked.who(&[class], &unless)));
            }
            alone.push((kind, level.max(least)));
        }
        who.sort_by(|one, other| one.audience.cmp(&other.audience));
        let opening: Vec<(&Class, AccessLevel)> =
            alone.into_iter().filter(|(kind, _)| kind.opens()).collect();
        let incomplete = asked.is_of_parts() && asked.work_of_pairs(opening.len()) > MOST_WORK;
        let mut pairs = Vec::new();
        if asked.is_of_parts() && !incomplete {
            for (at, (one, of_one)) in opening.iter().enumerate() {
                for (other, of_other) in opening.iter().skip(at + 1) {
                    let both = [*one, *other];
                    let level = asked.level(&both);
                    if level > (*of_one).max(*of_other) {
                        pairs.extend(
                            asked.who(&both, &asked.unless(&both, level, &classes, &kinds)),
                        );
                    }
                }
            }
        }
        pairs.sort_by(|one, other| one.audience.cmp(&other.audience));
        who.extend(pairs);
        Everybody { who, nobody, incomplete }
    }
}

impl Class {
    /// Returns `true` if it may give access to anybody.
    fn opens(&self) -> bool {
        self.says.iter().any(|part| match part {
            Part::Match(_, _, found) => found.decision == Decision::Allow,
            Part::Governs => false,
            Part::Statement { permits, .. } => *permits != Some(false),
        })
    }

    /// Returns `true` if it may take access from anybody.
    fn closes(&self) -> bool {
        self.says.iter().any(|part| match part {
            Part::Match(_, _, found) => {
                found.decision == Decision::Deny || found.role == Role::Cover
            }
            Part::Governs | Part::Statement { .. } => true,
        })
    }
}

impl Asked<'_> {
    /// The teams in scopes of relevant policies, by the name of the first of each class.
    fn classes(&self) -> Vec<Class> {
        let said = self.said();
        let mut policies: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, policy) in self.state.policies().iter().enumerate() {
            if let (Scope::Teams(teams), true) = (&policy.scope, said.contains_key(&at)) {
                teams.iter().for_each(|team| policies.entry(team).or_default().push(at));
            }
        }
        let mut alike: BTreeMap<Vec<usize>, Vec<String>> = BTreeMap::new();
        for (team, policies) in policies {
            alike.entry(policies).or_default().push(team.to_owned());
        }
        let class = |(policies, teams): (Vec<usize>, Vec<String>)| {
            let says =
                policies.iter().filter_map(|policy| said.get(policy)).flatten().copied().collect();
            self.class(teams, says)
        };
        self.by_name(alike.into_iter().map(class))
    }

    /// Merges classes with the same effects.
    fn kinds(&self, classes: &[Class]) -> Vec<Class> {
        let mut kinds: BTreeMap<&BTreeSet<Part>, Vec<String>> = BTreeMap::new();
        for Class { teams, says } in classes {
            kinds.entry(says).or_default().extend(teams.iter().cloned());
        }
        self.by_name(kinds.into_iter().map(|(says, teams)| self.class(teams, says.clone())))
    }

    fn class(&self, mut teams: Vec<String>, says: BTreeSet<Part>) -> Class {
        let name = |key: &String| (self.directory.name(key).to_owned(), key.clone());
        teams.sort_by_cached_key(name);
        Class { teams, says }
    }

    fn by_name(&self, classes: impl Iterator<Item = Class>) -> Vec<Class> {
        let mut classes: Vec<Class> = classes.collect();
        classes.sort_by_cached_key(|class| self.names(class));
        classes
    }

    fn names(&self, class: &Class) -> Vec<String> {
        class.teams.iter().map(|key| self.directory.name(key).to_owned()).collect()
    }

    /// The audience of members of one team from each of these; `None` if it may not make the
    /// request.
    fn who(&self, of: &[&Class], unless: &[Unless]) -> Option<Who> {
        let answer = self.answer(of);
        let level = answer.level();
        let mut sides: Vec<Vec<String>> = of.iter().map(|class| self.names(class)).collect();
        sides.sort();
        let alike = sides.iter().any(|names| names.len() > 1);
        let teams = sides.iter().filter_map(|names| names.first().cloned()).collect();
        let others = sides.into_iter().map(|names| names.into_iter().skip(1).collect());
        let audience = Audience { teams, alike: if alike { others.collect() } else { Vec::new() } };
        (level > AccessLevel::Deny).then(|| Who {
            audience,
            level,
            answer,
            unless: unless.to_vec(),
        })
    }

    /// Teams that reduce the access of an audience whose member joins them.
    fn unless(
        &self,
        of: &[&Class],
        level: AccessLevel,
        classes: &[Class],
        kinds: &[Class],
    ) -> Vec<Unless> {
        let less = kinds.iter().filter(|kind| kind.closes() && self.level(&with(of, kind)) < level);
        let less: BTreeSet<&BTreeSet<Part>> = less.map(|kind| &kind.says).collect();
        let each = if classes.len() <= CLASSES { classes } else { kinds };
        let told = each.iter().filter(|class| less.contains(&class.says)).map(|class| {
            let answer = self.answer(&with(of, class));
            Unless { teams: self.names(class), level: answer.level(), answer }
        });
        told.collect()
    }

    /// Effects of each policy on the request, by index; policies without an effect are absent.
    fn said(&self) -> BTreeMap<usize, BTreeSet<Part>> {
        let mut said: BTreeMap<usize, BTreeSet<Part>> = BTreeMap::new();
        if let Request::Mcp(request) = self.request {
            for at in self.state.mcp().indices() {
                said.insert(at, self.statements(at, request));
            }
        }
        for (part, place, found) in self.question.matches() {
            let Some((policy, _)) = self.state.rules().get(found.group) else { continue };
            // Rules that match alike count alike, whatever they are.
            said.entry(*policy).or_default().insert(Part::Match(part, place, found.of_any_group()));
        }
        said
    }

    fn statements(&self, policy: usize, request: &McpRequest) -> BTreeSet<Part> {
        let statement = |reason: cedar::Reason| Part::Statement {
            permits: reason.effect.map(|effect| effect == Effect::Permit),
            asks: reason.approval.is_some(),
            may: reason.doubt.is_some(),
        };
        self.state
            .mcp()
            .said_by(policy, request)
            .into_iter()
            .map(statement)
            .chain([Part::Governs])
            .collect()
    }

    /// Returns `true` if members of both teams may have access that neither team has alone, because
    /// each has a part of it.
    fn is_of_parts(&self) -> bool {
        matches!(self.request, Request::Mcp(_)) || self.question.points().nth(1).is_some()
    }

    /// Estimated cost of judging this many kinds in pairs, in points.
    fn work_of_pairs(&self, kinds: usize) -> usize {
        let each = if matches!(self.request, Request::Mcp(_)) {
            MCP_WORK
        } else {
            self.question.points().count()
        };
        kinds.saturating_mul(kinds).saturating_mul(each)
    }

    fn members(of: &[&Class]) -> BTreeSet<String> {
        of.iter().filter_map(|class| class.teams.first()).cloned().collect()
    }

    fn answer(&self, of: &[&Class]) -> Answer {
        self.state.ask(&Self::members(of), self.request)
    }

    /// The same as the level of [`Self::answer`], without its explanation.
    fn level(&self, of: &[&Class]) -> AccessLevel {
        self.state.level(&self.question, &Self::members(of), self.request)
    }
}

/// Members of one more team.
fn with<'a>(of: &[&'a Class], more: &'a Class) -> Vec<&'a Class> {
    of.iter().copied().chain([more]).collect()
}

#[cfg(test)]
mod tests;
