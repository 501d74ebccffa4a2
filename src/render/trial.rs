//! Results of access tests: for people, as JSON, and as JUnit XML for pipelines.
//!
//! Invariant: every format tells which expectations failed, where they stand, and by which rules.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::answer::{DeclaredPolicies, details};
use super::view::{View, rest};
use crate::diagnostic::sanitize;
use crate::diagnostic::sanitize::{block, line};
use crate::model::{Origin, Policy};
use crate::trial::{Change, Check, Found, Mutation, Trial, count};

/// The tests that were run, and the policies that they ran against.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The tests.
    pub trials: &'a [Trial<'a>],
    /// The policies that were asked.
    pub policies: &'a [Policy],
    /// The locations of the policies; empty for live ones.
    pub places: DeclaredPolicies<'a>,
    /// Rules, as policy and rule, that no test exercises; `None` where that was not asked for.
    pub uncovered: Option<&'a [(usize, usize)]>,
    /// The results of changed rules, if that was asked for.
    pub mutation: Option<&'a Mutation>,
}

/// The number of tests of a result that are listed, failed expectations of a test, and rules.
const TESTS: usize = 24;
const EXPECTATIONS: usize = 12;
const RULES: usize = 24;

/// The view of a file for programs: nothing is left out.
const WHOLE: View<'_> = View { width: usize::MAX, all: true, folder: "" };

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

