//! Parser directives: the `# name=value` comments at the top of a Dockerfile.

use crate::word::Word;

/// The directives of a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// The character that escapes, and continues a line: a backslash or a backtick.
    pub escape: char,
    /// `# syntax=`: the frontend that the author had in mind. The built-in one serves them all.
    pub syntax: Option<Word>,
    /// `# check=`: which lint rules to skip, and whether warnings are errors.
    pub check: Option<Word>,
}

impl Default for Directives {
    fn default() -> Self {
        Directives { escape: '\\', syntax: None, check: None }
    }
}
