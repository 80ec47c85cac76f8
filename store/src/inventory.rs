//! What lies in a store, and what its records lead to: what collection, check and measure have in common.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tug_oci::{Descriptor, DiffId, Digest};

use crate::content::ContentStore;
use crate::layer::LayerStore;
use crate::reach::{Reach, ReachError};
use crate::record::Database;
use crate::root::Root;

/// The parts of a store that are looked at together.
#[derive(Clone, Copy)]
pub(crate) struct Inventory<'a> {
    pub(crate) root: &'a Root,
    pub(crate) records: &'a Database,
    pub(crate) content: &'a ContentStore,
    pub(crate) layers: &'a LayerStore,
}

/// The entries of `blobs/` or `layers/`.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// Those named by a digest.
    pub(crate) named: Vec<(Digest, PathBuf)>,
    /// Others.
    pub(crate) stray: Vec<PathBuf>,
}

impl Inventory<'_> {
    /// All blobs.
    pub(crate) fn blobs(&self) -> io::Result<Entries> {
        entries(&self.root.blobs())
    }

    /// All layers, each with the directory that holds its `fs`.
    pub(crate) fn layers(&self) -> io::Result<Entries> {
        entries(&self.root.layers())
    }

    /// What images lead to.
    pub(crate) fn reach<'t>(
        &self,
        targets: impl IntoIterator<Item = &'t Descriptor>,
    ) -> Result<Reach, ReachError> {
        let mut reach = Reach::default();
        for target in targets {
            reach.follow(self.content, self.layers, target)?;
        }
        Ok(reach)
    }

    /// Adds the blobs that layers are packed as to those reached.
    pub(crate) fn add_packed(&self, reach: &mut Reach, packed: &[(DiffId, Descriptor)]) {
        let kept = packed.iter().filter(|(layer, _)| reach.layers.contains(layer));
        reach.blobs.extend(kept.map(|(_, blob)| blob.digest.clone()));
    }
}

fn entries(place: &Path) -> io::Result<Entries> {
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
