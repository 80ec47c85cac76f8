//! Image manifests and indexes (image spec; Docker's schema 2 has the same shape).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Descriptor, LAYERS_MAX, MediaKind, MediaType, Platform};

/// One image for one platform, or an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// The manifest's own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What kind of artifact this is, when it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image config.
    pub config: Descriptor,
    /// Layers from the lowest up.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// What this artifact is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free-form notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// A list of manifests, usually one a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The index's own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What kind of artifact this is, when it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests.
    #[serde(default)]
    pub manifests: Vec<Descriptor>,
    /// What this artifact is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free-form notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// What a manifest's bytes turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "held one at a time; a box would only be in the way of readers"
)]
pub enum ManifestKind {
    /// One image or artifact.
    Manifest(Manifest),
    /// A list of them.
    Index(Index),
}

/// Why bytes are no manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseManifestError {
    /// Not JSON, or not the JSON of its media type.
    #[error("{media_type} is malformed")]
    Json {
        /// The media type that was expected.
        media_type: MediaType,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// A media type that is no manifest.
    #[error("media type {0} is neither an image manifest nor an index")]
    NotAManifest(MediaType),
    /// The bytes say one media type, their descriptor another. (A blob that is both at once fools scanners.)
    #[error("manifest says it is {found}, its descriptor {wanted}")]
    MediaTypeDiffers {
        /// The descriptor's.
        wanted: MediaType,
        /// The bytes'.
        found: MediaType,
    },
    /// A schema other than 2.
    #[error("manifest schema version {0} is not supported; only version 2 is")]
    Schema(u32),
    /// More layers than can be stacked.
    #[error("image has {0} layers; at most {LAYERS_MAX} can be stacked")]
    TooManyLayers(usize),
    /// Holds the fields of a manifest and of an index at once (CVE-2021-41190).
    #[error("manifest has both `manifests` and `layers` or `config`; refused as ambiguous")]
    Ambiguous,
}

impl ManifestKind {
    /// Parses the bytes that a descriptor of `media_type` points to.
    pub fn parse(media_type: &MediaType, bytes: &[u8]) -> Result<ManifestKind, ParseManifestError> {
        let malformed = |source| ParseManifestError::Json { media_type: media_type.clone(), source };
        let shape: Shape = serde_json::from_slice(bytes).map_err(malformed)?;
        shape.check(media_type)?;
        match media_type.kind() {
            MediaKind::Index => Ok(ManifestKind::Index(serde_json::from_slice(bytes).map_err(malformed)?)),
            _ => {
                let manifest: Manifest = serde_json::from_slice(bytes).map_err(malformed)?;
                if manifest.layers.len() > LAYERS_MAX {
                    return Err(ParseManifestError::TooManyLayers(manifest.layers.len()));
                }
                Ok(ManifestKind::Manifest(manifest))
            }
        }
    }
}

/// The fields that tell a manifest from an index, before either is believed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: u32,
    media_type: Option<MediaType>,
    manifests: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

impl Shape {
    fn check(&self, wanted: &MediaType) -> Result<(), ParseManifestError> {
        let kind = wanted.kind();
        if !matches!(kind, MediaKind::Manifest | MediaKind::Index) {
            return Err(ParseManifestError::NotAManifest(wanted.clone()));
        }
        if self.schema_version != 2 {
            return Err(ParseManifestError::Schema(self.schema_version));
        }
        if let Some(found) = &self.media_type
            && found != wanted
        {
            return Err(ParseManifestError::MediaTypeDiffers {
                wanted: wanted.clone(),
                found: found.clone(),
            });
        }
        let ambiguous = match kind {
            MediaKind::Index => self.layers.is_some() || self.config.is_some(),
            _ => self.manifests.is_some(),
        };
        if ambiguous { Err(ParseManifestError::Ambiguous) } else { Ok(()) }
    }
}

impl Manifest {
    /// An OCI image manifest.
    pub fn image(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
        Manifest {
            schema_version: 2,
            media_type: Some(MediaType::OCI_MANIFEST.into()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: None,
        }
    }
}

impl Index {
    /// An OCI index.
    pub fn of(manifests: Vec<Descriptor>) -> Index {
        Index {
            schema_version: 2,
            media_type: Some(MediaType::OCI_INDEX.into()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: None,
        }
    }

    /// The manifest for a platform: the first that satisfies it. An index whose only entry names no platform
    /// gives that entry. Attestations (platform `unknown/unknown`) never match.
    pub fn choose(&self, wanted: &Platform) -> Option<&Descriptor> {
        let fits = |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|p| p.satisfies(wanted));
        match self.manifests.as_slice() {
            [only] if only.platform.is_none() => Some(only),
            entries => entries.iter().find(fits),
        }
    }
}

#[cfg(test)]
mod tests;
