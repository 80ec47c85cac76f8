//! Events as JSON lines, for programs.

use std::time::Duration;

use serde_json::{Value, json};
use tug_builder::Event;
use tug_builder::ports::Stream;

use super::board::Board;

/// One line: `time` is in seconds since the build began; ids are the steps' numbers.
pub(super) fn line(board: &Board, event: &Event, at: Duration) -> String {
    let number = |id: &usize| board.number(*id);
    let mut value = match event {
        Event::Planned { id, name } => json!({ "event": "planned", "id": number(id), "name": name }),
        Event::Started { id } => json!({ "event": "started", "id": number(id) }),
        Event::Cached { id } => json!({ "event": "cached", "id": number(id) }),
        Event::Log { id, stream, bytes } => {
            let stream = match stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
            };
            json!({ "event": "log", "id": number(id), "stream": stream, "text": String::from_utf8_lossy(bytes) })
        }
        Event::Done { id } => json!({ "event": "done", "id": number(id) }),
        Event::Failed { id } => json!({ "event": "failed", "id": number(id) }),
        Event::Warning { place, message } => {
            json!({ "event": "warning", "place": place.to_string(), "message": message })
        }
        _ => return String::new(),
    };
    if let Value::Object(members) = &mut value {
        members.insert("time".to_owned(), json!(at.as_secs_f64()));
    }
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json() {
        let event = Event::Planned { id: 7, name: "RUN \"x\"".to_owned() };
        let mut board = Board::default();
        board.apply(&event, Duration::ZERO);
        let text = line(&board, &event, Duration::from_millis(1500));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value, json!({ "event": "planned", "id": 1, "name": "RUN \"x\"", "time": 1.5 }));
        assert!(text.ends_with('\n') && text.lines().count() == 1);
    }
}
