//! What solving promises: order, parallelism, one run for equal vertices, laziness, both keys, failure.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Barrier, Mutex};

use crate::{
    Cache, Cancel, Graph, Key, KeyBuilder, Nature, Observer, Op, Reuse, SolveError, Solver, VertexId, Worker,
};

#[derive(Debug)]
struct Word {
    text: &'static str,
    nature: Nature,
    /// What of the inputs counts for the content key: their first letters only.
    reads_content: bool,
}

impl Op for Word {
    fn define(&self, key: &mut KeyBuilder) {
        key.text(self.text);
    }

    fn nature(&self) -> Nature {
        self.nature
    }
}

fn step(text: &'static str) -> Word {
    Word { text, nature: Nature::Step, reads_content: false }
}

fn reader(text: &'static str) -> Word {
    Word { text, nature: Nature::Step, reads_content: true }
}

/// Joins the words below it, and remembers what it ran.
#[derive(Default)]
struct Joiner {
    ran: Mutex<Vec<String>>,
    volatile: String,
    meet: Option<Barrier>,
}

impl Worker for Joiner {
    type Op = Word;
    type Output = String;
    type Error = String;

    fn content(&self, op: &Word, inputs: &[String]) -> Result<Option<Vec<Key>>, String> {
        let key = |input: &String| {
            let mut key = KeyBuilder::new("test");
            key.text(&input[..1]);
            key.finish()
        };
        Ok(op.reads_content.then(|| inputs.iter().map(key).collect()))
    }

    fn run(&self, _: VertexId, op: &Word, inputs: &[String], _: &Cancel) -> Result<String, String> {
        if op.text == "fail" {
            return Err("as asked".to_owned());
        }
        if op.nature == Nature::Volatile {
            return Ok(self.volatile.clone());
        }
        if let Some(meet) = &self.meet {
            meet.wait();
        }
        let joined = format!("{}({})", op.text, inputs.join(" "));
        self.ran.lock().unwrap().push(joined.clone());
        Ok(joined)
    }
}

#[derive(Default)]
struct Memory(Mutex<HashMap<Key, String>>);

impl Cache for Memory {
    type Output = String;
    type Error = String;

    fn get(&self, key: &Key) -> Result<Option<String>, String> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    fn put(&self, key: &Key, output: &String) -> Result<(), String> {
        self.0.lock().unwrap().insert(*key, output.clone());
        Ok(())
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, what: &str, vertex: VertexId) {
        self.0.lock().unwrap().push(format!("{what} {}", vertex.index()));
    }
}

impl Observer for Log {
    fn cached(&self, vertex: VertexId) {
        self.add("cached", vertex);
    }
    fn started(&self, vertex: VertexId) {
        self.add("started", vertex);
    }
    fn done(&self, vertex: VertexId) {
        self.add("done", vertex);
    }
    fn failed(&self, vertex: VertexId) {
        self.add("failed", vertex);
    }
}

fn solve(
    worker: &Joiner,
    cache: &Memory,
    graph: &Graph<Word>,
    target: VertexId,
) -> (Result<String, SolveError<String>>, Vec<String>) {
    let log = Log::default();
    let parallelism = NonZeroUsize::new(2).unwrap();
    let solver = Solver { worker, cache, observer: &log, parallelism };
    let outcome = solver.solve(graph, &[target], &Cancel::new());
    (outcome.map(|mut results| results.remove(0)), log.0.into_inner().unwrap())
}

fn chain(words: Vec<Word>) -> (Graph<Word>, VertexId) {
    let mut graph = Graph::new();
    let mut last = None;
    for word in words {
        last = Some(graph.add(word, last.into_iter().collect(), Reuse::Allowed));
    }
    (graph, last.unwrap())
}

#[test]
fn inputs_run_before_what_stands_on_them() {
    let (graph, target) = chain(vec![step("a"), step("b"), step("c")]);
    let (result, log) = solve(&Joiner::default(), &Memory::default(), &graph, target);
    assert_eq!(result.unwrap(), "c(b(a()))");
    assert_eq!(log, ["started 0", "done 0", "started 1", "done 1", "started 2", "done 2"]);
}

#[test]
fn equal_vertices_are_one() {
    let mut graph = Graph::new();
    let left = graph.add(step("a"), vec![], Reuse::Allowed);
    let right = graph.add(step("a"), vec![], Reuse::Allowed);
    let both = graph.add(step("b"), vec![left, right], Reuse::Allowed);
    let worker = Joiner::default();
    let (result, _) = solve(&worker, &Memory::default(), &graph, both);
    assert_eq!(result.unwrap(), "b(a() a())");
    assert_eq!(*worker.ran.lock().unwrap(), ["a()", "b(a() a())"]);
}

