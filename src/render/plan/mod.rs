//! A plan for people, on a terminal.
//!
//! Invariant: the effect comes before the calls, and widened access before narrowed access. Foreign
//! text passes [`crate::diagnostic::sanitize`]. Everything that is folded away is counted, and
//! shown by [`View::all`].

mod access;
mod steps;
mod vijil;

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};

pub use super::view::View;
use super::view::{MORE, rest};
use super::words;
use crate::diagnostic::sanitize::line;
use crate::plan::meaning::{Found, Meaning};
use crate::plan::saved::Service;
use crate::plan::set::Unplanned;
use crate::plan::warning::Warning;
use crate::plan::{ChangeSet, DockerPlan, LeftAlone, Plan};
use crate::source::parallel;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const CAREFUL: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The number of changes or steps below which one thread is faster.
const WORTH_A_THREAD: usize = 2_000;

/// The number of parts of a text that are written at the same time.
const PARTS_AT_A_TIME: usize = 8;

/// Writes parts of a text one after the other, several at the same time if they are long together:
/// if they are about so many changes or steps.
fn write_all<T: Send>(
    out: &mut String,
    parts: Vec<T>,
    about: usize,
    write: impl Fn(&mut String, T) -> fmt::Result + Sync,
) -> fmt::Result {
    if about < WORTH_A_THREAD {
        return parts.into_iter().try_for_each(|part| write(out, part));
    }
    // A few at a time: together they may be as long as the whole text, which has tens of megabytes.
    let mut parts = parts.into_iter();
    while !parts.as_slice().is_empty() {
        let few = parts.by_ref().take(PARTS_AT_A_TIME).collect();
        let texts = parallel::map(few, 1, |part| {
            let mut text = String::new();
            write(&mut text, part).map(|()| text)
        });
        let length: usize = texts.iter().flatten().map(String::len).sum();
        // The others are about as long, so that the text is not moved while it grows.
        out.reserve(length + length * parts.len() / texts.len());
        texts.into_iter().try_for_each(|text| out.write_str(&text?))?;
    }
    Ok(())
}

/// A plan as text with colours.
#[must_use]
pub fn human(plan: &Plan, view: View<'_>) -> String {
    let mut out = String::new();
    write_plan(&mut out, plan, view).expect("a string takes everything");
    out
}

/// Writes the differences, below a title: their effect on access, then the objects.
pub(super) fn write_changes(
    out: &mut String,
    title: &str,
    changes: &ChangeSet,
    view: View<'_>,
) -> fmt::Result {
    let ChangeSet { org, docker, access, teams, vijil } = changes;
    match org {
        Some(_) => writeln!(out, "{BOLD}{title}{BOLD:#}: {}", words::headline(access, plain))?,
        None => writeln!(out, "{BOLD}{title}{BOLD:#}")?,
    }
    access::write(out, access, view, false)?;
    steps::write(out, docker, teams, view)?;
    vijil::write(out, vijil, view, false)
}

/// Writes the changes of access, below a title, without objects.
pub(super) fn write_access(
    out: &mut String,
    title: &str,
    meaning: &Meaning,
    view: View<'_>,
) -> fmt::Result {
    writeln!(out, "{BOLD}{title}{BOLD:#}: {}", words::headline(meaning, plain))?;
    access::write(out, meaning, view, false)
}

/// The plans of several organizations, and a line for each at the end.
#[must_use]
pub fn several(plans: &[(String, Plan)], failed: &[Unplanned], view: View<'_>) -> String {
    let mut out = String::new();
    write_several(&mut out, plans, failed, view).expect("a string takes everything");
    out
}

