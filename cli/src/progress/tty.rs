//! A line a step: what stands on a terminal at one moment.

use std::time::Duration;

use super::board::{Board, State, Step};
use super::plain::seconds;
use crate::diagnostic::{Colors, Style};
use crate::screen::{Size, fit};

/// The lines at a moment, the oldest left out where the terminal is too small.
pub(super) fn frame(board: &Board, at: Duration, size: Size, colors: Colors) -> Vec<String> {
    let mut lines = Vec::new();
    for step in board.steps() {
        if let Some(line) = step_line(step, at, size, colors) {
            lines.push(line);
        }
        if matches!(step.state, State::Running { .. }) {
            let output = step.last_lines(OUTPUT_LINES);
            lines.extend(
                output.map(|line| {
                    colors.paint(Style::Dim, &fit(&format!(" => => # {line}"), size.columns - 1))
                }),
            );
        }
    }
    for (place, message) in board.warnings() {
        lines.push(
            colors.paint(Style::Warning, &fit(&format!(" WARNING: {place}: {message}"), size.columns - 1)),
        );
    }
    let room = size.rows.saturating_sub(2).max(1);
    let hidden = lines.len().saturating_sub(room);
    let mut frame = vec![fit(&heading(board, at), size.columns - 1)];
    frame.extend(lines.into_iter().skip(hidden));
    frame
}

fn heading(board: &Board, at: Duration) -> String {
    let ended = |step: &&Step| !matches!(step.state, State::Planned | State::Running { .. });
    let (count, total) = (board.steps().iter().filter(ended).count(), board.steps().len());
    let verdict = match (board.failed(), count == total && total > 0) {
        (Some(_), _) => " FAILED",
        (None, true) => " FINISHED",
        (None, false) => "",
    };
    format!("[+] Building {} ({count}/{total}){verdict}", seconds(at))
}

/// The name to the left, the time to the right; nothing for a step that has not begun.
fn step_line(step: &Step, at: Duration, size: Size, colors: Colors) -> Option<String> {
    let (mark, time, style) = match step.state {
        State::Planned => return None,
        State::Running { since } => ("", at.saturating_sub(since), None),
        State::Cached => ("CACHED ", Duration::ZERO, Some(Style::Done)),
        State::Done { took } => ("", took, Some(Style::Done)),
        State::Failed { took } => ("ERROR ", took, Some(Style::Error)),
    };
    let time = seconds(time);
    let room = size.columns.saturating_sub(time.len() + 2);
    let name = fit(&format!(" => {mark}{}", step.name), room);
    let gap = " ".repeat(room.saturating_sub(name.chars().count()) + 1);
    let line = format!("{name}{gap}{time}");
    Some(style.map_or_else(|| line.clone(), |style| colors.paint(style, &line)))
}

/// How many lines of a running step's output are shown.
const OUTPUT_LINES: usize = 6;

#[cfg(test)]
mod tests {
    use tug_builder::Event;

    use super::super::board::tests::{log, planned};
    use super::*;

    fn board() -> Board {
        let mut board = Board::default();
        for event in [
            planned(0, "[1/3] FROM busybox"),
            planned(1, "[2/3] RUN make"),
            planned(2, "[3/3] COPY . ."),
            Event::Cached { id: 0 },
            Event::Started { id: 1 },
            log(1, "cc a.c\ncc b.c\n"),
        ] {
            board.apply(&event, Duration::from_secs(1));
        }
        board
    }

    #[test]
    fn a_running_step_shows_its_output() {
        let size = Size { rows: 24, columns: 40 };
        let lines = frame(&board(), Duration::from_secs(3), size, Colors::Off);
        let expected = [
            "[+] Building 3.0s (1/3)",
            " => CACHED [1/3] FROM busybox      0.0s",
            " => [2/3] RUN make                 2.0s",
            " => => # cc a.c",
            " => => # cc b.c",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_small_terminal_shows_the_newest() {
        let size = Size { rows: 4, columns: 20 };
        let lines = frame(&board(), Duration::from_secs(3), size, Colors::Off);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.chars().count() < 20), "{lines:?}");
        assert!(lines[2].contains("cc b.c"));
    }
}
