//! The arguments that all commands for recorded requests share: the records, and the teams of
//! users.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use super::evidence::{Evidence, Listed};
use super::organizations::worst;
use super::planning::{Workspace, of_records};
use super::reading::read;
use super::watch::{READING_RECORDS, watched};
use super::{Context, Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::evidence::{self, Broken, Input, ReadError, Reading};

/// The sources of recorded requests.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct RecordFlags {
    /// Recorded requests: a file, a folder or `-` (JSON Lines, pages of the audit API, CSV; also
    /// `.gz` and `.zst`); repeat for several
    #[arg(long, value_name = "PATH")]
    pub(crate) records: Vec<PathBuf>,
    /// The teams of users, as YAML: `user: [team, …]`
    #[arg(long = "teams", value_name = "FILE", requires = "records")]
    teams: Option<PathBuf>,
    /// Exit with 1 if something in the records is not a record
    #[arg(long = "strict", requires = "records")]
    strict: bool,
}

/// Recorded requests that are being read. Documents are loaded meanwhile, which takes about as long
/// and needs nothing of them.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    flags: &'a RecordFlags,
    /// `None` without `--records`.
    reading: Option<JoinHandle<Result<Reading, ReadError>>>,
}

impl Records<'_> {
    /// The records, and the memberships of their users from `--teams`; `None` without `--records`.
    /// Everything that is not a record is reported.
    ///
    /// # Errors
    ///
    /// Returns an error if the records or the file with the teams cannot be read.
    pub(crate) fn evidence(
        self,
        context: &Context,
        named: bool,
    ) -> Result<Option<Evidence>, Failure> {
        let Some(reading) = self.reading else { return Ok(None) };
        let listed = self.flags.listed(context)?;
        let read = watched(READING_RECORDS, || reading.join());
        let reading = read.unwrap_or_else(|panic| resume_unwind(panic))?;
        note(context, &reading);
        Ok(Some(Evidence { reading, listed, named }))
    }

    /// The same for a command that requires records.
    ///
    /// # Errors
    ///
    /// Returns an error if no records are named, or if they cannot be read.
    pub(crate) fn required(self, context: &Context, named: bool) -> Result<Evidence, Failure> {
        self.evidence(context, named)?.ok_or_else(|| {
            let failure = Failure::new(Exit::Usage, "no records are named");
            failure
                .hint("name files or folders with `--records`, or `--records -` for standard input")
        })
    }

    /// Adds the records, if there are any, to the workspace that they belong to. Returns the number
    /// of broken ones.
    ///
    /// # Errors
    ///
    /// Returns an error if the records cannot be read, or not exactly one workspace has a Docker
    /// organization.
    pub(crate) fn give(
        self,
        context: &Context,
        each: &mut [Workspace],
        named: bool,
    ) -> Result<u64, Failure> {
        if self.reading.is_some() {
            of_records(each)?;
        }
        let Some(evidence) = self.evidence(context, named)? else { return Ok(0) };
        let broken = evidence.broken();
        Workspace::with_records(each, evidence)?;
        Ok(broken)
    }
}

impl RecordFlags {
    /// Begins to read the records.
    ///
    /// # Errors
    ///
    /// Returns an error if standard input is named more than once.
    pub(crate) fn begin(&self, context: &Context) -> Result<Records<'_>, Failure> {
        let input = |path: &PathBuf| match path.as_os_str() == "-" {
            true => Input::Standard,
            false => Input::Path(context.path(path)),
        };
        let inputs: Vec<Input> = self.records.iter().map(input).collect();
        if inputs.iter().filter(|input| **input == Input::Standard).count() > 1 {
            return Err(Failure::new(Exit::Usage, "standard input can be read once")
                .hint("give `--records -` once"));
        }
        let reading = (!inputs.is_empty()).then(|| thread::spawn(move || evidence::read(&inputs)));
        Ok(Records { flags: self, reading })
    }

    /// The exit of a run that would end with `exit`, given the number of broken records.
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
        let teams =
            teams.ok_or_else(|| format!("the teams of `{user}` are not a list of names"))?;
        listed.insert(user, teams);
    }
    Ok(listed)
}

/// Reports records that were not read.
fn note(context: &Context, Reading { requests, broken, others }: &Reading) {
    if requests.skipped.broken > 0 {
        let count = requests.skipped.broken;
        context.note(&format!(
            "warning: {count} {} not records",
            if count == 1 { "line is" } else { "lines are" }
        ));
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
        context
            .note(&format!("note: {others} other files in the folders of records were not read"));
    }
    if requests.groups.is_empty() {
        context.note("note: there is no decision in the records");
    }
}

/// Parses a length of time such as `7d`, `12h`, `90m` or `0`, in microseconds.
///
/// # Errors
///
/// Returns an error with the correct form if the text is not a length of time.
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
    use super::{parse, parse_duration};

    #[test]
    fn times_have_units() {
        for (text, seconds) in
            [("7d", 604_800), ("12h", 43_200), ("90m", 5_400), ("0", 0), ("2w", 1_209_600)]
        {
            assert_eq!(parse_duration(text), Ok(seconds * 1_000_000), "{text}");
        }
        for wrong in ["", "7", "d", "-1d", "7 d", "7y", "99999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn teams_are_listed_by_user() {
        let listed =
            parse("ana: [research, platform]\nbob: research\ncy: []\n7: [1]\nd: ~\n").unwrap();
        assert_eq!(listed["ana"].len(), 2);
        assert!(
            listed["bob"].contains("research") && listed["cy"].is_empty() && listed["d"].is_empty()
        );
        assert!(listed["7"].contains("1"));
        for wrong in ["- ana", "ana: {a: b}", "ana: [[x]]", "[", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
