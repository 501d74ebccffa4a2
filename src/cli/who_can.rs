//! `seawall who-can`: lists every audience that may do something, and by which rules. Reads only.

use super::can::{documents, json_of_each, live_subjects};
use super::format::AnswerFormat;
use super::session::organizations::{about, worst};
use super::session::watch::watched;
use super::session::{output, workspace};
use super::{Context, Exit, Failure};
use crate::access::{Request, State};
use crate::diagnostic::sanitize::line;
use crate::model::TeamDirectory;
use crate::render::answer::DeclaredPolicies;
use crate::render::who;
use crate::workspace::EmptyWorkspace;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  seawall who-can connect:tcp cve.mitre.org:443
  seawall who-can cve.mitre.org:443                    # the same
  seawall who-can write /data --live                   # of what is live, with its teams
  seawall who-can POST https://api.github.com/repos/acme/web/issues
  seawall who-can mcp invokeTool notion/search '{\"readOnly\": true}'

An audience is the whole organization, the members of a team, or the members of two teams of whom each has only a part of
it; it is listed where it may do more than any smaller one. A member of several teams has the rules of all of them, and a
deny of one wins: whoever gets less for being in one more team is told below the audience.")]
pub(super) struct Args {
    /// The request, as `can` takes it: `connect:tcp HOST`, `read PATH`, `mount rw PATH`, a method
    /// with a URL, or `mcp`. Without an action, a host means a connection, a folder means reading,
    /// and a URL means GET
    #[arg(value_name = "TARGET", required = true)]
    target: Vec<String>,
    /// Ask the live state instead of the documents
    #[arg(long)]
    live: bool,
    /// Output format of the answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    format: AnswerFormat,
}

/// The words of the request; for a target alone, with its most usual action.
fn question(target: &[String]) -> String {
    let written = target.join(" ");
    if written.contains(' ') || written.is_empty() {
        return written;
    }
    let is_folder = written.starts_with(['/', '~', '\\']) || written.get(1..3) == Some(":\\");
    let action = match () {
        () if written.contains("://") => "GET",
        () if is_folder => "read",
        () => "connect:tcp",
    };
    format!("{action} {written}")
}

pub(super) fn run(
    context: &Context,
    Args { target, live, format }: &Args,
) -> Result<Exit, Failure> {
    let request = Request::parse(&question(target))
        .map_err(|wrong| Failure::new(Exit::Usage, wrong.message).hint(wrong.help))?;
    let subjects = match live {
        true => live_subjects(context, None)?,
        false => {
            documents(workspace::load_silently(context, None, EmptyWorkspace::Refused)?, context)?
        }
    };
    let several = subjects.len() > 1;
    let (mut shown, mut exits) = (Vec::new(), Vec::new());
    for (name, subject) in subjects {
        let subject = match subject {
            Ok(subject) => subject,
            Err(failure) if several => {
                exits.push(failure.exit);
                let _ = output::report(&about(&name, failure));
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let written = TeamDirectory::default();
        let teams = subject.live.as_ref().map_or(&written, |live| &live.teams);
        let everybody = watched("evaluating the request", || {
            State::new(&subject.policies).who(&request, teams)
        });
        let (request, places) = (request.to_string(), DeclaredPolicies(&subject.declared));
        let text = match format {
            AnswerFormat::Human if several => {
                format!(
                    "{}\n{}",
                    line(&name),
                    who::human(&request, &everybody, places, context.view())
                )
            }
            AnswerFormat::Human => who::human(&request, &everybody, places, context.view()),
            AnswerFormat::Json => who::json(&request, &everybody, places),
        };
        shown.push((name, text));
    }
    context.print_or_show(
        matches!(format, AnswerFormat::Human),
        &match format {
            AnswerFormat::Json if several => {
                json_of_each(&[], shown.iter().map(|(name, text)| (name.as_str(), text)))
            }
            AnswerFormat::Human | AnswerFormat::Json => {
                shown.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
            }
        },
    )?;
    Ok(worst(exits))
}

#[cfg(test)]
mod tests {
    use super::question;

    #[test]
    fn a_target_alone_is_a_question() {
        for (words, expected) in [
            (&["cve.mitre.org:443"][..], "connect:tcp cve.mitre.org:443"),
            (&["/data"], "read /data"),
            (&["~/src"], "read ~/src"),
            (&["C:\\src"], "read C:\\src"),
            (&["https://api.github.com/x"], "GET https://api.github.com/x"),
            (&["write", "/data"], "write /data"),
            (&["connect:udp dns.example.com:53"], "connect:udp dns.example.com:53"),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(question(&words), expected);
        }
    }
}
