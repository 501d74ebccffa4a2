//! A plan for a comment on a pull request or a job summary.
//!
//! Invariant: never longer than a comment on GitHub may be, however large the plan: entries that do
//! not fit are counted, and those that widen access are the last to be left out. All foreign text
//! is in code spans and code blocks that it cannot end, so that it is never markup, a mention or a
//! link.

mod access;
mod vijil;

use similar::TextDiff;

use super::describe::{Description, Detail, Title, describe};
use super::inline::{attribute, code, place, prose, reason, shortened};
use super::words;
use crate::access::cedar::StatementChange;
use crate::diagnostic::list::first;
use crate::diagnostic::sanitize::markdown_block;
use crate::model::{Origin, TeamDirectory};
use crate::plan::docker::Difference;
use crate::plan::flips::Flip;
use crate::plan::set::Unplanned;
use crate::plan::step::Op;
use crate::plan::undeclared::Undeclared;
use crate::plan::vijil::Bucket;
use crate::plan::warning::{Finding, Warning};
use crate::plan::{ChangeSet, DockerPlan, GuardsFrom, Plan};
use crate::report::Links;

/// The largest number of characters in a comment on GitHub.
pub const MOST: usize = 65_536;
/// The space that is reserved for closing marks and for the caller's hidden marker.
const RESERVE: usize = 1_536;
/// The length up to which access is listed, so that there is always room for some steps.
const ACCESS: usize = 40_000;
/// The length up to which recorded requests are listed.
const RECORDED: usize = 56_000;
/// The length to which a change of a text is shortened, in characters.
const DIFF: usize = 4_000;
/// The advice for entries that are left out of a plan that cannot be saved.
const MORE: &str = "`seawall plan -v` has them all";
/// The number of items of a list that are shown.
const ITEMS: usize = 20;

/// The origin of a comment's plan, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made<'a> {
    /// The commit that it is for, so that nobody applies it to a later commit.
    pub commit: Option<&'a str>,
    /// The address of the run that made it, which has the whole plan.
    pub run: Option<&'a str>,
    /// The address of the access report.
    pub report: Option<&'a str>,
    /// The addresses of the documents, for links.
    pub links: Option<&'a Links>,
}

/// A plan as a comment, with at most [`MOST`] characters including a marker.
#[must_use]
pub fn comment(plan: &Plan, Made { commit, run, report, links }: Made<'_>) -> String {
    let about = commit.map(|commit| format!("For the commit {}.", code(commit)));
    let rest =
        run.map(|run| format!("The whole plan is in <a href=\"{}\">this run</a>.", attribute(run)));
    let report = report.map(|report| {
        format!(
            "<a href=\"{}\">The access report</a> shows who may reach what afterwards.",
            attribute(report)
        )
    });
    let notes: Vec<String> = about.into_iter().chain(rest).chain(report).collect();
    let text = linked(plan, links);
    if notes.is_empty() {
        return text;
    }
    format!("{}\n\n<sub>{}</sub>\n", text.trim_end(), notes.join(" "))
}

/// The plans of several organizations, one below the other, in the same space.
#[must_use]
pub fn plans(plans: &[(String, Plan)], failed: &[Unplanned]) -> String {
    let saved = plans.iter().all(|(_, plan)| plan.before.is_none());
    let mut page =
        Page { text: String::new(), limit: MOST - RESERVE, left_out: 0, saved, links: None };
    for Unplanned { org, message } in failed {
        page.add(&format!(
            "> [!CAUTION]\n> {} could not be planned: {}\n\n",
            code(org),
            code(message)
        ));
    }
    for (_, plan) in plans {
        page.add(&format!("{}\n\n", self::plan(plan).trim_end()));
    }
    page.close_section("plans");
    page.text
}

/// A plan as Markdown, with at most [`MOST`] characters including a marker and addresses.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    linked(plan, None)
}

