//! What is to be run: a root filesystem and an OCI runtime configuration.

use std::path::PathBuf;

use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

/// A root filesystem together with the configuration of the container that runs in it.
///
/// `spec.root.path` is not read, `rootfs` takes its place; `spec.root.readonly` counts.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Where the files are.
    pub rootfs: Rootfs,
    /// The OCI runtime configuration.
    pub spec: Spec,
}

/// Where the container's files are.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Rootfs {
    /// A directory, changed in place.
    Dir(PathBuf),
    /// An overlay mount that the runtime makes.
    Overlay {
        /// The lower directories, the top one first.
        lowers: Vec<PathBuf>,
        /// The directory that takes the changes.
        upper: PathBuf,
        /// An empty directory on the file system of `upper`. It cannot be used twice: the mount is `volatile`.
        work: PathBuf,
    },
}
