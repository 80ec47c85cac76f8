//! Build cache records: key → what a step gave.
use std::sync::Arc;

use crate::layer::LayerStore;
use crate::record::Database;
use tug_oci::{DiffId, Digest};

/// Build cache records.
pub struct CacheRecords {
    records: Arc<Database>,
    layers: LayerStore,
}
/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {}

/// What a step gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRecord {
    /// What the builder wants to remember, in its own form.
    pub value: Vec<u8>,
    /// The layers that must exist for the record to be of use; the record goes when one of them does.
    pub layers: Vec<DiffId>,
}

/// A file's state when it was hashed, and the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStamp {
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Change time in nanoseconds since 1970.
    pub ctime_ns: i64,
    /// Inode number.
    pub inode: u64,
    /// The digest of the content.
    pub digest: Digest,
}

impl CacheRecords {
    pub(crate) fn new(records: Arc<Database>, layers: LayerStore) -> CacheRecords {
        CacheRecords { records, layers }
    }
    /// Looks a key up, and notes that it was of use. `None` also when one of its layers is gone.
    pub fn get(&self, key: &Digest) -> Result<Option<CacheRecord>, CacheError> {
        let _ = key;
        todo!()
    }
    /// Writes a record (replacing one of the same key).
    pub fn put(&self, key: &Digest, record: &CacheRecord) -> Result<(), CacheError> {
        let _ = (key, record);
        todo!()
    }
    /// All stamps of a context directory (`tree` names it), by path relative to it.
    pub fn stamps(&self, tree: &str) -> Result<std::collections::HashMap<Vec<u8>, FileStamp>, CacheError> {
        let _ = tree;
        todo!()
    }
    /// Adds or replaces stamps, and removes those of paths that are gone, in one transaction.
    pub fn put_stamps(
        &self,
        tree: &str,
        changed: &[(Vec<u8>, FileStamp)],
        gone: &[Vec<u8>],
    ) -> Result<(), CacheError> {
        let _ = (tree, changed, gone);
        todo!()
    }
}
