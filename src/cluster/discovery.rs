//! The kinds that the API server serves.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kube::discovery::{ApiResource, Discovery, Scope as KubeScope};
use kube::{Api, Client, api::DynamicObject};
use tokio::sync::Mutex;
use tokio::time::Instant;
use windlass_core::object::Gvk;
use windlass_core::plan::{Kinds, Scope};

use super::error::ClusterError;

/// Shortest time between two looks at what the server serves.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// What the API server serves, as of the last look.
#[derive(Default)]
pub struct Served {
    resources: HashMap<Gvk, (ApiResource, Scope)>,
}

impl Served {
    /// How to address a kind.
    pub fn resource(&self, gvk: &Gvk) -> Option<&(ApiResource, Scope)> {
        self.resources.get(gvk)
    }

    /// How to address a kind of which only group and name are known, in a version that is served.
    pub fn any_version(&self, group: &str, kind: &str) -> Option<&(ApiResource, Scope)> {
        let version = self.versions(group, kind).into_iter().next()?;
        self.resources.get(&Gvk { group: group.into(), version, kind: kind.into() })
    }
}

impl Kinds for Served {
    fn scope(&self, gvk: &Gvk) -> Option<Scope> {
        self.resources.get(gvk).map(|(_, scope)| *scope)
    }

    fn versions(&self, group: &str, kind: &str) -> Vec<String> {
        let mut versions: Vec<_> = self
            .resources
            .keys()
            .filter(|gvk| gvk.group == group && gvk.kind == kind)
            .map(|gvk| gvk.version.clone())
            .collect();
        // `v1` before `v1beta1` before `v1alpha1`, as near as names tell.
        versions.sort_by_key(|v| (v.contains("alpha"), v.contains("beta"), std::cmp::Reverse(v.clone())));
        versions
    }
}

/// A cache of [`Served`], looked up again when something is missing from it.
pub struct Catalog {
    client: Client,
    served: RwLock<Arc<Served>>,
    last: Mutex<Option<Instant>>,
}

impl Catalog {
    /// An empty cache.
    pub fn new(client: Client) -> Self {
        Self { client, served: RwLock::default(), last: Mutex::new(None) }
    }

    /// The last look.
    pub fn served(&self) -> Arc<Served> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks again, at most once a second; a look that another task began since is shared.
    ///
    /// # Errors
    /// [`ClusterError::Request`] where the server does not answer.
    pub async fn refresh(&self) -> Result<Arc<Served>, ClusterError> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(at) = *last {
            if at >= asked {
                return Ok(self.served());
            }
            tokio::time::sleep_until(at + MIN_INTERVAL).await;
        }
        let started = Instant::now();
        let discovery = Discovery::new(self.client.clone()).run_aggregated().await?;
        let mut resources = HashMap::new();
        for group in discovery.groups() {
            for version in group.versions() {
                for (resource, capabilities) in group.versioned_resources(version) {
                    let scope = match capabilities.scope {
                        KubeScope::Cluster => Scope::Cluster,
                        KubeScope::Namespaced => Scope::Namespaced,
                    };
                    let gvk = Gvk {
                        group: resource.group.clone(),
                        version: resource.version.clone(),
                        kind: resource.kind.clone(),
                    };
                    resources.insert(gvk, (resource, scope));
                }
            }
        }
        let served = Arc::new(Served { resources });
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = served.clone();
        *last = Some(started);
        Ok(served)
    }

    /// How to address a kind in whatever version is served, after another look if need be.
    ///
    /// # Errors
    /// [`ClusterError::Request`] where the server does not answer.
    pub async fn any_version(
        &self,
        group: &str,
        kind: &str,
    ) -> Result<Option<(ApiResource, Scope)>, ClusterError> {
        if let Some(found) = self.served().any_version(group, kind) {
            return Ok(Some(found.clone()));
        }
        Ok(self.refresh().await?.any_version(group, kind).cloned())
    }

    /// How to address a kind, after another look if need be.
    ///
    /// # Errors
    /// [`ClusterError::Request`] where the server does not answer.
    pub async fn resource(&self, gvk: &Gvk) -> Result<Option<(ApiResource, Scope)>, ClusterError> {
        if let Some(found) = self.served().resource(gvk) {
            return Ok(Some(found.clone()));
        }
        Ok(self.refresh().await?.resource(gvk).cloned())
    }
}

/// A typeless API for objects of `resource` in `namespace`; the namespace counts only for namespaced kinds.
pub fn dynamic_api(
    client: &Client,
    resource: &ApiResource,
    scope: Scope,
    namespace: &str,
) -> Api<DynamicObject> {
    match scope {
        Scope::Cluster => Api::all_with(client.clone(), resource),
        Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, resource),
    }
}
