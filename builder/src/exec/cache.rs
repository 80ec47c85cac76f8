//! Cache mounts: folders in the store that later builds find again.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tug_dockerfile::instruction::CacheSharing;
use tug_oci::Digest;
use tug_solver::Cancel;

use crate::exec::RunError;
use crate::exec::mounts::{Held, Mounts, fill, own};
use crate::op::{CacheMount, CacheStart, ExecOp, OpMountSource};
use crate::ports::ExecError;

impl Mounts<'_> {
    /// Takes the caches that the step mounts. Always in the order of their names, so that two steps that lock the same
    /// ones do not wait for each other.
    pub(super) fn take_caches(&mut self, op: &ExecOp, cancel: &Cancel) -> Result<(), RunError> {
        let mut wanted: Vec<(String, &str, &CacheMount)> = Vec::new();
        for mount in &op.mounts {
            if let OpMountSource::Cache(cache) = &mount.source {
                wanted.push((self.cache_name(cache), &mount.target, cache));
            }
        }
        wanted.sort_by(|left, right| left.0.cmp(&right.0));
        for (name, target, cache) in wanted {
            if !self.caches.contains_key(&name) {
                let place = self.take_cache(&name, cache, (target, cancel))?;
                self.caches.insert(name, place);
            }
        }
        Ok(())
    }

    /// A cache's name on disk: ids are data, never paths.
    pub(super) fn cache_name(&self, cache: &CacheMount) -> String {
        let origin = cache.input.map(|input| (&self.inputs[input].diff_ids, &cache.source));
        Digest::of(format!("{}\0{origin:?}", cache.id).as_bytes()).hex().to_owned()
    }

    /// The folder of a cache, made on first use, and locked as its sharing asks.
    fn take_cache(
        &mut self,
        name: &str,
        cache: &CacheMount,
        (target, cancel): (&str, &Cancel),
    ) -> Result<PathBuf, RunError> {
        let failed = |source| RunError::Mount { target: target.to_owned(), source };
        if cache.start == CacheStart::Empty {
            let staged = self.runner.store.layers().stage()?;
            self.begin(staged.fs(), cache, target)?;
            let path = staged.fs().to_owned();
            self.held.push(Held::Directory(staged));
            return Ok(path);
        }
        let folder = self.runner.store.root().join(CACHE_MOUNTS).join(name);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let mut number = 0;
        loop {
            let lock = File::create(folder.join(format!("{number}.lock"))).map_err(failed)?;
            let taken = match cache.sharing {
                CacheSharing::Shared => lock.try_lock_shared(),
                CacheSharing::Locked | CacheSharing::Private => lock.try_lock(),
            };
            match taken {
                Ok(()) => {
                    self.held.push(Held::Lock(lock));
                    let place = folder.join(number.to_string());
                    if !place.exists() {
                        self.begin_cache(&place, cache, target)?;
                    }
                    return Ok(place);
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if cancel.is_set() => return Err(ExecError::Cancelled.into()),
                // A private cache that is in use leaves the next one to who comes later.
                Err(TryLockError::WouldBlock) if cache.sharing == CacheSharing::Private => {
                    number = (number + 1) % PRIVATE_MAX;
                    if number == 0 {
                        std::thread::sleep(LOCK_PAUSE);
                    }
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            }
        }
    }

    /// What a cache holds at first.
    fn begin(&self, folder: &Path, cache: &CacheMount, target: &str) -> Result<(), RunError> {
        let failed = |source| RunError::Mount { target: target.to_owned(), source };
        own(folder, &cache.ownership, CACHE_MODE).map_err(failed)?;
        let Some(input) = cache.input else {
            return Ok(());
        };
        let from = format!("/{}", cache.source);
        fill(self.runner.store, &self.inputs[input].diff_ids, &from, folder)
            .map_err(|source| RunError::Fill { target: target.to_owned(), source: Box::new(source) })
    }

    /// Fills a cache beside its place, one who wants it at a time, and renames it there: it is whole or not there.
    fn begin_cache(&self, place: &Path, cache: &CacheMount, target: &str) -> Result<(), RunError> {
        let failed = |source| RunError::Mount { target: target.to_owned(), source };
        let one = File::create(place.with_extension("begin")).map_err(failed)?;
        one.lock().map_err(failed)?;
        if place.exists() {
            return Ok(());
        }
        let begun = place.with_extension("new");
        match std::fs::remove_dir_all(&begun) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            // What is left of one who was killed.
            Ok(()) | Err(_) => {}
        }
        std::fs::create_dir(&begun).map_err(failed)?;
        self.begin(&begun, cache, target)?;
        std::fs::rename(&begun, place).map_err(failed)
    }
}

const CACHE_MOUNTS: &str = "cache-mounts";
const CACHE_MODE: u32 = 0o755;
const PRIVATE_MAX: usize = 64;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
