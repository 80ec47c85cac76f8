//! OCI values: digests, descriptors, references, platforms, manifests, indexes, image configs and layouts.
//!
//! Everything here is a plain value that is parsed once and then trusted: a [`Digest`] that exists is well
//! formed, a [`Reference`] that exists has a registry and a repository. Nothing here does I/O.
//!
//! *Invariant*: a value's bytes decide its digest, so a manifest that came from elsewhere is passed on as the
//! bytes that came, never as a parsed value written out again.
//!
//! ```
//! use tug_oci::Reference;
//! let reference: Reference = "app:1".parse().unwrap();
//! assert_eq!(reference.to_string(), "docker.io/library/app:1");
//! ```

mod config;
mod descriptor;
mod digest;
pub mod layout;
mod manifest;
mod media_type;
mod platform;
mod reference;
pub mod user;

pub use config::{ContainerConfig, Healthcheck, History, ImageConfig, RootFs};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, ChainId, DiffId, Digest, Digester, ParseDigestError};
pub use manifest::{Index, Manifest, ManifestKind, ParseManifestError};
pub use media_type::{Compression, MediaKind, MediaType};
pub use platform::{ParsePlatformError, Platform};
pub use reference::{ParseReferenceError, Reference};

/// The largest manifest or index that is read, in bytes (the distribution spec asks registries to take 4 MiB).
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// The largest image config that is read, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 8 << 20;

/// The most layers that one image may have. overlayfs stacks at most 500 lower directories.
pub const LAYERS_MAX: usize = 500;
