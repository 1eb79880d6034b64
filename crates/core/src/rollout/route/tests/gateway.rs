use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const HTTP: RouterKind = RouterKind::HttpRoute;
const GRPC: RouterKind = RouterKind::GrpcRoute;

#[rstest]
#[case("stable", Split::Stable)]
#[case("weight", Split::Weight(5))]
#[case("all", Split::Weight(100))]
#[case("match", Split::Match(vec![header("x-beta", "1"), cookie("beta", "a.b")]))]
fn http_route(#[case] name: &str, #[case] split: Split) {
    insta::assert_snapshot!(format!("http_route_{name}"), shown(&merged(HTTP, &object(HTTP_ROUTE), &split)));
}

#[rstest]
#[case("weight", Split::Weight(25))]
#[case("match", Split::Match(vec![header("x-beta", "1")]))]
#[case("mirror", Split::Mirror(10))]
fn grpc_route(#[case] name: &str, #[case] split: Split) {
    insta::assert_snapshot!(format!("grpc_route_{name}"), shown(&merged(GRPC, &object(GRPC_ROUTE), &split)));
}

fn rules(route: &Object) -> &Vec<Value> {
    route.body()["spec"]["rules"].as_array().unwrap()
}

/// An HTTPRoute with these rules.
fn route(rules: Value) -> Object {
    Object::new(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"rules": rules},
    }))
    .unwrap()
}

#[test]
fn no_weight_and_no_mirror_are_the_same_as_stable() {
    let git = object(HTTP_ROUTE);
    let stable = merged(HTTP, &git, &Split::Stable);
    assert_eq!(merged(HTTP, &git, &Split::Weight(0)), stable);
    assert_eq!(merged(HTTP, &git, &Split::Mirror(0)), stable);
    assert!(!shown(&stable).contains("candidate"), "a weight of 0 would keep sessions with the candidate");
}

#[test]
fn a_mirror_copies_requests_and_stable_answers() {
    let git =
        route(json!([{"filters": [{"type": "URLRewrite"}], "backendRefs": [{"name": "web", "port": 80}]}]));
    let merged = merged(HTTP, &git, &Split::Mirror(10));
    assert_eq!(
        rules(&merged[0])[0],
        json!({
            "filters": [
                {"type": "URLRewrite"},
                {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "web-candidate", "port": 80}, "percent": 10}},
            ],
            "backendRefs": [{"name": "web-stable", "port": 80}],
        })
    );
}

#[test]
fn what_the_user_mirrors_to_the_service_goes_to_stable() {
    let filter = |name: &str| json!({"type": "RequestMirror", "requestMirror": {"backendRef": {"name": name, "port": 80}}});
    let git = route(json!([
        {"filters": [filter("web")], "backendRefs": [{"name": "other", "filters": [filter("web")]}]},
        {"backendRefs": [{"name": "web", "port": 80}]},
    ]));
    let merged = merged(HTTP, &git, &Split::Weight(10));
    assert_eq!(
        rules(&merged[0])[0],
        json!({"filters": [filter("web-stable")], "backendRefs": [{"name": "other", "filters": [filter("web-stable")]}]})
    );
}

#[test]
fn another_service_of_the_same_name_is_left_alone() {
    let foreign = json!([
        {"name": "web", "namespace": "other", "port": 80},
        {"name": "web", "group": "multicluster.x-k8s.io", "kind": "ServiceImport", "port": 80},
    ]);
    let git = route(json!([{"backendRefs": foreign}, {"backendRefs": [{"name": "web", "port": 80}]}]));
    assert_eq!(rules(&merged(HTTP, &git, &Split::Weight(50))[0])[0]["backendRefs"], foreign);
}

#[test]
fn sessions_are_kept_and_the_copy_of_a_rule_has_its_own() {
    let session = json!({"sessionName": "s", "type": "Cookie"});
    let git = route(
        json!([{"name": "a", "backendRefs": [{"name": "web", "port": 80}], "sessionPersistence": session}]),
    );
    assert_eq!(rules(&merged(HTTP, &git, &Split::Weight(50))[0])[0]["sessionPersistence"], session);
    let matched = merged(HTTP, &git, &Split::Match(vec![header("a", "b")]));
    assert_eq!(rules(&matched[0])[0]["sessionPersistence"], session);
    assert_eq!(rules(&matched[0])[1]["sessionPersistence"]["sessionName"], "s-candidate");
    assert_eq!(rules(&matched[0])[1]["name"], "a-candidate");
}

fn weight(percent: u8) -> Split {
    Split::Weight(percent)
}

fn beta() -> Split {
    Split::Match(vec![header("x-beta", "1")])
}

