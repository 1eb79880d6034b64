use kube::CustomResourceExt;
use rstest::rstest;

use super::*;

#[rstest]
#[case("90s", 90_000)]
#[case("1h30m", 5_400_000)]
#[case("250ms", 250)]
#[case("0s", 0)]
fn durations_are_read(#[case] text: &str, #[case] millis: u128) {
    assert_eq!(text.parse::<Duration>().unwrap().get().as_millis(), millis);
}

#[rstest]
#[case("")]
#[case("5")]
#[case("-1s")]
#[case("1s1m")]
#[case("1d")]
#[case("99999999h")]
#[case("1.5h")]
fn other_texts_are_no_durations(#[case] text: &str) {
    assert!(text.parse::<Duration>().is_err());
}

#[test]
fn durations_print_as_they_are_read() {
    for text in ["1h30m", "90s", "250ms", "0s", "10m"] {
        let duration: Duration = text.parse().unwrap();
        assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration, "{text}");
    }
}

#[test]
fn long_messages_are_cut_at_a_character() {
    let message = bounded_message(&"ä".repeat(1000));
    assert!(message.len() <= MAX_MESSAGE && message.ends_with('…'));
}

#[test]
fn every_list_map_and_free_string_of_the_schema_is_bounded() {
    let crd = serde_json::to_value(Application::crd()).unwrap();
    let spec = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    let mut unbounded = Vec::new();
    visit(spec, "spec", &mut unbounded);
    visit(&inlined::<Traffic>(), "traffic", &mut unbounded);
    visit(&inlined::<TrafficMatch>(), "match", &mut unbounded);
    assert_eq!(unbounded, Vec::<String>::new());
}

/// The schema of a type, as a CRD has it.
fn inlined<T: schemars::JsonSchema>() -> serde_json::Value {
    let mut settings = schemars::generate::SchemaSettings::openapi3();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

fn visit(schema: &serde_json::Value, path: &str, unbounded: &mut Vec<String>) {
    let bound = match schema["type"].as_str() {
        Some("string") => schema.get("maxLength").or(schema.get("enum")),
        Some("array") => schema.get("maxItems"),
        Some("object") if schema.get("properties").is_none() => schema.get("maxProperties").or(
            // A choice without settings: nothing is kept of it, since unknown fields are pruned.
            schema.get("x-kubernetes-preserve-unknown-fields").is_none().then_some(schema),
        ),
        _ => Some(schema),
    };
    if bound.is_none() {
        unbounded.push(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        visit(property, &format!("{path}.{name}"), unbounded);
    }
    if let Some(items) = schema.get("items") {
        visit(items, &format!("{path}[]"), unbounded);
    }
}

#[test]
fn traffic_names_one_router() {
    let traffic = |text: &str| serde_json::from_str::<Traffic>(text).unwrap();
    assert_eq!(traffic(r#"{"service": "web"}"#).router(), None);
    let routed = traffic(r#"{"service": "web", "grpcRoute": {"name": "api"}, "inCluster": "Share"}"#);
    assert_eq!(routed.router(), Some((RouterKind::GrpcRoute, "api")));
    assert_eq!(routed.in_cluster, InCluster::Share);
}
