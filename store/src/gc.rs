//! Collection: mark from names, images, cache records and leases; sweep the rest.
//!
//! The collector has the store for itself: it waits until no lease is held. It removes records first and what they
//! led to after, so that it may be killed anywhere.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tug_oci::{Descriptor, DiffId, Digest, ManifestKind, Reference};

use crate::image::read_manifest;
use crate::inventory::Inventory;
use crate::lease::{Lease, LeaseError};
use crate::reach::{Reach, ReachError};
use crate::record::{ImageRecord, ImageRecords, RecordError};
use crate::{scratch, tree};

/// What is let go besides garbage.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Forget images that have no name.
    pub dangling: bool,
    /// Forget all images, named or not, that no container uses.
    pub all_images: bool,
    /// Forget all build cache.
    pub cache: bool,
    /// What is done while somebody holds a lease.
    pub when_busy: WhenBusy,
}

/// What a collection does while somebody holds a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// It waits for ten seconds.
    #[default]
    Wait,
    /// It gives up at once: what is garbage now goes with a later collection.
    GiveUp,
}

impl WhenBusy {
    fn wait_max(self) -> Duration {
        match self {
            WhenBusy::Wait => LEASE_WAIT_MAX,
            WhenBusy::GiveUp => Duration::ZERO,
        }
    }
}

/// What a collection removed.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Images forgotten: names and ids as a person reads them.
    pub images: Vec<String>,
    /// Blobs removed.
    pub blobs: u64,
    /// Layers removed.
    pub layers: u64,
    /// Cache records removed.
    pub records: u64,
    /// Bytes of disk given back.
    pub bytes: u64,
}

