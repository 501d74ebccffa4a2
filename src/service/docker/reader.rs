//! Reads the state of one organization.
//!
//! Invariant: results are sorted, so that the order of answers and of concurrent calls does not
//! matter. A single answer is not trusted that a policy is missing, since a page that lost one
//! looks like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;

use super::snapshot::{DockerSnapshot, Snapshot};
use super::{Error, wire};
use crate::model::{Live, LivePolicy, PolicyId, Team, TeamDirectory};
use crate::service::http::{self, Bounds};

/// The service's own page size, and its largest.
const PAGE_SIZE: &str = "100";
/// The number of times that the policies are listed again if they changed in between.
const ROUNDS: u32 = 5;
/// The limits of one read. The service documents 100 policies of 400 KB for an organization; teams
/// have no documented limit.
const LIST: Bounds = Bounds {
    what: "policies",
    pages: 100,
    objects: 1_000,
    bytes: 64 << 20,
    values: 10_000_000,
    time: Duration::from_secs(60),
};
const POLICIES: Bounds = Bounds { pages: 1_000, time: Duration::from_secs(480), ..LIST };
const MEMBERS: Bounds = Bounds {
    what: "members of teams",
    pages: 20_000,
    objects: 1_000_000,
    bytes: 512 << 20,
    time: Duration::from_secs(480),
    ..LIST
};
const TEAMS: Bounds =
    Bounds { what: "teams", pages: 1_000, objects: 50_000, bytes: 32 << 20, ..LIST };

/// Reads one organization; it cannot write.
#[derive(Clone, Debug)]
pub struct Reader {
    http: http::Reader,
    org: String,
}

impl Reader {
    /// Reads this organization with this transport. Sends nothing yet.
    #[must_use]
    pub fn new(http: http::Reader, org: impl Into<String>) -> Self {
        Self { http, org: org.into() }
    }

    /// The organization's name.
    #[must_use]
    pub fn org(&self) -> &str {
        &self.org
    }

