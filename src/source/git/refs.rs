//! What references point to, with one small request: protocol v2's `ls-refs` (gitprotocol-v2) for just the
//! wanted names, or the whole listing of a server that speaks only v0.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use reqwest::header::{ACCEPT, HeaderName};

use super::http::Session;
use super::pktline::{self, Packet};
use crate::failure::Failure;

/// Largest listing in bytes.
const MAX_LISTING: usize = 64 << 20;

const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";

/// Repositories known to speak only v0, so that they are not asked in vain each time.
static OLD_SERVERS: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// Full names with the commits that they point to, tags peeled. Contains at least every reference that
/// begins with one of `prefixes`.
///
/// # Errors
/// Why the repository cannot be asked.
pub fn list(
    session: &mut Session,
    url: &str,
    prefixes: &[String],
) -> Result<BTreeMap<String, String>, Failure> {
    let old = |known: &mut Option<HashSet<String>>| known.get_or_insert_with(HashSet::new).contains(url);
    if !old(&mut OLD_SERVERS.lock().unwrap_or_else(PoisonError::into_inner)) {
        match list_v2(session, prefixes) {
            Ok(Some(refs)) => return Ok(refs),
            Err(failure)
                if failure.reason != "RepositoryNotFound" && failure.reason != "SourceUnreachable" =>
            {
                return Err(failure);
            }
            // An old server refuses the request in its own way; the listing tells which it is.
            Ok(None) | Err(_) => {}
        }
    }
    let refs = list_v0(session, url)?;
    OLD_SERVERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_with(HashSet::new)
        .insert(url.to_owned());
    Ok(refs)
}

fn list_v2(session: &mut Session, prefixes: &[String]) -> Result<Option<BTreeMap<String, String>>, Failure> {
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
    let mut refs = BTreeMap::new();
    loop {
        match pktline::next(&mut input) {
            Some(Packet::Flush) => return Ok(Some(refs)),
            Some(Packet::Line(line)) => {
                let Some((name, commit)) = std::str::from_utf8(line).ok().and_then(v2_line) else {
                    return Ok(None);
                };
                refs.insert(name, commit);
            }
            _ => return Ok(None),
        }
    }
}

/// `<oid> <name>[ symref-target:<name>][ peeled:<oid>]`
fn v2_line(line: &str) -> Option<(String, String)> {
    let mut words = line.split(' ');
    let (id, name) = (words.next()?, words.next()?);
    let peeled = words.find_map(|word| word.strip_prefix("peeled:"));
    is_id(id).then(|| (name.to_owned(), peeled.unwrap_or(id).to_owned()))
}

fn list_v0(session: &mut Session, url: &str) -> Result<BTreeMap<String, String>, Failure> {
    let body = session.send("/info/refs?service=git-upload-pack", None, &[])?.all(MAX_LISTING)?;
    let not_git = || {
        Failure::permanent(
            "RepositoryNotFound",
            format!("{url}: this is not a Git repository over smart HTTP"),
        )
    };
    let mut input = body.as_slice();
    match pktline::next(&mut input) {
        Some(Packet::Line(b"# service=git-upload-pack")) => {}
        _ => return Err(not_git()),
    }
    let mut refs = BTreeMap::new();
    while !input.is_empty() {
        let line = match pktline::next(&mut input) {
            Some(Packet::Line(line)) => line,
            Some(_) => continue,
            None => return Err(not_git()),
        };
        // Capabilities follow the first name after a NUL.
        let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let Some((id, name)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(' ')) else {
            continue;
        };
        // A peeled tag comes right after the tag and takes its place.
        let name = name.strip_suffix("^{}").unwrap_or(name);
        if is_id(id) && name != "capabilities" {
            refs.insert(name.to_owned(), id.to_owned());
        }
    }
    Ok(refs)
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}
