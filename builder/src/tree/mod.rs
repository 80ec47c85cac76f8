//! Trees that files are copied from: a context or a stack of layers, looked at in the same way.

mod layers;
mod resolve;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use tug_oci::Digest;
use tug_store::view::{Entry, EntryKind, Links, ViewError};

pub(crate) use layers::{LayerTree, content_digest};
pub(crate) use resolve::{Resolved, Seen, relative, resolve};

/// Files to read. Paths are relative to the tree's root; the empty path is the root.
pub(crate) trait Tree: Sync {
    /// Looks a path up, links resolved inside the tree; `None` when it is not there.
    fn lookup(&self, path: &Path, links: Links) -> Result<Option<Entry>, TreeError>;

    /// What a directory holds, by name.
    fn children(&self, directory: &Entry) -> Result<Vec<(OsString, Entry)>, TreeError>;

    /// What directories hold, all the way down, in any order.
    fn descend(&self, directories: Vec<Entry>) -> Result<Vec<Entry>, TreeError> {
        let mut found = Vec::new();
        let mut open = directories;
        while let Some(directory) = open.pop() {
            for (_, entry) in self.children(&directory)? {
                if is_dir(&entry) {
                    open.push(Entry { path: entry.path.clone(), kind: entry.kind.clone(), stat: entry.stat });
                }
                found.push(entry);
            }
        }
        Ok(found)
    }

    /// Opens a regular file for reading.
    fn open(&self, file: &Entry) -> Result<OwnedFd, TreeError>;

    /// Extended attributes, sorted.
    fn xattrs(&self, entry: &Entry) -> Result<Vec<Xattr>, TreeError>;

    /// The digest of a regular file's content.
    fn digest(&self, file: &Entry) -> Result<Digest, TreeError>;

    /// Whose the entry is, when it is copied.
    fn owner(&self, entry: &Entry) -> (u32, u32);
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Xattr {
    pub(crate) name: OsString,
    pub(crate) value: Vec<u8>,
}

/// Why a tree cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The operating system says no.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Links that lead to links without end.
    #[error("cannot follow {}: too many symbolic links", path.display())]
    Links {
        /// Which path.
        path: PathBuf,
    },
    /// A stack of layers cannot be looked at.
    #[error("cannot look into the layers")]
    View(#[from] ViewError),
}

impl TreeError {
    /// A failed system call on a path.
    pub(crate) fn read(path: &Path, source: impl Into<io::Error>) -> TreeError {
        TreeError::Read { path: path.to_owned(), source: source.into() }
    }
}

/// Whether an entry is a directory.
pub(crate) fn is_dir(entry: &Entry) -> bool {
    entry.kind == EntryKind::Dir
}
