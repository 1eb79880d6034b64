use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The cluster that an object lives in. `in-cluster` is the one Windlass itself runs in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cluster(Arc<str>);

impl Cluster {
    /// A cluster by its name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new("in-cluster")
    }
}

/// Which object: the same whatever API version it is written in. Ordered by cluster, group, kind,
/// namespace and name, so that listings are stable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectId {
    /// The cluster it lives in.
    pub cluster: Cluster,
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// `<group>/<kind>/<namespace>/<name>`, the form used in the owner annotation.
    pub fn to_annotation(&self) -> String {
        format!("{}/{}/{}/{}", self.group, self.kind, self.namespace, self.name)
    }
}

/// As people write it: `Deployment shop/web`, `Certificate.cert-manager.io shop/tls`.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.group.is_empty() && self.group.contains('.') {
            write!(f, ".{}", self.group)?;
        }
        f.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}
