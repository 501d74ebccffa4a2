//! The cost of a plan at the service's full size, 100 policies of 250 rules and 4 MB of YAML:
//! everything from reading files to a rendered plan, the network aside, within 0.5 s and 200 MB.
//!
//! Each case runs in a process of its own, as a plan does, so that its peak of memory is its own.
//! What the service answered is read from a snapshot before the clock starts. Of several runs the
//! fastest counts: what others do on the machine can only slow it down. `half` and `whole` show
//! that the cost grows with the documents: ten times as many take at most 11 times the time and the
//! memory. An argument runs the cases whose names hold it.
//!
//! The numbers hold for changes that people make to an organization, on two processors. Filling an
//! empty one with 25,000 rules at once, and swapping its blocks, are shown beside them: what they
//! say takes more room than the documents.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark prints and stops"
)]

mod process;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use process::{numbers, peak};
use seawall::model::{Guards, Live, Ownership};
use seawall::plan;
use seawall::render;
use seawall::render::plan::View;
use seawall::service::docker::Snapshot;
use seawall::workspace::{self, EmptyWorkspace};
use serde_json::{Value, json};
use tempfile::TempDir;

const POLICIES: usize = 100;
const RULES: usize = 250;
const TEAMS: usize = 20;
const RUNS: usize = 7;
const MOST_TIME: Duration = Duration::from_millis(500);
const MOST_MEMORY: u64 = 200_000_000;

/// The live state beside the documents, which are of edition 1.
/// Whether it is held to the numbers comes last.
const CASES: [(&str, usize, Before, bool); 9] = [
    ("nothing changes", POLICIES, Before::Same, true),
    ("twenty rules", POLICIES, Before::FewHosts, true),
    ("a tenth of the rules, half", POLICIES / 2, Before::OtherHosts, true),
    (WHOLE, POLICIES, Before::OtherHosts, true),
    ("a tenth of the rules, denies among them", POLICIES, Before::OtherDenies, false),
    ("blocks and folders", POLICIES, Before::OtherBlocks, false),
    ("everything is new, half", POLICIES / 2, Before::Nothing, false),
    ("everything is new, whole", POLICIES, Before::Nothing, false),
    (TEN_TIMES, 10 * POLICIES, Before::OtherHosts, false),
];
/// Larger than the service allows: what other services will have. The documents are of ten
/// organizations, each within the limits that are checked, and their plan is that of one.
const TEN_TIMES: &str = "a tenth of the rules, ten times as many";
/// The most that ten times the documents take, in times and memories of `WHOLE`.
const MOST_GROWTH: u64 = 11;
const WHOLE: &str = "a tenth of the rules, whole";

#[derive(Clone, Copy, PartialEq)]
enum Before {
    Same,
    FewHosts,
    OtherHosts,
    OtherDenies,
    OtherBlocks,
    Nothing,
}

fn main() {
    if let Some(folder) = process::measured() {
        return measured(Path::new(&folder[0]));
    }
    println!("{:<42}{:>10}{:>10}{:>10}{:>10}{:>10}", "", "load", "plan", "render", "all", "memory");
    let mut missed = Vec::new();
    let mut grown = Vec::new();
    for (name, policies, before, held) in
        CASES.into_iter().filter(|(name, ..)| process::is_wanted(name))
    {
        let folder = organization(policies, before);
        let runs: Vec<[u64; 4]> = (0..RUNS).map(|_| run(folder.path())).collect();
        let [load, plan, render, memory] =
            *runs.iter().min_by_key(|run| run[0] + run[1] + run[2]).unwrap();
        let all = load + plan + render;
        let milliseconds =
            |micros: u64| format!("{:.1} ms", Duration::from_micros(micros).as_secs_f64() * 1e3);
        let memory_text = format!("{} MB", memory / 1_000_000);
        println!(
            "{name:<42}{:>10}{:>10}{:>10}{:>10}{memory_text:>10}",
            milliseconds(load),
            milliseconds(plan),
            milliseconds(render),
            milliseconds(all)
        );
        if [WHOLE, TEN_TIMES].contains(&name) {
            grown.push((load, all, memory));
        }
        if held && (Duration::from_micros(all) >= MOST_TIME || memory >= MOST_MEMORY) {
            missed.push(name);
        }
    }
    if let [whole, ten_times] = grown.as_slice() {
        let most = |part: u64| MOST_GROWTH * part;
        assert!(
            ten_times.0 <= most(whole.0)
                && ten_times.1 <= most(whole.1)
                && ten_times.2 <= most(whole.2),
            "more than {MOST_GROWTH} times: load, all, memory: {whole:?}, {ten_times:?}"
        );
    }
    assert!(
        missed.is_empty(),
        "more than {MOST_TIME:?} or {} MB: {missed:?}",
        MOST_MEMORY / 1_000_000
    );
}

/// One run in a process of its own: microseconds of each stage, and bytes.
fn run(folder: &Path) -> [u64; 4] {
    numbers(process::measure().arg(folder)).try_into().unwrap()
}

