//! A watch that notes when each change arrived.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::TryStreamExt as _;
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

/// An object as the API server told it.
pub struct Seen {
    /// When it arrived.
    pub at: Instant,
    /// The object.
    pub object: DynamicObject,
    /// Whether it was deleted.
    pub gone: bool,
}

/// A running watch.
pub struct Live {
    seen: UnboundedReceiver<Seen>,
    task: AbortHandle,
}

impl Live {
    /// Watches; returns when everything that exists is listed, which does not count as seen.
    pub async fn start(api: Api<DynamicObject>) -> anyhow::Result<Self> {
        let (sender, seen) = unbounded_channel();
        let (listed, is_listed) = tokio::sync::oneshot::channel();
        let mut listed = Some(listed);
        let watch = async move {
            let events = watcher(api, watcher::Config::default());
            let mut events = std::pin::pin!(events);
            loop {
                let event = match events.try_next().await {
                    Ok(Some(event)) => event,
                    Ok(None) => return,
                    Err(error) => {
                        eprintln!("bench: a watch broke and starts over: {error}");
                        continue;
                    }
                };
                let at = Instant::now();
                let (object, gone) = match event {
                    Event::InitDone => {
                        listed.take().map(|listed| listed.send(()));
                        continue;
                    }
                    Event::Init => continue,
                    // Only what a watch that started over missed is news.
                    Event::InitApply(_) if listed.is_some() => continue,
                    Event::Apply(object) | Event::InitApply(object) => (object, false),
                    Event::Delete(object) => (object, true),
                };
                if sender.send(Seen { at, object, gone }).is_err() {
                    return;
                }
            }
        };
        let task = tokio::spawn(watch).abort_handle();
        let live = Self { seen, task };
        is_listed.await.context("a watch ended before it began")?;
        Ok(live)
    }

    /// Forgets what was seen up to now.
    pub fn forget(&mut self) {
        while self.seen.try_recv().is_ok() {}
    }

    /// When the first object that `wanted` accepts arrived.
    pub async fn until(
        &mut self,
        what: &str,
        within: Duration,
        mut wanted: impl FnMut(&Seen) -> bool,
    ) -> anyhow::Result<Instant> {
        let deadline = Instant::now() + within;
        let mut last = None;
        loop {
            match timeout_at(deadline, self.seen.recv()).await {
                Ok(Some(seen)) if wanted(&seen) => return Ok(seen.at),
                Ok(Some(seen)) => last = Some(seen.object),
                Ok(None) => bail!("{what}: the watch ended"),
                Err(_) => {
                    let last = last.map(|object| serde_json::to_string(&object)).transpose()?;
                    let last = last.unwrap_or_else(|| "nothing".into());
                    bail!("{what}: not within {} s; seen last: {last}", within.as_secs())
                }
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}
