//! What a rollout merges into routes and Services is accepted by the API server with the real schemas of Gateway
//! API, Istio and Kubernetes, for every kind of split and from each to the next.

use std::fs;

use serde::Deserialize as _;
use serde_json::{Value, json};
use windlass_core::api::{CookieMatch, HeaderMatch, TrafficMatch};
use windlass_core::object::Object;
use windlass_core::rollout::route::{Backends, Pods, RouterKind, Split, merge, pin, pinned};
use windlass_core::yaml;

use crate::harness::gateway::{apply_crd, install_routes, module};
use crate::harness::{Ran, Scene, manifests, until};
use crate::tests;

tests![merged_routes_are_accepted, the_bounds_are_those_of_the_api, services_of_one_release_are_accepted];

/// The Go module that has the CRDs of Istio, and the digest that the checksum database has of it.
const ISTIO: (&str, &str) = ("istio.io/api@v1.29.0", "h1:E4rokccO3xqtxWd2zmLjlq+sKuWakrzmskhaFNFqCbs=");

const HTTP_ROUTE: &str = include_str!("../../crates/core/src/rollout/route/tests/routes/httproute.yaml");
const GRPC_ROUTE: &str = include_str!("../../crates/core/src/rollout/route/tests/routes/grpcroute.yaml");
const INGRESS: &str = include_str!("../../crates/core/src/rollout/route/tests/routes/ingress.yaml");
const VIRTUAL_SERVICE: &str =
    include_str!("../../crates/core/src/rollout/route/tests/routes/virtualservice.yaml");
const SERVICE: &str = include_str!("../../crates/core/src/rollout/route/tests/routes/service.yaml");

/// The other backend in the first rule of the routes above.
const LEGACY: [&str; 2] = [
    "    - {name: legacy, port: 8080, weight: 20}\n",
    "    - destination: {host: legacy}\n      weight: 20\n      headers: {response: {set: {x-served-by: legacy}}}\n",
];

/// Makes the API server serve HTTPRoutes, GRPCRoutes and VirtualServices.
fn install(scene: &Scene) {
    install_routes(scene);
    let all =
        fs::read_to_string(module(ISTIO).join("kubernetes/customresourcedefinitions.gen.yaml")).unwrap();
    let crd = serde_yaml::Deserializer::from_str(&all)
        .map(|document| Value::deserialize(document).unwrap())
        .find(|crd| crd["metadata"]["name"] == "virtualservices.networking.istio.io");
    let file = scene.directory().join("virtualservices.json");
    fs::write(&file, crd.unwrap().to_string()).unwrap();
    apply_crd(scene, &file);
}

/// A manifest for this test's namespace.
fn object(scene: &Scene, text: &str) -> Object {
    let text = text
        .replace("namespace: shop", &format!("namespace: {}", scene.namespace))
        .replace("web.shop.", &format!("web.{}.", scene.namespace));
    let mut documents = yaml::load("route.yaml", text.as_bytes()).unwrap();
    Object::new(documents.remove(0).value).unwrap()
}

/// Applies as Windlass does: by server-side apply, with unknown and repeated fields refused.
fn apply(scene: &Scene, object: &Object) -> Ran {
    let file = scene.directory().join("object.json");
    fs::write(&file, object.body().to_string()).unwrap();
    scene.try_kubectl(&[
        "apply",
        "--server-side",
        "--validate=strict",
        "--field-manager=windlass",
        "--filename",
        file.to_str().unwrap(),
    ])
}

