//! What references point to, with one small request: protocol v2's `ls-refs` (gitprotocol-v2) for just the
//! wanted names, or the whole listing of a server that speaks only v0.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderName};

use super::http::Session;
use super::pktline::{self, Packet};
use crate::failure::Failure;

/// Largest listing in bytes.
pub const MAX_LISTING: usize = 64 << 20;
/// What lists everything.
pub const LISTING: &str = "/info/refs?service=git-upload-pack";

const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";

/// Repositories known to speak only v0, so that they are not asked in vain each time.
static OLD_SERVERS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Full names with what they point to.
pub type Refs = BTreeMap<String, Target>;

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The object itself, for an annotated tag the tag.
    pub id: String,
    /// The object behind an annotated tag, else the same.
    pub peeled: String,
}

/// Full names with what they point to. Contains at least every reference that begins with one of
/// `prefixes`.
///
/// # Errors
/// Why the repository cannot be asked.
pub fn list(session: &mut Session, prefixes: &[String]) -> Result<Refs, Failure> {
    let url = session.url().to_string();
    let old = || OLD_SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    if old().contains(&url) {
        return match advertisement(session, false)? {
            Advertisement::Refs(refs) => Ok(refs),
            Advertisement::Version2 => Err(not_git(session.url())),
        };
    }
    match list_v2(session, prefixes) {
        Ok(Some(refs)) => return Ok(refs),
        // A server that never answered, or that is busy, is not asked twice.
        Err(failure) if !matches!(session.last_status(), Some(status) if !is_busy(status.as_u16())) => {
            return Err(failure);
        }
        // An old server refuses the request in its own way, and a moved one may not redirect it.
        Ok(None) | Err(_) => {}
    }
    match advertisement(session, true)? {
        Advertisement::Refs(refs) => {
            old().insert(url);
            Ok(refs)
        }
        Advertisement::Version2 => list_v2(session, prefixes)?.ok_or_else(|| not_git(session.url())),
    }
}

fn is_busy(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 502..=504)
}

fn list_v2(session: &mut Session, prefixes: &[String]) -> Result<Option<Refs>, Failure> {
    let mut body = Vec::new();
    pktline::line(&mut body, "command=ls-refs");
    body.extend_from_slice(b"0001");
    pktline::line(&mut body, "peel");
    for prefix in prefixes {
        pktline::line(&mut body, &format!("ref-prefix {prefix}"));
    }
    body.extend_from_slice(b"0000");
    let headers = [(GIT_PROTOCOL, "version=2"), (ACCEPT, RESULT)];
    let answer = session.send("/git-upload-pack", Some((REQUEST, body)), &headers)?.all(MAX_LISTING)?;
    let mut input = answer.as_slice();
    let mut refs = Refs::new();
    loop {
        match pktline::next(&mut input) {
            Some(Packet::Flush) => return Ok(Some(refs)),
            Some(Packet::Line(line)) => {
                let Some((name, target)) = std::str::from_utf8(line).ok().and_then(v2_line) else {
                    return Ok(None);
                };
                refs.insert(name, target);
            }
            _ => return Ok(None),
        }
    }
}

/// `<oid> <name>[ symref-target:<name>][ peeled:<oid>]`
fn v2_line(line: &str) -> Option<(String, Target)> {
    let mut words = line.split(' ');
    let (id, name) = (words.next()?, words.next()?);
    let peeled = words.find_map(|word| word.strip_prefix("peeled:")).unwrap_or(id);
    (is_id(id) && is_id(peeled)).then(|| (name.to_owned(), Target { id: id.into(), peeled: peeled.into() }))
}

/// What a server says of itself when nothing else was asked.
enum Advertisement {
    /// It speaks v0, and this is everything that it has.
    Refs(Refs),
    /// It speaks v2 and lists when asked.
    Version2,
}

fn advertisement(session: &mut Session, offer_v2: bool) -> Result<Advertisement, Failure> {
    let headers: &[_] = if offer_v2 { &[(GIT_PROTOCOL, "version=2")] } else { &[] };
    let body = session.send(LISTING, None, headers)?.all(MAX_LISTING)?;
    let url = session.url();
    let mut input = body.as_slice();
    let mut refs = Refs::new();
    let mut number = 0;
    while !input.is_empty() {
        let line = match pktline::next(&mut input) {
            Some(Packet::Line(line)) => line,
            Some(_) => continue,
            None => return Err(not_git(url)),
        };
        number += 1;
        // Capabilities follow the first name after a NUL.
        let mut halves = line.splitn(2, |byte| *byte == 0);
        let line = String::from_utf8_lossy(halves.next().unwrap_or_default());
        let capabilities = String::from_utf8_lossy(halves.next().unwrap_or_default());
        if let Some(words) = line.strip_prefix("ERR ") {
            return Err(refused(url, words));
        }
        if capabilities.split(' ').any(|word| word == "object-format=sha256") {
            return Err(sha256(url));
        }
        match &*line {
            "# service=git-upload-pack" if number == 1 => {}
            "version 2" if number <= 2 => {
                // Its capabilities follow, a line each.
                let ours = !input.windows(20).any(|window| window == b"object-format=sha256");
                return if ours { Ok(Advertisement::Version2) } else { Err(sha256(url)) };
            }
            _ if number == 1 => return Err(not_git(url)),
            line => v0_line(line, &mut refs),
        }
    }
    // Even an empty repository has something to say.
    if number == 0 { Err(not_git(url)) } else { Ok(Advertisement::Refs(refs)) }
}

/// `<oid> <name>`; for an annotated tag a line with `^{}` after its name follows.
fn v0_line(line: &str, refs: &mut Refs) {
    let Some((id, name)) = line.split_once(' ').filter(|(id, _)| is_id(id)) else { return };
    match name.strip_suffix("^{}") {
        None => {
            refs.insert(name.to_owned(), Target { id: id.into(), peeled: id.into() });
        }
        Some(tag) => {
            if let Some(target) = refs.get_mut(tag) {
                target.peeled = id.to_owned();
            }
        }
    }
}

fn not_git(url: &Url) -> Failure {
    Failure::permanent("RepositoryNotFound", format!("{url}: this is not a Git repository over smart HTTP"))
}

fn refused(url: &Url, words: &str) -> Failure {
    let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
    Failure::permanent("RepositoryNotFound", format!("{url}: the server says: {words}"))
}

/// A repository whose object ids libgit2 cannot read.
pub fn sha256(url: &Url) -> Failure {
    Failure::permanent(
        "InvalidSource",
        format!("{url}: the repository has SHA-256 object ids; only SHA-1 ones can be read"),
    )
}

/// Whether this is the id of an object: 40 hexadecimal digits.
pub fn is_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
