//! The worker as a real process: its protocol, its limits and its sandbox.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

mod failures;
mod life;
mod pool;
mod sandbox;
