//! Stores, layers and images to test with.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tug_oci::{Descriptor, DiffId, Digest, ImageConfig, MediaType, Platform, Reference, RootFs};
use tug_store::Store;
use tug_store::image::Image;
use tug_store::layer::Settle;

/// A store in a directory that goes with it.
pub(crate) struct Fixture {
    _directory: TempDir,
    pub(crate) store: Store,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store")).unwrap();
        Fixture { _directory: directory, store }
    }

    pub(crate) fn root(&self) -> &Path {
        self.store.root()
    }

    /// A layer with one file of that text.
    pub(crate) fn layer(&self, text: &str) -> DiffId {
        let staged = self.store.layers().stage().unwrap();
        fs::write(staged.fs().join("file"), text).unwrap();
        staged.commit(Settle { epoch: Some(0) }).unwrap().diff_id
    }

    /// An image of one layer for each text.
    pub(crate) fn image(&self, texts: &[&str]) -> Image {
        let layers = texts.iter().map(|text| self.layer(text)).collect();
        self.store.images().write(&config(layers)).unwrap()
    }

    /// Neither `ingest/` nor `staging/` holds anything.
    pub(crate) fn has_leftovers(&self) -> bool {
        ["ingest", "staging"]
            .iter()
            .any(|place| fs::read_dir(self.root().join(place)).unwrap().next().is_some())
    }

    pub(crate) fn assert_sound(&self) {
        assert_eq!(self.store.fsck().unwrap().problems, Vec::<String>::new());
    }
}

pub(crate) fn config(diff_ids: Vec<DiffId>) -> ImageConfig {
    ImageConfig {
        created: None,
        author: None,
        platform: Platform::new("linux", "amd64"),
        config: None,
        rootfs: RootFs::of(diff_ids),
        history: Vec::new(),
    }
}

/// An image config without layers, told from others by its author.
pub(crate) fn bare(author: &str) -> ImageConfig {
    ImageConfig { author: Some(author.to_owned()), ..config(Vec::new()) }
}

pub(crate) fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

/// A manifest that nobody wrote.
pub(crate) fn nowhere() -> Descriptor {
    Descriptor::new(MediaType::OCI_MANIFEST.into(), Digest::of(b"nowhere"), 7)
}

/// An error and what lies under it, as a person would see them.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        text = format!("{text}: {source}");
        below = source.source();
    }
    text
}
