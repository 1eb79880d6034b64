//! Kinds of objects: those that the API server fills with defaults, and those that come and go.

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    what_the_server_fills_in_is_no_drift,
    a_definition_and_its_object_in_one_commit,
    a_kind_that_vanishes_comes_back,
    an_application_outlives_its_kinds,
    cluster_scoped_and_ordered_objects,
];

/// Values in forms that the API server stores differently, and fields that others write.
const ZOO: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: "open sesame"}
data: {other: b3RoZXI=}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec:
  type: LoadBalancer
  selector: {app: front}
  ports: [{name: http, port: 80, targetPort: web}, {name: dns, port: 53, protocol: UDP}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  replicas: 1
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers:
      - name: main
        image: store:1
        ports: [{containerPort: 80, name: web}]
        env: [{name: A, value: "1"}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        resources: {requests: {cpu: 1000m, memory: 1024Mi}, limits: {cpu: 2, memory: 2G}}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, annotations: {empty: ""}}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}, annotations: {}}
    spec: {containers: [{name: main, image: agent:1, env: []}], nodeSelector: {}, hostNetwork: false}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  suspend: true
  jobTemplate:
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: job:1}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: job:1}]}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: front}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: store}
  minReplicas: 1
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: store}
spec: {minAvailable: 50%, selector: {matchLabels: {app: store}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: front}
spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front}
spec:
  rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: front, port: {name: http}}}}]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: agent}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ConfigMap
metadata: {name: files, labels: {number: "1"}}
binaryData: {raw: AAEC}
immutable: false
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: "1073741824"}}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits}
spec: {limits: [{type: Container, default: {cpu: 0.5}}]}
"#;

fn what_the_server_fills_in_is_no_drift() {
    let mut scene = Scene::new();
    let commit = scene
        .repository
        .commit(&[("shop/zoo.yaml", Some(ZOO)), ("shop/web.yaml", Some(&deployment("web", 2, "web:1")))]);
    scene.application("shop", json!({}));
    until("all kinds synced", || {
        let status = scene.read("shop").unwrap().status.unwrap_or_default();
        let synced =
            format!("{:?}", status.sync.status) == "Synced" && status.sync.revision.contains(&commit[..7]);
        if synced { Ok(()) } else { Err(format!("{:?}", status.conditions)) }
    });
    assert_eq!(scene.read("shop").unwrap().status.unwrap().resources.total, 17);
    scene.settled();
    let mark = scene.mark();
    pause(5.0);
    assert_eq!(scene.object_writes(mark), [""; 0]);
    assert!(scene.controller.stop().success());
    let mark = scene.mark();
    scene.controller.start_leading();
    pause(4.0);
    assert_eq!(scene.object_writes(mark), [""; 0], "after a restart");
    let plain = scene.get("secret", "keys").unwrap()["data"]["password"].clone();
    assert_eq!(plain, "b3BlbiBzZXNhbWU=");
}

fn definition(group: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gizmos.{group}}}
spec:
  group: {group}
  names: {{kind: Gizmo, plural: gizmos}}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}
"
    )
}

fn gizmo(group: &str) -> String {
    format!("apiVersion: {group}/v1\nkind: Gizmo\nmetadata: {{name: big}}\nspec: {{size: 3}}\n")
}

fn size(scene: &Scene, kind: &str) -> Result<(), String> {
    let ran = scene.try_kubectl(&["get", kind, "big", "--output=jsonpath={.spec.size}"]);
    if ran.code == 0 && ran.stdout == "3" { Ok(()) } else { Err(format!("{}{}", ran.stdout, ran.stderr)) }
}

