//! Evaluating vertices once their inputs have results, several at once.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::cancel::Cancel;
use crate::graph::{Graph, Op, VertexId};

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError<E> {
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A vertex failed.
    #[error("vertex {} failed", vertex.index())]
    Vertex {
        /// Which one.
        vertex: VertexId,
        /// Why.
        error: E,
    },
}

/// The vertices to evaluate and what each waits for.
pub(crate) struct Schedule<T, E> {
    inputs: Vec<Vec<VertexId>>,
    users: Vec<Vec<VertexId>>,
    board: Mutex<Board<T, E>>,
    changed: Condvar,
}

/// What changes while the schedule runs.
struct Board<T, E> {
    results: Vec<Option<T>>,
    /// How many inputs are still without result.
    waiting: Vec<usize>,
    /// In the order of the graph, so that a build on one thread always takes the same way.
    ready: BTreeSet<VertexId>,
    left: usize,
    threads: usize,
    ended: Option<SolveError<E>>,
    panicked: bool,
}

impl<T: Clone + Send, E: Send> Schedule<T, E> {
    /// A schedule of the vertices that `wanted` picks; the others have their results or need none.
    pub(crate) fn new<O: Op>(
        graph: &Graph<O>,
        results: Vec<Option<T>>,
        wanted: impl Fn(VertexId) -> bool,
    ) -> Schedule<T, E> {
        let mut users = vec![Vec::new(); graph.len()];
        let mut inputs = vec![Vec::new(); graph.len()];
        let mut waiting = vec![0; graph.len()];
        let mut ready = BTreeSet::new();
        let mut left = 0;
        for (id, vertex) in graph.iter().filter(|(id, _)| wanted(*id)) {
            let open: BTreeSet<VertexId> =
                vertex.inputs.iter().copied().filter(|input| results[input.index()].is_none()).collect();
            waiting[id.index()] = open.len();
            if open.is_empty() {
                ready.insert(id);
            }
            open.iter().for_each(|input| users[input.index()].push(id));
            inputs[id.index()].clone_from(&vertex.inputs);
            left += 1;
        }
        let board = Board { results, waiting, ready, left, threads: 1, ended: None, panicked: false };
        Schedule { inputs, users, board: Mutex::new(board), changed: Condvar::new() }
    }

    /// Evaluates all, and gives the results by index. Threads beside this one are started only when there is work
    /// for them.
    pub(crate) fn run(
        self,
        parallelism: NonZeroUsize,
        cancel: &Cancel,
        evaluate: &Evaluate<'_, T, E>,
    ) -> Result<Vec<Option<T>>, SolveError<E>> {
        std::thread::scope(|scope| self.work(scope, parallelism, cancel, evaluate));
        let board = self.board.into_inner().unwrap_or_else(PoisonError::into_inner);
        match board.ended {
            Some(error) => Err(error),
            None => Ok(board.results),
        }
    }

    fn work<'scope>(
        &'scope self,
        scope: &'scope std::thread::Scope<'scope, '_>,
        parallelism: NonZeroUsize,
        cancel: &'scope Cancel,
        evaluate: &'scope Evaluate<'_, T, E>,
    ) {
        while let Some((id, inputs, more)) = self.next(parallelism, cancel) {
            if more {
                scope.spawn(move || self.work(scope, parallelism, cancel, evaluate));
            }
            let watch = PanicWatch(self);
            let outcome = evaluate(id, inputs);
            drop(watch);
            self.settle(id, outcome, cancel);
        }
    }

    /// A vertex to evaluate, its inputs' results, and whether another thread would have work too. `None`: all done,
    /// or no use going on.
    fn next(&self, parallelism: NonZeroUsize, cancel: &Cancel) -> Option<(VertexId, Vec<T>, bool)> {
        let mut board = self.lock();
        loop {
            if board.left == 0 || board.ended.is_some() || board.panicked {
                return None;
            }
            if cancel.is_set() {
                board.ended = Some(SolveError::Cancelled);
                self.changed.notify_all();
                return None;
            }
            if let Some(id) = board.ready.pop_first() {
                let more = !board.ready.is_empty() && board.threads < parallelism.get();
                board.threads += usize::from(more);
                let result = |input: &VertexId| {
                    board.results[input.index()].clone().expect("ready: inputs have results")
                };
                let inputs = self.inputs[id.index()].iter().map(result).collect();
                return Some((id, inputs, more));
            }
            board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn settle(&self, id: VertexId, outcome: Result<T, SolveError<E>>, cancel: &Cancel) {
        let mut board = self.lock();
        board.left -= 1;
        match outcome {
            Ok(result) => {
                board.results[id.index()] = Some(result);
                for user in &self.users[id.index()] {
                    board.waiting[user.index()] -= 1;
                    if board.waiting[user.index()] == 0 {
                        board.ready.insert(*user);
                    }
                }
            }
            Err(error) => {
                // What fails after the first failure mostly fails because it was asked to stop.
                let stopped = cancel.is_set();
                let error = if stopped { SolveError::Cancelled } else { error };
                board.ended.get_or_insert(error);
                cancel.set();
            }
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Board<T, E>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Evaluate<'a, T, E> = dyn Fn(VertexId, Vec<T>) -> Result<T, SolveError<E>> + Sync + 'a;

/// Lets the other threads go when an evaluation panics, so that the panic comes out and nothing hangs.
struct PanicWatch<'a, T: Clone + Send, E: Send>(&'a Schedule<T, E>);

impl<T: Clone + Send, E: Send> Drop for PanicWatch<'_, T, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().panicked = true;
            self.0.changed.notify_all();
        }
    }
}
