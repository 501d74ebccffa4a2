//! The files of a new workspace.
//!
//! Invariant: for every organization and folder, the files are valid and formatted as by
//! `seawall fmt`.

use crate::cli::Setting;
use crate::document;
use crate::import::{MODELINE, SCHEMA as SCHEMA_NAME};
use crate::source::CONFIG_NAME;
use crate::source::emit::scalar;

/// The settings of the workspace.
pub(super) const SETTINGS: &str = CONFIG_NAME;
/// The schema for editors.
pub(super) const SCHEMA: &str = SCHEMA_NAME;
/// The first policy.
const POLICY: &str = "policies/guardrails.yaml";
/// The access test.
pub(super) const TEST: &str = "tests/access.yaml";
/// The example that becomes the first policy, without its first line.
const GUARDRAILS: &str = include_str!("../../../examples/policies/guardrails/network.yaml");
/// The workflows of the examples.
const WORKFLOWS: [(&str, &str); 5] = [
    ("apply.yml", include_str!("../../../examples/workflows/apply.yml")),
    ("comment.yml", include_str!("../../../examples/workflows/comment.yml")),
    ("drift.yml", include_str!("../../../examples/workflows/drift.yml")),
    ("pull-request.yml", include_str!("../../../examples/workflows/pull-request.yml")),
    ("snapshot.yml", include_str!("../../../examples/workflows/snapshot.yml")),
];
/// The placeholder for the action in the examples.
const PLACEHOLDER: &str =
    "my-org/seawall@0000000000000000000000000000000000000000 # the commit of a release";
/// The access that the first policy denies, and that every organization should review.
pub(super) const GUARDED: [&str; 4] = [
    "connect:tcp 169.254.169.254:80",
    "connect:tcp metadata.google.internal:80",
    "connect:tcp pastebin.com:443",
    "connect:tcp exfiltrate.ngrok-free.app:443",
];

/// The choices for a new workspace.
#[derive(Debug)]
pub(super) struct Choices {
    /// The Docker organization.
    pub(super) org: String,
    pub(super) docker: Service,
    /// The Vijil service, if the workspace has Vijil policies.
    pub(super) vijil: Option<Service>,
    /// The folder in its repository, with `/` between segments; empty for the top.
    pub(super) folder: String,
    /// The branch that pull requests are merged into.
    pub(super) branch: String,
    /// The action for workflows; `None` in a build that is not a release.
    pub(super) action: Option<ActionVersion>,
}

/// A service of a new workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Service {
    /// True for the emulator inside of the process.
    embedded: bool,
}

impl Service {
    /// The service from flags and the environment. An address other than `embedded` is not written
    /// into `seawall.yaml`, which does not decide where credentials go.
    pub(super) fn new(endpoint: Option<&Setting>) -> Self {
        Self { embedded: endpoint.is_some_and(|endpoint| endpoint.value == "embedded") }
    }
}

/// A commit of the repository that holds the action, which is also the repository of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct ActionVersion {
    repository: String,
    commit: String,
    /// The release of the commit; empty if it is not known.
    release: String,
}

impl ActionVersion {
    /// The release of this program. The release workflow sets the commit; a build of a checkout has
    /// none.
    pub(super) fn of_this_release() -> Option<Self> {
        let address = env!("CARGO_PKG_REPOSITORY");
        let mut segments = address.trim_end_matches('/').rsplit('/');
        let (name, owner) = (segments.next()?, segments.next()?);
        let action =
            Self::parse(&format!("{owner}/{name}@{}", option_env!("SEAWALL_RELEASE_COMMIT")?))
                .ok()?;
        Some(Self { release: format!("v{}", env!("CARGO_PKG_VERSION")), ..action })
    }

