//! Progressive delivery: how a new release of a workload takes over from the one before it, step by step,
//! and how it is undone.

mod class;
mod config;
mod course;
mod effective;
mod machine;
mod overlay;
mod policies;
pub mod route;
mod seen;

pub use class::{Class, ROLLOUT_ORDER_ANNOTATION, class};
pub use config::{Versioned, versioned};
pub use course::{Course, Exposure, Step};
pub use effective::{Effective, Target, TrafficError, effective, is_active, is_held};
pub use machine::{ABORTED, Ask, Next, SETTLE, Situation, What, step};
pub use overlay::{Overlay, PodOverlay, Side, overlay};
pub use policies::{Policy, has_policies, is_policy, policies, policy_problems, route_id, service_id};
pub use seen::{PodCounts, Seen, Trouble};

#[cfg(test)]
mod tests;
