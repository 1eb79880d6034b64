use crate::object::Gvk;

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// Beside all namespaces.
    Cluster,
}

/// The kinds that an API server serves.
pub trait Kinds {
    /// The scope of a kind, `None` where it is not served in that version.
    fn scope(&self, gvk: &Gvk) -> Option<Scope>;

    /// The versions in which a kind is served, best first; for error messages.
    fn versions(&self, group: &str, kind: &str) -> Vec<String>;
}

/// For offline commands: the kinds that Kubernetes itself serves beside all namespaces; every other kind
/// is taken for namespaced.
pub struct BuiltinKinds;

const CLUSTER_SCOPED: &[(&str, &[&str])] = &[
    ("", &["Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("gateway.networking.k8s.io", &["GatewayClass"]),
    ("networking.k8s.io", &["IngressClass", "IPAddress", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    (
        "storage.k8s.io",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"],
    ),
];

impl Kinds for BuiltinKinds {
    fn scope(&self, gvk: &Gvk) -> Option<Scope> {
        let cluster = CLUSTER_SCOPED
            .iter()
            .any(|(group, kinds)| *group == gvk.group && kinds.contains(&gvk.kind.as_str()));
        Some(if cluster { Scope::Cluster } else { Scope::Namespaced })
    }

    fn versions(&self, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }
}
