//! HTTPRoute and GRPCRoute (gateway-api.sigs.k8s.io, v1): the same rules, but for what a match may say.

mod matching;

use serde_json::{Value, json};

use super::weights::{Share, divide};
use super::{Backends, Problem, Split, json};
use crate::object::Object;

/// Most entries of `spec.rules`.
const MOST_RULES: usize = 16;
/// Most entries of a rule's `backendRefs` and `filters`.
const MOST_ENTRIES: usize = 16;
/// The largest `weight`.
const MOST_WEIGHT: u64 = 1_000_000;

/// Which of the two kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    Http,
    Grpc,
}

/// A route with the split in each rule that names the Service.
///
/// `sessionPersistence` stays as it is: a gateway keeps a session with the release that it began with
/// whatever the weights say, so the candidate gets its share of new sessions only, and a split without it
/// has to leave it out of the rule altogether.
pub(super) fn merge(
    flavour: Flavour,
    route: &Object,
    backends: &Backends,
    split: &Split,
) -> Result<Vec<Object>, Problem> {
    let names = Names { route: route.namespace().unwrap_or(backends.namespace), backends };
    let mut body = route.body().clone();
    let spec = json::spec(&mut body)?;
    let mut copies = Vec::new();
    let mut named = Vec::new();
    if let Some(rules) = json::list_mut(spec, "rules", "spec")? {
        for (i, rule) in rules.iter_mut().enumerate() {
            let path = format!("spec.rules[{i}]");
            names.move_mirrors(rule, &path)?;
            if !names.any(json::list(rule, "backendRefs", &path)?, &path)? {
                continue;
            }
            named.push(i);
            if let Split::Match(matches) = split {
                copies.push(matching::copy(rule, matches, &names, &path)?);
            }
            divide_rule(rule, split, &names, &path)?;
        }
        if let Split::Match(_) = split {
            // A copy has one header more than the rule it was made of, so it comes first wherever it stands.
            // At the end of the list it comes first nowhere else: of two matches that are equally specific
            // the earlier one wins.
            matching::check_precedence(flavour, rules, &named)?;
            rules.append(&mut copies);
            json::at_most(rules.len(), MOST_RULES, || "spec.rules".into())?;
            matching::check_total(rules)?;
        }
    }
    if named.is_empty() {
        return Err(Problem::NotNamed(backends.service.to_owned()));
    }
    Object::new(body)
        .map(|route| vec![route])
        .map_err(|_| Problem::Shape { field: "metadata".into(), expected: "that of an object" })
}

/// Points a rule at stable, and gives the candidate what the split says.
fn divide_rule(rule: &mut Value, split: &Split, names: &Names, path: &str) -> Result<(), Problem> {
    let field = format!("{path}.backendRefs");
    match split {
        Split::Weight(percent) => {
            let references = json::list_made(rule, "backendRefs", path)?;
            let mut weights = Vec::with_capacity(references.len());
            for reference in references.iter() {
                weights.push((weight(reference, &field)?, names.is(reference, &field)?));
            }
            let shares = divide(&weights, *percent, MOST_WEIGHT)
                .ok_or_else(|| Problem::Weights { field: field.clone(), most: MOST_WEIGHT })?;
            let mut divided = Vec::with_capacity(references.len() + 1);
            for (mut reference, Share { stable, candidate }) in references.drain(..).zip(shares) {
                if let Some(candidate) = candidate {
                    let mut second = reference.clone();
                    second["name"] = names.backends.candidate.into();
                    second["weight"] = candidate.into();
                    reference["name"] = names.backends.stable.into();
                    reference["weight"] = stable.into();
                    divided.extend([reference, second]);
                } else {
                    reference["weight"] = stable.into();
                    divided.push(reference);
                }
            }
            json::at_most(divided.len(), MOST_ENTRIES, || field)?;
            *references = divided;
        }
        Split::Mirror(percent) => {
            let filter = mirror(json::list(rule, "backendRefs", path)?, *percent, names, field)?;
            names.rename(rule, names.backends.stable, path)?;
            let filters = json::list_made(rule, "filters", path)?;
            filters.push(filter);
            json::at_most(filters.len(), MOST_ENTRIES, || format!("{path}.filters"))?;
        }
        Split::Stable | Split::Match(_) => names.rename(rule, names.backends.stable, path)?,
    }
    Ok(())
}