fn linked(plan: &Plan, links: Option<&Links>) -> String {
    let saved = plan.before.is_none();
    let mut page = Page { text: String::new(), limit: MOST - RESERVE, left_out: 0, saved, links };
    page.add(&format!("### seawall: {}\n\n", headline(plan)));
    if let Some(guards) =
        plan.guards_from.as_ref().filter(|guards| !guards.found || !guards.changed.is_empty())
    {
        page.add(&settings(guards));
    }
    for verdict in plan.guards.iter().filter(|verdict| !verdict.ok) {
        page.add(&format!(
            "> [!CAUTION]\n> Refused by `{}`: {}<br>To get past it, {}.\n\n",
            verdict.guard.name(),
            prose(&verdict.message),
            words::ways_past(verdict.guard, plan.guards_from.as_ref(), code)
        ));
    }
    if let Some(verdict) = plan.unjudged() {
        page.add(&format!(
            "> [!WARNING]\n> Not judged by `{}`: {}\n\n",
            verdict.guard.name(),
            prose(&verdict.message)
        ));
    }
    let (warnings, more) = first(&plan.warnings, ITEMS);
    for Warning { code: _, message, help, source } in warnings {
        let place =
            source.as_ref().map(|origin| format!(" ({})", page.place(origin))).unwrap_or_default();
        page.add(&format!("> [!WARNING]\n> {}{place}: {}\n\n", prose(message), prose(help)));
    }
    if more > 0 {
        page.add(&format!("> [!WARNING]\n> … and {more} more warnings\n\n"));
    }
    write_findings(&mut page, plan);
    if let Some(docker) = &plan.docker {
        write_access(&mut page, docker, words::tests_permitted(plan));
    }
    if plan.vijil_differences().next().is_some() {
        let operations = plan.vijil_differences().map(|step| step.change.operation());
        page.add(&format!("#### Rules for agents: {}\n\n", words::summary(operations)));
    }
    write_vijil(&mut page, plan.vijil_differences());
    let buckets: Vec<&Bucket> =
        plan.vijil.iter().flat_map(|vijil| &vijil.meaning.buckets).collect();
    if !buckets.is_empty() {
        page.add(&format!("#### {} ({})\n\n", words::BUCKETS, words::BUCKETS_ARE));
        for Bucket { action, before, after } in buckets {
            let action = action.as_deref().map_or_else(|| words::NO_ACTION.to_owned(), code);
            page.add(&format!("- {action}: {before} → {}\n", words::count(*after, "rule")));
        }
        page.close_section("consequences");
    }
    if let Some(docker) = plan.docker.as_ref().filter(|docker| !docker.steps.is_empty()) {
        write_calls(&mut page, docker, plan.vijil_steps().is_empty());
    }
    let names: Vec<String> = plan.left_alone().map(|one| one.policy).collect();
    if !names.is_empty() {
        page.add(&format!("{} {}\n\n", words::left_alone_label(plan), list(&names)));
    }
    if plan.before.is_some() {
        page.add(&format!("<sub>{}</sub>\n\n", words::NOT_LIVE));
    }
    page.text
}

/// The differences as Markdown below a title, with the limits of a plan.
pub(super) fn changes(title: &str, changes: &ChangeSet) -> String {
    let ChangeSet { org, docker, access, teams, vijil } = changes;
    let mut page =
        Page { text: String::new(), limit: MOST - RESERVE, left_out: 0, saved: true, links: None };
    let decides = super::vijil::headline(vijil);
    let headline = match (org, decides) {
        (Some(org), None) => format!("{} in {}", words::headline(access, code), code(org)),
        (Some(org), Some(decides)) => {
            format!("{} in {}; {decides}", words::headline(access, code), code(org))
        }
        (None, decides) => decides.unwrap_or_else(|| VIJIL_CHANGE.to_owned()),
    };
    page.add(&format!("### {title}: {headline}\n\n"));
    access::write(&mut page, access);
    write_objects(&mut page, &words::summary(changes.operations()), docker, teams);
    write_vijil(&mut page, vijil);
    page.text
}

/// The headline of a plan for Vijil that weakens and decides nothing.
const VIJIL_CHANGE: &str = "changes policies for agents";

