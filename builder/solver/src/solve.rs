//! Finding or making the results of target vertices.

use std::num::NonZeroUsize;

use crate::cancel::Cancel;
use crate::graph::{Graph, Nature, Op, Reuse, Vertex, VertexId};
use crate::key::{Key, KeyBuilder};
use crate::schedule::{Schedule, SolveError};

/// Does what the ops say.
pub trait Worker: Sync {
    /// What it understands.
    type Op: Op + Sync;
    /// What comes of an op.
    type Output: Clone + Send;
    /// Why an op fails.
    type Error: Send;

    /// A key for what the op reads of each of its inputs. `None` when that cannot be told without running it.
    fn content(&self, op: &Self::Op, inputs: &[Self::Output]) -> Result<Option<Vec<Key>>, Self::Error>;

    /// Runs the op of a vertex.
    fn run(
        &self,
        vertex: VertexId,
        op: &Self::Op,
        inputs: &[Self::Output],
        cancel: &Cancel,
    ) -> Result<Self::Output, Self::Error>;
}

/// Results by key. Other processes may use it at the same time.
pub trait Cache: Sync {
    /// What is kept.
    type Output;
    /// Why it cannot be read or written.
    type Error;

    /// Looks a key up.
    fn get(&self, key: &Key) -> Result<Option<Self::Output>, Self::Error>;

    /// Keeps a result, in the place of an older one.
    fn put(&self, key: &Key, output: &Self::Output) -> Result<(), Self::Error>;
}

/// Is told what happens; called from several threads.
pub trait Observer: Sync {
    /// Its result was in the cache, or is not needed because of one that was.
    fn cached(&self, vertex: VertexId);
    /// It is being run.
    fn started(&self, vertex: VertexId);
    /// It has its result.
    fn done(&self, vertex: VertexId);
    /// It has failed or was stopped.
    fn failed(&self, vertex: VertexId);
}

/// What a solve needs from outside.
pub struct Solver<'a, W, C> {
    /// Runs ops.
    pub worker: &'a W,
    /// Keeps results.
    pub cache: &'a C,
    /// Is told what happens.
    pub observer: &'a dyn Observer,
    /// How many vertices may run at once.
    pub parallelism: NonZeroUsize,
}

