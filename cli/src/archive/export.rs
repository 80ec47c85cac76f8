//! Images → the members of an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tug_oci::layout::{
    ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, DockerArchiveEntry, INDEX_FILE, LAYOUT_FILE, LAYOUT_JSON,
};
use tug_oci::{
    CONFIG_BYTES_MAX, Compression, Descriptor, Digest, Index, MANIFEST_BYTES_MAX, Manifest, MediaType,
    Reference,
};
use tug_store::Store;
use tug_store::image::{Image, ImageError};
use tug_store::layer::PackError;

use super::sink::Sink;

/// An image to export and the names it is to have in the archive.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    /// The image.
    pub(crate) image: Image,
    /// Its names.
    pub(crate) names: Vec<Reference>,
}

/// What the archive looks like. Either is an OCI layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// With plain layers and Docker's `manifest.json` beside the index, so that every reader finds what it knows.
    Docker,
    /// With gzip layers, the very bytes that a push sends.
    Oci,
}

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ExportError {
    /// The image cannot be read or packed.
    #[error("cannot read image {id}")]
    Image {
        /// The image.
        id: Digest,
        /// What went wrong.
        #[source]
        source: ImageError,
    },
    /// A layer cannot be read.
    #[error("cannot read layer {layer}")]
    Layer {
        /// The layer.
        layer: Digest,
        /// What went wrong.
        #[source]
        source: PackError,
    },
    /// A config or manifest cannot be read.
    #[error("cannot read {digest}")]
    Read {
        /// The blob.
        digest: Digest,
        /// What went wrong.
        #[source]
        source: tug_store::content::ReadError,
    },
    /// The archive cannot be written.
    #[error("cannot write {member}")]
    Write {
        /// The member.
        member: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A value that JSON cannot hold.
    #[error("cannot write JSON")]
    Json(#[from] serde_json::Error),
}

/// Writes images as an archive.
pub(crate) fn export(
    store: &Store,
    exports: &[Export],
    layout: Layout,
    sink: &mut dyn Sink,
) -> Result<(), ExportError> {
    let mut plans = Vec::new();
    for export in exports {
        plans.push(Plan::of(store, export, layout)?);
    }
    let mut writer = Writer { store, sink, written: BTreeSet::new() };
    writer.directories()?;
    for plan in &plans {
        writer.image(plan)?;
    }
    let index = Index::of(plans.iter().flat_map(Plan::index_entries).collect());
    writer.bytes(INDEX_FILE, &serde_json::to_vec(&index)?)?;
    if layout == Layout::Docker {
        let entries: Vec<DockerArchiveEntry> = plans.iter().map(Plan::docker_entry).collect();
        writer.bytes(DOCKER_MANIFEST, &serde_json::to_vec(&entries)?)?;
    }
    writer.bytes(LAYOUT_FILE, LAYOUT_JSON.as_bytes())?;
    writer.sink.finish().map_err(|source| ExportError::Write { member: "the end".to_owned(), source })
}

/// An image as it will stand in the archive.
struct Plan {
    descriptor: Descriptor,
    manifest: Manifest,
    manifest_bytes: Vec<u8>,
    config_bytes: Vec<u8>,
    names: Vec<Reference>,
}

impl Plan {
    fn of(store: &Store, export: &Export, layout: Layout) -> Result<Plan, ExportError> {
        let read = |digest: &Digest, limit| {
            let failed = |source| ExportError::Read { digest: digest.clone(), source };
            store.content().read(digest, limit).map_err(failed)
        };
        let image = &export.image;
        let config_bytes = read(image.id(), CONFIG_BYTES_MAX)?;
        let names = export.names.clone();
        if layout == Layout::Oci {
            let failed = |source| ExportError::Image { id: image.id().clone(), source };
            let packed = store.images().packed(image, Compression::Gzip).map_err(failed)?;
            let manifest_bytes = read(&packed.descriptor.digest, MANIFEST_BYTES_MAX)?;
            let (descriptor, manifest) = (packed.descriptor, packed.manifest);
            return Ok(Plan { descriptor, manifest, manifest_bytes, config_bytes, names });
        }
        let mut layers = Vec::new();
        for layer in image.diff_ids() {
            let failed = |source| ExportError::Layer { layer: layer.0.clone(), source };
            let missing = || ExportError::Image {
                id: image.id().clone(),
                source: ImageError::MissingLayer(layer.clone()),
            };
            let size = store.layers().size(layer).map_err(failed)?.ok_or_else(missing)?;
            layers.push(Descriptor::new(MediaType::layer(Compression::None), layer.0.clone(), size));
        }
        let config =
            Descriptor::new(MediaType::OCI_CONFIG.into(), image.id().clone(), image.manifest.config.size);
        let mut manifest = Manifest::image(config, layers);
        manifest.annotations.clone_from(&image.manifest.annotations);
        let manifest_bytes = serde_json::to_vec(&manifest)?;
        let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &manifest_bytes);
        Ok(Plan { descriptor, manifest, manifest_bytes, config_bytes, names })
    }

    /// An entry a name; one without, for an image without names.
    fn index_entries(&self) -> Vec<Descriptor> {
        let entry = |name: Option<&Reference>| {
            let mut annotations = BTreeMap::new();
            if let Some(name) = name {
                annotations.insert(ANNOTATION_IMAGE_NAME.to_owned(), name.to_string());
                let tag = name.tag().unwrap_or_default();
                annotations.insert(ANNOTATION_REF_NAME.to_owned(), tag.to_owned());
            }
            let annotations = Some(annotations).filter(|annotations| !annotations.is_empty());
            Descriptor { annotations, ..self.descriptor.clone() }
        };
        match self.names.is_empty() {
            true => vec![entry(None)],
            false => self.names.iter().map(|name| entry(Some(name))).collect(),
        }
    }

    fn docker_entry(&self) -> DockerArchiveEntry {
        DockerArchiveEntry {
            config: blob_path(&self.manifest.config.digest),
            repo_tags: Some(self.names.iter().map(Reference::familiar).collect()),
            layers: self.manifest.layers.iter().map(|layer| blob_path(&layer.digest)).collect(),
        }
    }
}

struct Writer<'a> {
    store: &'a Store,
    sink: &'a mut dyn Sink,
    written: BTreeSet<Digest>,
}

