//! The Vijil side of a plan: rules as sentences, and which of them people approve.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use similar::ChangeTag;

use super::{BAD, BOLD, CAREFUL, DIM, GOOD, MORE, View};
use crate::diagnostic::sanitize::line;
use crate::plan::step::{Delta, Op};
use crate::plan::vijil::{Bucket, Change, Difference};
use crate::render::vijil::{Detail, RuleNames, describe, reviewed, shortened};
use crate::render::words;

const APPROVED: Style = AnsiColor::Green.on_default().bold().invert();
const REJECTED: Style = AnsiColor::Red.on_default().bold().invert();

/// The number of steps of a policy that are listed, words of an unchanged run, and words of other
/// texts.
const LISTED: usize = 24;
/// The indentation of the rules of a new policy in short.
const BRIEF: usize = 4;
const WORDS: usize = 12;
const TEXT_WORDS: usize = 40;

pub(super) fn write<'a>(
    out: &mut String,
    differences: impl IntoIterator<Item = &'a Difference>,
    view: View<'_>,
    brief: bool,
) -> fmt::Result {
    let mut policies: BTreeMap<&str, Vec<&Difference>> = BTreeMap::new();
    let mut last = 0;
    for difference in differences {
        policies.entry(&difference.policy).or_default().push(difference);
        last = difference.id;
    }
    if policies.is_empty() {
        return Ok(());
    }
    if !brief {
        writeln!(out, "\n{BOLD}Policies for agents{BOLD:#}")?;
    }
    let reviewed = reviewed(policies.values().flatten().copied());
    let writer = Writer { view, reviewed, digits: last.to_string().len().max(2) };
    for (policy, steps) in policies {
        let place = steps
            .iter()
            .find(|step| step.change.rule().is_none())
            .or(steps.first())
            .and_then(|step| step.source.as_ref());
        let place = place.map(|origin| format!("  {}", view.file_line(origin))).unwrap_or_default();
        if brief {
            writer.created(out, policy, &steps, &place)?;
            continue;
        }
        writeln!(out, "  {BOLD}{}{BOLD:#}{DIM}{place}{DIM:#}", line(policy))?;
        let steps = writer.without_new_rules(steps);
        let (first, hidden, last) = words::folded(&steps, view.most(LISTED));
        first.iter().try_for_each(|step| writer.step(out, step))?;
        if hidden > 0 {
            writeln!(out, "  {:>1$} {hidden} more steps, {MORE}", "…", writer.digits)?;
        }
        last.iter().try_for_each(|step| writer.step(out, step))?;
    }
    Ok(())
}

/// Returns `true` if every policy is new, and no rule of it is rejected.
pub(super) fn only_new<'a>(differences: impl IntoIterator<Item = &'a Difference>) -> bool {
    let mut new = BTreeSet::new();
    let mut all = BTreeSet::new();
    for step in differences {
        all.insert(&step.policy);
        match (step.change.op(), step.change.rule()) {
            (Op::Create, None) => {
                new.insert(&step.policy);
            }
            (Op::Create | Op::Approve | Op::Activate, _) => {}
            (Op::Update | Op::Delete | Op::Reject, _) => return false,
        }
    }
    new == all
}

/// Writes the number of rules in force of each consequence, if that changes. If `brief`, below the
/// changes.
pub(super) fn write_buckets(out: &mut String, buckets: &[Bucket], brief: bool) -> fmt::Result {
    if buckets.is_empty() {
        return Ok(());
    }
    let count = |Bucket { action, before, after }: &Bucket| {
        format!("{} {before} → {after}", line(action.as_deref().unwrap_or(words::NO_ACTION)))
    };
    let counts: Vec<String> = buckets.iter().map(count).collect();
    let gap = if brief { "" } else { "\n" };
    writeln!(out, "{gap}{BOLD}{}{BOLD:#}: {}", words::BUCKETS, counts.join(", "))
}

/// The id of a new rule, its consequence, and its sentence.
fn brief_rule(step: &Difference) -> Option<(&str, &str, &str)> {
    let Change::Rule { delta: Delta::Create { after }, .. } = &step.change else { return None };
    let action =
        after.get("consequence").and_then(|consequence| consequence.get("action")?.as_str());
    let sentence = step.change.text("natural_language");
    Some((step.change.rule_name()?, action.unwrap_or(words::NO_ACTION), sentence))
}

struct Writer<'a> {
    view: View<'a>,
    reviewed: RuleNames<'a>,
    digits: usize,
}

