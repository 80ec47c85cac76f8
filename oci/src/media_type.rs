//! Media types of the OCI image spec and of Docker's schema 2.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a layer's tar is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compression {
    /// A plain tar.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// What a blob of some media type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// One image for one platform.
    Manifest,
    /// A list of manifests.
    Index,
    /// An image config.
    Config,
    /// A filesystem layer.
    Layer(Compression),
    /// Anything else: an artifact's own type.
    Other,
}

/// A media type as it stands in a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(String);

impl MediaType {
    /// OCI image manifest.
    pub const OCI_MANIFEST: &'static str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const OCI_INDEX: &'static str = "application/vnd.oci.image.index.v1+json";
    /// OCI image config.
    pub const OCI_CONFIG: &'static str = "application/vnd.oci.image.config.v1+json";
    /// OCI layer, uncompressed.
    pub const OCI_LAYER: &'static str = "application/vnd.oci.image.layer.v1.tar";
    /// OCI layer, gzip.
    pub const OCI_LAYER_GZIP: &'static str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// OCI layer, zstd.
    pub const OCI_LAYER_ZSTD: &'static str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// The empty JSON object, as an artifact's config.
    pub const OCI_EMPTY: &'static str = "application/vnd.oci.empty.v1+json";
    /// Docker schema 2 manifest.
    pub const DOCKER_MANIFEST: &'static str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_INDEX: &'static str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker image config.
    pub const DOCKER_CONFIG: &'static str = "application/vnd.docker.container.image.v1+json";
    /// Docker layer, gzip.
    pub const DOCKER_LAYER_GZIP: &'static str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// Docker layer, uncompressed.
    pub const DOCKER_LAYER: &'static str = "application/vnd.docker.image.rootfs.diff.tar";

    /// A media type as given.
    pub fn new(text: impl Into<String>) -> MediaType {
        MediaType(text.into())
    }

    /// The OCI layer type for a compression.
    pub fn layer(compression: Compression) -> MediaType {
        MediaType::new(match compression {
            Compression::None => MediaType::OCI_LAYER,
            Compression::Gzip => MediaType::OCI_LAYER_GZIP,
            Compression::Zstd => MediaType::OCI_LAYER_ZSTD,
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a blob of this type is. Non-distributable ("foreign") layers count as layers.
    pub fn kind(&self) -> MediaKind {
        match self.0.as_str() {
            MediaType::OCI_MANIFEST | MediaType::DOCKER_MANIFEST => MediaKind::Manifest,
            MediaType::OCI_INDEX | MediaType::DOCKER_INDEX => MediaKind::Index,
            MediaType::OCI_CONFIG | MediaType::DOCKER_CONFIG => MediaKind::Config,
            MediaType::OCI_LAYER
            | MediaType::DOCKER_LAYER
            | "application/vnd.oci.image.layer.nondistributable.v1.tar" => {
                MediaKind::Layer(Compression::None)
            }
            MediaType::OCI_LAYER_GZIP
            | MediaType::DOCKER_LAYER_GZIP
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => {
                MediaKind::Layer(Compression::Gzip)
            }
            MediaType::OCI_LAYER_ZSTD
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => MediaKind::Layer(Compression::Zstd),
            _ => MediaKind::Other,
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> MediaType {
        MediaType::new(text)
    }
}