    /// Parses `OWNER/REPOSITORY@COMMIT`. Branches and tags are refused: they can be moved, and the
    /// action runs with credentials.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let plain = |part: &str| {
            part.starts_with(|first: char| first.is_ascii_alphanumeric())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let hash = |commit: &str| {
            matches!(commit.len(), 40 | 64)
                && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let parts = text.split_once('@').and_then(|(repository, commit)| {
            let (owner, name) = repository.split_once('/')?;
            (plain(owner) && plain(name) && hash(commit)).then_some((repository, commit))
        });
        let (repository, commit) =
            parts.ok_or("give `OWNER/REPOSITORY@COMMIT`, the commit with all of its 40 digits")?;
        Ok(Self {
            repository: repository.to_owned(),
            commit: commit.to_owned(),
            release: String::new(),
        })
    }

    /// A comment that names the release.
    fn comment(&self) -> String {
        if self.release.is_empty() { String::new() } else { format!(" # {}", self.release) }
    }
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewFile {
    /// Relative to the top of the repository, with `/` between segments.
    pub(super) path: String,
    pub(super) text: String,
    /// True if an existing file stays, and has to be completed by hand.
    pub(super) optional: bool,
    /// Other places for a file of this kind, relative to the top.
    pub(super) elsewhere: &'static [&'static str],
    /// True if the documents of an import replace it.
    pub(super) replaced_by_import: bool,
}

impl NewFile {
    /// A file of the workspace, by its path there.
    pub(super) fn new(choices: &Choices, path: &str, text: String) -> Self {
        let Choices { folder, .. } = choices;
        let path = if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") };
        Self { path, text, optional: false, elsewhere: &[], replaced_by_import: false }
    }

    /// A file of the repository, by its path there.
    fn of_repository(path: &str, text: String) -> Self {
        Self {
            path: path.to_owned(),
            text,
            optional: false,
            elsewhere: &[],
            replaced_by_import: false,
        }
    }
}

/// The content of the policies of a new workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A first policy that denies destinations that no agent should reach, with a test.
    Guardrails,
    /// The live policies.
    Imported,
    /// The live policies with a test.
    ImportedWithTest,
}

/// An expectation of an access test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expectation {
    pub(super) access: &'static str,
    pub(super) denied: bool,
}

