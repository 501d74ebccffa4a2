//! The differences, as calls with their stages.
//!
//! Every stage is over before the next one begins:
//!
//! 0. policies are created
//! 1. policies are renamed and edited; those that cannot stay active while their rules change
//!    become drafts
//! 2. rules are deleted, edited and created; in a policy that stays active, one rule at a time,
//!    each approved at once
//! 3. other rules are approved and rejected
//! 4. policies are activated
//! 5. policies that could stay active until then are deactivated; rules and policies without a
//!    replacement are deleted
//!
//! A policy that is active before and after a change stays active while its rules are edited.
//! Otherwise its prohibitions would be off for that time, and stay off if the run failed in
//! between. The merge approves the edited text, so that each edit of a rule is followed by its
//! approval, with no other call about the same policy in between.

use serde_json::Value;

use super::change::changed;
use super::{
    Change, Difference, Meaning, Plan, Record, RuleTarget, Step, Subject, Target, dependencies,
    renames,
};
use crate::diagnostic::list;
use crate::model::{
    DesiredVijilPolicy, DesiredVijilRule, EditActive, Fields, LiveVijil, LiveVijilPolicy,
    LiveVijilRule, Origin, Review, VIJIL_POLICY_FIELDS, VIJIL_RULE_FIELDS, merged,
};
use crate::plan::step::{Delta, Op, Reason, numbered};
use crate::plan::warning::{Code, Warning};

/// The input of the Vijil side of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The target of the calls.
    pub target: &'a Target,
    /// The state that the documents ask for.
    pub desired: &'a [DesiredVijilPolicy],
    /// The answer of the service.
    pub live: &'a LiveVijil,
    /// True if undeclared policies are deleted (`exclusive` ownership).
    pub exclusive: bool,
    /// The way in which rules of an active policy are edited.
    pub edit_active: EditActive,
    /// Notes for approvals without notes of their own.
    pub notes: &'a str,
}

/// The position of a step: a stage, and an index in it. Steps of one position may run at the same
/// time.
type Stage = (usize, usize);

/// Live rules and policies without a replacement are deleted.
const LAST: Stage = (5, 0);

/// A part of the documents that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}:{}: {message}", at.file, at.line, at.column)]
pub struct Error {
    /// The place of the declaration.
    pub at: Origin,
    /// The reason why it cannot be carried out.
    pub message: String,
    /// The advice, in the imperative.
    pub hint: String,
}

/// The differences by object, with the decisions about rules, and the parts of the documents that
/// cannot be carried out, which are among the differences too.
#[must_use]
pub fn differences(input: Input<'_>) -> (Vec<Difference>, Vec<Error>) {
    let Staged { staged, left_alone: _, errors, warnings: _ } = Staged::new(input);
    (numbered(staged.into_iter().map(|(_, difference)| difference), 1).collect(), errors)
}

/// The Vijil side of a plan.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) plan: Plan,
    /// The parts of the documents that cannot be carried out.
    pub(crate) errors: Vec<Error>,
    pub(crate) warnings: Vec<Warning>,
}

/// Makes the Vijil side of a plan; ids and phases of its steps continue after these.
pub(crate) fn made(input: Input<'_>, last_id: usize, last_phase: usize) -> Made {
    let Staged { staged, left_alone, errors, warnings } = Staged::new(input);
    let (stages, differences): (Vec<Stage>, Vec<Difference>) = staged.into_iter().unzip();
    let mut distinct = stages.clone();
    distinct.dedup();
    let mut steps: Vec<Step> = numbered(differences, last_id + 1)
        .zip(&stages)
        .map(|(difference, stage)| {
            let position = distinct.iter().position(|one| one == stage).unwrap_or_default();
            Step::new(difference, last_phase + 1 + position)
        })
        .collect();
    let dependencies = dependencies::dependencies(&steps);
    steps
        .iter_mut()
        .zip(dependencies)
        .for_each(|(step, dependencies)| step.dependencies = dependencies);
    let (meaning, live) = (Meaning::new(input.live, &steps), Record::new(input.live, &steps));
    Made {
        plan: Plan { target: input.target.clone(), steps, left_alone, meaning, live },
        errors,
        warnings,
    }
}

/// All differences, with the other findings.
#[derive(Default)]
struct Staged {
    /// The differences in the order of their stages, then of documents and rules.
    staged: Vec<(Stage, Difference)>,
    /// Undeclared live policies that are left alone.
    left_alone: Vec<String>,
    /// The parts of the documents that cannot be carried out.
    errors: Vec<Error>,
    /// The warnings.
    warnings: Vec<Warning>,
}

