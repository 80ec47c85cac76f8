//! A place in a Dockerfile, for a person to look at.

use std::fmt;

use tug_dockerfile::{Source, Span};

/// File, line and column, and the line itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The Dockerfile's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The last line that belongs to it.
    pub last_line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The text from the first to the last line.
    pub text: String,
}

impl Place {
    /// The place of `span`.
    pub fn of(source: &Source, span: Span) -> Place {
        let position = source.position(span.start);
        let (line, last_line) = source.lines(span);
        let lines = source.text().lines().skip(line - 1).take(last_line + 1 - line);
        Place {
            file: source.name().to_owned(),
            line,
            last_line,
            column: position.column,
            text: lines.collect::<Vec<_>>().join("\n"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
