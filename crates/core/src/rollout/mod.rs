//! Progressive delivery: how a new release of a workload takes over from the one before it, step by step,
//! and how it is undone.

pub mod route;
