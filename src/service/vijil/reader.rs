//! Reads policies and rules of the token's team.
//!
//! Invariant: results are sorted and complete: a list whose pages are inconsistent is read again,
//! then refused.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::Error;
use super::wire::{Page, Policy, Rule, VijilSnapshot, Whole};
use crate::model::{LiveVijil, LiveVijilPolicy, LiveVijilRule};
use crate::service::http::{self, Bounds};

/// The largest page sizes that the service accepts.
const POLICIES_PAGE: usize = 100;
const RULES_PAGE: usize = 1000;
/// The limits of one read. The service documents none; these are far above what people write.
const POLICIES: Bounds = Bounds {
    what: "policies",
    pages: 1_000,
    objects: 10_000,
    bytes: 64 << 20,
    values: 4_000_000,
    time: Duration::from_secs(60),
};
const RULES: Bounds = Bounds {
    what: "rules",
    pages: 20_000,
    objects: 100_000,
    time: Duration::from_secs(480),
    ..POLICIES
};
/// The number of times that a list is read again if its pages are inconsistent.
const ROUNDS: u32 = 4;

/// Reads one team's policies; it cannot write.
#[derive(Clone, Debug)]
pub struct Reader(http::Reader);

impl Reader {
    /// Reads with this transport. Sends nothing yet.
    #[must_use]
    pub fn new(http: http::Reader) -> Self {
        Self(http)
    }

    pub(super) fn transport(&self) -> &http::Reader {
        &self.0
    }

