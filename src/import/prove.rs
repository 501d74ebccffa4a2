//! Makes files from candidates and verifies them.
//!
//! Invariant: a file is returned only if the workspace, loaded with it, declares a policy that is
//! equal to the live one and that a plan does not touch, so that no access changes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Candidate, File, Import, Location, Refused, modeline, name, vijil};
use crate::check;
use crate::diagnostic::{Diagnostic, FileId, Findings, Overlay, Severity, list};
use crate::document::Settings;
use crate::exit::Failure;
use crate::format::{self, Layout};
use crate::model::{Desired, Live, LivePolicy, LiveVijil, Policy};
use crate::plan::ChangeSet;
use crate::plan::docker::{changed_fields, teams};
use crate::plan::saved::Service;
use crate::source::emit;
use crate::workspace::{EmptyWorkspace, Loaded};

/// The input of an import.
pub struct Input<'a> {
    /// The workspace.
    pub loaded: &'a Loaded,
    /// The file that replaces its `seawall.yaml`.
    pub config: Option<&'a Path>,
    /// Texts that replace files already; they are not part of the result, and with any of them no
    /// file of the workspace is overwritten.
    pub overlay: &'a Overlay,
    /// The policies to import.
    pub candidates: Vec<Candidate>,
    /// All undeclared policies for a given declared state: overwritten files may have declared
    /// some.
    pub undeclared: &'a dyn Fn(&Desired) -> Vec<Candidate>,
    /// The Docker side of each organization.
    pub live: Vec<&'a Live>,
    /// The Vijil side.
    pub vijil: Option<&'a LiveVijil>,
    /// The differences between the documents of a workspace and the live state, for each
    /// organization.
    pub differences: &'a dyn Fn(&Loaded) -> Result<Vec<ChangeSet>, Failure>,
}

/// The reason why nothing is written.
#[derive(Debug)]
pub enum Problem {
    /// The workspace would have an error that does not concern the import.
    Documents(Box<Findings>),
    /// The differences cannot be determined.
    Differences(Failure),
}

/// A candidate with its file.
struct Entry {
    candidate: Candidate,
    /// The organizations that its document names.
    orgs: Vec<String>,
    file: File,
    /// True if its text already has a suppression for the live pattern.
    tolerates: bool,
}

/// Makes the files, and leaves out those that fail the verification.
///
/// # Errors
///
/// Returns an error if the workspace cannot be loaded or planned for reasons that do not concern
/// the imported policies.
pub fn make(input: Input<'_>) -> Result<Import, Problem> {
    let Input { loaded, config, overlay: texts, candidates, undeclared, live, vijil, differences } =
        input;
    let mut entries = Vec::new();
    let mut refused = Vec::new();
    let mut tried: Vec<Location> =
        candidates.iter().flat_map(|one| one.places.iter().cloned()).collect();
    add(&mut entries, &mut refused, candidates, (loaded, texts));
    loop {
        let written =
            entries.iter().map(|entry| (entry.file.path.clone(), Some(entry.file.text.clone())));
        let overlay: Overlay = texts.clone().into_iter().chain(written).collect();
        let after = match crate::workspace::load_over(
            &loaded.root,
            config,
            EmptyWorkspace::Accepted,
            overlay,
        ) {
            Ok(after) => after,
            Err(findings) if tolerate(&mut entries, &findings) => continue,
            Err(findings) => match blame(&mut entries, &mut refused, &findings) {
                true => continue,
                false => return Err(Problem::Documents(Box::new(findings))),
            },
        };
        let overwritten = entries.iter().any(|entry| entry.file.overwrites);
        let more: Vec<Candidate> = match overwritten {
            true => {
                let places = |all: Vec<Candidate>| all.into_iter().flat_map(|one| one.places);
                let known = entries.iter().flat_map(|entry| &entry.candidate.places).cloned();
                let known: BTreeSet<Location> = known
                    .chain(places(undeclared(&loaded.desired)))
                    .chain(tried.iter().cloned())
                    .collect();
                let lost = undeclared(&after.desired).into_iter();
                lost.filter(|one| one.places.iter().all(|place| !known.contains(place))).collect()
            }
            false => Vec::new(),
        };
        if !more.is_empty() {
            tried.extend(more.iter().flat_map(|one| one.places.iter().cloned()));
            add(&mut entries, &mut refused, more, (loaded, texts));
            continue;
        }
        let left = differences(&after).map_err(Problem::Differences)?;
        let unequal: BTreeSet<Location> =
            live.iter().flat_map(|live| unequal(&entries, &after.desired, live)).collect();
        let touched: BTreeSet<(Service, Location)> = left.iter().flat_map(touched).collect();
        let wrong = |entry: &Entry| {
            let Candidate { service, places, .. } = &entry.candidate;
            let differs = |place: &Location| match service {
                Service::Docker => unequal.contains(place),
                Service::Vijil => {
                    !vijil.is_some_and(|live| is_declared(&place.id, &after.desired, live))
                }
            };
            let moves = |place: &Location| touched.contains(&(*service, place.clone()));
            let wrong = places.iter().any(|place| differs(place) || moves(place));
            wrong.then(|| "its document would not read back as the policy is live".to_owned())
        };
        if !refuse(&mut entries, &mut refused, |entry| wrong(entry).into_iter().collect()) {
            let mut warnings = warnings(&entries, &after.findings, vijil);
            warnings.extend(live.iter().flat_map(|live| deleted_teams(&entries, live)));
            let mut files: Vec<File> = entries.into_iter().map(|entry| entry.file).collect();
            files.sort_by(|one, other| one.path.cmp(&other.path));
            refused.sort();
            let pending =
                left.iter().map(|changes| changes.docker.len() + changes.vijil.len()).sum();
            return Ok(Import { files, refused, pending, warnings });
        }
    }
}