impl Staged {
    fn new(input: Input<'_>) -> Self {
        let Input { target: _, desired, live, exclusive, edit_active, notes } = input;
        let Self { mut staged, mut left_alone, mut errors, mut warnings } = Self::default();
        let (mut kept, mut created): (Vec<&str>, Vec<&DesiredVijilPolicy>) = Default::default();
        for declared in desired {
            match find(declared, live) {
                Ok(found) => {
                    kept.extend(found.map(|policy| policy.id.as_str()));
                    created.extend(found.is_none().then_some(declared));
                    let (errors, warnings, staged) = (&mut errors, &mut warnings, &mut staged);
                    Diff {
                        declared,
                        live: found,
                        exclusive,
                        edit_active,
                        notes,
                        errors,
                        warnings,
                        staged,
                    }
                    .run();
                }
                Err(error) => errors.push(error),
            }
        }
        let undeclared: Vec<&LiveVijilPolicy> =
            live.policies.iter().filter(|policy| !kept.contains(&policy.id.as_str())).collect();
        warnings.extend(renames::policies(&created, &undeclared));
        for policy in undeclared {
            if exclusive {
                let target = Subject::Existing(policy.id.clone());
                let delta = Delta::Delete { before: policy_fields(policy) };
                let change = Change::Policy { target, delta };
                staged.push((LAST, Difference::new(&policy.name, change)));
            } else {
                left_alone.push(policy.name.clone());
            }
        }
        staged.sort_by_key(|(stage, _)| *stage); // stable: the order of documents and rules stays
        Self { staged, left_alone, errors, warnings }
    }
}

/// The live policy that a document declares: the one with its name, or with an earlier name; an
/// archived one only if there is no other.
///
/// # Errors
///
/// Returns an error if several policies have the name.
pub fn find<'a>(
    declared: &DesiredVijilPolicy,
    live: &'a LiveVijil,
) -> Result<Option<&'a LiveVijilPolicy>, Error> {
    for name in std::iter::once(&declared.name).chain(&declared.previously) {
        let all: Vec<&LiveVijilPolicy> =
            live.policies.iter().filter(|policy| policy.name == *name).collect();
        let current: Vec<&LiveVijilPolicy> =
            all.iter().filter(|policy| policy.status != "archived").copied().collect();
        match (all.as_slice(), current.as_slice()) {
            ([], _) => {}
            ([one], _) | (_, [one]) => return Ok(Some(one)),
            _ => {
                let message = format!("{} live policies are named `{name}`", all.len());
                let hint = "delete or rename all but one of them in Vijil's console".to_owned();
                return Err(Error { at: declared.origin.clone(), message, hint });
            }
        }
    }
    Ok(None)
}

/// Compares one declared policy with its live one.
struct Diff<'a, 'b> {
    declared: &'a DesiredVijilPolicy,
    live: Option<&'a LiveVijilPolicy>,
    exclusive: bool,
    edit_active: EditActive,
    notes: &'a str,
    errors: &'b mut Vec<Error>,
    warnings: &'b mut Vec<Warning>,
    staged: &'b mut Vec<(Stage, Difference)>,
}

/// The deletion of a rule with its stage, and whether the rule is approved.
type Deletion = ((Stage, Difference), bool);

/// The change of one rule.
struct RuleDiff {
    stages: Vec<(Stage, Difference)>,
    /// True if the rule is new or its content changes.
    edited: bool,
    /// The status at the end, if it is known.
    status: Option<&'static str>,
}

