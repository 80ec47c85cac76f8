//! Expansion: quotes, escapes and variables of a word, by the rules that Dockerfiles have.
//!
//! Variables are `$NAME` and `${NAME}`, the latter with a modifier: `:-` `-` `:+` `+` `:?` `?` for absent values,
//! `#` `##` `%` `%%` to cut off what a pattern matches, `/` `//` to replace it.

mod lexer;
mod pattern;

use std::collections::BTreeSet;

use lexer::{Escapes, Lexer, Mode, Quotes, Unset};

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
    #[error("expands to more than {EXPANDED_BYTES_MAX} bytes")]
    TooLong,
}

/// Expands `input` as one word: quotes and escapes go, variables get their values, blanks stay.
pub fn word(input: &str, env: &Lookup<'_>, escape: char) -> Result<Expansion, ExpandError> {
    Lexer::new(input, env, escape, Mode::default()).run().map(|(expansion, _)| expansion)
}

/// Expands `input` as [`word`] does, then splits it at the blanks that stand outside of quotes.
pub fn words(input: &str, env: &Lookup<'_>, escape: char) -> Result<Vec<String>, ExpandError> {
    Lexer::new(input, env, escape, Mode::default()).run().map(|(_, words)| words)
}

/// Expands `input` as [`words`] does, but keeps quotes, and variables without a value as they are written: what
/// a person is shown.
pub fn words_for_display(input: &str, env: &Lookup<'_>, escape: char) -> Result<Vec<String>, ExpandError> {
    let mode = Mode { quotes: Quotes::Keep, escapes: Escapes::Remove, unset: Unset::AsWritten };
    Lexer::new(input, env, escape, mode).run().map(|(_, words)| words)
}

/// Expands the variables of a text in which quotes mean nothing: the content of a heredoc. A backslash escapes,
/// whatever the Dockerfile's escape character is.
pub fn text(input: &str, env: &Lookup<'_>) -> Result<Expansion, ExpandError> {
    let mode = Mode { quotes: Quotes::Text, ..Mode::default() };
    Lexer::new(input, env, '\\', mode).run().map(|(expansion, _)| expansion)
}

/// Splits a shell line at its blanks, leaving everything as written. Stops where a quote is not closed.
pub(crate) fn shell_words(line: &str) -> Vec<String> {
    let mode = Mode { quotes: Quotes::Keep, escapes: Escapes::Keep, unset: Unset::AsWritten };
    Lexer::new(line, &|_| None, '\\', mode).run().map(|(_, words)| words).unwrap_or_default()
}

/// Takes the quotes off `input` if it is one word.
pub(crate) fn unquote(input: &str) -> Option<String> {
    let mode = Mode { unset: Unset::AsWritten, ..Mode::default() };
    let (_, mut words) = Lexer::new(input, &|_| None, '\\', mode).run().ok()?;
    let word = words.pop()?;
    words.is_empty().then_some(word)
}

/// How deep `${a:-${b:-…}}` may go.
const DEPTH_MAX: usize = 64;

/// How long an expanded text may get.
const EXPANDED_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests;
