//! Snapshots: a stack of layers as overlay directories, to run in or to look into.
use crate::layer::{CommitError, Layer, Settle};
use crate::view::View;
use std::path::{Path, PathBuf};
use tug_oci::DiffId;

/// Makes snapshots.
pub struct Snapshots {}

/// Why a stack of layers cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {}

impl Snapshots {
    pub(crate) fn new(
        root: std::sync::Arc<crate::root::Root>,
        records: std::sync::Arc<crate::record::Database>,
        layers: crate::layer::LayerStore,
    ) -> Snapshots {
        let _ = (root, records, layers);
        Snapshots {}
    }
    /// The directories of a stack (given from the lowest layer up), top first, as overlay wants them. A layer that
    /// leans on what is below it is composed for this stack.
    pub fn lowers(&self, layers: &[DiffId]) -> Result<Vec<PathBuf>, PrepareError> {
        let _ = layers;
        todo!()
    }
    /// A stack with an empty writable directory on top.
    pub fn prepare(&self, layers: &[DiffId]) -> Result<Active, PrepareError> {
        let _ = layers;
        todo!()
    }
    /// A stack to read, without mounting it.
    pub fn view(&self, layers: &[DiffId]) -> Result<View, PrepareError> {
        let _ = layers;
        todo!()
    }
}

/// A stack that is being changed. Dropped without commit, its changes are removed.
pub struct Active {}
impl Active {
    /// The read-only directories, top first. Empty for an empty stack.
    pub fn lowers(&self) -> &[PathBuf] {
        todo!()
    }
    /// The overlay upper directory.
    pub fn upper(&self) -> &Path {
        todo!()
    }
    /// The overlay work directory.
    pub fn work(&self) -> &Path {
        todo!()
    }
    /// Makes the changes a layer. `None` when nothing was changed.
    pub fn commit(self, settle: Settle) -> Result<Option<Layer>, CommitError> {
        let _ = settle;
        todo!()
    }
}
