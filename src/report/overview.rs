//! Summary of an organization: key figures and sentences.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Section;
use super::audience::Class;
use super::remark::Remarks;
use super::rules::RuleRow;
use super::text::{count, listed, thousands};
use crate::evidence::usage::{Usage, Use};

/// Key figure with its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// The number, for display.
    pub value: String,
    /// The counted items.
    pub label: &'static str,
    /// Further remark; `None` if there is none.
    pub note: Option<String>,
    /// Link to the part of the report with details; `None` if there is none.
    pub href: Option<String>,
    /// CSS class: `good`, `warn`, `bad` or none.
    pub tone: &'static str,
}

/// Fills the summary of a section from its other fields.
pub(super) fn fill(
    section: &mut Section,
    classes: &[Class],
    remarks: &Remarks,
    usage: Option<&Usage>,
    lacks: &[String],
) {
    let rows: Vec<&RuleRow> = section.policies.iter().flat_map(|policy| &policy.rules).collect();
    let (all, untested) = (rows.len(), rows.iter().filter(|row| row.untested).count());
    let failing = section.tests.iter().filter(|test| !test.passes).count();
    let unused =
        usage.map(|usage| usage.rules.iter().filter(|rule| rule.used == Use::Unused).count());
    let doubts: usize = section.doubts.iter().map(|doubt| doubt.count.max(1)).sum();
    let teams: usize =
        classes.iter().filter(|class| class.governed).map(|class| class.keys.len()).sum();
    let to = |part: &str| Some(format!("#{}{part}", section.id.as_str()));
    let figure = |number: usize, label| Figure {
        value: thousands(number),
        label,
        note: None,
        href: None,
        tone: "",
    };
    let toned = |number: usize, bad: &'static str| if number == 0 { "good" } else { bad };
    let mut figures = vec![
        Figure { href: to("rules"), ..figure(section.policies.len(), "policies") },
        Figure { href: to("rules"), ..figure(all, "rules") },
        Figure {
            note: (teams > 0).then(|| format!("{} with policies", count(teams, "team"))),
            href: to("access"),
            ..figure(section.audiences.len(), "audiences")
        },
        match section.tests.len() {
            0 => Figure { tone: "warn", href: to("tests"), ..figure(0, "access tests") },
            tests => Figure {
                value: format!("{} of {}", tests - failing, tests),
                tone: toned(failing, "bad"),
                href: to("tests"),
                ..figure(0, "access tests hold")
            },
        },
        Figure {
            tone: toned(untested, "warn"),
            href: to("rules"),
            ..figure(untested, "rules without a test")
        },
    ];
    figures.push(match unused {
        Some(unused) => Figure {
            tone: toned(unused, "warn"),
            href: to("rules"),
            ..figure(unused, "rules without recorded use")
        },
        None => Figure {
            value: "–".to_owned(),
            note: Some("no records".to_owned()),
            ..figure(0, "rules without recorded use")
        },
    });
    let suppressed = remarks.suppressed.len();
    let found = remarks.findings.len() + remarks.more;
    figures.push(Figure {
        note: (suppressed > 0).then(|| format!("{} suppressed", thousands(suppressed))),
        href: Some("#findings".to_owned()),
        tone: toned(found, "warn"),
        ..figure(found, "findings")
    });
    figures.push(Figure {
        tone: toned(doubts, "warn"),
        href: to("overview"),
        ..figure(doubts, "uncertain")
    });
    section.lead = lead(section, classes, failing, lacks);
    section.rules_note = rules_note(all, untested, usage);
    section.tests_note = match failing {
        0 => "All of them hold.".to_owned(),
        _ => format!("{failing} of {} fail.", section.tests.len()),
    };
    section.figures = figures;
}

fn lead(section: &Section, classes: &[Class], failing: usize, lacks: &[String]) -> String {
    let incomplete = !lacks.is_empty();
    let lack = |lack: &String| format!("Incomplete: this report may lack {lack}.");
    let mut sentences: Vec<String> = lacks.iter().map(lack).collect();
    let everyone = section.audiences.first();
    let open = everyone.map(|everyone| everyone.groups.len()).unwrap_or_default();
    let entries = everyone.map(|everyone| everyone.allowed).unwrap_or_default();
    sentences.push(match (entries, open) {
        (0, _) if incomplete => "Nothing is known to be allowed to everyone.".to_owned(),
        (0, _) => "No rule allows anything to everyone.".to_owned(),
        (_, 0) => format!("{} open to everyone.", are(entries, "entry")),
        (_, _) => format!("{} open to everyone, in whole or in part.", are(open, "destination")),
    });
    let more: Vec<String> = section
        .audiences
        .iter()
        .filter(|audience| !audience.everyone && !audience.pair && audience.allowed > 0)
        .map(|audience| audience.name.clone())
        .collect();
    let teams: usize =
        classes.iter().filter(|class| class.governed).map(|class| class.keys.len()).sum();
    if !more.is_empty() {
        let verb = if more.len() == 1 { "reaches" } else { "reach" };
        sentences.push(format!("Beyond that, {} {verb} more.", listed(&more, 4)));
    } else if teams > 0 && !incomplete {
        sentences.push("No team reaches more than that.".to_owned());
    }
    let denied: BTreeSet<&String> = section
        .audiences
        .iter()
        .flat_map(|audience| &audience.denied)
        .flat_map(|line| &line.objects)
        .collect();
    if !denied.is_empty() {
        sentences
            .push(format!("Denies close {} that rules would open.", count(denied.len(), "target")));
    }
    sentences.push(match (section.tests.len(), failing) {
        (0, _) => "No access test guards any of this.".to_owned(),
        (_, 0) => "Every access test holds.".to_owned(),
        (all, _) => format!("{failing} of {} fail.", count(all, "access test")),
    });
    sentences.join(" ")
}

fn are(number: usize, noun: &str) -> String {
    format!("{} {}", count(number, noun), if number == 1 { "is" } else { "are" })
}

fn rules_note(all: usize, untested: usize, usage: Option<&Usage>) -> String {
    let mut note =
        format!("{} of {} decide an access test.", thousands(all - untested), count(all, "rule"));
    if let Some(usage) = usage {
        note += &format!(" Use is told by {}", super::change::window(&usage.window));
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is concluded from what an incomplete comparison lacks.
    #[test]
    fn an_incomplete_report_says_so_first() {
        let section = Section {
            id: super::super::Id::prefix("acme", true),
            name: "acme".to_owned(),
            lead: String::new(),
            figures: Vec::new(),
            doubts: Vec::new(),
            change: None,
            recorded: None,
            audiences: Vec::new(),
            matrix: super::super::Matrix::default(),
            policies: Vec::new(),
            rules: 0,
            rules_note: String::new(),
            open: true,
            dense: false,
            tests: Vec::new(),
            tests_note: String::new(),
        };
        let team =
            Class { governed: true, keys: vec!["t".to_owned()], names: vec!["T".to_owned()] };
        let lead = |lacks: &[&str]| {
            let lacks: Vec<String> = lacks.iter().map(|lack| (*lack).to_owned()).collect();
            super::lead(&section, std::slice::from_ref(&team), 0, &lacks)
        };
        let rest = "No access test guards any of this.";
        let complete = "No rule allows anything to everyone. No team reaches more than that. ";
        assert_eq!(lead(&[]), format!("{complete}{rest}"));
        assert_eq!(
            lead(&["access that is allowed: too many folders"]),
            format!(
                "Incomplete: this report may lack access that is allowed: too many folders. \
                 Nothing is known to be allowed to everyone. {rest}"
            )
        );
    }
}
