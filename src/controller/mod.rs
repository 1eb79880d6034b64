//! The async shells around the core's decisions: they gather inputs, call the core and carry out actions.

pub mod view;
