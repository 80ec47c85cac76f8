//! Events as JSON lines, for programs.

use std::time::Duration;

use serde_json::{Value, json};
use tug_builder::Event;
use tug_builder::ports::Stream;

/// One line: `time` is in seconds since the build began; ids are those of the `planned` lines.
pub(super) fn line(event: &Event, at: Duration) -> String {
    let mut value = match event {
        Event::Planned { id, name } => json!({ "event": "planned", "id": id, "name": name }),
        Event::Started { id } => json!({ "event": "started", "id": id }),
        Event::Cached { id } => json!({ "event": "cached", "id": id }),
        Event::Log { id, stream, bytes } => {
            let stream = match stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
            };
            json!({ "event": "log", "id": id, "stream": stream, "text": String::from_utf8_lossy(bytes) })
        }
        Event::Done { id } => json!({ "event": "done", "id": id }),
        Event::Failed { id } => json!({ "event": "failed", "id": id }),
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
        let text = line(&Event::Planned { id: 2, name: "RUN \"x\"".to_owned() }, Duration::from_millis(1500));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value, json!({ "event": "planned", "id": 2, "name": "RUN \"x\"", "time": 1.5 }));
        assert!(text.ends_with('\n') && text.lines().count() == 1);
    }
}
