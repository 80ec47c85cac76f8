//! The little that pull and push both do with the store.

use std::io::Write;

use tug_oci::Descriptor;
use tug_store::Store;
use tug_store::content::IngestError;

/// Keeps a small blob under the digest of its descriptor, which its bytes must have.
pub(crate) fn keep(store: &Store, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), IngestError> {
    if store.content().contains(&descriptor.digest) {
        return Ok(());
    }
    let mut ingest = store.content().ingest_hashed(descriptor.digest.algorithm())?;
    ingest.write_all(bytes).map_err(|source| IngestError::Io { path: store.root().to_owned(), source })?;
    ingest.commit_as(&descriptor.digest, bytes.len() as u64)
}
