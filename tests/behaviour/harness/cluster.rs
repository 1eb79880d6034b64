//! The control plane that all tests of a run share.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config, CustomResourceExt as _};
use serde::Deserialize;
use tokio::runtime::Runtime;
use windlass_core::api::{Application, RolloutPolicy};

/// What the cluster says of itself when it is ready.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    kubeconfig: PathBuf,
    audit: PathBuf,
    git: String,
    kubectl: PathBuf,
    ready_seconds: f64,
}

/// The cluster of this run.
pub struct Cluster {
    /// Credentials of its administrator.
    pub kubeconfig: PathBuf,
    /// Its audit log.
    pub audit: PathBuf,
    /// Address of its Git server.
    pub git: String,
    /// kubectl of its version.
    pub kubectl: PathBuf,
    /// A client of its administrator.
    pub client: Client,
    /// It ends when its standard input does, so it never outlives this process.
    process: Mutex<Option<Child>>,
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")
});

static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();

/// Waits for an answer.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// The cluster of this run, started by whoever asks first.
///
/// # Panics
/// When it does not start.
pub fn cluster() -> &'static Cluster {
    match CLUSTER.get_or_init(start) {
        Ok(cluster) => cluster,
        Err(error) => panic!("there is no cluster: {error}"),
    }
}

/// Ends the cluster, if it was started, and waits until nothing of it is left.
pub fn stop() {
    let Some(Ok(cluster)) = CLUSTER.get() else { return };
    if let Some(mut process) = cluster.process.lock().unwrap_or_else(PoisonError::into_inner).take() {
        drop(process.stdin.take());
        let status = process.wait().expect("it is our child");
        assert!(status.success(), "the cluster ended with {status}");
    }
}

fn start() -> Result<Cluster, String> {
    let mut process = Command::new(program("cluster")?)
        .args(["up", "--nodes", "3", "--until-stdin-closes", "--kwok"])
        .arg(program("kwok")?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut line = String::new();
    let stdout = process.stdout.take().ok_or("it has no standard output")?;
    BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
    let report: Report = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
    super::record("cluster ready", Duration::from_secs_f64(report.ready_seconds));
    let client = block_on(async {
        let client = connect(&report.kubeconfig).await?;
        install(&client).await?;
        Ok::<_, kube::Error>(client)
    })
    .map_err(|error| error.to_string())?;
    let Report { kubeconfig, audit, git, kubectl, .. } = report;
    Ok(Cluster { kubeconfig, audit, git, kubectl, client, process: Mutex::new(Some(process)) })
}

/// The path of a program that tests run: from the environment, else built where that was not done yet.
pub fn program(name: &str) -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os(format!("WINDLASS_TEST_{}", name.to_uppercase())) {
        return Ok(path.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/build.sh");
    let built = Command::new(&script).arg(name).stderr(Stdio::inherit()).output();
    let built = built.map_err(|error| format!("{}: {error}", script.display()))?;
    if !built.status.success() {
        return Err(format!("{} {name}: {}", script.display(), built.status));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&built.stdout).trim()))
}

async fn connect(kubeconfig: &Path) -> Result<Client, kube::Error> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the cluster wrote it");
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("the cluster wrote it");
    Client::try_from(config)
}

/// Installs the CustomResourceDefinition and waits until it is served.
async fn install(client: &Client) -> Result<(), kube::Error> {
    for crd in [Application::crd(), RolloutPolicy::crd()] {
        let name = crd.metadata.name.as_deref().unwrap_or_default();
        let crds = Api::<CustomResourceDefinition>::all(client.clone());
        crds.patch(name, &PatchParams::apply("behaviour").force(), &Patch::Apply(&crd)).await?;
        await_condition(crds, name, is_crd_established()).await.expect("it is established");
    }
    let applications = Api::<Application>::all(client.clone());
    for _ in 0..100 {
        if applications.list(&ListParams::default()).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    applications.list(&ListParams::default()).await.map(|_| ())
}
