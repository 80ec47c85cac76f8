//! The whole of a build.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tug_dockerfile::diagnostic::Diagnostic;
use tug_dockerfile::{Dockerfile, Source, Span};
use tug_solver::{Cancel, SolveError, Solver};
use tug_store::cache::CacheError;
use tug_store::image::{Image, ImageError};
use tug_store::lease::LeaseError;

use crate::context::ContextError;
use crate::filesystem::Layers;
use crate::image;
use crate::lower::{self, ImageRequest, Images, Input, Lowered, Plan, Refusal};
use crate::place::Place;
use crate::ports::{Event, Events, ImageSourceError, Ports};
use crate::progress::Progress;
use crate::request::BuildRequest;
use crate::worker::{StepError, StoreCache, Worker};

/// What a build gave.
#[derive(Clone, Debug)]
pub struct Built {
    /// The image, in the store, without a name.
    pub image: Image,
    /// `SOURCE_DATE_EPOCH`, as the request or the Dockerfile has it.
    pub epoch: Option<i64>,
}

/// Why a build gave no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The Dockerfile cannot be read.
    #[error("{} is not a Dockerfile that can be built", source_text.name())]
    Dockerfile {
        /// What is wrong; at least one of them is an error.
        diagnostics: Vec<Diagnostic>,
        /// The text they are about.
        source_text: Box<Source>,
    },
    /// An instruction cannot be carried out.
    #[error("{place}")]
    Instruction {
        /// Which.
        place: Box<Place>,
        /// Why.
        #[source]
        refusal: Box<Refusal>,
    },
    /// An image that an instruction needs.
    #[error("{place}: cannot use {reference}")]
    Resolve {
        /// The instruction.
        place: Box<Place>,
        /// The image.
        reference: String,
        /// Why.
        #[source]
        source: Box<ImageSourceError>,
    },
    /// A step.
    #[error("{place}: {name}")]
    Step {
        /// Its instruction.
        place: Box<Place>,
        /// What it is called in progress.
        name: String,
        /// Why.
        source: Box<StepError>,
    },
    /// The context.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The build cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The image cannot be written.
    #[error("cannot write the image")]
    Write(#[source] Box<ImageError>),
    /// What the build uses cannot be kept from the collector.
    #[error("cannot take a lease")]
    Lease(#[from] LeaseError),
}

/// Builds an image and writes it to the store.
pub fn build(request: &BuildRequest, ports: &Ports<'_>, cancel: &Cancel) -> Result<Built, BuildError> {
    let source = Source::from_bytes(request.dockerfile.name.clone(), &request.dockerfile.bytes);
    let _lease = ports.store.lease()?;
    let progress = Progress::new(ports.events);
    let dockerfile = parse(&source, ports.events)?;
    let build = Build { request, ports, source: &source, progress: &progress };
    let plan = build.plan(&dockerfile, cancel)?;
    progress.plan(&plan);
    let layers = build.solve(&plan, cancel)?;
    let exporting = progress.begin("exporting to image".to_owned());
    let config = image::config(ports.store, &plan, &layers)?;
    let image = ports.store.images().write(&config).map_err(|source| BuildError::Write(Box::new(source)))?;
    exporting.done();
    Ok(Built { image, epoch: plan.epoch })
}

fn parse(source: &Source, events: &dyn Events) -> Result<Dockerfile, BuildError> {
    let parsed = tug_dockerfile::parse(source.text());
    match parsed.dockerfile {
        Some(dockerfile) if !parsed.diagnostics.iter().any(Diagnostic::is_error) => {
            for warning in parsed.diagnostics {
                let place = Place::of(source, warning.span);
                events.emit(Event::Warning { place, message: warning.message });
            }
            Ok(dockerfile)
        }
        _ => {
            let source_text = Box::new(source.clone());
            Err(BuildError::Dockerfile { diagnostics: parsed.diagnostics, source_text })
        }
    }
}

/// A build under way.
struct Build<'a> {
    request: &'a BuildRequest,
    ports: &'a Ports<'a>,
    source: &'a Source,
    progress: &'a Progress<'a>,
}

