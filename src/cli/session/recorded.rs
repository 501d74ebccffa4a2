//! The arguments that all commands for recorded requests share: the records, and the teams of users.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::organizations::worst;
use super::planning::{Workspace, of_records, read};
use super::writing::write_named;
use super::{Context, Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::evidence::{self, Broken, Input, Memberships, Reading};
use crate::model::{Live, TeamLookup};
use crate::plan;

/// The sources of recorded requests.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Recorded {
    /// Recorded requests: a file, a folder or `-` (JSON Lines, pages of the audit API, CSV; also `.gz` and `.zst`); repeat for
    /// several
    #[arg(long, value_name = "PATH")]
    pub(crate) records: Vec<PathBuf>,
    /// The teams of users, as YAML: `user: [team, …]`
    #[arg(long = "teams", value_name = "FILE", requires = "records")]
    teams: Option<PathBuf>,
    /// Exit with 1 when something in the records is not a record
    #[arg(long = "strict", requires = "records")]
    strict: bool,
}

/// Recorded requests, and who is known of their users.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// What was read.
    pub(crate) reading: Reading,
    /// The teams that `--teams` lists.
    listed: Option<Listed>,
    /// True if users are named.
    named: bool,
}

/// The teams of each user that is listed in `--teams`, by name.
type Listed = BTreeMap<String, BTreeSet<String>>;

/// The ids of the teams of an organization's members, by their Docker IDs in lower case.
pub(crate) type Members = BTreeMap<String, BTreeSet<String>>;

impl Recorded {
    /// Reads the records; says what is not a record.
    fn read(&self, context: &Context) -> Result<Reading, Failure> {
        let input = |path: &PathBuf| match path.as_os_str() == "-" {
            true => Input::Standard,
            false => Input::Path(context.path(path)),
        };
        let inputs: Vec<Input> = self.records.iter().map(input).collect();
        if inputs.iter().filter(|input| **input == Input::Standard).count() > 1 {
            return Err(Failure::new(Exit::Usage, "standard input can be read once"));
        }
        let reading = evidence::read(&inputs)?;
        note(context, &reading);
        Ok(reading)
    }

    /// The records with who is known of their users; `None` where none are named.
    ///
    /// # Errors
    ///
    /// When they, or the file with the teams, cannot be read.
    pub(crate) fn evidence(&self, context: &Context, named: bool) -> Result<Option<Evidence>, Failure> {
        if self.records.is_empty() {
            return Ok(None);
        }
        let listed = self.listed(context)?;
        Ok(Some(Evidence { reading: self.read(context)?, listed, named }))
    }

    /// The same for a command that needs records.
    ///
    /// # Errors
    ///
    /// Returns an error if no records are named, or if they cannot be read.
    pub(crate) fn required(&self, context: &Context, named: bool) -> Result<Evidence, Failure> {
        self.evidence(context, named)?.ok_or_else(|| {
            let failure = Failure::new(Exit::Usage, "no records are named");
            failure.hint("name files or folders with `--records`, or `--records -` for standard input")
        })
    }

    /// Lets workspaces be planned with the records, where any are named. Gives how many of them are broken.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or it cannot be told which organization they are of.
    pub(crate) fn give(&self, context: &Context, each: &mut [Workspace], named: bool) -> Result<u64, Failure> {
        if !self.records.is_empty() {
            of_records(each)?;
        }
        let Some(evidence) = self.evidence(context, named)? else { return Ok(0) };
        let broken = evidence.broken();
        Workspace::with_records(each, evidence)?;
        Ok(broken)
    }

    /// How the run ends where it would end with `exit`, after this many broken records.
    pub(crate) fn exit(&self, broken: u64, exit: Exit) -> Exit {
        if self.strict && broken > 0 { worst([exit, Exit::Invalid]) } else { exit }
    }

