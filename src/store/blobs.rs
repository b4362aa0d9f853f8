//! Bytes beside the history, by SHA-256: blobs of up to a megabyte in a write-once stream, packages and other
//! large things in the object store. What is read is checked against the digest that names it.

use std::path::Path;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::object_store::{GetErrorKind, Object, ObjectMetadata, ObjectStore};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::domain::event::{BlobRef, ObjectLocation};
use crate::domain::ids::Sha256Digest;

use super::StoreError;
use super::jetstream::{ApiError, JetStreamStore, NO_MESSAGE_FOUND, refused};
use super::subject::BLOB_STREAM;

/// The bucket that holds problem packages.
pub const PACKAGE_BUCKET: &str = "ASSIZE_PACKAGES";
/// The largest blob in bytes: a message of the server's default size without room for headers.
pub const MAX_BLOB_BYTES: usize = 1_000_000;
/// How hard packages are compressed, in zstd's levels.
pub const COMPRESSION_LEVEL: i32 = 3;
/// How long a package is looked for that is not there.
const MISSING_PATIENCE: Duration = Duration::from_secs(5);
/// How long one waits before looking again.
const MISSING_DELAY: Duration = Duration::from_millis(250);
/// How much of a package is read at once.
const READ_BYTES: usize = 128 << 10;
/// JetStream: the subject has its message already.
const MAX_MESSAGES_PER_SUBJECT: u64 = 10077;