#[rstest]
#[case::unnamed(weight(1), json!([{"backendRefs": [{"name": "other"}]}]),
    "no rule sends requests to Service web: traffic.service and the route must name the same Service")]
#[case::no_rules(weight(1), json!(null), "no rule sends requests to Service web: traffic.service and the route must name the same Service")]
#[case::rules_type(weight(1), json!("a"), "spec.rules must be a list")]
#[case::reference_type(weight(1), json!([{"backendRefs": [{"name": "web"}, "a"]}]), "spec.rules[0].backendRefs must be made of mappings")]
#[case::weight_type(weight(1), json!([{"backendRefs": [{"name": "web", "weight": "1"}]}]),
    "spec.rules[0].backendRefs.weight must be a whole number from 0")]
#[case::weights(weight(1), json!([{"backendRefs": [{"name": "web", "weight": 999983}, {"name": "b", "weight": 999979}]}]),
    "spec.rules[0].backendRefs: the weights cannot be divided exactly with numbers up to 1000000; use smaller weights")]
#[case::percent(weight(101), json!([]), "101 % of the requests is more than there are")]
#[case::shared_mirror(Split::Mirror(1), json!([{"backendRefs": [{"name": "web"}, {"name": "b"}]}]),
    "spec.rules[0].backendRefs has other backends too, whose requests would be mirrored to the candidate; give the Service a rule of its own")]
#[case::no_match(Split::Match(vec![]), json!([]), "no header or cookie says which requests the candidate gets")]
#[case::union(Split::Match(vec![TrafficMatch { header: None, cookie: None }]), json!([{"backendRefs": [{"name": "web"}]}]),
    "a match must have either a header or a cookie")]
#[case::header(beta(), json!([{"matches": [{"headers": [{"name": "X-Beta", "value": "2"}]}], "backendRefs": [{"name": "web"}]}]),
    "spec.rules[0].matches[0] matches header x-beta already, so the candidate's match cannot be added to it")]
fn what_cannot_be_done_is_refused(#[case] split: Split, #[case] rules: Value, #[case] reason: &str) {
    assert_eq!(problem(HTTP, &route(rules), &split), format!("HTTPRoute shop/web: {reason}"));
}

#[test]
fn a_route_of_another_kind_or_namespace_is_refused() {
    let git = object(HTTP_ROUTE);
    assert!(problem(GRPC, &git, &weight(1)).contains("which has GRPCRoute objects"));
    let mut away = route(json!([{"backendRefs": [{"name": "web", "namespace": "shop", "port": 80}]}]));
    away.set_namespace(Some("edge"));
    let reason = problem(HTTP, &away, &weight(1));
    assert!(
        reason.contains("spec.rules[0].backendRefs names Service shop/web of another namespace"),
        "{reason}"
    );
}

/// `count` rules for the Service, with `matches` matches each.
fn many(count: usize, matches: usize) -> Object {
    let one = |rule: usize| {
        let matches: Vec<_> =
            (0..matches).map(|i| json!({"path": {"value": format!("/{rule}/{i}")}})).collect();
        json!({"matches": matches, "backendRefs": [{"name": "web", "port": 80}]})
    };
    route((0..count).map(one).collect())
}

#[rstest]
#[case(many(8, 1), 1, None)]
#[case(many(9, 1), 1, Some("spec.rules would have 18 entries while a rollout runs, 16 are allowed"))]
#[case(many(1, 32), 2, None)]
#[case(
    many(1, 33),
    2,
    Some("spec.rules[0].matches would have 66 entries while a rollout runs, 64 are allowed")
)]
#[case(many(2, 32), 1, None)]
#[case(
    many(2, 33),
    1,
    Some("spec.rules[].matches would have 132 entries while a rollout runs, 128 are allowed")
)]
fn the_bounds_of_the_api_hold(#[case] git: Object, #[case] headers: usize, #[case] refusal: Option<&str>) {
    let split = Split::Match((0..headers).map(|i| header("x-beta", &i.to_string())).collect());
    match (merge(HTTP, &git, &BACKENDS, &split), refusal) {
        (Ok(_), None) => {}
        (result, refusal) => assert_eq!(result.unwrap_err().problem.to_string(), refusal.unwrap()),
    }
}

#[test]
fn sixteen_backends_leave_no_room_for_a_seventeenth() {
    let backends = |others: usize| -> Vec<_> {
        (0..others).map(|i| json!({"name": format!("b{i}")})).chain([json!({"name": "web"})]).collect()
    };
    assert!(merge(HTTP, &route(json!([{"backendRefs": backends(14)}])), &BACKENDS, &weight(5)).is_ok());
    let refused = problem(HTTP, &route(json!([{"backendRefs": backends(15)}])), &weight(5));
    assert!(refused.contains("spec.rules[0].backendRefs would have 17 entries"), "{refused}");
}