    /// The teams that `--teams` lists; `None` without it.
    fn listed(&self, context: &Context) -> Result<Option<Listed>, Failure> {
        let Some(file) = &self.teams else { return Ok(None) };
        let text = read(&context.path(file))?;
        parse(&text).map(Some).map_err(|message| {
            let failure = Failure::new(Exit::Usage, format!("`{}`: {message}", file.display()));
            failure.hint("write a line for each user, such as `ana: [research, platform]`")
        })
    }
}

impl Evidence {
    /// How many lines and objects are no records.
    pub(crate) fn broken(&self) -> u64 {
        self.reading.requests.skipped.broken
    }

    /// The teams of users, for scopes that hold what documents say.
    pub(crate) fn memberships_by_name(&self) -> Memberships {
        by_name(self.listed.as_ref())
    }

    /// Returns `true` if the service is to be asked for the teams of users: nobody lists them.
    pub(crate) fn asks_for_teams(&self) -> bool {
        self.listed.is_none()
    }

    /// The teams of users, for scopes that hold the ids of an organization's teams: those that are listed, or else those
    /// that the service says. Where it says any, a user in no team is in none; but for names that are no Docker IDs, as
    /// old records have them.
    pub(crate) fn memberships(&self, context: &Context, live: &Live, members: Option<&Members>) -> Memberships {
        if let Some(listed) = &self.listed {
            return by_id(context, listed, live);
        }
        let mut memberships = Memberships::default();
        let Some(members) = members else { return memberships };
        for user in self.reading.requests.users.iter().filter(|user| is_docker_id(user)) {
            let teams = members.get(&user.to_lowercase()).cloned().unwrap_or_default();
            memberships.set(user, teams);
        }
        memberships
    }

    /// What of it a plan looks at.
    pub(crate) fn of<'a>(&'a self, memberships: &'a Memberships) -> plan::recorded::Evidence<'a> {
        plan::recorded::Evidence { requests: &self.reading.requests, memberships, named: self.named }
    }
}

/// Returns `true` if a name can be a Docker ID. Old records hold the UUID of an account, and some the address of a
/// person.
fn is_docker_id(user: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let is_part =
        |(part, length): (&str, usize)| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_uuid = user.split('-').count() == lengths.len() && user.split('-').zip(lengths).all(is_part);
    !(user.is_empty() || is_uuid || user.contains(['@', ' ']))
}

fn parse(text: &str) -> Result<Listed, String> {
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let serde_yaml::Value::Mapping(users) = value else {
        return Err("it is not a mapping of users to teams".to_owned());
    };
    let mut listed = Listed::new();
    for (user, teams) in users {
        let name = |value: &serde_yaml::Value| match value {
            serde_yaml::Value::String(text) => Some(text.clone()),
            serde_yaml::Value::Number(number) => Some(number.to_string()),
            serde_yaml::Value::Null
            | serde_yaml::Value::Bool(_)
            | serde_yaml::Value::Sequence(_)
            | serde_yaml::Value::Mapping(_)
            | serde_yaml::Value::Tagged(_) => None,
        };
        let user = name(&user).ok_or("a user's name is not text")?;
        let teams = match &teams {
            serde_yaml::Value::Null => Some(BTreeSet::new()),
            serde_yaml::Value::Sequence(teams) => teams.iter().map(name).collect(),
            serde_yaml::Value::Bool(_)
            | serde_yaml::Value::Number(_)
            | serde_yaml::Value::String(_)
            | serde_yaml::Value::Mapping(_)
            | serde_yaml::Value::Tagged(_) => name(&teams).map(|one| BTreeSet::from([one])),
        };
        let teams = teams.ok_or_else(|| format!("the teams of `{user}` are not a list of names"))?;
        listed.insert(user, teams);
    }
    Ok(listed)
}

/// Memberships for scopes that hold what documents say.
fn by_name(listed: Option<&Listed>) -> Memberships {
    let mut memberships = Memberships::default();
    for (user, teams) in listed.into_iter().flatten() {
        memberships.set(user, teams.iter().cloned());
    }
    memberships
}