impl<'a> Diff<'a, '_> {
    fn run(mut self) {
        let was = self.live.map_or("draft", |live| live.status.as_str()).to_owned();
        let wanted = self.declared.status.map_or(was.clone(), |status| status.as_str().to_owned());
        let mut rules = Vec::new();
        for rule in &self.declared.rules {
            match self.rule(rule) {
                Ok(diff) => {
                    let note = self.stale_note(rule, &diff);
                    self.warnings.extend(note);
                    rules.push((rule, diff));
                }
                Err(error) => self.errors.push(error),
            }
        }
        let (mut gone, left) = self.undeclared();
        let created =
            self.declared.rules.iter().filter(|rule| matches!(self.live_rule(rule), Ok(None)));
        let is_gone = |rule: &&LiveVijilRule| {
            let is = |step: &Difference| {
                step.change.rule().and_then(Subject::existing) == Some(&rule.id)
            };
            gone.iter().any(|((_, step), _)| is(step))
        };
        let deleted = self.live.into_iter().flat_map(|live| &live.rules).filter(is_gone);
        let renamed = renames::rules(&created.collect::<Vec<_>>(), &deleted.collect::<Vec<_>>());
        self.warnings.extend(renamed);
        let edited = rules.iter().any(|(_, diff)| diff.edited);
        let mut decisions = rules.iter().flat_map(|(_, diff)| &diff.stages);
        let rejects = decisions.any(|(_, step)| step.change.op() == Op::Reject);
        let stays =
            was == "active" && wanted == "active" && self.edit_active == EditActive::InPlace;
        let activates = wanted == "active" && (was != "active" || edited && !stays);
        let changes = !gone.is_empty() || rules.iter().any(|(_, diff)| !diff.stages.is_empty());
        if wanted == "active" && (activates || changes || self.declared.status.is_some()) {
            self.must_be_approved(&rules, &left, activates);
        }
        // The policy becomes a draft first if a rule would otherwise be active without approval,
        // and as late as possible if not.
        let leaves_first = was == "active" && !stays && (edited || (rejects && wanted != "active"));
        let interim = if wanted == "active" && (was == "archived" || leaves_first) {
            "draft"
        } else if wanted == "active" {
            was.as_str()
        } else {
            wanted.as_str()
        };
        let leaves_last = was == "active" && interim != "active" && !leaves_first;
        let reason = match (wanted.as_str(), was.as_str(), interim) {
            ("active", "active", "draft") => Some(Reason::Deactivated),
            ("active", "archived", "draft") => Some(Reason::Unarchived),
            _ => None,
        };
        self.head(if leaves_last { LAST } else { (1, 0) }, &was, interim, reason);
        if !activates && was == "active" && wanted == "active" {
            gone.iter_mut().filter(|(_, approved)| *approved).for_each(|(entry, _)| entry.0 = LAST);
        }
        self.staged.extend(gone.into_iter().map(|(entry, _)| entry));
        let mut edits = 0;
        for (_, RuleDiff { stages, edited, .. }) in rules {
            // The edit, then its approval, then the next rule.
            let at = |position: usize, stage| {
                if stays && edited { (2, 2 * edits + position + 1) } else { stage }
            };
            self.staged.extend(stages.into_iter().enumerate().map(
                |(position, (stage, mut step))| {
                    if stays && matches!(step.change.op(), Op::Create | Op::Update) {
                        step.because = Some(Reason::EditedInPlace);
                    }
                    (at(position, stage), step)
                },
            ));
            edits += usize::from(edited);
        }
        if activates {
            let change = Change::Activate {
                target: self.subject(),
                before: self.with_status(interim),
                after: self.with_status("active"),
            };
            let because = (was == "active").then_some(Reason::Reactivated);
            self.staged.push(((4, 0), Difference { because, ..self.difference(change) }));
        }
    }

    /// Reports the reasons why the policy cannot be `active`.
    fn must_be_approved(
        &mut self,
        rules: &[(&DesiredVijilRule, RuleDiff)],
        left: &[&LiveVijilRule],
        activates: bool,
    ) {
        for (rule, diff) in rules {
            if diff.status == Some("approved") {
                continue;
            }
            let why = match (&rule.review, diff.edited) {
                (Some(_), _) => "is rejected",
                (None, true) => "is new or edited and has no review",
                (None, false) => "is not approved, and its document has no review",
            };
            let message = format!(
                "`{}` {why}, and the active policy `{}` needs every rule approved",
                rule.rule_id, self.declared.name
            );
            let hint = "approve the rule with `review: {approved: …}`, or write `status: draft`"
                .to_owned();
            self.errors.push(Error { at: rule.origin.clone(), message, hint });
        }
        if activates && !left.is_empty() {
            let names: Vec<&String> = left.iter().map(|rule| &rule.rule_id).collect();
            let message = format!(
                "`{}` cannot be activated: the service holds drafts that no document mentions: {}",
                self.declared.name,
                list::quoted(&names)
            );
            let hint =
                "declare them with a review, or reject them in Vijil's console and plan again"
                    .to_owned();
            self.errors.push(Error { at: self.declared.origin.clone(), message, hint });
        }
    }

    /// The policy itself, without its rules.
    fn head(&mut self, stage: Stage, was: &str, status: &str, because: Option<Reason>) {
        let Some(live) = self.live else {
            let mut after = named("name", &self.declared.name);
            after.extend(self.declared.fields.clone());
            after.insert("status".to_owned(), "draft".into());
            self.staged.push(((0, 0), self.of_policy(Delta::Create { after })));
            if status != "draft" {
                let (before, after) = (self.with_status("draft"), self.with_status(status));
                self.staged.push((LAST, self.of_policy(Delta::Update { before, after })));
            }
            return;
        };
        let before = policy_fields(live);
        let mut after = before.clone();
        after.insert("name".to_owned(), self.declared.name.clone().into());
        overlay(&mut after, &self.declared.fields);
        after.insert("status".to_owned(), status.into());
        if !changed(&before, &after).is_empty() {
            let because = because.filter(|_| was != status);
            let step = self.of_policy(Delta::Update { before, after });
            self.staged.push((stage, Difference { because, ..step }));
        }
    }

    /// The declared policy with this status.
    fn with_status(&self, status: &str) -> Fields {
        let mut object = self.live.map(policy_fields).unwrap_or_default();
        object.insert("name".to_owned(), self.declared.name.clone().into());
        overlay(&mut object, &self.declared.fields);
        object.insert("status".to_owned(), status.into());
        object
    }

    fn rule(&self, rule: &DesiredVijilRule) -> Result<RuleDiff, Error> {
        let live = self.live_rule(rule)?;
        let mut after = live.map(rule_fields).unwrap_or_default();
        after.insert("rule_id".to_owned(), rule.rule_id.clone().into());
        overlay(&mut after, &rule.fields);
        let before = live.map(rule_fields);
        let edited = before.as_ref().is_none_or(|before| !changed(before, &after).is_empty());
        let target = RuleTarget {
            policy: self.subject(),
            rule: match live {
                Some(live) => Subject::Existing(live.id.clone()),
                None => Subject::Planned(rule.rule_id.clone()),
            },
            provenance: live
                .and_then(|live| live.provenance.clone())
                .or_else(|| rule.provenance.clone()),
        };
        let difference = |change: Change| Difference {
            source: Some(rule.origin.clone()),
            ..self.difference(change)
        };
        let mut stages = Vec::new();
        if edited {
            let after = content(after.clone());
            let delta = match before {
                Some(before) => Delta::Update { before: content(before), after },
                None => Delta::Create { after },
            };
            stages.push(((2, 0), difference(Change::Rule { target: target.clone(), delta })));
        }
        let status = match (&rule.review, live) {
            (Some(review), _) => Some(review.status()),
            (None, Some(live)) if !edited && live.status == "approved" => Some("approved"),
            (None, _) => None,
        };
        if let Some(review) = &rule.review
            && (edited || live.is_none_or(|live| live.status != review.status()))
        {
            let notes = match review {
                Review::Approved(notes) if notes.trim().is_empty() => self.notes,
                Review::Approved(notes) | Review::Rejected(notes) => notes.as_str(),
            };
            let mut before = after;
            before.entry("status").or_insert_with(|| "draft".into());
            let mut after = before.clone();
            after.insert("status".to_owned(), review.status().into());
            let notes = if notes.is_empty() { Value::Null } else { notes.into() };
            after.insert("review_notes".to_owned(), notes);
            let change = match review {
                Review::Approved(_) => Change::Approve { target, before, after },
                Review::Rejected(_) => Change::Reject { target, before, after },
            };
            let anew = edited
                && live.is_some_and(|live| live.status == "approved")
                && change.op() == Op::Approve;
            let because = anew.then_some(Reason::ApprovedAnew);
            stages.push(((3, 0), Difference { because, ..difference(change) }));
        }
        Ok(RuleDiff { stages, edited, status })
    }

    /// A warning about the note of an earlier approval, since it says nothing about the new text.
    fn stale_note(&self, rule: &DesiredVijilRule, diff: &RuleDiff) -> Option<Warning> {
        let live = self.live_rule(rule).ok().flatten()?;
        let Some(Review::Approved(note)) = &rule.review else { return None };
        // A rule that only changes its identity is still the approved rule.
        let mut changed = diff.stages.iter().flat_map(|(_, step)| step.change.changed());
        let edited = changed.any(|field| field != "rule_id");
        let stays = edited && !note.trim().is_empty() && live.notes.as_ref() == Some(note);
        let (id, policy) = (&rule.rule_id, &self.declared.name);
        stays.then(|| Warning {
            code: Code::StaleApprovalNote,
            message: format!(
                "`{id}` of `{policy}` changes, and the note of its approval is the one of its former text"
            ),
            help: "write in `review: {approved: …}` what was reviewed of the change".to_owned(),
            source: Some(rule.origin.clone()),
        })
    }

    fn live_rule(&self, rule: &DesiredVijilRule) -> Result<Option<&'a LiveVijilRule>, Error> {
        let Some(live) = self.live else { return Ok(None) };
        for id in std::iter::once(&rule.rule_id).chain(&rule.previously) {
            let mut found = live.rules.iter().filter(|live| live.rule_id == *id);
            if let Some(one) = found.next() {
                if found.next().is_none() {
                    return Ok(Some(one));
                }
                let message =
                    format!("several live rules of `{}` have the `rule_id` `{id}`", live.name);
                let hint = "delete or rename all but one of them in Vijil's console".to_owned();
                return Err(Error { at: rule.origin.clone(), message, hint });
            }
        }
        Ok(None)
    }

    /// Deletions of undeclared live rules, and whether each rule is approved; and the drafts of an
    /// extraction, which nobody has reviewed, and which are left alone unless the ownership is
    /// exclusive.
    fn undeclared(&self) -> (Vec<Deletion>, Vec<&'a LiveVijilRule>) {
        let declared = |rule: &LiveVijilRule| {
            self.declared
                .rules
                .iter()
                .any(|one| matches!(self.live_rule(one), Ok(Some(found)) if found.id == rule.id))
        };
        let live: Option<&'a LiveVijilPolicy> = self.live;
        let undeclared =
            live.into_iter().flat_map(|live| &live.rules).filter(|rule| !declared(rule));
        let (left, gone): (Vec<_>, Vec<_>) =
            undeclared.partition(|rule| rule.is_extracted_draft() && !self.exclusive);
        let gone = gone.into_iter().map(|live| {
            let target = RuleTarget {
                policy: self.subject(),
                rule: Subject::Existing(live.id.clone()),
                provenance: live.provenance.clone(),
            };
            let delta = Delta::Delete { before: rule_fields(live) };
            let step = Difference::new(&self.declared.name, Change::Rule { target, delta });
            (((2, 0), step), live.status == "approved")
        });
        (gone.collect(), left)
    }

    fn subject(&self) -> Subject {
        match self.live {
            Some(live) => Subject::Existing(live.id.clone()),
            None => Subject::Planned(self.declared.name.clone()),
        }
    }

    fn difference(&self, change: Change) -> Difference {
        let source = Some(self.declared.origin.clone());
        Difference { source, ..Difference::new(&self.declared.name, change) }
    }

    fn of_policy(&self, delta: Delta<Fields>) -> Difference {
        self.difference(Change::Policy { target: self.subject(), delta })
    }
}