/// Writes the findings of checks that the change introduces.
fn write_findings(page: &mut Page<'_>, plan: &Plan) {
    if plan.findings.is_empty() {
        return;
    }
    page.add("#### New warnings about the documents\n\n");
    let (findings, more) = first(&plan.findings, ITEMS);
    for Finding { code: check, message, help, source } in findings {
        let place =
            source.as_ref().map(|origin| format!(", {}", page.place(origin))).unwrap_or_default();
        let help = help.as_ref().map(|help| format!("<br>{}", prose(help))).unwrap_or_default();
        page.add(&format!("- ⚠️ {} ({}{place}){help}\n", prose(message), code(check)));
    }
    if more > 0 {
        page.add(&format!("- … and {more} more: `seawall validate` lists them all\n"));
    }
    page.close_section("warnings");
}

/// Writes the effect on access, on access tests and on recorded requests. `tests` is what the guard
/// of access tests says, unless it refuses the plan.
fn write_access(page: &mut Page<'_>, plan: &DockerPlan, tests: Option<(&str, bool)>) {
    access::write(page, &plan.access);
    if !plan.without_effect.is_empty() {
        page.add("#### Without effect\n\n");
        for one in &plan.without_effect {
            let (sign, access) = (if one.widens { '+' } else { '-' }, code(&one.access.text()));
            let why = words::why_without_effect(one, code);
            page.add(&format!(
                "- `{sign}` {access} for {}: {why}\n",
                words::people(&one.audience, code)
            ));
        }
        page.close_section("changes without effect");
    }
    if let Some((tests, pass)) = tests {
        let sign = if pass { "✅" } else { "⚠️" };
        page.add(&format!("{sign} {}\n\n", prose(tests)));
    }
    let flips = words::failing_flips(plan, false);
    if !flips.is_empty() {
        page.add("#### Access tests that fail\n\n");
        for Flip { test, access, expected, before, after, source, teams: _ } in flips {
            let place = page.place(source);
            let answers =
                format!("{} → **{}**, expected {}", code(before), code(after), code(expected));
            page.add(&format!("- 🔴 {}: {answers} by {} ({place})\n", code(access), code(test)));
        }
        page.close_section("access tests");
    }
    if let Some(recorded) = &plan.recorded {
        page.add("#### Recorded requests\n\n");
        page.limit = RECORDED;
        let links = page.links;
        for piece in super::replay::pieces(recorded, |because| reason(links, because)) {
            page.add(&piece);
        }
        page.limit = MOST - RESERVE;
        page.close_section("entries about recorded requests");
    }
}

/// Writes the calls, folded, since their effect is listed above.
fn write_calls(page: &mut Page<'_>, plan: &DockerPlan, alone: bool) {
    let calls = words::count(plan.steps.len(), "call");
    let service = if alone { "" } else { " to Docker" };
    let summary = words::summary(plan.steps.iter().map(|step| step.change.operation()));
    page.add(&format!("<details><summary><b>{calls}</b>{service}: {summary}</summary>\n\n"));
    for (policy, differences) in words::by_policy(plan.steps.iter().map(|step| &step.difference)) {
        write_policy(page, policy, &differences, &plan.teams, false);
    }
    page.text.push_str("</details>\n\n");
    page.close_section("steps");
}

fn write_objects<'a>(
    page: &mut Page<'_>,
    summary: &str,
    differences: impl IntoIterator<Item = &'a Difference>,
    teams: &TeamDirectory,
) {
    page.add(&format!("#### Changes: {summary}\n\n"));
    for (policy, differences) in words::by_policy(differences) {
        write_policy(page, policy, &differences, teams, true);
    }
    page.close_section("steps");
}

fn write_vijil<'a>(
    page: &mut Page<'_>,
    differences: impl IntoIterator<Item = &'a crate::plan::vijil::Difference>,
) {
    let differences: Vec<_> = differences.into_iter().collect();
    let reviewed = super::vijil::reviewed(differences.iter().copied());
    for difference in differences {
        let step = vijil::step(page, difference, &reviewed);
        page.add(&step);
    }
    page.close_section("steps about agents");
}

