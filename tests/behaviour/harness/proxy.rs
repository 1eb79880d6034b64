//! A way to the API server that goes wrong when a test wants it to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tower::service_fn;

use super::{block_on, cluster};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It reaches the API server, and the answer its sender.
    Passes,
    /// It is answered here with this status, after which so many seconds it may be sent again.
    Answered(u16, u64),
    /// It waits here until the test opens the gate, even if its sender gives up.
    Waits(Gate),
    /// It reaches the API server, and its answer is lost.
    Unheard,
}

/// A gate where requests wait.
#[derive(Clone, Debug)]
pub struct Gate(Arc<tokio::sync::watch::Sender<(usize, bool)>>);

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(tokio::sync::watch::Sender::new((0, false))))
    }
}

impl Gate {
    /// How many requests came to it.
    pub fn arrived(&self) -> usize {
        self.0.borrow().0
    }

    /// Lets all through that wait and that come.
    pub fn open(&self) {
        self.0.send_modify(|(_, open)| *open = true);
    }

    /// Whether it was opened.
    pub fn is_open(&self) -> bool {
        self.0.borrow().1
    }

    async fn pass(&self) {
        self.0.send_modify(|(arrived, _)| *arrived += 1);
        let _ = self.0.subscribe().wait_for(|(_, open)| *open).await;
    }
}

/// Decides by method and path with query.
type Decide = Box<dyn FnMut(&Method, &str) -> Fate + Send>;

/// An HTTP proxy in front of the API server. It passes credentials on and has none of its own.
pub struct Proxy {
    address: SocketAddr,
    decide: Arc<Mutex<Decide>>,
    client: Client,
    serving: Option<JoinHandle<()>>,
}

impl Proxy {
    /// One that passes everything.
    pub fn new() -> Self {
        let client = block_on(async {
            let kubeconfig = Kubeconfig::read_from(&cluster().kubeconfig).unwrap();
            let mut config =
                Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
            config.auth_info = AuthInfo::default();
            config.default_retry = false;
            config.read_timeout = None;
            Client::try_from(config).unwrap()
        });
        let decide: Decide = Box::new(|_, _| Fate::Passes);
        let mut proxy = Self {
            address: ([127, 0, 0, 1], 0).into(),
            decide: Arc::new(Mutex::new(decide)),
            client,
            serving: None,
        };
        proxy.up();
        proxy
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on `decide` says what becomes of a request.
    pub fn decide(&self, decide: impl FnMut(&Method, &str) -> Fate + Send + 'static) {
        *self.decide.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(decide);
    }

    /// From now on everything passes.
    pub fn pass(&self) {
        self.decide(|_, _| Fate::Passes);
    }

    /// Breaks all connections and refuses new ones, as an API server that ends.
    pub fn down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = block_on(serving);
        }
    }

    /// Serves again at the same address.
    pub fn up(&mut self) {
        let listener = block_on(TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        let (decide, client) = (self.decide.clone(), self.client.clone());
        let serve = async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (decide, client) = (decide.clone(), client.clone());
                let service = service_fn(move |request| forward(decide.clone(), client.clone(), request));
                connections.spawn(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    let service = TowerToHyperService::new(service);
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        };
        self.serving = block_on(async { Some(tokio::spawn(serve)) });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.down();
    }
}

async fn forward(
    decide: Arc<Mutex<Decide>>,
    client: Client,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<Response, std::io::Error> {
    let (mut parts, body) = Request::from(request.map(Body::new)).into_parts();
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let fate = decide.lock().unwrap_or_else(PoisonError::into_inner)(&parts.method, &target);
    if let Fate::Answered(code, after) = fate {
        let status = StatusCode::from_u16(code).unwrap();
        let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "code": code, "reason": status.canonical_reason(), "message": "the proxy says so"});
        let headers =
            [(header::RETRY_AFTER, after.to_string()), (header::CONTENT_TYPE, "application/json".into())];
        return Ok((status, headers, body.to_string()).into_response());
    }
    let body = to_bytes(body, usize::MAX).await.map_err(std::io::Error::other)?;
    let mut headers = std::mem::take(&mut parts.headers);
    headers.remove(header::HOST);
    let mut forwarded = axum::http::Request::builder().method(parts.method).uri(&target);
    *forwarded.headers_mut().unwrap() = headers;
    let forwarded = forwarded.body(kube::client::Body::from(body.to_vec())).unwrap();
    // On a task of its own: what is under way goes on when its sender gives up.
    let sent = tokio::spawn(async move {
        if let Fate::Waits(gate) = &fate {
            gate.pass().await;
        }
        (client.send(forwarded).await, fate)
    });
    let (answer, fate) = sent.await.map_err(std::io::Error::other)?;
    let answer = answer.map_err(std::io::Error::other)?;
    if fate == Fate::Unheard {
        // An error of the service breaks the connection.
        return Err(std::io::Error::other("the answer is lost"));
    }
    let (mut parts, body) = answer.into_parts();
    parts.headers = kept(parts.headers);
    Ok(Response::from_parts(parts, Body::new(body)))
}

/// Headers that are not about one connection.
fn kept(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::TRANSFER_ENCODING, header::CONNECTION, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    headers
}
