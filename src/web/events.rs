use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;
use windlass_core::api::AppKey;

use super::model::{ApplicationPage, ApplicationsPage, ListQuery, visible_line};
use super::pages::{ApplicationFragment, ApplicationsFragment, GoneFragment};
use super::{Shared, assets};
use crate::controller::view::Views;

/// Changes closer together than this are shown as one.
const COALESCE: Duration = Duration::from_millis(200);
/// A live page rests this many times as long as its rendering took, so that large lists do not eat a core…
const REST: u32 = 10;
/// …but never longer than this.
const LONGEST_REST: Duration = Duration::from_millis(500);
/// A quiet page is rendered anew this often, for its relative times; where nothing differs, a comment
/// keeps the connection alive.
const TICK: Duration = Duration::from_secs(15);
/// When a page that found all streams taken may ask again.
const RETRY: Duration = Duration::from_secs(10);

/// What a page says about itself when it asks for its fragments.
#[derive(Deserialize)]
pub struct Subscription {
    /// Which page, for pages without a path of their own.
    #[serde(default)]
    page: String,
    /// The version of the assets that it was made with.
    #[serde(default)]
    v: String,
}

/// `GET /events?page=applications&…`: the list with the same query as the page's, each time it changes.
pub async fn page(
    State(shared): State<Shared>,
    Query(subscription): Query<Subscription>,
    Query(query): Query<ListQuery>,
) -> Response {
    if subscription.page != "applications" {
        return (StatusCode::NOT_FOUND, "there is no such page\n").into_response();
    }
    let render = move |views: &Views, now| {
        ApplicationsFragment { page: ApplicationsPage::new(&views.all(), &query, now) }.render()
    };
    live(&shared, &subscription, None, render)
}

/// `GET /applications/{namespace}/{name}/events`: the Application, each time it changes.
pub async fn application(
    State(shared): State<Shared>,
    Path((namespace, name)): Path<(String, String)>,
    Query(subscription): Query<Subscription>,
    Query(query): Query<ListQuery>,
) -> Response {
    let key = AppKey::new(&namespace, &name);
    let concerns = key.clone();
    let render = move |views: &Views, now| match views.get(&key) {
        Some(view) => {
            ApplicationFragment { page: ApplicationPage::new(&key, &view, query.page, now) }.render()
        }
        None => GoneFragment { title: visible_line(&key.to_string()) }.render(),
    };
    live(&shared, &subscription, Some(concerns), render)
}

type Render = dyn Fn(&Views, Timestamp) -> askama::Result<String> + Send + Sync;

/// Answers with the fragments that `render` makes whenever `concerns` changes, or any Application where
/// that is `None`.
fn live<F>(shared: &Shared, subscription: &Subscription, concerns: Option<AppKey>, render: F) -> Response
where
    F: Fn(&Views, Timestamp) -> askama::Result<String> + Send + Sync + 'static,
{
    if !subscription.v.is_empty() && subscription.v != assets::version() {
        return once(Event::default().event("windlass:reload").data(assets::version()));
    }
    let Ok(permit) = Arc::clone(&shared.streams).try_acquire_owned() else {
        return once(Event::default().event("windlass:busy").retry(RETRY).data("too many live pages"));
    };
    let live = Live {
        changes: shared.views.subscribe(),
        shared: shared.clone(),
        concerns,
        render: Arc::new(render),
        shown: None,
        rested: Instant::now(),
        _permit: permit,
    };
    let events = stream::unfold(live, |mut live| async {
        let event = live.next().await?;
        Some((Ok::<_, Infallible>(event), live))
    });
    Sse::new(events).into_response()
}

fn once(event: Event) -> Response {
    Sse::new(stream::iter([Ok::<_, Infallible>(event)])).into_response()
}

/// One open page.
struct Live {
    shared: Shared,
    changes: broadcast::Receiver<AppKey>,
    concerns: Option<AppKey>,
    render: Arc<Render>,
    /// Hash of the fragment that the page has.
    shown: Option<u64>,
    /// Before this moment nothing is rendered.
    rested: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Why a page is rendered again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Opened,
    Changed,
    Tick,
}

impl Live {
    /// The next event for the page; `None` when the server stops.
    async fn next(&mut self) -> Option<Event> {
        let mut stopped = self.shared.stopped.clone();
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => None,
            event = self.next_event() => event,
        }
    }

    async fn next_event(&mut self) -> Option<Event> {
        loop {
            let cause = if self.shown.is_none() { Cause::Opened } else { self.cause().await? };
            tokio::time::sleep_until(self.rested).await;
            // All changes up to here are in what is rendered now.
            self.changes = self.changes.resubscribe();
            let fragment = self.fragment().await?;
            let mut hash = DefaultHasher::new();
            fragment.hash(&mut hash);
            let hash = Some(hash.finish());
            if self.shown != hash {
                self.shown = hash;
                return Some(Event::default().data(fragment));
            }
            if cause == Cause::Tick {
                return Some(Event::default().comment(""));
            }
        }
    }

    /// Waits until there is a reason to render.
    async fn cause(&mut self) -> Option<Cause> {
        let tick = tokio::time::sleep(TICK);
        tokio::pin!(tick);
        loop {
            tokio::select! {
                () = &mut tick => return Some(Cause::Tick),
                change = self.changes.recv() => match change {
                    Ok(key) if self.concerns.as_ref().is_none_or(|concerns| *concerns == key) => {
                        return Some(Cause::Changed);
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return Some(Cause::Changed),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    async fn fragment(&mut self) -> Option<String> {
        let _turn = self.shared.rendering.acquire().await.ok()?;
        let started = Instant::now();
        let (views, render) = (Arc::clone(&self.shared.views), Arc::clone(&self.render));
        let rendered = tokio::task::spawn_blocking(move || render(&views, Timestamp::now())).await;
        let took = started.elapsed();
        self.rested = Instant::now() + (took * REST).clamp(COALESCE, LONGEST_REST);
        match rendered {
            Ok(Ok(fragment)) => Some(fragment),
            Ok(Err(error)) => {
                tracing::error!(%error, "a live page could not be rendered");
                None
            }
            Err(error) => {
                tracing::error!(%error, "rendering a live page was given up");
                None
            }
        }
    }
}
