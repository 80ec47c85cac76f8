//! A read-only union of layers, resolved in user space: no mount, no privilege, nothing outside it reachable.
use rustix::fd::OwnedFd;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A stack of layers to look into.
pub struct View {}

/// Why something in a stack cannot be looked up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory, merged over the layers.
    Dir,
    /// A symbolic link and where it points.
    Symlink(PathBuf),
    /// A device, fifo or socket.
    Special,
}

/// One entry of a stack.
pub struct Entry {
    /// Its path from the root, without links, `.` or `..`.
    pub path: PathBuf,
    /// What it is.
    pub kind: EntryKind,
    /// Its metadata, from the topmost layer that has it.
    pub stat: rustix::fs::Stat,
}

/// Whether the last part of a path is followed when it is a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Follow it.
    Follow,
    /// Give the link itself.
    Keep,
}

impl View {
    /// Looks a path up inside the root, links resolved inside the root; `None` when it is not there.
    pub fn lookup(&self, path: &Path, links: Links) -> Result<Option<Entry>, ViewError> {
        let _ = (path, links);
        todo!()
    }
    /// The names in a directory, sorted.
    pub fn read_dir(&self, directory: &Entry) -> Result<Vec<OsString>, ViewError> {
        let _ = directory;
        todo!()
    }
    /// Opens a file for reading, or a directory as its topmost layer has it (for its metadata). For anything else an
    /// `O_PATH` descriptor.
    pub fn open(&self, entry: &Entry) -> Result<OwnedFd, ViewError> {
        let _ = entry;
        todo!()
    }
    /// The extended attributes that belong to the image (overlay's own left out), sorted.
    pub fn xattrs(&self, entry: &Entry) -> Result<Vec<(OsString, Vec<u8>)>, ViewError> {
        let _ = entry;
        todo!()
    }
}
