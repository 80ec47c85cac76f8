//! Every line as it comes, each with the number of its step, as BuildKit prints it.

use std::time::Duration;

use super::board::{Board, Change, State, Step};
use crate::diagnostic::{Colors, Style};

/// Remembers which step was printed last.
pub(super) struct Plain {
    current: Option<usize>,
    colors: Colors,
}

impl Plain {
    pub(super) fn new(colors: Colors) -> Plain {
        Plain { current: None, colors }
    }

    /// The text for a change.
    pub(super) fn text(&mut self, board: &Board, change: &Change) -> String {
        match change {
            Change::Started(id) => self.heading(board, *id),
            Change::Line(id, age, line) => {
                let heading = self.heading(board, *id);
                format!("{heading}#{} {:.3} {line}\n", board.number(*id), age.as_secs_f64())
            }
            Change::Ended(id) => {
                let heading = self.heading(board, *id);
                self.current = None;
                let verdict = board.step(*id).map(verdict).unwrap_or_default();
                format!("{heading}#{} {verdict}\n\n", board.number(*id))
            }
            Change::Warned(place, message) => {
                let warning = self.colors.paint(Style::Warning, "WARNING:");
                let gap = if self.current.take().is_some() { "\n" } else { "" };
                format!("{gap}{warning} {place}: {message}\n\n")
            }
        }
    }

    /// The step's name, when something else was printed before.
    fn heading(&mut self, board: &Board, id: usize) -> String {
        if self.current == Some(id) {
            return String::new();
        }
        let gap = if self.current.is_some() { "\n" } else { "" };
        self.current = Some(id);
        let name = board.step(id).map(|step| step.name.as_str()).unwrap_or_default();
        format!("{gap}#{} {name}\n", board.number(id))
    }
}

fn verdict(step: &Step) -> String {
    match step.state {
        State::Cached => "CACHED".to_owned(),
        State::Done { took } => format!("DONE {}", seconds(took)),
        State::Failed { took } => format!("ERROR after {}", seconds(took)),
        State::Planned | State::Running { .. } => String::new(),
    }
}

/// `0.4s`.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use tug_builder::Event;

    use super::super::board::tests::{log, planned};
    use super::*;

    #[test]
    fn steps_take_turns() {
        let mut board = Board::default();
        let mut plain = Plain::new(Colors::Off);
        let mut text = String::new();
        let events = [
            planned(0, "[base 1/1] FROM busybox"),
            planned(1, "[a 1/1] RUN one"),
            planned(2, "[b 1/1] RUN two"),
            Event::Cached { id: 0 },
            Event::Started { id: 1 },
            log(1, "first\n"),
            Event::Started { id: 2 },
            log(2, "second\n"),
            log(1, "third\n"),
            Event::Done { id: 1 },
            Event::Failed { id: 2 },
        ];
        for (at, event) in events.iter().enumerate() {
            for change in board.apply(event, Duration::from_millis(100 * at as u64)) {
                text.push_str(&plain.text(&board, &change));
            }
        }
        let expected = "\
#1 [base 1/1] FROM busybox
#1 CACHED

#2 [a 1/1] RUN one
#2 0.100 first

#3 [b 1/1] RUN two
#3 0.100 second

#2 [a 1/1] RUN one
#2 0.400 third
#2 DONE 0.5s

#3 [b 1/1] RUN two
#3 ERROR after 0.4s

";
        assert_eq!(text, expected);
    }
}
