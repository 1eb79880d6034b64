//! Users' health checks and gates: expressions of strangers about objects of strangers, and about metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_core::api::CelGate;
use windlass_core::gate::{Look, Sample, cel};
use windlass_core::health::Health;
use windlass_core::health::check::Check;

/// Stack for one expression. One of 2,048 bytes that is a sum of a thousand numbers is a tree a thousand
/// levels deep, which is walked by recursion.
const STACK: usize = 64 << 20;

/// One check for some objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckRequest {
    /// The expression, in the Common Expression Language.
    pub expression: String,
    /// Live objects.
    pub objects: Vec<Value>,
}

/// What the check says of each object, in their order, or what is wrong with the check.
pub fn check(request: CheckRequest) -> Vec<Result<Health, String>> {
    let count = request.objects.len();
    let work = move || match Check::new(&request.expression) {
        Ok(check) => {
            let one = |object| check.judge(object).map_err(|error| error.to_string());
            request.objects.iter().map(one).collect()
        }
        Err(error) => vec![Err(error.to_string()); count],
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work);
    let done = thread.and_then(|thread| thread.join().map_err(|_| std::io::Error::other("it panicked")));
    done.unwrap_or_else(|error| vec![Err(format!("it cannot be evaluated: {error}")); count])
}

/// The expression of a gate with the values of its queries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JudgeRequest {
    /// The gate.
    pub spec: CelGate,
    /// The candidate's values by the names of their queries.
    pub candidate: BTreeMap<String, Sample>,
    /// Stable's; empty where it does not run beside.
    pub stable: BTreeMap<String, Sample>,
}

/// What the expression says.
pub fn judge(request: JudgeRequest) -> Look {
    let work = move || cel(&request.spec, &request.candidate, &request.stable);
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work);
    let done = thread.and_then(|thread| thread.join().map_err(|_| std::io::Error::other("it panicked")));
    done.unwrap_or_else(|error| Look::NoData(format!("the expression cannot be evaluated: {error}")))
}
