//! Judges of a release by what its metrics say, and by what services and Jobs say.
//!
//! Each gate has one judge. A shell asks what the judge wants to know, the judge makes a [`Look`] of the
//! answer, [`look`] adds it to what the gate has seen (a [`GateState`](crate::api::GateState), kept in the
//! status), and [`verdict`] says what follows. Missing data is never a failure and never a pass: Prometheus
//! that is down says nothing about the release.

mod answers;
mod fill;
mod judge;
mod look;
pub mod ratio;
#[cfg(test)]
mod simulation;
mod threshold;

pub use answers::{cel, compare, job, webhook};
pub use fill::{Names, fill};
pub use judge::{Hold, Verdict, consecutive, interval, judge, judge_verify, verdict};
pub use look::{Look, Sample, look};
pub use threshold::threshold;
