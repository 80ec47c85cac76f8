//! Where things lie in a store's directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tug_oci::{DiffId, Digest};

/// The store's directory and the places in it.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
}

impl Root {
    pub(crate) fn new(path: PathBuf) -> Root {
        Root { path }
    }

    /// The store's own directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `blobs/`: committed blobs.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// `blobs/<algorithm>/<hex>`.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// `layers/`: committed layers.
    pub(crate) fn layers(&self) -> PathBuf {
        self.path.join("layers")
    }

    /// `layers/<algorithm>/<hex>`, which holds the layer's `fs`.
    pub(crate) fn layer(&self, layer: &DiffId) -> PathBuf {
        self.layers().join(layer.0.algorithm().as_str()).join(layer.0.hex())
    }

    /// `ingest/`: blobs being written, each locked by its writer.
    pub(crate) fn ingest(&self) -> PathBuf {
        self.path.join("ingest")
    }

    /// `staging/`: directories being filled, each locked by its owner; also what is being removed.
    pub(crate) fn staging(&self) -> PathBuf {
        self.path.join("staging")
    }

    /// `composed/`: layers that lean on what is below them, composed for one stack.
    pub(crate) fn composed(&self) -> PathBuf {
        self.path.join("composed")
    }

    /// The file that leases lock.
    pub(crate) fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// The record database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("store.db")
    }

    /// The entries of `blobs/` or `layers/`, sorted.
    pub(crate) fn list(&self, place: &Path) -> io::Result<Entries> {
        debug_assert!(place.starts_with(&self.path), "only the store's own directories are listed");
        let mut found = Entries::default();
        for algorithm in fs::read_dir(place)? {
            let algorithm = algorithm?;
            if !algorithm.file_type()?.is_dir() {
                found.stray.push(algorithm.path());
                continue;
            }
            for entry in fs::read_dir(algorithm.path())? {
                let entry = entry?;
                let names = (algorithm.file_name(), entry.file_name());
                let digest = match (names.0.to_str(), names.1.to_str()) {
                    (Some(algorithm), Some(hex)) => format!("{algorithm}:{hex}").parse().ok(),
                    _ => None,
                };
                match digest {
                    Some(digest) => found.named.push((digest, entry.path())),
                    None => found.stray.push(entry.path()),
                }
            }
        }
        found.named.sort();
        Ok(found)
    }
}

/// The entries of `blobs/` or `layers/`.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// Those named by a digest.
    pub(crate) named: Vec<(Digest, PathBuf)>,
    /// Others.
    pub(crate) stray: Vec<PathBuf>,
}