impl<W, C> Solver<'_, W, C>
where
    W: Worker,
    C: Cache<Output = W::Output, Error = W::Error>,
{
    /// The results of `targets`, in their order.
    ///
    /// The first failure stops what has not started and asks what runs to stop.
    pub fn solve(
        &self,
        graph: &Graph<W::Op>,
        targets: &[VertexId],
        cancel: &Cancel,
    ) -> Result<Vec<W::Output>, SolveError<W::Error>> {
        let plan = self.plan(graph, targets)?;
        for (id, _) in graph.iter().filter(|(id, _)| plan.wanted[id.index()] != Wanted::No) {
            if plan.wanted[id.index()] == Wanted::Found {
                self.observer.cached(id);
            }
        }
        let cancel = cancel.child();
        let schedule = Schedule::new(graph, plan.results, |id| plan.wanted[id.index()] == Wanted::Missing);
        let evaluate = |id: VertexId, inputs: Vec<W::Output>| self.evaluate(graph, id, &inputs, &cancel);
        let results = schedule.run(self.parallelism, &cancel, &evaluate)?;
        let take = |id: &VertexId| results[id.index()].clone().expect("every target has its result");
        Ok(targets.iter().map(take).collect())
    }

    /// Walks from the targets and looks definition keys up: what stands above a hit is not needed.
    fn plan(
        &self,
        graph: &Graph<W::Op>,
        targets: &[VertexId],
    ) -> Result<Plan<W::Output>, SolveError<W::Error>> {
        let mut wanted = vec![Wanted::No; graph.len()];
        let mut results: Vec<Option<W::Output>> = vec![None; graph.len()];
        targets.iter().for_each(|target| wanted[target.index()] = Wanted::Missing);
        for (id, vertex) in graph.iter().rev() {
            let index = id.index();
            match wanted[index] {
                Wanted::No => continue,
                // Only vertices that come later mark this one, and they have been seen.
                Wanted::Found => {}
                Wanted::Missing => {
                    results[index] = self.find_by_definition(vertex).map_err(failed(id))?;
                    if results[index].is_some() {
                        wanted[index] = Wanted::Found;
                    }
                }
            }
            let of_inputs = wanted[index];
            for input in &vertex.inputs {
                let mark = &mut wanted[input.index()];
                *mark = (*mark).max(of_inputs);
            }
        }
        Ok(Plan { wanted, results })
    }

    fn find_by_definition(&self, vertex: &Vertex<W::Op>) -> Result<Option<W::Output>, W::Error> {
        match &vertex.definition {
            Some(key) if vertex.op.nature() == Nature::Step && !vertex.fresh => self.cache.get(key),
            _ => Ok(None),
        }
    }

    fn evaluate(
        &self,
        graph: &Graph<W::Op>,
        id: VertexId,
        inputs: &[W::Output],
        cancel: &Cancel,
    ) -> Result<W::Output, SolveError<W::Error>> {
        let vertex = graph.vertex(id);
        let outcome = match vertex.op.nature() {
            Nature::Pinned | Nature::Volatile => {
                self.observer.started(id);
                self.worker.run(id, &vertex.op, inputs, cancel)
            }
            Nature::Step => match self.find_by_content(vertex, inputs) {
                Ok(Lookup::Found(output)) => {
                    self.observer.cached(id);
                    return Ok(output);
                }
                Ok(Lookup::Missing(key)) => {
                    self.observer.started(id);
                    self.run_and_keep(id, vertex, key, (inputs, cancel))
                }
                Err(error) => Err(error),
            },
        };
        match outcome {
            Ok(output) => {
                self.observer.done(id);
                Ok(output)
            }
            Err(error) => {
                self.observer.failed(id);
                Err(failed(id)(error))
            }
        }
    }

    fn find_by_content(
        &self,
        vertex: &Vertex<W::Op>,
        inputs: &[W::Output],
    ) -> Result<Lookup<W::Output>, W::Error> {
        let Some(read) = self.worker.content(&vertex.op, inputs)? else {
            return Ok(Lookup::Missing(None));
        };
        let mut key = KeyBuilder::new("content 1");
        key.key(&vertex.op_key);
        read.iter().for_each(|part| {
            key.key(part);
        });
        let key = key.finish();
        if vertex.reuse == Reuse::Refused {
            return Ok(Lookup::Missing(Some(key)));
        }
        match self.cache.get(&key)? {
            Some(output) => {
                if let Some(definition) = &vertex.definition {
                    self.cache.put(definition, &output)?;
                }
                Ok(Lookup::Found(output))
            }
            None => Ok(Lookup::Missing(Some(key))),
        }
    }

    fn run_and_keep(
        &self,
        id: VertexId,
        vertex: &Vertex<W::Op>,
        content: Option<Key>,
        (inputs, cancel): (&[W::Output], &Cancel),
    ) -> Result<W::Output, W::Error> {
        let output = self.worker.run(id, &vertex.op, inputs, cancel)?;
        for key in content.iter().chain(&vertex.definition) {
            self.cache.put(key, &output)?;
        }
        Ok(output)
    }
}

/// Whether a vertex must be evaluated. Ordered: the stronger reason wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    /// Nothing leads to it.
    No,
    /// Its result is known, or stands behind one that is.
    Found,
    /// Yes.
    Missing,
}

struct Plan<T> {
    wanted: Vec<Wanted>,
    results: Vec<Option<T>>,
}

enum Lookup<T> {
    Found(T),
    Missing(Option<Key>),
}

fn failed<E>(vertex: VertexId) -> impl FnOnce(E) -> SolveError<E> {
    move |error| SolveError::Vertex { vertex, error }
}
