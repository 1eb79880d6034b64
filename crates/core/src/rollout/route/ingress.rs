//! Ingress as ingress-nginx serves it: a second Ingress with the same hosts and paths, marked as a canary
//! (kubernetes.github.io/ingress-nginx, "Annotations", "Canary").

use serde_json::{Map, Value, json};

use super::naming::{CANDIDATE, LONGEST, ending};
use super::{Backends, Problem, Split, TrafficMatch, json};
use crate::object::Object;

const PREFIX: &str = "nginx.ingress.kubernetes.io/";
/// Annotations that the controller reads from a canary too. All others it takes from the user's Ingress, and of
/// other tools' annotations (certificates, names in DNS) one object with each is enough.
const COPIED: [&str; 8] = [
    "kubernetes.io/ingress.class",
    "nginx.ingress.kubernetes.io/affinity",
    "nginx.ingress.kubernetes.io/affinity-canary-behavior",
    "nginx.ingress.kubernetes.io/affinity-mode",
    "nginx.ingress.kubernetes.io/load-balance",
    "nginx.ingress.kubernetes.io/service-upstream",
    "nginx.ingress.kubernetes.io/upstream-hash-by",
    "nginx.ingress.kubernetes.io/upstream-hash-by-subset",
];

/// The user's Ingress with stable in place of the Service, and the canary Ingress unless the candidate gets
/// nothing. Without it sessions that stick to the candidate come back at once.
pub(super) fn merge(route: &Object, backends: &Backends, split: &Split) -> Result<Vec<Object>, Problem> {
    if route.namespace().is_some_and(|namespace| namespace != backends.namespace) {
        return Err(Problem::NotNamed(backends.service.to_owned()));
    }
    let canary = format!("{PREFIX}canary");
    if route.annotation(&canary).is_some_and(|value| value == "true") {
        return Err(Problem::Unsupported(
            "the Ingress is a canary itself, and ingress-nginx has only one for a path; name the main one",
        ));
    }
    let mut body = route.body().clone();
    let paths = point(json::spec(&mut body)?, backends, backends.stable)?;
    if paths == 0 {
        return Err(Problem::NotNamed(backends.service.to_owned()));
    }
    let mut merged = vec![object(body)?];
    let annotations = match split {
        Split::Stable => return Ok(merged),
        Split::Weight(percent) => vec![("canary-weight", percent.to_string())],
        Split::Match(matches) => by_match(matches)?,
        Split::Mirror(_) => {
            return Err(Problem::Unsupported(
                "ingress-nginx mirrors to an address outside of its Services only, and all requests or none: \
                 leave the mirror step out",
            ));
        }
    };
    merged.push(canary_of(route, backends, annotations)?);
    Ok(merged)
}

/// The annotations for an A/B test: one header with its value, one cookie with the value `always`, or both.
fn by_match(matches: &[TrafficMatch]) -> Result<Vec<(&'static str, String)>, Problem> {
    let mut annotations = vec![("canary-weight", "0".to_owned())];
    let (mut headers, mut cookies) = (0, 0);
    for wanted in matches {
        match (&wanted.header, &wanted.cookie) {
            (Some(header), None) => {
                headers += 1;
                annotations.push(("canary-by-header", header.name.clone()));
                annotations.push(("canary-by-header-value", header.value.clone()));
            }
            (None, Some(cookie)) if cookie.value == "always" => {
                cookies += 1;
                annotations.push(("canary-by-cookie", cookie.name.clone()));
            }
            (None, Some(_)) => {
                return Err(Problem::Unsupported(
                    "ingress-nginx knows only cookies with the value always; set this value, or match a header",
                ));
            }
            _ => return Err(Problem::MatchUnion),
        }
    }
    if headers > 1 || cookies > 1 {
        return Err(Problem::Unsupported("ingress-nginx can match one header and one cookie, not several"));
    }
    Ok(annotations)
}

