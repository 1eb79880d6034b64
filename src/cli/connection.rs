//! How commands reach a cluster, and what they say when they can't.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use kube::api::{Api, DynamicObject, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::ApiResource;
use kube::{Client, Config, Resource};
use windlass_core::api::Application;

/// Longest time for one answer of the API server.
const ANSWER: Duration = Duration::from_secs(30);

/// Which cluster.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterArgs {
    /// Context of the kubeconfig (default: its current one)
    #[arg(long)]
    pub context: Option<String>,
    /// Kubeconfig file (default: $KUBECONFIG, then ~/.kube/config, then the pod's service account)
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// Which cluster, and which namespace in it.
#[derive(Args, Clone, Debug, Default)]
pub struct ConnectionArgs {
    /// Namespace (default: that of the kubeconfig's context)
    #[arg(short, long)]
    pub namespace: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A cluster that was reached.
pub struct Connection {
    /// The client; long watches may use it too.
    pub client: Client,
    /// The namespace asked for.
    pub namespace: String,
    /// Address of the API server, for messages.
    pub server: String,
    /// Who asks, as far as this machine knows: the user of the system, else that of the kubeconfig.
    pub user: String,
}

impl ConnectionArgs {
    /// Reads the configuration and makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// There is no usable kubeconfig, or its certificates cannot be read.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let (mut config, kubeconfig_user) = self.cluster.config().await?;
        config.connect_timeout = Some(Duration::from_secs(10));
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config)
            .with_context(|| format!("the credentials for {server} cannot be used; check the kubeconfig"))?;
        let user = std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or(kubeconfig_user);
        Ok(Connection { client, namespace, server, user })
    }
}

impl ClusterArgs {
    /// Reads how to reach the cluster, and the name of the kubeconfig's user.
    ///
    /// # Errors
    /// There is no usable kubeconfig, and this is no pod either.
    pub async fn config(&self) -> anyhow::Result<(Config, String)> {
        let kubeconfig = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path)
                .with_context(|| format!("the kubeconfig {} cannot be used", path.display()))?,
            None => match Kubeconfig::read() {
                Ok(kubeconfig) => kubeconfig,
                Err(error) => {
                    let inside = Config::incluster().ok().filter(|_| self.context.is_none());
                    let config = inside.ok_or(error).context(
                        "no cluster to talk to: set KUBECONFIG, write ~/.kube/config or use --kubeconfig FILE",
                    )?;
                    return Ok((config, String::new()));
                }
            },
        };
        let wanted = self.context.as_ref().or(kubeconfig.current_context.as_ref());
        let user = kubeconfig
            .contexts
            .iter()
            .find(|context| Some(&context.name) == wanted)
            .and_then(|context| context.context.as_ref()?.user.clone())
            .unwrap_or_default();
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .context("the kubeconfig cannot be used; choose a context with --context")?;
        Ok((config, user))
    }
}

impl Connection {
    /// The Applications of the namespace as the API server holds them; reading them as [`Application`] is
    /// left to the caller, so that one that this version cannot read stops only itself.
    pub fn applications(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource())
    }

    /// The Applications of all namespaces.
    pub fn all_applications(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource())
    }

    /// Waits for an answer of the API server, not longer than it is worth.
    ///
    /// # Errors
    /// A sentence for people about what the server answered, or that it didn't.
    pub async fn answer<T>(&self, request: impl Future<Output = kube::Result<T>>) -> anyhow::Result<T> {
        match tokio::time::timeout(ANSWER, request).await {
            Ok(answer) => answer.map_err(|error| anyhow!(self.explain(&error))),
            Err(_) => Err(anyhow!("{} did not answer within {} s", self.server, ANSWER.as_secs())),
        }
    }

    /// One Application by its name.
    ///
    /// # Errors
    /// It doesn't exist (the message says how to find others), or the server cannot be asked.
    pub async fn application(&self, name: &str) -> anyhow::Result<DynamicObject> {
        let applications = self.applications();
        if let Some(application) = self.answer(applications.get_opt(name)).await? {
            return Ok(application);
        }
        // The same answer, 404, also means that the kind is unknown; a list tells the two apart.
        self.answer(applications.list_metadata(&ListParams::default().limit(1))).await?;
        let namespace = &self.namespace;
        Err(anyhow!(
            "there is no Application {name} in namespace {namespace}; `windlass get -A` lists all of them"
        ))
    }

    /// What an error of the API server means to a person.
    pub fn explain(&self, error: &kube::Error) -> String {
        let server = &self.server;
        match error {
            kube::Error::Api(status) => match status.code {
                401 => format!("{server} does not accept your credentials; sign in again"),
                403 => format!("you may not do this: {}", status.message),
                404 => format!(
                    "{server} does not know Applications; install them: \
                     windlass crds | kubectl apply --server-side -f -"
                ),
                _ => format!("{server} refused: {}", status.message),
            },
            kube::Error::HyperError(_) | kube::Error::Service(_) => {
                format!("{server} cannot be reached: {}", root_cause(error))
            }
            _ => format!("{server}: {}", root_cause(error)),
        }
    }
}

/// Whether time alone will not heal an error of the API server: rights, credentials, an unknown kind.
pub fn is_lasting(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404))
}

fn root_cause(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Where the API server serves Applications.
pub fn resource() -> ApiResource {
    ApiResource::erase::<Application>(&())
}

/// Reads what the API server holds.
///
/// # Errors
/// A sentence that names the Application and the field, for one written for another version.
pub fn read(object: DynamicObject) -> anyhow::Result<Application> {
    let name = object.metadata.name.clone().unwrap_or_default();
    serde_json::to_value(object).and_then(serde_json::from_value).with_context(|| {
        format!("this windlass cannot read the Application {name}; use the controller's version")
    })
}

/// Name of the group, version and kind, for objects that are printed.
pub fn type_meta() -> (String, String) {
    (Application::api_version(&()).into_owned(), Application::kind(&()).into_owned())
}
