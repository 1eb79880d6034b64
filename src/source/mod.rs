//! Where manifests come from. Everything here runs in a worker (or in-process for offline commands), since
//! it reads what strangers wrote.

pub mod git;
pub mod tree;