/// All files of a workspace with the first policy.
pub(super) fn files(choices: &Choices) -> Vec<NewFile> {
    let guarded = GUARDED.map(|access| Expectation { access, denied: true });
    let replaced =
        |path, text| NewFile { replaced_by_import: true, ..NewFile::new(choices, path, text) };
    let mut files = vec![
        replaced(SETTINGS, settings(choices, Content::Guardrails)),
        NewFile::new(choices, SCHEMA, schema()),
        replaced(POLICY, guardrails()),
        replaced(TEST, test(&guarded)),
        NewFile {
            optional: true,
            elsewhere: &["CODEOWNERS", "docs/CODEOWNERS"],
            ..NewFile::of_repository(".github/CODEOWNERS", code_owners(choices))
        },
        NewFile {
            optional: true,
            ..NewFile::of_repository(".pre-commit-config.yaml", hooks(choices))
        },
    ];
    let workflow = |(name, text): (&str, &str)| {
        NewFile::of_repository(&format!(".github/workflows/{name}"), workflow(text, choices))
    };
    files.extend(WORKFLOWS.map(workflow));
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// `seawall.yaml`.
pub(super) fn settings(choices: &Choices, content: Content) -> String {
    let Choices { org, docker, vijil, .. } = choices;
    let include = match content {
        Content::Guardrails | Content::ImportedWithTest => {
            r#"["policies/**/*.{yaml,yml}", "tests/**/*.{yaml,yml}"]"#
        }
        Content::Imported => r#"["policies/**/*.{yaml,yml}"]"#,
    };
    let endpoint = |service: &Service, variables: &str| match service.embedded {
        true => format!(
            "  # An emulator inside of the process, so that this can be tried without an account. For a real organization,\n  \
             # remove this line and set {variables}.\n  endpoint: embedded\n"
        ),
        false => String::new(),
    };
    let docker = endpoint(docker, "DOCKER_USERNAME and DOCKER_PASSWORD");
    let vijil = vijil.as_ref().map_or_else(String::new, |service| {
        let endpoint = endpoint(service, "VIJIL_CLIENT_ID and VIJIL_CLIENT_SECRET");
        format!("\nvijil:\n{endpoint}  ownership: declared\n")
    });
    let protected = match content {
        Content::Guardrails => "  protected: [Guardrails]\n",
        Content::Imported | Content::ImportedWithTest => "  # protected: [NAME]\n",
    };
    format!(
        "{MODELINE}{SCHEMA}
apiVersion: seawall/v1
kind: Workspace

# The files that hold documents. A pattern that matches no file is an error.
include: {include}

docker:
  org: {org}
{docker}  # Live policies that no document declares are left as they are. `exclusive` deletes them.
  ownership: declared
  # The teams that the organization has: a scope with a misspelt team is then an error before anything is sent.
  # teams: [platform, research]
{vijil}
# What a plan may not do. `seawall apply --allow GUARD` lifts a guard for one run.
guards:
  # The most that a plan may delete, of the live policies and of the live rules of each policy.
  max_deletes: 25%
  # `true` refuses every plan that gives any audience new access.
  deny_widening: false
  # A plan after which an access test fails is refused.
  access_tests: true
  # Policies that no plan may delete, empty or weaken.
{protected}",
        org = scalar(org),
    )
}

/// The schema for completion and checks in editors.
pub(super) fn schema() -> String {
    format!("{:#}\n", document::schema())
}

/// The first policy: the example, with the path of the schema in this workspace.
fn guardrails() -> String {
    let (_, text) = GUARDRAILS.split_once('\n').unwrap_or_default();
    format!("{MODELINE}../{SCHEMA}\n{text}")
}

/// The access test.
pub(super) fn test(expectations: &[Expectation]) -> String {
    let lines: String = expectations
        .iter()
        .map(|Expectation { access, denied }| match denied {
            true => format!("  - deny: {access}\n"),
            false => format!("  # Open today. Once a policy denies it, make this line `deny`.\n  - allow: {access}\n"),
        })
        .collect();
    format!(
        "{MODELINE}../{SCHEMA}
#
# What must stay true, whoever edits the policies. `seawall test` runs these offline, and a plan after which one fails is
# refused. Add what your agents need, so that nobody closes it by accident:
#
#   - allow: connect:tcp git.corp.example:443
#   - allow: GET https://api.github.com/repos/docker/cli
apiVersion: seawall/v1
kind: AccessTest
name: metadata services and places to drop files
# Without `as`, a member of no team; `as: {{teams: [research]}}` for the members of a team.
expect:
{lines}"
    )
}

/// `CODEOWNERS`: the owners of everything that decides about policies.
fn code_owners(choices: &Choices) -> String {
    let Choices { org, folder, .. } = choices;
    let root = if folder.is_empty() { String::new() } else { format!("/{folder}") };
    let mut text = format!(
        "# Whoever can change these files can lift guards and workflows. Put a team of your GitHub organization in the place\n\
         # of @{org}/security.\n"
    );
    for path in [format!("{root}/{SETTINGS}"), format!("{root}/tests/"), "/.github/".to_owned()] {
        text.push_str(&format!("{path} @{org}/security\n"));
    }
    text
}

/// `.pre-commit-config.yaml`.
fn hooks(choices: &Choices) -> String {
    let Choices { folder, action, .. } = choices;
    let (repository, commit, comment) = match action {
        Some(action) => (action.repository.as_str(), action.commit.as_str(), action.comment()),
        None => {
            let (action, comment) = PLACEHOLDER.split_once(" #").unwrap_or((PLACEHOLDER, ""));
            let (repository, commit) = action.split_once('@').unwrap_or((action, ""));
            (repository, commit, format!(" #{comment}"))
        }
    };
    let test = match folder.as_str() {
        "" => "      - id: seawall-test\n".to_owned(),
        folder => format!("      - id: seawall-test\n        args: [{}]\n", scalar(folder)),
    };
    format!(
        "repos:
  - repo: https://github.com/{repository}
    rev: {commit}{comment}
    hooks:
      - id: seawall-validate
      - id: seawall-fmt
{test}"
    )
}

/// A workflow for this organization, branch, folder and action.
fn workflow(text: &str, choices: &Choices) -> String {
    let Choices { org, folder, branch, action, .. } = choices;
    let org = scalar(org);
    let mut text = text.replace("DOCKER_USERNAME: my-org", &format!("DOCKER_USERNAME: {org}"));
    if branch != "main" {
        text = text
            .replace("branches: [main]", &format!("branches: [{}]", scalar(branch)))
            .replace("guards-from: origin/main", &format!("guards-from: origin/{branch}"));
    }
    if !folder.is_empty() {
        text = in_folder(&text, folder);
    }
    match action {
        Some(action) => {
            let ActionVersion { repository, commit, .. } = action;
            text.replace(PLACEHOLDER, &format!("{repository}@{commit}{}", action.comment()))
        }
        None => text,
    }
}

/// The workflow for a workspace below the top of its repository: each use of the action names the
/// folder.
fn in_folder(text: &str, folder: &str) -> String {
    let folder_of = |line: &str| line.len() - line.trim_start().len();
    let mut lines = Vec::new();
    let mut all = text.lines().peekable();
    // The indentation of the step that uses the action.
    let mut step: Option<usize> = None;
    while let Some(line) = all.next() {
        let indent = folder_of(line);
        let trimmed = line.trim_start();
        if trimmed.starts_with("uses: my-org/seawall@") {
            step = Some(indent);
        } else if step.is_some_and(|step| !trimmed.is_empty() && indent < step) {
            step = None;
        }
        match (step, trimmed.split_once(": ")) {
            (Some(_), Some(("with", flow))) if flow.starts_with('{') => {
                lines.push(line.replacen("with: {", &format!("with: {{path: {folder}, "), 1));
            }
            (Some(_), Some(("command", _))) => {
                lines.push(line.to_owned());
                let named = |next: &&str| next.trim_start().starts_with("path: ");
                match all.next_if(named) {
                    Some(next) => lines.push(format!("{next}/{folder}")),
                    None => lines.push(format!("{:indent$}path: {folder}", "")),
                }
            }
            (Some(_), Some(("guards-from", "./base"))) => lines.push(format!("{line}/{folder}")),
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::FileId;
    use crate::format::{self, Layout};

    fn choices(org: &str, folder: &str) -> Choices {
        let action =
            ActionVersion::parse(&format!("acme-corp/seawall@{}", "1f".repeat(20))).unwrap();
        let action = ActionVersion { release: "v1.2.3".to_owned(), ..action };
        let (docker, vijil) = (Service { embedded: true }, Some(Service { embedded: false }));
        let branch = "trunk".to_owned();
        Choices {
            org: org.to_owned(),
            docker,
            vijil,
            folder: folder.to_owned(),
            branch,
            action: Some(action),
        }
    }

    /// The `with` of each step that uses the action, with the `uses` of the step.
    fn uses(workflow: &str) -> Vec<(String, serde_yaml::Mapping)> {
        let workflow: serde_yaml::Value = serde_yaml::from_str(workflow).unwrap();
        let jobs = workflow["jobs"].as_mapping().unwrap().values();
        let steps = jobs.flat_map(|job| job["steps"].as_sequence().unwrap());
        let uses = |step: &serde_yaml::Value| {
            let action = step["uses"].as_str().filter(|action| action.contains("/seawall@"))?;
            Some((action.to_owned(), step["with"].as_mapping().unwrap().clone()))
        };
        steps.filter_map(uses).collect()
    }

    #[test]
    fn every_use_of_the_action_is_this_release_in_the_folder_of_the_workspace() {
        for (folder, own, proposed) in
            [("", None, "proposed"), ("ops/agents", Some("ops/agents"), "proposed/ops/agents")]
        {
            let choices = choices("acme", folder);
            for (name, text) in WORKFLOWS {
                let text = workflow(text, &choices);
                assert!(!text.contains("my-org") && !text.contains("0000000"), "{name}");
                assert!(
                    text.contains(
                        "acme-corp/seawall@1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f # v1.2.3\n"
                    ),
                    "{name}"
                );
                let uses = uses(&text);
                assert!(!uses.is_empty(), "{name}");
                for (_, with) in uses {
                    let path = with.get("path").map(|path| path.as_str().unwrap());
                    let wanted = if name == "comment.yml" { Some(proposed) } else { own };
                    assert_eq!(path, wanted, "{name}");
                    if let Some(base) = with.get("guards-from").and_then(|base| base.as_str()) {
                        let laid_out = format!("./base/{folder}");
                        // What `apply.yml` checks out is the branch that holds the guards of now.
                        let bases = match name {
                            "apply.yml" => ["HEAD", "origin/trunk"],
                            _ => [laid_out.trim_end_matches('/'), "origin/trunk"],
                        };
                        assert!(bases.contains(&base), "{name}: {base}");
                    }
                }
            }
        }
    }

    #[test]
    fn workflows_start_on_the_branch_and_log_in_as_the_organization() {
        let mut seen = [0, 0];
        for (_, text) in WORKFLOWS {
            let workflow: serde_yaml::Value =
                serde_yaml::from_str(&workflow(text, &choices("007", ""))).unwrap();
            let text = serde_yaml::to_string(&workflow).unwrap();
            assert!(!text.contains("branches:\n    - main"), "{text}");
            seen[0] += text.matches("- trunk").count();
            seen[1] += text.matches("DOCKER_USERNAME: '007'").count();
        }
        assert!(seen[0] >= 2 && seen[1] >= 3, "{seen:?}");
    }

    #[test]
    fn documents_are_laid_out_as_fmt_leaves_them() {
        let expectations = [
            Expectation { access: GUARDED[0], denied: true },
            Expectation { access: GUARDED[2], denied: false },
        ];
        let contents = [Content::Guardrails, Content::Imported, Content::ImportedWithTest];
        let services = [
            (Service { embedded: true }, None),
            (Service::default(), Some(Service { embedded: true })),
        ];
        let mut texts = vec![guardrails(), test(&expectations)];
        for org in ["acme", "007", "true"] {
            for (docker, vijil) in services {
                let choices = Choices { docker, vijil, ..choices(org, "") };
                texts.extend(contents.map(|content| settings(&choices, content)));
            }
        }
        for text in texts {
            assert_eq!(
                format::format(FileId::default(), &text, &mut Vec::new()),
                Layout::Text(text.clone()),
                "{text}"
            );
        }
    }

    #[test]
    fn an_action_is_named_by_its_whole_commit() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert!(ActionVersion::parse(&format!("my-org/seawall@{commit}")).is_ok());
        for wrong in [
            "my-org/seawall@v1",
            "my-org/seawall@main",
            "seawall@0123456789abcdef0123456789abcdef01234567",
            "a/b/c@0123456789abcdef0123456789abcdef01234567",
            "my-org/sea wall@0123456789abcdef0123456789abcdef01234567",
            "my-org/seawall@0123456789ABCDEF0123456789abcdef01234567",
            "",
            "@",
            "-x/y@0123456789abcdef0123456789abcdef01234567",
        ] {
            assert!(ActionVersion::parse(wrong).is_err(), "{wrong}");
        }
    }
}
