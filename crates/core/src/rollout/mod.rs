//! Progressive delivery: how a new release of a workload takes over from the one before it, step by step,
//! and how it is undone.

mod class;
mod config;
mod course;
mod effective;
mod gate_view;
mod machine;
mod overlay;
mod policies;
mod refusal;
pub mod route;
mod seen;
pub mod simulate;
mod units;
mod view;

pub use class::{Class, ROLLOUT_ORDER_ANNOTATION, class};
pub use config::{Versioned, unversioned, versioned};
pub use course::{Course, Exposure, Step};
pub use effective::{Effective, HELD_READY, Target, TrafficError, effective, is_active, is_held};
pub use gate_view::{GateView, Gauge, LookView};
pub use machine::{ABORTED, Ask, Next, SETTLE, Situation, What, step};
pub use overlay::{Overlay, PodOverlay, Side, overlay};
pub use policies::{Policy, has_policies, is_policy, policies, policy_problems, route_id, service_id};
pub use refusal::refusal;
pub use seen::{PodCounts, Seen, Trouble};
pub use units::{Unit, at_rest, compose, essential, failure, parts, units};
pub use view::{Known, Place, Standing, StepView, TargetView, ended, exposure, short, standing, summary};

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
