//! The cost of recorded requests: a replay of 2,000,000 raw records (about 1 GB), beside DuckDB's
//! grouping of the same file.
//!
//! The goals: no slower than DuckDB takes to read and group the file, with the documents of a small
//! organization and with 25,000 rules in both states; four times the records in at most 4.2 times as
//! long with at most a tenth more memory; 100,000 different requests decided against 25,000 rules
//! within a second, and `usage` of them within two. `wc -l`, which reads the file once and does
//! nothing with it, is the limit.
//!
//! Each run has a process of its own, so that its peak of memory is its own; runs of both sides
//! alternate, and the fastest counts. On more than two processors,
//! `taskset -c 0,1 cargo bench --bench replay` gives all of them the same two. DuckDB is the
//! package of the Python index: `PYTHON` names an interpreter that has it. Without one, its column
//! stays empty and nothing is compared with it. The files, 5 GB, are in the folder for temporary
//! files, and are removed. An argument runs the parts whose names hold it: `records`, `growth`,
//! `requests`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark prints and stops"
)]

mod process;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use process::{is_wanted, numbers, peak};
use seawall::evidence::replay::{self, RuleOrigins, Side};
use seawall::evidence::{self, Memberships, Requests, usage};
use seawall::model::{DesiredPolicy, Policy, TeamDirectory};
use seawall::workspace::{self, EmptyWorkspace};
use tempfile::TempDir;

const RECORDS: u64 = 2_000_000;
const TIMES: u64 = 4;
/// Requests that differ.
const REQUESTS: u64 = 100_000;
const USERS: u64 = 1_000;
/// Requests of one user that differ.
const OWN: u64 = 300;
const LARGE: Size = Size { policies: 100, rules: 250, changed: 100 };
/// As the examples have it.
const SMALL: Size = Size { policies: 4, rules: 25, changed: 10 };
const TEAMS: u64 = 33;
const RUNS: usize = 3;

/// The size of an organization: its policies, the rules of each, and the step between those that
/// change.
#[derive(Clone, Copy)]
struct Size {
    policies: u64,
    rules: u64,
    changed: u64,
}

/// Reads and groups a file, and prints how long that took, in microseconds; the start of Python is
/// not counted.
const DUCKDB: &str = "
import sys, time, duckdb
c = duckdb.connect(); c.execute('SET threads = 2'); c.execute('SET enable_progress_bar = false'); start, used = time.monotonic(), time.process_time()
c.execute('''CREATE TEMP TABLE grouped AS SELECT decision, action_type, resource_id, network_egress.protocol,
  http_request.\"method\", http_request.path, deny_reason, username, count(*) AS count, min(timestamp) AS first, max(timestamp) AS last
  FROM read_json(?, format = 'newline_delimited', columns = {timestamp: 'VARCHAR', category: 'VARCHAR', decision: 'VARCHAR',
  action_type: 'VARCHAR', resource_id: 'VARCHAR', username: 'VARCHAR', enforcement_mode: 'VARCHAR', deny_reason: 'VARCHAR[]',
  network_egress: 'STRUCT(protocol VARCHAR)', http_request: 'STRUCT(\"method\" VARCHAR, path VARCHAR)'})
  WHERE category = 'AUDIT_CATEGORY_EVALUATION' AND enforcement_mode = 'enforce' GROUP BY ALL''', [sys.argv[1]])
took, used = time.monotonic() - start, time.process_time() - used
peak = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')]
print(int(took * 1e6), int(peak[0]) * 1024, int(used * 1e6))";

fn main() {
    if let Some(arguments) = process::measured() {
        let [part, folder, file] = arguments.try_into().unwrap();
        return measured(&part, Path::new(&folder), Path::new(&file));
    }
    let folder = TempDir::new().unwrap();
    for (name, size) in [("large", LARGE), ("small", SMALL)] {
        let both = folder.path().join(name);
        fs::create_dir(&both).unwrap();
        for name in ["now", "then"] {
            organization(&both.join(name), size, name == "now");
        }
    }
    let mut missed = Vec::new();
    if is_wanted("requests") {
        requests(&folder, &mut missed);
    }
    if is_wanted("records") || is_wanted("growth") {
        records(&folder, is_wanted("growth"), &mut missed);
    }
    assert!(missed.is_empty(), "goals that were missed: {missed:?}");
}

