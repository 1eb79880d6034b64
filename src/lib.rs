//! All of Windlass but its decisions, which are in [`windlass_core`]: the shells that fetch, render, watch
//! and apply, and what people see. Public so that tests and fuzzers can use it; not a stable interface.

pub mod cli;
pub mod cluster;
pub mod controller;
pub mod failure;
pub mod heap;
pub mod prometheus;
pub mod render;
pub mod source;
pub mod telemetry;
pub mod web;
pub mod worker;
