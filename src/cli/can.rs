//! `seawall can`: decides if a member of exactly these teams may do something, and by which rules.
//! Reads only.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::format::AnswerFormat;
use super::session::every::live_each;
use super::session::organizations::{self, about, worst};
use super::session::planning::{Stricter, Workspace};
use super::session::watch::watched;
use super::session::{output, reading, services, workspace};
use super::{Context, Exit, Failure};
use crate::access::cedar::NoRequest;
use crate::access::{Request, State, Verdict};
use crate::diagnostic::sanitize::line;
use crate::diagnostic::{list, nearest, one_of, sanitize};
use crate::evidence::{self, paste};
use crate::model::{DesiredPolicy, Live, LivePolicy, Policy, TeamLookup, Test};
use crate::render::answer::{self, DeclaredPolicies, word};
use crate::source::disk;
use crate::workspace::{EmptyWorkspace, Loaded};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  seawall can connect:tcp cve.mitre.org:443 --team research
  seawall can GET https://api.github.com/repos/docker/cli
  seawall can mount rw '~/src'
  seawall can connect:tcp db.corp.example at 10.1.2.3
  seawall can mcp invokeTool notion/search '{\"readOnly\": true}'
  seawall can write /data --exit-code && echo allowed  # for scripts
  seawall can --record denied.json                     # a record, a denial reason or the text of a 403

The exit code is 0 whatever the answer is. With `--exit-code` it is 0 for allow, 1 for deny and 3 for uncertain; a call that
a person is asked about each time is neither allowed nor denied, so that it counts as uncertain. Of several organizations
the answer is the one that all of them give, and uncertain where they differ.")]
pub(super) struct Args {
    /// `connect:tcp`, `connect:udp`, `read`, `write`, `mount ro`, `mount rw`, an HTTP method, or
    /// `mcp`
    #[arg(value_name = "ACTION", required_unless_present = "record")]
    action: Option<String>,
    /// A host with or without a port, a path, a URL, or the target of an MCP action
    #[arg(value_name = "TARGET", required_unless_present = "record")]
    target: Vec<String>,
    /// Explain a record, the reason of a denial or the body of a 403; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["action", "target"])]
    record: Option<PathBuf>,
    /// A team that the member belongs to; repeat for several
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// Ask the live state instead of the documents
    #[arg(long)]
    live: bool,
    /// Return the answer as exit code: 0 allow, 1 deny, 3 uncertain
    #[arg(long)]
    exit_code: bool,
    /// Output format of the answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    format: AnswerFormat,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { action, target, record, teams, live, exit_code, format } = args;
    let request = match record {
        Some(file) => recorded(context, file)?,
        None => Request::parse(&format!(
            "{} {}",
            action.as_deref().unwrap_or_default(),
            target.join(" ")
        ))
        .map_err(|wrong| no_request(context, target, wrong))?,
    };
    let subjects = match live {
        true => live_subjects(context, None)?,
        false => {
            documents(workspace::load_silently(context, None, EmptyWorkspace::Refused)?, context)?
        }
    };
    let several = subjects.len() > 1;
    let (mut answers, mut exits) = (Vec::new(), Vec::new());
    for (name, subject) in subjects {
        match subject.and_then(|subject| Ok((subject.keys_of(context, teams)?, subject))) {
            Ok((keys, Subject { policies, declared, .. })) => {
                let answer = watched("evaluating the request", || {
                    State::new(&policies).ask(&keys, &request)
                });
                answers.push((name, answer, declared));
            }
            Err(failure) if several => {
                exits.push(failure.exit);
                let _ = output::report(&about(&name, failure));
            }
            Err(failure) => return Err(failure),
        }
    }
    let request = request.to_string();
    let shown = answers.iter().map(|(name, answer, declared)| {
        let places = DeclaredPolicies(declared);
        match format {
            AnswerFormat::Human if several => {
                format!(
                    "{}\n{}",
                    line(name),
                    answer::human(&request, teams, answer, places, context.view())
                )
            }
            AnswerFormat::Human => answer::human(&request, teams, answer, places, context.view()),
            AnswerFormat::Json => answer::json(&request, teams, answer, places),
        }
    });
    let shown: Vec<String> = shown.collect();
    let verdict = common(answers.iter().map(|(_, answer, _)| answer.verdict));
    context.print_or_show(
        matches!(format, AnswerFormat::Human),
        &match format {
            AnswerFormat::Json if several => {
                let each = answers.iter().map(|(name, ..)| name.as_str()).zip(&shown);
                json_of_each(
                    &[("decision", word(verdict).into()), ("because", because_of_each(&shown))],
                    each,
                )
            }
            AnswerFormat::Human | AnswerFormat::Json => shown.join("\n"),
        },
    )?;
    if record.is_some() && verdict == Verdict::Deny {
        let is_decided = answers.iter().any(|(_, answer, _)| !answer.because.is_empty());
        context.note(&match is_decided {
            true => "note: no allow helps while a rule denies it".to_owned(),
            false => format!(
                "note: a rule that allows `{}` is missing; `seawall suggest` writes such rules from records",
                line(&request)
            ),
        });
    }
    exits.extend(exit_code.then(|| exit(verdict)));
    Ok(worst(exits))
}