/// Warnings for objects that are imported unchanged although their meaning is not known: patterns,
/// and statuses of later versions of a service.
fn warnings(entries: &[Entry], findings: &Findings, vijil: Option<&LiveVijil>) -> Vec<String> {
    let own = |finding: &&Diagnostic| {
        finding.severity == Severity::Warning
            && (check::is_tolerable(finding.code)
                || finding.code.starts_with("undocumented-")
                || matches!(
                    finding.code,
                    "host-spelling" | "cidr-host-bits" | "http-path-wildcard"
                ))
    };
    let patterns = findings.diagnostics.iter().filter(own).filter_map(|finding| {
        let label = finding.primary.as_ref()?;
        let file = findings.files.get(label.file);
        let is_new = entries.iter().any(|entry| entry.file.path == file.name);
        is_new
            .then(|| format!("{}:{}: {}", file.name, file.place(&label.span).line, finding.message))
    });
    let policies = vijil.into_iter().flat_map(|live| &live.policies);
    let statuses = policies.filter_map(|policy| {
        let is_own = |entry: &&Entry| {
            entry.candidate.service == Service::Vijil
                && entry.candidate.places.iter().any(|place| place.id == policy.id)
        };
        let entry = entries.iter().find(is_own)?;
        let unknown = |status: &str, known: &[&str]| !known.contains(&status);
        let whole = unknown(&policy.status, &["draft", "active", "archived"])
            .then(|| format!("the policy has the status `{}`", policy.status));
        let rules = policy
            .rules
            .iter()
            .filter(|rule| unknown(&rule.status, &["draft", "approved", "rejected", "modified"]));
        let rules =
            rules.map(|rule| format!("`{}` has the status `{}`", rule.rule_id, rule.status));
        let said: Vec<String> = whole.into_iter().chain(rules).collect();
        (!said.is_empty()).then(|| {
            format!(
                "{}: {}, which documents cannot set; it is kept",
                entry.file.path,
                list::listed(&said)
            )
        })
    });
    patterns.chain(statuses).collect()
}

/// Warnings for policies that are for teams that the organization no longer has.
fn deleted_teams(entries: &[Entry], live: &Live) -> Vec<String> {
    let mut warnings = Vec::new();
    for Entry { candidate, file, .. } in entries {
        let own = |policy: &&LivePolicy| {
            let is_place = |place: &Location| place.org == live.org && place.id == policy.id.0;
            candidate.service == Service::Docker && candidate.places.iter().any(is_place)
        };
        let own = live.policies.iter().filter(own);
        let deleted = own.flat_map(|policy| teams::deleted_in(&policy.scope, &live.teams));
        warnings.extend(deleted.map(|id| {
            format!(
                "{}: the organization no longer has the team `{id}`: whether the policy still \
                 governs anybody is not documented",
                file.path
            )
        }));
    }
    warnings
}