/// A rule for `to` with one match of so many headers and query parameters.
fn rule(to: &str, headers: usize, parameters: usize) -> Value {
    let named =
        |n: usize| -> Vec<_> { (0..n).map(|i| json!({"name": format!("n{i}"), "value": "1"})).collect() };
    json!({"matches": [{"headers": named(headers), "queryParams": named(parameters)}], "backendRefs": [{"name": to}]})
}

#[rstest]
#[case::fewer_headers((0, 0), (1, 0), true)]
#[case::the_same((0, 0), (0, 0), true)]
#[case::more_headers((1, 0), (0, 5), true)]
#[case::parameters_decide((0, 0), (0, 1), false)]
#[case::parameters_would_decide((0, 1), (1, 0), false)]
#[case::far_apart((0, 1), (2, 0), true)]
fn the_match_takes_nothing_from_rules_that_go_elsewhere(
    #[case] ours: (usize, usize),
    #[case] other: (usize, usize),
    #[case] possible: bool,
) {
    let git = route(json!([rule("web", ours.0, ours.1), rule("other", other.0, other.1)]));
    assert_eq!(merge(HTTP, &git, &BACKENDS, &beta()).map_err(|error| error.to_string()).is_ok(), possible);
}

prop_compose! {
    fn a_rule()(
        names in prop::collection::vec(prop::sample::select(vec!["web", "other", "third"]), 0..5),
        weights in prop::collection::vec(prop::option::of(0u32..10_000), 5),
        unknown in any::<bool>(),
    ) -> Value {
        let references: Vec<_> = names.iter().zip(weights).map(|(name, weight)| match weight {
            Some(weight) => json!({"name": name, "port": 80, "weight": weight}),
            None => json!({"name": name, "port": 80}),
        }).collect();
        let mut rule = json!({"backendRefs": references});
        if unknown {
            rule["fromTheFuture"] = json!({"web": ["x"]});
        }
        rule
    }
}

proptest! {
    #[test]
    fn stable_changes_names_and_nothing_else(rules in prop::collection::vec(a_rule(), 0..8)) {
        let git = route(rules.into());
        let Ok(merged) = merge(HTTP, &git, &BACKENDS, &Split::Stable) else {
            prop_assert!(!git.body().to_string().contains("\"name\":\"web\",\"port\""));
            return Ok(());
        };
        let mut back = renamed(merged[0].body(), "web-stable", "web");
        back["metadata"] = git.body()["metadata"].clone();
        prop_assert_eq!(&back, git.body());
    }

    #[test]
    fn a_weight_gives_each_rule_the_same_share(rules in prop::collection::vec(a_rule(), 1..8), percent in 1u8..=100) {
        let git = route(rules.into());
        let Ok(merged) = merge(HTTP, &git, &BACKENDS, &Split::Weight(percent)) else { return Ok(()) };
        for (before, after) in super::gateway::rules(&git).iter().zip(super::gateway::rules(&merged[0])) {
            let sum = |rule: &Value, name: &str| -> u64 {
                rule["backendRefs"].as_array().unwrap().iter().filter(|r| r["name"] == name)
                    .map(|r| r["weight"].as_u64().unwrap_or(1)).sum()
            };
            let total = |rule: &Value| ["web", "other", "third", "web-stable", "web-candidate"].map(|n| sum(rule, n)).iter().sum::<u64>();
            prop_assert_eq!(sum(after, "web"), 0);
            prop_assert_eq!(sum(after, "web-candidate") * 100 * total(before), sum(before, "web") * u64::from(percent) * total(after));
            prop_assert_eq!(sum(after, "web-stable") * 100 * total(before), sum(before, "web") * u64::from(100 - percent) * total(after));
            prop_assert_eq!(sum(after, "other") * total(before), sum(before, "other") * total(after));
            prop_assert_eq!(&before["fromTheFuture"], &after["fromTheFuture"]);
        }
    }

    #[test]
    fn a_merge_depends_on_nothing_but_its_arguments_and_never_panics(rules in prop::collection::vec(a_rule(), 0..8), percent in 0u8..=101) {
        let git = route(rules.into());
        for split in [Split::Stable, Split::Weight(percent), Split::Mirror(percent), beta()] {
            let first = merge(HTTP, &git, &BACKENDS, &split);
            prop_assert_eq!(&first, &merge(HTTP, &git, &BACKENDS, &split));
        }
    }
}
