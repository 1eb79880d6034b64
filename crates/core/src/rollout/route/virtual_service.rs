//! Istio VirtualService (istio.io/latest/docs/reference/config/networking/virtual-service).

use serde_json::{Value, json};

use super::weights::{Share, divide};
use super::{Backends, Problem, Split, TrafficMatch, cookie, json};
use crate::object::Object;

/// The largest weight.
const MOST_WEIGHT: u64 = i32::MAX as u64;

/// A VirtualService with the split in each route that names the Service.
///
/// Rules are tried in their order, so the copy of a rule for an A/B test stands right before its original. What
/// is routed by port or server name (`tcp`, `tls`) has weights too, counted in connections, but neither headers
/// nor mirrors: it stays with stable then. Hosts keep the form in which Git names them, and destinations their
/// subset, which [`companions`](super::companions()) has to define for the Services behind the route.
pub(super) fn merge(route: &Object, backends: &Backends, split: &Split) -> Result<Vec<Object>, Problem> {
    let names = Names { namespace: route.namespace().unwrap_or(backends.namespace), backends };
    let mut body = route.body().clone();
    let spec = json::spec(&mut body)?;
    let mut named = false;
    if let Some(rules) = json::list_mut(spec, "http", "spec")? {
        let mut merged = Vec::with_capacity(rules.len());
        for (i, mut rule) in rules.drain(..).enumerate() {
            let path = format!("spec.http[{i}]");
            names.move_mirrors(&mut rule, &path)?;
            if names.any(&rule, &path)? {
                named = true;
                if let Split::Match(matches) = split {
                    merged.push(copy(&rule, matches, &names, &path)?);
                }
                divide_rule(&mut rule, split, &names, &path)?;
            }
            merged.push(rule);
        }
        *rules = merged;
    }
    for protocol in ["tcp", "tls"] {
        for (i, rule) in json::list_mut(spec, protocol, "spec")?.into_iter().flatten().enumerate() {
            let path = format!("spec.{protocol}[{i}]");
            if names.any(rule, &path)? {
                let weighted = matches!(split, Split::Stable | Split::Weight(_));
                named |= weighted;
                divide_rule(rule, if weighted { split } else { &Split::Stable }, &names, &path)?;
            }
        }
    }
    if !named {
        return Err(Problem::NotNamed(backends.service.to_owned()));
    }
    Object::new(body)
        .map(|route| vec![route])
        .map_err(|_| Problem::Shape { field: "metadata".into(), expected: "that of an object" })
}

/// Points a rule at stable, and gives the candidate what the split says.
fn divide_rule(rule: &mut Value, split: &Split, names: &Names, path: &str) -> Result<(), Problem> {
    let field = format!("{path}.route");
    match split {
        Split::Weight(percent) => {
            let routes = json::list_made(rule, "route", path)?;
            // The only destination gets everything, whatever its weight.
            let default = if routes.len() == 1 { Some(100) } else { None };
            let mut weights = Vec::with_capacity(routes.len());
            for route in routes.iter() {
                let weight = json::count(route, "weight", &field)?.unwrap_or(0);
                weights.push((default.unwrap_or(weight), names.is(route, &field)?));
            }
            let shares = exact(&weights, *percent)
                .ok_or_else(|| Problem::Weights { field: field.clone(), most: MOST_WEIGHT })?;
            let mut divided = Vec::with_capacity(routes.len() + 1);
            for (mut route, Share { stable, candidate }) in routes.drain(..).zip(shares) {
                if let Some(candidate) = candidate {
                    let mut second = route.clone();
                    names.point(&mut second, names.backends.candidate);
                    second["weight"] = candidate.into();
                    names.point(&mut route, names.backends.stable);
                    route["weight"] = stable.into();
                    divided.extend([route, second]);
                } else {
                    route["weight"] = stable.into();
                    divided.push(route);
                }
            }
            *routes = divided;
        }
        Split::Mirror(percent) => {
            let target = mirrored(json::list(rule, "route", path)?, names, field)?;
            names.rename(rule, names.backends.stable, path)?;
            add_mirror(rule, target, *percent, path)?;
        }
        Split::Stable | Split::Match(_) => names.rename(rule, names.backends.stable, path)?,
    }
    Ok(())
}

/// Weights with the sum that Git's have where they divide so, since older releases of Istio want 100; else all
/// of them times 100.
fn exact(weights: &[(u64, bool)], percent: u8) -> Option<Vec<Share>> {
    let shares = divide(weights, percent, u64::MAX / 100)?;
    let numbers = || shares.iter().flat_map(|share| [Some(share.stable), share.candidate]).flatten();
    if !numbers().all(|number| number % 100 == 0 && number / 100 <= MOST_WEIGHT) {
        return divide(weights, percent, MOST_WEIGHT);
    }
    let scaled = shares.iter().map(|share| Share {
        stable: share.stable / 100,
        candidate: share.candidate.map(|candidate| candidate / 100),
    });
    Some(scaled.collect())
}

/// A copy of a rule of Git for the requests that match one of `matches`, which the candidate answers.
fn copy(rule: &Value, matches: &[TrafficMatch], names: &Names, path: &str) -> Result<Value, Problem> {
    let mut copy = rule.clone();
    names.rename(&mut copy, names.backends.candidate, path)?;
    let nothing = [json!({})];
    let present = match json::list(rule, "match", path)? {
        [] => &nothing,
        present => present,
    };
    let mut combined = Vec::with_capacity(present.len() * matches.len());
    for (i, own) in present.iter().enumerate() {
        for wanted in matches {
            combined.push(narrowed(own, wanted, &format!("{path}.match[{i}]"))?);
        }
    }
    copy["match"] = combined.into();
    if let Some(name) = json::text(rule, "name", path)? {
        copy["name"] = format!("{name}-candidate").into();
    }
    Ok(copy)
}

