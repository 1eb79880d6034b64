//! From a snapshot to the bytes that are stored, and back.

use std::io::{Read as _, Write as _};

use windlass_core::release::Snapshot;

/// Largest snapshot before compression, so that a bomb in the store does not exhaust the controller.
const MAX_PLAIN: u64 = 256 << 20;
/// Largest snapshot after compression.
pub const MAX_PACKED: usize = 16 << 20;
const LEVEL: i32 = 3;

/// A snapshot as it is stored.
#[derive(Debug)]
pub struct Packed {
    /// The compressed bytes.
    pub bytes: Vec<u8>,
    /// How many of the former releases had to be left out.
    pub left_out: usize,
}

/// Compresses a snapshot. One that is larger than `limit` loses its former releases, the oldest first.
///
/// # Errors
/// Says in words why it cannot be stored, for example because stable and next alone are too large.
pub fn pack(snapshot: &Snapshot, limit: usize) -> Result<Packed, String> {
    let mut bytes = compress(snapshot)?;
    let mut left_out = 0;
    if bytes.len() > limit && !snapshot.releases.previous.is_empty() {
        let mut smaller = snapshot.clone();
        while bytes.len() > limit && smaller.releases.previous.pop().is_some() {
            bytes = compress(&smaller)?;
            left_out += 1;
        }
    }
    if bytes.len() > limit {
        return Err(format!(
            "the release has {} bytes after compression, at most {limit} can be stored; split it over several \
             Applications",
            bytes.len()
        ));
    }
    Ok(Packed { bytes, left_out })
}

/// Reads what [`pack`] made.
///
/// # Errors
/// Says in words what is wrong with the bytes; never what is in them.
pub fn unpack(bytes: &[u8]) -> Result<Snapshot, String> {
    let damaged = |error: std::io::Error| format!("the stored release cannot be decompressed: {error}");
    let mut plain = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(damaged)?;
    decoder.take(MAX_PLAIN).read_to_end(&mut plain).map_err(damaged)?;
    Snapshot::decode(&plain).map_err(|error| error.to_string())
}

/// With a checksum, so that damage is found for certain.
fn compress(snapshot: &Snapshot) -> Result<Vec<u8>, String> {
    let plain = snapshot.encode().map_err(|error| error.to_string())?;
    if plain.len() as u64 > MAX_PLAIN {
        return Err(format!(
            "the release has {} bytes, at most {MAX_PLAIN} can be stored; split it over several Applications",
            plain.len()
        ));
    }
    let failed = |error: std::io::Error| format!("the release cannot be compressed: {error}");
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
    encoder.include_checksum(true).map_err(failed)?;
    encoder.write_all(&plain).map_err(failed)?;
    encoder.finish().map_err(failed)
}
