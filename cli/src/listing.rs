//! Images as people know them: by id, with all their names, whatever manifests hold them.

use tug_oci::{
    Compression, Descriptor, Digest, MANIFEST_BYTES_MAX, ManifestKind, MediaKind, Platform, Reference,
};
use tug_store::Store;
use tug_store::image::{Image, ImageError, Listed};

use crate::command_error::{Attempt, CommandError};
use crate::diagnostic::Diagnostic;
use crate::timestamp;

/// An image of the store and what points to it.
pub(crate) struct Held {
    /// The image, for this machine's platform where there are several.
    pub(crate) image: Image,
    /// Names with a tag, sorted.
    pub(crate) tags: Vec<Reference>,
    /// `repository@digest` for each repository it came from or went to, sorted.
    pub(crate) digests: Vec<Reference>,
    /// What the names point to.
    pub(crate) targets: Vec<Descriptor>,
    /// Bytes of its layers as tars.
    pub(crate) size: u64,
    /// When it came into the store, seconds since 1970.
    pub(crate) added: i64,
}

impl Held {
    /// The image id.
    pub(crate) fn id(&self) -> &Digest {
        self.image.id()
    }

    /// When it was built, seconds since 1970.
    pub(crate) fn created(&self) -> Option<i64> {
        self.image.config.created.as_deref().and_then(timestamp::parse)
    }

    /// The digest under which a repository knows it.
    pub(crate) fn digest_in(&self, repository: &str) -> Option<&Digest> {
        let known = self.digests.iter().find(|name| name.familiar_repository() == repository);
        known.and_then(Reference::digest)
    }
}

/// All images, newest first.
pub(crate) fn all(store: &Store) -> Result<Vec<Held>, CommandError> {
    let mut held: Vec<Held> = Vec::new();
    for listed in store.images().list()? {
        // Between the list and this read another process may have removed it.
        let Ok(image) = read(store, &listed.target) else { continue };
        match held.iter_mut().find(|known| known.id() == image.id()) {
            Some(known) => known.merge(listed, &image),
            None => held.push(Held::new(store, listed, image)?),
        }
    }
    held.sort_by(|a, b| b.created().cmp(&a.created()).then_with(|| a.id().cmp(b.id())));
    Ok(held)
}

/// The image that a person means by a name, an id or the start of one.
pub(crate) fn find(store: &Store, text: &str) -> Result<Held, CommandError> {
    let attempt = || format!("cannot find image {text}");
    let Some(listed) = store.images().find(text).trying(attempt)? else { return Err(no_such_image(text)) };
    let image = read(store, &listed.target).trying(|| format!("cannot read image {text}"))?;
    let mut held = Held::new(store, listed, image)?;
    // The same image may have other names through other manifests.
    for listed in store.images().list()? {
        if held.targets.contains(&listed.target) {
            continue;
        }
        if let Ok(image) = read(store, &listed.target)
            && image.id() == held.id()
        {
            held.merge(listed, &image);
        }
    }
    Ok(held)
}

/// The image for this machine that a descriptor leads to; failing that, for any platform whose image is here.
pub(crate) fn read(store: &Store, target: &Descriptor) -> Result<Image, ImageError> {
    let error = match store.images().read(target, &Platform::host()) {
        Ok(image) => return Ok(image),
        Err(error) => error,
    };
    let other =
        platforms(store, target).into_iter().find_map(|platform| store.images().read(target, &platform).ok());
    other.ok_or(error)
}

/// The error for an image that is not in the store.
pub(crate) fn no_such_image(text: &str) -> CommandError {
    Diagnostic::new(format!("no such image: {text}"))
        .hint("`tug images` lists what is here, `tug pull` fetches from a registry")
        .into()
}

/// The platforms that an index lists.
fn platforms(store: &Store, target: &Descriptor) -> Vec<Platform> {
    if target.media_type.kind() != MediaKind::Index {
        return Vec::new();
    }
    let bytes = store.content().read(&target.digest, MANIFEST_BYTES_MAX).ok();
    match bytes.map(|bytes| ManifestKind::parse(&target.media_type, &bytes)) {
        Some(Ok(ManifestKind::Index(index))) => {
            index.manifests.into_iter().filter_map(|entry| entry.platform).collect()
        }
        _ => Vec::new(),
    }
}

impl Held {
    fn new(store: &Store, listed: Listed, image: Image) -> Result<Held, CommandError> {
        let mut size = 0;
        for (layer, descriptor) in image.diff_ids().iter().zip(&image.manifest.layers) {
            size += store.layers().size(layer)?.unwrap_or(descriptor.size);
        }
        let mut held = Held {
            tags: Vec::new(),
            digests: Vec::new(),
            targets: Vec::new(),
            size,
            added: listed.added,
            image: image.clone(),
        };
        held.merge(listed, &image);
        Ok(held)
    }

    fn merge(&mut self, listed: Listed, image: &Image) {
        let travelled = travelled(image);
        for name in listed.names {
            if travelled || name.digest().is_some() {
                self.digests.push(name.with_digest(listed.target.digest.clone()));
            }
            if name.tag().is_some() && name.digest().is_none() {
                self.tags.push(name);
            }
        }
        self.tags.sort();
        self.tags.dedup();
        self.digests.sort();
        self.digests.dedup();
        self.added = self.added.min(listed.added);
        self.targets.push(listed.target);
    }
}

/// Whether a manifest is one that registries know: an image made here lists its layers as plain tars, which are
/// packed on their way out, so its manifest never leaves.
fn travelled(image: &Image) -> bool {
    let plain = |layer: &Descriptor| layer.media_type.kind() == MediaKind::Layer(Compression::None);
    !image.manifest.layers.iter().all(plain)
}
