//! Where pushed blobs come from: the store, or another repository of the same registry.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::sync::Arc;

use tug_oci::{Descriptor, Digest, MANIFEST_BYTES_MAX, ManifestKind, Reference};
use tug_store::Store;

use super::plan::Plan;
use crate::transport::OpenSource;

/// Opens a blob of the store as often as it has to be sent.
pub(super) fn opener(store: &Store, descriptor: &Descriptor) -> Arc<OpenSource> {
    let (store, descriptor) = (store.clone(), descriptor.clone());
    Arc::new(move |from| {
        let blob = store.content().open(&descriptor.digest).map_err(io::Error::other)?;
        let mut blob = blob.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("blob {} is gone", descriptor.digest))
        })?;
        io::copy(&mut blob.by_ref().take(from), &mut io::sink())?;
        Ok(Box::new(blob))
    })
}

/// For each blob, a repository of the registry that should have it, as far as the store's names tell.
pub(super) fn mounts(store: &Store, reference: &Reference, plan: &Plan) -> HashMap<Digest, String> {
    let wanted: HashSet<&Digest> = plan.blobs.iter().map(|blob| &blob.descriptor.digest).collect();
    let mut mounts = HashMap::new();
    // Only a shortcut: without it the blobs are sent.
    let names = store.names().list().unwrap_or_default();
    let elsewhere = names.into_iter().filter(|(name, _)| {
        name.registry() == reference.registry() && name.repository() != reference.repository()
    });
    for (name, target) in elsewhere.take(NAMES_MAX) {
        let Ok(bytes) = store.content().read(&target.digest, MANIFEST_BYTES_MAX) else { continue };
        let Ok(ManifestKind::Manifest(manifest)) = ManifestKind::parse(&target.media_type, &bytes) else {
            continue;
        };
        for blob in manifest.layers.iter().filter(|blob| wanted.contains(&blob.digest)) {
            mounts.entry(blob.digest.clone()).or_insert_with(|| name.repository().to_owned());
        }
    }
    mounts
}

const NAMES_MAX: usize = 64;