/// A filter that sends a copy of requests to the candidate. It stands for the whole rule, so all backends
/// that get requests have to be the Service, at one port.
fn mirror(references: &[Value], percent: u8, names: &Names, field: String) -> Result<Value, Problem> {
    let mut mirrored: Option<Value> = None;
    for reference in references {
        if weight(reference, &field)? == 0 {
            continue;
        }
        let mut target = json!({"name": names.backends.candidate});
        for key in ["group", "kind", "namespace", "port"] {
            if let Some(value) = reference.get(key) {
                target[key] = value.clone();
            }
        }
        if !names.is(reference, &field)? || mirrored.as_ref().is_some_and(|mirrored| *mirrored != target) {
            return Err(Problem::SharedMirror { field });
        }
        mirrored = Some(target);
    }
    let target =
        mirrored.ok_or(Problem::Unsupported("a rule whose weights are all 0 has nothing to mirror"))?;
    Ok(json!({"type": "RequestMirror", "requestMirror": {"backendRef": target, "percent": percent}}))
}

/// The weight of a reference; 1 where it says nothing.
fn weight(reference: &Value, path: &str) -> Result<u64, Problem> {
    Ok(json::count(reference, "weight", path)?.unwrap_or(1))
}

/// Tells the references to the user's Service from others.
struct Names<'a> {
    /// Namespace of the route.
    route: &'a str,
    backends: &'a Backends<'a>,
}

impl Names<'_> {
    /// Whether a reference is to the user's Service.
    fn is(&self, reference: &Value, path: &str) -> Result<bool, Problem> {
        if !reference.is_object() {
            return Err(Problem::Shape { field: path.to_owned(), expected: "made of mappings" });
        }
        let namespace = json::text(reference, "namespace", path)?.unwrap_or(self.route);
        let ours = json::text(reference, "name", path)? == Some(self.backends.service)
            && namespace == self.backends.namespace
            && json::text(reference, "group", path)?.is_none()
            && json::text(reference, "kind", path)?.is_none_or(|kind| kind == "Service");
        if ours && namespace != self.route {
            let service = format!("{namespace}/{}", self.backends.service);
            return Err(Problem::OtherNamespace { field: path.to_owned(), service });
        }
        Ok(ours)
    }

    fn any(&self, references: &[Value], path: &str) -> Result<bool, Problem> {
        // Not Iterator::any: each reference is to be checked.
        references.iter().try_fold(false, |any, reference| {
            self.is(reference, &format!("{path}.backendRefs")).map(|is| any || is)
        })
    }

    /// Names another Service in all references of a rule to ours.
    fn rename(&self, rule: &mut Value, to: &str, path: &str) -> Result<(), Problem> {
        for reference in json::list_made(rule, "backendRefs", path)? {
            if self.is(reference, &format!("{path}.backendRefs"))? {
                reference["name"] = to.into();
            }
        }
        Ok(())
    }

    /// What the user mirrors to the Service goes to stable: the candidate gets what the split says, no more.
    fn move_mirrors(&self, rule: &mut Value, path: &str) -> Result<(), Problem> {
        self.move_filters(rule, path)?;
        if let Some(references) = json::list_mut(rule, "backendRefs", path)? {
            for (i, reference) in references.iter_mut().enumerate() {
                self.move_filters(reference, &format!("{path}.backendRefs[{i}]"))?;
            }
        }
        Ok(())
    }

    fn move_filters(&self, parent: &mut Value, path: &str) -> Result<(), Problem> {
        for (i, filter) in json::list_mut(parent, "filters", path)?.into_iter().flatten().enumerate() {
            if let Some(target) = filter.pointer_mut("/requestMirror/backendRef")
                && self.is(target, &format!("{path}.filters[{i}].requestMirror.backendRef"))?
            {
                target["name"] = self.backends.stable.into();
            }
        }
        Ok(())
    }
}
