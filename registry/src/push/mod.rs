//! Image in a store → registry: what is missing there, the manifest last.

mod plan;
mod source;
mod upload;

use futures_util::{StreamExt, TryStreamExt, stream};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use tug_oci::{Descriptor, Digest, MediaType, ParseManifestError, Platform, Reference};
use tug_store::Store;
use tug_store::content::{IngestError, ReadError};
use tug_store::image::ImageError;
use tug_store::layer::PackError;
use tug_store::lease::LeaseError;

use crate::progress::{Progress, Transfer, TransferKind, TransferState};
use crate::repository::{Access, Repository};
use crate::resolve::DOCKER_CONTENT_DIGEST;
use crate::session::{RequestError, Session};
use crate::transport::{Failure, Payload};
use plan::{BlobToPush, ManifestToPush, Plan};

/// What a push gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What the registry now has under the reference. Another than was asked for where layers had to be packed.
    pub descriptor: Descriptor,
}

/// Why an image cannot be pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// A manifest cannot be read from the store.
    #[error("cannot read manifest {digest}")]
    Read {
        /// The manifest.
        digest: Digest,
        /// What the store says.
        #[source]
        source: ReadError,
    },
    /// A manifest in the store is malformed.
    #[error("manifest {digest} is malformed")]
    Manifest {
        /// The manifest.
        digest: Digest,
        /// What is wrong with it.
        #[source]
        source: ParseManifestError,
    },
    /// Indexes in indexes without end.
    #[error("index {0} lies in more than {INDEX_DEPTH_MAX} other indexes")]
    Nested(Digest),
    /// The layers cannot be packed.
    #[error("cannot pack the layers of {digest}")]
    Pack {
        /// The manifest.
        digest: Digest,
        /// What the store says.
        #[source]
        source: Box<ImageError>,
    },
    /// An index whose children had to be packed cannot be kept.
    #[error("cannot keep the index of the packed images")]
    Keep(#[source] Box<IngestError>),
    /// A part of an index is neither here nor there.
    #[error(
        "the image for {} ({digest}) is neither in the store nor in the registry",
        platform_text(platform)
    )]
    MissingChild {
        /// The part.
        digest: Digest,
        /// What it is for.
        platform: Option<Box<Platform>>,
    },
    /// A blob is neither here nor there.
    #[error("blob {digest} is neither in the store nor in the registry")]
    MissingBlob {
        /// The blob.
        digest: Digest,
    },
    /// The digest that the reference asks for is not the one that is pushed.
    #[error("cannot push {found} as {wanted}")]
    DigestDiffers {
        /// In the reference.
        wanted: Digest,
        /// What would be pushed.
        found: Digest,
    },
    /// The store gives no reader for a layer.
    #[error("cannot read layer {digest}")]
    Layer {
        /// The layer.
        digest: Digest,
        /// What the store says.
        #[source]
        source: Box<PackError>,
    },
    /// The registry refuses, or is not there.
    #[error("cannot push {what} {digest} to {reference}")]
    Request {
        /// What it is.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// Where it should go.
        reference: Box<Reference>,
        /// What came back.
        #[source]
        source: RequestError,
    },
    /// The store is being collected and does not let us in.
    #[error("cannot hold on to the store's content")]
    Lease(#[from] LeaseError),
}

