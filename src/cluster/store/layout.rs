//! How a snapshot lies in Secrets: in one, its head; or in chunks that the head names.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde::{Deserialize, Serialize};
use windlass_core::api::AppKey;
use windlass_core::object::Digest;
use windlass_core::plan::Instance;

pub const INSTANCE_LABEL: &str = "windlass.dev/instance";
const APPLICATION_ANNOTATION: &str = "windlass.dev/application";
const SNAPSHOT_KEY: &str = "snapshot";
const CHUNKS_KEY: &str = "chunks";
const CHUNK_KEY: &str = "chunk";
const HEAD_TYPE: &str = "windlass.dev/release";
const CHUNK_TYPE: &str = "windlass.dev/release-chunk";
/// Most bytes in one Secret: the API server takes 1 MiB of data, some room is left.
const MAX_SECRET: usize = 960 << 10;

/// The Secrets of a snapshot.
#[derive(Debug)]
pub struct Layout {
    /// To be written before the head, none in the usual case.
    pub chunks: Vec<Secret>,
    /// The Secret that counts.
    pub head: Secret,
}

/// A Secret of the store, as read.
#[derive(Debug)]
pub enum Part {
    /// The head of an Application's snapshot.
    Head(Head),
    /// A piece of one; it counts only if a head names it.
    Chunk(Vec<u8>),
}

/// Where a snapshot is.
#[derive(Debug)]
pub enum Head {
    /// In the head itself.
    Whole(Vec<u8>),
    /// In chunks.
    Chunked(Chunks),
    /// Nowhere that this Windlass knows of.
    Empty,
}

/// The chunks of a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub struct Chunks {
    /// SHA-256 of the whole.
    pub digest: Digest,
    /// Names of the Secrets, in order.
    pub names: Vec<String>,
}

/// Name of the head of an Application.
pub fn head_name(instance: &Instance, app: &AppKey) -> String {
    let hash = Digest::of_bytes(format!("{}/{app}", instance.as_str()).as_bytes());
    format!("windlass-release-{}", hash.short(20))
}

/// Lays the bytes of a snapshot out. A chunk is named by its content: one that is there already is right,
/// and writing it again changes nothing.
///
/// # Errors
/// Where the list of chunks cannot be written as JSON.
pub fn lay_out(instance: &Instance, app: &AppKey, bytes: Vec<u8>) -> Result<Layout, serde_json::Error> {
    let name = head_name(instance, app);
    if bytes.len() <= MAX_SECRET {
        let head = secret(instance, app, name, HEAD_TYPE, SNAPSHOT_KEY, bytes);
        return Ok(Layout { chunks: Vec::new(), head });
    }
    let chunks: Vec<_> = bytes
        .chunks(MAX_SECRET)
        .map(|chunk| {
            let name = format!("{name}-{}", Digest::of_bytes(chunk).short(20));
            let chunk = secret(instance, app, name, CHUNK_TYPE, CHUNK_KEY, chunk.to_vec());
            Secret { immutable: Some(true), ..chunk }
        })
        .collect();
    let names = chunks.iter().filter_map(|chunk| chunk.metadata.name.clone()).collect();
    let list = serde_json::to_vec(&Chunks { digest: Digest::of_bytes(&bytes), names })?;
    Ok(Layout { chunks, head: secret(instance, app, name, HEAD_TYPE, CHUNKS_KEY, list) })
}

fn secret(instance: &Instance, app: &AppKey, name: String, type_: &str, key: &str, bytes: Vec<u8>) -> Secret {
    let mut secret = Secret {
        type_: Some(type_.into()),
        data: Some(BTreeMap::from([(key.to_owned(), ByteString(bytes))])),
        ..Secret::default()
    };
    secret.metadata.name = Some(name);
    secret.metadata.labels =
        Some(BTreeMap::from([(INSTANCE_LABEL.to_owned(), instance.as_str().to_owned())]));
    secret.metadata.annotations =
        Some(BTreeMap::from([(APPLICATION_ANNOTATION.to_owned(), app.to_string())]));
    secret
}

/// Whose Secret it is; `None` where it is not of the store.
pub fn owner(secret: &Secret) -> Option<AppKey> {
    let owner = secret.metadata.annotations.as_ref()?.get(APPLICATION_ANNOTATION)?;
    owner.split_once('/').map(|(namespace, name)| AppKey::new(namespace, name))
}

/// What a Secret of the store holds.
pub fn read(secret: Secret) -> Part {
    let chunk = secret.type_.as_deref() == Some(CHUNK_TYPE);
    let mut data = secret.data.unwrap_or_default();
    let mut take = |key: &str| data.remove(key).map(|bytes| bytes.0);
    if chunk {
        return Part::Chunk(take(CHUNK_KEY).unwrap_or_default());
    }
    if let Some(bytes) = take(SNAPSHOT_KEY) {
        return Part::Head(Head::Whole(bytes));
    }
    let chunks = take(CHUNKS_KEY).and_then(|list| serde_json::from_slice(&list).ok());
    Part::Head(chunks.map_or(Head::Empty, Head::Chunked))
}

/// Puts the bytes of a snapshot together.
///
/// # Errors
/// Says in words what is missing or damaged.
pub fn assemble<'a>(head: Head, chunk: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Vec<u8>, String> {
    let chunks = match head {
        Head::Whole(bytes) => return Ok(bytes),
        Head::Chunked(chunks) => chunks,
        Head::Empty => return Err("it holds no release".into()),
    };
    let mut bytes = Vec::new();
    for name in &chunks.names {
        let chunk = chunk(name).ok_or_else(|| format!("its part in Secret {name} is missing"))?;
        bytes.extend_from_slice(chunk);
    }
    if Digest::of_bytes(&bytes) != chunks.digest {
        return Err("its parts are not those that were stored".into());
    }
    Ok(bytes)
}