/// One run: how long it took, its peak of memory, and the time of processors, which others on the
/// machine change little.
type Cost = (Duration, u64, Duration);

fn show(name: &str, (took, memory, processors): Cost) {
    let (took, processors) = (took.as_secs_f64(), processors.as_secs_f64());
    println!(
        "{name:<48}{took:>9.2} s{processors:>9.2} s of processors{:>8} MB",
        memory / 1_000_000
    );
}

/// The time that processors have spent on this process, or on those that it started and that have
/// ended.
fn spent(own: bool) -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks = fields
        .skip(if own { 11 } else { 13 })
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// Deciding alone.
fn requests(folder: &TempDir, missed: &mut Vec<&'static str>) {
    let file = folder.path().join("requests.jsonl");
    write_records(&file, 0..REQUESTS, |number| (number, number * 7 % USERS));
    let [of_replay, of_usage] = ["replay", "usage"].map(|part| {
        let best = (0..RUNS)
            .map(|_| numbers(&mut own(part, &folder.path().join("large"), &file)))
            .min_by_key(|cost| cost[2])
            .unwrap();
        (Duration::from_micros(best[2]), best[3], Duration::from_micros(best[4]))
    });
    show("decide 100,000 requests, 25,000 rules, two states", of_replay);
    show("usage of 25,000 rules by 100,000 requests", of_usage);
    missed.extend((of_replay.0 >= Duration::from_secs(1)).then_some("deciding within a second"));
    missed.extend((of_usage.0 >= Duration::from_secs(2)).then_some("usage within two seconds"));
}

/// Everything from raw records to JSON.
fn records(folder: &TempDir, growth: bool, missed: &mut Vec<&'static str>) {
    let (one, four) = (folder.path().join("one.jsonl"), folder.path().join("four.jsonl"));
    write_records(&one, 0..RECORDS, asked);
    println!(
        "{:<48}{:>9.0} MB",
        "2,000,000 records",
        fs::metadata(&one).unwrap().len() as f64 / 1e6
    );
    let [large, small] = ["large", "small"].map(|name| folder.path().join(name));
    let mut costs: [Option<Cost>; 5] = [None; 5];
    let mut keep =
        |at: usize, cost: Option<Cost>| costs[at] = costs[at].into_iter().chain(cost).min();
    for _ in 0..RUNS {
        keep(0, Some(count_lines(&one)));
        keep(1, duckdb(&one));
        keep(2, Some(whole(&large, &one)));
        keep(3, Some(whole(&small, &one)));
    }
    if growth {
        write_records(&four, 0..RECORDS * TIMES, asked);
        (0..RUNS).for_each(|_| keep(4, Some(whole(&large, &four))));
    }
    let [limit, grouping, replay, of_small, longer] = costs;
    let (limit, replay, of_small) = (limit.unwrap(), replay.unwrap(), of_small.unwrap());
    show("wc -l", limit);
    if let Some(grouping) = grouping {
        show("DuckDB, read and grouped", grouping);
        missed.extend((replay.0 > grouping.0).then_some("no slower than DuckDB, 25,000 rules"));
        missed.extend((of_small.0 > grouping.0).then_some("no slower than DuckDB, 100 rules"));
    }
    show("seawall replay, 25,000 rules in both states", replay);
    show("seawall replay, 100 rules in both states", of_small);
    println!(
        "{:<48}{:>9.1} times",
        "  of reading the file once",
        of_small.0.as_secs_f64() / limit.0.as_secs_f64()
    );
    if let Some(longer) = longer {
        show("seawall replay of four times the records", longer);
        let (time, memory) = (
            longer.0.as_secs_f64() / replay.0.as_secs_f64(),
            longer.1 as f64 / replay.1.max(1) as f64,
        );
        println!("{:<48}{time:>9.2} times the time, {memory:.2} times the memory", "");
        missed.extend((time > 4.2).then_some("four times the records in 4.2 times the time"));
        missed.extend((memory > 1.1).then_some("four times the records with a tenth more memory"));
    }
}

fn own(part: &str, organization: &Path, file: &Path) -> Command {
    let mut command = process::measure();
    command.arg(part).arg(organization).arg(file);
    command
}

