//! The cluster that everything is measured on.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, CustomResourceExt as _};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use windlass_core::api::Application;

use crate::accounts::{self, Account};
use crate::audit::Audit;

/// What the cluster says of itself when it is ready.
#[derive(Deserialize)]
struct Ready {
    kubeconfig: PathBuf,
    audit: PathBuf,
    git: String,
}

/// A cluster with the CustomResourceDefinition and with the two whose writes are compared.
pub struct Testbed {
    /// A client of its administrator.
    pub admin: Client,
    /// Who runs the bare loops.
    pub bare: Account,
    /// Who the controller is.
    pub windlass: Account,
    /// Its audit log.
    pub audit: Audit,
    /// Address of its Git server.
    pub git: String,
    /// A directory that lasts as long as the run.
    pub directory: TempDir,
    /// It ends when its standard input does, so it never outlives this process.
    process: Child,
}

/// Namespace of the service accounts, the Lease and the stored releases.
pub const SYSTEM: &str = "windlass-system";

impl Testbed {
    /// Starts a cluster with fake nodes.
    pub async fn start() -> anyhow::Result<Self> {
        let (cluster, kwok) = (program("cluster").await?, program("kwok").await?);
        let mut process = Command::new(cluster)
            .args(["up", "--nodes", "3", "--until-stdin-closes", "--kwok"])
            .arg(kwok)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().context("it has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let ready: Ready = serde_json::from_str(&line).with_context(|| format!("it said {line:?}"))?;
        let directory = TempDir::new()?;
        let admin = accounts::client(&ready.kubeconfig).await?;
        install(&admin).await?;
        let account = |name| Account::new(&admin, &ready.kubeconfig, directory.path(), name);
        let (bare, windlass) = (account("bare").await?, account("windlass").await?);
        Ok(Self { bare, windlass, audit: Audit::new(ready.audit), git: ready.git, admin, directory, process })
    }

    /// Ends the cluster and waits until nothing of it is left.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait().await?;
        ensure!(status.success(), "the cluster ended with {status}");
        Ok(())
    }

    /// Process id of the cluster, whose components are its children.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the cluster ended")
    }

    /// Makes a namespace.
    pub async fn namespace(&self, name: &str) -> anyhow::Result<()> {
        namespace(&self.admin, name).await
    }
}

/// The path of a program of the cluster: from the environment, else built where that was not done yet.
async fn program(name: &str) -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os(format!("WINDLASS_TEST_{}", name.to_uppercase())) {
        return Ok(path.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/build.sh");
    let built = Command::new(&script).arg(name).stderr(Stdio::inherit()).output().await?;
    ensure!(built.status.success(), "{} {name}: {}", script.display(), built.status);
    Ok(PathBuf::from(String::from_utf8(built.stdout)?.trim()))
}

async fn namespace(client: &Client, name: &str) -> anyhow::Result<()> {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
    Ok(())
}

async fn install(client: &Client) -> anyhow::Result<()> {
    namespace(client, SYSTEM).await?;
    let name = Application::crd_name();
    let crds = Api::<CustomResourceDefinition>::all(client.clone());
    crds.patch(name, &PatchParams::apply("bench").force(), &Patch::Apply(&Application::crd())).await?;
    await_condition(crds, name, is_crd_established()).await?;
    let applications = Api::<Application>::all(client.clone());
    for _ in 0..200 {
        if applications.list(&ListParams::default()).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the API server does not serve Applications 10 s after their definition")
}