/// The canary Ingress: only hosts and paths that lead to the Service.
fn canary_of(
    route: &Object,
    backends: &Backends,
    split: Vec<(&'static str, String)>,
) -> Result<Object, Problem> {
    let mut spec = route.body().get("spec").cloned().unwrap_or_default();
    let mut hosts = Vec::new();
    if let Some(rules) = json::list_mut(&mut spec, "rules", "spec")? {
        for rule in rules.iter_mut() {
            if let Some(http) = rule.get_mut("http")
                && let Some(paths) = json::list_mut(http, "paths", "spec.rules[].http")?
            {
                paths.retain(|path| path.get("backend").is_some_and(|backend| names(backend, backends)));
                for path in paths {
                    // A canary's path has to be written as the controller reads the main one's.
                    if path["path"].as_str().is_none_or(str::is_empty) {
                        path["path"] = "/".into();
                    }
                }
            }
        }
        rules.retain(|rule| {
            rule.pointer("/http/paths").and_then(Value::as_array).is_some_and(|paths| !paths.is_empty())
        });
        hosts.extend(rules.iter().filter_map(|rule| rule["host"].as_str().map(str::to_owned)));
    }
    if let Some(entries) = json::list_mut(&mut spec, "tls", "spec")? {
        entries.retain(|entry| match entry["hosts"].as_array() {
            Some(names) if !names.is_empty() => {
                names.iter().filter_map(Value::as_str).any(|name| hosts.iter().any(|host| covers(name, host)))
            }
            _ => true,
        });
    }
    point(&mut spec, backends, backends.candidate)?;
    let spec_map = json::map(&mut spec, "spec")?;
    if spec_map.get("defaultBackend").is_some_and(|backend| !names_as(backend, backends.candidate)) {
        spec_map.remove("defaultBackend");
    }
    spec_map.retain(|_, value| value.as_array().is_none_or(|entries| !entries.is_empty()));

    let mut annotations: Map<String, Value> =
        COPIED.into_iter().filter_map(|key| Some((key.to_owned(), route.annotation(key)?.into()))).collect();
    annotations.insert(format!("{PREFIX}canary"), "true".into());
    annotations.extend(split.into_iter().map(|(key, value)| (format!("{PREFIX}{key}"), value.into())));
    let mut metadata = json!({"name": ending(route.name(), CANDIDATE, LONGEST), "annotations": annotations});
    if let Some(namespace) = route.namespace() {
        metadata["namespace"] = namespace.into();
    }
    object(json!({
        "apiVersion": route.gvk().api_version(), "kind": "Ingress", "metadata": metadata, "spec": spec,
    }))
}

/// Whether a name in a certificate, which may begin with `*.`, is one for `host`.
fn covers(name: &str, host: &str) -> bool {
    name.eq_ignore_ascii_case(host)
        || name.strip_prefix("*.").is_some_and(|domain| {
            host.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(domain))
        })
}

/// Names another Service in all backends that are the user's. How many there were.
fn point(spec: &mut Value, backends: &Backends, to: &str) -> Result<usize, Problem> {
    let mut pointed = 0;
    let mut change = |backend: Option<&mut Value>| {
        if let Some(backend) = backend
            && names(backend, backends)
        {
            backend["service"]["name"] = to.into();
            pointed += 1;
        }
    };
    change(spec.get_mut("defaultBackend"));
    for (i, rule) in json::list_mut(spec, "rules", "spec")?.into_iter().flatten().enumerate() {
        if let Some(http) = rule.get_mut("http") {
            let path = format!("spec.rules[{i}].http");
            for entry in json::list_mut(http, "paths", &path)?.into_iter().flatten() {
                change(entry.get_mut("backend"));
            }
        }
    }
    Ok(pointed)
}

/// Whether a backend is the user's Service.
fn names(backend: &Value, backends: &Backends) -> bool {
    names_as(backend, backends.service)
}

fn names_as(backend: &Value, service: &str) -> bool {
    backend.pointer("/service/name").and_then(Value::as_str) == Some(service)
}

fn object(body: Value) -> Result<Object, Problem> {
    Object::new(body).map_err(|_| Problem::Shape { field: "metadata".into(), expected: "that of an object" })
}