impl PushError {
    /// The request that failed, when it was one.
    pub fn request(&self) -> Option<&RequestError> {
        match self {
            PushError::Request { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// One push: where from, where to, and who watches.
pub(crate) struct Push<'a> {
    pub(crate) session: &'a Session,
    pub(crate) store: &'a Store,
    pub(crate) reference: &'a Reference,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) parallel: usize,
}

impl Push<'_> {
    /// Blobs side by side, then manifests from the leaves up, the one that gets the name last.
    pub(crate) async fn run(&self, target: &Descriptor) -> Result<Pushed, PushError> {
        let _lease = self.store.lease()?;
        let repository = Repository::of(self.session, self.reference, Access::Push);
        let plan = plan::plan(self, &repository, target).await?;
        self.check_digest(&plan)?;
        for blob in &plan.blobs {
            self.tell(&blob.descriptor.digest, blob.kind, TransferState::Waiting);
        }
        let mounts = source::mounts(self.store, self.reference, &plan);
        let (repository, mounts) = (&repository, &mounts);
        let blobs = plan.blobs.iter().map(|blob| async move {
            let result = self.blob(repository, blob, mounts.get(&blob.descriptor.digest)).await;
            if result.is_err() {
                self.tell(&blob.descriptor.digest, blob.kind, TransferState::Failed);
            }
            result
        });
        stream::iter(blobs).buffer_unordered(self.parallel).try_for_each(|()| async { Ok(()) }).await?;
        for manifest in &plan.manifests {
            self.manifest(repository, manifest).await?;
        }
        Ok(Pushed { descriptor: plan.target })
    }

    fn check_digest(&self, plan: &Plan) -> Result<(), PushError> {
        match self.reference.digest() {
            Some(wanted) if *wanted != plan.target.digest => {
                let found = plan.target.digest.clone();
                Err(PushError::DigestDiffers { wanted: wanted.clone(), found })
            }
            _ => Ok(()),
        }
    }

    async fn blob(
        &self,
        repository: &Repository<'_>,
        blob: &BlobToPush,
        mount_from: Option<&String>,
    ) -> Result<(), PushError> {
        let digest = &blob.descriptor.digest;
        let failed = |source| self.failed("blob", digest, source);
        if exists(repository, digest).await.map_err(failed)? {
            self.tell(digest, blob.kind, TransferState::Exists);
            return Ok(());
        }
        if !self.store.content().contains(digest) {
            return Err(PushError::MissingBlob { digest: digest.clone() });
        }
        let open = source::opener(self.store, &blob.descriptor);
        let upload = upload::Upload {
            repository,
            descriptor: &blob.descriptor,
            open,
            tell: &|state| self.tell(digest, blob.kind, state),
        };
        let state = upload.run(mount_from.map(String::as_str)).await.map_err(failed)?;
        self.tell(digest, blob.kind, state);
        Ok(())
    }

    async fn manifest(
        &self,
        repository: &Repository<'_>,
        manifest: &ManifestToPush,
    ) -> Result<(), PushError> {
        let digest = &manifest.descriptor.digest;
        let tag = self.reference.tag().filter(|_| manifest.is_target && self.reference.digest().is_none());
        let name = tag.map_or_else(|| digest.to_string(), str::to_owned);
        let mut call = repository.manifest(Method::PUT, &name);
        let media_type = HeaderValue::from_str(manifest.descriptor.media_type.as_str());
        let media_type = media_type.unwrap_or(HeaderValue::from_static(MediaType::OCI_MANIFEST));
        call.headers.insert(CONTENT_TYPE, media_type);
        call.payload = Payload::Bytes(manifest.bytes.clone().into());
        let failed = |source| self.failed("manifest", digest, source);
        let response = self.session.call(&call).await.map_err(failed)?;
        let found = response.header(DOCKER_CONTENT_DIGEST).and_then(|text| text.parse::<Digest>().ok());
        // Registries may name it by another algorithm than we do.
        if let Some(found) = found.filter(|found| found.algorithm() == digest.algorithm() && found != digest)
        {
            let failure = Failure::DigestDiffers { found, wanted: digest.clone() };
            return Err(failed(self.session.failed(&call, Some(&response.url), failure.into())));
        }
        self.tell(digest, TransferKind::Manifest, TransferState::Done);
        Ok(())
    }

    fn failed(&self, what: &'static str, digest: &Digest, source: RequestError) -> PushError {
        let reference = Box::new(self.reference.clone());
        PushError::Request { what, digest: digest.clone(), reference, source }
    }

    fn tell(&self, digest: &Digest, kind: TransferKind, state: TransferState) {
        self.progress.report(Transfer { digest, kind, state });
    }
}

/// Whether the registry has a blob.
async fn exists(repository: &Repository<'_>, digest: &Digest) -> Result<bool, RequestError> {
    let mut call = repository.blob(Method::HEAD, digest);
    call.answers = NOT_THERE;
    Ok(repository.session.call(&call).await?.status.is_success())
}

fn platform_text(platform: &Option<Box<Platform>>) -> String {
    platform.as_ref().map_or_else(|| "no platform".to_owned(), |platform| platform.to_string())
}

/// What tells that something is not there; 405 comes from registries that do not know HEAD.
const NOT_THERE: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
const INDEX_DEPTH_MAX: usize = 4;
