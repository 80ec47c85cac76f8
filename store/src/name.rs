//! Image names.

use std::sync::Arc;

use tug_oci::{Descriptor, Digest, Reference};

use crate::content::ContentStore;
use crate::flush::{FlushError, flush};
use crate::lease::{Lease, LeaseError};
use crate::record::{Database, RecordError, now};
use crate::root::Root;

/// References and what they point to.
pub struct Names {
    root: Arc<Root>,
    records: Arc<Database>,
    content: ContentStore,
}

/// Why a name cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The database.
    #[error("cannot use the record of name {name}")]
    Record {
        /// The name as a person writes it.
        name: String,
        /// What went wrong.
        #[source]
        source: RecordError,
    },
    /// The database, for all names.
    #[error("cannot list the names of images")]
    List(#[source] RecordError),
    /// What the name is to point to is not here.
    #[error("name {name} cannot point to {target}: that manifest is not in the store")]
    NoContent {
        /// The name as a person writes it.
        name: String,
        /// The missing manifest or index.
        target: Digest,
    },
    /// The content could not be flushed to disk ahead of the name.
    #[error("cannot flush the store's content to disk before naming it {name}")]
    Flush {
        /// The name as a person writes it.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<FlushError>,
    },
    /// A collection is under way.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

impl Names {
    pub(crate) fn new(root: Arc<Root>, records: Arc<Database>, content: ContentStore) -> Names {
        Names { root, records, content }
    }

    /// What a name points to.
    pub fn get(&self, name: &Reference) -> Result<Option<Descriptor>, NameError> {
        self.records.name(name).map_err(failed(name))
    }

    /// Points a name to a manifest or index; what it pointed to before stays as an unnamed image.
    pub fn set(&self, name: &Reference, target: &Descriptor) -> Result<(), NameError> {
        let _lease = Lease::shared(&self.root)?;
        if !self.content.contains(&target.digest) {
            return Err(NameError::NoContent { name: name.familiar(), target: target.digest.clone() });
        }
        if self.get(name)?.as_ref() == Some(target) {
            return Ok(());
        }
        let flushed = flush(&self.root, &self.records)
            .map_err(|source| NameError::Flush { name: name.familiar(), source: Box::new(source) })?;
        self.records.set_name(name, target, (now(), &flushed)).map_err(failed(name))
    }

    /// Removes a name; says whether it was there.
    pub fn remove(&self, name: &Reference) -> Result<bool, NameError> {
        self.records.remove_name(name).map_err(failed(name))
    }

    /// All names, sorted.
    pub fn list(&self) -> Result<Vec<(Reference, Descriptor)>, NameError> {
        self.records.names().map_err(NameError::List)
    }
}

fn failed(name: &Reference) -> impl FnOnce(RecordError) -> NameError {
    let name = name.familiar();
    move |source| NameError::Record { name, source }
}
