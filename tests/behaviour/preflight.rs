//! An update is asked of the API server as a whole before any of it is written.

use serde_json::json;

use crate::harness::manifests::{config_map, deployment, service};
use crate::harness::{Mark, Scene, pause, until};
use crate::tests;

tests![
    nothing_of_an_update_is_written_when_one_object_is_refused,
    a_definition_and_its_resource_come_in_one_commit,
    a_namespace_and_its_content_come_in_one_commit,
    a_policy_refuses_one_object,
    a_quota_that_is_raised_lets_it_through,
    a_webhook_that_is_down_is_waited_for,
    a_first_install_tells_all_errors_of_its_pass,
];

/// A scene whose Application `shop` serves two ConfigMaps, `settings` and `other`.
fn shop() -> (Scene, String) {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/other.yaml", Some(&config_map("other", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("first commit Ready", "shop", &first);
    scene.settled();
    (scene, first)
}

/// What was written of objects and releases since a mark.
fn written(scene: &Scene, since: Mark) -> Vec<String> {
    let writes = scene.writes_but_lease(since).into_iter();
    writes.filter(|write| !write.contains(" events") && !write.contains("applications/status")).collect()
}

fn live(scene: &Scene, name: &str) -> String {
    scene.get("configmap", name).map_or("gone".into(), |live| live["data"]["key"].as_str().unwrap().into())
}

fn nothing_of_an_update_is_written_when_one_object_is_refused() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/old.yaml", Some(&config_map("old", "one"))),
        ("shop/web.yaml", Some(&deployment("web", 1, "web:1"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("first commit Ready", "shop", &first);
    scene.settled();
    let before = scene.read("shop").unwrap().status.unwrap();
    let mark = scene.mark();
    let selector = deployment("web", 2, "web:2").replace("matchLabels: {app: web}", "matchLabels: {app: x}");
    let port = service("front").replace("port: 80", "port: 80000");
    scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
        ("shop/new.yaml", Some(&config_map("new", "two"))),
        ("shop/old.yaml", None),
        ("shop/web.yaml", Some(&selector)),
        ("shop/front.yaml", Some(&port)),
    ]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("refused update told", "shop", "PreflightFailed");
    println!("preflight: {message}");
    for word in ["2 of 4 objects", "shop/web.yaml:1", "selector", "shop/front.yaml:1", "80000", &first[..7]] {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert_eq!(written(&scene, mark), ["patch applications shop"; 0]);
    let after = scene.read("shop").unwrap().status.unwrap();
    assert_eq!(
        (&after.stable, &after.next, after.history.len()),
        (&before.stable, &None, before.history.len())
    );
    let asked = scene.dry_runs(mark);
    assert_eq!(asked.len(), 4, "each object once: {asked:?}");

    let mark = scene.mark();
    scene.kubectl(&["delete", "configmap", "settings", "old"]);
    for name in ["settings", "old"] {
        until("the release before is healed", || match live(&scene, name) {
            value if value == "one" => Ok(()),
            other => Err(format!("{name} is {other}")),
        });
    }
    scene.settled();
    assert_eq!(scene.dry_runs(mark), [""; 0], "events are no reason to ask again");
    scene.not_ready("still refused", "shop", "PreflightFailed");

    let third = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:2"))),
        ("shop/front.yaml", Some(&service("front"))),
    ]);
    scene.refresh("shop");
    scene.ready_at("mended", "shop", &third);
    assert_eq!([live(&scene, "settings"), live(&scene, "new"), live(&scene, "old")], ["two", "two", "gone"]);
}

fn a_definition_and_its_resource_come_in_one_commit() {
    let (scene, _) = shop();
    let group = format!("{}.example.com", scene.namespace);
    let definition = |field: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gadgets.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Gadget, plural: gadgets, singular: gadget}}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {{spec: {{type: object, properties: {{{field}: {{type: string}}}}}}}}
