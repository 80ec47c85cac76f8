//! What a person is told when something fails, and how it looks.

use std::error::Error;
use std::fmt::Write as _;

use crate::exit::Exit;

/// A failure as it is told: what was tried, why it failed, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// What was tried or what is wrong, without a full stop.
    pub(crate) message: String,
    /// Why, outermost first.
    pub(crate) causes: Vec<String>,
    /// What else helps to see it: a Dockerfile's line, the end of an output. Printed before the message.
    pub(crate) excerpt: Option<String>,
    /// What to do about it.
    pub(crate) hints: Vec<String>,
    /// All that is known, for those who look for a fault in tug.
    pub(crate) detail: Option<String>,
    /// What the process ends with.
    pub(crate) exit: Exit,
}

impl Diagnostic {
    /// A failure without a cause.
    pub(crate) fn new(message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            message: message.into(),
            causes: Vec::new(),
            excerpt: None,
            hints: Vec::new(),
            detail: None,
            exit: Exit::FAILURE,
        }
    }

    /// An error and what caused it. A cause that the text above repeats is left out.
    pub(crate) fn of(error: &dyn Error) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(told(error));
        diagnostic.add_sources(error);
        diagnostic.detail = Some(format!("{error:#?}"));
        diagnostic
    }

    /// Adds an error and its sources as causes.
    pub(crate) fn caused_by(mut self, error: &dyn Error) -> Diagnostic {
        self.add_cause(told(error));
        self.add_sources(error);
        self
    }

    /// Puts what was tried in front; the message so far becomes the first cause.
    pub(crate) fn trying(mut self, attempt: impl Into<String>) -> Diagnostic {
        let message = std::mem::replace(&mut self.message, attempt.into());
        self.causes.insert(0, message);
        self
    }

    /// Adds advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hints.push(hint.into());
        self
    }

    /// Sets what the process ends with.
    pub(crate) fn exit(mut self, exit: Exit) -> Diagnostic {
        self.exit = exit;
        self
    }

    /// The text for a terminal or a log, with a line break at its end.
    pub(crate) fn render(&self, colors: Colors) -> String {
        let mut text = String::new();
        if let Some(excerpt) = &self.excerpt {
            text.push_str(excerpt.trim_end());
            text.push('\n');
        }
        text.push_str(&colors.paint(Style::Error, "Error:"));
        let mut parts = vec![visible(&self.message)];
        parts.extend(self.causes.iter().map(|cause| visible(cause)));
        let _ = writeln!(text, " {}", parts.join(": "));
        for hint in &self.hints {
            let _ = writeln!(text, "{} {}", colors.paint(Style::Hint, "Hint:"), visible(hint));
        }
        text
    }

    fn add_sources(&mut self, error: &dyn Error) {
        let mut source = error.source();
        let mut depth = 0;
        while let Some(cause) = source.filter(|_| depth < CAUSES_MAX) {
            self.add_cause(told(cause));
            source = cause.source();
            depth += 1;
        }
    }

    fn add_cause(&mut self, cause: String) {
        let last = self.causes.last().unwrap_or(&self.message);
        if !cause.is_empty() && !last.ends_with(&cause) {
            self.causes.push(cause);
        }
    }
}

/// An error's own words. The system's number for it means nothing to a person.
fn told(error: &dyn Error) -> String {
    let text = error.to_string();
    let Some((words, rest)) = text.split_once(" (os error ") else { return text };
    match rest.split_once(')') {
        Some((number, after)) if number.bytes().all(|b| b.is_ascii_digit()) => format!("{words}{after}"),
        _ => text,
    }
}

/// Whether text is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colors {
    /// With ANSI sequences.
    On,
    /// Plain.
    Off,
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Error,
    Hint,
    Done,
    Warning,
    Dim,
}

impl Colors {
    /// The text in the colours of its style.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Error => "1;31",
            Style::Hint => "1;36",
            Style::Done => "34",
            Style::Warning => "33",
            Style::Dim => "2",
        };
        match self {
            Colors::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Colors::Off => text.to_owned(),
        }
    }
}

/// The text without control characters: what a registry or an image says must not steer the terminal.
pub(crate) fn visible(text: &str) -> String {
    let keep = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(keep).collect()
}

/// The longest chain of causes that is told.
const CAUSES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("manifest cannot be read")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("disk is gone")]
    struct Inner;

    #[test]
    fn causes_follow_the_attempt() {
        let diagnostic = Diagnostic::of(&Outer(Inner)).trying("cannot pull app:1").hint("buy a disk");
        assert_eq!(
            diagnostic.render(Colors::Off),
            "Error: cannot pull app:1: manifest cannot be read: disk is gone\nHint: buy a disk\n"
        );
    }

    #[test]
    fn the_systems_numbers_are_left_out() {
        let error = std::io::Error::from_raw_os_error(2);
        assert_eq!(Diagnostic::of(&error).render(Colors::Off), "Error: No such file or directory\n");
    }

    #[test]
    fn a_repeated_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("copy failed: disk is gone")]
        struct Repeats(#[source] Inner);
        assert_eq!(Diagnostic::of(&Repeats(Inner)).render(Colors::Off), "Error: copy failed: disk is gone\n");
    }

    #[test]
    fn the_excerpt_stands_first() {
        let mut diagnostic = Diagnostic::new("build failed");
        diagnostic.excerpt = Some("Dockerfile:3:1\n".to_owned());
        assert_eq!(diagnostic.render(Colors::Off), "Dockerfile:3:1\nError: build failed\n");
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(Diagnostic::new("no \x1b[2Jimage").render(Colors::Off), "Error: no \u{fffd}[2Jimage\n");
        assert!(Diagnostic::new("x").render(Colors::On).starts_with("\x1b[1;31mError:\x1b[0m x"));
    }
}
