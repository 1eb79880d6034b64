use rstest::rstest;
use serde_json::{Value, json};

use super::{check, condition, object};
use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing, Suspended};

#[rstest]
#[case::complete(json!({"completions": 1}), json!({"succeeded": 1, "conditions": [
    condition("SuccessCriteriaMet", "True", "CompletionsReached", ""), condition("Complete", "True", "CompletionsReached", "")]}),
    Healthy, "")]
#[case::complete_stays_so_when_suspended(json!({"suspend": true}),
    json!({"succeeded": 1, "conditions": [condition("Complete", "True", "", "")]}), Healthy, "")]
#[case::not_started(json!({"completions": 1}), json!({}), Progressing, "its controller has not started it yet")]
#[case::running(json!({"completions": 3}), json!({"startTime": "2026-03-01T10:00:00Z", "active": 2, "succeeded": 1,
    "failed": 2}), Progressing, "1 of 3 completions done, 2 active, 2 failed")]
#[case::work_queue(json!({"parallelism": 2}), json!({"startTime": "2026-03-01T10:00:00Z", "active": 2}), Progressing,
    "0 pods succeeded, 2 active")]
#[case::finishing(json!({"completions": 1}), json!({"startTime": "2026-03-01T10:00:00Z", "succeeded": 1, "conditions":
    [condition("SuccessCriteriaMet", "True", "", "")]}), Progressing,
    "1 of 1 completion done; it has succeeded and its last pods are being stopped")]
#[case::failed(json!({"completions": 1}), json!({"failed": 7, "conditions": [
    condition("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")]}), Degraded,
    "job failed: BackoffLimitExceeded: Job has reached the specified backoff limit")]
#[case::failing(json!({"completions": 1}), json!({"active": 1, "conditions": [
    condition("FailureTarget", "True", "DeadlineExceeded", "Job was active longer than specified deadline")]}), Degraded,
    "job is failing: DeadlineExceeded: Job was active longer than specified deadline")]
#[case::suspended(json!({"completions": 2, "suspend": true}), json!({"conditions":
    [condition("Suspended", "True", "JobSuspended", "Job suspended")]}), Suspended,
    "suspended by spec.suspend; 0 of 2 completions done")]
#[case::hostile(json!({"suspend": "true", "completions": []}), json!({"startTime": 5, "conditions": [["Failed"], {"type": "Failed"}]}),
    Progressing, "its controller has not started it yet")]
fn job(#[case] spec: Value, #[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("batch/v1", "Job", spec, status), health, message);
}

#[rstest]
#[case::never_ran(json!({"schedule": "@daily"}), json!({}), Healthy, "")]
#[case::last_run_not_successful(json!({"schedule": "@daily"}), json!({"lastScheduleTime": "2026-03-02T00:00:00Z",
    "lastSuccessfulTime": "2026-03-01T00:00:10Z"}), Healthy, "")]
#[case::suspended(json!({"suspend": true}), json!({}), Suspended, "suspended by spec.suspend")]
#[case::hostile(json!({"suspend": 1}), json!([]), Healthy, "")]
fn cron_job(#[case] spec: Value, #[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("batch/v1", "CronJob", spec, status), health, message);
}
