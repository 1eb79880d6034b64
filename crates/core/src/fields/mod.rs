//! Fields of objects: which of them are meant, and what is in them.

mod path;
#[cfg(test)]
mod tests;

pub use path::{Path, PathError, Segment};
