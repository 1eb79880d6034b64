//! Leader election by a Lease: one controller of an install acts, others wait.
//!
//! ```text
//! waiting ──(no holder, or it has not renewed for DURATION)──▶ leading
//! leading ──(renewed)──▶ leading
//! leading ──(not renewed within RENEW_DEADLINE, or another one has it)──▶ lost: the process ends
//! leading ──(asked to end)──▶ released: the next one need not wait
//! ```
//! How old a lease is is measured by our own clock since we saw it change, never by the other's timestamps,
//! so clocks may differ. A renewal counts from the start of its request. `RENEW_DEADLINE` is shorter than
//! `DURATION`, and no write goes on beyond it ([`Leadership`]): the old leader has stopped writing before a
//! new one begins.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{sleep, timeout};

use super::clock::{self, Pulse};
use super::error::{ClusterError, words};
use super::leadership::Leadership;

/// After this time without a renewal another controller takes over.
const DURATION: Duration = Duration::from_secs(13);
/// After this time without a renewal the leader ends.
const RENEW_DEADLINE: Duration = Duration::from_secs(12);
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How often a candidate looks, and how soon a renewal that failed is tried again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const REQUEST: Duration = Duration::from_secs(3);

/// A candidate for leadership.
#[derive(Clone)]
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    leadership: Leadership,
    pulse: Pulse,
}

/// The lease could not be renewed in time, or another controller has it.
#[derive(Debug, thiserror::Error)]
#[error("lost the lease {name}: {problem}")]
pub struct LeaseLost {
    name: String,
    problem: String,
}

/// A Lease as a candidate saw it last; without a version it was deleted.
struct Seen {
    version: Option<String>,
    since: Duration,
}

impl Election {
    /// A candidate named `identity` for the lease `name` in `namespace`. It keeps `leadership` current, for
    /// which `client` must not wait itself; `pulse` beats with every answer of the API server.
    pub fn new(
        client: Client,
        namespace: &str,
        (name, identity): (&str, String),
        leadership: Leadership,
        pulse: Pulse,
    ) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned(), identity, leadership, pulse }
    }

    /// Waits until this candidate leads.
    pub async fn acquire(&self) -> Lease {
        let mut seen: Option<Seen> = None;
        let mut waiting_for = None;
        loop {
            let started = clock::now();
            match timeout(REQUEST, self.try_acquire(&mut seen)).await {
                Ok(Ok(Ok(lease))) => {
                    self.pulse.beat();
                    self.leadership.extend(started + RENEW_DEADLINE);
                    return lease;
                }
                Ok(Ok(Err(holder))) => {
                    self.pulse.beat();
                    if waiting_for.as_ref() != Some(&holder) {
                        tracing::info!(lease = self.name, holder, "another controller leads; waiting");
                        waiting_for = Some(holder);
                    }
                }
                Ok(Err(error)) if error.is_conflict() => {}
                Ok(Err(error)) => tracing::warn!(lease = self.name, %error, "cannot look at the lease"),
                Err(_) => tracing::warn!(lease = self.name, "the API server does not answer"),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The Lease, if it is ours now; else who has it.
    async fn try_acquire(&self, seen: &mut Option<Seen>) -> Result<Result<Lease, String>, ClusterError> {
        let found = self.api.get_opt(&self.name).await?;
        let first = seen.is_none();
        let version = found.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        let since = match seen {
            Some(known) if known.version == version => known.since,
            _ => seen.insert(Seen { version, since: clock::now() }).since,
        };
        let age = clock::now().saturating_sub(since);
        let Some(mut lease) = found else {
            // Whoever had a lease that was deleted may not know yet.
            if !first && age < DURATION {
                return Ok(Err("whoever had it before it was deleted".into()));
            }
            let mut lease = Lease { spec: Some(self.spec(0)), ..Lease::default() };
            lease.metadata.name = Some(self.name.clone());
            return Ok(Ok(self.api.create(&PostParams::default(), &lease).await?));
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.map_or(DURATION, Duration::from_secs);
        if !holder.is_empty() && holder != self.identity && age < duration {
            return Ok(Err(holder));
        }
        let transitions = spec.lease_transitions.unwrap_or(0) + i32::from(holder != self.identity);
        lease.spec = Some(self.spec(transitions));
        Ok(Ok(self.api.replace(&self.name, &PostParams::default(), &lease).await?))
    }

    /// Renews the lease as long as it is ours.
    pub async fn hold(&self, mut lease: Lease) -> LeaseLost {
        let lost = |problem: String| LeaseLost { name: self.name.clone(), problem };
        let mut pause = RENEW_EVERY;
        loop {
            sleep(pause).await;
            let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
            lease.spec = Some(self.spec(transitions));
            let started = clock::now();
            let params = PostParams::default();
            let problem = match timeout(REQUEST, self.api.replace(&self.name, &params, &lease)).await {
                Ok(Ok(next)) => {
                    lease = next;
                    self.pulse.beat();
                    self.leadership.extend(started + RENEW_DEADLINE);
                    pause = RENEW_EVERY.saturating_sub(clock::now().saturating_sub(started));
                    continue;
                }
                // Our own write whose answer was lost, or somebody else's: look.
                Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {
                    match self.look().await {
                        Ok(current) => lease = current,
                        Err(Some(holder)) => return lost(holder),
                        Err(None) => {}
                    }
                    "another version is stored".to_owned()
                }
                Ok(Err(error)) => words(&error),
                Err(_) => "no answer".to_owned(),
            };
            tracing::warn!(lease = self.name, problem, "the lease was not renewed");
            if self.leadership.until().is_none_or(|until| until <= clock::now()) {
                return lost(format!("it could not be renewed within {RENEW_DEADLINE:?}: {problem}"));
            }
            pause = LOOK_EVERY;
        }
    }

    /// The Lease, if it is still ours; else who has it, as far as the API server says.
    async fn look(&self) -> Result<Lease, Option<String>> {
        match timeout(REQUEST, self.api.get_opt(&self.name)).await {
            Ok(Ok(Some(lease))) => {
                let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone());
                if holder.as_ref() == Some(&self.identity) {
                    return Ok(lease);
                }
                Err(Some(holder.map_or("somebody gave it up".into(), |holder| format!("{holder} has it"))))
            }
            Ok(Ok(None)) => Err(Some("somebody deleted it".into())),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }

    /// Gives the lease up, if it is still ours, once all our writes have ended.
    pub async fn release(&self) {
        self.leadership.end().await;
        // A last renewal may still be under way. Whoever waits takes over a little later if all this fails.
        for _ in 0..3 {
            let Ok(mut lease) = self.look().await else { return };
            if let Some(spec) = lease.spec.as_mut() {
                spec.holder_identity = None;
            }
            let params = PostParams::default();
            if let Ok(Ok(_)) = timeout(REQUEST, self.api.replace(&self.name, &params, &lease)).await {
                return;
            }
        }
    }

    fn spec(&self, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            lease_transitions: Some(transitions),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..LeaseSpec::default()
        }
    }
}