fn measured(folder: &Path) {
    let live = live(&fs::read_to_string(folder.join("live.json")).unwrap());
    let started = Instant::now();
    let loaded = workspace::load(&folder.join("documents"), None, EmptyWorkspace::Refused);
    let Ok(loaded) = loaded else { panic!("the documents have errors") };
    let load = started.elapsed();
    let target = plan::docker::Target { org: "acme".to_owned(), endpoint: "embedded".to_owned() };
    let (ownership, guards) = (Ownership::default(), Guards::default());
    let side = plan::docker::Input {
        target: &target,
        desired: &loaded.desired,
        live: &live,
        ownership: &ownership,
    };
    let plan = plan::make(plan::Input { docker: Some(side), ..plan::Input::new(&guards) }).unwrap();
    let planned = started.elapsed();
    let text = render::plan::human(&plan, View { width: 120, all: true, folder: "" });
    let all = started.elapsed();
    assert!(!text.is_empty());
    let micros = |time: Duration| time.as_micros();
    println!("{} {} {} {}", micros(load), micros(planned - load), micros(all - planned), peak());
    // A process that ends gives everything back at once.
    std::process::exit(0);
}

fn live(text: &str) -> Live {
    Snapshot::parse(text).unwrap().docker.unwrap().live().unwrap()
}

/// A folder with `documents/` and `live.json`.
fn organization(policies: usize, before: Before) -> TempDir {
    let folder = TempDir::new().unwrap();
    let documents = folder.path().join("documents");
    process::workspace(&documents);
    if policies > POLICIES {
        let names: Vec<String> = (0..policies / POLICIES).map(org).collect();
        let settings =
            json!({"apiVersion": "seawall/v1", "kind": "Workspace", "docker": {"orgs": names}});
        fs::write(documents.join("seawall.yaml"), settings.to_string()).unwrap();
    }
    let mut live = Vec::new();
    for policy in 0..policies {
        let is_folder = before == Before::OtherBlocks && policy % 4 == 3;
        let rules: Vec<Rule> =
            (0..RULES).map(|number| rule(policy, number, before, true)).collect();
        let mut text = document(policy, is_folder, &rules);
        if policies > POLICIES {
            writeln!(text, "orgs: [{}]", org(policy / POLICIES)).unwrap();
        }
        fs::write(documents.join(format!("{policy}.yaml")), text).unwrap();
        let rules: Vec<Rule> =
            (0..RULES).map(|number| rule(policy, number, before, false)).collect();
        live.push(on_the_wire(policy, is_folder, &rules));
    }
    if before == Before::Nothing {
        live.clear();
    }
    let teams: Vec<Value> = (0..TEAMS)
        .map(|team| json!({"id": team_id(team), "name": format!("team-{team}")}))
        .collect();
    let snapshot =
        json!({"format_version": 1, "docker": {"org": "acme", "teams": teams, "policies": live}});
    fs::write(folder.path().join("live.json"), snapshot.to_string()).unwrap();
    folder
}

fn org(number: usize) -> String {
    format!("acme-{number}")
}

fn team_id(team: usize) -> String {
    format!("00000000-0000-0000-0000-{team:012}")
}

/// The decision, the action and the resources.
type Rule = (&'static str, &'static str, Vec<String>);

fn rule(policy: usize, number: usize, before: Before, declared: bool) -> Rule {
    let decision = if number.is_multiple_of(9) { "deny" } else { "allow" };
    let changes = match before {
        Before::Same | Before::Nothing => false,
        Before::FewHosts => policy.is_multiple_of(5) && number == 1,
        Before::OtherHosts => number % 10 == 1 && !number.is_multiple_of(9),
        Before::OtherDenies | Before::OtherBlocks => number.is_multiple_of(10),
    };
    let version = u8::from(changes && !declared);
    if before == Before::OtherBlocks && policy % 4 == 3 {
        let folders = vec![
            format!("~/team-{policy}/{number}/**"),
            format!("/data/{policy}/v{version}/{number}"),
        ];
        return (decision, "read", folders);
    }
    if before == Before::OtherBlocks && number.is_multiple_of(5) {
        let block =
            format!("10.{}.{}.0/24", (policy + usize::from(version) * 100) % 256, number % 256);
        return (decision, "connect:tcp", vec![block]);
    }
    (decision, "connect:tcp", process::hosts(policy as u64, number as u64, version).to_vec())
}

/// 40 KB.
fn document(policy: usize, is_folder: bool, rules: &[Rule]) -> String {
    let kind = if is_folder { "FilesystemPolicy" } else { "NetworkPolicy" };
    let mut text = format!(
        "apiVersion: seawall/v1\nkind: {kind}\nname: Policy {policy}\nscope:\n  teams: [{}]\nrules:\n",
        team_id(policy % TEAMS)
    );
    for (number, (decision, action, resources)) in rules.iter().enumerate() {
        write!(
            text,
            "  - name: {decision} service {number}\n    decision: {decision}\n    actions: [{action}]\n    resources:\n"
        )
        .unwrap();
        for resource in resources {
            writeln!(text, "      - \"{resource}\"").unwrap();
        }
    }
    text
}

fn on_the_wire(policy: usize, is_folder: bool, rules: &[Rule]) -> Value {
    let rule = |(number, (decision, action, resources)): (usize, &Rule)| {
        json!({"id": format!("rule_{policy}_{number}"), "name": format!("{decision} service {number}"),
               "decision": decision, "actions": [action], "resources": resources})
    };
    let rules: Vec<Value> = rules.iter().enumerate().map(rule).collect();
    let domain = if is_folder { "filesystem" } else { "network" };
    json!({"id": format!("pol_{policy}"), "name": format!("Policy {policy}"), "org": "acme",
           "scope": {"teams": [team_id(policy % TEAMS)]}, "allowlist_v0": {"domain": domain, "rules": rules}})
}