fn write_several(
    out: &mut String,
    plans: &[(String, Plan)],
    failed: &[Unplanned],
    view: View<'_>,
) -> fmt::Result {
    for (_, plan) in plans {
        write_plan(out, plan, view)?;
        out.push('\n');
    }
    writeln!(out, "{BOLD}Summary{BOLD:#}")?;
    for (name, plan) in plans {
        let refused =
            plan.guards.iter().filter(|verdict| !verdict.ok).map(|verdict| verdict.guard.name());
        let refused: Vec<&str> = refused.collect();
        let name = line(name);
        match (plan.is_empty(), refused.is_empty()) {
            (true, true) => writeln!(out, "  {name}: nothing to change")?,
            (true, false) => {
                writeln!(out, "  {name}: {BAD}refused by {}{BAD:#}", refused.join(", "))?
            }
            (false, true) => {
                writeln!(
                    out,
                    "  {name}: {}; {}",
                    words::summary(plan.operations()),
                    headline(plan)
                )?;
            }
            (false, false) => {
                let counts = words::summary(plan.operations());
                writeln!(out, "  {name}: {counts}; {BAD}refused by {}{BAD:#}", refused.join(", "))?;
            }
        }
    }
    for Unplanned { org, message } in failed {
        writeln!(out, "  {}: {BAD}not planned{BAD:#}: {}", line(org), line(message))?;
    }
    Ok(())
}

fn write_plan(out: &mut String, plan: &Plan, view: View<'_>) -> fmt::Result {
    let org = line(plan.org().unwrap_or("Vijil"));
    let settings = plan.guards_from.as_ref().and_then(words::settings_headline);
    let settings = settings.map(|settings| format!(", {BAD}{settings}{BAD:#}")).unwrap_or_default();
    let from = plan.before.as_ref().map(|before| line(&before.from));
    let refused = refused(plan);
    if plan.is_empty() {
        let end = if settings.is_empty() { "." } else { "" };
        let same = match &from {
            Some(from) => format!("The documents for `{org}` match those of `{from}`"),
            None => format!("`{org}` matches the documents"),
        };
        let refused = match refused.is_empty() {
            true => String::new(),
            false => format!(", but {refused}"),
        };
        writeln!(out, "{GOOD}No changes{GOOD:#}{refused}. {same}{settings}{end}")?;
        write_settings(out, plan)?;
        plan.docker.iter().try_for_each(|docker| write_recorded(out, docker, view))?;
        write_refusals(out, plan)?;
        write_left_alone(out, plan, view)?;
        return write_not_live(out, plan);
    }
    let from =
        from.map(|from| format!(", compared with the documents of `{from}`")).unwrap_or_default();
    let decides = plan
        .vijil
        .as_ref()
        .and_then(|vijil| super::vijil::plan_headline(vijil, |text| line(text).into_owned()));
    let brief =
        steps::only_new(plan.docker_steps(), view) && vijil::only_new(plan.vijil_differences());
    if let Some(docker) = &plan.docker {
        let style = match (&docker.access.found, docker.access.gains().next()) {
            (Found::Incomplete(..), _) | (Found::Complete(_), Some(_)) => BAD,
            (Found::Complete(_), None)
                if docker.access.is_nothing() && docker.access.governed.is_empty() =>
            {
                GOOD
            }
            (Found::Complete(_), None) => CAREFUL,
        };
        let decides = decides.map(|decides| format!("; {decides}")).unwrap_or_default();
        let headline = docker_headline(docker);
        let tests = words::tests_headline(plan)
            .map(|tests| format!(", {BAD}{tests}{BAD:#}"))
            .unwrap_or_default();
        let blocks = super::replay::plan_headline(plan);
        let blocks = blocks.map(|blocks| format!(", {BAD}{blocks}{BAD:#}")).unwrap_or_default();
        let refused = refused_after(&refused);
        write!(out, "{BOLD}Plan for `{org}`{BOLD:#}{from}{refused}: {style}{headline}{style:#}")?;
        writeln!(out, "{tests}{blocks}{settings}{decides}")?;
        write_settings(out, plan)?;
        access::write(out, &docker.access, view, brief)?;
        write_without_effect(out, docker, view)?;
        write_flips(out, docker, view)?;
        write_recorded(out, docker, view)?;
        steps::write(out, docker.steps.iter().map(|step| &step.difference), &docker.teams, view)?;
    } else {
        let decides = decides.map(|decides| format!(": {decides}")).unwrap_or_default();
        let refused = refused_after(&refused);
        writeln!(out, "{BOLD}Plan for Vijil{BOLD:#}{from}{refused}{decides}{settings}")?;
        write_settings(out, plan)?;
    }
    vijil::write(out, plan.vijil_differences(), view, brief)?;
    plan.vijil
        .iter()
        .try_for_each(|side| vijil::write_buckets(out, &side.meaning.buckets, brief))?;
    write_left_alone(out, plan, view)?;
    write_warnings(out, plan, view)?;
    write_refusals(out, plan)?;
    write!(out, "\n{BOLD}{}{BOLD:#}", words::summary(plan.operations()))?;
    if let Some((tests, pass)) = words::tests_permitted(plan) {
        let style = if pass { GOOD } else { CAREFUL };
        write!(out, "; {style}{}{style:#}", line(tests))?;
    }
    match refused.is_empty() {
        true => out.push('\n'),
        false => writeln!(out, "; {refused}")?,
    }
    write_not_live(out, plan)
}

