/// How many tiers there are.
pub const TIERS: usize = 8;

/// The tier of CustomResourceDefinitions: before the next one, they must be Established.
pub const CRD_TIER: usize = 1;

/// The place of a kind in the order of applying, from 0; pruning goes the other way. Objects of one tier
/// are applied side by side. What others refer to comes first, what lets traffic in comes late, and what
/// can block every other request (webhooks, aggregated APIs) comes last.
pub fn tier(group: &str, kind: &str) -> usize {
    match (group, kind) {
        ("", "Namespace") => 0,
        ("apiextensions.k8s.io", _) => CRD_TIER,
        (
            "",
            "ServiceAccount"
            | "Secret"
            | "ConfigMap"
            | "ResourceQuota"
            | "LimitRange"
            | "PersistentVolume"
            | "PersistentVolumeClaim",
        )
        | ("rbac.authorization.k8s.io" | "scheduling.k8s.io" | "storage.k8s.io" | "node.k8s.io", _)
        | ("networking.k8s.io", "NetworkPolicy" | "IngressClass")
        | ("gateway.networking.k8s.io", "GatewayClass") => 2,
        ("", "Service") => 3,
        ("apps" | "batch", _) | ("", "Pod" | "ReplicationController") => 4,
        ("autoscaling" | "policy", _) => 5,
        ("networking.k8s.io" | "gateway.networking.k8s.io", _) => 6,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => 7,
        _ => 5,
    }
}
