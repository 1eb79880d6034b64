//! Service accounts of the run: by them the audit log tells who wrote what.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use crate::testbed::SYSTEM;

/// Longer than any run.
const TOKEN_SECONDS: i64 = 86_400;

/// A service account that may do everything.
pub struct Account {
    /// Its name in the audit log.
    pub user: String,
    /// A client of it.
    pub client: Client,
    /// Its credentials.
    pub kubeconfig: PathBuf,
}

impl Account {
    /// Makes a service account, with its credentials in `directory`.
    pub async fn new(admin: &Client, of_admin: &Path, directory: &Path, name: &str) -> anyhow::Result<Self> {
        let post = PostParams::default();
        let accounts = Api::<ServiceAccount>::namespaced(admin.clone(), SYSTEM);
        let mut account = ServiceAccount::default();
        account.metadata.name = Some(name.to_owned());
        accounts.create(&post, &account).await?;
        let mut binding = ClusterRoleBinding {
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".into(),
                kind: "ClusterRole".into(),
                name: "cluster-admin".into(),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".into(),
                name: name.into(),
                namespace: Some(SYSTEM.into()),
                ..Subject::default()
            }]),
            ..ClusterRoleBinding::default()
        };
        binding.metadata.name = Some(format!("bench-{name}"));
        Api::all(admin.clone()).create(&post, &binding).await?;
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let token = accounts.create_token_request(name, &post, &request).await?;
        let token = token.status.context("the API server gave no token")?.token;
        let mut kubeconfig: Value = serde_yaml::from_str(&std::fs::read_to_string(of_admin)?)?;
        let user = kubeconfig.pointer_mut("/users/0/user").context("the kubeconfig has no user")?;
        *user = json!({"token": token});
        let file = directory.join(format!("{name}.kubeconfig"));
        std::fs::write(&file, kubeconfig.to_string())?;
        let client = client(&file).await?;
        Ok(Self { user: format!("system:serviceaccount:{SYSTEM}:{name}"), client, kubeconfig: file })
    }
}

/// A client with the credentials of a file.
pub async fn client(kubeconfig: &Path) -> anyhow::Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