/// A match with one more header; their names are in lower case here.
fn narrowed(own: &Value, wanted: &TrafficMatch, path: &str) -> Result<Value, Problem> {
    let (name, value) = match (&wanted.header, &wanted.cookie) {
        (Some(header), None) => (header.name.to_ascii_lowercase(), json!({"exact": header.value})),
        (None, Some(cookie)) => ("cookie".to_owned(), json!({"regex": cookie::expression(cookie)})),
        _ => return Err(Problem::MatchUnion),
    };
    let mut own = own.clone();
    let headers = json::map(&mut own, path)?.entry("headers").or_insert(Value::Null);
    if headers.is_null() {
        *headers = json!({});
    }
    let headers = json::map(headers, path)?;
    if headers.keys().any(|other| other.eq_ignore_ascii_case(&name)) {
        return Err(Problem::HeaderTaken { field: path.to_owned(), header: name });
    }
    headers.insert(name, value);
    Ok(own)
}

/// The destination of the mirror of a rule, in which all that gets requests has to be the Service, at one port.
fn mirrored(routes: &[Value], names: &Names, field: String) -> Result<Value, Problem> {
    let mut mirrored: Option<Value> = None;
    for route in routes {
        if routes.len() > 1 && json::count(route, "weight", &field)?.unwrap_or(0) == 0 {
            continue;
        }
        if !names.is(route, &field)? {
            return Err(Problem::SharedMirror { field });
        }
        let mut target = route.clone();
        names.point(&mut target, names.backends.candidate);
        let target = target["destination"].take();
        if mirrored.as_ref().is_some_and(|mirrored| *mirrored != target) {
            return Err(Problem::SharedMirror { field });
        }
        mirrored = Some(target);
    }
    mirrored.ok_or(Problem::Unsupported("a rule whose weights are all 0 has nothing to mirror"))
}

/// Adds a mirror. `mirror` is the older form, of which there is one, and does not go together with `mirrors`.
fn add_mirror(rule: &mut Value, target: Value, percent: u8, path: &str) -> Result<(), Problem> {
    if rule.get("mirror").is_some_and(|mirror| !mirror.is_null()) {
        return Err(Problem::Unsupported(
            "a rule for the Service has a mirror of its own; write it as an entry of mirrors, of which there can \
             be several",
        ));
    }
    let mirror = json!({"destination": target, "percentage": {"value": percent}});
    json::list_made(rule, "mirrors", path)?.push(mirror);
    Ok(())
}

/// Tells the destinations that are the user's Service from others.
pub(super) struct Names<'a> {
    /// Namespace of the route.
    pub(super) namespace: &'a str,
    pub(super) backends: &'a Backends<'a>,
}

impl Names<'_> {
    /// What follows the name of the Service in `host`, if it names the Service: `""`, `.shop`, `.shop.svc` or
    /// that with the domain of the cluster. A short name is one of the route's namespace.
    pub(super) fn suffix<'h>(&self, host: &'h str) -> Option<&'h str> {
        let (name, rest) = host.split_at(host.find('.').unwrap_or(host.len()));
        let mut labels = rest.split('.').skip(1);
        let namespace = labels.next().unwrap_or(self.namespace);
        let domain = labels.next().is_none_or(|label| label == "svc");
        (name == self.backends.service && namespace == self.backends.namespace && domain).then_some(rest)
    }

    /// Whether a destination is the user's Service.
    pub(super) fn is_destination(&self, destination: &Value, path: &str) -> Result<bool, Problem> {
        Ok(json::text(destination, "host", path)?.and_then(|host| self.suffix(host)).is_some())
    }

    /// Whether an entry of `route` leads to the user's Service.
    fn is(&self, route: &Value, path: &str) -> Result<bool, Problem> {
        if !route.is_object() {
            return Err(Problem::Shape { field: path.to_owned(), expected: "made of mappings" });
        }
        route.get("destination").map_or(Ok(false), |destination| self.is_destination(destination, path))
    }

    fn any(&self, rule: &Value, path: &str) -> Result<bool, Problem> {
        // Not Iterator::any: each destination is to be checked.
        json::list(rule, "route", path)?
            .iter()
            .try_fold(false, |any, route| self.is(route, &format!("{path}.route")).map(|is| any || is))
    }

    /// Names another Service in an entry that leads to ours.
    fn point(&self, route: &mut Value, to: &str) {
        if let Some(destination) = route.get_mut("destination") {
            self.point_destination(destination, to);
        }
    }

    fn point_destination(&self, destination: &mut Value, to: &str) {
        if let Some(host) = destination.get_mut("host")
            && let Some(suffix) = host.as_str().and_then(|host| self.suffix(host))
        {
            *host = format!("{to}{suffix}").into();
        }
    }

    /// Names another Service in all destinations of a rule that are ours.
    fn rename(&self, rule: &mut Value, to: &str, path: &str) -> Result<(), Problem> {
        for route in json::list_mut(rule, "route", path)?.into_iter().flatten() {
            self.point(route, to);
        }
        Ok(())
    }

    /// What the user mirrors to the Service goes to stable: the candidate gets what the split says, no more.
    fn move_mirrors(&self, rule: &mut Value, path: &str) -> Result<(), Problem> {
        if let Some(mirror) = rule.get_mut("mirror") {
            self.point_destination(mirror, self.backends.stable);
        }
        for mirror in json::list_mut(rule, "mirrors", path)?.into_iter().flatten() {
            self.point(mirror, self.backends.stable);
        }
        Ok(())
    }
}
