//! Images of an OCI layout, with the manifests that they came with.

use std::collections::{BTreeMap, HashSet};

use tug_oci::layout::{ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, DockerArchiveEntry, INDEX_FILE};
use tug_oci::{
    CONFIG_BYTES_MAX, Descriptor, Digest, ImageConfig, Index, MANIFEST_BYTES_MAX, Manifest, ManifestKind,
    MediaKind, Reference,
};

use super::load::{IMAGES_MAX, LoadError, Loaded, blob_path, json, names, unpack};
use super::spool::Members;
use crate::Store;

/// Loads all images of the layout's index. A modern docker archive is a layout too, whose `entries` have the names.
pub(super) fn load(
    store: &Store,
    members: &Members,
    entries: &[DockerArchiveEntry],
) -> Result<Vec<Loaded>, LoadError> {
    let bytes = members
        .bytes(store.content(), INDEX_FILE, MANIFEST_BYTES_MAX)?
        .ok_or_else(|| LoadError::Missing { member: INDEX_FILE.to_owned() })?;
    let index: Index = json(INDEX_FILE, &bytes)?;
    let mut tags: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
    for entry in entries {
        let found = names(entry.repo_tags.as_deref().unwrap_or_default());
        tags.entry(entry.config.clone()).or_default().extend(found);
    }
    let mut import = Import { store, members, seen: HashSet::new(), configs: Vec::new() };
    let mut loaded: Vec<Loaded> = Vec::new();
    for target in &index.manifests {
        import.configs.clear();
        import.manifest(target, 0)?;
        let mut found: Vec<Reference> = name(target).into_iter().collect();
        for config in &import.configs {
            found.extend(tags.get(&blob_path(config)).into_iter().flatten().cloned());
        }
        let plain = Descriptor::new(target.media_type.clone(), target.digest.clone(), target.size);
        match loaded.iter_mut().find(|image| image.descriptor == plain) {
            Some(image) => image.names.extend(found),
            None => loaded.push(Loaded { names: found, descriptor: plain }),
        }
    }
    for image in &mut loaded {
        image.names.sort();
        image.names.dedup();
    }
    Ok(loaded)
}

/// The name in an index entry's annotations. A tag alone names nothing.
fn name(target: &Descriptor) -> Option<Reference> {
    let annotations = target.annotations.as_ref()?;
    if let Some(text) = annotations.get(ANNOTATION_IMAGE_NAME) {
        return text.parse().ok();
    }
    let text = annotations.get(ANNOTATION_REF_NAME)?;
    match text.contains(['/', ':']) {
        true => text.parse().ok(),
        false => None,
    }
}

struct Import<'a> {
    store: &'a Store,
    members: &'a Members,
    seen: HashSet<Digest>,
    /// Configs of the images of the current target.
    configs: Vec<Digest>,
}

impl Import<'_> {
    /// Imports what a manifest or index leads to.
    fn manifest(&mut self, target: &Descriptor, depth: u32) -> Result<(), LoadError> {
        if depth > INDEX_DEPTH_MAX || self.seen.len() > IMAGES_MAX {
            return Err(LoadError::TooManyMembers);
        }
        if target.size > MANIFEST_BYTES_MAX {
            let (size, limit) = (target.size, MANIFEST_BYTES_MAX);
            return Err(LoadError::TooLarge { member: blob_path(&target.digest), size, limit });
        }
        self.blob(target)?;
        let bytes = self.store.content().read(&target.digest, MANIFEST_BYTES_MAX)?;
        let parsed = ManifestKind::parse(&target.media_type, &bytes);
        let parsed = parsed.map_err(|source| {
            let digest = target.digest.clone();
            LoadError::Manifest { digest, source: Box::new(source) }
        })?;
        match parsed {
            ManifestKind::Manifest(manifest) => self.image(target, &manifest),
            ManifestKind::Index(index) => {
                // An index is often saved with the images of one platform only.
                for child in &index.manifests {
                    if self.is_here(child)? {
                        self.manifest(child, depth + 1)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn image(&mut self, target: &Descriptor, manifest: &Manifest) -> Result<(), LoadError> {
        self.configs.push(manifest.config.digest.clone());
        if !self.seen.insert(target.digest.clone()) {
            return Ok(());
        }
        self.blob(&manifest.config)?;
        for layer in &manifest.layers {
            self.blob(layer)?;
        }
        let is_layer = |layer: &Descriptor| matches!(layer.media_type.kind(), MediaKind::Layer(_));
        if manifest.config.media_type.kind() != MediaKind::Config || !manifest.layers.iter().all(is_layer) {
            return Ok(());
        }
        let bytes = self.store.content().read(&manifest.config.digest, CONFIG_BYTES_MAX)?;
        let config: ImageConfig = json(&blob_path(&manifest.config.digest), &bytes)?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != manifest.layers.len() {
            let (layers, diff_ids) = (manifest.layers.len(), diff_ids.len());
            let config = manifest.config.digest.to_string();
            return Err(LoadError::LayerCount { config, layers, diff_ids });
        }
        unpack(self.store, &manifest.layers, diff_ids)
    }

    fn blob(&self, blob: &Descriptor) -> Result<(), LoadError> {
        if self.store.content().contains(&blob.digest) {
            return Ok(());
        }
        self.members.ingest_as(self.store.content(), &blob_path(&blob.digest), blob)
    }

    fn is_here(&self, blob: &Descriptor) -> Result<bool, LoadError> {
        Ok(self.store.content().contains(&blob.digest) || self.members.contains(&blob_path(&blob.digest))?)
    }
}

const INDEX_DEPTH_MAX: u32 = 4;