impl Writer<'_> {
    fn directories(&mut self) -> Result<(), ExportError> {
        for name in [BLOBS, "blobs/sha256"] {
            let failed = |source| ExportError::Write { member: name.to_owned(), source };
            self.sink.directory(name).map_err(failed)?;
        }
        Ok(())
    }

    fn image(&mut self, plan: &Plan) -> Result<(), ExportError> {
        for layer in &plan.manifest.layers {
            self.layer(layer)?;
        }
        for (digest, bytes) in [
            (&plan.manifest.config.digest, &plan.config_bytes),
            (&plan.descriptor.digest, &plan.manifest_bytes),
        ] {
            if self.written.insert(digest.clone()) {
                self.bytes(&blob_path(digest), bytes)?;
            }
        }
        Ok(())
    }

    fn layer(&mut self, layer: &Descriptor) -> Result<(), ExportError> {
        if !self.written.insert(layer.digest.clone()) {
            return Ok(());
        }
        let failed = |source| ExportError::Layer { layer: layer.digest.clone(), source };
        let mut reader = self.store.layers().open(layer).map_err(failed)?;
        let member = blob_path(&layer.digest);
        let written = self.sink.file(&member, layer.size, &mut reader);
        written.map_err(|source| ExportError::Write { member, source })
    }

    fn bytes(&mut self, member: &str, mut bytes: &[u8]) -> Result<(), ExportError> {
        let written = self.sink.file(member, bytes.len() as u64, &mut bytes);
        written.map_err(|source| ExportError::Write { member: member.to_owned(), source })
    }
}

pub(super) fn blob_path(digest: &Digest) -> String {
    format!("{BLOBS}/{}/{}", digest.algorithm().as_str(), digest.hex())
}

const BLOBS: &str = "blobs";
pub(super) const DOCKER_MANIFEST: &str = tug_oci::layout::DOCKER_MANIFEST_FILE;
