//! Directories for small files that live as long as a container. A directory is held by a lock, so those that a killed
//! process left behind can be told, and are swept by the next.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use tempfile::TempDir;

/// A directory that goes when this is dropped.
pub(crate) struct Scratch {
    directory: TempDir,
    _lock: File,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a directory in {parent}")]
pub(crate) struct ScratchError {
    parent: PathBuf,
    #[source]
    source: io::Error,
}

impl Scratch {
    /// A new directory in `parent`.
    pub(crate) fn new(parent: &Path) -> Result<Scratch, ScratchError> {
        let make = || {
            fs::create_dir_all(parent)?;
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let lock = File::open(directory.path())?;
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            Ok(Scratch { directory, _lock: lock })
        };
        make().map_err(|source| ScratchError { parent: parent.to_owned(), source })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes what nobody holds any more. What is young may belong to somebody who is about to lock it.
    pub(crate) fn sweep(parent: &Path) {
        let Ok(entries) = fs::read_dir(parent) else { return };
        for entry in entries.flatten().take(SWEPT_MAX) {
            let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
            let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
            if ours && matches!(age, Ok(Ok(age)) if age > YOUNG) {
                // What cannot be removed now is left to the next.
                let _ = remove_unheld(&entry.path());
            }
        }
    }
}

fn remove_unheld(path: &Path) -> io::Result<()> {
    let lock = File::open(path)?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    fs::remove_dir_all(path)
}

const PREFIX: &str = "scratch-";
const YOUNG: Duration = Duration::from_secs(60);
/// The most that one process cleans up after others.
const SWEPT_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_or_young_stays() {
        let parent = tempfile::tempdir().unwrap();
        let old = |path: &Path| {
            let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
            File::open(path).unwrap().set_times(times).unwrap();
        };
        let held = Scratch::new(parent.path()).unwrap();
        let young = parent.path().join("scratch-young");
        let left = parent.path().join("scratch-left");
        let foreign = parent.path().join("names");
        [&young, &left, &foreign].iter().for_each(|path| fs::create_dir(path).unwrap());
        fs::write(left.join("hosts"), "x").unwrap();
        [held.path(), &left, &foreign].iter().for_each(|path| old(path));
        Scratch::sweep(parent.path());
        assert!(held.path().exists() && young.exists() && foreign.exists());
        assert!(!left.exists());
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }
}