/// A package as it is stored, to be read at each try.
#[derive(Clone, Copy)]
enum Compressed<'a> {
    Bytes(&'a [u8]),
    File(&'a Path),
}

impl JetStreamStore {
    /// Stores bytes under their digest; storing them again changes nothing. At most [`MAX_BLOB_BYTES`].
    pub async fn put_blob(&self, bytes: Bytes) -> Result<BlobRef, StoreError> {
        let blob = BlobRef { sha256: Sha256Digest::of(&bytes), size_bytes: bytes.len() as u64 };
        let subject = blob_subject(blob.sha256);
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(StoreError::TooLarge { operation: subject });
        }
        let ack = self.publish_with_patience(&subject, HeaderMap::new(), bytes).await?;
        match ack.error {
            Some(error) if error.err_code != MAX_MESSAGES_PER_SUBJECT => Err(refused(&subject, error)),
            _ => Ok(blob),
        }
    }

    /// The bytes of a blob. Only one that the server says is not there is missing; any other trouble may pass.
    pub async fn get_blob(&self, sha256: Sha256Digest) -> Result<Vec<u8>, StoreError> {
        self.with_retries(|| self.get_blob_once(sha256)).await
    }

    async fn get_blob_once(&self, sha256: Sha256Digest) -> Result<Vec<u8>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            message: Option<Message>,
            error: Option<ApiError>,
        }
        #[derive(Deserialize)]
        struct Message {
            #[serde(default)]
            data: String,
        }
        let what = format!("blob {sha256}");
        let request = serde_json::json!({ "last_by_subj": blob_subject(sha256) });
        let answer: Answer = self.api(&format!("STREAM.MSG.GET.{BLOB_STREAM}"), &request).await?;
        let message = match answer {
            Answer { message: Some(message), .. } => message,
            Answer { error: Some(error), .. } if error.err_code == NO_MESSAGE_FOUND => {
                return Err(StoreError::Missing { what });
            }
            Answer { error, .. } => {
                let told = error.map(|error| format!("{} (code {})", error.description, error.err_code));
                return Err(StoreError::Unavailable {
                    operation: format!("get of {what}"),
                    source: told.map(Into::into),
                });
            }
        };
        let bytes = BASE64.decode(message.data).map_err(|_| StoreError::Corrupt { what: what.clone() })?;
        if Sha256Digest::of(&bytes) == sha256 { Ok(bytes) } else { Err(StoreError::Corrupt { what }) }
    }

    /// Stores a package's canonical content, compressed, under its digest, unless it is there already.
    pub async fn put_package(
        &self,
        digest: Sha256Digest,
        content: &[u8],
    ) -> Result<ObjectLocation, StoreError> {
        let compressed =
            zstd::bulk::compress(content, COMPRESSION_LEVEL).map_err(|source| StoreError::Unavailable {
                operation: format!("compression of package {digest}"),
                source: Some(source.into()),
            })?;
        self.with_retries(|| self.put_package_once(digest, Compressed::Bytes(&compressed))).await
    }

    /// The same for content that lies compressed in a file, which is never in memory whole.
    pub async fn put_package_file(
        &self,
        digest: Sha256Digest,
        compressed: &Path,
    ) -> Result<ObjectLocation, StoreError> {
        self.with_retries(|| self.put_package_once(digest, Compressed::File(compressed))).await
    }

    async fn put_package_once(
        &self,
        digest: Sha256Digest,
        compressed: Compressed<'_>,
    ) -> Result<ObjectLocation, StoreError> {
        let location =
            ObjectLocation { bucket: PACKAGE_BUCKET.to_owned(), name: format!("{digest}.tar.zst") };
        let bucket = self.bucket(&location.bucket).await?;
        if bucket.info(&location.name).await.is_ok_and(|info| !info.deleted) {
            return Ok(location);
        }
        let unavailable = |source: async_nats::Error| StoreError::Unavailable {
            operation: format!("put of object {}", location.name),
            source: Some(source),
        };
        let meta = ObjectMetadata { name: location.name.clone(), ..Default::default() };
        let put = match compressed {
            Compressed::Bytes(mut bytes) => bucket.put(meta, &mut bytes).await,
            Compressed::File(path) => {
                let mut file = tokio::fs::File::open(path).await.map_err(disk(path))?;
                bucket.put(meta, &mut file).await
            }
        };
        put.map_err(|error| unavailable(error.into()))?;
        Ok(location)
    }

    /// Writes a package's content, compressed as it is stored, to a file. One that is not there is looked for a while:
    /// a replica may lag behind the event that names it.
    pub async fn fetch_package(&self, location: &ObjectLocation, into: &Path) -> Result<(), StoreError> {
        let deadline = Instant::now() + MISSING_PATIENCE;
        loop {
            match self.with_retries(|| self.fetch_package_once(location, into)).await {
                Err(StoreError::Missing { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(MISSING_DELAY).await;
                }
                other => return other,
            }
        }
    }

    async fn fetch_package_once(&self, location: &ObjectLocation, into: &Path) -> Result<(), StoreError> {
        let mut object = self.package_object(location).await?;
        let mut file = tokio::fs::File::create(into).await.map_err(disk(into))?;
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        while object.read_buf(&mut buffer).await.map_err(|error| unavailable_get(location, error.into()))? > 0
        {
            file.write_all_buf(&mut buffer).await.map_err(disk(into))?;
            buffer.reserve(READ_BYTES);
        }
        file.flush().await.map_err(disk(into))
    }

    async fn package_object(&self, location: &ObjectLocation) -> Result<Object, StoreError> {
        let bucket = self.bucket(&location.bucket).await?;
        bucket.get(&location.name).await.map_err(|error| match error.kind() {
            GetErrorKind::NotFound => StoreError::Missing { what: what(location) },
            _ => unavailable_get(location, error.into()),
        })
    }

    /// A package's canonical content: `size_bytes` long, with this digest.
    pub async fn get_package(
        &self,
        location: &ObjectLocation,
        digest: Sha256Digest,
        size_bytes: u64,
    ) -> Result<Vec<u8>, StoreError> {
        self.with_retries(|| self.get_package_once(location, digest, size_bytes)).await
    }

    async fn get_package_once(
        &self,
        location: &ObjectLocation,
        digest: Sha256Digest,
        size_bytes: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let mut object = self.package_object(location).await?;
        let mut compressed = Vec::new();
        let read = object.read_to_end(&mut compressed).await;
        read.map_err(|error| unavailable_get(location, error.into()))?;
        let what = what(location);
        let content = zstd::bulk::decompress(&compressed, size_bytes as usize)
            .map_err(|_| StoreError::Corrupt { what: what.clone() })?;
        if Sha256Digest::of(&content) == digest { Ok(content) } else { Err(StoreError::Corrupt { what }) }
    }

    async fn bucket(&self, name: &str) -> Result<ObjectStore, StoreError> {
        self.context().get_object_store(name).await.map_err(|error| StoreError::Unavailable {
            operation: format!("open of object store {name}"),
            source: Some(error.into()),
        })
    }
}

fn blob_subject(sha256: Sha256Digest) -> String {
    format!("assize.blob.{sha256}")
}

fn what(location: &ObjectLocation) -> String {
    format!("package object {}", location.name)
}

fn unavailable_get(location: &ObjectLocation, source: async_nats::Error) -> StoreError {
    StoreError::Unavailable { operation: format!("get of {}", what(location)), source: Some(source) }
}

fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Disk { path, source }
}
