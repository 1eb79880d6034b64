use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::fixtures::{key, shop, view};
use super::security::{client, loopback};
use crate::controller::view::Views;
use crate::web::{MAX_STREAMS, Web, assets};

struct Server {
    url: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

async fn serve(views: &Arc<Views>) -> Server {
    let web = Web::bind(loopback()).await.unwrap();
    let url = format!("http://{}", web.address());
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(web.serve(Arc::clone(views), async {
        let _ = stopped.await;
    }));
    Server { url, stop, running }
}

/// The chunks of a live page; the server writes an event at once.
struct Page(BoxStream<'static, String>);

impl Page {
    async fn open(server: &Server, path: &str) -> Self {
        let answer = client().get(format!("{}{path}", server.url)).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let chunks = answer.bytes_stream().filter_map(|chunk| async { chunk.ok() });
        Self(chunks.map(|chunk| String::from_utf8_lossy(&chunk).into_owned()).boxed())
    }

    /// Everything up to the end of an event that contains `text`.
    async fn read_until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        let reading = async {
            while !(seen.contains(text) && seen.ends_with("\n\n")) {
                seen.push_str(&self.0.next().await.expect("the stream goes on"));
            }
        };
        timeout(Duration::from_secs(10), reading).await.unwrap_or_else(|_| panic!("no {text}"));
        seen
    }

    /// Reads to the end of the stream.
    async fn rest(self) -> String {
        timeout(Duration::from_secs(10), self.0.collect::<String>()).await.unwrap()
    }
}

#[tokio::test]
async fn a_change_shows_at_once() {
    let views = shop();
    let server = serve(&views).await;
    let mut list = Page::open(&server, "/events?page=applications&sort=name").await;
    let mut one = Page::open(&server, "/applications/shop/cart/events").await;
    list.read_until("checkout").await;
    one.read_until("Conditions").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let changed = Instant::now();
    views.put(key("cart"), view(&key("cart"), "Synced", "Degraded", "it broke"));
    let seen = list.read_until("it broke").await;
    one.read_until("it broke").await;
    assert!(changed.elapsed() < Duration::from_secs(1), "{:?}", changed.elapsed());
    assert!(seen.lines().all(|line| line.is_empty() || line.starts_with("data: ")), "{seen}");
    assert!(!seen.contains("<html"), "a fragment, not the page");
    views.remove(&key("cart"));
    one.read_until("is gone").await;
    server.running.abort();
}

#[tokio::test]
async fn another_application_does_not_disturb_a_page() {
    let views = shop();
    let server = serve(&views).await;
    let mut one = Page::open(&server, "/applications/shop/cart/events").await;
    one.read_until("Conditions").await;
    views.put(key("web"), view(&key("web"), "Synced", "Degraded", "other"));
    let quiet = timeout(Duration::from_millis(600), one.0.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    server.running.abort();
}

#[tokio::test]
async fn a_storm_is_coalesced_and_its_end_is_shown() {
    let views = shop();
    let server = serve(&views).await;
    let mut page = Page::open(&server, "/events?page=applications").await;
    page.read_until("checkout").await;
    let started = Instant::now();
    for i in 0..5000 {
        let message = if i == 4999 { "the last one".to_owned() } else { format!("storm {i}") };
        views.put(key("web"), view(&key("web"), "Synced", "Degraded", &message));
        if i % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let seen = page.read_until("the last one").await;
    let events = seen.matches("\n\n").count() as u128;
    assert!(events <= started.elapsed().as_millis() / 200 + 2, "{events} in {:?}", started.elapsed());
    server.running.abort();
}

#[tokio::test]
async fn hostile_text_cannot_end_an_event() {
    let views = shop();
    let server = serve(&views).await;
    let mut page = Page::open(&server, "/events?page=applications").await;
    page.read_until("checkout").await;
    views.put(
        key("web"),
        view(&key("web"), "Synced", "Degraded", "x\r\n\r\nevent: windlass:reload\rdata: 1\n\nend"),
    );
    let seen = page.read_until("end").await;
    assert!(seen.lines().all(|line| line.is_empty() || line.starts_with("data: ")), "{seen}");
    assert!(!seen.contains('\r'));
    server.running.abort();
}

#[tokio::test]
async fn a_page_of_another_version_reloads() {
    let server = serve(&shop()).await;
    let old = Page::open(&server, "/events?page=applications&v=old").await;
    assert!(old.rest().await.starts_with("event: windlass:reload\n"));
    let mut current =
        Page::open(&server, &format!("/events?page=applications&v={}", assets::version())).await;
    current.read_until("checkout").await;
    server.running.abort();
}

#[tokio::test]
async fn live_pages_are_bounded_and_end_with_the_server() {
    let views = shop();
    let server = serve(&views).await;
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS {
        open.push(Page::open(&server, "/applications/shop/cart/events").await);
    }
    let busy = Page::open(&server, "/events?page=applications").await.rest().await;
    assert!(busy.contains("event: windlass:busy\n") && busy.contains("retry: 10000\n"), "{busy}");
    open.pop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut again = Page::open(&server, "/events?page=applications").await;
    again.read_until("checkout").await;
    let Server { stop, running, .. } = server;
    let _ = stop.send(());
    again.rest().await;
    timeout(Duration::from_secs(5), running).await.expect("the server stops").unwrap();
}
