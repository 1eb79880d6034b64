//! The async shells around the core's decisions: they gather inputs, call the core and carry out actions.

pub mod application;
mod applications;
pub mod causes;
pub mod context;
pub mod dependencies;
mod dispatch;
mod fleet;
pub mod hearings;
mod housekeeping;
pub mod mirrors;
pub mod news;
mod orphans;
pub mod queue;
mod restore;
mod room;
mod run;
pub mod view;
mod vitals;
pub mod watches;
pub mod world;

pub use context::Config;
pub use run::{RunError, run};
