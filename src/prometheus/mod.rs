//! Questions to Prometheus servers: instant queries over its HTTP API, with bounds on everything.

mod address;
mod answer;
mod client;

pub use address::Guard;
pub use client::{Endpoint, Prometheus, QueryError};