"
        )
    };
    let gadget = |field: &str| {
        format!("apiVersion: {group}/v1\nkind: Gadget\nmetadata: {{name: big}}\nspec: {{{field}: red}}\n")
    };
    let both = scene.repository.commit(&[
        ("shop/definition.yaml", Some(&definition("colour"))),
        ("shop/gadget.yaml", Some(&gadget("colour"))),
    ]);
    scene.refresh("shop");
    scene.ready_at("definition and resource in one commit", "shop", &both);
    let kind = format!("gadgets.{group}");
    assert_eq!(scene.get(&kind, "big").unwrap()["spec"]["colour"], "red");

    let mark = scene.mark();
    scene.repository.commit(&[("shop/gadget.yaml", Some(&gadget("paint")))]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("a field that is not defined refused", "shop", "PreflightFailed");
    assert!(message.contains("shop/gadget.yaml:1") && message.contains(".spec.paint"), "{message}");
    assert_eq!(written(&scene, mark), [""; 0]);
    let changed = scene.repository.commit(&[("shop/definition.yaml", Some(&definition("paint")))]);
    scene.refresh("shop");
    scene.ready_at("a definition changed with its resource", "shop", &changed);
    assert_eq!(scene.get(&kind, "big").unwrap()["spec"]["paint"], "red");
}

fn a_namespace_and_its_content_come_in_one_commit() {
    let (scene, _) = shop();
    let made = format!("{}-made", scene.namespace);
    let inside = config_map("inside", "one")
        .replace("{name: inside}", &format!("{{name: inside, namespace: {made}}}"));
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {made}}}\n");
    let both = scene
        .repository
        .commit(&[("shop/inside.yaml", Some(&inside)), ("shop/namespace.yaml", Some(&namespace))]);
    scene.refresh("shop");
    scene.ready_at("namespace and content in one commit", "shop", &both);
    let found = scene.kubectl(&["get", "configmap", "inside", "--namespace", &made, "--output=name"]);
    assert_eq!(found.trim(), "configmap/inside");

    let nowhere = inside.replace("inside", "lost").replace(&made, &format!("{made}-not"));
    let mark = scene.mark();
    scene.repository.commit(&[("shop/nowhere.yaml", Some(&nowhere))]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("a namespace that nobody makes", "shop", "PreflightFailed");
    assert!(message.contains("shop/nowhere.yaml:1") && message.contains("createNamespace"), "{message}");
    assert_eq!(written(&scene, mark), [""; 0]);
    // The cause may pass by itself, so it is asked about again.
    scene.kubectl(&["create", "namespace", &format!("{made}-not")]);
    until("applied when the namespace is there", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.status == "True" { Ok(()) } else { Err(ready.message) }
    });
}

fn a_policy_refuses_one_object() {
    let (scene, first) = shop();
    let name = format!("{}-no-evil", scene.namespace);
    scene.kubectl_apply(&format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {{apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}
  validations: [{{expression: \"!has(object.data) || !('key' in object.data) || object.data.key != 'evil'\", message: no evil here}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec:
  policyName: {name}
  validationActions: [Deny]
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}}}
",
        scene.namespace
    ));
    until("policy in force", || {
        let tried =
            scene.try_kubectl(&["create", "configmap", "x", "--from-literal=key=evil", "--dry-run=server"]);
        if tried.stderr.contains("no evil here") { Ok(()) } else { Err(tried.stdout) }
    });
    let mark = scene.mark();
    scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
        ("shop/other.yaml", Some(&config_map("other", "evil"))),
    ]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("what the policy refuses told", "shop", "PreflightFailed");
    println!("preflight: {message}");
    for word in ["1 of 2 objects", "shop/other.yaml:1", "no evil here", &name, &first[..7]] {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert_eq!(written(&scene, mark), [""; 0]);
    scene.kubectl(&["delete", "validatingadmissionpolicybinding", &name]);
    until("policy out of force", || {
        let tried =
            scene.try_kubectl(&["create", "configmap", "x", "--from-literal=key=evil", "--dry-run=server"]);
        if tried.code == 0 { Ok(()) } else { Err(tried.stderr) }
    });
    scene.windlass(&["sync", "shop"]).ok();
    assert_eq!([live(&scene, "settings"), live(&scene, "other")], ["two", "evil"]);
}

