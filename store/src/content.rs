//! The content store: blobs by digest.
//!
//! A blob is written to a file of its own under `ingest/` while it is hashed, flushed to disk, and renamed to its
//! digest: whatever has a digest for a name was whole and on disk before it had it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tug_oci::{Algorithm, Descriptor, Digest, Digester, MediaType};

use crate::root::Root;
use crate::scratch::{self, Scratch};

/// Blobs by digest, at `blobs/<algorithm>/<hex>`. Cheap to clone.
#[derive(Clone)]
pub struct ContentStore {
    root: Arc<Root>,
}

/// Why a blob cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file system says no.
    #[error("cannot read blob {digest}")]
    Io {
        /// The blob.
        digest: Digest,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// It is not in the store.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// More bytes than its kind may have.
    #[error("blob {digest} has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// The blob.
        digest: Digest,
        /// Its size.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The bytes on disk are not the ones that were committed.
    #[error("blob {wanted} is damaged: its bytes have digest {found}")]
    Damaged {
        /// Its name.
        wanted: Digest,
        /// What the bytes hash to.
        found: Digest,
    },
}

/// Why a blob cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The file system says no.
    #[error("cannot write a blob to {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Bytes of a wrong length.
    #[error("blob {digest} should have {wanted} bytes, but {found} came")]
    WrongSize {
        /// The blob that was wanted.
        digest: Digest,
        /// The size that was announced.
        wanted: u64,
        /// The size that came.
        found: u64,
    },
    /// Bytes of the wanted length that are not the wanted ones.
    #[error("blob {wanted} was asked for, but the bytes that came have digest {found}")]
    WrongDigest {
        /// The blob that was wanted.
        wanted: Digest,
        /// What the bytes hash to.
        found: Digest,
    },
}

impl ContentStore {
    pub(crate) fn new(root: Arc<Root>) -> ContentStore {
        ContentStore { root }
    }

    /// Whether the blob is here.
    pub fn contains(&self, digest: &Digest) -> bool {
        fs::symlink_metadata(self.root.blob(digest)).is_ok_and(|metadata| metadata.is_file())
    }

    /// Opens a blob; `None` when it is not here.
    pub fn open(&self, digest: &Digest) -> Result<Option<Blob>, ReadError> {
        let failed = |source| ReadError::Io { digest: digest.clone(), source };
        let file = match File::open(self.root.blob(digest)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        let size = file.metadata().map_err(failed)?.len();
        Ok(Some(Blob { file, size }))
    }

    /// Reads a whole small blob, at most `limit` bytes, and checks its digest.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, ReadError> {
        let blob = self.open(digest)?.ok_or_else(|| ReadError::Missing(digest.clone()))?;
        let size = blob.size();
        if size > limit {
            return Err(ReadError::TooLarge { digest: digest.clone(), size, limit });
        }
        let mut bytes = Vec::new();
        blob.take(limit)
            .read_to_end(&mut bytes)
            .map_err(|source| ReadError::Io { digest: digest.clone(), source })?;
        let mut digester = Digester::new(digest.algorithm());
        digester.update(&bytes);
        let found = digester.finish();
        match found == *digest {
            true => Ok(bytes),
            false => Err(ReadError::Damaged { wanted: digest.clone(), found }),
        }
    }

    /// Starts a blob. Nothing is visible until it is committed; dropped, it leaves nothing.
    pub fn ingest(&self) -> Result<Ingest, IngestError> {
        self.ingest_hashed(Algorithm::Sha256)
    }

    /// Starts a blob whose digest is of the given kind.
    pub fn ingest_hashed(&self, algorithm: Algorithm) -> Result<Ingest, IngestError> {
        let parent = self.root.ingest();
        let (scratch, file) = Scratch::file(&parent).map_err(failed(&parent))?;
        Ok(Ingest {
            root: Arc::clone(&self.root),
            scratch,
            file,
            digester: Digester::new(algorithm),
            algorithm,
            size: 0,
        })
    }

    /// Writes a whole small blob.
    pub fn put(&self, media_type: impl Into<MediaType>, bytes: &[u8]) -> Result<Descriptor, IngestError> {
        let descriptor = Descriptor::of(media_type, bytes);
        if self.read(&descriptor.digest, descriptor.size).is_ok() {
            return Ok(descriptor);
        }
        let mut ingest = self.ingest()?;
        let path = ingest.scratch.path().to_owned();
        ingest.write_all(bytes).map_err(failed(&path))?;
        ingest.commit_as(&descriptor.digest, descriptor.size)?;
        Ok(descriptor)
    }
}

/// An open blob. Reading checks nothing; blobs were checked when they were committed.
#[derive(Debug)]
pub struct Blob {
    file: File,
    size: u64,
}

impl Blob {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Blob {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read(buf)
    }
}

/// A blob that is being written, hashed on its way.
pub struct Ingest {
    root: Arc<Root>,
    scratch: Scratch,
    file: File,
    digester: Digester,
    algorithm: Algorithm,
    size: u64,
}

impl Ingest {
    /// Makes the blob visible under the digest of what was written.
    pub fn commit(self) -> Result<(Digest, u64), IngestError> {
        let size = self.size;
        let digest = self.digester.clone().finish();
        self.publish(&digest)?;
        Ok((digest, size))
    }

    /// The same, refusing bytes that are not the ones wanted (size and digest).
    pub fn commit_as(self, wanted: &Digest, size: u64) -> Result<(), IngestError> {
        if self.size != size {
            let (digest, found) = (wanted.clone(), self.size);
            return Err(IngestError::WrongSize { digest, wanted: size, found });
        }
        let found = match self.algorithm == wanted.algorithm() {
            true => self.digester.clone().finish(),
            false => self.hash_again(wanted.algorithm())?,
        };
        match found == *wanted {
            true => self.publish(wanted),
            false => Err(IngestError::WrongDigest { wanted: wanted.clone(), found }),
        }
    }

    /// The rare case of a digest of another kind than was hashed on the way.
    fn hash_again(&self, algorithm: Algorithm) -> Result<Digest, IngestError> {
        let path = self.scratch.path();
        let mut file = File::open(path).map_err(failed(path))?;
        let mut digester = Digester::new(algorithm);
        io::copy(&mut file, &mut digester).map_err(failed(path))?;
        Ok(digester.finish())
    }

    /// Renames over a blob that is there already: the bytes are the same, or that blob was damaged.
    fn publish(self, digest: &Digest) -> Result<(), IngestError> {
        let path = self.root.blob(digest);
        self.file.sync_data().map_err(failed(self.scratch.path()))?;
        match self.scratch.rename(&path) {
            Err((scratch, error)) if error.kind() == io::ErrorKind::NotFound => {
                scratch::make_parent(&path).map_err(failed(&path))?;
                scratch.rename(&path).map_err(|(_, source)| failed(&path)(source))
            }
            other => other.map_err(|(_, source)| failed(&path)(source)),
        }
    }
}

impl Write for Ingest {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buf)?;
        self.digester.update(&buf[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> IngestError {
    let path = path.to_owned();
    move |source| IngestError::Io { path, source }
}
