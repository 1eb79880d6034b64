//! Landlock: which files a worker can open, and on newer kernels which connections and signals it may make.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::State;
use crate::worker::Kind;

/// The newest set of rights that is asked for; an older kernel gives the part it knows.
const RIGHTS: ABI = ABI::V6;

/// What name resolution and TLS read: addresses, certificates, and the libraries libc loads for them.
const NETWORK_FILES: [&str; 24] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ld.so.cache",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/pki",
    "/usr/lib/ssl/certs",
    "/usr/lib/ssl/cert.pem",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
];

const RANDOM: [&str; 2] = ["/dev/urandom", "/dev/random"];

/// Closes everything but the cache and what the kind of work needs.
pub(super) fn restrict(kind: Kind, cache: &Path) -> State {
    match apply(kind, cache) {
        Ok(status) => describe(&status),
        Err(error) => State::Missing(error.to_string()),
    }
}

fn apply(kind: Kind, cache: &Path) -> Result<RestrictionStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))?
        .handle_access(network(kind))?
        .scope(Scope::from_all(RIGHTS))?
        .create()?
        .add_rules(path_beneath_rules(["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(RANDOM, read))?;
    let ruleset = match kind {
        Kind::Fetch => ruleset
            .add_rules(path_beneath_rules([cache], read | write()))?
            .add_rules(path_beneath_rules(NETWORK_FILES, read))?,
        Kind::Render => ruleset.add_rules(path_beneath_rules([cache], read))?,
    };
    ruleset.restrict_self()
}

/// Files, directories and links, but no devices, sockets or pipes, and nothing to execute.
fn write() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

/// What no rule allows: a fetch worker may connect anywhere but serves nobody.
fn network(kind: Kind) -> BitFlags<AccessNet> {
    match kind {
        Kind::Fetch => AccessNet::BindTcp.into(),
        Kind::Render => AccessNet::from_all(RIGHTS),
    }
}

fn describe(status: &RestrictionStatus) -> State {
    let abi = match status.landlock {
        LandlockStatus::NotEnabled => return State::Missing("the kernel has it switched off".into()),
        LandlockStatus::NotImplemented => {
            return State::Missing("the kernel is older than 5.13 or built without it".into());
        }
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
    };
    match status.ruleset {
        RulesetStatus::FullyEnforced => State::Full,
        RulesetStatus::PartiallyEnforced => {
            let wanted = RIGHTS as i32;
            State::Partial(format!(
                "the kernel has ABI {} of {wanted}; newer ones also guard more kinds of access",
                abi as i32
            ))
        }
        RulesetStatus::NotEnforced => State::Missing("the kernel enforced none of the rules".into()),
    }
}