    /// The number of concurrent calls.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.http.concurrency()
    }

    /// Once this becomes true, calls that wait for a retry are abandoned.
    pub fn stop_waits_on(&self, stop: tokio::sync::watch::Receiver<bool>) {
        self.http.stop_waits_on(stop);
    }

    /// The time since the connection was made, on its clock.
    #[must_use]
    pub fn passed(&self) -> Duration {
        self.http.passed()
    }

    /// Waits, on the clock of the connection.
    pub async fn pause(&self, wait: Duration) {
        self.http.pause(wait).await;
    }

    pub(super) fn transport(&self) -> &http::Reader {
        &self.http
    }

    /// Teams and complete policies, read concurrently. The list is read before and after the
    /// policies until both reads agree: a policy that disappears in between is left out once the
    /// list no longer shows it.
    ///
    /// # Errors
    ///
    /// Returns an error if any part of it cannot be read: a snapshot is never partial.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        Ok(Snapshot::new(self.docker_snapshot().await?))
    }

    async fn docker_snapshot(&self) -> Result<DockerSnapshot, Error> {
        let (teams, policies) = tokio::try_join!(self.teams(), self.policies())?;
        Ok(DockerSnapshot { org: self.org.clone(), teams, policies })
    }

    /// The live state that the snapshot describes.
    ///
    /// # Errors
    ///
    /// As [`Self::snapshot`]; and when an object cannot be understood.
    pub async fn live(&self) -> Result<Live, Error> {
        self.docker_snapshot().await?.live().map_err(|cause| self.meaningless(cause))
    }

    /// One policy as it is now; `None` if no policy has this id. It must be missing both by itself
    /// and in the list, since a policy that is hidden from the account, or lost in transit, is not
    /// found either.
    ///
    /// # Errors
    ///
    /// Returns an error if the policy cannot be read or interpreted, or if the list shows it
    /// although it is not found.
    pub async fn policy(&self, id: &PolicyId) -> Result<Option<LivePolicy>, Error> {
        let mut policy = self.wire_policy(id).await?;
        if policy.is_none() && self.list().await?.contains(id) {
            policy = self.wire_policy(id).await?;
            if policy.is_none() {
                return Err(Error::Vanished { host: self.http.host(), id: id.0.clone() });
            }
        }
        policy.map(|policy| policy.live().map_err(|cause| self.meaningless(cause))).transpose()
    }

    /// Every team of the organization, sorted by id.
    ///
    /// # Errors
    ///
    /// Returns an error if a page cannot be read, or points away from the service.
    pub async fn teams(&self) -> Result<Vec<Team>, Error> {
        let about = |error| Error::about(error, self.http.host(), &self.org, "teams");
        let query = [("page", "1"), ("page_size", PAGE_SIZE)];
        let http = self.http.bounded(TEAMS);
        let mut page: wire::GroupPage =
            http.get(&["orgs", &self.org, "groups"], &query).await.map_err(about)?;
        let (mut teams, mut seen) = (BTreeSet::new(), BTreeSet::new());
        loop {
            http.count(page.results.len())?;
            teams.extend(page.results.into_iter().map(Team::from));
            match page.next.filter(|next| !next.is_empty()) {
                None => return Ok(teams.into_iter().collect()),
                Some(next) if !seen.insert(next.clone()) => return Err(self.endless("teams")),
                Some(next) => page = http.follow(&next).await.map_err(about)?,
            }
        }
    }

    /// Reads the members of these teams: ids of their teams, by Docker ID in lower case.
    ///
    /// # Errors
    ///
    /// Returns an error if the members of any team cannot be read: a missing membership would look
    /// like no membership.
    pub async fn members(
        &self,
        teams: &TeamDirectory,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
        let mut reads = JoinSet::new();
        let within = Self { http: self.http.bounded(MEMBERS), org: self.org.clone() };
        for team in teams.iter() {
            let (reader, Team { id, name }) = (within.clone(), team);
            reads.spawn(async move { reader.members_of(&name).await.map(|members| (id, members)) });
        }
        let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        while let Some(read) = reads.join_next().await {
            let (id, own) =
                read.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
            for member in own {
                members.entry(member.to_lowercase()).or_default().insert(id.clone());
            }
        }
        Ok(members)
    }

    async fn members_of(&self, team: &str) -> Result<Vec<String>, Error> {
        // A hidden team does exist: the list has just shown it.
        let about = |error: http::Error| match error
            .refusal()
            .filter(|refusal| matches!(refusal.status, 403 | 404))
        {
            Some(refusal) => Error::Forbidden {
                org: self.org.clone(),
                what: "members of teams",
                refusal: refusal.clone(),
            },
            None => Error::Http(error),
        };
        let query = [("page", "1"), ("page_size", PAGE_SIZE)];
        let path = ["orgs", &self.org, "groups", team, "members"];
        let mut page: wire::MemberPage = self.http.get(&path, &query).await.map_err(about)?;
        let (mut members, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            self.http.count(page.results.len())?;
            members.extend(page.results.into_iter().map(|member| member.username));
            match page.next.filter(|next| !next.is_empty()) {
                None => return Ok(members),
                Some(next) if !seen.insert(next.clone()) => {
                    return Err(self.endless("members of teams"));
                }
                Some(next) => page = self.http.follow(&next).await.map_err(about)?,
            }
        }
    }

    /// Every policy, complete, sorted by name and id.
    async fn policies(&self) -> Result<Vec<wire::Policy>, Error> {
        let mut vanished = None;
        let mut listed = self.list().await?;
        for round in 0..ROUNDS {
            if round > 0 {
                self.http.pause(Duration::from_millis(100 << round)).await;
                listed = self.list().await?;
            }
            match self.read_all(&listed).await? {
                Ok(policies) if self.list().await? == listed => return Ok(policies),
                Ok(_) => vanished = None,
                Err(id) => vanished = Some(id),
            }
        }
        let host = self.http.host();
        Err(vanished.map_or(Error::Unstable { host: host.clone(), what: "policies" }, |id| {
            Error::Vanished { host, id: id.0 }
        }))
    }

    /// The ids of all policies: reads pages until one has no token.
    async fn list(&self) -> Result<BTreeSet<PolicyId>, Error> {
        let path = ["orgs", &self.org, "governance", "policies"];
        let (mut ids, mut seen): (BTreeSet<_>, BTreeSet<String>) = Default::default();
        let mut token: Option<String> = None;
        let http = self.http.bounded(LIST);
        loop {
            let mut query = vec![("page_size", PAGE_SIZE)];
            query.extend(token.as_deref().map(|token| ("page_token", token)));
            let page: wire::PolicyPage = http
                .get(&path, &query)
                .await
                .map_err(|error| Error::about(error, self.http.host(), &self.org, "policies"))?;
            http.count(page.data.len())?;
            for summary in page.data {
                self.check_organization(summary.org)?;
                ids.insert(summary.id);
            }
            // The audit log's pages end with an empty token, so that one counts as the end here
            // too.
            match page.next_page_token.filter(|token| !token.is_empty()) {
                None => return Ok(ids),
                Some(next) if !seen.insert(next.clone()) => return Err(self.endless("policies")),
                Some(next) => token = Some(next),
            }
        }
    }

    /// All of these policies, or the id of one that is missing.
    async fn read_all(
        &self,
        ids: &BTreeSet<PolicyId>,
    ) -> Result<Result<Vec<wire::Policy>, PolicyId>, Error> {
        let mut reads = JoinSet::new();
        let within = Self { http: self.http.bounded(POLICIES), org: self.org.clone() };
        for id in ids.iter().cloned() {
            let reader = within.clone();
            reads
                .spawn(async move { reader.wire_policy(&id).await.map(|policy| policy.ok_or(id)) });
        }
        let mut policies = BTreeMap::new();
        while let Some(read) = reads.join_next().await {
            match read.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))? {
                Ok(policy) => policies.insert((policy.name.clone(), policy.id.clone()), policy),
                Err(id) => return Ok(Err(id)),
            };
        }
        Ok(Ok(policies.into_values().collect()))
    }

    async fn wire_policy(&self, id: &PolicyId) -> Result<Option<wire::Policy>, Error> {
        let path = ["orgs", &self.org, "governance", "policies", &id.0];
        match self.http.get::<wire::Policy, _>(&path, &[]).await {
            Ok(policy) => {
                self.check_organization(policy.org.clone())?;
                match policy.id == *id {
                    true => Ok(Some(policy)),
                    false => Err(Error::OtherPolicy {
                        host: self.http.host(),
                        asked: id.0.clone(),
                        answered: policy.id.0.clone(),
                    }),
                }
            }
            Err(http::Error::Refused { refusal, .. }) if refusal.status == 404 => Ok(None),
            Err(error) => Err(Error::about(error, self.http.host(), &self.org, "policies")),
        }
    }

    fn check_organization(&self, answered: Option<String>) -> Result<(), Error> {
        match answered.filter(|answered| !answered.eq_ignore_ascii_case(&self.org)) {
            None => Ok(()),
            Some(answered) => Err(Error::OtherOrganization {
                host: self.http.host(),
                asked: self.org.clone(),
                answered,
            }),
        }
    }

    fn endless(&self, what: &'static str) -> Error {
        Error::EndlessPages { host: self.http.host(), what }
    }

    fn meaningless(&self, cause: wire::Meaningless) -> Error {
        Error::Meaningless { host: self.http.host(), cause }
    }
}
