//! Documents for what is live: whatever an organization holds, planning right after an import is
//! empty.

mod command;
mod odd;
mod random;

use std::fs;
use std::path::Path;

use seawall::model::{
    Live, LiveBody, LivePolicy, LiveRule, Policy, PolicyId, RuleId, Team, TeamDirectory,
};
use seawall::service::docker::Snapshot;

pub(crate) const ORG: &str = "my-org";

/// A live organization of these policies, with a team of each name and two that share one.
pub(crate) fn organization(policies: Vec<Policy>) -> Live {
    let named = ["research", "platform", "no", "shared", "shared"].into_iter().zip(1..);
    let teams = named.map(|(name, number)| Team { id: team(number), name: name.to_owned() });
    let mut live: Vec<LivePolicy> = policies
        .into_iter()
        .zip(1..)
        .map(|(Policy { name, scope, body }, number)| {
            let rule = |(rule, index): (_, usize)| LiveRule {
                id: RuleId(format!("rule_{number}_{index}")),
                rule,
            };
            let body = match body {
                seawall::model::Body::Allowlist(rules) => {
                    LiveBody::Allowlist(rules.into_iter().zip(1..).map(rule).collect())
                }
                seawall::model::Body::Cedar(cedar) => LiveBody::Cedar(cedar),
            };
            LivePolicy { id: PolicyId(format!("pol_{number}")), name, scope, body }
        })
        .collect();
    live.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    Live { org: ORG.to_owned(), policies: live, teams: TeamDirectory::new(teams) }
}

pub(crate) fn team(number: usize) -> String {
    format!(
        "{number}{number}{number}{number}{number}{number}{number}{number}-1111-4111-8111-111111111111"
    )
}

/// A workspace with these settings beside the organization, and the snapshot `live.json`.
pub(crate) fn workspace(settings: &str, live: &Live) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text =
        format!("apiVersion: seawall/v1\nkind: Workspace\ndocker:\n  org: {ORG}\n{settings}");
    fs::write(folder.path().join("seawall.yaml"), text).unwrap();
    fs::write(folder.path().join("live.json"), Snapshot::from(live).text()).unwrap();
    folder
}

/// The files of a workspace, the snapshot and the settings aside, with their texts.
pub(crate) fn files(folder: &Path) -> Vec<(String, String)> {
    let walk = walkdir(folder, folder);
    walk.into_iter().filter(|(name, _)| name != "live.json" && name != "seawall.yaml").collect()
}

fn walkdir(root: &Path, folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(walkdir(root, &entry.path())),
            false => {
                let name = entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    found.sort();
    found
}