/// The guards that refuse a plan: ``refused by `max_deletes` ``; empty without any.
fn refused(plan: &Plan) -> String {
    let guards: Vec<String> = plan
        .guards
        .iter()
        .filter(|verdict| !verdict.ok)
        .map(|verdict| format!("`{}`", verdict.guard.name()))
        .collect();
    match guards.as_slice() {
        [] => String::new(),
        guards => format!("{BAD}refused by {}{BAD:#}", guards.join(", ")),
    }
}

fn refused_after(refused: &str) -> String {
    if refused.is_empty() { String::new() } else { format!(", {refused}") }
}

/// Writes the limit of a plan from other documents.
fn write_not_live(out: &mut String, plan: &Plan) -> fmt::Result {
    match &plan.before {
        Some(_) => writeln!(out, "{DIM}{}{DIM:#}", words::NOT_LIVE),
        None => Ok(()),
    }
}

/// The effect as a short phrase.
fn headline(plan: &Plan) -> String {
    plan.docker
        .as_ref()
        .map_or_else(|| words::headline(&Meaning::default(), plain), docker_headline)
}

/// The effect on access as a short phrase.
fn docker_headline(plan: &DockerPlan) -> String {
    let reason = words::without_effect_headline(plan, quoted).unwrap_or_default();
    format!("{}{reason}", words::headline(&plan.access, plain))
}

/// A foreign name.
pub(super) fn plain(name: &str) -> String {
    line(name).into_owned()
}

/// A foreign name in a sentence.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", line(name))
}

/// Writes the effect of the plan on recorded requests.
fn write_recorded(out: &mut String, plan: &DockerPlan, view: View<'_>) -> fmt::Result {
    plan.recorded.iter().try_for_each(|recorded| {
        out.push('\n');
        super::replay::write(out, recorded, view)
    })
}

fn write_refusals(out: &mut String, plan: &Plan) -> fmt::Result {
    if let Some(verdict) = plan.unjudged() {
        let (guard, message) = (verdict.guard.name(), line(&verdict.message));
        writeln!(out, "\n{CAREFUL}Not judged by `{guard}`{CAREFUL:#}: {message}")?;
    }
    plan.guards.iter().filter(|verdict| !verdict.ok).try_for_each(|verdict| {
        writeln!(
            out,
            "\n{BAD}Refused by `{}`{BAD:#}: {}",
            verdict.guard.name(),
            line(&verdict.message)
        )?;
        let ways = words::ways_past(verdict.guard, plan.guards_from.as_ref(), quoted);
        writeln!(out, "  help: {ways}")
    })
}

/// Writes the proposed settings that do not apply to the plan.
fn write_settings(out: &mut String, plan: &Plan) -> fmt::Result {
    let Some(guards) =
        plan.guards_from.as_ref().filter(|guards| !guards.found || !guards.changed.is_empty())
    else {
        return Ok(());
    };
    writeln!(out, "\n{BOLD}Settings{BOLD:#} (base: `{}`)", line(&guards.from))?;
    for change in &guards.changed {
        let (base, proposed) = words::settings(change);
        writeln!(
            out,
            "  {CAREFUL}~{CAREFUL:#} {}: {} → {}",
            line(&change.setting),
            line(&base),
            line(&proposed)
        )?;
    }
    writeln!(out, "  {DIM}{}{DIM:#}", words::settings_rule(guards))
}

