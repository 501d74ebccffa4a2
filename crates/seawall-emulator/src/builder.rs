//! The setup and the start of an emulator.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::clock::{Clock, Source};
use super::connection::{Breaker, Loopback};
use super::docker::{self, Account, Behaviour, Limits, Role, Service, Settings};
use super::fault::{Fault, Faults};
use super::record::Record;
use super::running::Running;
use super::seed::Seed;
use super::server::{Inner, Server, router};
use super::state::State;
use super::store::{Store, StoreError};
use super::vijil::{self, VijilAccount, VijilBehaviour};
use super::{EmulatorError, identity};

/// Limit of requests for audit records, per organization and second.
const AUDIT_CALLS: u32 = 5;

/// The setup of an emulator. Without a state file, its state is lost when it stops.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    org: Option<String>,
    teams: Vec<String>,
    members: Vec<(String, String)>,
    state: Option<(PathBuf, File)>,
    seeds: Vec<Seed>,
    records: Vec<Value>,
    port: u16,
    /// Bound before the start.
    listener: Option<StdListener>,
    latency: Duration,
    rate_limit: Option<u32>,
    audit_limit: Option<u32>,
    faults: Vec<Fault>,
    record: bool,
    clock: Source,
    settings: Settings,
    vijil: vijil::Settings,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            org: None,
            teams: Vec::new(),
            members: Vec::new(),
            state: None,
            seeds: Vec::new(),
            records: Vec::new(),
            port: 0,
            listener: None,
            latency: Duration::ZERO,
            rate_limit: None,
            audit_limit: Some(AUDIT_CALLS),
            faults: Vec::new(),
            record: true,
            clock: Source::system(),
            settings: Settings::default(),
            vijil: vijil::Settings::default(),
        }
    }
}

impl Builder {
    /// The organization; without it, that of the seed, or `my-org`.
    pub fn org(mut self, name: impl Into<String>) -> Self {
        self.org = Some(name.into());
        self
    }