impl Build<'_> {
    /// Lowers, and resolves the images that lowering asks for, until it asks for none.
    fn plan(&self, dockerfile: &Dockerfile, cancel: &Cancel) -> Result<Plan, BuildError> {
        let mut images = Images::new();
        loop {
            if cancel.is_set() {
                return Err(BuildError::Cancelled);
            }
            let input = Input { dockerfile, request: self.request, images: &images };
            match lower::lower(input) {
                Ok(Lowered::Plan(plan)) => return Ok(*plan),
                Ok(Lowered::Needs(needs)) => self.resolve(needs, &mut images)?,
                Err(error) => {
                    let place = self.place(error.span);
                    return Err(BuildError::Instruction { place, refusal: Box::new(error.refusal) });
                }
            }
        }
    }

    /// Resolves images, all at once.
    fn resolve(&self, needs: Vec<(ImageRequest, Span)>, images: &mut Images) -> Result<(), BuildError> {
        let one = |(request, span): (ImageRequest, Span)| {
            let running = self.progress.begin(format!("[internal] load metadata for {}", request.reference));
            let policy = self.request.pull;
            match self.ports.images.resolve(&request.reference, &request.platform, policy) {
                Ok(image) => {
                    running.done();
                    Ok((request, Arc::new(image)))
                }
                Err(source) => {
                    let (place, source) = (self.place(span), Box::new(source));
                    Err(BuildError::Resolve { place, reference: request.reference.familiar(), source })
                }
            }
        };
        let resolved: Vec<Result<_, BuildError>> = std::thread::scope(|scope| {
            let threads: Vec<_> = needs.into_iter().map(|need| scope.spawn(|| one(need))).collect();
            threads.into_iter().map(join).collect()
        });
        for image in resolved {
            images.extend([image?]);
        }
        Ok(())
    }

    fn solve(&self, plan: &Plan, cancel: &Cancel) -> Result<Arc<Layers>, BuildError> {
        let worker = Worker::new(self.ports, self.request, self.progress, (&plan.graph, plan.epoch));
        let cache = StoreCache(self.ports.store);
        let parallelism = self.request.parallelism.unwrap_or_else(usual_parallelism);
        let solver = Solver { worker: &worker, cache: &cache, observer: self.progress, parallelism };
        let solved = solver.solve(&plan.graph, &[plan.target], cancel);
        // Digests that were computed are worth keeping also when a later step failed.
        let kept = worker.keep_stamps();
        let mut results = solved.map_err(|error| self.failed(plan, error))?;
        kept?;
        let layers = results.remove(0).layers();
        worker
            .ensure(&layers.diff_ids)
            .map_err(|error| self.step_failed(plan, plan.target.index(), error))?;
        Ok(layers)
    }

    fn failed(&self, plan: &Plan, error: SolveError<StepError>) -> BuildError {
        match error {
            SolveError::Vertex { vertex, error } => self.step_failed(plan, vertex.index(), error),
            _ => BuildError::Cancelled,
        }
    }

    fn step_failed(&self, plan: &Plan, index: usize, source: StepError) -> BuildError {
        let step = &plan.steps[index];
        let place = self.place(step.span);
        let name = step.name.clone().unwrap_or_else(|| place.text.clone());
        BuildError::Step { place, name, source: Box::new(source) }
    }

    fn place(&self, span: Span) -> Box<Place> {
        Box::new(Place::of(self.source, span))
    }
}

/// A panic goes on where the thread is waited for.
fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Steps mostly wait for something, so that there are some more than processors.
fn usual_parallelism() -> NonZeroUsize {
    let processors = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    NonZeroUsize::new(processors * 2).unwrap_or(NonZeroUsize::MIN)
}
