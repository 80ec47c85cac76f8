//! The handle that everything starts from.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cache::CacheRecords;
use crate::content::ContentStore;
use crate::flush::{self, RecoverError};
use crate::fsck::{self, FsckError, Report};
use crate::gc::{self, CollectError, Collected, Policy};
use crate::image::Images;
use crate::inventory::Inventory;
use crate::layer::LayerStore;
use crate::lease::{Lease, LeaseError};
use crate::name::Names;
use crate::record::{Database, RecordError};
use crate::root::Root;
use crate::snapshot::Snapshots;
use crate::usage::{self, Usage, UsageError};

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its directory, or one within it, cannot be made.
    #[error("cannot make the store's directory {path}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// It was not closed well, and cannot be put right.
    #[error("cannot put the store at {path} right after the machine went down")]
    Recover {
        /// The store's directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: RecoverError,
    },
    /// Its database does not open.
    #[error("cannot open the store at {path}")]
    Records {
        /// The store's directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: RecordError,
    },
}

/// A store on disk. Cheap to clone; may be shared between threads.
#[derive(Clone)]
pub struct Store {
    parts: Arc<Parts>,
}

struct Parts {
    root: Arc<Root>,
    records: Arc<Database>,
    content: ContentStore,
    layers: LayerStore,
    snapshots: Snapshots,
    names: Names,
    images: Images,
    cache: CacheRecords,
}

impl Store {
    /// Opens the store at `root`, making it when it is not there.
    pub fn open(root: &Path) -> Result<Store, OpenError> {
        let directory = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Directory { path, source }
        };
        let root = Root::new(std::path::absolute(root).map_err(directory(root))?);
        for path in [
            root.path().to_owned(),
            root.blobs(),
            root.layers(),
            root.ingest(),
            root.staging(),
            root.composed(),
        ] {
            make_directory(&path).map_err(directory(&path))?;
        }
        let records = Database::open(&root.database())
            .map_err(|source| OpenError::Records { path: root.path().to_owned(), source })?;
        flush::recover(&root, &records)
            .map_err(|source| OpenError::Recover { path: root.path().to_owned(), source })?;
        Ok(Store { parts: Arc::new(Parts::new(Arc::new(root), Arc::new(records))) })
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        self.parts.root.path()
    }

    /// Blobs.
    pub fn content(&self) -> &ContentStore {
        &self.parts.content
    }

    /// Layers.
    pub fn layers(&self) -> &LayerStore {
        &self.parts.layers
    }

    /// Stacks of layers as something to run in or look into.
    pub fn snapshots(&self) -> &Snapshots {
        &self.parts.snapshots
    }

    /// Image names.
    pub fn names(&self) -> &Names {
        &self.parts.names
    }

    /// Images, named or not.
    pub fn images(&self) -> &Images {
        &self.parts.images
    }

    /// Build cache records.
    pub fn cache(&self) -> &CacheRecords {
        &self.parts.cache
    }

    /// Keeps all that this process makes or uses from the collector until dropped.
    pub fn lease(&self) -> Result<Lease, LeaseError> {
        Lease::shared(&self.parts.root)
    }

    /// Removes what nothing holds. Waits a little for leases to end, and fails when they do not: a lease that this
    /// very process holds keeps it out too.
    pub fn collect(&self, policy: &Policy) -> Result<Collected, CollectError> {
        gc::collect(self.inventory(), policy)
    }

    /// Checks everything against everything: each byte of the store is read.
    pub fn fsck(&self) -> Result<Report, FsckError> {
        fsck::check(self.inventory())
    }

    /// What takes how much.
    pub fn usage(&self) -> Result<Usage, UsageError> {
        usage::measure(self.inventory())
    }

    pub(crate) fn inventory(&self) -> Inventory<'_> {
        let Parts { root, records, content, layers, .. } = self.parts.as_ref();
        Inventory { root, records, content, layers }
    }
}

impl Parts {
    fn new(root: Arc<Root>, records: Arc<Database>) -> Parts {
        let content = ContentStore::new(Arc::clone(&root));
        let layers = LayerStore::new(Arc::clone(&root), Arc::clone(&records), content.clone());
        let snapshots = Snapshots::new(Arc::clone(&root), layers.clone());
        let names = Names::new(Arc::clone(&root), Arc::clone(&records), content.clone());
        let images = Images::new(Arc::clone(&root), Arc::clone(&records), content.clone(), layers.clone());
        let cache = CacheRecords::new(Arc::clone(&records), layers.clone());
        Parts { root, records, content, layers, snapshots, names, images, cache }
    }
}

/// Closed to others: layers hold files that set user ids.
fn make_directory(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().mode(0o700).recursive(true).create(path)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gc::WhenBusy;

    #[test]
    fn a_lease_keeps_the_collector_out_and_its_end_lets_it_in() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let blob = store.content().put("text/plain", b"in use").unwrap();
        let lease = store.lease().unwrap();
        let collect = || store.collect(&Policy { when_busy: WhenBusy::GiveUp, ..Policy::default() });
        let error = collect().unwrap_err();
        let CollectError::InUse(source) = &error else { panic!("{error}") };
        assert!(source.to_string().contains("builds, pulls or containers that are running"), "{source}");
        assert!(store.content().contains(&blob.digest));
        let second = store.lease().unwrap();
        drop(lease);
        assert!(matches!(collect(), Err(CollectError::InUse(_))));
        drop(second);
        assert_eq!(collect().unwrap().blobs, 1);
        assert!(!store.content().contains(&blob.digest));
    }
}
