//! Bytes beside the history, by SHA-256: blobs of up to a megabyte in a write-once stream, packages and other
//! large things in the object store. What is read is checked against the digest that names it.

use async_nats::HeaderMap;
use async_nats::jetstream::object_store::{GetErrorKind, ObjectMetadata};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use crate::domain::event::{BlobRef, ObjectLocation};
use crate::domain::ids::Sha256Digest;

use super::StoreError;
use super::jetstream::{ApiError, JetStreamStore, NO_MESSAGE_FOUND, refused};
use super::subject::BLOB_STREAM;

/// The bucket that holds problem packages.
pub const PACKAGE_BUCKET: &str = "ASSIZE_PACKAGES";
/// The largest blob in bytes: a message of the server's default size without room for headers.
pub const MAX_BLOB_BYTES: usize = 1_000_000;
/// JetStream: the subject has its message already.
const MAX_MESSAGES_PER_SUBJECT: u64 = 10077;

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
        self.with_retries(|| self.put_package_once(digest, content)).await
    }

    async fn put_package_once(
        &self,
        digest: Sha256Digest,
        content: &[u8],
    ) -> Result<ObjectLocation, StoreError> {
        let location =
            ObjectLocation { bucket: PACKAGE_BUCKET.to_owned(), name: format!("{digest}.tar.zst") };
        let bucket = self.bucket(&location.bucket).await?;
        if bucket.info(&location.name).await.is_ok() {
            return Ok(location);
        }
        let unavailable = |source: async_nats::Error| StoreError::Unavailable {
            operation: format!("put of object {}", location.name),
            source: Some(source),
        };
        let compressed = zstd::bulk::compress(content, 3).map_err(|error| unavailable(error.into()))?;
        let meta = ObjectMetadata { name: location.name.clone(), ..Default::default() };
        bucket.put(meta, &mut compressed.as_slice()).await.map_err(|error| unavailable(error.into()))?;
        Ok(location)
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
        let what = format!("package object {}", location.name);
        let bucket = self.bucket(&location.bucket).await?;
        let unavailable = |source: async_nats::Error| StoreError::Unavailable {
            operation: format!("get of {what}"),
            source: Some(source),
        };
        let mut object = match bucket.get(&location.name).await {
            Ok(object) => object,
            Err(error) if error.kind() == GetErrorKind::NotFound => return Err(StoreError::Missing { what }),
            Err(error) => return Err(unavailable(error.into())),
        };
        let mut compressed = Vec::new();
        object.read_to_end(&mut compressed).await.map_err(|error| unavailable(error.into()))?;
        let content = zstd::bulk::decompress(&compressed, size_bytes as usize)
            .map_err(|_| StoreError::Corrupt { what: what.clone() })?;
        if Sha256Digest::of(&content) == digest { Ok(content) } else { Err(StoreError::Corrupt { what }) }
    }

    async fn bucket(
        &self,
        name: &str,
    ) -> Result<async_nats::jetstream::object_store::ObjectStore, StoreError> {
        self.context().get_object_store(name).await.map_err(|error| StoreError::Unavailable {
            operation: format!("open of object store {name}"),
            source: Some(error.into()),
        })
    }
}

fn blob_subject(sha256: Sha256Digest) -> String {
    format!("assize.blob.{sha256}")
}
