//! Layers: directories in overlayfs' own form (`userxattr` flavour), named by diff id.
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tug_oci::{Compression, Descriptor, DiffId, MediaType};

/// Layers at `layers/<algorithm>/<hex>/fs`.
#[derive(Clone)]
pub struct LayerStore {}

/// Why a layer cannot be made of a staged directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {}
/// Why a layer's archive is refused or cannot be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {}
/// Why a layer cannot be written as an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {}

/// What is settled in a layer when it is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settle {
    /// `SOURCE_DATE_EPOCH`: later modification times become this one (seconds).
    pub epoch: Option<i64>,
}

/// A committed layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its name.
    pub diff_id: DiffId,
    /// The size of its tar in bytes.
    pub size: u64,
}

impl LayerStore {
    pub(crate) fn new(
        root: std::sync::Arc<crate::root::Root>,
        records: std::sync::Arc<crate::record::Database>,
        content: crate::content::ContentStore,
    ) -> LayerStore {
        let _ = (root, records, content);
        LayerStore {}
    }
    /// Whether the layer is here.
    pub fn contains(&self, layer: &DiffId) -> bool {
        let _ = layer;
        todo!()
    }
    /// The size of the layer's tar, `None` when the layer is not here.
    pub fn size(&self, layer: &DiffId) -> Result<Option<u64>, PackError> {
        let _ = layer;
        todo!()
    }
    /// An empty directory pair to fill and commit.
    pub fn stage(&self) -> Result<Staged, CommitError> {
        todo!()
    }
    /// Starts to receive a layer in the form a registry or archive has it (`media_type` says how it is packed).
    /// Each byte is written to the content store, hashed, decompressed, hashed again and unpacked as it comes.
    pub fn receive(&self, media_type: &MediaType) -> Result<Receiver, UnpackError> {
        let _ = media_type;
        todo!()
    }
    /// Unpacks a blob that is in the content store already.
    pub fn unpack(&self, blob: &Descriptor, wanted: &DiffId) -> Result<Layer, UnpackError> {
        let _ = (blob, wanted);
        todo!()
    }
    /// Writes the layer's tar, the very bytes its diff id is the digest of.
    pub fn pack(&self, layer: &DiffId, out: &mut dyn Write) -> Result<u64, PackError> {
        let _ = (layer, out);
        todo!()
    }
    /// The packed blob of a layer, made on first use and remembered. A layer that was pulled gives the blob it
    /// came as, when that has this compression.
    pub fn blob(&self, layer: &DiffId, compression: Compression) -> Result<Descriptor, PackError> {
        let _ = (layer, compression);
        todo!()
    }
    /// A reader of any layer descriptor: a blob that is here, or a plain tar packed on the fly where the digest is a diff id.
    pub fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, PackError> {
        let _ = descriptor;
        todo!()
    }
}

/// A directory that will become a layer. Dropped without commit, it is removed.
pub struct Staged {}
impl Staged {
    /// The layer's root, in overlay form: what to fill, or to mount as overlay upper directory.
    pub fn fs(&self) -> &Path {
        todo!()
    }
    /// An overlay work directory on the same file system.
    pub fn work(&self) -> &Path {
        todo!()
    }
    /// Computes the diff id and renames the directory into place. A layer that is there already is kept.
    pub fn commit(self, settle: Settle) -> Result<Layer, CommitError> {
        let _ = settle;
        todo!()
    }
}

/// A layer coming in.
pub struct Receiver {}
impl Write for Receiver {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let _ = buf;
        todo!()
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
impl Receiver {
    /// Ends the layer. The packed bytes must have `wanted`'s digest and size, the tar within them `diff_id`
    /// (where it is known: a config names it; an archive member may not).
    pub fn commit(self, wanted: &Descriptor, diff_id: Option<&DiffId>) -> Result<Layer, UnpackError> {
        let _ = (wanted, diff_id);
        todo!()
    }
}

/// Where a layer's files are; lowest-level access for mounts.
pub fn layer_fs(root: &Path, layer: &DiffId) -> PathBuf {
    let _ = (root, layer);
    todo!()
}
