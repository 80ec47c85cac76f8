//! Image names.
use std::sync::Arc;

use crate::content::ContentStore;
use crate::record::Database;
use tug_oci::{Descriptor, Reference};

/// References and what they point to.
pub struct Names {
    records: Arc<Database>,
    content: ContentStore,
}
/// Why a name cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {}

impl Names {
    pub(crate) fn new(records: Arc<Database>, content: ContentStore) -> Names {
        Names { records, content }
    }
    /// What a name points to.
    pub fn get(&self, name: &Reference) -> Result<Option<Descriptor>, NameError> {
        let _ = name;
        todo!()
    }
    /// Points a name to a manifest or index; what it pointed to before stays as an unnamed image.
    pub fn set(&self, name: &Reference, target: &Descriptor) -> Result<(), NameError> {
        let _ = (name, target);
        todo!()
    }
    /// Removes a name; says whether it was there.
    pub fn remove(&self, name: &Reference) -> Result<bool, NameError> {
        let _ = name;
        todo!()
    }
    /// All names, sorted.
    pub fn list(&self) -> Result<Vec<(Reference, Descriptor)>, NameError> {
        todo!()
    }
}
