//! What a template has written so far.

use std::io;

use super::error::Fault;

/// A buffer that refuses to grow beyond its bound.
pub(super) struct Capped {
    bytes: Vec<u8>,
    limit: usize,
}

impl Capped {
    /// An empty buffer for at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl io::Write for &mut Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(bytes.len()) > self.limit {
            let message = format!("the template gives more than {} bytes; split it", self.limit);
            return Err(io::Error::other(Fault::limit(message)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