/// Whether `live` has all of `wanted`, and lists have nothing more.
fn has(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| live.get(key).is_some_and(|live| has(live, wanted)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| has(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

fn backends(scene: &Scene) -> Backends<'_> {
    Backends { namespace: &scene.namespace, service: "web", stable: "web-stable", candidate: "web-candidate" }
}

fn header(value: &str) -> TrafficMatch {
    TrafficMatch { header: Some(HeaderMatch { name: "x-beta".into(), value: value.into() }), cookie: None }
}

fn merged_routes_are_accepted() {
    let scene = Scene::waiting(&[]);
    install(&scene);
    let cookie = TrafficMatch {
        header: None,
        cookie: Some(CookieMatch { name: "beta".into(), value: "always".into() }),
    };
    let splits = [
        Split::Stable,
        Split::Mirror(10),
        Split::Weight(1),
        Split::Weight(50),
        Split::Match(vec![header("1"), cookie]),
        Split::Weight(100),
        Split::Stable,
    ];
    let mut applied = 0;
    for (router, text) in [
        (RouterKind::HttpRoute, HTTP_ROUTE),
        (RouterKind::GrpcRoute, GRPC_ROUTE),
        (RouterKind::Ingress, INGRESS),
        (RouterKind::VirtualService, VIRTUAL_SERVICE),
    ] {
        let git = object(&scene, text);
        // Only a rule without other backends can be mirrored.
        let alone =
            object(&scene, &LEGACY.iter().fold(text.to_owned(), |text, legacy| text.replace(legacy, "")));
        let resource = format!("{}.{}", router.group_kind().1, router.group_kind().0);
        until("the kind is served", || {
            let known = scene.try_kubectl(&["get", &resource]);
            if known.code == 0 { Ok(()) } else { Err(known.stderr) }
        });
        for split in &splits {
            let git = if let Split::Mirror(_) = split { &alone } else { &git };
            let merged = match merge(router, git, &backends(&scene), split) {
                Ok(merged) => merged,
                Err(error) => {
                    assert!((router, split) == (RouterKind::Ingress, &Split::Mirror(10)), "{error}");
                    continue;
                }
            };
            for object in merged {
                let ran = apply(&scene, &object);
                assert_eq!(ran.code, 0, "{router:?} {split:?}: {}", ran.stderr);
                let live = scene.get(&resource, object.name()).unwrap();
                assert!(
                    has(&live["spec"], &object.body()["spec"]),
                    "{split:?}: {live:#} for {:#}",
                    object.body()
                );
                applied += 1;
            }
        }
        let ran = apply(&scene, &git);
        assert_eq!(ran.code, 0, "at rest the route is Git's: {}", ran.stderr);
    }
    // Each split of each of them but one mirror, and a canary beside the Ingress for four of them.
    assert_eq!(applied, 4 * 7 - 1 + 4);
}

/// An HTTPRoute with so many rules of so many matches each.
fn many(scene: &Scene, rules: usize, matches: usize) -> Object {
    let rule = |rule: usize| {
        let path = |i| json!({"path": {"type": "Exact", "value": format!("/{rule}/{i}")}});
        json!({
            "matches": (0..matches).map(path).collect::<Vec<_>>(),
            "backendRefs": [{"name": "web", "port": 80}],
        })
    };
    Object::new(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "many", "namespace": scene.namespace},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": (0..rules).map(rule).collect::<Vec<_>>()},
    }))
    .unwrap()
}

fn the_bounds_are_those_of_the_api() {
    let scene = Scene::waiting(&[]);
    install(&scene);
    let split = Split::Match(vec![header("1")]);
    for (rules, matches) in [(8, 8), (1, 64), (2, 32)] {
        let git = many(&scene, rules, matches);
        let merged = merge(RouterKind::HttpRoute, &git, &backends(&scene), &split).unwrap();
        let ran = apply(&scene, &merged[0]);
        assert_eq!(ran.code, 0, "{rules} rules of {matches} matches: {}", ran.stderr);
    }
    for (rules, matches, refusal) in
        [(17, 1, "must have at most 16 items"), (1, 65, "at most 64"), (3, 43, "less than 128")]
    {
        let ran = apply(&scene, &many(&scene, rules, matches));
        assert!(ran.code != 0 && ran.stderr.contains(refusal), "{rules}, {matches}: {}", ran.stderr);
    }
    let mut heavy = many(&scene, 1, 1).into_body();
    heavy["spec"]["rules"][0]["backendRefs"][0]["weight"] = json!(1_000_001);
    let ran = apply(&scene, &Object::new(heavy).unwrap());
    assert!(ran.code != 0 && ran.stderr.contains("less than or equal to 1000000"), "{}", ran.stderr);
}

fn services_of_one_release_are_accepted() {
    let scene = Scene::waiting(&[]);
    let beside = pinned(&object(&scene, SERVICE), "web-stable", Pods::ReplicaSet("5d8c")).unwrap();
    let ran = apply(&scene, &beside);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let live = scene.get("service", "web-stable").unwrap();
    assert!(has(&live["spec"], &beside.body()["spec"]), "{live:#}");

    let git = object(&scene, &manifests::service("web"));
    let selector = |object: &Object| {
        let ran = apply(&scene, object);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        scene.get("service", "web").unwrap()["spec"]["selector"].clone()
    };
    assert_eq!(selector(&git), json!({"app": "web"}));
    let stable = pin(&git, Pods::ReplicaSet("5d8c")).unwrap();
    assert_eq!(selector(&stable), json!({"app": "web", "pod-template-hash": "5d8c"}));
    let candidate = pin(&git, Pods::ReplicaSet("77f")).unwrap();
    assert_eq!(selector(&candidate), json!({"app": "web", "pod-template-hash": "77f"}));
    assert_eq!(selector(&git), json!({"app": "web"}));

    // A headless Service gets an address of its own.
    let headless = manifests::service("web").replace("spec: {", "spec: {clusterIP: None, ");
    let beside = pinned(&object(&scene, &headless), "web-candidate", Pods::Revision("web-1")).unwrap();
    let ran = apply(&scene, &beside);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let live = scene.get("service", "web-candidate").unwrap();
    assert_ne!(live["spec"]["clusterIP"], "None");
}
