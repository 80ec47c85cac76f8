//! What files were when they were hashed last time.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::Stat;
use tug_oci::Digest;
use tug_store::Store;
use tug_store::cache::{CacheError, FileStamp};
use tug_store::view::Entry;

/// The stamps of a context: those of last time, and what is new.
pub(super) struct Stamps {
    tree: String,
    known: HashMap<Vec<u8>, FileStamp>,
    fresh: Mutex<HashMap<Vec<u8>, Fresh>>,
}

/// A digest that was computed in this build.
struct Fresh {
    stamp: FileStamp,
    /// Whether a later build may believe it.
    lasting: bool,
}

impl Stamps {
    pub(super) fn load(store: &Store, path: &Path) -> Result<Stamps, CacheError> {
        let tree = path.to_string_lossy().into_owned();
        let known = store.cache().stamps(&tree)?;
        Ok(Stamps { tree, known, fresh: Mutex::default() })
    }

    /// The digest, unless the file changed since it was computed.
    pub(super) fn known(&self, file: &Entry) -> Option<Digest> {
        let path = file.path.as_os_str().as_bytes();
        if let Some(stamp) = self.known.get(path).filter(|stamp| fits(stamp, &file.stat)) {
            return Some(stamp.digest.clone());
        }
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = fresh.get(path).filter(|fresh| fits(&fresh.stamp, &file.stat))?;
        Some(fresh.stamp.digest.clone())
    }

    /// Notes a digest; `begun` is when the hashing began, in nanoseconds. A file that was changed just before may be
    /// changed again within the same tick of the file system's clock, and would then look the same: its digest serves
    /// this build only.
    pub(super) fn note(&self, file: &Entry, digest: &Digest, begun: i64) {
        let stamp = stamp(&file.stat, digest.clone());
        let lasting = stamp.mtime_ns.max(stamp.ctime_ns) < begun - TICK_NS;
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.insert(file.path.as_os_str().as_bytes().to_vec(), Fresh { stamp, lasting });
    }

    /// Writes what is new.
    pub(super) fn keep(&self, store: &Store) -> Result<(), CacheError> {
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let lasting = fresh.iter().filter(|(_, fresh)| fresh.lasting);
        let changed: Vec<_> = lasting.map(|(path, fresh)| (path.clone(), fresh.stamp.clone())).collect();
        store.cache().put_stamps(&self.tree, &changed, &[])
    }
}

fn stamp(stat: &Stat, digest: Digest) -> FileStamp {
    FileStamp {
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        mtime_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec as i64),
        ctime_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec as i64),
        inode: stat.st_ino,
        digest,
    }
}

fn fits(known: &FileStamp, stat: &Stat) -> bool {
    *known == stamp(stat, known.digest.clone())
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// Longer than a tick of the clock that stamps files, on every kernel configuration in use (at most 10 ms).
const TICK_NS: i64 = 100_000_000;