impl Writer<'_> {
    /// The steps of a policy. The rules of a new policy are left out if their reviews follow, which
    /// show all of them.
    fn without_new_rules<'s>(&self, steps: Vec<&'s Difference>) -> Vec<&'s Difference> {
        let creates = |step: &Difference| step.change.op() == Op::Create;
        let is_new = steps.iter().any(|step| creates(step) && step.change.rule().is_none());
        let is_shown = |step: &&Difference| {
            let rule =
                step.change.rule_name().filter(|_| creates(step) && is_new && !self.view.all);
            !rule.is_some_and(|rule| self.reviewed.contains(&(step.policy.as_str(), rule)))
        };
        steps.into_iter().filter(is_shown).collect()
    }

    /// Writes a new policy: a line for itself, and one for each rule.
    fn created(
        &self,
        out: &mut String,
        policy: &str,
        steps: &[&Difference],
        place: &str,
    ) -> fmt::Result {
        let count = |op: Op| {
            let own = steps.iter().map(|step| &step.change);
            own.filter(|change| change.op() == op && change.rule().is_some()).count()
        };
        let (rules, approved) = (words::count(count(Op::Create), "rule"), count(Op::Approve));
        let is_activated = steps.iter().any(|step| step.change.op() == Op::Activate);
        // A policy is active only with all rules approved.
        let state = match (is_activated, approved) {
            (true, _) => ", active".to_owned(),
            (false, 0) => String::new(),
            (false, approved) => format!(", {approved} approved"),
        };
        write!(out, "  {GOOD}+{GOOD:#} `{BOLD}{}{BOLD:#}` for agents", line(policy))?;
        writeln!(out, ": {rules}{state}{DIM}{}{DIM:#}", line(place))?;
        let rules: Vec<_> = steps.iter().filter_map(|step| brief_rule(step)).collect();
        let listed = self.view.shown(rules.len(), LISTED);
        for (rule, action, sentence) in rules.iter().take(listed) {
            writeln!(
                out,
                "{:BRIEF$}{} {}: “{}”",
                "",
                line(rule),
                line(action),
                line(&self.short(sentence, TEXT_WORDS))
            )?;
        }
        match rules.len().saturating_sub(listed) {
            0 => Ok(()),
            hidden => writeln!(out, "{:BRIEF$}… {hidden} more rules, {MORE}", ""),
        }
    }

    fn step(&self, out: &mut String, step: &Difference) -> fmt::Result {
        let name = line(step.change.rule_name().unwrap_or("the policy"));
        write!(out, "  {DIM}{:>1$}{DIM:#} ", step.id, self.digits)?;
        match step.change.op() {
            Op::Create => writeln!(out, "{GOOD}+{GOOD:#} {name}")?,
            Op::Update => writeln!(out, "{CAREFUL}~{CAREFUL:#} {name}")?,
            Op::Delete => writeln!(out, "{BAD}-{BAD:#} {name}")?,
            Op::Approve => writeln!(out, "{APPROVED} APPROVE {APPROVED:#} {BOLD}{name}{BOLD:#}")?,
            Op::Reject => writeln!(out, "{REJECTED} REJECT {REJECTED:#} {BOLD}{name}{BOLD:#}")?,
            Op::Activate => writeln!(out, "{GOOD}ACTIVATE{GOOD:#} {name}")?,
        }
        describe(step, &self.reviewed).iter().try_for_each(|detail| self.detail(out, detail))
    }

    fn detail(&self, out: &mut String, detail: &Detail) -> fmt::Result {
        write!(out, "{:1$}", "", self.digits + 7)?;
        match detail {
            Detail::Because(because) => writeln!(out, "{CAREFUL}{because}{CAREFUL:#}"),
            Detail::Sentence(kind, sentence) => {
                writeln!(out, "{}: “{}”", line(kind), line(sentence))
            }
            Detail::Fields(fields) => {
                let field = |(name, value): &(&str, String)| {
                    format!("{DIM}{name}{DIM:#} {}", line(&self.short(value, TEXT_WORDS)))
                };
                writeln!(
                    out,
                    "{}",
                    fields.iter().map(field).collect::<Vec<_>>().join(&format!("{DIM}, {DIM:#}"))
                )
            }
            Detail::Broken(action, severity, rest) => {
                let style = match severity.as_deref() {
                    Some("critical" | "high") => BAD,
                    Some("medium") => CAREFUL,
                    Some(_) | None => Style::new(),
                };
                let severity = severity.as_deref().unwrap_or("none given");
                let rest =
                    rest.as_ref().map(|rest| format!(", {}", line(rest))).unwrap_or_default();
                writeln!(
                    out,
                    "when broken: {}, severity {style}{}{style:#}{rest}",
                    line(action),
                    line(severity)
                )
            }
            Detail::Quotation(quotation, place) => {
                let place =
                    place.as_ref().map(|place| format!(", {}", line(place))).unwrap_or_default();
                writeln!(out, "{DIM}from the source{place}:{DIM:#} “{}”", line(quotation))
            }
            Detail::Drawn(by, score, low) => {
                let style = if *low { CAREFUL } else { DIM };
                writeln!(
                    out,
                    "{style}extracted by {} with a confidence of {:.0} %{style:#}",
                    line(by),
                    score * 100.0
                )
            }
            Detail::Review(label, notes) => writeln!(out, "{label}: {}", line(notes)),
            Detail::Words(field, runs) => writeln!(out, "{}: {}", line(field), self.runs(runs)),
            Detail::Becomes(field, old, new) => {
                writeln!(out, "{}: {} → {}", line(field), line(old), line(new))
            }
        }
    }

    /// A text with marks for the words that are removed and added, which do not depend on colours.
    fn runs(&self, runs: &[(ChangeTag, String)]) -> String {
        let marked: Vec<String> = runs
            .iter()
            .map(|(tag, run)| match tag {
                ChangeTag::Equal => line(&self.short(run, WORDS)).into_owned(),
                ChangeTag::Delete => {
                    format!("{BAD}[-{}-]{BAD:#}", line(&self.short(run, TEXT_WORDS)))
                }
                ChangeTag::Insert => {
                    format!("{GOOD}{{+{}+}}{GOOD:#}", line(&self.short(run, TEXT_WORDS)))
                }
            })
            .collect();
        marked.join(" ")
    }

    fn short(&self, text: &str, words: usize) -> String {
        shortened(&text.split_whitespace().collect::<Vec<_>>().join(" "), self.view.most(words))
    }
}
