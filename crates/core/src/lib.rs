//! Windlass's decisions. Everything here is a pure function of its arguments: no I/O, no clock (time
//! comes in as a value), no async runtime and no Kubernetes client, so that each rule can be tested in
//! microseconds and replayed from a seed.
//!
//! The order of the modules is the order in which data flows: text becomes [`object::Object`]s by
//! [`yaml`], objects become a [`release::Release`], [`plan`] holds a release against what was observed
//! and answers with actions, and [`health`] judges what the actions led to. [`api`] is what users write.

pub mod api;
pub mod dependencies;
pub mod fields;
pub mod gate;
pub mod health;
pub mod object;
pub mod plan;
pub mod release;
pub mod rollout;
pub mod waiting;
pub mod yaml;
