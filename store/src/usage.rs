//! What takes how much disk.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use tug_oci::{DiffId, Digest};

use crate::inventory::Inventory;
use crate::lease::{Lease, LeaseError};
use crate::reach::{Reach, ReachError};
use crate::record::RecordError;
use crate::tree;

/// Sizes in bytes of disk.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Images known.
    pub images: u64,
    /// Bytes that images hold.
    pub image_bytes: u64,
    /// Of these, what images without a name hold.
    pub image_bytes_reclaimable: u64,
    /// Build cache records.
    pub records: u64,
    /// Bytes that only the build cache holds.
    pub cache_bytes: u64,
    /// Bytes that nothing holds.
    pub garbage_bytes: u64,
}

/// Why it could not be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// A collection is under way.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The file system says no.
    #[error("cannot measure {path}")]
    Measure {
        /// What was measured.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// What an image leads to cannot be read.
    #[error("cannot tell what images hold")]
    Reach(#[from] ReachError),
    /// The database.
    #[error("cannot measure the store's records")]
    Record(#[from] RecordError),
}

/// Measures all that is on disk, and who holds it.
pub(crate) fn measure(store: Inventory<'_>) -> Result<Usage, UsageError> {
    let _lease = Lease::shared(store.root)?;
    let records = store.records.image_records()?;
    let cache = store.records.cache_layers()?;
    let packed = store.records.layer_blobs()?;
    let named_targets: HashSet<&Digest> = records.names.iter().map(|(_, target)| &target.digest).collect();
    let images = records.images.iter().map(|image| &image.target);
    let mut named = store.reach(images.clone().filter(|target| named_targets.contains(&target.digest)))?;
    let mut all = store.reach(images)?;
    let mut cached = Reach::default();
    cached.layers.extend(cache.values().flatten().cloned());
    for reach in [&mut named, &mut all, &mut cached] {
        store.add_packed(reach, &packed);
    }
    let mut usage =
        Usage { images: records.images.len() as u64, records: cache.len() as u64, ..Usage::default() };
    for (holder, bytes) in sizes(store, &Holders { named, all, cached })? {
        match holder {
            Holder::NamedImage => usage.image_bytes += bytes,
            Holder::UnnamedImage => {
                usage.image_bytes += bytes;
                usage.image_bytes_reclaimable += bytes;
            }
            Holder::Cache => usage.cache_bytes += bytes,
            Holder::Nobody => usage.garbage_bytes += bytes,
        }
    }
    Ok(usage)
}

struct Holders {
    named: Reach,
    all: Reach,
    cached: Reach,
}

#[derive(Clone, Copy)]
enum Holder {
    NamedImage,
    UnnamedImage,
    Cache,
    Nobody,
}

impl Holders {
    fn of(&self, holds: impl Fn(&Reach) -> bool) -> Holder {
        match (holds(&self.named), holds(&self.all), holds(&self.cached)) {
            (true, _, _) => Holder::NamedImage,
            (false, true, _) => Holder::UnnamedImage,
            (false, false, true) => Holder::Cache,
            (false, false, false) => Holder::Nobody,
        }
    }
}

fn sizes(store: Inventory<'_>, holders: &Holders) -> Result<Vec<(Holder, u64)>, UsageError> {
    let size = |path: PathBuf| tree::measure(&path).map_err(|source| UsageError::Measure { path, source });
    let list = |path: PathBuf| move |source| UsageError::Measure { path, source };
    let mut sizes = Vec::new();
    for (digest, path) in store.blobs().map_err(list(store.root.blobs()))?.named {
        sizes.push((holders.of(|reach| reach.blobs.contains(&digest)), size(path)?));
    }
    for (digest, path) in store.layers().map_err(list(store.root.layers()))?.named {
        let layer = DiffId(digest);
        sizes.push((holders.of(|reach| reach.layers.contains(&layer)), size(path)?));
    }
    for place in [store.root.composed(), store.root.staging(), store.root.ingest()] {
        sizes.push((Holder::Nobody, size(place)?));
    }
    Ok(sizes)
}
