//! Leases: what a running process makes or uses is kept until it ends.
//!
//! A lease is a shared lock on one file of the store, the collector's an exclusive one. The kernel drops a lock with
//! the process that has it, so a killed process holds nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::root::Root;

/// Held by a file lock: a killed process holds nothing. The collector takes the other side of the lock.
#[derive(Debug)]
pub struct Lease {
    _lock: File,
}

/// Why no lease can be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// The file cannot be opened or locked.
    #[error("cannot lock {path}")]
    Lock {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The other side did not let go in time.
    #[error("store is locked by {holder}; waited {} seconds for {path}", waited.as_secs())]
    Busy {
        /// The file.
        path: PathBuf,
        /// Who has it, as far as the side of the lock tells.
        holder: &'static str,
        /// How long was waited.
        waited: Duration,
    },
}

impl Lease {
    /// The side of those who make and use. Waits for a collection to end.
    pub(crate) fn shared(root: &Root) -> Result<Lease, LeaseError> {
        let holder = "a collection (prune or rmi) that is still removing";
        lock(root, FlockOperation::NonBlockingLockShared, SHARED_WAIT_MAX, holder)
    }

    /// The collector's side. Waits no longer than `wait` for others to end.
    pub(crate) fn exclusive(root: &Root, wait: Duration) -> Result<Lease, LeaseError> {
        let holder = "builds, pulls or containers that are running";
        lock(root, FlockOperation::NonBlockingLockExclusive, wait, holder)
    }
}

fn lock(
    root: &Root,
    side: FlockOperation,
    wait: Duration,
    holder: &'static str,
) -> Result<Lease, LeaseError> {
    let path = root.lock();
    let failed = |source| LeaseError::Lock { path: path.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    let start = Instant::now();
    loop {
        match rustix::fs::flock(&file, side) {
            Ok(()) => return Ok(Lease { _lock: file }),
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if start.elapsed() < wait => std::thread::sleep(PAUSE),
            Err(Errno::WOULDBLOCK) => return Err(LeaseError::Busy { path, holder, waited: wait }),
            Err(error) => return Err(failed(error.into())),
        }
    }
}

/// Removing a great store takes minutes.
const SHARED_WAIT_MAX: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(10);
