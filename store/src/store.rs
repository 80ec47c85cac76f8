//! The handle that everything starts from.
use std::path::Path;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {}

/// A store on disk. Cheap to clone; may be shared between threads.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens the store at `root`, making it when it is not there.
    pub fn open(root: &Path) -> Result<Store, OpenError> {
        let _ = root;
        todo!()
    }
    /// The directory.
    pub fn root(&self) -> &Path {
        todo!()
    }
    /// Blobs.
    pub fn content(&self) -> &crate::content::ContentStore {
        todo!()
    }
    /// Layers.
    pub fn layers(&self) -> &crate::layer::LayerStore {
        todo!()
    }
    /// Stacks of layers as something to run in or look into.
    pub fn snapshots(&self) -> &crate::snapshot::Snapshots {
        todo!()
    }
    /// Image names.
    pub fn names(&self) -> &crate::name::Names {
        todo!()
    }
    /// Images, named or not.
    pub fn images(&self) -> &crate::image::Images {
        todo!()
    }
    /// Build cache records.
    pub fn cache(&self) -> &crate::cache::CacheRecords {
        todo!()
    }
    /// Keeps all that this process makes or uses from the collector until dropped.
    pub fn lease(&self) -> Result<crate::lease::Lease, crate::lease::LeaseError> {
        todo!()
    }
    /// Removes what nothing holds.
    pub fn collect(
        &self,
        policy: &crate::gc::Policy,
    ) -> Result<crate::gc::Collected, crate::gc::CollectError> {
        let _ = policy;
        todo!()
    }
    /// Checks everything against everything.
    pub fn fsck(&self) -> Result<crate::fsck::Report, crate::fsck::FsckError> {
        todo!()
    }
    /// What takes how much.
    pub fn usage(&self) -> Result<crate::usage::Usage, crate::usage::UsageError> {
        todo!()
    }
}
