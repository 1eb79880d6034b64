//! What people type: one file a command. Data goes to standard output, progress and errors to standard
//! error.

pub mod health;
pub mod output;
