//! The Vijil side of a plan: rules as sentences, and which of them people approve.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use similar::ChangeTag;

use super::{BAD, BOLD, CAREFUL, DIM, GOOD, MORE, View};
use crate::diagnostic::sanitize::line;
use crate::plan::step::Op;
use crate::plan::vijil::{Bucket, VijilDifference};
use crate::render::vijil::{Detail, describe, shortened};
use crate::render::words;

const APPROVED: Style = AnsiColor::Green.on_default().bold().invert();
const REJECTED: Style = AnsiColor::Red.on_default().bold().invert();

/// The number of steps of one policy that are listed, words of a run that stays or of a field, and its characters.
const LISTED: usize = 24;
const WORDS: usize = 12;
const TEXT_WORDS: usize = 40;

pub(super) fn write<'a>(
    out: &mut String,
    differences: impl IntoIterator<Item = &'a VijilDifference>,
    view: View,
) -> fmt::Result {
    let mut policies: BTreeMap<&str, Vec<&VijilDifference>> = BTreeMap::new();
    let mut last = 0;
    for difference in differences {
        policies.entry(&difference.policy_name).or_default().push(difference);
        last = difference.id;
    }
    if policies.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}Policies for agents{BOLD:#}")?;
    let writer = Writer { view, digits: last.to_string().len().max(2) };
    for (policy, steps) in policies {
        let place =
            steps.iter().find(|step| step.rule.is_none()).or(steps.first()).and_then(|step| step.source.as_ref());
        let place = place.map(|origin| format!("  {}:{}", origin.file, origin.line)).unwrap_or_default();
        writeln!(out, "  {BOLD}{}{BOLD:#}{DIM}{}{DIM:#}", line(policy), line(&place))?;
        let (first, hidden, last) = words::folded(&steps, view.most(LISTED));
        first.iter().try_for_each(|step| writer.step(out, step))?;
        if hidden > 0 {
            writeln!(out, "  {:>1$} {hidden} more steps, {MORE}", "…", writer.digits)?;
        }
        last.iter().try_for_each(|step| writer.step(out, step))?;
    }
    Ok(())
}

/// Writes the number of rules in force of each consequence, if that changes.
pub(super) fn write_buckets(out: &mut String, buckets: &[Bucket]) -> fmt::Result {
    if buckets.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}{}{BOLD:#}", words::BUCKETS)?;
    for Bucket { action, before, after } in buckets {
        let action = action.as_deref().unwrap_or(words::NO_ACTION);
        writeln!(out, "  {}: {before} → {}", line(action), words::count(*after, "rule"))?;
    }
    Ok(())
}

struct Writer {
    view: View,
    digits: usize,
}

impl Writer {
    fn step(&self, out: &mut String, step: &VijilDifference) -> fmt::Result {
        let name = line(step.rule_id.as_deref().unwrap_or("the policy"));
        write!(out, "  {DIM}{:>1$}{DIM:#} ", step.id, self.digits)?;
        match step.op {
            Op::Create => writeln!(out, "{GOOD}+{GOOD:#} {name}")?,
            Op::Update => writeln!(out, "{CAREFUL}~{CAREFUL:#} {name}")?,
            Op::Delete => writeln!(out, "{BAD}-{BAD:#} {name}")?,
            Op::Approve => writeln!(out, "{APPROVED} APPROVE {APPROVED:#} {BOLD}{name}{BOLD:#}")?,
            Op::Reject => writeln!(out, "{REJECTED} REJECT {REJECTED:#} {BOLD}{name}{BOLD:#}")?,
            Op::Activate => writeln!(out, "{GOOD}ACTIVATE{GOOD:#} {name}")?,
        }
        describe(step).iter().try_for_each(|detail| self.detail(out, detail))
    }

    fn detail(&self, out: &mut String, detail: &Detail) -> fmt::Result {
        write!(out, "{:1$}", "", self.digits + 7)?;
        match detail {
            Detail::Because(because) => writeln!(out, "{CAREFUL}{because}{CAREFUL:#}"),
            Detail::Sentence(kind, sentence) => writeln!(out, "{}: “{}”", line(kind), line(sentence)),
            Detail::Fields(fields) => {
                let field = |(name, value): &(&str, String)| {
                    format!("{DIM}{name}{DIM:#} {}", line(&self.short(value, TEXT_WORDS)))
                };
                writeln!(out, "{}", fields.iter().map(field).collect::<Vec<_>>().join(&format!("{DIM}, {DIM:#}")))
            }
            Detail::Broken(action, severity, rest) => {
                let style = match severity.as_deref() {
                    Some("critical" | "high") => BAD,
                    Some("medium") => CAREFUL,
                    Some(_) | None => Style::new(),
                };
                let severity = severity.as_deref().unwrap_or("none given");
                let rest = rest.as_ref().map(|rest| format!(", {}", line(rest))).unwrap_or_default();
                writeln!(out, "when broken: {}, severity {style}{}{style:#}{rest}", line(action), line(severity))
            }
            Detail::Quotation(quotation, place) => {
                let place = place.as_ref().map(|place| format!(", {}", line(place))).unwrap_or_default();
                writeln!(out, "{DIM}from the source{place}:{DIM:#} “{}”", line(quotation))
            }
            Detail::Drawn(by, score, low) => {
                let style = if *low { CAREFUL } else { DIM };
                writeln!(out, "{style}extracted by {} with a confidence of {:.0} %{style:#}", line(by), score * 100.0)
            }
            Detail::Review(label, notes) => writeln!(out, "{label}: {}", line(notes)),
            Detail::Words(field, runs) => writeln!(out, "{}: {}", line(field), self.runs(runs)),
            Detail::Becomes(field, old, new) => writeln!(out, "{}: {} → {}", line(field), line(old), line(new)),
        }
    }

    /// A text with the words that go and come marked, also without colours.
    fn runs(&self, runs: &[(ChangeTag, String)]) -> String {
        let marked: Vec<String> = runs
            .iter()
            .map(|(tag, run)| match tag {
                ChangeTag::Equal => line(&self.short(run, WORDS)).into_owned(),
                ChangeTag::Delete => format!("{BAD}[-{}-]{BAD:#}", line(&self.short(run, TEXT_WORDS))),
                ChangeTag::Insert => format!("{GOOD}{{+{}+}}{GOOD:#}", line(&self.short(run, TEXT_WORDS))),
            })
            .collect();
        marked.join(" ")
    }

    fn short(&self, text: &str, words: usize) -> String {
        shortened(&text.split_whitespace().collect::<Vec<_>>().join(" "), self.view.most(words))
    }
}
