//! The graph: vertices on earlier vertices.

use std::collections::HashMap;

use crate::key::{Key, KeyBuilder};

/// What a vertex does.
pub trait Op {
    /// Adds to `key` all that tells this op from others.
    fn define(&self, key: &mut KeyBuilder);

    /// How its result comes about.
    fn nature(&self) -> Nature;
}

/// How an op's result comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// At once, and always the same for one definition, as with an image named by its digest. Not worth a record.
    Pinned,
    /// At once, but different from build to build, as with a directory that people edit: there is no definition key
    /// for it, nor for what stands on it.
    Volatile,
    /// By work. Its result is kept in the cache.
    Step,
}

/// Whether a cached result will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Yes.
    Allowed,
    /// No: the vertex is run, and its new result replaces what the cache had.
    Refused,
}

/// A vertex of the graph that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexId(usize);

impl VertexId {
    /// Its place in the order of adding; inputs come before.
    pub fn index(self) -> usize {
        self.0
    }
}

/// An op and what it stands on.
#[derive(Debug)]
pub struct Vertex<O> {
    /// The op.
    pub op: O,
    /// What it works on.
    pub inputs: Vec<VertexId>,
    pub(crate) reuse: Reuse,
    pub(crate) op_key: Key,
    pub(crate) definition: Option<Key>,
    /// It, or something below it, must be run anew, so that its definition key may speak of an older result.
    pub(crate) fresh: bool,
    identity: Key,
}

/// Vertices, each after its inputs.
#[derive(Debug)]
pub struct Graph<O> {
    vertices: Vec<Vertex<O>>,
    by_identity: HashMap<Key, VertexId>,
}

impl<O> Default for Graph<O> {
    fn default() -> Graph<O> {
        Graph { vertices: Vec::new(), by_identity: HashMap::new() }
    }
}

impl<O: Op> Graph<O> {
    /// An empty graph.
    pub fn new() -> Graph<O> {
        Graph::default()
    }

    /// Adds a vertex, or finds the equal one that is there.
    pub fn add(&mut self, op: O, inputs: Vec<VertexId>, reuse: Reuse) -> VertexId {
        let mut op_key = KeyBuilder::new("op 1");
        op.define(&mut op_key);
        let op_key = op_key.finish();

        let mut identity = KeyBuilder::new("vertex 1");
        identity.key(&op_key).number(u64::from(reuse == Reuse::Refused));
        inputs.iter().for_each(|input| {
            identity.key(&self.vertices[input.0].identity);
        });
        let identity = identity.finish();
        if let Some(equal) = self.by_identity.get(&identity) {
            return *equal;
        }

        let definition = match op.nature() {
            Nature::Volatile => None,
            Nature::Pinned | Nature::Step => self.definition_key(&op_key, &inputs),
        };
        let fresh = reuse == Reuse::Refused || inputs.iter().any(|input| self.vertices[input.0].fresh);
        let id = VertexId(self.vertices.len());
        self.vertices.push(Vertex { op, inputs, reuse, op_key, definition, fresh, identity });
        self.by_identity.insert(identity, id);
        id
    }

    /// A vertex.
    pub fn vertex(&self, id: VertexId) -> &Vertex<O> {
        &self.vertices[id.0]
    }

    /// All vertices, inputs before what stands on them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (VertexId, &Vertex<O>)> {
        self.vertices.iter().enumerate().map(|(index, vertex)| (VertexId(index), vertex))
    }

    /// How many vertices there are.
    pub fn len(&self) -> usize {
        self.vertices.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.vertices.is_empty()
    }

    fn definition_key(&self, op_key: &Key, inputs: &[VertexId]) -> Option<Key> {
        let mut key = KeyBuilder::new("definition 1");
        key.key(op_key);
        for input in inputs {
            key.key(&self.vertices[input.0].definition?);
        }
        Some(key.finish())
    }
}
