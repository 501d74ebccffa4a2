//! Answers to `can`: for people, and as JSON.
//!
//! Invariant: the JSON holds the same as the text; keys may be added, none is renamed or removed.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::view::{MORE, View};
use crate::access::{AccessLevel, Answer, Reason, Verdict};
use crate::diagnostic::list;
use crate::diagnostic::sanitize;
use crate::diagnostic::sanitize::line;
use crate::model::{Decision, DesiredPolicy, Origin};

/// The locations of rules, if they come from documents: the declared policies, in the order that
/// was asked.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredPolicies<'a>(pub &'a [DesiredPolicy]);

impl<'a> DeclaredPolicies<'a> {
    /// The place of a reason's rule, or of its policy.
    #[must_use]
    pub fn origin(self, reason: &Reason) -> Option<&'a Origin> {
        self.rule(reason.policy, reason.rule)
    }

    /// The place of a rule, or of its policy.
    #[must_use]
    pub fn rule(self, policy: usize, rule: Option<usize>) -> Option<&'a Origin> {
        let policy = self.0.get(policy)?;
        let rule = rule.and_then(|rule| policy.rules.get(rule));
        Some(rule.map_or(&policy.origin, |rule| &rule.origin))
    }
}

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    decision: Verdict,
    /// True if a person is asked each time, which is neither of the two.
    approval: bool,
    request: &'a str,
    teams: &'a [String],
    reason: &'a str,
    because: Vec<Because<'a>>,
    nearest: &'a [String],
    remarks: &'a [String],
}

/// A rule behind an answer.
#[derive(Serialize)]
pub(super) struct Because<'a> {
    policy: &'a str,
    rule: Option<&'a str>,
    decision: Option<Decision>,
    pattern: Option<&'a str>,
    doubts: &'a [String],
    source: Option<&'a Origin>,
}

/// The rules behind an answer.
pub(super) fn because<'a>(answer: &'a Answer, places: DeclaredPolicies<'a>) -> Vec<Because<'a>> {
    let one = |one: &'a Reason| Because {
        policy: &one.policy_name,
        rule: one.rule_name.as_deref(),
        decision: one.decision,
        pattern: one.pattern.as_deref(),
        doubts: &one.doubts,
        source: places.origin(one),
    };
    answer.because.iter().map(one).collect()
}

/// The answer as one JSON object, indented, with a line end.
#[must_use]
pub fn json(
    request: &str,
    teams: &[String],
    answer: &Answer,
    places: DeclaredPolicies<'_>,
) -> String {
    let Answer { verdict, reason, because: _, nearest, remarks } = answer;
    let because = because(answer, places);
    let decision = *verdict;
    let approval = asks(answer);
    let document = Document {
        format_version: 1,
        decision,
        approval,
        request,
        teams,
        reason,
        because,
        nearest,
        remarks,
    };
    sanitize::json(&document)
}

/// The answer for people, with a line end.
#[must_use]
pub fn human(
    request: &str,
    teams: &[String],
    answer: &Answer,
    places: DeclaredPolicies<'_>,
    view: View<'_>,
) -> String {
    let style = style(answer.verdict);
    let whom = match teams {
        [] => "a member of no team".to_owned(),
        teams => format!(
            "a member of {}",
            teams.iter().map(|team| line(team)).collect::<Vec<_>>().join(" and ")
        ),
    };
    let word = answer.level().as_str();
    format!(
        "{style}{word}{style:#}  {}  for {whom}\n{}",
        line(request),
        details(answer, places, "  ", view)
    )
}

/// The explanation of an answer: the rules that decide, the nearest misses, and remarks.
pub(super) fn details(
    answer: &Answer,
    places: DeclaredPolicies<'_>,
    indent: &str,
    view: View<'_>,
) -> String {
    let dim = Style::new().dimmed();
    let mut text = String::new();
    let mut add = |parts: std::fmt::Arguments<'_>| {
        writeln!(text, "{indent}{parts}").expect("writing to a string")
    };
    add(format_args!("{}", line(&answer.reason)));
    let row = |reason: &Reason| {
        let Reason { policy_name, rule_name, decision, pattern, doubts, .. } = reason;
        let decision = match decision {
            Some(Decision::Allow) => "allow ",
            Some(Decision::Deny) => "deny  ",
            None => "",
        };
        let rule = rule_name.as_ref().map(|rule| format!(" › {}", line(rule))).unwrap_or_default();
        let pattern =
            pattern.as_ref().map(|pattern| format!("  {}", line(pattern))).unwrap_or_default();
        let place = places
            .origin(reason)
            .map(|place| format!("  {dim}{}{dim:#}", view.place(place)))
            .unwrap_or_default();
        let doubt = match doubts.as_slice() {
            [] => String::new(),
            [asked] if asks(answer) => format!("  ({})", line(asked)),
            _ => "  (maybe)".to_owned(),
        };
        format!("  {decision}`{}{rule}`{pattern}{doubt}{place}", line(policy_name))
    };
    let mut because: Vec<String> = answer.because.iter().map(row).collect();
    // A pattern may decide reading and writing, each with open questions of its own.
    because.dedup();
    let (because, more) = view.first(&because, list::MOST);
    for reason in because {
        add(format_args!("{reason}"));
    }
    if more > 0 {
        add(format_args!("  … {more} more, {MORE}"));
    }
    for nearest in &answer.nearest {
        add(format_args!("nearest: {}", line(nearest)));
    }
    for remark in &answer.remarks {
        add(format_args!("{dim}note: {}{dim:#}", line(remark)));
    }
    text
}

/// Returns `true` if a person is asked each time.
fn asks(answer: &Answer) -> bool {
    answer.level() == AccessLevel::Approval
}

/// `allow`, `deny` or `uncertain`.
#[must_use]
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
        Verdict::Uncertain => "uncertain",
    }
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Allow => AnsiColor::Green.on_default().bold(),
        Verdict::Deny => AnsiColor::Red.on_default().bold(),
        Verdict::Uncertain => AnsiColor::Yellow.on_default().bold(),
    }
}
