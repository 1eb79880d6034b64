//! A push of one branch over smart HTTP (gitprotocol-http, gitprotocol-pack): the branch's new commit with what
//! the server lacks, and the server's word that it took both.

use git2::{Oid, Repository};
use reqwest::header::{ACCEPT, HeaderName};

use super::http::Session;
use super::pktline::{self, Packet};
use super::refs::{MAX_LISTING, is_id};
use crate::failure::Failure;

const LISTING: &str = "/info/refs?service=git-receive-pack";
const REQUEST: &str = "application/x-git-receive-pack-request";
const RESULT: &str = "application/x-git-receive-pack-result";
/// No commit: the branch is new.
const NONE: &str = "0000000000000000000000000000000000000000";
/// Largest answer to a push, in bytes.
const MAX_ANSWER: usize = 1 << 20;
const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");

/// What a branch points to on the server, asked with the rights to push; `None` where there is no such branch.
///
/// # Errors
/// Why the server cannot be asked, or does not let us push.
pub fn head(session: &mut Session, branch: &str) -> Result<Option<String>, Failure> {
    let headers = [(GIT_PROTOCOL, "version=0")];
    let body = session.send(LISTING, None, &headers).map_err(not_allowed)?.all(MAX_LISTING)?;
    let wanted = format!("refs/heads/{branch}");
    let mut input = body.as_slice();
    let mut first = true;
    while !input.is_empty() {
        let line = match pktline::next(&mut input) {
            Some(Packet::Line(line)) => line,
            Some(_) => continue,
            None => return Err(no_push(session)),
        };
        let line = String::from_utf8_lossy(line.split(|byte| *byte == 0).next().unwrap_or_default());
        if std::mem::take(&mut first) {
            if line != "# service=git-receive-pack" {
                return Err(no_push(session));
            }
        } else if let Some((id, name)) = line.split_once(' ')
            && name == wanted
            && is_id(id)
        {
            return Ok(Some(id.to_owned()));
        }
    }
    if first { Err(no_push(session)) } else { Ok(None) }
}

/// Moves `branch` from `old` to `new` and sends `objects`. The server refuses it where the branch is no longer
/// at `old`.
///
/// # Errors
/// `PushRejected` with the server's words, or why it cannot be reached.
pub fn push(
    session: &mut Session,
    repository: &Repository,
    branch: &str,
    old: Option<&str>,
    new: Oid,
    objects: &[Oid],
) -> Result<(), Failure> {
    let mut body = Vec::new();
    let command = format!(
        "{} {new} refs/heads/{branch}\0 report-status agent=windlass/{}",
        old.unwrap_or(NONE),
        env!("CARGO_PKG_VERSION")
    );
    pktline::line(&mut body, &command);
    body.extend_from_slice(b"0000");
    body.extend(pack(repository, objects).map_err(|error| {
        Failure::transient("MirrorFailed", format!("the commit cannot be packed: {}", error.message()))
    })?);
    let answer = session.send("/git-receive-pack", Some((REQUEST, body)), &[(ACCEPT, RESULT)]);
    let answer = answer.map_err(not_allowed)?.all(MAX_ANSWER)?;
    let mut input = answer.as_slice();
    let (mut unpacked, mut moved) = (false, false);
    while let Some(packet) = pktline::next(&mut input) {
        let Packet::Line(line) = packet else { continue };
        let line = String::from_utf8_lossy(line);
        if line == "unpack ok" {
            unpacked = true;
        } else if line.starts_with("ok ") {
            moved = true;
        } else if let Some(why) = line.strip_prefix("ng ").or_else(|| line.strip_prefix("unpack ")) {
            return Err(rejected(session, why));
        }
    }
    if unpacked && moved { Ok(()) } else { Err(rejected(session, "it does not say that it took the push")) }
}

fn pack(repository: &Repository, objects: &[Oid]) -> Result<Vec<u8>, git2::Error> {
    let mut builder = repository.packbuilder()?;
    builder.set_threads(1);
    for object in objects {
        builder.insert_object(*object, None)?;
    }
    let mut pack = git2::Buf::new();
    builder.write_buf(&mut pack)?;
    Ok(pack.to_vec())
}

/// The server lets us read, but not write.
fn not_allowed(failure: Failure) -> Failure {
    if failure.reason == "AuthenticationFailed" {
        let message = format!("{}; the account must be allowed to push", failure.message);
        return Failure { message, ..failure };
    }
    failure
}

fn no_push(session: &Session) -> Failure {
    Failure::permanent("PushRejected", format!("{}: the server takes no pushes over HTTP", session.url()))
}

fn rejected(session: &Session, words: &str) -> Failure {
    let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
    Failure::transient("PushRejected", format!("{}: the server refuses the push: {words}", session.url()))
}
