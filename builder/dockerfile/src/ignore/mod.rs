//! `.dockerignore`: reading its patterns and matching paths against them.

use crate::glob::PatternError;

/// The patterns of an ignore file, in order: comments and blanks are gone, paths are cleaned.
pub fn read(content: &str) -> Vec<String> {
    let _ = content;
    todo!("reads the lines")
}

/// Decides which paths are ignored.
#[derive(Clone, Debug)]
pub struct Matcher {
    _patterns: Vec<String>,
}

/// Why a list of patterns cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IgnoreError {
    /// A `!` with nothing behind it.
    #[error("the pattern \"!\" excludes nothing")]
    EmptyException,
    /// A pattern that is malformed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl Matcher {
    /// A matcher of patterns as [`read`] gives them; the last one that matches a path wins.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, IgnoreError> {
        Ok(Matcher { _patterns: patterns.iter().map(|pattern| pattern.as_ref().to_owned()).collect() })
    }

    /// Whether there is no pattern: nothing is ignored.
    pub fn is_empty(&self) -> bool {
        self._patterns.is_empty()
    }

    /// Whether `path` (relative, with slashes) is ignored, by itself or because a folder above it is.
    pub fn matches(&self, path: &str) -> bool {
        let _ = path;
        todo!("matches")
    }

    /// Whether an ignored folder has to be entered all the same: a later `!` pattern may bring back what is in it.
    pub fn may_hold_exceptions(&self, folder: &str) -> bool {
        let _ = folder;
        todo!("looks at the exceptions")
    }
}
