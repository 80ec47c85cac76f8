//! A word of an instruction, as written, with its place.

use std::fmt;

use crate::source::Span;

/// Text from a Dockerfile before expansion: quotes, escapes and variables are still in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl Word {
    /// The `text` that stands at `span`.
    pub fn new(text: impl Into<String>, span: Span) -> Self {
        Word { text: text.into(), span }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
