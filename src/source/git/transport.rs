//! libgit2 over our own HTTP: private CAs, deadlines and credentials are ours, and no second TLS library is
//! linked.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::Once;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};

use super::http::{Body, Session};
use super::refs::{LISTING, MAX_LISTING};
use crate::failure::Failure;

/// Most bytes that one fetch receives.
const MAX_RECEIVED: u64 = 2 << 30;

const REQUEST: &str = "application/x-git-upload-pack-request";

thread_local! {
    /// The conversation of the fetch that runs on this thread, and why it failed: libgit2 keeps only words.
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

struct Current {
    session: Session,
    failure: Option<Failure>,
    received: u64,
}

/// Runs `fetch`, in which libgit2 speaks over `session`.
///
/// # Errors
/// What libgit2 says, or the failure of the conversation below it.
pub fn with_session(
    session: Session,
    fetch: impl FnOnce() -> Result<(), git2::Error>,
) -> Result<(), FetchError> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        for scheme in ["http", "https"] {
            let factory = |remote: &git2::Remote<'_>| Transport::smart(remote, true, Http);
            // SAFETY: called once, before any other use of libgit2's transports in this process: every
            // fetch goes through this function. A scheme that cannot be registered fails at its first use.
            let _ = unsafe { git2::transport::register(scheme, factory) };
        }
    });
    CURRENT.set(Some(Current { session, failure: None, received: 0 }));
    let result = fetch();
    let failure = CURRENT.take().and_then(|current| current.failure);
    match (result, failure) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(failure)) => Err(FetchError::Conversation(failure)),
        (Err(error), None) => Err(FetchError::Git(error)),
    }
}

/// Why a fetch failed.
pub enum FetchError {
    /// The server, or the way to it.
    Conversation(Failure),
    /// What was received, or the mirror.
    Git(git2::Error),
}

struct Http;

impl SmartSubtransport for Http {
    fn action(&self, url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        // The session knows where the repository is, after redirects.
        let _ = url;
        let post = match service {
            Service::UploadPackLs => false,
            Service::UploadPack => true,
            Service::ReceivePackLs | Service::ReceivePack => {
                return Err(git2::Error::from_str("pushing is not supported"));
            }
        };
        Ok(Box::new(Exchange { post, request: Vec::new(), answer: None, received: 0 }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// One request, sent when its answer is first asked for, and that answer, piece by piece.
struct Exchange {
    post: bool,
    request: Vec<u8>,
    answer: Option<Body>,
    received: usize,
}

impl Exchange {
    fn send(&mut self) -> Result<Body, Failure> {
        let body = self.post.then(|| (REQUEST, std::mem::take(&mut self.request)));
        let suffix = if self.post { "/git-upload-pack" } else { LISTING };
        with_current(|current| current.session.send(suffix, body, &[]))
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        if self.answer.is_none() {
            self.answer = Some(self.send()?);
        }
        let Some(answer) = &mut self.answer else { return Ok(0) };
        let count = answer.take(buffer)?;
        self.received += count;
        let listing_too_large = !self.post && self.received > MAX_LISTING;
        with_current(|current| {
            current.received += u64::try_from(count).unwrap_or(u64::MAX);
            if listing_too_large || current.received > MAX_RECEIVED {
                return Err(too_large(
                    current,
                    &format!(
                        "more than {MAX_RECEIVED} bytes, or a list of references of more than {MAX_LISTING}"
                    ),
                ));
            }
            Ok(count)
        })
    }
}

/// Ends the fetch that runs on this thread: the repository is larger than `limit` says.
pub fn give_up(limit: &str) {
    CURRENT.with_borrow_mut(|current| {
        if let Some(current) = current {
            let failure = too_large(current, limit);
            current.failure.get_or_insert(failure);
        }
    });
}

fn too_large(current: &Current, limit: &str) -> Failure {
    let message = format!("{}: the server sends {limit}", current.session.url());
    Failure::permanent("RepositoryTooLarge", message)
}

fn with_current<T>(f: impl FnOnce(&mut Current) -> Result<T, Failure>) -> Result<T, Failure> {
    CURRENT.with_borrow_mut(|current| match current {
        Some(current) => f(current),
        None => Err(Failure::permanent("MirrorFailed", "a fetch without a conversation")),
    })
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer).map_err(|failure| {
            let error = io::Error::other(failure.to_string());
            CURRENT.with_borrow_mut(|current| {
                if let Some(current) = current {
                    current.failure.get_or_insert(failure);
                }
            });
            error
        })
    }
}

impl Write for Exchange {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.request.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