/// Undeclared live policies, and their effect on access.
pub(super) fn undeclared(undeclared: &Undeclared) -> String {
    let mut page =
        Page { text: String::new(), limit: MOST - RESERVE, left_out: 0, saved: false, links: None };
    page.add(&format!(
        "### Effect of undeclared live policies: {}\n\n",
        words::headline(&undeclared.access, code)
    ));
    for one in &undeclared.policies {
        page.add(&format!("- {}\n", words::undeclared(one, code)));
    }
    page.close_section("undeclared policies");
    access::write(&mut page, &undeclared.access);
    page.text
}

/// The proposed settings that do not apply to the plan.
fn settings(guards: &GuardsFrom) -> String {
    let mut text = format!(
        "> [!WARNING]\n> Settings, against the base {}: {}\n",
        code(&guards.from),
        words::settings_rule(guards)
    );
    let (changed, more) = first(&guards.changed, ITEMS);
    for change in changed {
        let (base, proposed) = words::settings(change);
        text.push_str(&format!(
            "> - {}: {} → {}\n",
            code(&change.setting),
            code(&base),
            code(&proposed)
        ));
    }
    if more > 0 {
        text.push_str(&format!("> - … and {more} more\n"));
    }
    text.push('\n');
    text
}

fn headline(plan: &Plan) -> String {
    let settings = plan.guards_from.as_ref().and_then(words::settings_headline);
    let settings = settings.map(|settings| format!(", {settings}")).unwrap_or_default();
    let from = plan
        .before
        .as_ref()
        .map(|before| format!(", compared with the documents of {}", code(&before.from)));
    let guards: Vec<&str> =
        plan.guards.iter().filter(|one| !one.ok).map(|one| one.guard.name()).collect();
    let refused = match guards.as_slice() {
        [] => String::new(),
        guards => format!("refused by {}: ", guards.join(", ")),
    };
    format!("{refused}{}{settings}{}", access_headline(plan), from.unwrap_or_default())
}

fn access_headline(plan: &Plan) -> String {
    let org = plan.org().map_or_else(|| "Vijil".to_owned(), code);
    let decides = plan.vijil.as_ref().and_then(|vijil| super::vijil::plan_headline(vijil, code));
    if plan.is_empty() {
        format!("nothing to change in {org}")
    } else if let Some(docker) = &plan.docker {
        let decides = decides.map(|decides| format!("; {decides}")).unwrap_or_default();
        let tests =
            words::tests_headline(plan).map(|tests| format!(", {tests}")).unwrap_or_default();
        let blocks = super::replay::plan_headline(plan)
            .map(|blocks| format!(", {blocks}"))
            .unwrap_or_default();
        let headline = words::headline(&docker.access, code);
        let reason = words::without_effect_headline(docker, code).unwrap_or_default();
        format!("{headline} in {org}{reason}{tests}{blocks}{decides}")
    } else {
        decides.unwrap_or_else(|| VIJIL_CHANGE.to_owned())
    }
}

/// Text with a limit. A piece is added as a whole, or left out and counted.
struct Page<'a> {
    text: String,
    limit: usize,
    left_out: usize,
    /// True if a saved plan has the pieces that are left out.
    saved: bool,
    /// The addresses of the documents, for links.
    links: Option<&'a Links>,
}

impl Page<'_> {
    /// A place in a document, as a link if its address is known.
    fn place(&self, origin: &Origin) -> String {
        place(self.links, origin)
    }

    /// Returns `true` if the piece fits.
    fn add(&mut self, piece: &str) -> bool {
        // Bytes are never fewer than characters.
        let fits = self.text.len() + piece.len() <= self.limit;
        if fits {
            self.text.push_str(piece);
        } else {
            self.left_out += 1;
        }
        fits
    }

    fn close_section(&mut self, what: &str) {
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            let saved = if self.saved {
                "the saved plan has them all, as has `seawall plan -v`"
            } else {
                MORE
            };
            self.text.push_str(&format!("**… and {left_out} more {what}**: {saved}.\n\n"));
        }
        self.text.push('\n');
    }
}

