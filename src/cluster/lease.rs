//! Leader election by a Lease: one controller of an install acts, others wait.
//!
//! ```text
//! waiting ──(no holder, or it has not renewed for the lease's duration)──▶ leading
//! leading ──(renewed in time)──▶ leading
//! leading ──(not renewed within RENEW_DEADLINE)──▶ lost: the process ends
//! leading ──(asked to end)──▶ released: the next one need not wait
//! ```
//! How old a lease is is measured by our own monotonic clock since we saw it change, never by the other's
//! timestamps, so clocks may differ. `RENEW_DEADLINE` is shorter than the lease's duration: the old leader
//! has stopped before a new one begins.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};

use super::error::ClusterError;

const DURATION: Duration = Duration::from_secs(15);
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
const RENEW_EVERY: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const REQUEST: Duration = Duration::from_secs(3);

/// A candidate for leadership.
#[derive(Clone)]
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
}

/// The lease could not be renewed in time: another controller may be leading.
#[derive(Debug, thiserror::Error)]
#[error("lost the lease {0}: it could not be renewed within {RENEW_DEADLINE:?}")]
pub struct LeaseLost(String);

impl Election {
    /// A candidate named `identity` for the lease `name` in `namespace`.
    pub fn new(client: Client, namespace: &str, name: &str, identity: String) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned(), identity }
    }

    /// Waits until this candidate leads.
    pub async fn acquire(&self) -> Lease {
        let mut seen: Option<(Option<String>, Instant)> = None;
        let mut waiting_for = None;
        loop {
            match timeout(REQUEST, self.try_acquire(&mut seen)).await {
                Ok(Ok(Ok(lease))) => return lease,
                Ok(Ok(Err(holder))) => {
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

    async fn try_acquire(
        &self,
        seen: &mut Option<(Option<String>, Instant)>,
    ) -> Result<Result<Lease, String>, ClusterError> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let mut lease = Lease { spec: Some(self.spec(0)), ..Lease::default() };
            lease.metadata.name = Some(self.name.clone());
            return Ok(Ok(self.api.create(&PostParams::default(), &lease).await?));
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let version = lease.metadata.resource_version.clone();
        if seen.as_ref().is_none_or(|(last, _)| *last != version) {
            *seen = Some((version, Instant::now()));
        }
        let age = seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        let duration =
            Duration::from_secs(u64::try_from(spec.lease_duration_seconds.unwrap_or(15)).unwrap_or(15));
        if !holder.is_empty() && holder != self.identity && age < duration {
            return Ok(Err(holder));
        }
        let transitions = spec.lease_transitions.unwrap_or(0) + i32::from(holder != self.identity);
        lease.spec = Some(self.spec(transitions));
        Ok(Ok(self.api.replace(&self.name, &PostParams::default(), &lease).await?))
    }

    /// Renews the lease for ever.
    pub async fn hold(&self, mut lease: Lease) -> LeaseLost {
        let mut renewed = Instant::now();
        loop {
            sleep(RENEW_EVERY.min(RENEW_DEADLINE.saturating_sub(renewed.elapsed()))).await;
            let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
            lease.spec = Some(self.spec(transitions));
            let started = Instant::now();
            let params = PostParams::default();
            let problem = match timeout(REQUEST, self.api.replace(&self.name, &params, &lease)).await {
                Ok(Ok(next)) => {
                    lease = next;
                    renewed = started;
                    continue;
                }
                // Our own write whose answer was lost, or somebody else's: look.
                Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
                    if let Ok(Ok(current)) = timeout(REQUEST, self.api.get(&self.name)).await {
                        if current.spec.as_ref().and_then(|s| s.holder_identity.as_ref())
                            != Some(&self.identity)
                        {
                            return LeaseLost(self.name.clone());
                        }
                        lease = current;
                    }
                    "another version is stored".to_owned()
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            tracing::warn!(lease = self.name, problem, "the lease was not renewed");
            if renewed.elapsed() >= RENEW_DEADLINE {
                return LeaseLost(self.name.clone());
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Gives the lease up, if it is still ours.
    pub async fn release(&self) {
        let Ok(Ok(mut lease)) = timeout(REQUEST, self.api.get(&self.name)).await else { return };
        let Some(spec) = lease.spec.as_mut().filter(|s| s.holder_identity.as_ref() == Some(&self.identity))
        else {
            return;
        };
        spec.holder_identity = None;
        // Whoever waits takes over a little later if this fails.
        let _ = timeout(REQUEST, self.api.replace(&self.name, &PostParams::default(), &lease)).await;
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