fn a_definition_and_its_object_in_one_commit() {
    let scene = Scene::new();
    let group = "together.behaviour.example";
    let kind = format!("gizmos.{group}");
    let commit = scene
        .repository
        .commit(&[("shop/a.yaml", Some(&gizmo(group))), ("shop/z.yaml", Some(&definition(group)))]);
    scene.application("shop", json!({}));
    scene.ready_at("definition and object Ready", "shop", &commit);
    size(&scene, &kind).unwrap();
    // The kind is watched from now on, too.
    scene.kubectl(&["patch", &kind, "big", "--type=merge", "--patch", r#"{"spec": {"size": 9}}"#]);
    until("drift of a custom resource healed", || size(&scene, &kind));
    scene.kubectl(&["delete", "wapp", "shop", "--timeout=60s"]);
    until("definition pruned", || {
        scene.get("customresourcedefinition", &kind).map_or(Ok(()), |_| Err("it is there".into()))
    });
}

fn a_kind_that_vanishes_comes_back() {
    let scene = Scene::new();
    let group = "vanishing.behaviour.example";
    let kind = format!("gizmos.{group}");
    scene.repository.commit(&[("shop/a.yaml", Some(&gizmo(group)))]);
    scene.application("shop", json!({}));
    scene.not_ready("unknown kind told", "shop", "UnknownKind");
    scene.kubectl_apply(&definition(group));
    until("applied once the kind is there", || size(&scene, &kind));
    scene.kubectl(&["delete", "customresourcedefinition", &kind]);
    until("its end told", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.status == "False" { Ok(()) } else { Err(ready.message) }
    });
    scene.kubectl_apply(&definition(group));
    until("applied again once the kind is back", || size(&scene, &kind));
    until("Ready again", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.status == "True" { Ok(()) } else { Err(format!("{}: {}", ready.reason, ready.message)) }
    });
    scene.kubectl(&["patch", &kind, "big", "--type=merge", "--patch", r#"{"spec": {"size": 9}}"#]);
    until("drift of the kind that came back healed", || size(&scene, &kind));
}

/// What is of a kind that is gone is gone too, so that neither a prune nor the end of an Application waits for it.
fn an_application_outlives_its_kinds() {
    let scene = Scene::new();
    let group = "ended.behaviour.example";
    let kind = format!("gizmos.{group}");
    scene.kubectl_apply(&definition(group));
    let text = gizmo(group);
    let first = scene.repository.commit(&[
        ("pruned/a.yaml", Some(&text)),
        ("pruned/b.yaml", Some(&config_map("stays", "one"))),
        ("deleted/a.yaml", Some(&text.replace("big", "other"))),
    ]);
    for name in ["pruned", "deleted"] {
        // Healing would notice that the kind is gone before anybody prunes.
        scene.application(name, json!({"sync": {"selfHeal": false}}));
        scene.ready_at("Ready", name, &first);
    }
    scene.kubectl(&["delete", "customresourcedefinition", &kind]);
    scene.kubectl(&["delete", "wapp", "deleted", "--wait=false"]);
    until("deleted though a kind is gone", || match scene.read("deleted") {
        None => Ok(()),
        Some(app) => Err(format!("{:?}", app.status.map(|status| status.conditions))),
    });
    let second = scene.repository.commit(&[("pruned/a.yaml", None)]);
    scene.refresh("pruned");
    scene.ready_at("pruned though a kind is gone", "pruned", &second);
}

fn cluster_scoped_and_ordered_objects() {
    let scene = Scene::new();
    let other = format!("{}-made", scene.namespace);
    let manifests = format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: {other}}}
data: {{key: one}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {other}}}
rules: [{{apiGroups: [''], resources: [pods], verbs: [get]}}]
---
apiVersion: v1
kind: Namespace
metadata: {{name: {other}}}
"
    );
    let commit = scene.repository.commit(&[("shop/all.yaml", Some(&manifests))]);
    scene.application("shop", json!({}));
    scene.ready_at("namespace first, then what is in it", "shop", &commit);
    assert!(scene.get("clusterrole", &other).is_some());
    let live = scene.kubectl(&["get", "configmap", "settings", "--namespace", &other, "--output=name"]);
    assert_eq!(live.trim(), "configmap/settings");
}