/// Assigns files to candidates; those without a document or a path are refused.
fn add(
    entries: &mut Vec<Entry>,
    refused: &mut Vec<Refused>,
    candidates: Vec<Candidate>,
    (loaded, overlay): (&Loaded, &Overlay),
) {
    let several = is_of_several(&loaded.settings);
    let orgs = |one: &Candidate| match (several, one.service) {
        (true, Service::Docker) => one.places.iter().map(|place| place.org.clone()).collect(),
        (_, _) => Vec::new(),
    };
    let named: Vec<(String, String)> = candidates
        .iter()
        .map(|one| {
            let alike = candidates
                .iter()
                .filter(|other| (other.service, &other.name) == (one.service, &one.name));
            let of = if alike.count() > 1 { orgs(one) } else { Vec::new() };
            let key = std::iter::once(service(one.service).to_owned())
                .chain(orgs(one))
                .collect::<Vec<_>>()
                .join("/");
            (key, std::iter::once(one.name.clone()).chain(of).collect::<Vec<_>>().join(" "))
        })
        .collect();
    let stems = name::stems(
        &named.iter().map(|(key, name)| (key.clone(), name.as_str())).collect::<Vec<_>>(),
    );
    let files = &loaded.findings.files;
    let settings = files.iter().next().map(|(_, file)| file.text.as_str()).unwrap_or_default();
    let include = loaded.settings.include.as_deref();
    for ((candidate, stem), (key, _)) in candidates.into_iter().zip(stems).zip(named) {
        let (key, orgs) = (format!("{key}/{}", candidate.name), orgs(&candidate));
        let mut refuse = |reason: String| {
            let (service, policy) = (candidate.service, candidate.name.clone());
            refused.push(Refused { service, policy, orgs: orgs.clone(), reasons: vec![reason] });
        };
        let document = match &candidate.document {
            Ok(document) => document,
            Err(reason) => {
                refuse(reason.clone());
                continue;
            }
        };
        // On some systems, a file whose name differs only in letter case is the same file.
        let clashes = |path: &String| {
            let there = loaded.root.join(path).symlink_metadata().is_ok()
                && overlay.get(path) != Some(&None);
            // With several organizations, the file may declare the policy of another one.
            (several || !overlay.is_empty()) && there
                || entries.iter().any(|entry| entry.file.path == *path)
                || files
                    .iter()
                    .any(|(_, file)| file.name != *path && file.name.eq_ignore_ascii_case(path))
        };
        let more = [name::with_orgs(&candidate.name, &orgs), Some(name::unique_name(&stem, &key))];
        let free = |stem: String| name::place(include, &stem).filter(|path| !clashes(path));
        let path = match name::place(include, &stem) {
            Some(path) if clashes(&path) => more.into_iter().flatten().find_map(free),
            path => path,
        };
        let Some(path) = path else {
            refuse(format!(
                "no pattern of `include` takes in a file `policies/{stem}.yaml`; add one that does"
            ));
            continue;
        };
        let head = modeline::modeline(&loaded.root, overlay, settings, &path);
        let text = laid_out(head + &emit::document(&for_orgs(&orgs, document)));
        let overwrites = loaded.root.join(&path).symlink_metadata().is_ok();
        let file = File { path, policy: candidate.name.clone(), text, overwrites };
        entries.push(Entry { candidate, orgs, file, tolerates: false });
    }
}

/// The document, restricted to the organizations that it comes from if the workspace has several: a
/// policy that all have today is not necessarily meant for a new one.
fn for_orgs<'a>(orgs: &[String], document: &'a Map<String, Value>) -> Cow<'a, Map<String, Value>> {
    if orgs.is_empty() {
        return Cow::Borrowed(document);
    }
    let mut document = document.clone();
    document.insert("orgs".to_owned(), json!(orgs));
    Cow::Owned(document)
}

fn is_of_several(settings: &Settings) -> bool {
    settings.docker.as_ref().is_some_and(|docker| docker.orgs.is_some())
}

/// The text formatted as by `fmt`.
fn laid_out(text: String) -> String {
    match format::format(FileId::default(), &text, &mut Vec::new()) {
        Layout::Text(text) => text,
        Layout::Foreign | Layout::Kept(_) | Layout::Broken => text,
    }
}

fn service(service: Service) -> &'static str {
    match service {
        Service::Docker => "docker",
        Service::Vijil => "vijil",
    }
}

/// Adds suppressions for live patterns that this program considers invalid, if a file has no other
/// errors. Returns `true` if one was added.
fn tolerate(entries: &mut [Entry], findings: &Findings) -> bool {
    let mut tolerated = false;
    for entry in entries.iter_mut().filter(|entry| !entry.tolerates) {
        let own = findings
            .diagnostics
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .filter_map(|finding| {
                let label = finding.primary.as_ref()?;
                let file = findings.files.get(label.file);
                (file.name == entry.file.path).then(|| (file.place(&label.span).line, finding.code))
            });
        let own: BTreeSet<(usize, &str)> = own.collect();
        if own.is_empty() || !own.iter().all(|(_, code)| check::is_tolerable(code)) {
            continue;
        }
        let mut text = String::new();
        for (number, line) in (1..).zip(entry.file.text.split_inclusive('\n')) {
            let indent = line.len() - line.trim_start().len();
            for (_, code) in own.iter().filter(|(own, _)| *own == number) {
                text.push_str(&format!(
                    "{:indent$}# seawall: live[{code}] as it was when this was imported\n",
                    ""
                ));
            }
            text.push_str(line);
        }
        entry.file.text = text;
        entry.tolerates = true;
        tolerated = true;
    }
    tolerated
}

