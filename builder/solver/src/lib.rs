//! Solves a graph of vertices: finds results in a cache, runs what is missing, independent vertices at once.
//!
//! A [`Graph`] grows only by adding a vertex on vertices that are in it, so a cycle cannot be written; equal
//! vertices are one. What an op means is the caller's: the [`Worker`] runs it, the [`Cache`] keeps what came of it.
//!
//! A vertex has two keys. Its *definition key* speaks of its op and the definition keys of its inputs, and is known
//! before anything runs; its *content key* speaks of its op and of what that op reads of its inputs' results. A hit
//! on either is a hit. [`Solver::solve`] first walks from the targets by definition keys, so that nothing above a hit
//! is run, or even looked at.
//!
//! *Invariant*: a result is put into the cache only after the run that gave it succeeded.

mod cancel;
mod graph;
mod key;
mod schedule;
mod solve;

pub use cancel::Cancel;
pub use graph::{Graph, Nature, Op, Reuse, Vertex, VertexId};
pub use key::{Key, KeyBuilder};
pub use schedule::SolveError;
pub use solve::{Cache, Observer, Solver, Worker};

#[cfg(test)]
mod tests;