/// Memberships for scopes that hold the ids of an organization's teams.
fn by_id(context: &Context, listed: &Listed, live: &Live) -> Memberships {
    let mut memberships = Memberships::default();
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    for (user, teams) in listed {
        let mut ids = BTreeSet::new();
        for team in teams {
            match live.teams.resolve(team) {
                TeamLookup::Found(id) => drop(ids.insert(id)),
                // A team that the organization does not have is in no scope.
                TeamLookup::Unknown => {
                    unknown.insert(team);
                    ids.insert(team.clone());
                }
                TeamLookup::Ambiguous(all) => ids.extend(all),
            }
        }
        memberships.set(user, ids);
    }
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().map(|team| format!("`{}`", line(team))).collect();
        context.note(&format!("note: the organization does not have the teams {}", names.join(", ")));
    }
    memberships
}

/// Says what of the records was not read.
fn note(context: &Context, Reading { requests, broken, others }: &Reading) {
    if requests.skipped.broken > 0 {
        let count = requests.skipped.broken;
        context.note(&format!("warning: {count} {} not records", if count == 1 { "line is" } else { "lines are" }));
        for Broken { file, line: number, why } in broken {
            let place = if *number > 0 { format!("{file}:{number}") } else { file.clone() };
            context.note(&format!("  {}: {why}", line(&place)));
        }
        let more = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(broken.len());
        if more > 0 {
            context.note(&format!("  … and {more} more"));
        }
    }
    if *others > 0 {
        context.note(&format!("note: {others} other files in the folders of records were not read"));
    }
    if requests.cells.is_empty() {
        context.note("note: there is no decision in the records");
    }
}

/// Writes a document that people will keep. One that is there stays.
///
/// # Errors
///
/// Returns an error if there is a file of this name, or if it cannot be written.
pub(crate) fn write_new(context: &Context, file: &Path, text: &str) -> Result<(), Failure> {
    let path = context.path(file);
    if path.exists() {
        let failure = Failure::new(Exit::Usage, format!("`{}` is there already", file.display()));
        return Err(failure.hint("name a new file, or delete that one first"));
    }
    write_named(&path, text)
}

/// A time such as `7d`, `12h`, `90m` or `0`, in microseconds.
///
/// # Errors
///
/// Returns an error with the correct form if the text is not a time.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let wrong = || "write a number with a unit, such as `7d`, `12h` or `90m`".to_owned();
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: i64 = digits.parse().ok().filter(|number| *number >= 0).ok_or_else(wrong)?;
    let seconds = match text.get(digits.len()..).unwrap_or_default() {
        "w" => 7 * 86_400,
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        "" if number == 0 => 1,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds * 1_000_000).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::{is_docker_id, parse, parse_duration};

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("7d", 604_800), ("12h", 43_200), ("90m", 5_400), ("0", 0), ("2w", 1_209_600)] {
            assert_eq!(parse_duration(text), Ok(seconds * 1_000_000), "{text}");
        }
        for wrong in ["", "7", "d", "-1d", "7 d", "7y", "99999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_docker_id_belongs_to_nobody_that_the_service_knows() {
        assert!(is_docker_id("ana") && is_docker_id("user-a-b-c-d"));
        for other in ["", "ana@corp.example", "95e7257f-93c9-4f29-bde7-88830e2dae80"] {
            assert!(!is_docker_id(other), "{other}");
        }
    }

    #[test]
    fn teams_are_listed_by_user() {
        let listed = parse("ana: [research, platform]\nbob: research\ncy: []\n7: [1]\nd: ~\n").unwrap();
        assert_eq!(listed["ana"].len(), 2);
        assert!(listed["bob"].contains("research") && listed["cy"].is_empty() && listed["d"].is_empty());
        assert!(listed["7"].contains("1"));
        for wrong in ["- ana", "ana: {a: b}", "ana: [[x]]", "[", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