fn a_quota_that_is_raised_lets_it_through() {
    let (scene, _) = shop();
    let quota = |most: usize| {
        scene.kubectl_apply(&format!(
            "apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: few}}\nspec: {{hard: {{count/configmaps: \"{most}\"}}}}\n"
        ));
        until("quota counted", || {
            let live = scene.get("resourcequota", "few").ok_or("it is not there")?;
            let status = &live["status"];
            if status["hard"] == live["spec"]["hard"] && status["used"]["count/configmaps"].is_string() {
                return Ok(());
            }
            Err(status.to_string())
        });
    };
    let there = scene.kubectl(&["get", "configmaps", "--output=name"]).lines().count();
    quota(there);
    let mark = scene.mark();
    let second = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
        ("shop/more.yaml", Some(&config_map("more", "two"))),
    ]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("an exceeded quota told", "shop", "PreflightFailed");
    assert!(message.contains("shop/more.yaml:1") && message.contains("exceeded quota: few"), "{message}");
    assert_eq!(written(&scene, mark), [""; 0]);
    quota(there + 1);
    scene.ready_at("applied by itself after the quota was raised", "shop", &second);
    assert_eq!([live(&scene, "settings"), live(&scene, "more")], ["two", "two"]);
}

fn a_webhook_that_is_down_is_waited_for() {
    let (scene, _) = shop();
    let name = format!("{}-down", scene.namespace);
    scene.kubectl_apply(&format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: {name}}}
webhooks:
- name: {name}.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  clientConfig: {{url: \"https://127.0.0.1:1/\"}}
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}
  objectSelector: {{matchExpressions: [{{key: windlass.dev/application, operator: Exists}}]}}
  rules: [{{apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}]
",
        scene.namespace
    ));
    // The API server takes a moment to know a webhook, and nobody else writes objects with our label.
    pause(2.0);
    let mark = scene.mark();
    let second = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
        ("shop/web.yaml", Some(&deployment("web", 1, "web:1"))),
    ]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("a webhook that is down told", "shop", "PreflightFailed");
    println!("preflight: {message}");
    assert!(message.contains("1 of 2 objects") && message.contains("failed calling webhook"), "{message}");
    assert_eq!(scene.condition("shop", "Stalled").unwrap().status, "False", "it may pass by itself");
    until("asked again", || {
        let asked = scene.dry_runs(mark).len();
        if asked > 2 { Ok(()) } else { Err(format!("asked {asked} times")) }
    });
    assert_eq!(written(&scene, mark), [""; 0]);
    scene.kubectl(&["delete", "validatingwebhookconfiguration", &name]);
    scene.ready_at("applied by itself without the webhook", "shop", &second);
}

fn a_first_install_tells_all_errors_of_its_pass() {
    let scene = Scene::new();
    let port = service("front").replace("port: 80", "port: 80000");
    let field = deployment("web", 1, "web:1").replace("replicas:", "replicaz:");
    scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/front.yaml", Some(&port)),
        ("shop/web.yaml", Some(&field)),
    ]);
    let mark = scene.mark();
    scene.application("shop", json!({}));
    let message = scene.not_ready("errors of a first install told", "shop", "InvalidObject");
    println!("preflight: {message}");
    for word in ["shop/front.yaml:1", "80000", "shop/web.yaml:1", ".spec.replicaz"] {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert_eq!(live(&scene, "settings"), "one");
    assert_eq!(scene.dry_runs(mark), [""; 0]);
}