    /// Teams that the organization has; existing ones are unchanged. Their ids follow from the
    /// names.
    pub fn teams<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.teams.extend(names.into_iter().map(Into::into));
        self
    }

    /// A member of a team, for `GET …/groups?username=`; the team is created if it is new.
    pub fn member(mut self, team: impl Into<String>, username: impl Into<String>) -> Self {
        self.members.push((team.into(), username.into()));
        self
    }

    /// An account that owns the organization. [`Running::identifier`] returns the first one;
    /// without any, one with a generated secret is created.
    pub fn account(self, identifier: impl Into<String>, secret: impl Into<String>) -> Self {
        self.account_as(identifier, secret, Role::Owner)
    }

    /// An account with a role.
    pub fn account_as(
        mut self,
        identifier: impl Into<String>,
        secret: impl Into<String>,
        role: Role,
    ) -> Self {
        self.settings.accounts.push(Account {
            identifier: identifier.into(),
            secret: secret.into(),
            role,
        });
        self
    }

    /// Audit records of the organization, in the form of local files or of the API. They are
    /// ignored if the state file has the organization already.
    pub fn records(mut self, records: impl IntoIterator<Item = Value>) -> Self {
        self.records.extend(records);
        self
    }

    /// A raw access token that may read the audit log. Without it, one is generated.
    pub fn audit_token(mut self, token: impl Into<String>) -> Self {
        self.settings.audit_token = Some(token.into());
        self
    }

    /// Removes the limit of requests for audit records; the service answers five a second.
    pub fn unlimited_audit(mut self) -> Self {
        self.audit_limit = None;
        self
    }

    /// Keeps the state in this file, open for reading and writing; a new one is empty. Errors name
    /// it by the path, which the emulator does not open itself.
    pub fn state(mut self, path: impl AsRef<Path>, file: File) -> Self {
        self.state = Some((path.as_ref().to_owned(), file));
        self
    }

    /// Adds the initial state of an organization; repeat for more. It is ignored if the state file
    /// has the organization already. A seed without a name is for the first organization.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seeds.push(seed);
        self
    }

    /// The port on the loopback interface; 0, the default, selects a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The delay of every call before it takes effect.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Shows `X-RateLimit-*`, and answers 429 after this many calls in a minute of the emulator's
    /// clock.
    pub fn rate_limit(mut self, calls_a_minute: u32) -> Self {
        self.rate_limit = Some(calls_a_minute);
        self
    }

    /// Arms a fault at the start.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Turns the recording of calls for [`Running::calls`] on or off. It is on by default.
    pub fn record(mut self, record: bool) -> Self {
        self.record = record;
        self
    }

    /// Replaces the machine's clock; a clock that is shared with the client advances when the
    /// client waits.
    pub fn clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Source::new(now);
        self
    }

    /// Choices where the documentation permits several behaviours.
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.settings.behaviour = behaviour;
        self
    }

    /// Other limits than the service's.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Creates the organization without the subscription.
    pub fn not_entitled(mut self) -> Self {
        self.settings.entitled = false;
        self
    }

    /// Credentials for Vijil. [`Running::vijil_account`] returns the first ones; without any, a
    /// pair with a generated secret is created.
    pub fn vijil_account(mut self, account: VijilAccount) -> Self {
        self.vijil.accounts.push(account);
        self
    }

    /// Choices for Vijil where the documentation permits several behaviours.
    pub fn vijil_behaviour(mut self, behaviour: VijilBehaviour) -> Self {
        self.vijil.behaviour = behaviour;
        self
    }

    /// Takes the port before the start, so that a caller creates no state file if it is taken.
    ///
    /// # Errors
    /// Returns an error if the port is taken.
    pub fn bind(mut self) -> Result<Self, EmulatorError> {
        self.listener = Some(self.listen()?);
        Ok(self)
    }

    fn listen(&self) -> Result<StdListener, EmulatorError> {
        let bind = |source| EmulatorError::Bind { port: self.port, source };
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, self.port)).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        Ok(listener)
    }

    /// Starts the emulator.
    ///
    /// # Errors
    /// Returns an error if the port is taken, or the state file cannot be used.
    pub async fn start(mut self) -> Result<Running, EmulatorError> {
        let org = self
            .org
            .clone()
            .or_else(|| self.seeds.iter().find_map(|seed| seed.org.clone()))
            .unwrap_or_else(|| "my-org".to_owned());
        if self.settings.accounts.is_empty() {
            self = self.account(org.clone(), identity::unguessable());
        }
        let audit_token =
            self.settings.audit_token.get_or_insert_with(identity::unguessable).clone();
        let account = self.settings.accounts.first().expect("an account was just added").clone();
        if self.vijil.accounts.is_empty() {
            let client_secret = identity::unguessable();
            let client_id = "vk_seawall".to_owned();
            self.vijil.accounts.push(VijilAccount {
                client_id,
                client_secret,
                api_key: None,
                email: None,
            });
        }
        let vijil_account = self.vijil.accounts.first().expect("an account was just added").clone();
        let bind = |source| EmulatorError::Bind { port: self.port, source };
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => self.listen()?,
        };
        let listener = TcpListener::from_std(listener).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;

        let clock = Clock::new(self.clock.clone());
        let inner = self.inner(&org, clock.now())?;
        let server = Arc::new(Server {
            docker: Service::new(self.settings, identity::unguessable()),
            vijil: vijil::Service::new(self.vijil, identity::unguessable()),
            clock,
            latency: self.latency,
            origin: format!("http://{address}"),
            port: address.port(),
            rate_limit: self.rate_limit,
            audit_limit: self.audit_limit,
            inner: Mutex::new(inner),
            in_flight: 0.into(),
            most_in_flight: 0.into(),
        });
        let (stop, stopped) = oneshot::channel();
        let service = router(Arc::clone(&server)).into_make_service_with_connect_info::<Breaker>();
        let task = tokio::spawn(async move {
            let serving =
                axum::serve(Loopback(listener), service).with_graceful_shutdown(async move {
                    // A signal to stop and a dropped emulator both end it.
                    let _ = stopped.await;
                });
            if let Err(error) = serving.await {
                tracing::error!("the emulator stopped: {error}");
            }
        });
        Ok(Running {
            server,
            account,
            vijil_account,
            audit_token,
            org,
            stop: Some(stop),
            task: Some(task),
        })
    }

    /// Opens the state, and applies the setup to it.
    fn inner(&mut self, org: &str, now: Timestamp) -> Result<Inner, StoreError> {
        let (store, state) = match self.state.take() {
            Some((path, file)) => {
                Store::open(path, file).map(|(store, state)| (Some(store), state))?
            }
            None => (None, State::default()),
        };
        let mut faults = Faults::default();
        self.faults.drain(..).for_each(|fault| faults.arm(fault));
        let record = Record { on: self.record, calls: Vec::new() };
        let mut inner = Inner {
            previous: state.clone(),
            state,
            store,
            closed: false,
            faults,
            record,
            minute: (0, 0),
            audited: (0, 0),
        };
        let seeds = std::mem::take(&mut self.seeds);
        // A single seed is for the organization of the setup, whatever its name was.
        let renamed = seeds.len() == 1;
        inner.change(|state| {
            let known: BTreeSet<String> = state.orgs.keys().cloned().collect();
            for seed in seeds {
                let of = seed.org.clone().filter(|_| !renamed).unwrap_or_else(|| org.to_owned());
                if !known.contains(&of) {
                    seed.fill(state, &of, now);
                } else if seed != Seed::default() {
                    tracing::warn!(
                        org = of,
                        "the state has the organization already, and the seed is not used"
                    );
                }
            }
            let is_new = !known.contains(org);
            let named = state.org_mut(org);
            if is_new {
                let records =
                    self.records.drain(..).map(|record| Arc::new(docker::audit::shown(record)));
                Arc::make_mut(&mut named.records).extend(records);
            }
            named.ensure_teams(org, &self.teams);
            for (team, username) in &self.members {
                let id = named.ensure_team(org, team);
                if let Some(group) = Arc::make_mut(&mut named.teams).get_mut(&id) {
                    group.members.insert(username.clone());
                }
            }
        })?;
        Ok(inner)
    }
}
