//! The layers of an image as blobs, packed side by side.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use tug_oci::{Compression, Descriptor, DiffId};

use super::{Image, ImageError};
use crate::content::ContentStore;
use crate::layer::LayerStore;

/// The descriptors of the layers' blobs: the image's own where they are here, else of blobs packed now.
pub(super) fn layers(
    content: &ContentStore,
    layers: &LayerStore,
    image: &Image,
    compression: Compression,
) -> Result<Vec<Descriptor>, ImageError> {
    let pairs: Vec<(&Descriptor, &DiffId)> = image.manifest.layers.iter().zip(image.diff_ids()).collect();
    let mut missing: Vec<&DiffId> =
        pairs.iter().filter(|(blob, _)| !content.contains(&blob.digest)).map(|(_, layer)| *layer).collect();
    missing.sort();
    missing.dedup();
    let packed = pack(layers, &missing, compression)?;
    let blob = |(blob, layer): &(&Descriptor, &DiffId)| packed.get(layer).unwrap_or(*blob).clone();
    Ok(pairs.iter().map(blob).collect())
}

fn pack<'a>(
    layers: &LayerStore,
    missing: &[&'a DiffId],
    compression: Compression,
) -> Result<HashMap<&'a DiffId, Descriptor>, ImageError> {
    let queue = Mutex::new(missing.iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next().copied();
    let work = || -> Result<Vec<(&'a DiffId, Descriptor)>, ImageError> {
        let mut packed = Vec::new();
        while let Some(layer) = next() {
            let blob = layers.blob(layer, compression);
            let blob =
                blob.map_err(|source| ImageError::Pack { layer: layer.clone(), source: Box::new(source) })?;
            packed.push((layer, blob));
        }
        Ok(packed)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(missing.len());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut packed = HashMap::new();
        for worker in workers {
            match worker.join() {
                Ok(done) => packed.extend(done?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(packed)
    })
}