fn expected(check: &Check<'_>) -> &'static str {
    check.expected.expected.as_str()
}

fn rule_text(policies: &[Policy], policy: usize, rule: usize) -> String {
    let policy = policies.get(policy);
    let rule = policy
        .and_then(|policy| policy.rules().get(rule))
        .map(|rule| rule.name.as_str())
        .unwrap_or_default();
    format!("{} › {rule}", policy.map(|policy| policy.name.as_str()).unwrap_or_default())
}

/// For people, with a line end.
#[must_use]
pub fn human(report: &Report<'_>, view: View<'_>) -> String {
    let mut text = String::new();
    let (failing, passing): (Vec<_>, Vec<_>) =
        report.trials.iter().partition(|trial| !trial.passes());
    // Failing tests come last, next to the counts, where nobody has to scroll for them.
    for (trials, name) in [(passing, " tests pass"), (failing, " tests fail")] {
        let (first, more) = view.first(&trials, TESTS);
        for trial in first {
            write_trial(&mut text, trial, report, view);
        }
        text.push_str(&rest("", more, name, Style::new()));
    }
    let counts = count(report.trials);
    let of = |key: &str| counts.get(key).copied().unwrap_or_default();
    writeln!(
        text,
        "{} of {} tests pass, {} of {} expectations hold",
        of("passed"),
        of("tests"),
        of("held"),
        of("expectations")
    )
    .expect("writing to a string");
    if let Some(uncovered) = report.uncovered {
        let all: usize = report.policies.iter().map(|policy| policy.rules().len()).sum();
        writeln!(text, "{} of {all} rules decide an expectation", all - uncovered.len())
            .expect("writing to a string");
        let (first, more) = view.first(uncovered, RULES);
        for (policy, rule) in first {
            text.push_str(&rule_line("not tested", report, *policy, *rule, view));
        }
        text.push_str(&rest("  ", more, " rules", Style::new()));
    }
    if let Some(Mutation { total, survivors }) = report.mutation {
        writeln!(text, "{} of {total} changed rules make a test fail", total - survivors.len())
            .expect("writing to a string");
        let (first, more) = view.first(survivors, RULES);
        for survivor in first {
            let change = match survivor.change {
                Change::Deleted => "survives deleted",
                Change::Flipped => "survives flipped",
            };
            text.push_str(&rule_line(change, report, survivor.policy, survivor.rule, view));
        }
        text.push_str(&rest("  ", more, " rules", Style::new()));
    }
    text
}

/// Adds a test with those of its expectations that do not hold.
fn write_trial(text: &mut String, trial: &Trial<'_>, report: &Report<'_>, view: View<'_>) {
    let (style, mark) = if trial.passes() { (GREEN, "ok  ") } else { (RED, "FAIL") };
    text.push_str(&format!("{style}{mark}{style:#} {}\n", line(&trial.test.name)));
    let failed: Vec<&Check<'_>> = trial.checks.iter().filter(|check| !check.holds()).collect();
    let (first, more) = view.first(&failed, EXPECTATIONS);
    for check in first {
        text.push_str(&failure(check, report.places, view));
    }
    text.push_str(&rest("  ", more, " expectations", Style::new()));
}

fn rule_line(
    what: &str,
    report: &Report<'_>,
    policy: usize,
    rule: usize,
    view: View<'_>,
) -> String {
    let name = rule_text(report.policies, policy, rule);
    let place = report.places.rule(policy, Some(rule));
    let place = place.map(|place| format!("  {}", view.place(place))).unwrap_or_default();
    format!("  {what}: `{}`{place}\n", line(&name))
}

fn failure(check: &Check<'_>, places: DeclaredPolicies<'_>, view: View<'_>) -> String {
    let head = format!(
        "  {} expected {} {}",
        view.place(&check.expected.origin),
        expected(check),
        line(&check.expected.access)
    );
    match &check.found {
        Found::Answer(answer) => {
            let found = answer.level().as_str();
            format!("{head}, found {RED}{found}{RED:#}\n{}", details(answer, places, "    ", view))
        }
        Found::NoRequest(wrong) => {
            format!("{head}, but {}\n    help: {}\n", line(&wrong.message), line(&wrong.help))
        }
    }
}

/// As one JSON object, indented, with a line end.
#[must_use]
pub fn json(report: &Report<'_>) -> String {
    let rule = |policy: usize, rule: usize| {
        let stated = report.policies.get(policy);
        let name =
            stated.and_then(|policy| policy.rules().get(rule)).map(|rule| rule.name.as_str());
        let source = report.places.rule(policy, Some(rule));
        json!({"policy": stated.map(|policy| policy.name.as_str()), "rule": name, "source": source})
    };
    let tests: Vec<Value> =
        report.trials.iter().map(|trial| test_json(trial, report.places)).collect();
    let mut document =
        json!({"format_version": 1, "summary": count(report.trials), "tests": tests});
    if let Some(uncovered) = report.uncovered {
        let rules: Vec<Value> =
            uncovered.iter().map(|(policy, number)| rule(*policy, *number)).collect();
        set(&mut document, "uncovered", rules.into());
    }
    if let Some(Mutation { total, survivors }) = report.mutation {
        let survivor = |mutant: &crate::trial::Mutant| {
            let mut survivor = rule(mutant.policy, mutant.rule);
            set(&mut survivor, "change", json!(mutant.change));
            survivor
        };
        let survivors: Vec<Value> = survivors.iter().map(survivor).collect();
        set(&mut document, "mutation", json!({"total": total, "survivors": survivors}));
    }
    sanitize::json(&document)
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

fn test_json(trial: &Trial<'_>, places: DeclaredPolicies<'_>) -> Value {
    let checks: Vec<Value> = trial.checks.iter().map(|check| check_json(check, places)).collect();
    json!({
        "name": trial.test.name,
        "teams": trial.test.teams,
        "passed": trial.passes(),
        "source": trial.test.origin,
        "expectations": checks,
    })
}

fn check_json(check: &Check<'_>, places: DeclaredPolicies<'_>) -> Value {
    let mut value = json!({
        "expected": expected(check),
        "access": check.expected.access,
        "held": check.holds(),
        "source": check.expected.origin,
    });
    match &check.found {
        Found::Answer(answer) => {
            set(&mut value, "found", json!(answer.level().as_str()));
            set(&mut value, "reason", json!(answer.reason));
            let because: Vec<Value> = answer
                .because
                .iter()
                .map(|one| json!({"policy": one.policy_name, "rule": one.rule_name, "source": places.origin(one)}))
                .collect();
            set(&mut value, "because", because.into());
        }
        Found::NoRequest(wrong) => {
            set(&mut value, "found", Value::Null);
            set(&mut value, "reason", json!(wrong.message));
        }
    }
    value
}

/// A part of JUnit XML: the tests of one organization, counted.
#[derive(Debug, Default)]
pub struct Suites {
    text: String,
    checks: usize,
    failed: usize,
}

/// The tests of one organization, named with it where there are several.
#[must_use]
pub fn suites(report: &Report<'_>, org: Option<&str>) -> Suites {
    let mut suites = Suites::default();
    for trial in report.trials {
        let failed = trial.checks.iter().filter(|check| !check.holds()).count();
        let Origin { file, line: row, column: _ } = &trial.test.origin;
        let name = match org {
            Some(org) => xml(&format!("{org}: {}", trial.test.name)),
            None => xml(&trial.test.name),
        };
        let (file, tests) = (xml(file), trial.checks.len());
        writeln!(
            suites.text,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" file=\"{file}\" line=\"{row}\">"
        )
        .expect("writing to a string");
        for check in &trial.checks {
            suites.text.push_str(&case(check, &name, report.places));
        }
        suites.text.push_str("  </testsuite>\n");
        suites.checks += tests;
        suites.failed += failed;
    }
    suites
}

/// As JUnit XML.
#[must_use]
pub fn junit(all: impl Iterator<Item = Suites>) -> String {
    let Suites { text, checks, failed } = all.fold(Suites::default(), |sum, suites| Suites {
        text: sum.text + &suites.text,
        checks: sum.checks + suites.checks,
        failed: sum.failed + suites.failed,
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"seawall\" tests=\"{checks}\" failures=\"{failed}\">\n{text}</testsuites>\n"
    )
}

fn case(check: &Check<'_>, class: &str, places: DeclaredPolicies<'_>) -> String {
    let Origin { file, line: row, column: _ } = &check.expected.origin;
    let name = xml(&format!("{} {}", expected(check), check.expected.access));
    let head = format!(
        "    <testcase name=\"{name}\" classname=\"{class}\" file=\"{}\" line=\"{row}\"",
        xml(file)
    );
    if check.holds() {
        return head + "/>\n";
    }
    let message = match &check.found {
        Found::Answer(answer) => {
            format!(
                "expected {}, found {}: {}",
                expected(check),
                answer.level().as_str(),
                answer.reason
            )
        }
        Found::NoRequest(wrong) => wrong.message.clone(),
    };
    let body = anstream::adapter::strip_str(&failure(check, places, WHOLE)).to_string();
    format!(
        "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
        xml(&message),
        xml(&body)
    )
}

/// Text inside XML, also inside an attribute; what XML cannot hold stays visible as an escape.
fn xml(text: &str) -> String {
    let text = block(text);
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ => safe.push(character),
        }
    }
    // Written so, it is the same text, and no command to the runner of a pipeline.
    safe.replace("##[", "&#35;#[")
}
