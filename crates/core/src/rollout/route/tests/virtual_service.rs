use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const ISTIO: RouterKind = RouterKind::VirtualService;
const VIRTUAL_SERVICE: &str = include_str!("routes/virtualservice.yaml");

#[rstest]
#[case("stable", Split::Stable)]
#[case("weight", Split::Weight(5))]
#[case("match", Split::Match(vec![header("X-Beta", "1"), cookie("beta", "yes")]))]
fn virtual_service(#[case] name: &str, #[case] split: Split) {
    let merged = merged(ISTIO, &object(VIRTUAL_SERVICE), &split);
    insta::assert_snapshot!(format!("virtual_service_{name}"), shown(&merged));
}

/// A VirtualService with these HTTP rules.
fn route(http: Value) -> Object {
    Object::new(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"http": http},
    }))
    .unwrap()
}

fn to(host: &str) -> Value {
    json!({"destination": {"host": host}})
}

/// The first HTTP rule of the route with `split` merged in.
fn first(http: Value, split: &Split) -> Value {
    merged(ISTIO, &route(http), split)[0].body()["spec"]["http"][0].clone()
}

#[rstest]
#[case("web", Some("web-stable"))]
#[case("web.shop", Some("web-stable.shop"))]
#[case("web.shop.svc", Some("web-stable.shop.svc"))]
#[case("web.shop.svc.cluster.local", Some("web-stable.shop.svc.cluster.local"))]
#[case("web.shop.svc.example.org", Some("web-stable.shop.svc.example.org"))]
#[case("web.other.svc.cluster.local", None)]
#[case("web.shop.example.org", None)]
#[case("webs", None)]
#[case("", None)]
fn hosts_keep_their_form(#[case] host: &str, #[case] stable: Option<&str>) {
    match (merge(ISTIO, &route(json!([{"route": [to(host)]}])), &BACKENDS, &Split::Stable), stable) {
        (Ok(merged), Some(stable)) => assert_eq!(merged[0].body()["spec"]["http"][0]["route"][0], to(stable)),
        (Err(error), None) => assert_eq!(error.problem, Problem::NotNamed("web".into())),
        (result, _) => panic!("{result:?}"),
    }
}

#[test]
fn weights_keep_their_sum_where_they_divide() {
    let weights = |rule: Value| -> Vec<u64> {
        rule["route"].as_array().unwrap().iter().map(|route| route["weight"].as_u64().unwrap()).collect()
    };
    let two = |ours: u32, other: u32| {
        json!([{"route": [
            {"destination": {"host": "web"}, "weight": ours}, {"destination": {"host": "b"}, "weight": other},
        ]}])
    };
    assert_eq!(weights(first(json!([{"route": [to("web")]}]), &Split::Weight(7))), [93, 7]);
    assert_eq!(weights(first(two(80, 20), &Split::Weight(5))), [76, 4, 20]);
    assert_eq!(weights(first(two(33, 67), &Split::Weight(5))), [3135, 165, 6700]);
}

#[test]
fn a_mirror_is_added_to_those_that_are_there() {
    let own = json!({"destination": {"host": "web.shop"}, "percentage": {"value": 1}});
    let rule =
        json!([{"route": [{"destination": {"host": "web", "port": {"number": 80}}}], "mirrors": [own]}]);
    assert_eq!(
        first(rule, &Split::Mirror(10)),
        json!({
            "route": [{"destination": {"host": "web-stable", "port": {"number": 80}}}],
            "mirrors": [
                {"destination": {"host": "web-stable.shop"}, "percentage": {"value": 1}},
                {"destination": {"host": "web-candidate", "port": {"number": 80}}, "percentage": {"value": 10}},
            ],
        })
    );
}

#[rstest]
#[case(Split::Mirror(1), json!([{"route": [to("web")], "mirror": {"host": "shadow"}}]), "has a mirror of its own")]
#[case(Split::Mirror(1), json!([{"route": [{"destination": {"host": "web"}, "weight": 1}, {"destination": {"host": "b"}, "weight": 1}]}]),
    "spec.http[0].route has other backends too")]
#[case(Split::Match(vec![header("X-A", "1")]), json!([{"match": [{"headers": {"x-a": {"exact": "2"}}}], "route": [to("web")]}]),
    "spec.http[0].match[0] matches header x-a already")]
#[case(Split::Weight(1), json!([{"route": ["web"]}]), "spec.http[0].route must be made of mappings")]
#[case(Split::Weight(1), json!([{"redirect": {"uri": "/"}}]), "no rule sends requests to Service web")]
fn what_cannot_be_done_is_refused(#[case] split: Split, #[case] http: Value, #[case] reason: &str) {
    let told = problem(ISTIO, &route(http), &split);
    assert!(told.starts_with("VirtualService shop/web: ") && told.contains(reason), "{told}");
}

#[test]
fn connections_are_divided_by_weight_only() {
    let git = Object::new(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"tls": [{"route": [to("web")]}]},
    }))
    .unwrap();
    assert!(shown(&merged(ISTIO, &git, &Split::Weight(30))).contains("weight: 30"));
    assert!(problem(ISTIO, &git, &Split::Mirror(30)).contains("no rule sends requests"));
}

prop_compose! {
    fn a_rule()(routes in prop::collection::vec(
        (prop::sample::select(vec!["web", "web.shop.svc.cluster.local", "other"]), prop::option::of(0u32..1000)), 0..4)
    ) -> Value {
        let routes: Vec<_> = routes.into_iter().map(|(host, weight)| {
            let mut route = to(host);
            route["fromTheFuture"] = json!(true);
            if let Some(weight) = weight { route["weight"] = weight.into() }
            route
        }).collect();
        json!({"route": routes})
    }
}

proptest! {
    #[test]
    fn stable_changes_hosts_and_nothing_else(rules in prop::collection::vec(a_rule(), 0..6)) {
        let git = route(rules.into());
        let Ok(merged) = merge(ISTIO, &git, &BACKENDS, &Split::Stable) else { return Ok(()) };
        let back = merged[0].body().to_string().replace("web-stable", "web");
        prop_assert_eq!(back, git.body().to_string());
    }

    #[test]
    fn the_candidate_gets_its_share_of_what_the_service_gets(rules in prop::collection::vec(a_rule(), 1..6), percent in 1u8..=100) {
        let git = route(rules.into());
        let Ok(merged) = merge(ISTIO, &git, &BACKENDS, &Split::Weight(percent)) else { return Ok(()) };
        prop_assert_eq!(&merged, &merge(ISTIO, &git, &BACKENDS, &Split::Weight(percent)).unwrap());
        for rule in merged[0].body()["spec"]["http"].as_array().unwrap() {
            let sum = |name: &str| -> u64 {
                rule["route"].as_array().unwrap().iter()
                    .filter(|r| r["destination"]["host"].as_str().unwrap().starts_with(name))
                    .map(|r| r["weight"].as_u64().unwrap_or(0)).sum()
            };
            prop_assert_eq!(sum("web-candidate") * 100, (sum("web-stable") + sum("web-candidate")) * u64::from(percent));
        }
    }
}
