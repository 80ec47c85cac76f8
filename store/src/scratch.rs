//! Files and directories that are being made: each is locked by its owner, so that a sweep can tell what a living
//! process fills from what a dead one left.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::tree;

/// A file or directory under a temporary name. Dropped, it is removed; renamed, it is kept.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Holds the lock. For a file, another descriptor of the same open file.
    lock: File,
    kept: bool,
}

impl Scratch {
    /// A new empty file in `parent`, open for writing.
    pub(crate) fn file(parent: &Path) -> io::Result<(Scratch, File)> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let scratch = Scratch::make(parent, |path| Ok(rustix::fs::open(path, flags, MODE_FILE)?.into()))?;
        let file = scratch.lock.try_clone()?;
        Ok((scratch, file))
    }

    /// A new empty directory in `parent`.
    pub(crate) fn directory(parent: &Path) -> io::Result<Scratch> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Scratch::make(parent, |path| {
            rustix::fs::mkdir(path, MODE_DIRECTORY)?;
            Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its final name. A file takes the place of one that is there, a directory does not.
    pub(crate) fn rename(mut self, path: &Path) -> Result<(), (Scratch, io::Error)> {
        match fs::rename(&self.path, path) {
            Ok(()) => {
                self.kept = true;
                Ok(())
            }
            Err(error) => Err((self, error)),
        }
    }

    /// A sweep may take the new name between its making and its locking; then another one is tried.
    fn make(parent: &Path, create: impl Fn(&Path) -> io::Result<File>) -> io::Result<Scratch> {
        for _ in 0..TRIES_MAX {
            let path = parent.join(unique_name());
            let lock = match create(&path) {
                Err(error) if is_taken(&error) => continue,
                other => other?,
            };
            let locked = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
            if locked && still_named(&lock, &path) {
                return Ok(Scratch { path, lock, kept: false });
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "no temporary name could be had"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now goes with the next collection.
            let _ = tree::remove(&self.path);
        }
    }
}

/// Removes what dead processes left in a directory; says how many bytes of disk that gave back. What a living
/// process has locked stays.
pub(crate) fn sweep(parent: &Path) -> io::Result<u64> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut freed = 0;
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let lock = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(lock) => lock,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => freed += tree::remove(&path)?,
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(freed)
}

/// Removes a directory tree that readers may not see half gone: it is renamed into `parent` first.
pub(crate) fn discard(path: &Path, parent: &Path) -> io::Result<u64> {
    let trash = parent.join(unique_name());
    match fs::rename(path, &trash) {
        Ok(()) => tree::remove(&trash),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Makes the directory that `path` is to lie in.
pub(crate) fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent),
        None => Ok(()),
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound)
}

fn still_named(lock: &File, path: &Path) -> bool {
    match (lock.metadata(), fs::symlink_metadata(path)) {
        (Ok(held), Ok(named)) => held.dev() == named.dev() && held.ino() == named.ino(),
        _ => false,
    }
}

/// Unique among the living: process, count, and the clock for a process id that comes round again.
fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{count}-{:x}", std::process::id(), now.as_nanos())
}

const TRIES_MAX: u32 = 16;
const MODE_FILE: Mode = Mode::from_raw_mode(0o644);
const MODE_DIRECTORY: Mode = Mode::from_raw_mode(0o700);
