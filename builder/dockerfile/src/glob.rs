//! Wildcards as in Go's `filepath.Match`: `*`, `?`, `[a-z]`, `\`; none of them matches a slash.

/// A pattern that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
}

/// A pattern that is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed pattern {pattern:?}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
}

impl Pattern {
    /// Checks a pattern.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        Ok(Pattern { text: text.to_owned() })
    }

    /// Whether the whole of `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        let _ = (&self.text, name);
        todo!("matches")
    }

    /// Whether the text holds a wildcard at all: without one it only matches itself.
    pub fn is_literal(text: &str) -> bool {
        !text.contains(['*', '?', '[', '\\'])
    }
}