/// The failure for words that are no request. Other commands take the folder as an argument.
fn no_request(context: &Context, target: &[String], wrong: NoRequest) -> Failure {
    let folder =
        target.last().filter(|last| target.len() > 1 && context.path(Path::new(last)).is_dir());
    match folder {
        Some(folder) => {
            let message = format!("unexpected `{}` after the target", line(folder));
            let hint = format!("name the folder before the command: `seawall -C {}`", line(folder));
            Failure::new(Exit::Usage, message).hint(hint)
        }
        None => Failure::new(Exit::Usage, wrong.message).hint(wrong.help),
    }
}

/// The answer that all organizations give; uncertain if they differ.
fn common(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let verdicts: Vec<Verdict> = verdicts.collect();
    match verdicts.split_first() {
        Some((first, rest)) if rest.iter().all(|verdict| verdict == first) => *first,
        Some(_) | None => Verdict::Uncertain,
    }
}

/// The exit for an answer, with `--exit-code`.
fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Allow => Exit::Done,
        Verdict::Deny => Exit::Invalid,
        Verdict::Uncertain => Exit::Pending,
    }
}

/// The rules behind the answers of several organizations.
fn because_of_each(shown: &[String]) -> Value {
    let because = shown
        .iter()
        .filter_map(|text| serde_json::from_str::<Value>(text).ok()?.get("because").cloned());
    because.filter_map(|list| list.as_array().cloned()).flatten().collect()
}

/// The largest pasted text that is read.
const PASTED: u64 = 16 << 20;

/// The request that a record, a reason or a 403 names.
fn recorded(context: &Context, file: &Path) -> Result<Request, Failure> {
    let text = match file.as_os_str() == "-" {
        true => {
            let mut text = String::new();
            let read = std::io::stdin().lock().take(PASTED).read_to_string(&mut text);
            read.map_err(|error| {
                Failure::new(Exit::Usage, format!("standard input cannot be read: {error}"))
            })?;
            text
        }
        false => {
            let path = context.path(file);
            disk::read_named(&path, PASTED).map_err(|error| reading::not_read(&path, &error))?
        }
    };
    let hint = "paste a record, a `deny_reason`, or a text with `op(action=…)`";
    let found = paste(&text).map_err(|why| Failure::new(Exit::Usage, why).hint(hint))?;
    if let Some(recorded) = found.recorded {
        context.note(&format!("note: it was recorded as {}", recorded.phrase()));
    }
    match found.asked.subject {
        evidence::Subject::One(request) => Ok(request),
        evidence::Subject::EitherMode(both) => {
            let [read, _] = *both;
            context.note("note: it is not recorded whether the mount was for reading or writing; this is for reading");
            Ok(read)
        }
        evidence::Subject::Mcp(_) => {
            let request = Request::parse(&found.asked.text)
                .map_err(|wrong| Failure::new(Exit::Usage, wrong.message).hint(wrong.help))?;
            context.note("note: records do not hold the attributes of MCP calls");
            Ok(request)
        }
        evidence::Subject::Unreadable => {
            let message = format!(
                "`{}` is in a form that no rule can be compared with",
                line(&found.asked.text)
            );
            Err(Failure::new(Exit::Usage, message).hint(hint))
        }
    }
}

/// The policies of an organization that answer the question.
pub(super) struct Subject {
    pub(super) policies: Vec<Policy>,
    /// The declared policies; empty for live policies.
    pub(super) declared: Vec<DesiredPolicy>,
    pub(super) tests: Vec<Test>,
    /// The organization's teams, for live policies.
    pub(super) live: Option<Live>,
}

/// The name of an organization with its policies, or the reason why these are not available.
pub(super) type Named = (String, Result<Subject, Failure>);

