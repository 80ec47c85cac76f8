//! What lies in a store, and what its records lead to: what collection, check and measure have in common.

use std::io;

use tug_oci::{Descriptor, DiffId};

use crate::content::ContentStore;
use crate::layer::LayerStore;
use crate::reach::{Reach, ReachError};
use crate::record::Database;
use crate::root::{Entries, Root};

/// The parts of a store that are looked at together.
#[derive(Clone, Copy)]
pub(crate) struct Inventory<'a> {
    pub(crate) root: &'a Root,
    pub(crate) records: &'a Database,
    pub(crate) content: &'a ContentStore,
    pub(crate) layers: &'a LayerStore,
}

impl Inventory<'_> {
    /// All blobs.
    pub(crate) fn blobs(&self) -> io::Result<Entries> {
        self.root.list(&self.root.blobs())
    }

    /// All layers, each with the directory that holds its `fs`.
    pub(crate) fn layers(&self) -> io::Result<Entries> {
        self.root.list(&self.root.layers())
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
