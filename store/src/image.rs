//! Images: manifest and config, read and written as one.
//!
//! An image built here has a manifest whose layers are plain tars, so that layer digest and diff id are one and no
//! blob has to exist: [`Images::packed`] makes the form that goes to a registry.
use std::sync::Arc;

use crate::content::ContentStore;
use crate::layer::LayerStore;
use crate::record::Database;
use tug_oci::{Compression, Descriptor, DiffId, Digest, ImageConfig, Manifest, Platform, Reference};

/// Images, named or not.
pub struct Images {
    records: Arc<Database>,
    content: ContentStore,
    layers: LayerStore,
}

/// An image whose manifest and config are here.
#[derive(Clone, Debug)]
pub struct Image {
    /// Of the manifest.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Manifest,
    /// The config.
    pub config: ImageConfig,
}
impl Image {
    /// The digest of the config: what Docker calls the image id.
    pub fn id(&self) -> &Digest {
        &self.manifest.config.digest
    }
    /// The layers from the lowest up.
    pub fn diff_ids(&self) -> &[DiffId] {
        &self.config.rootfs.diff_ids
    }
}

/// One row of the list of images.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Names that point to it (none: dangling).
    pub names: Vec<Reference>,
    /// What the names point to (a manifest or an index).
    pub target: Descriptor,
    /// When it came into this store, seconds since 1970.
    pub added: i64,
}

/// Why an image cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {}

impl Images {
    pub(crate) fn new(records: Arc<Database>, content: ContentStore, layers: LayerStore) -> Images {
        Images { records, content, layers }
    }
    /// Reads the image for a platform that a manifest or index descriptor leads to.
    pub fn read(&self, target: &Descriptor, platform: &Platform) -> Result<Image, ImageError> {
        let _ = (target, platform);
        todo!()
    }
    /// Finds what a person means: a name, `name@digest`, an image id or manifest digest, or a prefix of one (12 hex digits as printed; any unambiguous prefix of 4 or more).
    pub fn find(&self, text: &str) -> Result<Option<Listed>, ImageError> {
        let _ = text;
        todo!()
    }
    /// All images: those that names point to and those without a name.
    pub fn list(&self) -> Result<Vec<Listed>, ImageError> {
        todo!()
    }
    /// Writes an image made here: config and manifest blobs, and a record so that it is kept without a name.
    pub fn write(&self, config: &ImageConfig) -> Result<Image, ImageError> {
        let _ = config;
        todo!()
    }
    /// Records that a manifest or index is an image of this store (after a pull or load).
    pub fn record(&self, target: &Descriptor) -> Result<(), ImageError> {
        let _ = target;
        todo!()
    }
    /// Forgets an image without names; its content goes with the next collection.
    pub fn forget(&self, target: &Descriptor) -> Result<(), ImageError> {
        let _ = target;
        todo!()
    }
    /// The image with its layers packed, as it is pushed or exported: the same image when its layer blobs are here.
    pub fn packed(&self, image: &Image, compression: Compression) -> Result<Image, ImageError> {
        let _ = (image, compression);
        todo!()
    }
}