/// Writes the changes without effect because of undeclared policies.
fn write_without_effect(out: &mut String, plan: &DockerPlan, view: View<'_>) -> fmt::Result {
    const LISTED: usize = 16;
    if plan.without_effect.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}Without effect{BOLD:#}")?;
    let listed = view.shown(plan.without_effect.len(), LISTED);
    for one in plan.without_effect.iter().take(listed) {
        let why = words::why_without_effect(one, quoted);
        let (sign, access) = (if one.widens { '+' } else { '-' }, one.access.text());
        let access = view.object(access);
        writeln!(
            out,
            "  {CAREFUL}{sign} {}{CAREFUL:#} for {}",
            line(&access),
            line(&one.audience.to_string())
        )?;
        writeln!(out, "        {why}")?;
    }
    out.write_str(&rest("  ", plan.without_effect.len().saturating_sub(listed), "", CAREFUL))
}

/// The access tests that fail after the plan and whose result changes.
fn write_flips(out: &mut String, plan: &DockerPlan, view: View<'_>) -> fmt::Result {
    const LISTED: usize = 16;
    let flips = words::failing_flips(plan, view.all);
    if !flips.is_empty() {
        writeln!(out, "\n{BOLD}Access tests whose result changes{BOLD:#}")?;
    }
    for flip in flips.iter().take(view.shown(flips.len(), LISTED)) {
        let style = if flip.after == flip.expected { GOOD } else { BAD };
        let (access, place) = (line(&flip.access), view.file_line(&flip.source));
        let (before, after) = (line(&flip.before), line(&flip.after));
        writeln!(out, "  {access}: {before} → {style}{after}{style:#}  {DIM}{place}{DIM:#}")?;
        writeln!(
            out,
            "        {DIM}expected {} by the test{DIM:#} {}",
            line(&flip.expected),
            line(&flip.test)
        )?;
    }
    let hidden = flips.len().saturating_sub(view.shown(flips.len(), LISTED));
    out.write_str(&rest("  ", hidden, "", CAREFUL))
}

fn write_warnings(out: &mut String, plan: &Plan, view: View<'_>) -> fmt::Result {
    const LISTED: usize = 16;
    let listed = view.shown(plan.warnings.len(), LISTED);
    for Warning { code: _, message, help, source } in plan.warnings.iter().take(listed) {
        let place = source.as_ref().map(|origin| format!("  {}", view.file_line(origin)));
        let place = place.unwrap_or_default();
        writeln!(out, "\n{CAREFUL}Warning{CAREFUL:#}: {}{DIM}{place}{DIM:#}", line(message))?;
        writeln!(out, "  {}", line(help))?;
    }
    match plan.warnings.len().saturating_sub(listed) {
        0 => Ok(()),
        hidden => writeln!(out, "\n{CAREFUL}… {hidden} more warnings{CAREFUL:#}, {MORE}"),
    }
}

fn write_left_alone(out: &mut String, plan: &Plan, view: View<'_>) -> fmt::Result {
    let kind = |one: &LeftAlone| match one.service {
        Service::Vijil if plan.docker.is_some() => " (for agents)",
        Service::Vijil | Service::Docker => "",
    };
    let name = |one: LeftAlone| format!("`{}`{}", one.policy, kind(&one));
    let names: Vec<String> = plan.left_alone().map(name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let label = words::left_alone_label(plan);
    writeln!(out, "\n{DIM}{label}{DIM:#} {}", view.list(&names, label.len() + 1))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{PARTS_AT_A_TIME, WORTH_A_THREAD, write_all};

    #[test]
    fn parts_of_a_text_stay_in_order() {
        for count in [0, 1, PARTS_AT_A_TIME, 3 * PARTS_AT_A_TIME + 1] {
            let mut out = "before ".to_owned();
            let parts: Vec<usize> = (0..count).collect();
            write_all(&mut out, parts, WORTH_A_THREAD, |out, part| write!(out, "{part} ")).unwrap();
            let expected: String = (0..count).map(|part| format!("{part} ")).collect();
            assert_eq!(out, format!("before {expected}"));
        }
    }
}
