//! Compiled programs by digest, so that a judging which changes hands on one machine is not compiled again.
//!
//! A cache: what is read is checked against its digest, and everything in it can be thrown away at any time.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use crate::domain::ids::Sha256Digest;

/// How many artifacts are kept.
const MAX_ARTIFACTS: usize = 256;

/// The folder of artifacts.
#[derive(Debug)]
pub struct ArtifactCache {
    folder: PathBuf,
}

impl ArtifactCache {
    /// A cache in this folder, which is made when it is needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The bytes with this digest, if they are here and whole.
    pub fn get(&self, digest: Sha256Digest) -> Option<Vec<u8>> {
        let bytes = fs::read(self.folder.join(digest.to_string())).ok()?;
        (Sha256Digest::of(&bytes) == digest).then_some(bytes)
    }

    /// Keeps bytes. They are not synced: the power cut that loses them costs one compilation.
    pub fn put(&self, bytes: &[u8]) -> io::Result<Sha256Digest> {
        let digest = Sha256Digest::of(bytes);
        fs::create_dir_all(&self.folder)?;
        let mut beside = tempfile::NamedTempFile::new_in(&self.folder)?;
        beside.write_all(bytes)?;
        beside.persist(self.folder.join(digest.to_string())).map_err(|error| error.error)?;
        self.evict()?;
        Ok(digest)
    }

    fn evict(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            kept.push((modified.unwrap_or(SystemTime::UNIX_EPOCH), entry.path()));
        }
        kept.sort();
        let surplus = kept.len().saturating_sub(MAX_ARTIFACTS);
        for (_, path) in kept.into_iter().take(surplus) {
            match fs::remove_file(path) {
                // Another slot may have been faster.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
