//! Judges of a release by what its metrics say.
//!
//! A look gives a [`Sample`] or the reason why there is none; [`look`] adds it to what a gate has seen, and
//! [`judge`] draws the verdict over all gates. Missing data is never a failure and never a pass: Prometheus
//! that is down says nothing about the release.

mod threshold;

pub use threshold::{Sample, Verdict, judge, look};