fn whole(organization: &Path, file: &Path) -> Cost {
    let started = Instant::now();
    let before = spent(false);
    let [load, read, decide, memory, _] =
        numbers(&mut own("replay", organization, file)).try_into().unwrap();
    let took = started.elapsed();
    println!(
        "  load {} ms, read until {} ms later, decide and write {} ms",
        load / 1000,
        read / 1000,
        decide / 1000
    );
    (took, memory, spent(false) - before)
}

fn count_lines(file: &Path) -> Cost {
    let (started, before) = (Instant::now(), spent(false));
    assert!(Command::new("wc").arg("-l").arg(file).output().unwrap().status.success());
    (started.elapsed(), 0, spent(false) - before)
}

fn duckdb(file: &Path) -> Option<Cost> {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let has = Command::new(&python)
        .args(["-c", "import duckdb"])
        .output()
        .is_ok_and(|output| output.status.success());
    has.then(|| {
        let [took, memory, processors] =
            numbers(Command::new(python).arg("-c").arg(DUCKDB).arg(file)).try_into().unwrap();
        (Duration::from_micros(took), memory, Duration::from_micros(processors))
    })
}

/// Prints the microseconds of loading documents, of reading records after that, and of deciding them,
/// the peak of memory, and the processors' time of deciding.
fn measured(part: &str, folder: &Path, file: &Path) {
    let started = Instant::now();
    // Commands read records while they load documents.
    let input = evidence::Input::Path(file.to_owned());
    let reading = thread::spawn(move || evidence::read(&[input]).unwrap());
    let now = workspace::load(&folder.join("now"), None, EmptyWorkspace::Refused);
    let now = now.unwrap().desired.policies;
    // `usage` has no other state.
    let then = (part == "replay").then(|| {
        workspace::load_base(&folder.join("then"), None, EmptyWorkspace::Refused).unwrap()
    });
    let then = then.map(|then| then.desired.policies).unwrap_or_default();
    let mut memberships = Memberships::default();
    (0..USERS).for_each(|user| {
        memberships.set(&format!("user-{user}"), [format!("team-{}", user % TEAMS)])
    });
    let loaded = started.elapsed();
    let reading = reading.join().unwrap();
    assert_eq!(reading.requests.skipped.broken, 0);
    let (read, before) = (started.elapsed(), spent(true));
    let text = match part {
        "usage" => used(&reading.requests, &now, &memberships),
        _ => replayed(&reading.requests, &then, &now, &memberships),
    };
    let (all, decided) = (started.elapsed(), spent(true) - before);
    assert!(!text.is_empty());
    let micros = |time: Duration| time.as_micros();
    println!(
        "{} {} {} {} {}",
        micros(loaded),
        micros(read - loaded),
        micros(all - read),
        peak(),
        micros(decided)
    );
    // A process that ends gives everything back at once.
    std::process::exit(0);
}

fn replayed(
    requests: &Requests,
    then: &[DesiredPolicy],
    now: &[DesiredPolicy],
    memberships: &Memberships,
) -> String {
    let plain = |declared: &[DesiredPolicy]| -> Vec<Policy> {
        declared.iter().map(|one| one.policy.clone()).collect()
    };
    let (before, after) = (plain(then), plain(now));
    let (places, new_places) = (RuleOrigins::new(then), RuleOrigins::new(now));
    let found = replay::replay(replay::Input {
        requests,
        before: Side { policies: &before, places: &places },
        after: Side { policies: &after, places: &new_places },
        memberships,
        teams: &TeamDirectory::default(),
        named: false,
    });
    assert!(!found.newly_denied.is_empty() && found.unchanged > 0 && found.adds_up());
    found.to_json()
}

fn used(requests: &Requests, declared: &[DesiredPolicy], memberships: &Memberships) -> String {
    let found = usage::usage(usage::Input { requests, declared, memberships, least: 0 });
    assert_eq!(found.rules.len() as u64, LARGE.policies * LARGE.rules);
    assert!(found.rules.iter().any(|rule| rule.used == usage::Use::Decides));
    found.to_json()
}

