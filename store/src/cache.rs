//! Build cache records: key → what a step gave; and stamps: file → its digest when it was last hashed.

use std::collections::HashMap;
use std::sync::Arc;

use tug_oci::Digest;

use crate::layer::LayerStore;
use crate::record::{Database, RecordError, now};

pub use crate::record::{CacheRecord, FileStamp};

/// Build cache records.
pub struct CacheRecords {
    records: Arc<Database>,
    layers: LayerStore,
}

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// A step's record.
    #[error("cannot use build cache record {key}")]
    Record {
        /// Its key.
        key: Digest,
        /// What went wrong.
        #[source]
        source: RecordError,
    },
    /// A context's stamps.
    #[error("cannot use the file stamps of {tree}")]
    Stamps {
        /// The context.
        tree: String,
        /// What went wrong.
        #[source]
        source: RecordError,
    },
}

impl CacheRecords {
    pub(crate) fn new(records: Arc<Database>, layers: LayerStore) -> CacheRecords {
        CacheRecords { records, layers }
    }

    /// Looks a key up, and notes that it was of use. `None` also when one of its layers is gone.
    pub fn get(&self, key: &Digest) -> Result<Option<CacheRecord>, CacheError> {
        let failed = |source| CacheError::Record { key: key.clone(), source };
        let Some((record, used)) = self.records.cache_record(key).map_err(failed)? else {
            return Ok(None);
        };
        if !record.layers.iter().all(|layer| self.layers.contains(layer)) {
            return Ok(None);
        }
        // To the hour: a build in which nothing changed writes nothing.
        if now() - used > USED_SECONDS {
            self.records.touch_cache_record(key, now()).map_err(failed)?;
        }
        Ok(Some(record))
    }

    /// Writes a record (replacing one of the same key).
    pub fn put(&self, key: &Digest, record: &CacheRecord) -> Result<(), CacheError> {
        let failed = |source| CacheError::Record { key: key.clone(), source };
        self.records.put_cache_record(key, record, now()).map_err(failed)
    }

    /// All stamps of a context directory (`tree` names it), by path relative to it.
    pub fn stamps(&self, tree: &str) -> Result<HashMap<Vec<u8>, FileStamp>, CacheError> {
        self.records.stamps(tree).map_err(|source| CacheError::Stamps { tree: tree.to_owned(), source })
    }

    /// Adds or replaces stamps, and removes those of paths that are gone, in one transaction.
    pub fn put_stamps(
        &self,
        tree: &str,
        changed: &[(Vec<u8>, FileStamp)],
        gone: &[Vec<u8>],
    ) -> Result<(), CacheError> {
        if changed.is_empty() && gone.is_empty() {
            return Ok(());
        }
        self.records
            .put_stamps(tree, changed, gone)
            .map_err(|source| CacheError::Stamps { tree: tree.to_owned(), source })
    }
}

const USED_SECONDS: i64 = 3600;
