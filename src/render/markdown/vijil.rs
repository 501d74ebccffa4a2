//! Steps about policies for agents.

use similar::ChangeTag;

use super::code;
use crate::plan::step::Op;
use crate::plan::vijil::Difference;
use crate::render::vijil::{Detail, RuleNames, describe, shortened};
use crate::render::words;

/// The number of words to which an unchanged run and other texts are shortened.
const WORDS: usize = 12;
const TEXT_WORDS: usize = 40;

/// One call: the rule as a sentence, the consequence when it is broken, and its source.
pub(super) fn step(page: &super::Page<'_>, step: &Difference, reviewed: &RuleNames<'_>) -> String {
    let op = step.change.op();
    let mark = match op {
        Op::Approve => "✅ ",
        Op::Reject => "⛔ ",
        Op::Create | Op::Update | Op::Delete | Op::Activate => "",
    };
    let verb = match op {
        Op::Approve | Op::Reject | Op::Activate => words::verb(op).to_uppercase(),
        Op::Create | Op::Update | Op::Delete => words::verb(op).to_owned(),
    };
    let rule = step.change.rule_name().map(|rule| format!(" › {}", code(rule))).unwrap_or_default();
    let place =
        step.source.as_ref().map(|origin| format!(" ({})", page.place(origin))).unwrap_or_default();
    let mut item = format!("- {} {mark}**{verb}** {}{rule}{place}\n", step.id, code(&step.policy));
    for detail in describe(step, reviewed) {
        item.push_str(&format!("  - {}\n", self::detail(&detail)));
    }
    item
}

fn detail(detail: &Detail) -> String {
    let short = |text: &str| {
        code(&shortened(&text.split_whitespace().collect::<Vec<_>>().join(" "), TEXT_WORDS))
    };
    match detail {
        Detail::Because(because) => format!("_{because}_"),
        Detail::Sentence(kind, sentence) => format!("{}: {}", code(kind), whole(sentence)),
        Detail::Fields(fields) => {
            let field = |(name, value): &(&str, String)| {
                format!("{} {}", name.replace('_', " "), short(value))
            };
            fields.iter().map(field).collect::<Vec<_>>().join(", ")
        }
        Detail::Broken(action, severity, rest) => {
            let severity = severity.as_deref().map_or_else(|| "none given".to_owned(), code);
            let rest = rest.as_ref().map(|rest| format!(", {}", code(rest))).unwrap_or_default();
            format!("when broken: {}, severity **{severity}**{rest}", code(action))
        }
        Detail::Quotation(quotation, place) => {
            let place =
                place.as_ref().map(|place| format!(", {}", code(place))).unwrap_or_default();
            format!("from the source{place}: {}", whole(quotation))
        }
        Detail::Drawn(by, score, low) => {
            let mark = if *low { "🟡 " } else { "" };
            format!("{mark}extracted by {} with a confidence of {:.0} %", code(by), score * 100.0)
        }
        Detail::Review(label, notes) => format!("{label}: {}", code(notes)),
        Detail::Words(field, runs) => format!("{}: {}", code(field), self::runs(runs)),
        Detail::Becomes(field, old, new) => {
            format!("{}: {} → {}", code(field), code(old), code(new))
        }
    }
}

/// The whole text up to a generous limit, since a reviewer reads everything that is approved.
fn whole(text: &str) -> String {
    const WHOLE: usize = 2_000;
    crate::diagnostic::sanitize::markdown(&super::shortened(text, WHOLE))
}

/// A text with removed words struck out and added words underlined.
fn runs(runs: &[(ChangeTag, String)]) -> String {
    let marked: Vec<String> = runs
        .iter()
        .map(|(tag, run)| match tag {
            ChangeTag::Equal => code(&shortened(run, WORDS)),
            ChangeTag::Delete => format!("<del>{}</del>", code(&shortened(run, TEXT_WORDS))),
            ChangeTag::Insert => format!("<ins>{}</ins>", code(&shortened(run, TEXT_WORDS))),
        })
        .collect();
    marked.join(" ")
}
