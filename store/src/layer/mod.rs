//! Layers: directories in overlayfs' own form (`userxattr` flavour), named by diff id.
//!
//! A layer's root directory is no entry of the layer: an archive's entry for it is passed over, none is written, and
//! on disk it always has mode 0755.

mod apply;
mod compress;
mod leaning;
mod pack;
mod receive;
mod staged;
mod stream;
mod target;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use tug_oci::{Compression, Descriptor, DiffId, Digester, MediaKind, MediaType};

use crate::content::{ContentStore, IngestError, ReadError};
use crate::record::{Database, RecordError};
use crate::root::Root;

pub use apply::ApplyError;
pub(crate) use compress::decoder;
pub(crate) use leaning::Leaning;
pub use pack::WalkError;
pub use receive::{Receiver, UnpackError};
pub use staged::{CommitError, Staged};

/// Layers at `layers/<algorithm>/<hex>/fs`. Cheap to clone.
#[derive(Clone)]
pub struct LayerStore {
    root: Arc<Root>,
    records: Arc<Database>,
    content: ContentStore,
}

/// Why a layer cannot be written as an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// It is not in the store.
    #[error("layer {0} is not in the store")]
    Missing(DiffId),
    /// Its directory cannot be opened.
    #[error("cannot open the directory of layer {layer}")]
    Open {
        /// The layer.
        layer: DiffId,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Its directory cannot be archived.
    #[error("cannot archive layer {layer}")]
    Walk {
        /// The layer.
        layer: DiffId,
        /// What went wrong.
        #[source]
        source: WalkError,
    },
    /// The blob it came as cannot be read.
    #[error("cannot read the blob of a layer")]
    Read(#[from] ReadError),
    /// The blob it came as cannot be decompressed, or what goes out not be written.
    #[error("cannot write the archive of layer {layer}")]
    Copy {
        /// The layer.
        layer: DiffId,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The archive is not the one that gave the layer its name.
    #[error(
        "layer {layer} gives an archive with digest {found}: its directory was changed, or the blob it came as is gone"
    )]
    Differs {
        /// The layer.
        layer: DiffId,
        /// What the archive hashes to.
        found: DiffId,
    },
    /// The packed blob cannot be kept.
    #[error("cannot keep the packed layer")]
    Ingest(#[from] IngestError),
    /// The records.
    #[error("cannot record the packed layer")]
    Records(#[from] RecordError),
}

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
    pub(crate) fn new(root: Arc<Root>, records: Arc<Database>, content: ContentStore) -> LayerStore {
        LayerStore { root, records, content }
    }

    /// Whether the layer is here.
    pub fn contains(&self, layer: &DiffId) -> bool {
        self.root.layer(layer).is_dir()
    }

    /// The size of the layer's tar, `None` when the layer is not here.
    pub fn size(&self, layer: &DiffId) -> Result<Option<u64>, PackError> {
        if !self.contains(layer) {
            return Ok(None);
        }
        match self.records.layer(layer)? {
            Some(record) => Ok(Some(record.size)),
            None => self.pack(layer, &mut io::sink()).map(Some),
        }
    }

    /// An empty directory pair to fill and commit.
    pub fn stage(&self) -> Result<Staged, CommitError> {
        Staged::new(self)
    }

    /// Starts to receive a layer in the form a registry or archive has it (`media_type` says how it is packed).
    /// Each byte is written to the content store, hashed, decompressed, hashed again and unpacked as it comes.
    pub fn receive(&self, media_type: &MediaType) -> Result<Receiver, UnpackError> {
        Receiver::new(self, media_type)
    }

    /// Unpacks a blob that is in the content store already.
    pub fn unpack(&self, blob: &Descriptor, wanted: &DiffId) -> Result<Layer, UnpackError> {
        receive::unpack(self, blob, wanted)
    }

    /// Writes the layer's tar, the very bytes its diff id is the digest of. Gives its size.
    pub fn pack(&self, layer: &DiffId, out: &mut dyn Write) -> Result<u64, PackError> {
        let copy = |source| PackError::Copy { layer: layer.clone(), source };
        let mut out = Hashed { out, digester: Digester::new(layer.0.algorithm()), size: 0 };
        match self.came_as(layer)? {
            Some(mut tar) => {
                io::copy(&mut tar, &mut out).map_err(copy)?;
            }
            None => {
                let root = self.open_fs(layer)?;
                pack::pack(root, None, &mut out)
                    .map_err(|source| PackError::Walk { layer: layer.clone(), source })?;
            }
        }
        let found = DiffId(out.digester.finish());
        match found == *layer {
            true => Ok(out.size),
            false => Err(PackError::Differs { layer: layer.clone(), found }),
        }
    }

    /// The packed blob of a layer, made on first use and remembered. A layer that was pulled gives the blob it
    /// came as, when that has this compression. A plain tar is only described: [`Self::open`] makes it.
    pub fn blob(&self, layer: &DiffId, compression: Compression) -> Result<Descriptor, PackError> {
        if compression == Compression::None {
            let size = self.size(layer)?.ok_or_else(|| PackError::Missing(layer.clone()))?;
            return Ok(Descriptor::new(MediaType::layer(compression), layer.0.clone(), size));
        }
        if let Some(blob) = self.records.layer_blob(layer, compression)?
            && self.content.contains(&blob.digest)
        {
            return Ok(blob);
        }
        let mut ingest = self.content.ingest()?;
        compress::compress(compression, &mut ingest, |out| self.pack(layer, out))
            .map_err(|source| PackError::Copy { layer: layer.clone(), source })??;
        let (digest, size) = ingest.commit()?;
        let blob = Descriptor::new(MediaType::layer(compression), digest, size);
        self.records.put_layer_blob(layer, compression, &blob)?;
        Ok(blob)
    }

    /// A reader of any layer descriptor: a blob that is here, or a plain tar packed on the fly where the digest is a diff id.
    pub fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, PackError> {
        if let Some(blob) = self.content.open(&descriptor.digest)? {
            return Ok(Box::new(blob));
        }
        let layer = DiffId(descriptor.digest.clone());
        let plain = matches!(descriptor.media_type.kind(), MediaKind::Layer(Compression::None));
        if !plain || !self.contains(&layer) {
            return Err(PackError::Missing(layer));
        }
        let (mut inlet, outlet) = stream::pipe();
        let layers = self.clone();
        thread::spawn(move || match layers.pack(&layer, &mut inlet) {
            Ok(_) => inlet.finish(),
            Err(error) => inlet.fail(io::Error::other(error)),
        });
        Ok(Box::new(outlet))
    }

    /// Where the layer's files are.
    pub(crate) fn fs(&self, layer: &DiffId) -> PathBuf {
        self.root.layer(layer).join("fs")
    }

    /// How the layer leans on what is below it.
    pub(crate) fn leaning(&self, layer: &DiffId) -> Result<Option<Leaning>, RecordError> {
        let Some(text) = self.records.layer(layer)?.and_then(|record| record.leaning) else {
            return Ok(None);
        };
        let damaged =
            || RecordError::Damaged { row: layer.to_string(), why: "leaning is malformed".to_owned() };
        Leaning::from_text(&text).map(Some).ok_or_else(damaged)
    }

    /// The tar within a blob that the layer came as or was packed as, when one is here.
    fn came_as(&self, layer: &DiffId) -> Result<Option<Box<dyn Read + Send>>, PackError> {
        for compression in [Compression::None, Compression::Zstd, Compression::Gzip] {
            let Some(blob) = self.records.layer_blob(layer, compression)? else { continue };
            if let Some(bytes) = self.content.open(&blob.digest)? {
                let decoder = compress::decoder(compression, bytes);
                return decoder.map(Some).map_err(|source| PackError::Copy { layer: layer.clone(), source });
            }
        }
        Ok(None)
    }

    fn open_fs(&self, layer: &DiffId) -> Result<OwnedFd, PackError> {
        if !self.contains(layer) {
            return Err(PackError::Missing(layer.clone()));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(self.fs(layer), flags, Mode::empty())
            .map_err(|errno| PackError::Open { layer: layer.clone(), source: errno.into() })
    }
}

/// Where a layer's files are; lowest-level access for mounts.
pub fn layer_fs(root: &Path, layer: &DiffId) -> PathBuf {
    Root::new(root.to_owned()).layer(layer).join("fs")
}

/// Hashes and counts what goes through.
struct Hashed<'a> {
    out: &'a mut dyn Write,
    digester: Digester,
    size: u64,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digester.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
