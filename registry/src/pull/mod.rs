//! Reference → image in a store: manifest, config, and layers unpacked as they come.

mod layer;
mod turns;

use std::io;

use tug_oci::{
    CONFIG_BYTES_MAX, Descriptor, Digest, ImageConfig, MANIFEST_BYTES_MAX, Manifest, ManifestKind, MediaKind,
    MediaType, ParseManifestError, Platform, Reference,
};
use tug_store::Store;
use tug_store::content::IngestError;
use tug_store::image::{Image, ImageError};
use tug_store::layer::UnpackError;
use tug_store::lease::LeaseError;
use tug_store::name::NameError;

use crate::progress::{Progress, Transfer, TransferKind, TransferState};
use crate::repository::{Access, Repository};
use crate::resolve::{self, ResolveError, Resolved, Wanted};
use crate::session::{RequestError, Session};
use crate::{fetch, store};
pub(crate) use turns::Turns;

/// What a pull gave.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// What the reference points to: a manifest or an index.
    pub target: Descriptor,
    /// The image for the platform.
    pub image: Image,
    /// Whether anything was new.
    pub freshness: Freshness,
}

/// Whether a pull changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The name pointed there already, and all layers were here.
    UpToDate,
    /// The name or some content is new.
    New,
}

/// Why an image cannot be pulled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The reference leads nowhere.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A manifest or config cannot be had.
    #[error("cannot fetch {what} {digest}")]
    Fetch {
        /// What it is.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// What came back.
        #[source]
        source: RequestError,
    },
    /// A manifest or index is malformed.
    #[error("manifest {digest} of {reference} is malformed")]
    Manifest {
        /// What was pulled.
        reference: Box<Reference>,
        /// The manifest.
        digest: Digest,
        /// What is wrong with it.
        #[source]
        source: ParseManifestError,
    },
    /// An index has nothing for the platform.
    #[error("{reference} has no image for {wanted}; it has {}", list(found))]
    NoPlatform {
        /// What was pulled.
        reference: Box<Reference>,
        /// The platform asked for.
        wanted: Box<Platform>,
        /// The platforms there are.
        found: Vec<Platform>,
    },
    /// Indexes in indexes without end.
    #[error("{0} is an index in an index in an index; at most {INDEX_DEPTH_MAX} are followed")]
    Nested(Box<Reference>),
    /// An artifact.
    #[error("{reference} is no image: its config has media type {media_type}")]
    NotAnImage {
        /// What was pulled.
        reference: Box<Reference>,
        /// The config's media type.
        media_type: MediaType,
    },
    /// The config is beyond all measure.
    #[error("config of {reference} has {size} bytes; at most {CONFIG_BYTES_MAX} are read")]
    ConfigSize {
        /// What was pulled.
        reference: Box<Reference>,
        /// The size its descriptor gives.
        size: u64,
    },
    /// The config is not what it should be.
    #[error("config {digest} of {reference} is malformed")]
    Config {
        /// What was pulled.
        reference: Box<Reference>,
        /// The config.
        digest: Digest,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// Manifest and config disagree.
    #[error("manifest of {reference} has {layers} layers, its config {diff_ids}")]
    LayerCount {
        /// What was pulled.
        reference: Box<Reference>,
        /// In the manifest.
        layers: usize,
        /// In the config.
        diff_ids: usize,
    },
    /// A layer is of an unknown kind.
    #[error("layer {digest} has media type {media_type}, which is no layer that can be unpacked here")]
    LayerType {
        /// The layer.
        digest: Digest,
        /// Its media type.
        media_type: MediaType,
    },
    /// A layer cannot be had, or is not what it should be.
    #[error("cannot unpack layer {digest}")]
    Unpack {
        /// The layer.
        digest: Digest,
        /// What the store says.
        #[source]
        source: Box<UnpackError>,
    },
    /// A layer cannot be written.
    #[error("cannot write layer {digest}")]
    Write {
        /// The layer.
        digest: Digest,
        /// What the system or the unpacker says.
        #[source]
        source: io::Error,
    },
    /// A manifest or config cannot be kept.
    #[error("cannot keep {digest}")]
    Keep {
        /// What it is.
        digest: Digest,
        /// What the store says.
        #[source]
        source: Box<IngestError>,
    },
    /// The store's records.
    #[error("cannot record {reference}")]
    Record {
        /// What was pulled.
        reference: Box<Reference>,
        /// What the store says.
        #[source]
        source: Box<ImageError>,
    },
    /// The store's names.
    #[error("cannot name {reference}")]
    Name {
        /// What was pulled.
        reference: Box<Reference>,
        /// What the store says.
        #[source]
        source: Box<NameError>,
    },
    /// The store is being collected and does not let us in.
    #[error("cannot hold on to the store's content")]
    Lease(#[from] LeaseError),
}

impl PullError {
    /// The request that failed, when it was one.
    pub fn request(&self) -> Option<&RequestError> {
        match self {
            PullError::Resolve(error) => Some(error.request()),
            PullError::Fetch { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// One pull: where from, where to, and who watches.
pub(crate) struct Pull<'a> {
    pub(crate) session: &'a Session,
    pub(crate) store: &'a Store,
    pub(crate) reference: &'a Reference,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) parallel: usize,
    pub(crate) turns: &'a Turns,
}

impl Pull<'_> {
    /// The whole of it: the name is set last.
    pub(crate) async fn run(&self, platform: &Platform) -> Result<Pulled, PullError> {
        let (store, reference) = (self.store, self.reference);
        let _lease = store.lease()?;
        let (target, image) = self.image(platform).await?;
        let fetched = self.layers(&image).await?;
        let name = name(reference);
        let named = |source| PullError::Name { reference: Box::new(name.clone()), source: Box::new(source) };
        let before = store.names().get(&name).map_err(named)?;
        let same = before.is_some_and(|before| before.digest == target.digest);
        let recorded =
            |source| PullError::Record { reference: Box::new(reference.clone()), source: Box::new(source) };
        store.images().record(&target).map_err(recorded)?;
        store.names().set(&name, &target).map_err(named)?;
        let freshness = if same && fetched == 0 { Freshness::UpToDate } else { Freshness::New };
        Ok(Pulled { target, image, freshness })
    }

    /// Manifest and config, kept in the store; the layers are left for later.
    pub(crate) async fn image(&self, platform: &Platform) -> Result<(Descriptor, Image), PullError> {
        let (store, reference) = (self.store, self.reference);
        let repository = Repository::of(self.session, reference, Access::Pull);
        let resolved = match reference.digest().and_then(|digest| known(store, digest)) {
            Some(resolved) => resolved,
            None => resolve::resolve(self.session, reference).await?,
        };
        let target = resolved.descriptor.clone();
        let (descriptor, manifest) = descend(&repository, store, (reference, platform), resolved).await?;
        let config = config(&repository, store, reference, &manifest).await?;
        let state = TransferState::Done;
        let tell = |digest, kind| self.progress.report(Transfer { digest, kind, state });
        tell(&descriptor.digest, TransferKind::Manifest);
        tell(&manifest.config.digest, TransferKind::Config);
        Ok((target, Image { descriptor, manifest, config }))
    }
}

/// A manifest that is here already. What a digest names never changes, so nobody has to be asked.
fn known(store: &Store, digest: &Digest) -> Option<Resolved> {
    let bytes = store.content().read(digest, MANIFEST_BYTES_MAX).ok()?;
    let media_type = resolve::media_type_of(&bytes)?;
    Some(Resolved { descriptor: Descriptor::new(media_type, digest.clone(), bytes.len() as u64), bytes })
}

/// Follows indexes to the manifest for a platform, keeping all on the way.
async fn descend(
    repository: &Repository<'_>,
    store: &Store,
    (reference, platform): (&Reference, &Platform),
    mut resolved: Resolved,
) -> Result<(Descriptor, Manifest), PullError> {
    for _ in 0..=INDEX_DEPTH_MAX {
        let descriptor = resolved.descriptor;
        let parsed = ManifestKind::parse(&descriptor.media_type, &resolved.bytes).map_err(|source| {
            let digest = descriptor.digest.clone();
            PullError::Manifest { reference: Box::new(reference.clone()), digest, source }
        })?;
        store::keep(store, &descriptor, &resolved.bytes)
            .map_err(|source| keeping(&descriptor.digest, source))?;
        let index = match parsed {
            ManifestKind::Manifest(manifest) => return Ok((descriptor, manifest)),
            ManifestKind::Index(index) => index,
        };
        let unsaid =
            |entry: &&Descriptor| entry.platform.is_none() && entry.media_type.kind() == MediaKind::Index;
        let Some(entry) = index.choose(platform).or_else(|| index.manifests.iter().find(unsaid)) else {
            let found = index.manifests.iter().filter_map(|entry| entry.platform.clone()).collect();
            let (reference, wanted) = (Box::new(reference.clone()), Box::new(platform.clone()));
            return Err(PullError::NoPlatform { reference, wanted, found });
        };
        resolved = match known(store, &entry.digest) {
            Some(known) => known,
            None => resolve::manifest(repository, Wanted::Descriptor(entry))
                .await
                .map_err(fetching("manifest", &entry.digest))?,
        };
    }
    Err(PullError::Nested(Box::new(reference.clone())))
}

async fn config(
    repository: &Repository<'_>,
    store: &Store,
    reference: &Reference,
    manifest: &Manifest,
) -> Result<ImageConfig, PullError> {
    let wanted = &manifest.config;
    let reference = || Box::new(reference.clone());
    if wanted.media_type.kind() != MediaKind::Config {
        let media_type = wanted.media_type.clone();
        return Err(PullError::NotAnImage { reference: reference(), media_type });
    }
    if wanted.size > CONFIG_BYTES_MAX {
        return Err(PullError::ConfigSize { reference: reference(), size: wanted.size });
    }
    let bytes = match store.content().read(&wanted.digest, CONFIG_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(_) => {
            let bytes = fetch::whole(repository, wanted).await.map_err(fetching("config", &wanted.digest))?;
            store::keep(store, wanted, &bytes).map_err(|source| keeping(&wanted.digest, source))?;
            bytes.to_vec()
        }
    };
    let config: ImageConfig = serde_json::from_slice(&bytes).map_err(|source| PullError::Config {
        reference: reference(),
        digest: wanted.digest.clone(),
        source,
    })?;
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    match layers == diff_ids {
        true => Ok(config),
        false => Err(PullError::LayerCount { reference: reference(), layers, diff_ids }),
    }
}

fn fetching(what: &'static str, digest: &Digest) -> impl FnOnce(RequestError) -> PullError {
    let digest = digest.clone();
    move |source| PullError::Fetch { what, digest, source }
}

fn keeping(digest: &Digest, source: IngestError) -> PullError {
    PullError::Keep { digest: digest.clone(), source: Box::new(source) }
}

/// As Docker does, a digest wins over a tag: what was pulled by digest is not given the tag.
fn name(reference: &Reference) -> Reference {
    match reference.digest() {
        Some(digest) => reference.with_digest(digest.clone()),
        None => reference.clone(),
    }
}

fn list(platforms: &[Platform]) -> String {
    let some: Vec<_> = platforms.iter().take(PLATFORMS_SHOWN_MAX).map(Platform::to_string).collect();
    if some.is_empty() { "none that says for what it is".to_owned() } else { some.join(", ") }
}

/// How many indexes may lie in one another.
const INDEX_DEPTH_MAX: usize = 4;
const PLATFORMS_SHOWN_MAX: usize = 20;
