//! Waits for an Application to become what somebody asked for, by a watch and to a deadline.

use std::pin::pin;
use std::time::Duration;

use anyhow::{anyhow, bail};
use futures::StreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use tokio::time::Instant;
use windlass_core::api::Application;

use super::connection::{Connection, is_lasting, read};
use super::text;

/// What one look at the Application says.
pub enum Look {
    /// It is as wanted; the sentence says how.
    Done(String),
    /// It isn't yet; the sentence says why.
    NotYet(String),
    /// It failed, and stays so until somebody changes something; the sentence says how.
    Failed(String),
    /// It will never be; the sentence says why.
    Never(String),
}

/// How the waiting ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It became what was wanted; the sentence says how.
    Done(String),
    /// It failed; the sentence says how.
    Failed(String),
    /// It didn't in time; the last reason.
    TimedOut(String),
}

/// Looks at the Application `name` each time it changes until `judge` says that it is done, but not beyond
/// `timeout`. Reasons go to standard error when they change.
///
/// # Errors
/// It doesn't exist, is deleted meanwhile, `judge` says never, or the API server refuses the watch. Other
/// failures of the API server are waited out.
pub async fn until(
    connection: &Connection,
    name: &str,
    timeout: Duration,
    judge: impl Fn(&Application) -> Look,
) -> anyhow::Result<Outcome> {
    let deadline = Instant::now() + timeout;
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = pin!(watch(connection.applications(), config).default_backoff());
    let mut last = String::from("the API server has not answered yet");
    let mut seen = false;
    loop {
        let Ok(event) = tokio::time::timeout_at(deadline, events.next()).await else {
            return Ok(Outcome::TimedOut(last));
        };
        let reason = match event {
            None => bail!("the watch on {} ended", connection.server),
            Some(Ok(Event::Apply(object) | Event::InitApply(object))) => {
                seen = true;
                match judge(&read(object)?) {
                    Look::Done(how) => return Ok(Outcome::Done(how)),
                    Look::Failed(why) => return Ok(Outcome::Failed(why)),
                    Look::Never(why) => bail!("{name}: {why}"),
                    Look::NotYet(why) => why,
                }
            }
            Some(Ok(Event::Delete(_))) => bail!("the Application {name} was deleted"),
            Some(Ok(Event::InitDone)) if !seen => {
                return Err(match connection.application(name).await {
                    Ok(_) => continue,
                    Err(error) => error,
                });
            }
            Some(Ok(Event::Init | Event::InitDone)) => continue,
            Some(Err(error)) => unless_lasting(connection, error)?,
        };
        if reason != last {
            text::progress(format!("{name}: {reason}"));
            last = reason;
        }
    }
}

/// The reason of an error that time may heal; others end the waiting.
fn unless_lasting(connection: &Connection, error: watcher::Error) -> anyhow::Result<String> {
    match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => {
            let sentence = connection.explain(&cause);
            if is_lasting(&cause) { Err(anyhow!(sentence)) } else { Ok(sentence) }
        }
        watcher::Error::WatchError(status) => {
            // 410 is part of every watch's life: what was seen is too old, the watcher lists again.
            Ok(format!("{} starts the watch anew: {}", connection.server, status.message))
        }
        error @ watcher::Error::NoResourceVersion => Err(error.into()),
    }
}
