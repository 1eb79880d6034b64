//! What a worker takes away from itself before it reads its first request.
//!
//! Each layer stands for itself, since kernels and container runtimes differ: what one of them lacks is
//! reported, and the rest still holds.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod syscalls;

#[cfg(target_os = "linux")]
pub(super) use linux::{enter, protect_parent};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{enter, protect_parent};

/// What holds in a worker, as the worker itself found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sandbox {
    /// The layers, in the order in which they were put on.
    pub protections: Vec<Protection>,
}

/// One layer of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Protection {
    /// What it is called, for example `landlock`.
    pub name: String,
    /// Whether it holds.
    pub state: State,
}

/// Whether a layer holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// All of it.
    Full,
    /// A part; says what the kernel lacks.
    Partial(String),
    /// Nothing of it; says why.
    Missing(String),
}

impl Sandbox {
    /// What this kernel does not protect, one sentence each; empty when everything holds.
    pub fn gaps(&self) -> Vec<String> {
        let gap = |protection: &Protection| match &protection.state {
            State::Full => None,
            State::Partial(lack) => Some(format!("{} holds in part: {lack}", protection.name)),
            State::Missing(why) => Some(format!("{} is missing: {why}", protection.name)),
        };
        self.protections.iter().filter_map(gap).collect()
    }

    /// Whether a layer holds as a whole.
    pub fn has(&self, name: &str) -> bool {
        self.protections.iter().any(|protection| protection.name == name && protection.state == State::Full)
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, protection) in self.protections.iter().enumerate() {
            let mark = match protection.state {
                State::Full => "",
                State::Partial(_) => " (in part)",
                State::Missing(_) => " (missing)",
            };
            write!(f, "{}{}{mark}", if index == 0 { "" } else { ", " }, protection.name)?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::path::Path;

    use super::{Protection, Sandbox, State, files, process, syscalls};
    use crate::worker::Kind;

    pub(in crate::worker) use process::protect_parent;

    /// Puts all layers on. Call it before there is a second thread, since a layer holds for the thread that
    /// puts it on and those it starts.
    pub(in crate::worker) fn enter(
        kind: Kind,
        cache: &Path,
        memory: u64,
        parent: u32,
    ) -> io::Result<Sandbox> {
        process::require_single_thread()?;
        process::die_with(parent)?;
        let layers: [(&str, State); 4] = [
            ("limits", process::limit(kind, memory)),
            ("no-new-privs", process::give_up_privileges()),
            ("landlock", files::restrict(kind, cache)),
            ("seccomp", syscalls::restrict(kind)),
        ];
        let protection = |(name, state): (&str, State)| Protection { name: name.into(), state };
        Ok(Sandbox { protections: layers.into_iter().map(protection).collect() })
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;
    use std::path::Path;

    use super::{Protection, Sandbox, State};
    use crate::worker::Kind;

    pub(in crate::worker) fn protect_parent() {}

    pub(in crate::worker) fn enter(_: Kind, _: &Path, _: u64, _: u32) -> io::Result<Sandbox> {
        let state =
            State::Missing(format!("{} has none that Windlass uses; Linux has", std::env::consts::OS));
        Ok(Sandbox { protections: vec![Protection { name: "sandbox".into(), state }] })
    }
}
