//! The builder's port for images, plugged into the store and the registry client.

use std::sync::{Arc, Mutex, PoisonError};

use tug_builder::{ImageSource, ImageSourceError, PullPolicy};
use tug_oci::{Platform, Reference};
use tug_registry::{Client, Options};
use tug_store::Store;
use tug_store::image::Image;

use crate::progress::Progress;
use crate::transfers::StepLines;

/// Looks images up in the store and fetches what is not there. A base that was fetched keeps its name, so that the
/// next build need not ask the registry.
pub(crate) struct Source<'a> {
    store: &'a Store,
    options: Options,
    progress: &'a Progress,
    /// Made when a registry is asked for the first time: most builds ask none.
    client: Mutex<Option<Arc<Client>>>,
}

impl<'a> Source<'a> {
    /// A source that makes a client of these options when it needs one, and tells of the layers it fetches.
    pub(crate) fn new(store: &'a Store, options: Options, progress: &'a Progress) -> Source<'a> {
        Source { store, options, progress, client: Mutex::new(None) }
    }

    fn local(&self, reference: &Reference, platform: &Platform) -> Result<Option<Image>, ImageSourceError> {
        let failed = |source: tug_store::name::NameError| failure(reference, source);
        let Some(target) = self.store.names().get(reference).map_err(failed)? else { return Ok(None) };
        // An index may be here without the platform that is wanted.
        Ok(self.store.images().read(&target, platform).ok())
    }

    fn client(&self, reference: &Reference) -> Result<Arc<Client>, ImageSourceError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let made = Client::new(self.options.clone()).map_err(|source| failure(reference, source))?;
        Ok(Arc::clone(client.insert(Arc::new(made))))
    }
}

impl ImageSource for Source<'_> {
    fn resolve(
        &self,
        reference: &Reference,
        platform: &Platform,
        policy: PullPolicy,
    ) -> Result<Image, ImageSourceError> {
        if policy == PullPolicy::Missing
            && let Some(image) = self.local(reference, platform)?
        {
            return Ok(image);
        }
        let client = self.client(reference)?;
        client.pull_config(self.store, reference, platform).map_err(|source| failure(reference, source))
    }

    fn fetch(&self, reference: &Reference, image: &Image) -> Result<(), ImageSourceError> {
        let client = self.client(reference)?;
        let step = self.progress.step(&format!("pulling {}", reference.familiar()));
        let fetched = client.fetch_layers(self.store, reference, image, &StepLines(&step));
        match &fetched {
            Ok(()) => step.done(),
            Err(_) => step.failed(),
        }
        fetched.map_err(|source| failure(reference, source))?;
        self.store.images().record(&image.descriptor).map_err(|source| failure(reference, source))?;
        self.store.names().set(reference, &image.descriptor).map_err(|source| failure(reference, source))
    }
}

fn failure(
    reference: &Reference,
    source: impl std::error::Error + Send + Sync + 'static,
) -> ImageSourceError {
    ImageSourceError::Failed { reference: reference.familiar(), source: Box::new(source) }
}
