//! What is known of the steps of a build: a pure fold over its events.

use std::collections::VecDeque;
use std::time::Duration;

use tug_builder::{Event, Place};

use crate::diagnostic::visible;

/// The steps of a build.
#[derive(Debug, Default)]
pub(super) struct Board {
    steps: Vec<Step>,
    warnings: Vec<(Place, String)>,
}

/// A step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) id: usize,
    /// What a person calls it: steps are counted from 1 as they become known.
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) state: State,
    lines: VecDeque<String>,
    /// What was written after the last line break.
    rest: Vec<u8>,
}

/// How a step stands; times are since the build began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Planned,
    Running { since: Duration },
    Cached,
    Done { took: Duration },
    Failed { took: Duration },
}

/// What an event changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Started(usize),
    /// A whole line of output, and when in the step's life it came.
    Line(usize, Duration, String),
    Ended(usize),
    Warned(Place, String),
}

impl Board {
    /// Takes note of an event.
    pub(super) fn apply(&mut self, event: &Event, at: Duration) -> Vec<Change> {
        match event {
            Event::Planned { id, name } => {
                let (name, state) = (visible(name).replace('\n', " "), State::Planned);
                let number = self.steps.len() + 1;
                let lines = VecDeque::new();
                self.steps.push(Step { id: *id, number, name, state, lines, rest: Vec::new() });
                Vec::new()
            }
            Event::Started { id } => self.change(*id, |step| {
                step.state = State::Running { since: at };
                vec![Change::Started(*id)]
            }),
            Event::Cached { id } => self.change(*id, |step| {
                step.state = State::Cached;
                vec![Change::Ended(*id)]
            }),
            Event::Log { id, bytes, .. } => self.change(*id, |step| step.log(bytes, at)),
            Event::Done { id } => self.change(*id, |step| step.end(at, |took| State::Done { took })),
            Event::Failed { id } => self.change(*id, |step| step.end(at, |took| State::Failed { took })),
            Event::Warning { place, message } => {
                self.warnings.push((place.clone(), message.clone()));
                vec![Change::Warned(place.clone(), message.clone())]
            }
            _ => Vec::new(),
        }
    }

    /// All steps, in the order they were planned.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What the author of the Dockerfile may want to know.
    pub(super) fn warnings(&self) -> &[(Place, String)] {
        &self.warnings
    }

    /// A step by its id.
    pub(super) fn step(&self, id: usize) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.id == id)
    }

    /// The first step that failed.
    pub(super) fn failed(&self) -> Option<&Step> {
        self.steps.iter().find(|step| matches!(step.state, State::Failed { .. }))
    }

    /// An id that no step has, from the end that the builder does not count from.
    pub(super) fn next_id(&self) -> usize {
        usize::MAX - self.steps.len()
    }

    /// The number of a step; 0 when it is not known.
    pub(super) fn number(&self, id: usize) -> usize {
        self.step(id).map_or(0, |step| step.number)
    }

    fn change(&mut self, id: usize, change: impl FnOnce(&mut Step) -> Vec<Change>) -> Vec<Change> {
        self.steps.iter_mut().rev().find(|step| step.id == id).map(change).unwrap_or_default()
    }
}

impl Step {
    /// Its last lines of output.
    pub(super) fn tail(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    /// The very last lines.
    pub(super) fn last_lines(&self, count: usize) -> impl Iterator<Item = &str> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count)).map(String::as_str)
    }

    fn log(&mut self, bytes: &[u8], at: Duration) -> Vec<Change> {
        self.rest.extend_from_slice(bytes);
        let mut changes = Vec::new();
        while let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            changes.push(self.line(&line[..end], at));
        }
        if self.rest.len() > LINE_BYTES_MAX {
            let line = std::mem::take(&mut self.rest);
            changes.push(self.line(&line, at));
        }
        changes
    }

    fn line(&mut self, bytes: &[u8], at: Duration) -> Change {
        let text = String::from_utf8_lossy(bytes);
        // A line that was overwritten by carriage returns shows what stood there last.
        let text = text.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        let text = visible(&without_colors(text));
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(text.clone());
        Change::Line(self.id, self.age(at), text)
    }

    fn end(&mut self, at: Duration, state: impl FnOnce(Duration) -> State) -> Vec<Change> {
        let mut changes = Vec::new();
        if !self.rest.is_empty() {
            let line = std::mem::take(&mut self.rest);
            changes.push(self.line(&line, at));
        }
        self.state = state(self.age(at));
        changes.push(Change::Ended(self.id));
        changes
    }

    fn age(&self, at: Duration) -> Duration {
        match self.state {
            State::Running { since } => at.saturating_sub(since),
            _ => Duration::ZERO,
        }
    }
}

/// The text without the sequences that paint it (`ESC [ … m`).
fn without_colors(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\x1b[") {
        let after = &rest[at + 2..];
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';');
        match end.filter(|end| after[*end..].starts_with(['m', 'K'])) {
            Some(end) => {
                out.push_str(&rest[..at]);
                rest = &after[end + 1..];
            }
            None => {
                out.push_str(&rest[..at + 2]);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// How many lines of a step's output are kept for the case that it fails.
pub(super) const TAIL_LINES: usize = 20;
/// A line that is longer is broken.
const LINE_BYTES_MAX: usize = 1 << 16;

#[cfg(test)]
pub(super) mod tests {
    use tug_builder::ports::Stream;

    use super::*;

    pub(in crate::progress) fn planned(id: usize, name: &str) -> Event {
        Event::Planned { id, name: name.to_owned() }
    }

    pub(in crate::progress) fn log(id: usize, text: &str) -> Event {
        Event::Log { id, stream: Stream::Stdout, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn lines_are_put_together() {
        let mut board = Board::default();
        let at = Duration::from_secs;
        board.apply(&planned(0, "RUN x"), at(0));
        board.apply(&Event::Started { id: 0 }, at(1));
        assert!(board.apply(&log(0, "hel"), at(2)).is_empty());
        let changes = board.apply(&log(0, "lo\nwor"), at(3));
        assert_eq!(changes, [Change::Line(0, at(2), "hello".to_owned())]);
        let changes = board.apply(&Event::Done { id: 0 }, at(4));
        assert_eq!(changes, [Change::Line(0, at(3), "wor".to_owned()), Change::Ended(0)]);
        assert_eq!(board.steps()[0].state, State::Done { took: at(3) });
    }

    #[test]
    fn the_tail_of_a_failed_step_is_kept() {
        let mut board = Board::default();
        board.apply(&planned(3, "RUN x"), Duration::ZERO);
        board.apply(&Event::Started { id: 3 }, Duration::ZERO);
        for n in 0..50 {
            board.apply(&log(3, &format!("{n}\n")), Duration::ZERO);
        }
        board.apply(&Event::Failed { id: 3 }, Duration::ZERO);
        let tail = board.failed().unwrap().tail();
        assert_eq!((tail.len(), tail[0].as_str(), tail[19].as_str()), (20, "30", "49"));
        assert_eq!((board.number(3), board.number(7)), (1, 0));
    }

    #[test]
    fn output_does_not_steer_the_terminal() {
        let mut board = Board::default();
        board.apply(&planned(0, "RUN x"), Duration::ZERO);
        let changes =
            board.apply(&log(0, "\x1b[1;31mred\x1b[0m 10%\r20%\r\n\x1b]0;title\x07\n"), Duration::ZERO);
        let lines: Vec<&str> = changes
            .iter()
            .filter_map(|c| if let Change::Line(_, _, text) = c { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!(lines, ["20%", "\u{fffd}]0;title\u{fffd}"]);
    }
}
