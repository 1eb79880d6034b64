//! Fields of objects: which are meant ([`Path`]), who owns them ([`FieldSet`], over `managedFields`), and what
//! is in them.

mod body;
mod managers;
mod outgoing;
mod path;
mod set;
#[cfg(test)]
mod tests;

pub use body::{copy, pick, remove, value};
pub use managers::{DEFAULT_STRIP, Foreign, ManagerNames, Managers, StripRules, merged, replicas};
pub use outgoing::{Outgoing, outgoing, with_live, without};
pub use path::{Path, PathError, Segment};
pub use set::FieldSet;
