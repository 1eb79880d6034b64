//! The Kubernetes API server as Windlass uses it: what it serves, server-side apply, watches, the release
//! store and the leader's Lease. These modules carry out; what to do is decided in [`windlass_core`].

pub mod apply;
pub mod client;
pub mod clock;
pub mod discovery;
pub mod error;
pub mod events;
pub mod evidence;
pub mod leadership;
pub mod lease;
pub mod store;
pub mod watch;
