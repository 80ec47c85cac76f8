//! A stack of layers as a tree.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fd::OwnedFd;
use tug_oci::{Digest, Digester};
use tug_store::view::{Entry, Links, View};

use crate::tree::{Tree, TreeError, Xattr, relative};

/// A stack of layers.
pub(crate) struct LayerTree(pub(crate) View);

impl Tree for LayerTree {
    fn lookup(&self, path: &Path, links: Links) -> Result<Option<Entry>, TreeError> {
        let found = self.0.lookup(&Path::new("/").join(path), links)?;
        Ok(found.map(|entry| Entry { path: relative(&entry.path), ..entry }))
    }

    fn children(&self, directory: &Entry) -> Result<Vec<(OsString, Entry)>, TreeError> {
        let mut children = Vec::new();
        for name in self.0.read_dir(directory)? {
            if let Some(entry) = self.lookup(&directory.path.join(&name), Links::Keep)? {
                children.push((name, entry));
            }
        }
        Ok(children)
    }

    fn open(&self, file: &Entry) -> Result<OwnedFd, TreeError> {
        Ok(self.0.open(file)?)
    }

    fn xattrs(&self, entry: &Entry) -> Result<Vec<Xattr>, TreeError> {
        let xattrs = self.0.xattrs(entry)?.into_iter();
        Ok(xattrs.map(|(name, value)| Xattr { name, value }).collect())
    }

    fn digest(&self, file: &Entry) -> Result<Digest, TreeError> {
        content_digest(File::from(self.open(file)?)).map_err(|source| TreeError::read(&file.path, source))
    }

    fn owner(&self, entry: &Entry) -> (u32, u32) {
        (entry.stat.st_uid, entry.stat.st_gid)
    }
}

/// The digest of what is left to read of a file.
pub(crate) fn content_digest(mut file: File) -> io::Result<Digest> {
    let mut digester = Digester::default();
    io::copy(&mut file, &mut digester)?;
    Ok(digester.finish())
}
