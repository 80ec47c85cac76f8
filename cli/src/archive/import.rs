//! The members of an archive → images in the store. Nothing is believed that is not hashed.

use std::io::{self, Read};

use tug_oci::layout::{
    ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, DockerArchiveEntry, INDEX_FILE, LAYOUT_FILE,
};
use tug_oci::{
    CONFIG_BYTES_MAX, Compression, Descriptor, DiffId, Digest, Digester, ImageConfig, MANIFEST_BYTES_MAX,
    Manifest, ManifestKind, MediaKind, MediaType, ParseManifestError, Reference,
};
use tug_store::Store;
use tug_store::content::IngestError;
use tug_store::image::ImageError;
use tug_store::layer::UnpackError;
use tug_store::name::NameError;

use super::export::{DOCKER_MANIFEST, blob_path};
use super::members::{Member, Members, MembersError};

/// An image that came in.
#[derive(Clone, Debug)]
pub(crate) struct Imported {
    /// What its names point to now: a manifest or an index.
    pub(crate) target: Descriptor,
    /// Its names; none are known for some.
    pub(crate) names: Vec<Reference>,
}

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ImportError {
    /// A manifest and its config differ on how many layers there are.
    #[error("manifest has {blobs} layers, its config {diff_ids}")]
    LayerCount {
        /// In the manifest.
        blobs: usize,
        /// In the config.
        diff_ids: usize,
    },
    /// A blob is not what its descriptor says.
    #[error("{member} does not hold what it should: its digest is {found}")]
    Digest {
        /// The member.
        member: String,
        /// What it holds.
        found: Digest,
    },
    /// A list or config that is malformed.
    #[error("{member} is malformed")]
    Json {
        /// The member.
        member: String,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// A layer that does not unpack.
    #[error("layer {layer} is refused")]
    Layer {
        /// The layer.
        layer: String,
        /// Why.
        #[source]
        source: UnpackError,
    },
    /// A layer that cannot be copied.
    #[error("cannot copy layer {layer} into the store")]
    Copy {
        /// The layer.
        layer: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A manifest that is malformed.
    #[error("{member} is refused")]
    Manifest {
        /// The member.
        member: String,
        /// What is wrong with it.
        #[source]
        source: ParseManifestError,
    },
    /// Something the archive speaks of is not in it.
    #[error("archive has no {0}")]
    Missing(String),
    /// Indexes in indexes, deeper than anyone means it.
    #[error("index {0} lies too deep in other indexes")]
    Nested(Digest),
    /// There is nothing to load.
    #[error("no image in it")]
    NoImage,
    /// Neither an OCI layout nor a docker archive.
    #[error("neither an OCI layout (index.json) nor a docker archive (manifest.json)")]
    NotAnArchive,
    /// More images than any archive has.
    #[error("archive has more than {IMAGES_MAX} images")]
    TooMany,
    /// The archive cannot be read.
    #[error(transparent)]
    Members(#[from] MembersError),
    /// A blob cannot be written.
    #[error("cannot write into the store")]
    Ingest(#[from] IngestError),
    /// The image cannot be recorded.
    #[error("cannot record the image")]
    Image(#[from] ImageError),
    /// A name cannot be set.
    #[error("cannot set the image's name")]
    Name(#[from] NameError),
}

/// Brings all images of an archive into the store, and sets their names.
pub(crate) fn import(store: &Store, members: &Members) -> Result<Vec<Imported>, ImportError> {
    let layout = members.open(LAYOUT_FILE)?.is_some();
    let mut all = match (layout, members.read(INDEX_FILE, MANIFEST_BYTES_MAX)?) {
        (true, Some(index)) => layout_images(store, members, &index)?,
        _ => match members.read(DOCKER_MANIFEST, MANIFEST_BYTES_MAX)? {
            Some(list) => docker_images(store, members, &list)?,
            None => return Err(ImportError::NotAnArchive),
        },
    };
    all.dedup_by(|later, first| {
        let same = later.target.digest == first.target.digest;
        if same {
            first.names.append(&mut later.names);
        }
        same
    });
    for imported in &all {
        store.images().record(&imported.target)?;
        for name in &imported.names {
            store.names().set(name, &imported.target)?;
        }
    }
    match all.is_empty() {
        true => Err(ImportError::NoImage),
        false => Ok(all),
    }
}

fn layout_images(store: &Store, members: &Members, index: &[u8]) -> Result<Vec<Imported>, ImportError> {
    let wrong = |source| ImportError::Manifest { member: INDEX_FILE.to_owned(), source };
    let parsed = ManifestKind::parse(&MediaType::OCI_INDEX.into(), index).map_err(wrong)?;
    let ManifestKind::Index(index) = parsed else { return Err(ImportError::NotAnArchive) };
    if index.manifests.len() > IMAGES_MAX {
        return Err(ImportError::TooMany);
    }
    let mut all = Vec::new();
    for entry in &index.manifests {
        if tree(store, members, entry, 0)? == Found::Image {
            let mut target = entry.clone();
            target.annotations = None;
            all.push(Imported { target, names: annotated_name(entry).into_iter().collect() });
        }
    }
    Ok(all)
}

/// The name that an index entry has: BuildKit's and containerd's annotation, or the standard one where it holds
/// more than a tag.
fn annotated_name(entry: &Descriptor) -> Option<Reference> {
    let annotations = entry.annotations.as_ref()?;
    if let Some(name) = annotations.get(ANNOTATION_IMAGE_NAME).and_then(|name| name.parse().ok()) {
        return Some(name);
    }
    let name = annotations.get(ANNOTATION_REF_NAME)?;
    name.contains([':', '/']).then(|| name.parse().ok())?
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Image,
    SomethingElse,
    Nothing,
}

/// Brings in what a descriptor leads to. Of an index, what the archive holds of it.
fn tree(store: &Store, members: &Members, target: &Descriptor, depth: usize) -> Result<Found, ImportError> {
    if depth > INDEX_DEPTH_MAX {
        return Err(ImportError::Nested(target.digest.clone()));
    }
    if !matches!(target.media_type.kind(), MediaKind::Manifest | MediaKind::Index) {
        return Ok(Found::SomethingElse);
    }
    let member = blob_path(&target.digest);
    let Some(bytes) = members.read(&member, MANIFEST_BYTES_MAX)? else {
        return if depth == 0 { Err(ImportError::Missing(member)) } else { Ok(Found::Nothing) };
    };
    check(&member, &target.digest, &bytes)?;
    let wrong = |source| ImportError::Manifest { member: member.clone(), source };
    let found = match ManifestKind::parse(&target.media_type, &bytes).map_err(wrong)? {
        ManifestKind::Manifest(manifest) => image(store, members, &manifest)?,
        ManifestKind::Index(index) if index.manifests.len() > IMAGES_MAX => return Err(ImportError::TooMany),
        ManifestKind::Index(index) => {
            let mut found = Found::Nothing;
            for entry in &index.manifests {
                if tree(store, members, entry, depth + 1)? == Found::Image {
                    found = Found::Image;
                }
            }
            found
        }
    };
    if found == Found::Image {
        put(store, target, &bytes)?;
    }
    Ok(found)
}

fn image(store: &Store, members: &Members, manifest: &Manifest) -> Result<Found, ImportError> {
    if manifest.config.media_type.kind() != MediaKind::Config {
        return Ok(Found::SomethingElse);
    }
    let member = blob_path(&manifest.config.digest);
    let bytes =
        members.read(&member, CONFIG_BYTES_MAX)?.ok_or_else(|| ImportError::Missing(member.clone()))?;
    check(&member, &manifest.config.digest, &bytes)?;
    let config = parse_config(&member, &bytes)?;
    check_count(manifest.layers.len(), &config)?;
    for (layer, diff_id) in manifest.layers.iter().zip(&config.rootfs.diff_ids) {
        if is_here(store, layer, diff_id) {
            continue;
        }
        let name = blob_path(&layer.digest);
        let content = members.open(&name)?.ok_or_else(|| ImportError::Missing(name))?;
        receive(store, content, layer, diff_id)?;
    }
    put(store, &manifest.config, &bytes)?;
    Ok(Found::Image)
}

/// Whether a layer is here in the form that the manifest names.
fn is_here(store: &Store, layer: &Descriptor, diff_id: &DiffId) -> bool {
    let plain = layer.media_type.kind() == MediaKind::Layer(Compression::None);
    store.layers().contains(diff_id) && (plain || store.content().contains(&layer.digest))
}

fn receive(
    store: &Store,
    mut content: Member,
    layer: &Descriptor,
    diff_id: &DiffId,
) -> Result<(), ImportError> {
    let name = layer.digest.to_string();
    let refused = |source| ImportError::Layer { layer: name.clone(), source };
    let mut receiver = store.layers().receive(&layer.media_type).map_err(refused)?;
    let copied = io::copy(&mut content, &mut receiver);
    copied.map_err(|source| ImportError::Copy { layer: name.clone(), source })?;
    receiver.commit(layer, Some(diff_id)).map_err(refused)?;
    Ok(())
}

fn docker_images(store: &Store, members: &Members, list: &[u8]) -> Result<Vec<Imported>, ImportError> {
    let wrong = |source| ImportError::Json { member: DOCKER_MANIFEST.to_owned(), source };
    let entries: Vec<DockerArchiveEntry> = serde_json::from_slice(list).map_err(wrong)?;
    if entries.len() > IMAGES_MAX {
        return Err(ImportError::TooMany);
    }
    entries.iter().map(|entry| docker_image(store, members, entry)).collect()
}

/// A docker archive names no digests but the layers' diff ids in the config: the manifest is made here.
fn docker_image(
    store: &Store,
    members: &Members,
    entry: &DockerArchiveEntry,
) -> Result<Imported, ImportError> {
    let missing = |name: &str| ImportError::Missing(name.to_owned());
    let bytes = members.read(&entry.config, CONFIG_BYTES_MAX)?.ok_or_else(|| missing(&entry.config))?;
    let config = parse_config(&entry.config, &bytes)?;
    check_count(entry.layers.len(), &config)?;
    let mut layers = Vec::new();
    for (name, diff_id) in entry.layers.iter().zip(&config.rootfs.diff_ids) {
        let layer = describe(members, name, diff_id)?;
        if !is_here(store, &layer, diff_id) {
            receive(store, members.open(name)?.ok_or_else(|| missing(name))?, &layer, diff_id)?;
        }
        layers.push(layer);
    }
    let config = store.content().put(MediaType::OCI_CONFIG, &bytes)?;
    let manifest = Manifest::image(config, layers);
    let json = |source| ImportError::Json { member: entry.config.clone(), source };
    let bytes = serde_json::to_vec(&manifest).map_err(json)?;
    let target = store.content().put(MediaType::OCI_MANIFEST, &bytes)?;
    let names = entry.repo_tags.iter().flatten().filter_map(|name| name.parse().ok()).collect();
    Ok(Imported { target, names })
}

/// A plain layer has its diff id as digest; a packed one has to be hashed first.
fn describe(members: &Members, name: &str, diff_id: &DiffId) -> Result<Descriptor, ImportError> {
    let missing = || ImportError::Missing(name.to_owned());
    let mut magic = [0; 4];
    let mut member = members.open(name)?.ok_or_else(missing)?;
    let size = member.size;
    let failed = |source| ImportError::Members(MembersError::Member { member: name.to_owned(), source });
    let mut count = 0;
    while count < magic.len() {
        match member.read(&mut magic[count..]).map_err(failed)? {
            0 => break,
            more => count += more,
        }
    }
    let compression = match &magic[..count] {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => return Ok(Descriptor::new(MediaType::layer(Compression::None), diff_id.0.clone(), size)),
    };
    let mut digester = Digester::default();
    let mut member = members.open(name)?.ok_or_else(missing)?;
    io::copy(&mut member, &mut digester).map_err(failed)?;
    Ok(Descriptor::new(MediaType::layer(compression), digester.finish(), size))
}

fn parse_config(member: &str, bytes: &[u8]) -> Result<ImageConfig, ImportError> {
    serde_json::from_slice(bytes).map_err(|source| ImportError::Json { member: member.to_owned(), source })
}

fn check_count(blobs: usize, config: &ImageConfig) -> Result<(), ImportError> {
    match config.rootfs.diff_ids.len() {
        diff_ids if diff_ids != blobs => Err(ImportError::LayerCount { blobs, diff_ids }),
        _ => Ok(()),
    }
}

fn check(member: &str, wanted: &Digest, bytes: &[u8]) -> Result<(), ImportError> {
    let mut digester = Digester::new(wanted.algorithm());
    digester.update(bytes);
    match digester.finish() {
        found if found == *wanted => Ok(()),
        found => Err(ImportError::Digest { member: member.to_owned(), found }),
    }
}

/// Writes a blob whose bytes were checked.
fn put(store: &Store, blob: &Descriptor, bytes: &[u8]) -> Result<(), ImportError> {
    if store.content().contains(&blob.digest) {
        return Ok(());
    }
    let mut ingest = store.content().ingest_hashed(blob.digest.algorithm())?;
    let failed = |source| ImportError::Copy { layer: blob.digest.to_string(), source };
    io::Write::write_all(&mut ingest, bytes).map_err(failed)?;
    Ok(ingest.commit_as(&blob.digest, bytes.len() as u64)?)
}

/// The most images that an archive or an index may have.
const IMAGES_MAX: usize = 1000;
/// How deep indexes may lie in indexes.
const INDEX_DEPTH_MAX: usize = 4;
