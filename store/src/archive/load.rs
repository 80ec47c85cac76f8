//! Images in: whatever `docker save`, `podman save`, `skopeo copy`, `buildctl` and this program write.
//!
//! Every blob is checked against the digest that led to it before anything is made of it, and an image is recorded
//! after all its layers are here.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::fs::{Mode, OFlags};
use tug_oci::layout::{DOCKER_MANIFEST_FILE, DockerArchiveEntry, INDEX_FILE, LAYOUT_FILE};
use tug_oci::{
    CONFIG_BYTES_MAX, Compression, Descriptor, DiffId, ImageConfig, MANIFEST_BYTES_MAX, Manifest, MediaType,
    ParseManifestError, Reference,
};

use super::layout;
use super::spool::Members;
use crate::Store;
use crate::content::{IngestError, ReadError};
use crate::image::ImageError;
use crate::layer::{UnpackError, decoder};
use crate::name::NameError;
use crate::tarball::TarError;

/// An image that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The names that the archive gives it.
    pub names: Vec<Reference>,
    /// Its manifest or index.
    pub descriptor: Descriptor,
}

/// Why an archive cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It is no tar, or a damaged one.
    #[error("cannot read the archive")]
    Tar(#[from] TarError),
    /// Bytes cannot be had, or not be kept.
    #[error("cannot read {name}")]
    Read {
        /// The file or member.
        name: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Neither kind of archive.
    #[error(
        "archive is no image: it has neither {DOCKER_MANIFEST_FILE} (docker) nor {LAYOUT_FILE} and {INDEX_FILE} (OCI)"
    )]
    NotAnImage,
    /// A member that others speak of is not there.
    #[error("archive lacks {member}, which it refers to")]
    Missing {
        /// The member.
        member: String,
    },
    /// A name that leads out of the archive.
    #[error("archive member {member} climbs out of the archive")]
    Climbs {
        /// The member.
        member: String,
    },
    /// A directory or device in place of a file.
    #[error("{member} is no file")]
    NotAFile {
        /// The member.
        member: String,
    },
    /// More than is read of such a member.
    #[error("archive member {member} has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// The member.
        member: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// More members or images than are taken.
    #[error("archive has too many members or images")]
    TooManyMembers,
    /// A member that is not the JSON it should be.
    #[error("archive member {member} is malformed")]
    Json {
        /// The member.
        member: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A manifest or index that cannot be used.
    #[error("manifest {digest} in the archive cannot be used")]
    Manifest {
        /// Its digest.
        digest: tug_oci::Digest,
        /// What is wrong.
        #[source]
        source: Box<ParseManifestError>,
    },
    /// An image whose config and list of layers do not fit.
    #[error("image {config} has {layers} layers but {diff_ids} diff ids")]
    LayerCount {
        /// The config.
        config: String,
        /// Layers listed.
        layers: usize,
        /// Diff ids in the config.
        diff_ids: usize,
    },
    /// A layer.
    #[error("cannot unpack layer {layer}")]
    Unpack {
        /// The layer.
        layer: DiffId,
        /// What went wrong.
        #[source]
        source: Box<UnpackError>,
    },
    /// A blob on its way in.
    #[error("cannot keep a blob of the archive")]
    Ingest(#[from] IngestError),
    /// A blob of the store.
    #[error("cannot read a blob of the archive")]
    Blob(#[from] ReadError),
    /// The record of an image.
    #[error("cannot record the image")]
    Image(#[from] ImageError),
    /// The record of a name.
    #[error("cannot name the image")]
    Name(#[from] NameError),
}

/// Loads an archive from a stream that is read once: docker or OCI, plain, gzip or zstd. The images are recorded and
/// their names point to them.
pub fn read(store: &Store, input: impl Read + Send + 'static) -> Result<Vec<Loaded>, LoadError> {
    let failed = |source| LoadError::Read { name: "the archive".to_owned(), source };
    let mut input = BufReader::with_capacity(READ_BYTES, input);
    let compression = sniff(input.fill_buf().map_err(failed)?);
    let plain: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(input),
        packed => decoder(packed, input).map_err(failed)?,
    };
    let members = Members::of_archive(store.content(), BufReader::with_capacity(READ_BYTES, plain))?;
    load(store, &members)
}

/// Loads a file as [`read`] does, or a directory that is an OCI layout.
pub fn read_path(store: &Store, path: &Path) -> Result<Vec<Loaded>, LoadError> {
    let failed = |source| LoadError::Read { name: path.display().to_string(), source };
    if !path.is_dir() {
        return read(store, File::open(path).map_err(failed)?);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    load(store, &Members::Directory(root))
}

fn load(store: &Store, members: &Members) -> Result<Vec<Loaded>, LoadError> {
    let entries = docker_entries(store, members)?;
    let loaded = if members.contains(LAYOUT_FILE)? && members.contains(INDEX_FILE)? {
        layout::load(store, members, &entries.unwrap_or_default())?
    } else {
        let entries = entries.ok_or(LoadError::NotAnImage)?;
        entries.iter().map(|entry| load_docker(store, members, entry)).collect::<Result<_, _>>()?
    };
    for image in &loaded {
        store.images().record(&image.descriptor)?;
        for name in &image.names {
            store.names().set(name, &image.descriptor)?;
        }
    }
    Ok(loaded)
}

fn docker_entries(store: &Store, members: &Members) -> Result<Option<Vec<DockerArchiveEntry>>, LoadError> {
    let member = DOCKER_MANIFEST_FILE;
    let Some(bytes) = members.bytes(store.content(), member, MANIFEST_BYTES_MAX)? else { return Ok(None) };
    let entries: Vec<DockerArchiveEntry> = json(member, &bytes)?;
    match entries.len() > IMAGES_MAX {
        true => Err(LoadError::TooManyMembers),
        false => Ok(Some(entries)),
    }
}

/// An image of a docker archive that has no manifest of its own: one is written for it.
fn load_docker(store: &Store, members: &Members, entry: &DockerArchiveEntry) -> Result<Loaded, LoadError> {
    let content = store.content();
    let bytes = members
        .bytes(content, &entry.config, CONFIG_BYTES_MAX)?
        .ok_or_else(|| LoadError::Missing { member: entry.config.clone() })?;
    let config: ImageConfig = json(&entry.config, &bytes)?;
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != entry.layers.len() {
        let (layers, diff_ids) = (entry.layers.len(), diff_ids.len());
        return Err(LoadError::LayerCount { config: entry.config.clone(), layers, diff_ids });
    }
    let mut blobs = Vec::with_capacity(diff_ids.len());
    for member in &entry.layers {
        let (digest, size) = members.ingest(content, member)?;
        let mut start = [0; 4];
        if let Some(mut blob) = content.open(&digest)? {
            // A blob shorter than this is no compressed one.
            let _ = blob.read_exact(&mut start);
        }
        blobs.push(Descriptor::new(MediaType::layer(sniff(&start)), digest, size));
    }
    unpack(store, &blobs, diff_ids)?;
    let config = content.put(MediaType::OCI_CONFIG, &bytes)?;
    let manifest = serde_json::to_vec(&Manifest::image(config, blobs));
    let manifest =
        manifest.map_err(|source| LoadError::Json { member: DOCKER_MANIFEST_FILE.to_owned(), source })?;
    let descriptor = content.put(MediaType::OCI_MANIFEST, &manifest)?;
    Ok(Loaded { names: names(entry.repo_tags.as_deref().unwrap_or_default()), descriptor })
}

/// Unpacks the layers that are not here, side by side.
pub(super) fn unpack(store: &Store, blobs: &[Descriptor], diff_ids: &[DiffId]) -> Result<(), LoadError> {
    let mut missing: Vec<(&DiffId, &Descriptor)> =
        diff_ids.iter().zip(blobs).filter(|(layer, _)| !store.layers().contains(layer)).collect();
    missing.sort_by_key(|(layer, _)| *layer);
    missing.dedup_by_key(|(layer, _)| *layer);
    let queue = Mutex::new(missing.into_iter());
    let work = || -> Result<(), LoadError> {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((layer, blob)) = next else { return Ok(()) };
            let unpacked = store.layers().unpack(blob, layer);
            unpacked
                .map_err(|source| LoadError::Unpack { layer: layer.clone(), source: Box::new(source) })?;
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// How bytes are packed, by their first few.
fn sniff(start: &[u8]) -> Compression {
    match start {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        _ => Compression::None,
    }
}

/// Names that are none are left out: an archive without good names still holds images.
pub(super) fn names(texts: &[String]) -> Vec<Reference> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

pub(super) fn json<T: serde::de::DeserializeOwned>(member: &str, bytes: &[u8]) -> Result<T, LoadError> {
    serde_json::from_slice(bytes).map_err(|source| LoadError::Json { member: member.to_owned(), source })
}

/// The path of a blob in an OCI layout.
pub(super) fn blob_path(digest: &tug_oci::Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
}

/// Images of one archive.
pub(super) const IMAGES_MAX: usize = 1000;
const READ_BYTES: usize = 256 << 10;
