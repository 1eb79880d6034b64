//! Frames on the pipe: four bytes of length, big-endian, then that many bytes of JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Largest request in bytes.
pub(super) const REQUEST_LIMIT: usize = 16 << 20;

/// Largest answer in bytes. A release that is larger would not fit into its snapshot either, and the parsed
/// JSON takes several times as much memory in the controller.
pub(super) const RESPONSE_LIMIT: usize = 32 << 20;

/// Why a frame was not made or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a frame is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("a value has no JSON form: {0}")]
    Encode(serde_json::Error),
    #[error("the pipe failed: {0}")]
    Io(#[from] io::Error),
    #[error("the pipe was closed within a frame")]
    Truncated,
}

/// The frame of a value, its length included.
pub(super) fn encode<T: Serialize>(value: &T, limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = Bounded { bytes: vec![0; 4], limit: limit.saturating_add(4), full: false };
    let written = serde_json::to_writer(&mut frame, value);
    if frame.full {
        return Err(FrameError::TooLarge { limit });
    }
    written.map_err(FrameError::Encode)?;
    let length = u32::try_from(frame.bytes.len() - 4).map_err(|_| FrameError::TooLarge { limit })?;
    frame.bytes.splice(..4, length.to_be_bytes());
    Ok(frame.bytes)
}

/// The JSON of the next frame; `None` when the pipe was closed between frames.
pub(super) fn read(reader: &mut impl Read, limit: usize) -> Result<Option<Vec<u8>>, FrameError> {
    let mut header = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut header)?;
    let Some(length) = length(&header, limit)? else { return Ok(None) };
    let mut body = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut body)?;
    complete(body, length).map(Some)
}

/// [`read`] from a pipe that must not block the thread.
pub(super) async fn read_async(
    reader: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> Result<Option<Vec<u8>>, FrameError> {
    let mut header = Vec::with_capacity(4);
    reader.take(4).read_to_end(&mut header).await?;
    let Some(length) = length(&header, limit)? else { return Ok(None) };
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).await?;
    complete(body, length).map(Some)
}

fn length(header: &[u8], limit: usize) -> Result<Option<u64>, FrameError> {
    if header.is_empty() {
        return Ok(None);
    }
    let bytes = <[u8; 4]>::try_from(header).map_err(|_| FrameError::Truncated)?;
    let length = u64::from(u32::from_be_bytes(bytes));
    if length > limit as u64 { Err(FrameError::TooLarge { limit }) } else { Ok(Some(length)) }
}

fn complete(body: Vec<u8>, length: u64) -> Result<Vec<u8>, FrameError> {
    if body.len() as u64 == length { Ok(body) } else { Err(FrameError::Truncated) }
}

/// A buffer that refuses to grow past its limit, so that a bomb costs no more than the limit.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            self.full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_and_the_end_is_told_from_a_cut() {
        let frame = encode(&"ahoy", 100).unwrap();
        let mut reader = frame.as_slice();
        assert_eq!(read(&mut reader, 100).unwrap().unwrap(), br#""ahoy""#);
        assert!(read(&mut reader, 100).unwrap().is_none());
        for cut in 1..frame.len() {
            assert!(matches!(read(&mut &frame[..cut], 100), Err(FrameError::Truncated)), "cut at {cut}");
        }
    }

    #[test]
    fn a_limit_is_inclusive_both_ways() {
        let fits = encode(&"x".repeat(98), 100).unwrap();
        assert!(read(&mut fits.as_slice(), 100).unwrap().is_some());
        assert!(matches!(read(&mut fits.as_slice(), 99), Err(FrameError::TooLarge { limit: 99 })));
        assert!(matches!(encode(&"x".repeat(99), 100), Err(FrameError::TooLarge { limit: 100 })));
    }

    #[tokio::test]
    async fn a_length_that_lies_reserves_no_memory_for_it() {
        let mut reader: &[u8] = &[0x01, 0xff, 0xff, 0xff, b'{'];
        assert!(matches!(read_async(&mut reader, RESPONSE_LIMIT).await, Err(FrameError::Truncated)));
        let mut reader: &[u8] = b"GET / HTTP/1.1";
        assert!(matches!(read_async(&mut reader, RESPONSE_LIMIT).await, Err(FrameError::TooLarge { .. })));
    }
}
