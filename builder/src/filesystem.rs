//! What a vertex gives: layers, or a context to read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tug_oci::DiffId;
use tug_solver::{Key, KeyBuilder};
use tug_store::cache::CacheRecord;

use crate::context::Context;

/// What a vertex gives.
#[derive(Clone)]
pub(crate) enum Files {
    /// A stack of layers.
    Layers(Arc<Layers>),
    /// A directory that people edit.
    Context(Arc<Context>),
}

impl Files {
    /// The layers. A context has none.
    pub(crate) fn layers(&self) -> Arc<Layers> {
        match self {
            Files::Layers(layers) => Arc::clone(layers),
            Files::Context(_) => Arc::default(),
        }
    }
}

/// A stack of layers and how it grew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layers {
    /// From the lowest up.
    pub(crate) diff_ids: Vec<DiffId>,
    /// The steps above the base image, in order.
    pub(crate) steps: Vec<Step>,
}

/// A step that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Whether it made a layer. It does not when it changed nothing.
    pub(crate) layer: bool,
    /// When, in seconds since 1970.
    pub(crate) created: i64,
}

impl Layers {
    /// An image's layers.
    pub(crate) fn base(diff_ids: &[DiffId]) -> Layers {
        Layers { diff_ids: diff_ids.to_vec(), steps: Vec::new() }
    }

    /// The stack with one more step.
    pub(crate) fn with(&self, layer: Option<DiffId>, created: i64) -> Layers {
        let mut grown = self.clone();
        grown.steps.push(Step { layer: layer.is_some(), created });
        grown.diff_ids.extend(layer);
        grown
    }

    /// A key for all files.
    pub(crate) fn key(&self) -> Key {
        let mut key = KeyBuilder::new("layers 1");
        key.texts(self.diff_ids.iter().map(ToString::to_string));
        key.finish()
    }

    /// As the cache keeps it.
    pub(crate) fn to_record(&self) -> CacheRecord {
        let value = serde_json::to_vec(&self.steps).expect("numbers and flags have a JSON form");
        CacheRecord { value, layers: self.diff_ids.clone() }
    }

    /// From the cache; `None` when another version wrote it.
    pub(crate) fn from_record(record: CacheRecord) -> Option<Layers> {
        let steps = serde_json::from_slice(&record.value).ok()?;
        Some(Layers { diff_ids: record.layers, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tug_oci::Digest;

    #[test]
    fn records_give_the_same_layers_back() {
        let id = |text: &str| DiffId(Digest::of(text.as_bytes()));
        let layers = Layers::base(&[id("a")]).with(Some(id("b")), 5).with(None, 7);
        assert_eq!(layers.diff_ids, [id("a"), id("b")]);
        assert_eq!(Layers::from_record(layers.to_record()), Some(layers));
    }
}
