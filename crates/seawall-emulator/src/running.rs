//! A running emulator: its addresses, recorded calls and state.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::EmulatorError;
use super::docker::Account;
use super::fault::Fault;
use super::record::Call;
use super::server::Server;
use super::state::{Policy, State};
use super::store::StoreError;
use super::vijil::VijilAccount;

/// A running emulator. Dropping it closes the state file at once and the socket soon after.
pub struct Running {
    pub(super) server: Arc<Server>,
    pub(super) account: Account,
    pub(super) vijil_account: VijilAccount,
    pub(super) audit_token: String,
    pub(super) org: String,
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) task: Option<JoinHandle<()>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("origin", &self.server.origin)
            .field("org", &self.org)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// The base URL for a Docker client: `http://127.0.0.1:PORT/v2`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}/v2", self.server.origin)
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.server.origin
    }

    /// The organization that it was started with.
    #[must_use]
    pub fn org(&self) -> &str {
        &self.org
    }

    /// The organizations that it serves, the one that it was started with first.
    #[must_use]
    pub fn orgs(&self) -> Vec<String> {
        let state = self.state();
        let others = state.orgs.keys().filter(|org| **org != self.org).cloned();
        std::iter::once(self.org.clone()).chain(others).collect()
    }

    /// The identifier of the owner's account.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.account.identifier
    }

    /// The secret of the owner's account.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.account.secret
    }

    /// The first credentials of the Vijil side.
    #[must_use]
    pub fn vijil_account(&self) -> &VijilAccount {
        &self.vijil_account
    }

    /// The raw access token that may read the audit log.
    #[must_use]
    pub fn audit_token(&self) -> &str {
        &self.audit_token
    }

    /// A new token for Vijil, as a login returns it.
    #[must_use]
    pub fn vijil_token(&self) -> String {
        self.server.vijil.token(self.server.clock.now().as_second())
    }

    /// The calls so far, in the order in which they took effect.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.server.lock().record.calls.clone()
    }

    /// The calls so far whose operation changes an organization, including refused and lost ones.
    #[must_use]
    pub fn writes(&self) -> Vec<Call> {
        self.calls().into_iter().filter(Call::is_write).collect()
    }

    /// Clears the recorded calls.
    pub fn forget_calls(&self) {
        self.server.lock().record.calls.clear();
        self.server.most_in_flight.store(0, Ordering::SeqCst);
    }

    /// The number of calls in progress, including those whose callers have left.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.server.in_flight.load(Ordering::SeqCst)
    }

    /// The largest number of concurrent calls so far.
    #[must_use]
    pub fn most_in_flight(&self) -> usize {
        self.server.most_in_flight.load(Ordering::SeqCst)
    }

    /// The current state of the emulator.
    #[must_use]
    pub fn state(&self) -> State {
        self.server.lock().state.clone()
    }

    /// The policies of the organization, sorted by name, then id.
    #[must_use]
    pub fn policies(&self) -> Vec<Policy> {
        let state = self.state();
        let org = state.orgs.get(&self.org);
        let mut policies: Vec<Policy> = org
            .iter()
            .flat_map(|org| org.policies.values())
            .map(|policy| Policy::clone(policy))
            .collect();
        policies.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        policies
    }

    /// Edits the state as another client would, durably and without validation.
    ///
    /// # Errors
    /// Returns an error if the state file fails; then nothing changed.
    pub fn edit<T>(&self, edit: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        self.server.lock().change(edit)
    }

    /// Adds an organization with these teams; an existing one keeps its state.
    ///
    /// # Errors
    /// Returns an error if the state file fails; then nothing changed.
    pub fn serve(
        &self,
        org: &str,
        teams: impl IntoIterator<Item = String>,
    ) -> Result<(), EmulatorError> {
        let sown = self.edit(|state| {
            let named = state.org_mut(org);
            for team in teams {
                named.ensure_team(org, &team);
            }
        });
        Ok(sown?)
    }

    /// Arms another fault, which counts calls from now on.
    pub fn arm(&self, fault: Fault) {
        self.server.lock().faults.arm(fault);
    }

    /// Disarms all faults.
    pub fn disarm(&self) {
        self.server.lock().faults.disarm();
    }

    /// Invalidates every token given so far.
    pub fn expire_tokens(&self) {
        self.server.docker.expire_tokens();
        self.server.vijil.expire_tokens();
    }

    /// Advances the emulator's clock by whole seconds.
    pub fn advance(&self, by: Duration) {
        self.server.clock.advance(by);
    }

    /// Stops: accepts no new calls, completes those in progress, then closes the state file.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let mut inner = self.server.lock();
        inner.closed = true;
        inner.store = None;
    }
}
