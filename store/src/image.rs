//! Images: manifest and config, read and written as one.
//!
//! An image built here has a manifest whose layers are plain tars, so that layer digest and diff id are one and no
//! blob has to exist: [`Images::packed`] makes the form that goes to a registry.

mod find;
mod pack;

use std::collections::HashMap;
use std::sync::Arc;

use tug_oci::{
    CONFIG_BYTES_MAX, Compression, Descriptor, DiffId, Digest, ImageConfig, Index, MANIFEST_BYTES_MAX,
    Manifest, ManifestKind, MediaKind, MediaType, ParseManifestError, Platform, Reference,
};

use crate::content::{ContentStore, IngestError, ReadError};
use crate::flush::{FlushError, flush};
use crate::layer::{LayerStore, PackError};
use crate::lease::{Lease, LeaseError};
use crate::record::{Database, ImageRecords, RecordError, now};
use crate::root::Root;

/// Images, named or not.
pub struct Images {
    root: Arc<Root>,
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

/// Why an image cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Several images fit what was typed.
    #[error("image id {text:?} is ambiguous; it may be {}", candidates.join(" or "))]
    Ambiguous {
        /// What was typed.
        text: String,
        /// Each image that fits: its digest and its names.
        candidates: Vec<String>,
    },
    /// The config is no image config.
    #[error("config {digest} is malformed")]
    Config {
        /// The config.
        digest: Digest,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// The content could not be flushed to disk ahead of the record.
    #[error("cannot flush the store's content to disk before recording image {target}")]
    Flush {
        /// The manifest or index.
        target: Digest,
        /// What went wrong.
        #[source]
        source: Box<FlushError>,
    },
    /// A blob of the image cannot be written.
    #[error("cannot write the image")]
    Ingest(#[from] IngestError),
    /// Manifest and config differ on how many layers there are.
    #[error("manifest {manifest} has {blobs} layers, its config {diff_ids}")]
    LayerCount {
        /// The manifest.
        manifest: Digest,
        /// In the manifest.
        blobs: usize,
        /// In the config.
        diff_ids: usize,
    },
    /// A collection is under way.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Bytes that are no manifest.
    #[error("cannot read {target}")]
    Manifest {
        /// The manifest or index.
        target: Digest,
        /// What is wrong with it.
        #[source]
        source: ParseManifestError,
    },
    /// The image is to be made of a layer that is not here.
    #[error("layer {0} is not in the store")]
    MissingLayer(DiffId),
    /// An image that has names is not forgotten.
    #[error("image {target} still has the names {}", names.join(", "))]
    Named {
        /// The manifest or index.
        target: Digest,
        /// As a person writes them.
        names: Vec<String>,
    },
    /// Indexes in indexes, deeper than anyone means it.
    #[error("index {0} lies in more than {INDEX_DEPTH_MAX} other indexes")]
    Nested(Digest),
    /// The index has nothing for the platform.
    #[error("image {target} is not made for {wanted}; it is for {}", list(found))]
    NoPlatform {
        /// The index.
        target: Digest,
        /// What was asked for.
        wanted: Box<Platform>,
        /// What there is.
        found: Vec<Platform>,
    },
    /// The index has the platform, but it was never brought here.
    #[error("image {target} is not in the store for {wanted}; here it is for {}", list(found))]
    NotHere {
        /// The index.
        target: Digest,
        /// What was asked for.
        wanted: Box<Platform>,
        /// The platforms whose manifests are here.
        found: Vec<Platform>,
    },
    /// An artifact that is no image.
    #[error("{target} is no image: its config has media type {config}")]
    NotAnImage {
        /// The manifest.
        target: Digest,
        /// The media type of its config.
        config: MediaType,
    },
    /// A layer cannot be packed or measured.
    #[error("cannot pack layer {layer}")]
    Pack {
        /// The layer.
        layer: DiffId,
        /// What went wrong.
        #[source]
        source: Box<PackError>,
    },
    /// A blob of the image cannot be read.
    #[error("cannot read the image")]
    Read(#[from] ReadError),
    /// The database.
    #[error("cannot use the records of images")]
    Record(#[from] RecordError),
    /// A descriptor that lies about a size.
    #[error("{digest} has {found} bytes, not the {wanted} that its descriptor says")]
    Size {
        /// The blob.
        digest: Digest,
        /// In the descriptor.
        wanted: u64,
        /// In the blob.
        found: u64,
    },
    /// A value that JSON cannot hold.
    #[error("cannot write the image as JSON")]
    Write(#[source] serde_json::Error),
}

impl Images {
    pub(crate) fn new(
        root: Arc<Root>,
        records: Arc<Database>,
        content: ContentStore,
        layers: LayerStore,
    ) -> Images {
        Images { root, records, content, layers }
    }

    /// Reads the image for a platform that a manifest or index descriptor leads to. A manifest is taken for what it
    /// is: its config tells its platform.
    pub fn read(&self, target: &Descriptor, platform: &Platform) -> Result<Image, ImageError> {
        let mut target = target.clone();
        for _ in 0..=INDEX_DEPTH_MAX {
            match read_manifest(&self.content, &target)? {
                ManifestKind::Manifest(manifest) => return self.image(target, manifest),
                ManifestKind::Index(index) => target = self.choose(&target.digest, &index, platform)?,
            }
        }
        Err(ImageError::Nested(target.digest))
    }

    /// Finds what a person means: a name, `name@digest`, an image id or manifest digest, or a prefix of one (12 hex
    /// digits as printed; any unambiguous prefix of 4 or more).
    pub fn find(&self, text: &str) -> Result<Option<Listed>, ImageError> {
        find::find(&self.content, self.list()?, text)
    }

    /// All images: those that names point to and those without a name. The newest first.
    pub fn list(&self) -> Result<Vec<Listed>, ImageError> {
        let ImageRecords { names, images } = self.records.image_records()?;
        let mut by_target: HashMap<Digest, Vec<Reference>> = HashMap::new();
        for (name, target) in names {
            by_target.entry(target.digest).or_default().push(name);
        }
        let listed = images.into_iter().map(|image| Listed {
            names: by_target.remove(&image.target.digest).unwrap_or_default(),
            target: image.target,
            added: image.added,
        });
        Ok(listed.collect())
    }

    /// Writes an image made here: config and manifest blobs, and a record so that it is kept without a name.
    pub fn write(&self, config: &ImageConfig) -> Result<Image, ImageError> {
        let _lease = Lease::shared(&self.root)?;
        let layers =
            config.rootfs.diff_ids.iter().map(|layer| self.plain(layer)).collect::<Result<_, _>>()?;
        let bytes = serde_json::to_vec(config).map_err(ImageError::Write)?;
        let manifest = Manifest::image(self.content.put(MediaType::OCI_CONFIG, &bytes)?, layers);
        let descriptor = self.write_manifest(&manifest)?;
        self.record(&descriptor)?;
        Ok(Image { descriptor, manifest, config: config.clone() })
    }

    /// Records that a manifest or index is an image of this store (after a pull or load).
    pub fn record(&self, target: &Descriptor) -> Result<(), ImageError> {
        let _lease = Lease::shared(&self.root)?;
        if !self.content.contains(&target.digest) {
            return Err(ReadError::Missing(target.digest.clone()).into());
        }
        if self.records.has_image(&target.digest)? {
            return Ok(());
        }
        let unflushed =
            |source| ImageError::Flush { target: target.digest.clone(), source: Box::new(source) };
        let flushed = flush(&self.root, &self.records).map_err(unflushed)?;
        Ok(self.records.add_image(target, (now(), &flushed))?)
    }

    /// Forgets an image without names; its content goes with the next collection.
    pub fn forget(&self, target: &Descriptor) -> Result<(), ImageError> {
        if self.records.forget_image(&target.digest)? {
            return Ok(());
        }
        let names = self.records.names()?.into_iter();
        let names = names.filter(|(_, named)| named.digest == target.digest);
        let names = names.map(|(name, _)| name.familiar()).collect();
        Err(ImageError::Named { target: target.digest.clone(), names })
    }

    /// The image with its layers packed, as it is pushed or exported: the same image when its layer blobs are here.
    pub fn packed(&self, image: &Image, compression: Compression) -> Result<Image, ImageError> {
        let _lease = Lease::shared(&self.root)?;
        let layers = pack::layers(&self.content, &self.layers, image, compression)?;
        if layers == image.manifest.layers {
            return Ok(image.clone());
        }
        let config =
            Descriptor { media_type: MediaType::new(MediaType::OCI_CONFIG), ..image.manifest.config.clone() };
        let manifest = Manifest {
            annotations: image.manifest.annotations.clone(),
            subject: image.manifest.subject.clone(),
            ..Manifest::image(config, layers)
        };
        let descriptor = self.write_manifest(&manifest)?;
        Ok(Image { descriptor, manifest, config: image.config.clone() })
    }

    fn image(&self, descriptor: Descriptor, manifest: Manifest) -> Result<Image, ImageError> {
        if manifest.config.media_type.kind() != MediaKind::Config {
            let config = manifest.config.media_type;
            return Err(ImageError::NotAnImage { target: descriptor.digest, config });
        }
        let config = read_config(&self.content, &manifest.config)?;
        let (blobs, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
        if blobs != diff_ids {
            return Err(ImageError::LayerCount { manifest: descriptor.digest, blobs, diff_ids });
        }
        Ok(Image { descriptor, manifest, config })
    }

    /// The entry of an index to go on with: one for the platform, else an index that is not said to be for any.
    fn choose(&self, target: &Digest, index: &Index, wanted: &Platform) -> Result<Descriptor, ImageError> {
        let unsaid =
            |entry: &&Descriptor| entry.platform.is_none() && entry.media_type.kind() == MediaKind::Index;
        let chosen = index.choose(wanted).or_else(|| index.manifests.iter().find(unsaid));
        let (target, wanted) = (target.clone(), Box::new(wanted.clone()));
        let platforms = |here: &dyn Fn(&Descriptor) -> bool| {
            let entries = index.manifests.iter().filter(|entry| here(entry));
            entries.filter_map(|entry| entry.platform.clone()).collect()
        };
        match chosen {
            None => Err(ImageError::NoPlatform { target, wanted, found: platforms(&|_| true) }),
            Some(entry) if !self.content.contains(&entry.digest) => {
                let found = platforms(&|entry| self.content.contains(&entry.digest));
                Err(ImageError::NotHere { target, wanted, found })
            }
            Some(entry) => Ok(entry.clone()),
        }
    }

    /// A layer as a plain tar that has not been written: its digest is its diff id.
    fn plain(&self, layer: &DiffId) -> Result<Descriptor, ImageError> {
        let unmeasured = |source| ImageError::Pack { layer: layer.clone(), source: Box::new(source) };
        let size = self.layers.size(layer).map_err(unmeasured)?;
        let size = size.ok_or_else(|| ImageError::MissingLayer(layer.clone()))?;
        Ok(Descriptor::new(MediaType::layer(Compression::None), layer.0.clone(), size))
    }

    fn write_manifest(&self, manifest: &Manifest) -> Result<Descriptor, ImageError> {
        let bytes = serde_json::to_vec(manifest).map_err(ImageError::Write)?;
        Ok(self.content.put(MediaType::OCI_MANIFEST, &bytes)?)
    }
}

/// Reads and parses a manifest or index, its digest and size checked.
pub(crate) fn read_manifest(content: &ContentStore, target: &Descriptor) -> Result<ManifestKind, ImageError> {
    let bytes = read_sized(content, target, MANIFEST_BYTES_MAX)?;
    ManifestKind::parse(&target.media_type, &bytes)
        .map_err(|source| ImageError::Manifest { target: target.digest.clone(), source })
}

/// Reads and parses an image config, its digest and size checked.
pub(crate) fn read_config(content: &ContentStore, config: &Descriptor) -> Result<ImageConfig, ImageError> {
    let bytes = read_sized(content, config, CONFIG_BYTES_MAX)?;
    serde_json::from_slice(&bytes)
        .map_err(|source| ImageError::Config { digest: config.digest.clone(), source })
}

fn read_sized(content: &ContentStore, wanted: &Descriptor, limit: u64) -> Result<Vec<u8>, ImageError> {
    let bytes = content.read(&wanted.digest, limit)?;
    match bytes.len() as u64 {
        found if found == wanted.size => Ok(bytes),
        found => Err(ImageError::Size { digest: wanted.digest.clone(), wanted: wanted.size, found }),
    }
}

fn list(platforms: &[Platform]) -> String {
    match platforms {
        [] => "no platform".to_owned(),
        some => some.iter().map(Platform::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// How many indexes may lie in one another.
const INDEX_DEPTH_MAX: usize = 4;
