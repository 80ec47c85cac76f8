//! What expansion gives, and why it may not.

use std::collections::BTreeSet;

/// The values that variables have.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// An expanded word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The text.
    pub text: String,
    /// Variables that were looked up and have a value.
    pub matched: BTreeSet<String>,
    /// Variables that were looked up and have none.
    pub unmatched: BTreeSet<String>,
}

/// Why a word cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// A quote that never ends.
    #[error("missing closing quote {0}")]
    UnclosedQuote(char),
    /// A `${` that never ends.
    #[error("missing '}}' after ${{")]
    UnclosedBrace,
    /// A `${name/pattern` without a second slash.
    #[error("missing second '/' in ${{name/pattern/replacement}}")]
    UnclosedPattern,
    /// A `${` that no name follows.
    #[error("no variable name after ${{")]
    BadSubstitution,
    /// A modifier that does not exist.
    #[error("unknown modifier {modifier:?} in ${{{name}}}")]
    UnknownModifier {
        /// The variable.
        name: String,
        /// What follows its name.
        modifier: String,
    },
    /// A variable that `?` demands.
    #[error("{name}: {message}")]
    Missing {
        /// The variable.
        name: String,
        /// What the Dockerfile says about it.
        message: String,
    },
    /// A pattern with an escape that means nothing.
    #[error("pattern {pattern:?} ends or escapes what needs no escape")]
    Pattern {
        /// The pattern.
        pattern: String,
    },
    /// Substitutions inside of substitutions without end.
    #[error("variables nest deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// A text that grew without end.
    #[error("grows by more than {EXPANDED_BYTES_MAX} bytes when expanded")]
    TooLong,
}

/// How deep `${a:-${b:-…}}` may go.
pub(super) const DEPTH_MAX: usize = 64;

/// How much longer than what is written an expanded text may get; a variable of a process cannot be that long.
pub(super) const EXPANDED_BYTES_MAX: usize = 1 << 20;
