//! The worker as a real process: its protocol, its limits and its sandbox.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

mod failures;
mod git;
mod life;
mod pool;
mod sandbox;
#[path = "../../src/source/git/tests/server.rs"]
#[allow(dead_code, reason = "shared with the tests of the Git client, which use more of it")]
mod server;