/// A rule without the notes of its review.
fn content(mut rule: Fields) -> Fields {
    rule.shift_remove("review_notes");
    rule
}

fn named(key: &str, name: &str) -> Fields {
    Fields::from_iter([(key.to_owned(), Value::from(name))])
}

/// Overlays the live fields with those that a document sets.
fn overlay(object: &mut Fields, fields: &Fields) {
    for (key, value) in fields {
        let value = merged(key, object.get(key).unwrap_or(&Value::Null), value);
        object.insert(key.clone(), value);
    }
}

/// A live policy as the service shows it, without ids and rules.
#[must_use]
pub fn policy_fields(policy: &LiveVijilPolicy) -> Fields {
    let mut object = named("name", &policy.name);
    let known = VIJIL_POLICY_FIELDS
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), policy.fields.get(*key)?.clone())));
    object.extend(known);
    object.insert("status".to_owned(), policy.status.clone().into());
    object
}

/// A live rule as the service shows it, without ids.
#[must_use]
pub fn rule_fields(rule: &LiveVijilRule) -> Fields {
    let mut object = named("rule_id", &rule.rule_id);
    let known = VIJIL_RULE_FIELDS
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), rule.fields.get(*key)?.clone())));
    object.extend(known);
    object.insert("status".to_owned(), rule.status.clone().into());
    object.insert("review_notes".to_owned(), rule.notes.clone().map_or(Value::Null, Value::from));
    object
}
