//! What to do about the difference between a release and the cluster.
//!
//! [`admit`] turns rendered manifests into a [`Release`](crate::release::Release) or all reasons why not;
//! [`decide`] holds the release against what was [`Observed`] and what was [`Applied`] and answers with a
//! [`Plan`]: actions in the order of [`tier`]s. Nothing to do gives an empty plan.

mod admit;
mod contend;
mod decide;
mod fence;
mod fields;
mod hooks;
mod immutable;
mod jobs;
mod kinds;
mod leave;
mod moving;
mod normalise;
mod options;
mod order;
mod owner;
mod preflight;
mod renaming;
mod steps;
mod tell;
#[cfg(test)]
mod tests;

pub use admit::{Admission, Candidate, Limits, Violation, ViolationReason, admit};
pub use contend::{Heals, Pace};
pub use decide::{
    Action, Applied, Conflict, Input, Observed, Plan, PruneHold, Verb, decide, drift, foreign, in_sync,
    prune_place,
};
pub use fence::{Due, due};
pub use fields::{FieldsHash, combined_fields, own_fields, release_fields};
pub use hooks::{HookAction, HookStep, failed_hook, hook_actions, hook_failure, hook_step, hooks_on, run_of};
pub use immutable::{RefusalCause, explain, is_immutable, may_replace};
pub use jobs::{ended_health, is_job, job_end, known_runs};
pub use kinds::{BuiltinKinds, Kinds, Scope};
pub use leave::{IgnoreError, ScaleTarget, left, scale_target};
pub use moving::{MOVE_DEADLINE, holds_data, may_prune, same_repository};
pub use options::{Keep, ObjectOptions, OptionError};
pub use order::{CRD_TIER, Order, Stage, TIERS, tier};
pub use owner::{Instance, Ownership, ownership};
pub use preflight::{Preflight, Refusal, Unchecked, is_update, tell_refused};
pub use renaming::{may_take, moved_from};
pub use steps::{Progress, Steps};
pub use tell::{changed_by, tell_done};
