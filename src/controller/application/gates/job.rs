//! Jobs that gates run, one in each hold.

use kube::Api;
use kube::api::{DynamicObject, PostParams};
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use windlass_core::api::{Gate, GateState, JobGate};
use windlass_core::gate::{Look, fill, job};
use windlass_core::object::Digest;

use super::{Parties, Scope};
use crate::cluster::error::words;

/// Longest part of the workload's name in the name of a Job.
const NAMED: usize = 40;
/// Seconds for which a Job that ended is kept, where its author says nothing.
const KEPT: u64 = 3600;

/// Runs the Job of this hold, unless that was done, and says how it stands. Its name follows from the hold, so
/// that none is ever made twice, whenever the controller ends.
pub async fn ask(
    scope: &Scope<'_>,
    gate: &Gate,
    spec: &JobGate,
    before: Option<&GateState>,
    parties: &Parties,
) -> (String, Look) {
    let name = name(scope, gate, parties);
    if let Some(done) = before.filter(|before| before.job == name && before.good > 0) {
        return (name, Look::Good(done.value.clone()));
    }
    let resource = ApiResource {
        group: "batch".into(),
        version: "v1".into(),
        api_version: "batch/v1".into(),
        kind: "Job".into(),
        plural: "jobs".into(),
    };
    let client = scope.ctx.clients.requests.clone();
    let api = Api::<DynamicObject>::namespaced_with(client, &parties.candidate.namespace, &resource);
    match api.get_opt(&name).await {
        Ok(Some(live)) => {
            let body = serde_json::to_value(live).unwrap_or_default();
            return (name, job(Some(&body)));
        }
        Ok(None) if before.is_some_and(|before| before.job == name) => {
            return (name, Look::NoData("the Job is gone".into()));
        }
        Ok(None) => {}
        Err(error) => return (name, Look::NoData(words(&error))),
    }
    let mut spec = json!(spec.spec);
    filled(&mut spec, parties);
    if let Some(spec) = spec.as_object_mut() {
        spec.entry("ttlSecondsAfterFinished").or_insert_with(|| KEPT.into());
    }
    let body = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "annotations": {
            "windlass.dev/gate": format!("{}/{}: {}", scope.key.namespace, scope.key.name, gate.name),
        }},
        "spec": spec,
    });
    let params =
        PostParams { field_manager: Some(scope.ctx.applier.manager().to_owned()), ..PostParams::default() };
    let made = match serde_json::from_value::<DynamicObject>(body) {
        Ok(object) => api.create(&params, &object).await,
        Err(error) => return (String::new(), Look::NoData(error.to_string())),
    };
    match made {
        Ok(_) => (name.clone(), Look::Wait(format!("Job {name} runs"))),
        Err(kube::Error::Api(status)) if status.code == 409 => {
            (name.clone(), Look::Wait(format!("Job {name} runs")))
        }
        Err(error) => (String::new(), Look::NoData(format!("the Job is refused: {}", words(&error)))),
    }
}

fn name(scope: &Scope<'_>, gate: &Gate, parties: &Parties) -> String {
    let uid = scope.app.metadata.uid.as_deref().unwrap_or_default();
    let digest =
        Digest::of_json(&json!([uid, gate.name, parties.hold, gate.job.as_ref().map(|job| &job.spec)]));
    let of = parties.workload.as_ref().map_or(scope.key.name.as_str(), |workload| workload.id.name.as_str());
    let of: String = of.chars().map(|c| if c == '.' { '-' } else { c }).take(NAMED).collect();
    format!("{of}-gate-{}", digest.short(10))
}

/// Fills the names into every text.
fn filled(value: &mut Value, parties: &Parties) {
    match value {
        Value::String(text) => *text = fill(text, &parties.candidate),
        Value::Array(items) => items.iter_mut().for_each(|item| filled(item, parties)),
        Value::Object(fields) => fields.values_mut().for_each(|field| filled(field, parties)),
        _ => {}
    }
}