impl Subject {
    fn keys_of(&self, context: &Context, teams: &[String]) -> Result<BTreeSet<String>, Failure> {
        if let Some(live) = &self.live {
            return teams.iter().map(|team| live_team(live, team)).collect();
        }
        for stranger in self.strangers(teams) {
            context.note(&format!("note: {stranger}"));
        }
        Ok(teams.iter().cloned().collect())
    }

    /// Notes about teams that no policy names, each with the most similar name.
    pub(super) fn strangers<'a>(&self, teams: impl IntoIterator<Item = &'a String>) -> Vec<String> {
        let named: BTreeSet<&str> =
            self.policies.iter().flat_map(|policy| policy.scope.teams()).collect();
        let strangers =
            teams.into_iter().filter(|team| !named.contains(team.as_str())).map(|team| {
                let near = nearest(team, named.iter().copied());
                let near = near
                    .map(|near| format!(": did you mean `{}`?", line(near)))
                    .unwrap_or_default();
                format!("no policy is for the team `{}`{near}", line(team))
            });
        strangers.collect()
    }
}

/// The answers of several organizations as one JSON object, each with its name, and the common
/// answer.
pub(super) fn json_of_each<'a>(
    common: &[(&str, Value)],
    each: impl Iterator<Item = (&'a str, &'a String)>,
) -> String {
    let each = each.map(|(name, text)| {
        let mut object = serde_json::Map::from_iter([("org".to_owned(), name.into())]);
        if let Ok(Value::Object(own)) = serde_json::from_str(text) {
            object.extend(own.into_iter().filter(|(key, _)| key != "format_version"));
        }
        Value::Object(object)
    });
    let organizations: Value = each.collect();
    let mut document = serde_json::Map::from_iter([("format_version".to_owned(), 1.into())]);
    document.extend(common.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    document.insert("organizations".to_owned(), organizations);
    sanitize::json(&document)
}

/// The policies and tests of the documents, for each organization.
pub(super) fn documents(loaded: Loaded, context: &Context) -> Result<Vec<Named>, Failure> {
    let mut each = organizations::each(context, loaded)?;
    if each.len() > 1 {
        each.retain(|one| one.settings.docker.is_some());
    }
    let subject = |loaded: Loaded| {
        let name = organizations::name(&loaded);
        let Loaded { desired, tests, .. } = loaded;
        let policies = desired.policies.iter().map(|declared| declared.policy.clone()).collect();
        (name, Ok(Subject { policies, declared: desired.policies, tests, live: None }))
    };
    Ok(each.into_iter().map(subject).collect())
}

/// The live state of each organization.
pub(super) fn live_subjects(
    context: &Context,
    path: Option<&std::path::Path>,
) -> Result<Vec<Named>, Failure> {
    let mut each = Workspace::load_each(context, path, &Stricter::default())?;
    if each.len() > 1 {
        each.retain(|one| one.docker.is_some());
    }
    let live = live_each(context, &each, None)?;
    let read = |(workspace, live): (Workspace, Result<services::State, Failure>)| {
        let live = live.and_then(|live| {
            live.docker.ok_or_else(|| {
                Failure::new(Exit::Invalid, "the workspace has nothing to do with Docker")
                    .hint("ask without `--live`")
            })
        });
        let subject = live.map(|live| Subject {
            policies: live.policies.iter().map(LivePolicy::policy).collect(),
            declared: Vec::new(),
            tests: workspace.loaded.tests.clone(),
            live: Some(live),
        });
        (workspace.name(), subject)
    };
    Ok(each.into_iter().zip(live).map(read).collect())
}

/// The id that live scopes use for a team.
pub(super) fn live_team(live: &Live, team: &str) -> Result<String, Failure> {
    match live.teams.resolve(team) {
        TeamLookup::Found(id) => Ok(id),
        TeamLookup::Unknown => {
            let names: Vec<String> = live.teams.iter().map(|team| team.name).collect();
            let failure =
                Failure::new(Exit::Usage, format!("the organization has no team `{team}`"));
            Err(failure.hint(format!(
                "{}, or the id of a team",
                one_of(team, names.iter().map(String::as_str))
            )))
        }
        TeamLookup::Ambiguous(ids) => {
            let failure =
                Failure::new(Exit::Usage, format!("{} teams are called `{team}`", ids.len()));
            Err(failure
                .hint(format!("write the id of the one that is meant: {}", list::listed(&ids))))
        }
    }
}
