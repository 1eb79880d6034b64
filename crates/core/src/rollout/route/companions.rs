//! What the user says about the Service in objects of its own, said about the Services behind the route too.

use serde_json::{Value, json};

use super::naming::{CANDIDATE, LONGEST, STABLE, ending};
use super::virtual_service::Names;
use super::{Backends, Problem, RouteError, RouterKind, json, route_error};
use crate::object::Object;

/// Copies of those of a release's `objects` that are policies on the Service, made for the Services behind the
/// route. Without them a rollout would change how its pods are reached: a backend that wants TLS would get plain
/// requests, a DestinationRule's limits would be gone.
///
/// Policies are all objects whose `targetRef` or `targetRefs` name the Service (Gateway API, GEP-713: for example
/// BackendTLSPolicy) and Istio DestinationRules of its host. They are applied before the route and deleted after
/// it, as the Services are.
///
/// # Errors
/// Where a VirtualService sends requests to a subset that no DestinationRule of the release defines, so that
/// nothing could be copied, and a policy of the wrong form.
pub fn companions<'a>(
    router: RouterKind,
    route: &Object,
    objects: impl IntoIterator<Item = &'a Object>,
    backends: &Backends,
) -> Result<Vec<Object>, RouteError> {
    let names = Names { namespace: backends.namespace, backends };
    let mut copies = Vec::new();
    let mut subsets = Vec::new();
    for object in objects {
        if object.namespace().is_some_and(|namespace| namespace != backends.namespace) {
            continue;
        }
        let gvk = object.gvk();
        let copied = if (gvk.group.as_str(), gvk.kind.as_str()) == ("networking.istio.io", "DestinationRule")
        {
            let defined = object.body().pointer("/spec/subsets").and_then(Value::as_array);
            destination_rule(object, &names).inspect(|copies| {
                if !copies.is_empty() {
                    subsets.extend(defined.into_iter().flatten().filter_map(|one| one["name"].as_str()));
                }
            })
        } else {
            policy(object, backends)
        };
        copies.extend(copied.map_err(|problem| route_error(object, backends, problem))?);
    }
    if router == RouterKind::VirtualService {
        check_subsets(route, &names, &subsets).map_err(|problem| route_error(route, backends, problem))?;
    }
    Ok(copies)
}

/// A DestinationRule of the Service's host, for both hosts.
fn destination_rule(rule: &Object, names: &Names) -> Result<Vec<Object>, Problem> {
    let host = rule.body().pointer("/spec/host").and_then(Value::as_str).unwrap_or_default();
    let Some(suffix) = names.suffix(host) else { return Ok(Vec::new()) };
    for_both(names.backends)
        .map(|(mark, service)| {
            copy(rule, mark, |spec| {
                spec["host"] = format!("{service}{suffix}").into();
                Ok(())
            })
        })
        .into_iter()
        .collect()
}

/// A policy that names the Service as its target, for both Services.
fn policy(policy: &Object, backends: &Backends) -> Result<Vec<Object>, Problem> {
    let Some(spec) = policy.body().get("spec").filter(|spec| spec.is_object()) else { return Ok(Vec::new()) };
    let is = |target: &Value| {
        let text = |key| target.get(key).and_then(Value::as_str);
        text("kind") == Some("Service")
            && text("name") == Some(backends.service)
            && text("group").is_none_or(|group| group.is_empty() || group == "core")
            && text("namespace").is_none_or(|namespace| namespace == backends.namespace)
    };
    let mut copies = Vec::new();
    for (mark, service) in for_both(backends) {
        if let Some(Value::Array(targets)) = spec.get("targetRefs")
            && targets.iter().any(is)
        {
            copies.push(copy(policy, mark, |spec| {
                let targets = json::list_made(spec, "targetRefs", "spec")?;
                targets.retain(is);
                for target in targets {
                    target["name"] = service.into();
                }
                Ok(())
            })?);
        } else if spec.get("targetRef").is_some_and(is) {
            copies.push(copy(policy, mark, |spec| {
                spec["targetRef"]["name"] = service.into();
                Ok(())
            })?);
        }
    }
    Ok(copies)
}

fn for_both<'a>(backends: &Backends<'a>) -> [(&'static str, &'a str); 2] {
    [(STABLE, backends.stable), (CANDIDATE, backends.candidate)]
}

/// `object` under another name and with a changed `spec`. Labels, annotations and a status are left behind: they
/// are about the object, not about what it says.
fn copy(
    object: &Object,
    mark: &str,
    change: impl FnOnce(&mut Value) -> Result<(), Problem>,
) -> Result<Object, Problem> {
    let mut spec = object.body().get("spec").cloned().unwrap_or_default();
    json::map(&mut spec, "spec")?;
    change(&mut spec)?;
    let mut metadata = json!({"name": ending(object.name(), mark, LONGEST)});
    if let Some(namespace) = object.namespace() {
        metadata["namespace"] = namespace.into();
    }
    let gvk = object.gvk();
    Object::new(json!({
        "apiVersion": gvk.api_version(), "kind": gvk.kind, "metadata": metadata, "spec": spec,
    }))
    .map_err(|_| Problem::Shape { field: "metadata".into(), expected: "that of an object" })
}

/// Refuses subsets of the Service that nothing defines for the Services behind the route.
fn check_subsets(route: &Object, names: &Names, defined: &[&str]) -> Result<(), Problem> {
    let names = Names { namespace: route.namespace().unwrap_or(names.namespace), backends: names.backends };
    for protocol in ["http", "tcp", "tls"] {
        let pointer = format!("/spec/{protocol}");
        let rules = route.body().pointer(&pointer).and_then(Value::as_array);
        for (i, rule) in rules.into_iter().flatten().enumerate() {
            let field = format!("spec.{protocol}[{i}].route");
            for destination in
                json::list(rule, "route", &field)?.iter().filter_map(|to| to.get("destination"))
            {
                if names.is_destination(destination, &field)?
                    && let Some(subset) = json::text(destination, "subset", &field)?
                    && !defined.contains(&subset)
                {
                    return Err(Problem::Subset { field, subset: subset.to_owned() });
                }
            }
        }
    }
    Ok(())
}
