//! The solver's ports: ops are run, results are kept in the store.

use std::sync::{Arc, Mutex, PoisonError};

use tug_oci::DiffId;
use tug_solver::{Cancel, Graph, Key, VertexId};
use tug_store::Store;
use tug_store::cache::CacheError;

use crate::clock;
use crate::context::{Context, ContextError};
use crate::copy::{self, CopyError};
use crate::exec::{RunError, Runner};
use crate::filesystem::{Files, Layers};
use crate::op::{ContextOp, CopyOp, ImageOp, Op};
use crate::ports::{ImageSourceError, Ports};
use crate::progress::Progress;
use crate::request::{BuildRequest, NamedContext};
use crate::select::{self, SelectError};
use crate::tree::{LayerTree, Tree};

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// A process.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A copy, or a directory to make.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// What a copy takes.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A context.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// A base image's layers.
    #[error(transparent)]
    Image(#[from] ImageSourceError),
    /// The build cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Runs the ops of one build.
pub(crate) struct Worker<'a> {
    ports: &'a Ports<'a>,
    request: &'a BuildRequest,
    progress: &'a Progress<'a>,
    epoch: Option<i64>,
    bases: Vec<Base>,
    contexts: Mutex<Vec<Arc<Context>>>,
}

/// An image that steps stand on. Its layers are fetched once, and only when a step needs its files.
struct Base {
    op: ImageOp,
    fetching: Mutex<()>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        ports: &'a Ports<'a>,
        request: &'a BuildRequest,
        progress: &'a Progress<'a>,
        (graph, epoch): (&Graph<Op>, Option<i64>),
    ) -> Worker<'a> {
        let image = |op: &Op| match op {
            Op::Image(op) => Some(Base { op: op.clone(), fetching: Mutex::new(()) }),
            _ => None,
        };
        let bases = graph.iter().filter_map(|(_, vertex)| image(&vertex.op)).collect();
        Worker { ports, request, progress, epoch, bases, contexts: Mutex::default() }
    }

    /// Makes sure that layers are in the store.
    pub(crate) fn ensure(&self, layers: &[DiffId]) -> Result<(), StepError> {
        let store = self.ports.store.layers();
        for layer in layers.iter().filter(|layer| !store.contains(layer)) {
            let Some(base) = self.bases.iter().find(|base| base.op.image.diff_ids().contains(layer)) else {
                continue;
            };
            let _one = base.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            if !store.contains(layer) {
                self.ports.images.fetch(&base.op.reference, &base.op.image)?;
            }
        }
        Ok(())
    }

    /// Keeps what was learnt of the contexts.
    pub(crate) fn keep_stamps(&self) -> Result<(), ContextError> {
        let contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        contexts.iter().try_for_each(|context| context.keep_stamps(self.ports.store))
    }

    fn context(&self, op: &ContextOp) -> Result<Arc<Context>, StepError> {
        let context = match self.request.contexts.get(&op.name) {
            Some(NamedContext::Directory(path)) if !op.name.is_empty() => {
                Context::open(self.ports.store, path, None)?
            }
            _ => {
                let ignore = self.request.dockerfile.ignore.as_deref();
                Context::open(self.ports.store, &self.request.context, ignore)?
            }
        };
        let context = Arc::new(context);
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&context));
        Ok(context)
    }

    /// Calls `use_tree` with the tree that files are.
    fn with_tree<T>(
        &self,
        files: &Files,
        use_tree: impl FnOnce(&dyn Tree) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        match files {
            Files::Context(context) => use_tree(context.as_ref()),
            Files::Layers(layers) => {
                self.ensure(&layers.diff_ids)?;
                let view = self.ports.store.snapshots().view(&layers.diff_ids).map_err(CopyError::from)?;
                use_tree(&LayerTree(view))
            }
        }
    }

    fn copy(&self, op: &CopyOp, inputs: &[Files]) -> Result<Files, StepError> {
        let base = inputs[0].layers();
        self.ensure(&base.diff_ids)?;
        let layer = match inputs.get(1) {
            Some(from) => {
                self.with_tree(from, |tree| Ok(copy::run(self.ports.store, op, &base.diff_ids, Some(tree))?))?
            }
            None => copy::run(self.ports.store, op, &base.diff_ids, None)?,
        };
        Ok(self.grown(&base, layer))
    }

    fn grown(&self, base: &Layers, layer: Option<DiffId>) -> Files {
        let created = self.epoch.unwrap_or_else(clock::now);
        Files::Layers(Arc::new(base.with(layer, created)))
    }
}

impl tug_solver::Worker for Worker<'_> {
    type Op = Op;
    type Output = Files;
    type Error = StepError;

    fn content(&self, op: &Op, inputs: &[Files]) -> Result<Option<Vec<Key>>, StepError> {
        let whole = |files: &Files| files.layers().key();
        match (op, inputs) {
            (Op::Copy(op), [base, from]) => {
                let selected = self.with_tree(from, |tree| Ok(select::content_key(tree, op)?))?;
                Ok(Some(vec![whole(base), selected]))
            }
            (_, inputs) => Ok(Some(inputs.iter().map(whole).collect())),
        }
    }

    fn run(&self, vertex: VertexId, op: &Op, inputs: &[Files], cancel: &Cancel) -> Result<Files, StepError> {
        match op {
            Op::Image(op) => Ok(Files::Layers(Arc::new(Layers::base(op.image.diff_ids())))),
            Op::Context(op) => Ok(Files::Context(self.context(op)?)),
            Op::Scratch => Ok(Files::Layers(Arc::default())),
            Op::Copy(op) => self.copy(op, inputs),
            Op::Directory(op) => {
                let base = inputs[0].layers();
                self.ensure(&base.diff_ids)?;
                let layer = copy::directory(self.ports.store, op, &base.diff_ids)?;
                Ok(self.grown(&base, layer))
            }
            Op::Exec(op) => {
                let inputs: Vec<Arc<Layers>> = inputs.iter().map(Files::layers).collect();
                inputs.iter().try_for_each(|layers| self.ensure(&layers.diff_ids))?;
                let runner =
                    Runner { store: self.ports.store, executor: self.ports.executor, request: self.request };
                let borrowed: Vec<&Layers> = inputs.iter().map(AsRef::as_ref).collect();
                let layer = runner.run(op, &borrowed, &self.progress.log(vertex), cancel)?;
                Ok(self.grown(&inputs[0], layer))
            }
        }
    }
}

/// Results in the store's cache records.
pub(crate) struct StoreCache<'a>(pub(crate) &'a Store);

impl tug_solver::Cache for StoreCache<'_> {
    type Output = Files;
    type Error = StepError;

    fn get(&self, key: &Key) -> Result<Option<Files>, StepError> {
        let record = self.0.cache().get(&digest(key))?;
        Ok(record.and_then(Layers::from_record).map(|layers| Files::Layers(Arc::new(layers))))
    }

    fn put(&self, key: &Key, output: &Files) -> Result<(), StepError> {
        match output {
            Files::Layers(layers) => Ok(self.0.cache().put(&digest(key), &layers.to_record())?),
            Files::Context(_) => Ok(()),
        }
    }
}

/// A key as the store names records.
pub(crate) fn digest(key: &Key) -> tug_oci::Digest {
    format!("sha256:{key}").parse().expect("a key is 32 bytes, shown as hex")
}
