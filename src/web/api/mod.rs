//! The same data as JSON, for programs.

mod applications;

pub use applications::{application, applications};
