//! Tells the [`Events`] port what happens, by step.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use tug_solver::{Observer, VertexId};

use crate::lower::Plan;
use crate::ports::{Event, Events, OutputSink, Stream};

/// Numbers steps and tells of them.
pub(crate) struct Progress<'a> {
    events: &'a dyn Events,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: usize,
    of_vertices: HashMap<usize, usize>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(events: &'a dyn Events) -> Progress<'a> {
        Progress { events, state: Mutex::default() }
    }

    /// Tells of the plan's steps.
    pub(crate) fn plan(&self, plan: &Plan) {
        for (index, step) in plan.steps.iter().enumerate() {
            if let Some(name) = &step.name {
                let id = self.announce(name.clone());
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.of_vertices.insert(index, id);
            }
        }
    }

    /// A step that is no vertex, from its start.
    pub(crate) fn begin(&self, name: String) -> Running<'_> {
        let id = self.announce(name);
        self.events.emit(Event::Started { id });
        Running { progress: self, id, ended: false }
    }

    /// Where the output of a vertex goes.
    pub(crate) fn log(&self, vertex: VertexId) -> VertexLog<'_> {
        VertexLog { events: self.events, id: self.id(vertex) }
    }

    fn announce(&self, name: String) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let id = state.next;
        state.next += 1;
        self.events.emit(Event::Planned { id, name });
        id
    }

    fn id(&self, vertex: VertexId) -> Option<usize> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.of_vertices.get(&vertex.index()).copied()
    }

    fn tell(&self, vertex: VertexId, event: impl FnOnce(usize) -> Event) {
        if let Some(id) = self.id(vertex) {
            self.events.emit(event(id));
        }
    }
}

impl Observer for Progress<'_> {
    fn cached(&self, vertex: VertexId) {
        self.tell(vertex, |id| Event::Cached { id });
    }

    fn started(&self, vertex: VertexId) {
        self.tell(vertex, |id| Event::Started { id });
    }

    fn done(&self, vertex: VertexId) {
        self.tell(vertex, |id| Event::Done { id });
    }

    fn failed(&self, vertex: VertexId) {
        self.tell(vertex, |id| Event::Failed { id });
    }
}

/// A step that is no vertex. Dropped before it is done, it has failed.
pub(crate) struct Running<'a> {
    progress: &'a Progress<'a>,
    id: usize,
    ended: bool,
}

impl Running<'_> {
    /// It is done.
    pub(crate) fn done(mut self) {
        self.ended = true;
        self.progress.events.emit(Event::Done { id: self.id });
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.progress.events.emit(Event::Failed { id: self.id });
        }
    }
}

/// The output of a vertex.
pub(crate) struct VertexLog<'a> {
    events: &'a dyn Events,
    id: Option<usize>,
}

impl OutputSink for VertexLog<'_> {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        if let Some(id) = self.id {
            self.events.emit(Event::Log { id, stream, bytes: bytes.to_vec() });
        }
    }
}
