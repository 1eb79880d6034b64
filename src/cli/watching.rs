//! Waits for an Application to become what somebody asked for, by a watch and to a deadline.

use std::time::Duration;

use anyhow::{anyhow, bail};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use kube::api::DynamicObject;
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
    let mut follow = Follow::new(connection, name, Some(timeout));
    let mut last = String::from("the API server has not answered yet");
    loop {
        let reason = match follow.next().await? {
            News::TimedOut => return Ok(Outcome::TimedOut(last)),
            News::Trouble(why) => why,
            News::Changed(application) => match judge(&application) {
                Look::Done(how) => return Ok(Outcome::Done(how)),
                Look::Failed(why) => return Ok(Outcome::Failed(why)),
                Look::Never(why) => bail!("{name}: {why}"),
                Look::NotYet(why) => why,
            },
        };
        if reason != last {
            text::progress(format!("{name}: {reason}"));
            last = reason;
        }
    }
}

/// An Application that is followed by a watch.
pub struct Follow<'c> {
    connection: &'c Connection,
    name: &'c str,
    events: BoxStream<'static, watcher::Result<Event<DynamicObject>>>,
    deadline: Option<Instant>,
    seen: bool,
}

/// What is heard of an Application.
pub enum News {
    /// It is as follows now.
    Changed(Box<Application>),
    /// Something that time may heal stands in the way.
    Trouble(String),
    /// The time is over.
    TimedOut,
}

impl<'c> Follow<'c> {
    /// Follows the Application `name`, without a `timeout` for ever.
    pub fn new(connection: &'c Connection, name: &'c str, timeout: Option<Duration>) -> Self {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let events = watch(connection.applications(), config).default_backoff().boxed();
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        Self { connection, name, events, deadline, seen: false }
    }

    /// Waits for news.
    ///
    /// # Errors
    /// It doesn't exist, is deleted meanwhile, or the API server refuses the watch.
    pub async fn next(&mut self) -> anyhow::Result<News> {
        let Self { connection, name, .. } = *self;
        loop {
            let next = self.events.next();
            let event = match self.deadline {
                None => next.await,
                Some(deadline) => match tokio::time::timeout_at(deadline, next).await {
                    Ok(event) => event,
                    Err(_) => return Ok(News::TimedOut),
                },
            };
            match event {
                None => bail!("the watch on {} ended", connection.server),
                Some(Ok(Event::Apply(object) | Event::InitApply(object))) => {
                    self.seen = true;
                    return Ok(News::Changed(Box::new(read(object)?)));
                }
                Some(Ok(Event::Delete(_))) => bail!("the Application {name} was deleted"),
                Some(Ok(Event::InitDone)) if !self.seen => {
                    connection.application(name).await?;
                }
                Some(Ok(Event::Init | Event::InitDone)) => {}
                Some(Err(error)) => return Ok(News::Trouble(unless_lasting(connection, error)?)),
            }
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
