//! Expansion: quotes, escapes and variables of a word, by the rules that Dockerfiles have.
//!
//! Variables are `$NAME` and `${NAME}`, the latter with a modifier: `:-` `-` `:+` `+` `:?` `?` for absent values,
//! `#` `##` `%` `%%` to cut off what a pattern matches, `/` `//` to replace it.

mod expansion;
mod lexer;
mod mode;
mod output;
mod pattern;

pub use expansion::{ExpandError, Expansion, Lookup};

use lexer::Lexer;
use mode::{Escapes, Mode, Quotes, Unset};

/// Expands `input` as one word: quotes and escapes go, variables get their values, blanks stay.
pub fn word(input: &str, env: &Lookup<'_>, escape: char) -> Result<Expansion, ExpandError> {
    Lexer::new(input, env, escape, Mode::default()).text()
}

/// Expands `input` as [`word`] does, then splits it at the blanks that stand outside of quotes.
pub fn words(input: &str, env: &Lookup<'_>, escape: char) -> Result<Vec<String>, ExpandError> {
    Lexer::new(input, env, escape, Mode::default()).words()
}

/// Expands `input` as [`words`] does, but keeps quotes, and variables without a value as they are written: what
/// a person is shown.
pub fn words_for_display(input: &str, env: &Lookup<'_>, escape: char) -> Result<Vec<String>, ExpandError> {
    let mode = Mode { quotes: Quotes::Keep, escapes: Escapes::Remove, unset: Unset::AsWritten };
    Lexer::new(input, env, escape, mode).words()
}

/// Expands the variables of a text in which quotes mean nothing: the content of a heredoc. A backslash escapes,
/// whatever the Dockerfile's escape character is.
pub fn text(input: &str, env: &Lookup<'_>) -> Result<Expansion, ExpandError> {
    let mode = Mode { quotes: Quotes::Text, ..Mode::default() };
    Lexer::new(input, env, '\\', mode).text()
}

/// Splits a shell line at its blanks, leaving everything as written. Stops where a quote is not closed.
pub(crate) fn shell_words(line: &str) -> Vec<String> {
    let mode = Mode { quotes: Quotes::Keep, escapes: Escapes::Keep, unset: Unset::AsWritten };
    Lexer::new(line, &|_| None, '\\', mode).words().unwrap_or_default()
}

/// Takes the quotes off `input` if it is one word.
pub(crate) fn unquote(input: &str) -> Option<String> {
    let mode = Mode { unset: Unset::AsWritten, ..Mode::default() };
    let mut words = Lexer::new(input, &|_| None, '\\', mode).words().ok()?;
    let word = words.pop()?;
    words.is_empty().then_some(word)
}

#[cfg(test)]
mod tests;
