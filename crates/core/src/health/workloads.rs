//! Health of what keeps pods running.

use super::Health;
use super::body::{Body, Truth, plural};

/// Deployment. Its condition `Available` is not asked for: it can be true while a rollout is stuck, and
/// the counts say more.
pub(super) fn deployment(body: Body) -> Health {
    let counts = Counts::of_deployment(body);
    if body.flag("/spec/paused") == Some(true) {
        return Health::suspended(format!("paused by spec.paused; {}", counts.ready_part()));
    }
    if let Some(not_observed) = not_observed(body) {
        return not_observed;
    }
    // Counts say nothing more when it is known why there are no pods.
    let waiting = counts.waiting().map(|waiting| match pods_refused(body) {
        Some(cause) => format!("{}; {cause}", counts.ready_part()),
        None => waiting,
    });
    match body.condition("Progressing").filter(|progressing| progressing.truth == Truth::False) {
        Some(progressing) => {
            let waiting = waiting.unwrap_or_else(|| counts.ready_part());
            Health::degraded(format!("{waiting}; {}", progressing.cause()))
        }
        // A quota that old pods still fill refuses new ones for a while in a good rollout too; the
        // progress deadline says when that is over.
        None => waiting.map_or_else(Health::healthy, Health::progressing),
    }
}

/// StatefulSet.
pub(super) fn stateful_set(body: Body) -> Health {
    not_observed(body).unwrap_or_else(|| Counts::of_stateful_set(body).health())
}

/// DaemonSet.
pub(super) fn daemon_set(body: Body) -> Health {
    not_observed(body).unwrap_or_else(|| match Counts::of_daemon_set(body) {
        Some(counts) => counts.health(),
        None => Health::progressing("its controller has not counted the nodes yet"),
    })
}

/// ReplicaSet and ReplicationController. Refused pods make it Degraded, because no deadline bounds the
/// time that it goes on trying.
pub(super) fn replica_set(body: Body) -> Health {
    if let Some(not_observed) = not_observed(body) {
        return not_observed;
    }
    let counts = Counts::of_replica_set(body);
    match pods_refused(body) {
        Some(cause) => Health::degraded(format!("{}; {cause}", counts.ready_part())),
        None => counts.health(),
    }
}

/// A controller that has seen the object has written `observedGeneration`.
fn not_observed(body: Body) -> Option<Health> {
    let seen = body.int("/status/observedGeneration").is_some();
    (!seen).then(|| Health::unseen("it yet"))
}

/// Why pods could not be created: quota, admission, limits.
fn pods_refused(body: Body) -> Option<String> {
    let failure = body.condition("ReplicaFailure").filter(|failure| failure.truth == Truth::True)?;
    Some(format!("pods cannot be created: {}", failure.cause()))
}

/// The pods of a workload, as its status counts them.
struct Counts {
    /// Wanted.
    desired: i64,
    /// Existing and not being deleted.
    total: i64,
    /// Of those, ready.
    ready: i64,
    /// Of those, ready for `minReadySeconds`.
    available: i64,
    /// Of the newest template.
    updated: i64,
    /// How many should be of the newest template.
    to_update: i64,
    /// Of an older template when all new ones are there: they have yet to go.
    old: i64,
}

impl Counts {
    fn of_deployment(body: Body) -> Self {
        let desired = body.count("/spec/replicas").unwrap_or(1);
        let total = body.count("/status/replicas").unwrap_or(0);
        let updated = body.count("/status/updatedReplicas").unwrap_or(0);
        Self {
            desired,
            total,
            ready: body.count("/status/readyReplicas").unwrap_or(0),
            available: body.count("/status/availableReplicas").unwrap_or(0),
            updated,
            to_update: desired,
            old: if updated < desired { 0 } else { (total - updated).max(0) },
        }
    }

    /// With `OnDelete` people replace the pods, and those below `partition` are meant to stay old.
    fn of_stateful_set(body: Body) -> Self {
        let desired = body.count("/spec/replicas").unwrap_or(1);
        let partition = body.count("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
        let ready = body.count("/status/readyReplicas").unwrap_or(0);
        let mut updated = body.count("/status/updatedReplicas").unwrap_or(0);
        // With nothing to roll out some controllers count the pods as current only.
        if body.text("/status/currentRevision") == body.text("/status/updateRevision") {
            updated = updated.max(body.count("/status/currentReplicas").unwrap_or(0));
        }
        Self {
            desired,
            total: body.count("/status/replicas").unwrap_or(0),
            ready,
            available: body.count("/status/availableReplicas").unwrap_or(ready),
            updated,
            to_update: if on_delete(body) { 0 } else { (desired - partition).max(0) },
            old: 0,
        }
    }

    /// `None` before the controller has counted the nodes. Pods on nodes that should have none don't count.
    fn of_daemon_set(body: Body) -> Option<Self> {
        let desired = body.count("/status/desiredNumberScheduled")?;
        Some(Self {
            desired,
            total: body.count("/status/currentNumberScheduled").unwrap_or(0).min(desired),
            ready: body.count("/status/numberReady").unwrap_or(0),
            available: body.count("/status/numberAvailable").unwrap_or(0),
            updated: body.count("/status/updatedNumberScheduled").unwrap_or(0),
            to_update: if on_delete(body) { 0 } else { desired },
            old: 0,
        })
    }

    fn of_replica_set(body: Body) -> Self {
        Self {
            desired: body.count("/spec/replicas").unwrap_or(1),
            total: body.count("/status/replicas").unwrap_or(0),
            ready: body.count("/status/readyReplicas").unwrap_or(0),
            available: body.count("/status/availableReplicas").unwrap_or(0),
            updated: 0,
            to_update: 0,
            old: 0,
        }
    }

    fn health(&self) -> Health {
        self.waiting().map_or_else(Health::healthy, Health::progressing)
    }

    fn ready_part(&self) -> String {
        format!("{} of {} ready", self.ready.min(self.desired), plural(self.desired, "pod"))
    }

    /// What has yet to happen; `None` when nothing has.
    fn waiting(&self) -> Option<String> {
        let rolling = self.updated < self.to_update || self.old > 0;
        let not_ready = if rolling { self.total - self.ready } else { 0 };
        let young = if rolling || self.available < self.desired { self.ready - self.available } else { 0 };
        let surplus = if rolling { 0 } else { self.total - self.desired };
        let mut parts = Vec::new();
        if self.updated < self.to_update {
            parts.push(format!("{} of {} updated", self.updated, plural(self.to_update, "pod")));
        }
        for (count, thing, what) in [
            (self.desired - self.total, "pod", "not created yet"),
            (not_ready, "new pod", "not ready"),
            (young, "pod", "ready for less than minReadySeconds"),
            (self.old, "old pod", "still running"),
            (surplus, "surplus pod", "still running"),
        ] {
            if count > 0 {
                parts.push(format!("{} {what}", plural(count, thing)));
            }
        }
        let ready = self.ready_part();
        match (rolling, parts.is_empty()) {
            (_, true) if self.ready >= self.desired && self.available >= self.desired => None,
            (_, true) => Some(ready),
            (true, false) => Some(format!("{ready}; waiting for rollout: {}", parts.join(", "))),
            (false, false) => Some(format!("{ready}; {}", parts.join(", "))),
        }
    }
}

fn on_delete(body: Body) -> bool {
    body.text("/spec/updateStrategy/type") == "OnDelete"
}
