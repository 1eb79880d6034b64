//! The life of a controller: connect, wait for the Lease, restore, watch, reconcile, end.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use windlass_core::object::Cluster;

use super::applications;
use super::causes::Causes;
use super::context::{Apps, Config, Context};
use super::dependencies::Dependencies;
use super::dispatch::dispatch;
use super::fleet::Fleet;
use super::hearings::Hearings;
use super::housekeeping;
use super::mirrors::{Mirrors, Tools};
use super::queue::Queue;
use super::restore;
use super::room::Room;
use super::view::Views;
use super::vitals::{Stage, Vitals};
use super::watches::Watches;
use super::world::World;
use crate::cluster::apply::Applier;
use crate::cluster::client;
use crate::cluster::discovery::Catalog;
use crate::cluster::error::ClusterError;
use crate::cluster::events::Events;
use crate::cluster::leadership::Leadership;
use crate::cluster::lease::{Election, LeaseLost};
use crate::cluster::store::Store;
use crate::prometheus::{Guard, Prometheus, QueryError};
use crate::telemetry::Metrics;
use crate::web::{self, Web, WebConfig, WebError, operations_router};
use crate::worker::{Kind, Pool, PoolConfig};

/// How long running reconciles may go on when the controller ends: its successor waits for it.
const DRAIN: Duration = Duration::from_millis(700);
/// How often the API server is looked at where no Lease is renewed.
const PROBE: Duration = Duration::from_secs(5);
/// Requests that write objects at the same time.
const WRITES: usize = 24;

/// Why a controller ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The API server cannot be used.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Another controller may be leading.
    #[error(transparent)]
    Lease(#[from] LeaseLost),
    /// The status page or the metrics cannot be served.
    #[error(transparent)]
    Web(#[from] WebError),
    /// Two metrics have one name.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// No metrics can be asked for.
    #[error(transparent)]
    Prometheus(#[from] QueryError),
    /// A part that should run as long as the controller ended.
    #[error("a part of the controller ended, which is a bug in Windlass: {0}")]
    Ended(String),
    /// The cache directory cannot be used.
    #[error("the cache directory {0} cannot be made: {1}; set --cache-dir to a place that can be written to")]
    Cache(std::path::PathBuf, std::io::Error),
}

/// Runs a controller until `shutdown` resolves.
///
/// # Errors
/// [`RunError`] where it cannot start, or lost its Lease.
pub async fn run(
    config: Config,
    kube: kube::Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let mirrors = config.cache_dir.join("mirrors");
    std::fs::create_dir_all(&mirrors).map_err(|error| RunError::Cache(mirrors.clone(), error))?;
    let prometheus = Prometheus::new(Guard::new(api_server(&kube).await))?;
    let leadership = if config.leader_election { Leadership::none() } else { Leadership::unlimited() };
    let clients = client::connect(kube, &leadership)?;
    let instance = client::instance(&clients.requests, &config.install).await?;
    let metrics = Arc::new(Metrics::new()?);
    let queue = Arc::new(Queue::new(config.concurrency));
    let views = Arc::new(Views::default());
    let world = Arc::new(World::new(instance.clone(), queue.clone()));
    let pool = Arc::new(Pool::new(PoolConfig::new(config.cache_dir.clone())));
    let cluster = Cluster::default();
    let identity = identity();
    let catalog = Arc::new(Catalog::new(clients.requests.clone()));
    let ctx = Arc::new(Context {
        applier: Applier::new(clients.requests.clone(), instance.field_manager()),
        store: Store::new(clients.requests.clone(), &config.namespace, instance.clone()),
        hearings: Hearings::new(queue.clone()),
        watches: Watches::new(clients.watches.clone(), cluster.clone(), world.clone(), catalog.clone()),
        catalog,
        causes: Causes::new(queue.clone()),
        mirrors: Mirrors::new(Tools {
            pool: pool.clone(),
            queue: queue.clone(),
            metrics: metrics.clone(),
            directory: mirrors,
            interval: config.poll_interval,
        }),
        events: Events::new(clients.requests.clone(), identity.clone()),
        dependencies: Dependencies::new(queue.clone()),
        writes: Semaphore::new(WRITES),
        fleet: Fleet::new(metrics.rollback_paused.clone()),
        apps: Apps::default(),
        config,
        clients,
        instance,
        cluster,
        world,
        prometheus,
        pool,
        queue,
        views,
        metrics,
        vitals: Vitals::default(),
    });
    report_sandbox(&ctx).await;
    let mut tasks: JoinSet<Result<(), RunError>> = JoinSet::new();
    serve(&ctx, &mut tasks).await?;
    let mut shutdown = std::pin::pin!(shutdown);
    let election = Election::new(
        ctx.clients.lease.clone(),
        &ctx.config.namespace,
        (&lease_name(&ctx.config), identity),
        leadership,
        ctx.vitals.api_server.clone(),
    );
    if ctx.config.leader_election {
        let lease = tokio::select! {
            lease = election.acquire() => lease,
            () = &mut shutdown => return Ok(()),
        };
        tracing::info!(instance = ctx.instance.as_str(), "leading");
        let holder = Election::clone(&election);
        let vitals = ctx.clone();
        tasks.spawn(async move {
            Err(vitals.vitals.watched("the renewal of the Lease", holder.hold(lease)).await.into())
        });
    } else {
        tasks.spawn(probe(ctx.clone()));
    }
    ctx.vitals.enter(Stage::Restoring);
    let loops = lead(ctx.clone(), &mut tasks).await?;
    ctx.vitals.enter(Stage::Leading);
    tokio::select! {
        () = &mut shutdown => {}
        // Without the Lease, or without one of its loops, it ends at once and writes nothing more.
        Some(ended) = tasks.join_next() => {
            loops.stop();
            return Err(match ended {
                Ok(Err(error)) => error,
                Ok(Ok(())) => RunError::Ended("it returned".into()),
                Err(error) => RunError::Ended(error.to_string()),
            });
        }
    }
    tracing::info!("ending");
    ctx.vitals.enter(Stage::Ending);
    // Reconciles that run may finish; each write they make is complete in itself.
    loops.drain().await;
    tasks.abort_all();
    if ctx.config.leader_election {
        election.release().await;
    }
    Ok(())
}

/// The addresses of the API server: no Application may have it asked for metrics. One that is on loopback is
/// left out, since a Prometheus may be there too.
async fn api_server(kube: &kube::Config) -> Vec<std::net::IpAddr> {
    let host = kube.cluster_url.host().unwrap_or_default().trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, 0)).await;
    let addresses = found.into_iter().flatten().map(|address| address.ip());
    addresses.filter(|address| !address.is_loopback()).collect()
}

