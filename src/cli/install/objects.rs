use serde_json::{Value, json};

use super::Install;
use crate::cli::crds;

/// Ports are the same in every install, so that documentation can name them.
const WEB_PORT: u16 = 8080;
const OPERATIONS_PORT: u16 = 9090;
const CACHE: &str = "/var/cache/windlass";

/// The objects of an install, in the order in which they can be created.
///
/// # Errors
/// Where a CustomResourceDefinition cannot be written as JSON.
pub fn objects(install: &Install) -> anyhow::Result<Vec<Value>> {
    let mut objects = Vec::new();
    if install.crds {
        for crd in crds::all() {
            objects.push(serde_json::to_value(crd)?);
        }
    }
    objects.push(namespace(install));
    objects.push(service_account(install));
    objects.extend(cluster_rights(install));
    objects.extend(own_rights(install));
    objects.push(deployment(install));
    Ok(objects)
}

fn labels(install: &Install) -> Value {
    json!({
        "app.kubernetes.io/name": "windlass",
        "app.kubernetes.io/instance": install.instance,
        "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
        "app.kubernetes.io/part-of": "windlass",
    })
}

fn metadata(install: &Install) -> Value {
    json!({"name": install.instance, "namespace": install.namespace, "labels": labels(install)})
}

/// Roles and bindings are cluster-wide, so their name tells installs of several namespaces apart.
fn cluster_metadata(install: &Install) -> Value {
    json!({"name": cluster_name(install), "labels": labels(install)})
}

fn cluster_name(install: &Install) -> String {
    format!("{}-{}", install.namespace, install.instance)
}

fn namespace(install: &Install) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": install.namespace,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    })
}

fn service_account(install: &Install) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(install)})
}

/// A GitOps controller applies whatever its sources say, roles included, and Kubernetes lets nobody grant
/// rights that he lacks; so until Projects narrow this down it is what cluster-admin is.
fn cluster_rights(install: &Install) -> [Value; 2] {
    [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": cluster_metadata(install),
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": cluster_metadata(install),
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": cluster_name(install),
            },
            "subjects": [subject(install)],
        }),
    ]
}

/// What Windlass needs for itself, kept apart so that narrowing the other rights cannot break it.
fn own_rights(install: &Install) -> [Value; 2] {
    [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": metadata(install),
            "rules": [
                {
                    "apiGroups": [""], "resources": ["secrets"],
                    "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
                },
                {
                    "apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
                    "verbs": ["get", "create", "update", "patch"],
                },
            ],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": metadata(install),
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": install.instance,
            },
            "subjects": [subject(install)],
        }),
    ]
}

fn subject(install: &Install) -> Value {
    json!({"kind": "ServiceAccount", "name": install.instance, "namespace": install.namespace})
}

fn deployment(install: &Install) -> Value {
    let selector = json!({
        "app.kubernetes.io/name": "windlass", "app.kubernetes.io/instance": install.instance,
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": metadata(install),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels(install)},
                "spec": {
                    "serviceAccountName": install.instance,
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container(install)],
                    "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "4Gi"}}],
                },
            },
        },
    })
}

fn container(install: &Install) -> Value {
    let mut args = vec![
        "controller".to_owned(),
        format!("--instance={}", install.instance),
        format!("--cache-dir={CACHE}"),
        // Loopback, reached by `kubectl port-forward`: the status page has no sign-in yet.
        format!("--web-address=127.0.0.1:{WEB_PORT}"),
        format!("--operations-address=0.0.0.0:{OPERATIONS_PORT}"),
        "--log-format=json".to_owned(),
    ];
    args.extend(install.watch_namespaces.iter().map(|namespace| format!("--watch-namespace={namespace}")));
    let probe = |path: &str, period: u8| {
        json!({
            "httpGet": {"path": path, "port": "operations"},
            "periodSeconds": period, "timeoutSeconds": 5,
        })
    };
    json!({
        "name": "controller",
        "image": install.image,
        "args": args,
        "env": [{"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "ports": [{"name": "operations", "containerPort": OPERATIONS_PORT}],
        "livenessProbe": probe("/healthz", 20),
        "readinessProbe": probe("/readyz", 5),
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "cache", "mountPath": CACHE}],
    })
}