    /// The number of concurrent calls.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.0.concurrency()
    }

    /// Once this becomes true, calls that wait for a retry are abandoned.
    pub fn stop_waits_on(&self, stop: tokio::sync::watch::Receiver<bool>) {
        self.0.stop_waits_on(stop);
    }

    /// Waits, on the connection's clock.
    pub async fn pause(&self, wait: Duration) {
        self.0.pause(wait).await;
    }

    /// Every policy with its rules. A policy that disappears while the others are read is left out
    /// once the list, read again, no longer shows it.
    ///
    /// # Errors
    ///
    /// Returns an error if any part of it cannot be read.
    pub async fn snapshot(&self) -> Result<VijilSnapshot, Error> {
        let mut round = 0;
        loop {
            let listed: Vec<Policy> =
                self.policies().await?.into_iter().filter(|policy| !policy.is_preset).collect();
            let total = listed.len();
            let mut policies = self.with_rules(listed).await?;
            let shown = policies.len();
            if shown == total {
                policies.sort_by(|one, other| {
                    let key = |whole: &Whole| (whole.policy.name.clone(), whole.policy.id.clone());
                    key(one).cmp(&key(other))
                });
                return Ok(VijilSnapshot { policies });
            }
            round += 1;
            if round == ROUNDS {
                return Err(Error::Unstable {
                    host: self.0.host(),
                    what: "policies",
                    total,
                    shown,
                });
            }
            self.pause(Duration::from_millis(100 << round)).await;
        }
    }

    /// The policies that still exist, with their rules.
    async fn with_rules(&self, listed: Vec<Policy>) -> Result<Vec<Whole>, Error> {
        let mut reads = JoinSet::new();
        let within = Self(self.0.bounded(RULES));
        for policy in listed {
            let reader = within.clone();
            reads.spawn(async move {
                let rules = reader.wire_rules(&policy.id).await?;
                Ok::<_, Error>(rules.map(|rules| Whole { policy, rules }))
            });
        }
        let mut policies = Vec::new();
        while let Some(read) = reads.join_next().await {
            policies.extend(
                read.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?,
            );
        }
        Ok(policies)
    }

    /// The live state that the snapshot describes.
    ///
    /// # Errors
    ///
    /// As [`Self::snapshot`].
    pub async fn live(&self) -> Result<LiveVijil, Error> {
        Ok(self.snapshot().await?.live())
    }

    /// The policies with a name, without their rules.
    ///
    /// # Errors
    ///
    /// Returns an error if the policies cannot be read.
    pub async fn named(&self, name: &str) -> Result<Vec<LiveVijilPolicy>, Error> {
        let policies = self.policies().await?.into_iter();
        Ok(policies
            .filter(|policy| !policy.is_preset && policy.name == name)
            .map(Policy::live)
            .collect())
    }

    /// A policy without its rules; `None` if no policy has this id.
    ///
    /// # Errors
    ///
    /// Returns an error if the policy cannot be read.
    pub async fn policy(&self, id: &str) -> Result<Option<LiveVijilPolicy>, Error> {
        Ok(self.one(&["v1", "policies", id]).await?.map(Policy::live))
    }

    /// A rule; `None` if no rule has this id.
    ///
    /// # Errors
    ///
    /// Returns an error if the rule cannot be read.
    pub async fn rule(&self, id: &str) -> Result<Option<LiveVijilRule>, Error> {
        Ok(self.one(&["v1", "rules", id]).await?.map(Rule::live))
    }

    /// The rules of a policy; empty if no policy has this id.
    ///
    /// # Errors
    ///
    /// Returns an error if the rules cannot be read.
    pub async fn rules(&self, policy: &str) -> Result<Vec<LiveVijilRule>, Error> {
        let within = Self(self.0.bounded(RULES));
        Ok(within
            .wire_rules(policy)
            .await?
            .unwrap_or_default()
            .into_iter()
            .map(Rule::live)
            .collect())
    }

    async fn policies(&self) -> Result<Vec<Policy>, Error> {
        let within = Self(self.0.bounded(POLICIES));
        within
            .list(&["v1", "policies"], POLICIES_PAGE, "policies", |policy: &Policy| {
                policy.id.clone()
            })
            .await
    }

    async fn wire_rules(&self, policy: &str) -> Result<Option<Vec<Rule>>, Error> {
        let path = ["v1", "policies", policy, "rules"];
        match self.list(&path, RULES_PAGE, "rules", |rule: &Rule| rule.id.clone()).await {
            Ok(mut rules) => {
                rules.sort_by(|one, other| {
                    (&one.rule_id, &one.id).cmp(&(&other.rule_id, &other.id))
                });
                Ok(Some(rules))
            }
            Err(Error::Http(http::Error::Refused { refusal, .. })) if refusal.status == 404 => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn one<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, Error> {
        match self.0.get(path, &[]).await {
            Ok(object) => Ok(Some(object)),
            Err(http::Error::Refused { refusal, .. }) if refusal.status == 404 => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Every object of a list, once.
    async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        limit: usize,
        what: &'static str,
        id: impl Fn(&T) -> String,
    ) -> Result<Vec<T>, Error> {
        let mut round = 0;
        loop {
            let (objects, total) = self.pages(path, limit, &id).await?;
            let shown = objects.len();
            round += 1;
            if shown >= total {
                return Ok(objects.into_values().collect());
            }
            if round == ROUNDS {
                return Err(Error::Unstable { host: self.0.host(), what, total, shown });
            }
            self.pause(Duration::from_millis(100 << round)).await;
        }
    }

    /// The objects of the pages, and the total number of objects. With a `total`, reading stops
    /// there; without it, even with a `count`, reading stops at a page with nothing new.
    async fn pages<T: DeserializeOwned>(
        &self,
        path: &[&str],
        limit: usize,
        id: &impl Fn(&T) -> String,
    ) -> Result<(BTreeMap<String, T>, usize), Error> {
        let mut objects = BTreeMap::new();
        let (mut offset, mut most) = (0, 0);
        loop {
            let (limit_text, offset_text) = (limit.to_string(), offset.to_string());
            let query = [("limit", limit_text.as_str()), ("offset", offset_text.as_str())];
            let Page { results, total, count } = match path {
                ["v1", "policies"] => self.0.get_collection(path, &query).await?,
                _ => self.0.get(path, &query).await?,
            };
            self.0.count(results.len())?;
            let known = objects.len();
            offset += results.len();
            objects.extend(results.into_iter().map(|object: T| (id(&object), object)));
            most = most.max(total.or(count).unwrap_or_default());
            if objects.len() == known || total.is_some_and(|total| offset >= total) {
                return Ok((objects, total.unwrap_or(most)));
            }
        }
    }
}
