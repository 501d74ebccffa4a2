//! What planning costs at the service's full size: 100 policies of 250 rules.
//!
//! `from_files` is everything from reading 4 MB of YAML to a rendered plan, the network aside. `order` puts the calls of
//! a change in order: one that is plain, and one with a deny that moves, which needs the search.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on fails"
)]

use std::fmt::Write as _;
use std::fs;

use divan::Bencher;
use seawall::check::{self, Emptiness};
use seawall::document::Guards;
use seawall::model::{Desired, Live, LiveBody, LivePolicy, LiveRule, PolicyId, RuleId, Team, TeamDirectory};
use seawall::plan::{self, Plan, Target, diff::Ownership};
use seawall::render::{self, plan::View};
use tempfile::TempDir;

fn main() {
    divan::main();
}

/// A document of 250 rules, 40 KB; `edition` changes a host of every tenth rule.
fn document(index: usize, edition: usize) -> String {
    let mut text = format!(
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Policy {index}\nscope:\n  teams: [team-{}]\nrules:\n",
        index % 20
    );
    for rule in 0..250 {
        let decision = if rule % 9 == 0 { "deny" } else { "allow" };
        let version = if rule % 10 == 0 { edition } else { 0 };
        write!(
            text,
            "  - name: {decision} service {rule}\n    decision: {decision}\n    actions: [connect:tcp]\n    resources:\n      \
             - service-{rule}.v{version}.team-{index}.example.com:443\n      - \"**.cdn-{rule}-{index}.example.com\"\n"
        )
        .unwrap();
    }
    text
}

fn workspace(edition: usize) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\n")
        .unwrap();
    for index in 0..100 {
        fs::write(folder.path().join(format!("{index}.yaml")), document(index, edition)).unwrap();
    }
    folder
}

fn desired(edition: usize) -> Desired {
    check::load(workspace(edition).path(), None, Emptiness::Refused).unwrap().desired
}

fn live(desired: &Desired) -> Live {
    let policies = desired.policies.iter().zip(0..).map(|(declared, index)| LivePolicy {
        id: PolicyId(format!("pol_{index}")),
        name: declared.policy.name.clone(),
        scope: declared.policy.scope.clone(),
        body: LiveBody::Allowlist(
            declared
                .policy
                .rules()
                .iter()
                .zip(0..)
                .map(|(rule, number)| LiveRule { id: RuleId(format!("rule_{index}_{number}")), rule: rule.clone() })
                .collect(),
        ),
    });
    let teams = (0..20).map(|team| Team { id: format!("team-{team}"), name: format!("team-{team}") });
    Live { org: "acme".to_owned(), policies: policies.collect(), teams: TeamDirectory::new(teams) }
}

fn make(desired: &Desired, live: &Live) -> Plan {
    let target = Target { org: "acme".to_owned(), endpoint: "embedded".to_owned() };
    let (ownership, guards) = (Ownership::default(), Guards::default());
    plan::make(plan::Input { target: &target, desired, live, ownership: &ownership, guards: &guards })
}

/// Nothing, a tenth of the rules, or everything is to be done.
#[divan::bench(args = ["nothing", "a tenth", "everything"], sample_count = 5)]
fn from_files(bencher: Bencher<'_, '_>, change: &str) {
    let folder = workspace(1);
    let mut live = live(&desired(usize::from(change == "nothing")));
    if change == "everything" {
        live.policies.clear();
    }
    bencher.bench_local(|| {
        let loaded = check::load(folder.path(), None, Emptiness::Refused).unwrap();
        render::plan::human(&make(&loaded.desired, &live), View { width: 120, all: true })
    });
}

#[divan::bench(args = [false, true], sample_count = 5)]
fn order(bencher: Bencher<'_, '_>, moves_a_deny: bool) {
    let desired = desired(1);
    let mut live = live(&desired);
    for policy in &mut live.policies {
        let LiveBody::Allowlist(rules) = &mut policy.body else { continue };
        for (index, live) in rules.iter_mut().enumerate().filter(|(index, _)| index % 10 == usize::from(!moves_a_deny))
        {
            let seawall::model::Resources::Plain(list) = &mut live.rule.resources else { continue };
            list[0] = format!("former-{index}.example.com");
        }
    }
    bencher.bench_local(|| make(&desired, &live).steps.len());
}
