//! Which Application is reconciled when, and what becomes of a reconcile that fails, hangs or panics.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use windlass_core::api::AppKey;

use super::application::{back_off, dependencies, reconcile};
use super::context::{Context, Memory};
use super::queue::Trigger;
use super::room::Room;

/// Longest one reconcile may take: every request in it has a shorter deadline of its own.
const RECONCILE_DEADLINE: Duration = Duration::from_secs(600);

/// Reconciles one Application after the other, as many side by side as there is `room` for, until `stop`.
pub async fn dispatch(ctx: Arc<Context>, room: Room, stop: watch::Receiver<bool>) {
    loop {
        let place = room.place().await;
        let (key, trigger) = ctx.queue.next().await;
        let (running, room, mut stop) = (Running { ctx: ctx.clone(), key }, room.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = room.work(place, one(&running.ctx, &running.key, trigger)) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            drop(running);
        });
    }
}

/// A reconcile that runs: its end is told even if it panics, or the Application would never be looked at
/// again.
struct Running {
    ctx: Arc<Context>,
    key: AppKey,
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(app = %self.key, "a reconcile panicked, which is a bug in Windlass");
            self.ctx.queue.after(self.key.clone(), Duration::from_secs(60));
        }
        self.ctx.queue.done(&self.key);
        dependencies::ended(&self.ctx, &self.key);
    }
}

async fn one(ctx: &Context, key: &AppKey, trigger: Trigger) {
    let memory = ctx.apps.memory(key);
    let mut memory = memory.lock().await;
    let Some(app) = ctx.apps.get(key) else {
        return forget(ctx, key, &mut memory);
    };
    let started = Instant::now();
    let work = reconcile(ctx, key, app, &mut memory, trigger);
    let result = match tokio::time::timeout(RECONCILE_DEADLINE, work).await {
        Ok(Ok(again)) => {
            match again {
                Some(again) => ctx.queue.after(key.clone(), again),
                None => memory.rest(),
            }
            "ok"
        }
        Ok(Err(error)) => {
            memory.attempts = memory.attempts.saturating_add(1);
            tracing::warn!(app = %key, %error, "a reconcile failed and is tried again");
            ctx.queue.after(key.clone(), back_off(memory.attempts));
            "error"
        }
        Err(_) => {
            tracing::error!(app = %key, "a reconcile took longer than {RECONCILE_DEADLINE:?} and is tried again");
            ctx.queue.after(key.clone(), Duration::from_secs(10));
            "timeout"
        }
    };
    tracing::debug!(app = %key, ?trigger, result, took = ?started.elapsed(), "reconciled");
    ctx.metrics.reconciled(result, started.elapsed());
}

/// An Application that is gone: its finalizer is off, so its objects are dealt with, or it never had any.
pub fn forget(ctx: &Context, key: &AppKey, memory: &mut Memory) {
    ctx.world.want(key, std::iter::empty());
    ctx.hearings.forget(key);
    ctx.world.unclaim_all(key);
    ctx.dependencies.forget(key);
    ctx.causes.watch(key, Vec::new());
    ctx.views.remove(key);
    // Where the finalizer was taken off by force, what is stored stays: the next one of this name, or one
    // that takes its place, knows from it what is in the cluster.
    memory.about(None);
    if !memory.is_stored() {
        ctx.apps.forget(key);
    }
}