/// One Lease for each set of namespaces that is looked after, so that controllers of different namespaces
/// work beside each other.
fn lease_name(config: &Config) -> String {
    match config.watch_namespaces.as_slice() {
        [] => format!("windlass-{}", config.install),
        namespaces => {
            let mut sorted = namespaces.to_vec();
            sorted.sort();
            let hash = windlass_core::object::Digest::of_bytes(sorted.join(",").as_bytes());
            format!("windlass-{}-{}", config.install, hash.short(8))
        }
    }
}

fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "windlass".into());
    format!("{host}-{:08x}", rand::random::<u32>())
}

async fn report_sandbox(ctx: &Context) {
    for kind in [Kind::Fetch, Kind::Render] {
        match ctx.pool.sandbox(kind).await {
            Ok(sandbox) => {
                tracing::info!("{kind} workers: {sandbox}");
                for gap in sandbox.gaps() {
                    tracing::warn!("{kind} workers: {gap}");
                }
            }
            Err(error) => {
                tracing::error!(%error, "{kind} workers cannot be started: nothing can be fetched or rendered")
            }
        }
    }
    tracing::info!(
        "Projects are not built yet: objects are written with the controller's own rights, whoever may write \
         Applications has them too"
    );
}

async fn serve(ctx: &Arc<Context>, tasks: &mut JoinSet<Result<(), RunError>>) -> Result<(), RunError> {
    if let Some(address) = ctx.config.web_address {
        let web = Web::bind(WebConfig { address, anonymous: ctx.config.anonymous }).await?;
        tracing::info!("serving the status page on http://{}/", web.address());
        let views = ctx.views.clone();
        tasks.spawn(async move {
            web.serve(views, std::future::pending()).await;
            Ok(())
        });
    }
    if let Some(address) = ctx.config.operations_address {
        let listener =
            TcpListener::bind(address).await.map_err(|source| WebError::Bind { address, source })?;
        let bound = listener.local_addr().map_err(|source| WebError::Bind { address, source })?;
        tracing::info!("serving /metrics, /healthz and /readyz on http://{bound}/");
        let (metrics, ready, alive) = (ctx.clone(), ctx.clone(), ctx.clone());
        let router = operations_router(
            move || metrics.metrics.render(&metrics.views, metrics.queue.len()),
            move || ready.vitals.ready(),
            move || alive.vitals.alive(),
        );
        tasks.spawn(async move {
            web::serve(listener, router, std::future::pending()).await;
            Ok(())
        });
    }
    Ok(())
}

/// Looks whether the API server answers, where no Lease shows it.
async fn probe(ctx: Arc<Context>) -> Result<(), RunError> {
    loop {
        if let Ok(Ok(_)) = timeout(PROBE, ctx.clients.lease.apiserver_version()).await {
            ctx.vitals.api_server.beat();
        }
        sleep(PROBE).await;
    }
}

/// What runs while leading.
struct Loops {
    room: Room,
    tasks: Vec<tokio::task::AbortHandle>,
    /// Every reconcile stops where it stands when this becomes true.
    stop: watch::Sender<bool>,
}

impl Loops {
    /// Begins no reconcile any more, gives those that run some time, then stops them.
    async fn drain(&self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
        let _ = timeout(DRAIN, self.room.empty()).await;
        self.stop();
    }

    /// Stops everything at once.
    fn stop(&self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
        self.stop.send_replace(true);
    }
}

async fn lead(ctx: Arc<Context>, tasks: &mut JoinSet<Result<(), RunError>>) -> Result<Loops, RunError> {
    ctx.catalog.refresh().await?;
    restore::all(&ctx).await?;
    let mut handles = Vec::new();
    let namespaces = ctx.config.watch_namespaces.clone();
    let scopes = if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
    ctx.apps.expect_lists(scopes.len());
    for namespace in scopes {
        let ctx = ctx.clone();
        handles.push(tasks.spawn(async move {
            let watching = applications::watch(ctx.clone(), namespace);
            ctx.vitals.watched("the watch of Applications", watching).await;
            Ok(())
        }));
    }
    let looking = ctx.clone();
    handles.push(tasks.spawn(async move {
        looking.causes.run(&looking).await;
        Ok(())
    }));
    let room = Room::new(ctx.config.concurrency);
    let stop = watch::Sender::new(false);
    let dispatcher = dispatch(ctx.clone(), room.clone(), stop.subscribe());
    let dispatching = ctx.clone();
    handles.push(tasks.spawn(async move {
        dispatching.vitals.watched("the dispatcher", dispatcher).await;
        Ok(())
    }));
    handles.push(tasks.spawn(async move {
        housekeeping::run(ctx).await;
        Ok(())
    }));
    Ok(Loops { room, tasks: handles, stop })
}
