//! Content is brought to disk before a record leads to it: once, for all that the record leads to.
//!
//! A layer is renamed into place with its files still in the kernel's memory. Its record says so until the first name
//! or image record after it, ahead of which the file system is flushed. When the machine went down, layers that were
//! not flushed may be hollow; the first process that opens the store after takes them away.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tug_oci::DiffId;

use crate::lease::{Lease, LeaseError};
use crate::record::{Database, Flushed, RecordError};
use crate::root::Root;
use crate::scratch;

/// Why content could not be brought to disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// The file system says no.
    #[error("cannot flush {path} to disk")]
    Io {
        /// What was flushed.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The database.
    #[error("cannot tell which layers are on disk")]
    Record(#[from] RecordError),
}

/// Why a store could not be put right after the machine went down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The lock file.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A layer that may be hollow cannot be removed.
    #[error("cannot remove what was not flushed below {path}")]
    Remove {
        /// A directory of the store.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The database.
    #[error("cannot tell which layers are on disk")]
    Record(#[from] RecordError),
}

/// Brings all content so far to disk. A layer's files are all written before its record is, so that the layers
/// recorded now are the ones that this flush is sure to cover.
pub(crate) fn flush(root: &Root, records: &Database) -> Result<Flushed, FlushError> {
    let layers = records.unflushed_layers()?;
    match layers.is_empty() {
        true => each(&root.blobs(), |directory| directory.sync_all())?,
        false => {
            let path = root.path();
            let synced = File::open(path).and_then(|root| Ok(rustix::fs::syncfs(root)?));
            synced.map_err(failed(path))?;
        }
    }
    Ok(Flushed { layers })
}

/// Removes what an earlier run of the machine may have left hollow.
pub(crate) fn recover(root: &Root, records: &Database) -> Result<(), RecoverError> {
    let Some(boot) = boot_id() else { return Ok(()) };
    if records.boot()?.as_ref() == Some(&boot) {
        return Ok(());
    }
    let _lease = match Lease::exclusive(root, RECOVER_WAIT) {
        // Who holds it opened the store in this run, and so has seen to it.
        Err(LeaseError::Busy { .. }) => return Ok(()),
        lease => lease?,
    };
    if records.boot()?.as_ref() == Some(&boot) {
        return Ok(());
    }
    let flushed = records.flushed_layers()?;
    let failed = |source| RecoverError::Remove { path: root.layers(), source };
    let mut hollow = Vec::new();
    for (digest, path) in root.list(&root.layers()).map_err(failed)?.named {
        let layer = DiffId(digest);
        if !flushed.contains(&layer) {
            scratch::discard(&path, &root.staging()).map_err(failed)?;
            hollow.push(layer);
        }
    }
    let composed = root.composed();
    scratch::sweep(&composed).map_err(|source| RecoverError::Remove { path: composed, source })?;
    records.drop_layers(&hollow, &[])?;
    Ok(records.set_boot(&boot)?)
}

fn each(place: &Path, flush: impl Fn(&File) -> io::Result<()>) -> Result<(), FlushError> {
    let entries = fs::read_dir(place).map_err(failed(place))?;
    for entry in entries {
        let path = entry.map_err(failed(place))?.path();
        File::open(&path).and_then(|file| flush(&file)).map_err(failed(&path))?;
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FlushError {
    let path = path.to_owned();
    move |source| FlushError::Io { path, source }
}

/// Names this run of the machine.
fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

const RECOVER_WAIT: Duration = Duration::from_secs(5);