/// Refuses the policies whose files have errors. Returns `true` if one was refused.
fn blame(entries: &mut Vec<Entry>, refused: &mut Vec<Refused>, findings: &Findings) -> bool {
    let errors: Vec<&Diagnostic> =
        findings.diagnostics.iter().filter(|finding| finding.severity == Severity::Error).collect();
    let own: BTreeSet<String> = entries.iter().map(|entry| entry.file.path.clone()).collect();
    // If two policies exclude each other, the one in the related place is refused, unless it
    // existed before.
    let at_fault = |finding: &Diagnostic| {
        let places = finding.primary.iter().chain(&finding.related);
        places
            .map(|label| findings.files.get(label.file).name.clone())
            .find(|name| own.contains(name))
    };
    let faults: Vec<(Option<String>, &str)> =
        errors.iter().map(|finding| (at_fault(finding), finding.message.as_str())).collect();
    refuse(entries, refused, |entry| {
        let own = faults.iter().filter(|(path, _)| path.as_ref() == Some(&entry.file.path));
        own.map(|(_, message)| (*message).to_owned()).collect()
    })
}

/// Refuses the entries with reasons. Returns `true` if one was refused.
fn refuse(
    entries: &mut Vec<Entry>,
    refused: &mut Vec<Refused>,
    reasons: impl Fn(&Entry) -> Vec<String>,
) -> bool {
    let before = entries.len();
    entries.retain(|entry| {
        let reasons = reasons(entry);
        if reasons.is_empty() {
            return true;
        }
        let Entry { candidate: Candidate { service, name, .. }, orgs, .. } = entry;
        refused.push(Refused {
            service: *service,
            policy: name.clone(),
            orgs: orgs.clone(),
            reasons,
        });
        false
    });
    entries.len() < before
}

/// The ids of imported policies that are declared differently than they are live. Policies that
/// differ only in the order of lists give the same access.
fn unequal(entries: &[Entry], desired: &Desired, live: &Live) -> BTreeSet<Location> {
    let places = entries
        .iter()
        .flat_map(|entry| &entry.candidate.places)
        .filter(|place| place.org == live.org);
    let own: BTreeSet<&str> = places.clone().map(|place| place.id.as_str()).collect();
    let Ok(resolved) = teams::resolve(&desired.of_org(&live.org), live) else {
        return places.cloned().collect();
    };
    let declared: BTreeMap<&str, &Policy> =
        resolved.policies.iter().map(|one| (one.policy.name.as_str(), &one.policy)).collect();
    // The service treats lists as sets, and may repeat an item.
    let differs = |policy: &&LivePolicy| match declared.get(policy.name.as_str()) {
        Some(declared) => !is_same(declared, &policy.policy()),
        None => true,
    };
    let imported = live.policies.iter().filter(|policy| own.contains(policy.id.0.as_str()));
    imported
        .filter(differs)
        .map(|policy| Location { org: live.org.clone(), id: policy.id.0.clone() })
        .collect()
}

fn is_same(declared: &Policy, live: &Policy) -> bool {
    let (own, other) = (declared.rules(), live.rules());
    let rules = own.len() == other.len()
        && own.iter().zip(other).all(|(own, other)| changed_fields(own, other).is_empty());
    declared == live
        || declared.scope == live.scope
            && !own.is_empty()
            && rules
            && declared.domain() == live.domain()
}

/// Returns `true` if a document declares everything about a policy for agents.
fn is_declared(id: &str, desired: &Desired, live: &LiveVijil) -> bool {
    let live = live.policies.iter().find(|policy| policy.id == id);
    let declared =
        desired.vijil.iter().find(|policy| live.is_some_and(|live| live.name == policy.name));
    live.zip(declared).is_some_and(|(live, declared)| vijil::is_whole(declared, live))
}

/// The live policies that differ.
fn touched(changes: &ChangeSet) -> BTreeSet<(Service, Location)> {
    let org = changes.org.clone().unwrap_or_default();
    let docker = changes.docker.iter().filter_map(|difference| {
        let id = difference.change.policy().existing()?.0.clone();
        Some((Service::Docker, Location { org: org.clone(), id }))
    });
    let vijil = changes.vijil.iter().filter_map(|difference| {
        let id = difference.change.policy().existing()?.clone();
        Some((Service::Vijil, Location { org: String::new(), id }))
    });
    docker.chain(vijil).collect()
}
