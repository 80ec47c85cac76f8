//! Layers coming in: each byte is stored, hashed, decompressed, hashed again and unpacked in one pass.
//!
//! Three threads share the work, joined by bounded pipes: the caller's writes the blob, one decompresses, one
//! unpacks. So the network, the decoder and the file system are busy at once, and none runs far ahead.

use std::io::{self, Read, Write};
use std::thread::{self, JoinHandle};

use rustix::fd::OwnedFd;
use tug_oci::{Compression, Descriptor, DiffId, MediaKind, MediaType};

use super::apply::{ApplyError, apply};
use super::compress;
use super::leaning::Leaning;
use super::staged::{CommitError, Staged};
use super::stream::{Inlet, Outlet, pipe};
use super::{Layer, LayerStore};
use crate::content::{Ingest, IngestError, ReadError};
use crate::record::{LayerRecord, RecordError};

/// Why a layer's archive is refused or cannot be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The archive.
    #[error("cannot unpack the layer")]
    Apply(#[from] ApplyError),
    /// The directory it goes to.
    #[error("cannot keep the layer's files")]
    Commit(#[from] CommitError),
    /// The blob it comes as, on its way in.
    #[error("cannot keep the layer's blob")]
    Ingest(#[from] IngestError),
    /// The blob it comes as, when it is here.
    #[error("cannot read the layer's blob")]
    Read(#[from] ReadError),
    /// The records.
    #[error("cannot record the layer")]
    Records(#[from] RecordError),
    /// A media type that is no layer's.
    #[error("media type {0} is not a layer")]
    NotALayer(MediaType),
    /// The files are not those that the config names.
    #[error("layer {wanted} was asked for, but the archive that came is {found}")]
    WrongDiffId {
        /// The layer that was wanted.
        wanted: DiffId,
        /// What the archive hashes to.
        found: DiffId,
    },
    /// A thread could not be had, or the decoder not be set up.
    #[error("cannot start to unpack the layer")]
    Start(#[source] io::Error),
    /// An unpacking thread ended without a word.
    #[error("unpacking ended early")]
    Lost,
}

/// A layer coming in. Dropped without commit, it leaves nothing.
pub struct Receiver {
    layers: LayerStore,
    compression: Compression,
    ingest: Ingest,
    feed: Option<Inlet>,
    unpacking: Unpacking,
    staged: Staged,
}

impl Receiver {
    pub(super) fn new(layers: &LayerStore, media_type: &MediaType) -> Result<Receiver, UnpackError> {
        let MediaKind::Layer(compression) = media_type.kind() else {
            return Err(UnpackError::NotALayer(media_type.clone()));
        };
        let staged = layers.stage()?;
        let (feed, outlet) = pipe();
        let unpacking = Unpacking::start(outlet, compression, &staged)?;
        let ingest = layers.content.ingest()?;
        Ok(Receiver { layers: layers.clone(), compression, ingest, feed: Some(feed), unpacking, staged })
    }

    /// Ends the layer. The packed bytes must have `wanted`'s digest and size, the tar within them `diff_id`
    /// (where it is known: a config names it; an archive member may not).
    pub fn commit(mut self, wanted: &Descriptor, diff_id: Option<&DiffId>) -> Result<Layer, UnpackError> {
        if let Some(feed) = self.feed.take() {
            feed.finish();
        }
        let unpacked = self.unpacking.join();
        // Wrong bytes are the better explanation of an archive that does not unpack.
        self.ingest.commit_as(&wanted.digest, wanted.size)?;
        let unpacked = unpacked?;
        unpacked.check(diff_id)?;
        unpacked.keep(&self.layers, self.staged, (self.compression, wanted))
    }
}

impl Write for Receiver {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.ingest.write(bytes)?;
        if let Some(feed) = &mut self.feed
            && feed.write_all(&bytes[..written]).is_err()
        {
            self.feed = None;
            let reason = match self.unpacking.join() {
                Err(error) => error,
                Ok(_) => UnpackError::Lost,
            };
            return Err(io::Error::other(reason));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks a blob that is in the content store.
pub(super) fn unpack(layers: &LayerStore, blob: &Descriptor, wanted: &DiffId) -> Result<Layer, UnpackError> {
    let MediaKind::Layer(compression) = blob.media_type.kind() else {
        return Err(UnpackError::NotALayer(blob.media_type.clone()));
    };
    let opened = layers.content.open(&blob.digest)?;
    let input = opened.ok_or_else(|| ReadError::Missing(blob.digest.clone()))?;
    let staged = layers.stage()?;
    let unpacked = Unpacking::start(input, compression, &staged)?.join()?;
    unpacked.check(Some(wanted))?;
    unpacked.keep(layers, staged, (compression, blob))
}

/// What came of an archive.
struct Unpacked {
    layer: Layer,
    leaning: Leaning,
}

impl Unpacked {
    fn check(&self, wanted: Option<&DiffId>) -> Result<(), UnpackError> {
        match wanted {
            Some(wanted) if *wanted != self.layer.diff_id => {
                Err(UnpackError::WrongDiffId { wanted: wanted.clone(), found: self.layer.diff_id.clone() })
            }
            _ => Ok(()),
        }
    }

    /// The directory comes last: whoever sees it finds its records.
    fn keep(
        self,
        layers: &LayerStore,
        staged: Staged,
        (compression, blob): (Compression, &Descriptor),
    ) -> Result<Layer, UnpackError> {
        let leaning = (!self.leaning.is_empty()).then(|| self.leaning.to_text());
        // No more than what the blob is: notes of whoever referred to it are not the layer's.
        let plain = Descriptor::new(MediaType::layer(compression), blob.digest.clone(), blob.size);
        layers.records.put_layer_blob(&self.layer.diff_id, compression, &plain)?;
        staged.publish(&self.layer, &LayerRecord { size: self.layer.size, leaning })?;
        Ok(self.layer)
    }
}

/// The two threads that decompress and unpack. Dropped, it waits for them, so that they end before the directory
/// that they fill is removed; a [`Receiver`]'s feed, dropped before it, makes them end.
struct Unpacking(Option<JoinHandle<Result<Unpacked, UnpackError>>>);

impl Unpacking {
    fn start(
        input: impl Read + Send + 'static,
        compression: Compression,
        staged: &Staged,
    ) -> Result<Unpacking, UnpackError> {
        let root = staged.open()?;
        let (inlet, outlet) = pipe();
        spawn("inflate", move || match compress::decoder(compression, input) {
            Ok(decoder) => inlet.pump(decoder),
            Err(error) => inlet.fail(error),
        })?;
        Ok(Unpacking(Some(spawn("unpack", move || unpack_tar(outlet.hashed(), root))?)))
    }

    fn join(&mut self) -> Result<Unpacked, UnpackError> {
        match self.0.take().map(JoinHandle::join) {
            Some(Ok(unpacked)) => unpacked,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(UnpackError::Lost),
        }
    }
}

impl Drop for Unpacking {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

fn unpack_tar(mut archive: Outlet, root: OwnedFd) -> Result<Unpacked, UnpackError> {
    let leaning = apply(&mut archive, root)?;
    let (digest, size) = archive.digest().ok_or(UnpackError::Lost)?;
    Ok(Unpacked { layer: Layer { diff_id: DiffId(digest), size }, leaning })
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, UnpackError> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(UnpackError::Start)
}
