//! Directories that become layers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use tug_oci::{DiffId, Digester};

use super::pack::{WalkError, pack};
use super::{Layer, LayerStore, Settle};
use crate::record::{LayerRecord, RecordError};
use crate::scratch::{self, Scratch};
use crate::tree;

/// Why a layer cannot be made of a staged directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A directory of the store.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A file in it.
    #[error("cannot make a layer of the changes")]
    Walk(#[from] WalkError),
    /// The records.
    #[error("cannot record the layer")]
    Records(#[from] RecordError),
}

/// A directory that will become a layer. Dropped without commit, it is removed. While it lives it is locked, so
/// that a collection tells it from what a dead process left.
pub struct Staged {
    layers: LayerStore,
    scratch: Scratch,
    fs: PathBuf,
    work: PathBuf,
}

impl Staged {
    pub(super) fn new(layers: &LayerStore) -> Result<Staged, CommitError> {
        let staging = layers.root.staging();
        let scratch = Scratch::directory(&staging).map_err(failed("make a directory in", &staging))?;
        let (root, work) = (scratch.path().join("fs"), scratch.path().join("work"));
        for path in [&root, &work] {
            fs::create_dir(path).map_err(failed("make", path))?;
        }
        dress_root(&root).map_err(|errno| failed("prepare", &root)(errno.into()))?;
        Ok(Staged { layers: layers.clone(), scratch, fs: root, work })
    }

    /// The layer's root, in overlay form: what to fill, or to mount as overlay upper directory.
    pub fn fs(&self) -> &Path {
        &self.fs
    }

    /// An overlay work directory on the same file system.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Computes the diff id and renames the directory into place. A layer that is there already is kept.
    pub fn commit(self, settle: Settle) -> Result<Layer, CommitError> {
        let mut digester = Digester::default();
        let size = pack(self.open()?, settle.epoch, &mut digester)?;
        let layer = Layer { diff_id: DiffId(digester.finish()), size };
        self.publish(&layer, &LayerRecord { size, leaning: None })?;
        Ok(layer)
    }

    /// Its root, open.
    pub(crate) fn open(&self) -> Result<OwnedFd, CommitError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(&self.fs, flags, Mode::empty())
            .map_err(|errno| failed("open", &self.fs)(errno.into()))
    }

    /// Whether nothing was put into it.
    pub(crate) fn is_empty(&self) -> Result<bool, CommitError> {
        let mut entries = fs::read_dir(&self.fs).map_err(failed("list", &self.fs))?;
        let opaque = crate::beneath::is_opaque(self.open()?)
            .map_err(|errno| failed("read", &self.fs)(errno.into()))?;
        Ok(entries.next().is_none() && !opaque)
    }

    /// Makes it a layer: the record first, so that whoever sees the directory finds it.
    pub(super) fn publish(self, layer: &Layer, record: &LayerRecord) -> Result<(), CommitError> {
        self.layers.records.put_layer(&layer.diff_id, record)?;
        let path = self.layers.root.layer(&layer.diff_id);
        self.rename(&path)
    }

    /// Gives the directory its final name. One that is there already was made of the same, and stays.
    pub(crate) fn rename(self, path: &Path) -> Result<(), CommitError> {
        tree::remove(&self.work).map_err(failed("remove", &self.work))?;
        dress_root(&self.fs).map_err(|errno| failed("settle", &self.fs)(errno.into()))?;
        let renamed = match self.scratch.rename(path) {
            Err((scratch, error)) if error.kind() == io::ErrorKind::NotFound => {
                scratch::make_parent(path).map_err(failed("make the parent of", path))?;
                scratch.rename(path)
            }
            renamed => renamed,
        };
        match renamed {
            Ok(()) => Ok(()),
            Err((_, error)) if is_there(&error) => Ok(()),
            Err((_, error)) => Err(failed("make", path)(error)),
        }
    }
}

/// A layer's root is no entry of the layer, so it is the same for all.
fn dress_root(root: &Path) -> rustix::io::Result<()> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    rustix::fs::chown(root, Some(Uid::from_raw(uid.as_raw())), Some(Gid::from_raw(gid.as_raw())))?;
    rustix::fs::chmod(root, Mode::from_raw_mode(0o755))?;
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let times = Timestamps { last_access: zero, last_modification: zero };
    rustix::fs::utimensat(rustix::fs::CWD, root, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
}

fn is_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CommitError {
    let path = path.to_owned();
    move |source| CommitError::Io { doing, path, source }
}
