//! Snapshots: a stack of layers as overlay directories, to run in or to look into.

mod compose;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use tug_oci::{ChainId, DiffId, LAYERS_MAX};

use crate::beneath;
use crate::layer::{CommitError, Layer, LayerStore, Settle, Staged};
use crate::record::RecordError;
use crate::root::Root;
use crate::view::{View, ViewError};

pub use compose::ComposeError;

/// Makes snapshots.
pub struct Snapshots {
    root: Arc<Root>,
    layers: LayerStore,
}

/// Why a stack of layers cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// More layers than can be stacked.
    #[error("image has {0} layers; at most {LAYERS_MAX} can be stacked")]
    TooManyLayers(usize),
    /// A layer is not here.
    #[error("layer {0} is not in the store")]
    Missing(DiffId),
    /// The records.
    #[error("cannot read the records of a layer")]
    Records(#[from] RecordError),
    /// A layer that does not fit what lies below it.
    #[error("layer {layer} does not fit the layers below it")]
    Compose {
        /// The layer.
        layer: DiffId,
        /// What does not fit.
        #[source]
        source: ComposeError,
    },
    /// A directory of the store.
    #[error("cannot prepare a directory")]
    Stage(#[from] CommitError),
    /// A layer's directory.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

impl Snapshots {
    pub(crate) fn new(root: Arc<Root>, layers: LayerStore) -> Snapshots {
        Snapshots { root, layers }
    }

    /// The directories of a stack (given from the lowest layer up), top first, as overlay wants them. A layer that
    /// leans on what is below it is composed for this stack. Layers that nothing of can be seen are left out: those
    /// below one with an opaque root, and all but the topmost of one that is there several times.
    pub fn lowers(&self, layers: &[DiffId]) -> Result<Vec<PathBuf>, PrepareError> {
        if layers.len() > LAYERS_MAX {
            return Err(PrepareError::TooManyLayers(layers.len()));
        }
        let mut paths: Vec<PathBuf> = Vec::with_capacity(layers.len());
        for (at, layer) in layers.iter().enumerate() {
            if !self.layers.contains(layer) {
                return Err(PrepareError::Missing(layer.clone()));
            }
            let path = match self.layers.leaning(layer)? {
                Some(_) => self.composed(&layers[..=at], &paths)?,
                None => self.layers.fs(layer),
            };
            paths.push(path);
        }
        visible(paths)
    }

    /// A stack with an empty writable directory on top.
    pub fn prepare(&self, layers: &[DiffId]) -> Result<Active, PrepareError> {
        Ok(Active { lowers: self.lowers(layers)?, staged: self.layers.stage()? })
    }

    /// A stack to read, without mounting it.
    pub fn view(&self, layers: &[DiffId]) -> Result<View, PrepareError> {
        let lowers = self.lowers(layers)?;
        if lowers.is_empty() {
            // The open directory stays when the staged one is removed.
            return Ok(View::of(vec![self.layers.stage()?.open()?]));
        }
        Ok(View::of(open_all(&lowers)?))
    }

    /// The directory of a leaning layer for one stack. `composed/<chain id>` without `fs` says that the layer fits
    /// as it is.
    fn composed(&self, layers: &[DiffId], below: &[PathBuf]) -> Result<PathBuf, PrepareError> {
        let (Some(layer), Some(chain)) = (layers.last(), ChainId::of(layers)) else {
            return Ok(PathBuf::new());
        };
        let (place, own) = (self.root.composed().join(chain.0.hex()), self.layers.fs(layer));
        let composed = place.join("fs");
        if composed.is_dir() {
            return Ok(composed);
        }
        if place.is_dir() {
            return Ok(own);
        }
        let leaning = self.layers.leaning(layer)?.unwrap_or_default();
        let mut lower: Vec<PathBuf> = below.to_vec();
        lower = visible(lower)?;
        let view = || match lower.is_empty() {
            true => Ok(View::of(vec![self.layers.stage()?.open()?])),
            false => open_all(&lower).map(View::of),
        };
        let failed = |source| PrepareError::Compose { layer: layer.clone(), source };
        if !compose::is_needed(&leaning, &view()?).map_err(failed)? {
            return match fs::create_dir(&place) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    Err(PrepareError::Io { doing: "make", path: place, source: error })
                }
                _ => Ok(own),
            };
        }
        let staged = self.layers.stage()?;
        let mut union = vec![staged.fs().to_owned()];
        union.extend(lower.iter().cloned());
        let stack = compose::Stack {
            own: open_dir(&own)?,
            target: staged.open()?,
            below: view()?,
            union: View::of(open_all(&union)?),
        };
        compose::compose(stack, &leaning).map_err(failed)?;
        staged.rename(&place)?;
        Ok(composed)
    }
}

/// A stack that is being changed. Dropped without commit, its changes are removed.
pub struct Active {
    lowers: Vec<PathBuf>,
    staged: Staged,
}

impl Active {
    /// The read-only directories, top first. Empty for an empty stack.
    pub fn lowers(&self) -> &[PathBuf] {
        &self.lowers
    }

    /// The overlay upper directory.
    pub fn upper(&self) -> &Path {
        self.staged.fs()
    }

    /// The overlay work directory.
    pub fn work(&self) -> &Path {
        self.staged.work()
    }

    /// Makes the changes a layer. `None` when nothing was changed.
    pub fn commit(self, settle: Settle) -> Result<Option<Layer>, CommitError> {
        match self.staged.is_empty()? {
            true => Ok(None),
            false => self.staged.commit(settle).map(Some),
        }
    }
}

/// Top first, without what cannot be seen. overlayfs itself never looks whether the root of a layer is opaque, and
/// takes no directory twice.
fn visible(bottom_up: Vec<PathBuf>) -> Result<Vec<PathBuf>, PrepareError> {
    let mut seen = HashSet::new();
    let mut paths = Vec::with_capacity(bottom_up.len());
    for path in bottom_up.into_iter().rev() {
        let opaque = beneath::is_opaque_path(&path).map_err(|errno| PrepareError::Io {
            doing: "read",
            path: path.clone(),
            source: errno.into(),
        })?;
        if seen.insert(path.clone()) {
            paths.push(path);
        }
        if opaque {
            break;
        }
    }
    Ok(paths)
}

fn open_all(paths: &[PathBuf]) -> Result<Vec<OwnedFd>, PrepareError> {
    paths.iter().map(|path| open_dir(path)).collect()
}

fn open_dir(path: &Path) -> Result<OwnedFd, PrepareError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| PrepareError::Io {
        doing: "open",
        path: path.to_owned(),
        source: errno.into(),
    })
}

impl From<ViewError> for ComposeError {
    fn from(error: ViewError) -> ComposeError {
        ComposeError::View(error)
    }
}