fn write_policy(
    page: &mut Page<'_>,
    policy: &str,
    steps: &[&Difference],
    teams: &TeamDirectory,
    folded: bool,
) {
    let title = format!("{}: {}", code(policy), words::count(steps.len(), "step"));
    let (start, end) = match folded {
        true => (format!("<details><summary>{title}</summary>\n\n"), "\n</details>\n\n"),
        false => (format!("{title}\n\n"), "\n"),
    };
    let mut heading = start;
    for step in steps {
        let step = self::step(page, step, teams);
        if page.add(&format!("{heading}{step}")) {
            heading.clear();
        }
    }
    if heading.is_empty() {
        page.text.push_str(end);
    }
}

fn step(page: &Page<'_>, step: &Difference, teams: &TeamDirectory) -> String {
    let Description { op, title, details } = describe(step, teams);
    let sign = match op {
        Op::Create => '+',
        Op::Update | Op::Approve | Op::Reject | Op::Activate => '~',
        Op::Delete => '-',
    };
    let title = match &title {
        Title::Policy(teams, None) => format!("the policy, for {}", members(teams)),
        Title::Policy(teams, Some(rules)) => {
            format!("the policy, for {}, with {}", members(teams), words::count(*rules, "rule"))
        }
        Title::PolicyItself => "the policy itself".to_owned(),
        Title::Rule(name) => code(name),
        Title::Renamed(old, new) => format!("{} → {}", code(old), code(new)),
    };
    let mut text = format!("- {} `{sign}` {title}", step.id);
    if let Some(origin) = &step.source {
        text.push_str(&format!(" ({})", page.place(origin)));
    }
    text.push('\n');
    details.iter().for_each(|detail| text.push_str(&self::detail(detail)));
    text
}

fn detail(detail: &Detail) -> String {
    match detail {
        Detail::Because(because) => format!("  - _{because}_\n"),
        Detail::Says(decision, actions, resources) => {
            format!(
                "  - **{}** {} {}\n",
                words::decision(*decision),
                list(actions),
                list(resources)
            )
        }
        Detail::Flips(old, new) => {
            format!("  - decision: {} → **{}**\n", words::decision(*old), words::decision(*new))
        }
        Detail::Becomes(label, old, new) => format!("  - {label}: {} → {}\n", code(old), code(new)),
        Detail::Scope(old, new) => format!("  - scope: {} → {}\n", members(old), members(new)),
        Detail::Items(label, gone, come) => {
            let signed = |sign, items: &[String]| match items {
                [] => String::new(),
                items => format!("  - {label}: `{sign}` {}\n", list(items)),
            };
            signed('-', gone) + &signed('+', come)
        }
        Detail::Text(old, new) => text(old, new),
        Detail::Statements(changes) if changes.is_empty() => {
            format!("  - _{}_\n", words::SAME_STATEMENTS)
        }
        Detail::Statements(changes) => {
            let change = |change: &StatementChange| {
                let diff = match change {
                    StatementChange::Added(new) => text("", new),
                    StatementChange::Removed(old) => text(old, ""),
                    StatementChange::Changed(old, new) => text(old, new),
                };
                format!("  - {}\n{diff}", words::statement(change))
            };
            changes.iter().map(change).collect()
        }
    }
}

/// A text that changes, by lines.
fn text(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(2)
        .missing_newline_hint(false)
        .to_string();
    format!("\n{}\n", markdown_block(&shortened(&diff, DIFF)).replacen('\n', "diff\n", 1))
}

fn members(teams: &[String]) -> String {
    words::members(teams, code)
}

fn list(items: &[String]) -> String {
    let (shown, more) = first(items, ITEMS);
    let shown: Vec<String> = shown.iter().map(|item| code(item)).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}
