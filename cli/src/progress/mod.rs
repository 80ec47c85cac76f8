//! How a build goes, shown to a person or a program.

mod board;
mod json;
mod plain;
mod tty;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tug_builder::{Event, Events};

use self::board::Board;
use self::plain::Plain;
use crate::diagnostic::Colors;
use crate::screen::{self, Screen};

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Every line as it comes.
    Plain,
    /// A line a step, redrawn.
    Tty,
    /// Nothing.
    Quiet,
    /// Events as JSON lines.
    RawJson,
}

/// Shows a build on the standard error.
pub(crate) struct Progress {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

struct Shared {
    start: Instant,
    colors: Colors,
    inner: Mutex<Inner>,
}

struct Inner {
    board: Board,
    view: View,
    ended: bool,
}

enum View {
    Plain(Plain),
    Tty(Screen),
    Quiet,
    RawJson,
}

impl Progress {
    /// Begins to show.
    pub(crate) fn start(style: Style, colors: Colors) -> Progress {
        let view = match style {
            Style::Plain => View::Plain(Plain::new(colors)),
            Style::Tty => View::Tty(Screen::new()),
            Style::Quiet => View::Quiet,
            Style::RawJson => View::RawJson,
        };
        let inner = Mutex::new(Inner { board: Board::default(), view, ended: false });
        let shared = Arc::new(Shared { start: Instant::now(), colors, inner });
        let ticker = (style == Style::Tty).then(|| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.tick())
        });
        Progress { shared, ticker }
    }

    /// A step of the front end's own, such as a push. Its lines are shown like a process's output.
    pub(crate) fn step(&self, name: &str) -> OwnStep<'_> {
        let id = self.shared.lock().board.next_id();
        self.shared.apply(&Event::Planned { id, name: name.to_owned() });
        self.shared.apply(&Event::Started { id });
        OwnStep { progress: self, id }
    }

    /// Ends the show and gives the last lines of the step that failed, if one did.
    pub(crate) fn finish(mut self) -> Option<Failure> {
        self.stop();
        let inner = self.shared.lock();
        inner.board.failed().map(|step| Failure { name: step.name.clone(), lines: step.tail() })
    }

    fn stop(&mut self) {
        let mut inner = self.shared.lock();
        inner.ended = true;
        drop(inner);
        if let Some(ticker) = self.ticker.take() {
            // A panic there was told already.
            let _ = ticker.join();
            self.shared.draw();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.shared.lock().ended {
            self.stop();
        }
    }
}

impl Events for Progress {
    fn emit(&self, event: Event) {
        self.shared.apply(&event);
    }
}

/// The step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// As `[build 2/5] RUN make`.
    pub(crate) name: String,
    /// The last lines of its output.
    pub(crate) lines: Vec<String>,
}

/// A step that this crate does itself.
pub(crate) struct OwnStep<'a> {
    progress: &'a Progress,
    id: usize,
}

impl OwnStep<'_> {
    /// Something the person may want to know.
    pub(crate) fn line(&self, text: &str) {
        let bytes = format!("{text}\n").into_bytes();
        let stream = tug_builder::ports::Stream::Stdout;
        self.progress.shared.apply(&Event::Log { id: self.id, stream, bytes });
    }

    /// It went well.
    pub(crate) fn done(self) {
        self.progress.shared.apply(&Event::Done { id: self.id });
    }

    /// It did not.
    pub(crate) fn failed(self) {
        self.progress.shared.apply(&Event::Failed { id: self.id });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, event: &Event) {
        let at = self.start.elapsed();
        let mut inner = self.lock();
        let Inner { board, view, .. } = &mut *inner;
        let changes = board.apply(event, at);
        let text = match view {
            View::Plain(plain) => changes.iter().map(|change| plain.text(board, change)).collect(),
            View::RawJson => json::line(board, event, at),
            View::Tty(_) | View::Quiet => return,
        };
        // Whoever reads progress may leave; the build goes on.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Redraws now and then, until the build ends.
    fn tick(&self) {
        while !self.lock().ended {
            self.draw();
            std::thread::sleep(TICK);
        }
    }

    fn draw(&self) {
        let at = self.start.elapsed();
        let mut inner = self.lock();
        let Inner { board, view, ended } = &mut *inner;
        if let View::Tty(screen) = view {
            let lines = tty::frame(board, at, screen::size(), self.colors);
            let _ = screen.draw(&mut io::stderr().lock(), &lines);
            if *ended {
                screen.keep();
            }
        }
    }
}

const TICK: Duration = Duration::from_millis(100);
