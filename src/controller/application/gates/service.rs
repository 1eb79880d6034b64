//! What gates ask web services.

use windlass_core::api::{Gate, Webhook};
use windlass_core::gate::{Look, fill, webhook};

use super::{Parties, Scope, authorization};
use crate::prometheus::Endpoint;

pub async fn ask(scope: &Scope<'_>, gate: &Gate, spec: &Webhook, parties: &Parties) -> Look {
    let authorization = match authorization(scope, gate, spec.secret_ref.as_ref()).await {
        Ok(authorization) => authorization,
        Err(problem) => return Look::NoData(problem),
    };
    let endpoint = Endpoint { address: fill(&spec.url, &parties.candidate), authorization };
    let mut told = parties.told.clone();
    if let Some(told) = told.as_object_mut() {
        told.insert("gate".into(), gate.name.clone().into());
    }
    match scope.ctx.prometheus.post(&endpoint, &told).await {
        Ok((status, body)) => webhook(status, &body),
        Err(why) => Look::NoData(why),
    }
}