/// Policies for an organization; of `now`, some rules are gone from their hosts.
fn organization(folder: &Path, size: Size, now: bool) {
    process::workspace(folder);
    for policy in 0..size.policies {
        let mut text =
            format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Policy {policy}\n");
        if !policy.is_multiple_of(10) {
            writeln!(text, "scope: {{teams: [team-{}]}}", policy % TEAMS).unwrap();
        }
        text.push_str("rules:\n");
        for number in 0..size.rules {
            // Blocks are denied, but for the members of a few teams, for whom names then hang on
            // their addresses.
            let denied = number.is_multiple_of(9) || number % 10 == 8 && policy % 10 != 3;
            let decision = if denied { "deny" } else { "allow" };
            let version = u8::from(now && number.is_multiple_of(size.changed));
            write!(text, "  - name: rule {number}\n    decision: {decision}\n    ").unwrap();
            match number % 10 {
                9 => writeln!(
                    text,
                    "actions: [request:get]\n    http_resources:\n      - {{host: api-{policy}.example.com, port: 443, path: /repos/{number}/**}}"
                ),
                8 => writeln!(text, "actions: [connect:tcp]\n    resources: [\"10.{policy}.{number}.0/24\"]"),
                _ => {
                    let [one, other] = process::hosts(policy, number, version);
                    writeln!(text, "actions: [connect:tcp]\n    resources:\n      - \"{one}\"\n      - \"{other}\"")
                }
            }
            .unwrap();
        }
        fs::write(folder.join(format!("{policy}.yaml")), text).unwrap();
    }
}

/// The request and the user of a record: each user's own first, then some of them again, the first
/// ones more often.
fn asked(record: u64) -> (u64, u64) {
    let (user, turn) = (record % USERS, record / USERS);
    let scattered = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let own = if turn < OWN { turn } else { scattered % OWN * (scattered / OWN % OWN) / OWN };
    ((user * 97 + own * 331) % REQUESTS, user)
}

/// Local records of 500 bytes on average, as sandboxes write them.
fn write_records(file: &Path, records: std::ops::Range<u64>, asked: impl Fn(u64) -> (u64, u64)) {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(file).unwrap());
    let random = |seed: u64| seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for record in records {
        let (request, user) = asked(record);
        let Size { policies, rules, .. } = LARGE;
        let (policy, number) = (request % policies, request / policies % rules);
        let host = match request / (policies * rules) {
            0 => format!("service-{number}.v0.team-{policy}.example.com"),
            1 => format!("edge-{number}.cdn-{number}-{policy}.example.com"),
            2 => format!("api-{policy}.example.com"),
            _ => format!("packages-{number}.mirror-{policy}.example.org"),
        };
        let http = request / (policies * rules) == 2;
        let (second, part) = (record % 2_592_000, record % 1_000_000);
        let (day, hour, minute) = (1 + second / 86_400, second / 3_600 % 24, second / 60 % 60);
        let denied = request.is_multiple_of(9);
        let (category, decision) = match record % 50 {
            0 => ("EXECUTION", "ALLOW"),
            _ if denied => ("EVALUATION", "DENY"),
            _ => ("EVALUATION", "ALLOW"),
        };
        let (action, object) = match http {
            true => (
                "http_request",
                format!(
                    r#"{{"method":"HTTP_METHOD_GET","host":"{host}","port":"443","path":"/repos/{number}/contents/src"}}"#
                ),
            ),
            false => ("network_egress", r#"{"protocol":"tcp"}"#.to_owned()),
        };
        let reason = match denied {
            true => format!(
                r#","deny_reason":["no applicable policies for op(action=net:connect:tcp, resource=net:domain:{host}:443)"]"#
            ),
            false => String::new(),
        };
        writeln!(
            file,
            r#"{{"audit_event_id":"{:08x}-93c9-4f29-bde7-{:012x}","timestamp":"2026-11-{day:02}T{hour:02}:{minute:02}:{:02}.{part:06}Z","schema_version":"1.216.0","category":"AUDIT_CATEGORY_{category}","decision":"AUDIT_DECISION_{decision}","username":"user-{user}","org_id":"f3b1a9d4-5d5d-4c0e-9a53-7a2f1f0e9c11","org_name":"acme","audit_session_id":"{:016x}","resource_id":"{host}:443","os":"macos","app_version":"v0.47.0","client_name":"sbx","hostname":"laptop-{user}"{reason},"enforcement_mode":"enforce","action_type":"{action}","{action}":{object},"agent":"claude"}}"#,
            random(record) >> 32,
            record,
            second % 60,
            random(record / 200),
        )
        .unwrap();
    }
    file.flush().unwrap();
}
