//! From a Dockerfile to an image: plan, solve, write.
//!
//! [`build`] parses the Dockerfile, resolves the images that it needs through the [`ImageSource`] port, *lowers* the
//! stages that the target needs to a graph, solves that graph with the store's cache records, and writes the image
//! into the store. Lowering is pure: [`lower::lower`] does no I/O, and its graph can be printed.
//!
//! What runs a process, what talks to registries and what shows progress are ports ([`ports`]): this crate opens no
//! socket and starts no process.
//!
//! *Invariant*: a step is a function of its op, of its input layers and of what it selects of the context; nothing
//! else gets into it, so equal keys give equal results.

mod build;
mod clock;
mod context;
mod copy;
mod exec;
mod filesystem;
mod image;
pub mod lower;
pub mod op;
mod place;
pub mod ports;
mod progress;
mod request;
mod select;
mod tree;
mod worker;

pub use build::{BuildError, Built, build};
pub use context::ContextError;
pub use copy::{CopyError, TargetError, UnpackArchiveError};
pub use exec::RunError;
pub use place::Place;
pub use ports::{
    Event, Events, ExecError, ExecOutcome, ExecStep, Executor, ImageSource, ImageSourceError, OutputSink,
    Ports,
};
pub use request::{BuildRequest, CacheUse, DockerfileSource, NamedContext, Network, PullPolicy, Secret};
pub use select::SelectError;
pub use tree::TreeError;
pub use tug_solver::Cancel;
pub use worker::StepError;