/// Why a collection ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Builds, pulls or containers hold leases.
    #[error("cannot collect while the store is in use")]
    InUse(#[source] LeaseError),
    /// What is kept cannot be told, so nothing may go.
    #[error("cannot tell what is in use")]
    Mark(#[from] ReachError),
    /// The database.
    #[error("cannot collect the store's records")]
    Record(#[from] RecordError),
    /// The file system says no.
    #[error("cannot remove what is unused below {path}")]
    Sweep {
        /// A directory of the store.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// Collects, when all leases end within the policy's patience.
pub(crate) fn collect(store: Inventory<'_>, policy: &Policy) -> Result<Collected, CollectError> {
    let _lease = Lease::exclusive(store.root, policy.when_busy.wait_max()).map_err(CollectError::InUse)?;
    let mut collected = Collected::default();
    for place in [store.root.composed(), store.root.staging(), store.root.ingest()] {
        collected.bytes += scratch::sweep(&place).map_err(failed(&place))?;
    }
    match forget(store, policy, &mut collected) {
        // Even to remove a record takes some room. What is garbage already makes it.
        Err(CollectError::Record(error)) if error.is_disk_full() => {
            collected.images.clear();
            sweep(store, &mark(store)?, &mut collected)?;
            forget(store, policy, &mut collected)?;
        }
        other => other?,
    }
    let keep = mark(store)?;
    let going = going(store, &keep)?;
    // Records of layers go after the layers, since a layer means nothing without its record. Should one come back
    // before they are gone, it has to be flushed again.
    store.records.doubt_layers(&going.layers)?;
    sweep(store, &keep, &mut collected)?;
    store.records.drop_layers(&going.layers, &going.blobs)?;
    Ok(collected)
}

fn forget(store: Inventory<'_>, policy: &Policy, collected: &mut Collected) -> Result<(), CollectError> {
    forget_images(store, policy, collected)?;
    forget_cache(store, policy, collected)
}

fn sweep(store: Inventory<'_>, keep: &Reach, collected: &mut Collected) -> Result<(), CollectError> {
    sweep_blobs(store, keep, collected)?;
    sweep_layers(store, keep, collected)
}

fn forget_images(
    store: Inventory<'_>,
    policy: &Policy,
    collected: &mut Collected,
) -> Result<(), CollectError> {
    let ImageRecords { names, images } = store.records.image_records()?;
    let named: HashSet<&Digest> = names.iter().map(|(_, target)| &target.digest).collect();
    let goes = |image: &&ImageRecord| {
        policy.all_images || (policy.dangling && !named.contains(&image.target.digest))
    };
    let going: Vec<&ImageRecord> = images.iter().filter(goes).collect();
    for image in &going {
        let of = names.iter().filter(|(_, target)| target.digest == image.target.digest);
        let mut familiar: Vec<String> = of.map(|(name, _)| Reference::familiar(name)).collect();
        if familiar.is_empty() {
            familiar.push(id(store, &image.target).to_string());
        }
        collected.images.append(&mut familiar);
    }
    if going.is_empty() {
        return Ok(());
    }
    let targets: Vec<Digest> = going.iter().map(|image| image.target.digest.clone()).collect();
    Ok(store.records.drop_images(&targets)?)
}

/// The image id where there is one, else the digest.
fn id(store: Inventory<'_>, target: &Descriptor) -> Digest {
    match read_manifest(store.content, target) {
        Ok(ManifestKind::Manifest(manifest)) => manifest.config.digest,
        _ => target.digest.clone(),
    }
}

fn forget_cache(
    store: Inventory<'_>,
    policy: &Policy,
    collected: &mut Collected,
) -> Result<(), CollectError> {
    let records = store.records.cache_layers()?.into_iter();
    let here = |layers: &[DiffId]| layers.iter().all(|layer| store.layers.contains(layer));
    let going = records.filter(|(_, layers)| policy.cache || !here(layers));
    let going: Vec<String> = going.map(|(key, _)| key).collect();
    if policy.cache {
        store.records.drop_stamps()?;
    }
    if !going.is_empty() {
        store.records.drop_cache_records(&going)?;
    }
    collected.records = going.len() as u64;
    Ok(())
}

/// A layer keeps its packed blobs: one that was pulled may have its own bytes in no other place.
fn mark(store: Inventory<'_>) -> Result<Reach, CollectError> {
    let ImageRecords { names, images } = store.records.image_records()?;
    let images = images.iter().map(|image| &image.target);
    let mut keep = store.reach(images.chain(names.iter().map(|(_, target)| target)))?;
    keep.layers.extend(store.records.cache_layers()?.into_values().flatten());
    store.add_packed(&mut keep, &store.records.layer_blobs()?);
    Ok(keep)
}

fn sweep_blobs(store: Inventory<'_>, keep: &Reach, collected: &mut Collected) -> Result<(), CollectError> {
    let place = store.root.blobs();
    for (digest, path) in store.blobs().map_err(failed(&place))?.named {
        if !keep.blobs.contains(&digest) {
            collected.bytes += tree::remove(&path).map_err(failed(&place))?;
            collected.blobs += 1;
        }
    }
    Ok(())
}

fn sweep_layers(store: Inventory<'_>, keep: &Reach, collected: &mut Collected) -> Result<(), CollectError> {
    let (place, staging) = (store.root.layers(), store.root.staging());
    for (digest, path) in store.layers().map_err(failed(&place))?.named {
        if !keep.layers.contains(&DiffId(digest)) {
            collected.bytes += scratch::discard(&path, &staging).map_err(failed(&place))?;
            collected.layers += 1;
        }
    }
    Ok(())
}

/// Layers, and blobs that layers are packed as, whose records go with them.
struct Going {
    layers: Vec<DiffId>,
    blobs: Vec<(DiffId, Descriptor)>,
}

fn going(store: Inventory<'_>, keep: &Reach) -> Result<Going, CollectError> {
    let layers = store.records.layers()?.into_iter();
    let blobs = store.records.layer_blobs()?.into_iter();
    Ok(Going {
        layers: layers.filter(|layer| !keep.layers.contains(layer)).collect(),
        blobs: blobs.filter(|(_, blob)| !keep.blobs.contains(&blob.digest)).collect(),
    })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> CollectError {
    let path = path.to_owned();
    move |source| CollectError::Sweep { path, source }
}

const LEASE_WAIT_MAX: Duration = Duration::from_secs(10);