#[test]
fn independent_vertices_run_at_once() {
    let mut graph = Graph::new();
    let left = graph.add(step("a"), vec![], Reuse::Allowed);
    let right = graph.add(step("b"), vec![], Reuse::Allowed);
    let hub = Word { text: "both", nature: Nature::Volatile, reads_content: false };
    let both = graph.add(hub, vec![left, right], Reuse::Allowed);
    // Each of the two waits in its run for the other: one after the other would never end.
    let worker = Joiner { meet: Some(Barrier::new(2)), volatile: "met".to_owned(), ..Joiner::default() };
    let (result, _) = solve(&worker, &Memory::default(), &graph, both);
    assert_eq!(result.unwrap(), "met");
}

#[test]
fn a_hit_needs_nothing_above_it() {
    let cache = Memory::default();
    let (graph, target) = chain(vec![step("a"), step("b")]);
    solve(&Joiner::default(), &cache, &graph, target).0.unwrap();

    let (graph, target) = chain(vec![step("a"), step("b"), step("c")]);
    let worker = Joiner::default();
    let (result, log) = solve(&worker, &cache, &graph, target);
    assert_eq!(result.unwrap(), "c(b(a()))");
    assert_eq!(*worker.ran.lock().unwrap(), ["c(b(a()))"]);
    assert_eq!(log, ["cached 0", "cached 1", "started 2", "done 2"]);
}

#[test]
fn equal_content_is_a_hit_where_the_definition_is_not() {
    let cache = Memory::default();
    let (graph, target) = chain(vec![step("apple"), reader("eat")]);
    assert_eq!(solve(&Joiner::default(), &cache, &graph, target).0.unwrap(), "eat(apple())");

    let (graph, target) = chain(vec![step("avocado"), reader("eat")]);
    let (result, log) = solve(&Joiner::default(), &cache, &graph, target);
    assert_eq!(result.unwrap(), "eat(apple())", "the reader looks at the first letter only");
    assert_eq!(log, ["started 0", "done 0", "cached 1"]);

    let (graph, target) = chain(vec![step("avocado"), reader("eat")]);
    let (_, log) = solve(&Joiner::default(), &cache, &graph, target);
    assert_eq!(log, ["cached 0", "cached 1"], "the hit was recorded under the definition too");
}

#[test]
fn a_volatile_input_is_looked_at_every_time() {
    let cache = Memory::default();
    let source = || Word { text: "here", nature: Nature::Volatile, reads_content: false };
    for (now, want) in [("x1", "eat(x1)"), ("x2", "eat(x1)"), ("y", "eat(y)")] {
        let (graph, target) = chain(vec![source(), reader("eat")]);
        let worker = Joiner { volatile: now.to_owned(), ..Joiner::default() };
        assert_eq!(solve(&worker, &cache, &graph, target).0.unwrap(), want);
    }
}

#[test]
fn a_refused_vertex_runs_and_what_stands_on_it_sees_its_new_result() {
    let cache = Memory::default();
    let (graph, target) = chain(vec![step("a"), step("b")]);
    solve(&Joiner::default(), &cache, &graph, target).0.unwrap();

    let mut graph = Graph::new();
    let a = graph.add(step("a"), vec![], Reuse::Refused);
    let b = graph.add(step("b"), vec![a], Reuse::Allowed);
    let worker = Joiner::default();
    solve(&worker, &cache, &graph, b).0.unwrap();
    assert_eq!(worker.ran.lock().unwrap().len(), 2);
}

#[test]
fn a_failure_names_its_vertex_and_stops_what_stands_on_it() {
    let (graph, target) = chain(vec![step("a"), step("fail"), step("c")]);
    let cache = Memory::default();
    let (result, log) = solve(&Joiner::default(), &cache, &graph, target);
    match result {
        Err(SolveError::Vertex { vertex, error }) => {
            assert_eq!((vertex.index(), error.as_str()), (1, "as asked"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(log, ["started 0", "done 0", "started 1", "failed 1"]);
    assert_eq!(cache.0.lock().unwrap().len(), 1, "what had been done before is kept");
}

#[test]
fn a_cancelled_solve_runs_nothing() {
    let (graph, target) = chain(vec![step("a")]);
    let worker = Joiner::default();
    let log = Log::default();
    let cache = Memory::default();
    let solver =
        Solver { worker: &worker, cache: &cache, observer: &log, parallelism: NonZeroUsize::new(1).unwrap() };
    let cancel = Cancel::new();
    cancel.set();
    assert!(matches!(solver.solve(&graph, &[target], &cancel), Err(SolveError::Cancelled)));
    assert!(worker.ran.lock().unwrap().is_empty());
}
