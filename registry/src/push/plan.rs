//! What has to be at the registry, leaves first: decided before anything is sent.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;

use hyper::Method;
use tug_oci::{
    Compression, Descriptor, Digest, Index, MANIFEST_BYTES_MAX, Manifest, ManifestKind, MediaKind, Platform,
};
use tug_store::Store;

use super::{INDEX_DEPTH_MAX, NOT_THERE, Push, PushError, exists};
use crate::progress::TransferKind;
use crate::repository::Repository;

/// What is pushed.
#[derive(Debug)]
pub(super) struct Plan {
    /// What the reference will point to.
    pub(super) target: Descriptor,
    /// Each once.
    pub(super) blobs: Vec<BlobToPush>,
    /// In the order in which the registry must get them.
    pub(super) manifests: Vec<ManifestToPush>,
}

#[derive(Debug)]
pub(super) struct BlobToPush {
    pub(super) descriptor: Descriptor,
    pub(super) kind: TransferKind,
}

#[derive(Debug)]
pub(super) struct ManifestToPush {
    pub(super) descriptor: Descriptor,
    pub(super) bytes: Vec<u8>,
    /// Whether this is what the reference will point to.
    pub(super) is_target: bool,
}

pub(super) async fn plan(
    push: &Push<'_>,
    repository: &Repository<'_>,
    target: &Descriptor,
) -> Result<Plan, PushError> {
    let mut planner =
        Planner { push, repository, blobs: Vec::new(), manifests: Vec::new(), seen: HashSet::new() };
    let target = planner.manifest(target.clone(), 0).await?;
    let Planner { blobs, mut manifests, .. } = planner;
    if let Some(last) = manifests.last_mut() {
        last.is_target = true;
    }
    Ok(Plan { target, blobs, manifests })
}

struct Planner<'a> {
    push: &'a Push<'a>,
    repository: &'a Repository<'a>,
    blobs: Vec<BlobToPush>,
    manifests: Vec<ManifestToPush>,
    seen: HashSet<Digest>,
}

type Planned<'b> = Pin<Box<dyn Future<Output = Result<Descriptor, PushError>> + 'b>>;

impl Planner<'_> {
    /// Plans a manifest or index and what is below it. Gives its descriptor, which is a new one where layers had to
    /// be packed.
    fn manifest(&mut self, wanted: Descriptor, depth: usize) -> Planned<'_> {
        Box::pin(async move {
            if depth > INDEX_DEPTH_MAX {
                return Err(PushError::Nested(wanted.digest));
            }
            let (kind, bytes) = read(self.push.store, &wanted)?;
            match kind {
                ManifestKind::Manifest(manifest) => self.image(wanted, manifest, bytes).await,
                ManifestKind::Index(index) => self.index(wanted, index, (bytes, depth)).await,
            }
        })
    }

    async fn index(
        &mut self,
        wanted: Descriptor,
        mut index: Index,
        (bytes, depth): (Vec<u8>, usize),
    ) -> Result<Descriptor, PushError> {
        let mut changed = false;
        for entry in &mut index.manifests {
            let known = matches!(entry.media_type.kind(), MediaKind::Manifest | MediaKind::Index);
            if !known || !self.push.store.content().contains(&entry.digest) {
                self.require(entry).await?;
                continue;
            }
            let planned = self.manifest(entry.clone(), depth + 1).await?;
            changed |= planned.digest != entry.digest;
            entry.digest = planned.digest;
            entry.size = planned.size;
            entry.media_type = planned.media_type;
        }
        if !changed {
            return Ok(self.add(wanted, bytes));
        }
        let bytes = serde_json::to_vec(&index).expect("an index is always JSON");
        let descriptor = Descriptor::of(wanted.media_type, &bytes);
        crate::store::keep(self.push.store, &descriptor, &bytes)
            .map_err(|source| PushError::Keep(Box::new(source)))?;
        Ok(self.add(descriptor, bytes))
    }

    async fn image(
        &mut self,
        wanted: Descriptor,
        manifest: Manifest,
        bytes: Vec<u8>,
    ) -> Result<Descriptor, PushError> {
        if !self.needs_packing(&wanted, &manifest).await? {
            self.add_blobs(&manifest);
            return Ok(self.add(wanted, bytes));
        }
        let packing = |source| PushError::Pack { digest: wanted.digest.clone(), source: Box::new(source) };
        let images = self.push.store.images();
        // A manifest is taken for what it is: the platform chooses nothing here.
        let image = images.read(&wanted, &Platform::host()).map_err(packing)?;
        let packed = images.packed(&image, Compression::Gzip).map_err(packing)?.descriptor;
        let (kind, bytes) = read(self.push.store, &packed)?;
        if let ManifestKind::Manifest(manifest) = &kind {
            self.add_blobs(manifest);
        }
        Ok(self.add(packed, bytes))
    }

    /// Whether some layer has no blob: one made here never had, and one that came with another image may have come
    /// packed in another way. The latter's blob may be at the registry all the same.
    async fn needs_packing(&self, wanted: &Descriptor, manifest: &Manifest) -> Result<bool, PushError> {
        for layer in &manifest.layers {
            let MediaKind::Layer(compression) = layer.media_type.kind() else { continue };
            if self.push.store.content().contains(&layer.digest) {
                continue;
            }
            if compression == Compression::None {
                return Ok(true);
            }
            let there = exists(self.repository, &layer.digest).await;
            if !there.map_err(|source| self.push.failed("image", &wanted.digest, source))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What an index names and the store does not have must be at the registry.
    async fn require(&self, entry: &Descriptor) -> Result<(), PushError> {
        let mut call = self.repository.manifest(Method::HEAD, &entry.digest.to_string());
        call.answers = NOT_THERE;
        let response = self.push.session.call(&call).await;
        let response = response.map_err(|source| self.push.failed("manifest", &entry.digest, source))?;
        match response.status.is_success() {
            true => Ok(()),
            false => {
                let platform = entry.platform.clone().map(Box::new);
                Err(PushError::MissingChild { digest: entry.digest.clone(), platform })
            }
        }
    }

    fn add_blobs(&mut self, manifest: &Manifest) {
        let config = std::iter::once((&manifest.config, TransferKind::Config));
        let layers = manifest.layers.iter().map(|layer| (layer, TransferKind::Layer));
        for (descriptor, kind) in config.chain(layers) {
            if self.seen.insert(descriptor.digest.clone()) {
                self.blobs.push(BlobToPush { descriptor: descriptor.clone(), kind });
            }
        }
    }

    fn add(&mut self, descriptor: Descriptor, bytes: Vec<u8>) -> Descriptor {
        self.manifests.push(ManifestToPush { descriptor: descriptor.clone(), bytes, is_target: false });
        descriptor
    }
}

fn read(store: &Store, wanted: &Descriptor) -> Result<(ManifestKind, Vec<u8>), PushError> {
    let digest = || wanted.digest.clone();
    let bytes = store
        .content()
        .read(&wanted.digest, MANIFEST_BYTES_MAX)
        .map_err(|source| PushError::Read { digest: digest(), source })?;
    let kind = ManifestKind::parse(&wanted.media_type, &bytes)
        .map_err(|source| PushError::Manifest { digest: digest(), source })?;
    Ok((kind, bytes))
}
