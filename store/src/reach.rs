//! What a manifest or index leads to: manifests, configs, layers. Collection keeps it, the check wants it whole.

use std::collections::HashSet;

use tug_oci::{Descriptor, DiffId, Digest, Index, Manifest, ManifestKind, MediaKind, MediaType};

use crate::content::{ContentStore, ReadError};
use crate::image::{ImageError, read_config, read_manifest};
use crate::layer::LayerStore;

/// Content that records lead to.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// Blobs that are named on the way, here or not.
    pub(crate) blobs: HashSet<Digest>,
    /// Layers that are named on the way, here or not.
    pub(crate) layers: HashSet<DiffId>,
    /// What should be here and is not, or is not what it should be: a sentence each.
    pub(crate) problems: Vec<String>,
    /// What was followed already, each as the type it was taken for: a hostile image may name another's manifest as
    /// something else.
    followed: HashSet<(Digest, MediaType)>,
}

/// Why it cannot be told what a record leads to. (Content that is missing or damaged is told as a problem.)
#[derive(Debug, thiserror::Error)]
#[error("cannot tell what {target} leads to")]
pub struct ReachError {
    target: Digest,
    #[source]
    source: ReadError,
}

impl Reach {
    /// Adds a target and all it leads to. Ends because each manifest that is here is followed once.
    pub(crate) fn follow(
        &mut self,
        content: &ContentStore,
        layers: &LayerStore,
        target: &Descriptor,
    ) -> Result<(), ReachError> {
        let mut open = vec![target.clone()];
        while let Some(next) = open.pop() {
            self.blobs.insert(next.digest.clone());
            if !self.followed.insert((next.digest.clone(), next.media_type.clone())) {
                continue;
            }
            let parsed = read_manifest(content, &next);
            match self.sort_out(&next.digest, parsed)? {
                Some(ManifestKind::Index(index)) => open.extend(self.index(content, &next.digest, index)),
                Some(ManifestKind::Manifest(manifest)) => {
                    self.manifest(content, layers, (&next.digest, &manifest))?;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The entries of an index that are here. A pull brings those of one platform, so that others may be missing.
    fn index(&mut self, content: &ContentStore, digest: &Digest, index: Index) -> Vec<Descriptor> {
        let some = !index.manifests.is_empty();
        let here = |entry: &Descriptor| content.contains(&entry.digest);
        let here: Vec<Descriptor> = index.manifests.into_iter().filter(here).collect();
        if some && here.is_empty() {
            self.problems.push(format!("index {digest}: none of its manifests is in the store"));
        }
        here
    }

    fn manifest(
        &mut self,
        content: &ContentStore,
        layers: &LayerStore,
        (digest, manifest): (&Digest, &Manifest),
    ) -> Result<(), ReachError> {
        self.blobs.insert(manifest.config.digest.clone());
        self.blobs.extend(manifest.layers.iter().map(|layer| layer.digest.clone()));
        let mut diff_ids = Vec::new();
        if manifest.config.media_type.kind() == MediaKind::Config {
            let config = read_config(content, &manifest.config);
            let Some(config) = self.sort_out(digest, config)? else { return Ok(()) };
            diff_ids = config.rootfs.diff_ids;
            if diff_ids.len() != manifest.layers.len() {
                let (blobs, layers) = (manifest.layers.len(), diff_ids.len());
                self.problems.push(format!("manifest {digest} has {blobs} layers, its config {layers}"));
            }
        } else if !content.contains(&manifest.config.digest) {
            self.problems.push(format!("manifest {digest}: config {} is missing", manifest.config.digest));
        }
        for (position, blob) in manifest.layers.iter().enumerate() {
            let unpacked = diff_ids.get(position).is_some_and(|layer| layers.contains(layer));
            if !unpacked && !content.contains(&blob.digest) {
                let layer = diff_ids.get(position).map_or(&blob.digest, |layer| &layer.0);
                self.problems.push(format!("manifest {digest}: layer {layer} is missing"));
            }
        }
        self.layers.extend(diff_ids);
        Ok(())
    }

    /// Content that is bad is a problem; a disk that cannot be read ends the walk, since nobody knows what is there.
    fn sort_out<T>(&mut self, target: &Digest, read: Result<T, ImageError>) -> Result<Option<T>, ReachError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(ImageError::Read(source @ ReadError::Io { .. })) => {
                Err(ReachError { target: target.clone(), source })
            }
            Err(error) => {
                self.problems.push(format!("{target}: {}", with_sources(&error)));
                Ok(None)
            }
        }
    }
}

/// An error and what lies under it, on one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        text.push_str(": ");
        text.push_str(&source.to_string());
        below = source.source();
    }
    text
}
