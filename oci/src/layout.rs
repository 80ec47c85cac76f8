//! Constants and values of the OCI image layout and of Docker's image archive.

use serde::{Deserialize, Serialize};

/// The marker file of an OCI layout.
pub const LAYOUT_FILE: &str = "oci-layout";

/// What the marker file holds.
pub const LAYOUT_JSON: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// The index of an OCI layout.
pub const INDEX_FILE: &str = "index.json";

/// The list of images of a docker archive.
pub const DOCKER_MANIFEST_FILE: &str = "manifest.json";

/// Annotation of an `index.json` entry: its tag, or its whole name.
pub const ANNOTATION_REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Annotation of an `index.json` entry: its whole name, as containerd and BuildKit write it.
pub const ANNOTATION_IMAGE_NAME: &str = "io.containerd.image.name";

/// One image of a docker archive's `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerArchiveEntry {
    /// The member that holds the image config.
    pub config: String,
    /// The names, as `repository:tag`.
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    /// The members that hold the layers, from the lowest up.
    pub layers: Vec<String>,
}
