//! Settings from flags, the environment and `seawall.yaml`, in this order of precedence.
//!
//! Invariant: only this module reads the environment. An empty variable counts as not set, as
//! pipelines leave them. No secret comes from a flag.

use std::ffi::OsString;
use std::fmt;

use super::{Exit, Failure};

/// The largest number of concurrent calls.
const MOST_CONCURRENCY: usize = 64;
/// The default number of concurrent calls.
const DEFAULT_CONCURRENCY: usize = 8;

/// Flags that every command takes.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Run as if started in DIR
    #[arg(short = 'C', global = true, value_name = "DIR")]
    pub(crate) directory: Option<std::path::PathBuf>,
    /// Use FILE instead of the workspace's `seawall.yaml`
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<std::path::PathBuf>,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value_t = clap::ColorChoice::Auto)]
    pub(crate) color: clap::ColorChoice,
    /// Print everything unfolded, and more details; repeat for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print only results and failures
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) overrides: Flags,
}

/// The flags that take precedence over the environment and `seawall.yaml`.
#[derive(clap::Args)]
pub(crate) struct Flags {
    /// Docker organization [env: SEAWALL_ORG]
    #[arg(long, global = true, value_name = "ORG")]
    pub(crate) org: Option<String>,
    /// Docker API: a base URL ending in `/v2`, or `embedded` [env: SEAWALL_DOCKER_ENDPOINT]
    #[arg(long, global = true, value_name = "URL")]
    docker_endpoint: Option<String>,
    /// Vijil API: a base URL, or `embedded` [env: VIJIL_CONSOLE_URL]
    #[arg(long, global = true, value_name = "URL")]
    vijil_endpoint: Option<String>,
    /// Concurrent calls, 8 by default [env: SEAWALL_CONCURRENCY]
    #[arg(long, global = true, value_name = "N")]
    concurrency: Option<String>,
}

/// A setting with its source, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value of the setting.
    pub value: String,
    /// The source of the setting: `--org`, `SEAWALL_ORG`, `docker.org`.
    pub from: &'static str,
}

/// Settings from flags and the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrides {
    /// `--org`, `SEAWALL_ORG`.
    pub org: Option<Setting>,
    /// `--docker-endpoint`, `SEAWALL_DOCKER_ENDPOINT`.
    pub docker_endpoint: Option<Setting>,
    /// `--vijil-endpoint`, `VIJIL_CONSOLE_URL`.
    pub vijil_endpoint: Option<Setting>,
    /// `--concurrency`, `SEAWALL_CONCURRENCY`: concurrent calls, from 1 to 64.
    pub concurrency: usize,
}

impl Overrides {
    pub(crate) fn new(flags: Flags, environment: &Environment) -> Result<Self, Failure> {
        let Flags { org, docker_endpoint, vijil_endpoint, concurrency } = flags;
        let pick = |flag: Option<String>, from, variable| match flag {
            Some(value) => Ok(Some(Setting { value, from })),
            None => environment
                .text(variable)
                .map(|text| text.map(|value| Setting { value, from: variable })),
        };
        Ok(Self {
            org: pick(org, "--org", "SEAWALL_ORG")?,
            docker_endpoint: pick(docker_endpoint, "--docker-endpoint", "SEAWALL_DOCKER_ENDPOINT")?,
            vijil_endpoint: pick(vijil_endpoint, "--vijil-endpoint", "VIJIL_CONSOLE_URL")?,
            concurrency: pick(concurrency, "--concurrency", "SEAWALL_CONCURRENCY")?
                .map_or(Ok(DEFAULT_CONCURRENCY), |setting| calls_in_flight(&setting))?,
        })
    }
}

fn calls_in_flight(Setting { value, from }: &Setting) -> Result<usize, Failure> {
    value.parse().ok().filter(|calls| (1..=MOST_CONCURRENCY).contains(calls)).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("`{from}` is `{value}`"))
            .hint(format!("give the number of calls in flight, from 1 to {MOST_CONCURRENCY}"))
    })
}

/// The variables of the process, or those of a test.
pub struct Environment(Lookup);

type Lookup = Box<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

impl Environment {
    /// The variables of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn process() -> Self {
        Self(Box::new(|name| std::env::var_os(name)))
    }

    /// Only these variables.
    #[must_use]
    pub fn from_variables(
        variables: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Self {
        let variables: std::collections::BTreeMap<_, _> = variables.into_iter().collect();
        Self(Box::new(move |name| variables.get(name).map(OsString::from)))
    }

    /// The value of the variable for the system (a path); `None` if it is not set or empty.
    #[must_use]
    pub fn os(&self, name: &str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// The text of the variable; `None` if it is not set or empty.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is not Unicode; the message does not repeat it.
    pub fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        self.os(name)
            .map(|value| {
                let wrong = |_| {
                    Failure::new(Exit::Usage, format!("`{name}` is not UTF-8"))
                        .hint("set it to plain text")
                };
                value.into_string().map_err(wrong)
            })
            .transpose()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment") // variables hold secrets
    }
}

#[cfg(test)]
mod tests {
    use super::{Environment, Flags, Overrides};

    fn flags() -> Flags {
        Flags { org: None, docker_endpoint: None, vijil_endpoint: None, concurrency: None }
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_an_empty_variable_is_not_set() {
        let environment =
            Environment::from_variables([("SEAWALL_ORG", "from-env"), ("VIJIL_CONSOLE_URL", "")]);
        let read = Overrides::new(flags(), &environment).unwrap();
        assert_eq!(
            read.org.map(|org| (org.value, org.from)),
            Some(("from-env".into(), "SEAWALL_ORG"))
        );
        assert_eq!((read.vijil_endpoint, read.concurrency), (None, 8));
        let read = Overrides::new(Flags { org: Some("from-flag".into()), ..flags() }, &environment)
            .unwrap();
        assert_eq!(read.org.map(|org| (org.value, org.from)), Some(("from-flag".into(), "--org")));
    }

    #[test]
    fn concurrency_is_a_number_from_1_to_64() {
        for (text, calls) in [
            ("1", Some(1)),
            ("64", Some(64)),
            ("0", None),
            ("65", None),
            ("-1", None),
            ("many", None),
        ] {
            let read = Overrides::new(
                Flags { concurrency: Some(text.into()), ..flags() },
                &Environment::from_variables([]),
            );
            assert_eq!(read.map(|overrides| overrides.concurrency).ok(), calls, "{text}");
        }
    }
}
