//! Layers on their way from or to a registry, shown as Docker shows them.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tug_oci::Digest;
use tug_registry::{Progress, Transfer, TransferKind, TransferState};

use crate::progress::OwnStep;
use crate::screen::{self, Screen};
use crate::units;

/// Which way layers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Here.
    Pull,
    /// There.
    Push,
}

/// Where the lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// On the standard output, redrawn.
    Redrawn,
    /// On the standard output, a line for each layer that arrived.
    Lines,
    /// On the standard error, likewise.
    ErrorLines,
}

/// Shows transfers of layers.
pub(crate) struct Transfers {
    direction: Direction,
    shown: Shown,
    inner: Mutex<Inner>,
}

struct Inner {
    layers: Vec<(Digest, TransferState)>,
    screen: Screen,
    drawn: Option<Instant>,
}

impl Transfers {
    /// Begins to show.
    pub(crate) fn new(direction: Direction, shown: Shown) -> Transfers {
        let inner = Inner { layers: Vec::new(), screen: Screen::new(), drawn: None };
        Transfers { direction, shown, inner: Mutex::new(inner) }
    }

    /// Draws the last state.
    pub(crate) fn finish(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shown == Shown::Redrawn {
            self.draw(&mut inner);
            inner.screen.keep();
        }
    }

    fn draw(&self, inner: &mut Inner) {
        let columns = screen::size().columns;
        let line = |(digest, state): &(Digest, TransferState)| {
            let text = format!("{}: {}", digest.short(), words(self.direction, *state));
            screen::fit(&text, columns.saturating_sub(1))
        };
        let lines: Vec<String> = inner.layers.iter().map(line).collect();
        let room = screen::size().rows.saturating_sub(2).max(1);
        let hidden = lines.len().saturating_sub(room);
        // Whoever reads may leave; the transfer goes on.
        let _ = inner.screen.draw(&mut io::stdout().lock(), &lines[hidden..]);
        inner.drawn = Some(Instant::now());
    }
}

impl Progress for Transfers {
    fn report(&self, transfer: Transfer<'_>) {
        if transfer.kind != TransferKind::Layer {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let known = inner.layers.iter_mut().find(|(digest, _)| digest == transfer.digest);
        let before = known.map(|(_, state)| std::mem::replace(state, transfer.state));
        if before.is_none() {
            inner.layers.push((transfer.digest.clone(), transfer.state));
        }
        let moving = matches!(transfer.state, TransferState::Bytes { .. } | TransferState::Waiting);
        match self.shown {
            Shown::Redrawn => {
                let fresh = inner.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW);
                if !(moving && fresh) {
                    self.draw(&mut inner);
                }
            }
            Shown::Lines | Shown::ErrorLines => {
                if moving || before == Some(transfer.state) {
                    return;
                }
                let line =
                    format!("{}: {}\n", transfer.digest.short(), words(self.direction, transfer.state));
                let _ = match self.shown {
                    Shown::ErrorLines => io::stderr().lock().write_all(line.as_bytes()),
                    _ => io::stdout().lock().write_all(line.as_bytes()),
                };
            }
        }
    }
}

/// Tells of each layer that arrived, as lines of a build's step.
pub(crate) struct StepLines<'a>(pub(crate) &'a OwnStep<'a>);

impl Progress for StepLines<'_> {
    fn report(&self, transfer: Transfer<'_>) {
        let what = match (transfer.kind, transfer.state) {
            (TransferKind::Layer, TransferState::Done) => "done",
            (TransferKind::Layer, TransferState::Exists) => "already there",
            (TransferKind::Layer, TransferState::Mounted) => "mounted from another repository",
            (_, TransferState::Retrying) => "trying again",
            _ => return,
        };
        self.0.line(&format!("layer {} {what}", transfer.digest.short()));
    }
}

fn words(direction: Direction, state: TransferState) -> String {
    match (state, direction) {
        (TransferState::Waiting, _) => "Waiting".to_owned(),
        (TransferState::Exists, Direction::Pull) => "Already exists".to_owned(),
        (TransferState::Exists, Direction::Push) => "Layer already exists".to_owned(),
        (TransferState::Bytes { done, total }, Direction::Pull) => {
            format!("Downloading {}", bar(done, total))
        }
        (TransferState::Bytes { done, total }, Direction::Push) => format!("Pushing {}", bar(done, total)),
        (TransferState::Retrying, _) => "Retrying".to_owned(),
        (TransferState::Mounted, _) => "Mounted from another repository".to_owned(),
        (TransferState::Done, Direction::Pull) => "Pull complete".to_owned(),
        (TransferState::Done, Direction::Push) => "Pushed".to_owned(),
        (TransferState::Failed, _) => "Failed".to_owned(),
        _ => String::new(),
    }
}

/// `[=====>     ]  1.2MB/3.4MB`
fn bar(done: u64, total: u64) -> String {
    let share = done.min(total).saturating_mul(BAR as u64).checked_div(total).unwrap_or(0);
    let filled = usize::try_from(share).unwrap_or(BAR).min(BAR);
    let head = if filled < BAR { ">" } else { "" };
    let gap = " ".repeat(BAR - filled - head.len());
    format!("[{}{head}{gap}]  {}/{}", "=".repeat(filled), units::size(done), units::size(total))
}

const BAR: usize = 40;
/// The shortest time between two drawings while bytes move.
const REDRAW: Duration = Duration::from_millis(80);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill() {
        assert_eq!(bar(0, 0).find('>'), Some(1));
        assert_eq!(bar(50, 100), format!("[{}>{}]  50B/100B", "=".repeat(20), " ".repeat(19)));
        assert_eq!(bar(100, 100), format!("[{}]  100B/100B", "=".repeat(40)));
        assert_eq!(bar(200, 100).len(), bar(100, 100).len());
    }
}
