//! The builder's port for images, plugged into the store and the registry client.

use std::sync::OnceLock;

use tug_builder::{ImageSource, ImageSourceError, PullPolicy};
use tug_oci::{Platform, Reference};
use tug_registry::{Client, PullError, Silent};
use tug_store::Store;
use tug_store::image::Image;

/// Looks images up in the store and fetches what is not there.
pub(crate) struct Source<'a> {
    store: &'a Store,
    options: Box<dyn Fn() -> Result<Client, tug_registry::ClientError> + Sync + 'a>,
    client: OnceLock<Client>,
}

/// Why the registry gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum FetchError {
    #[error(transparent)]
    Client(#[from] tug_registry::ClientError),
    #[error(transparent)]
    Pull(#[from] PullError),
}
