//! Expansion: quotes, escapes and variables of a word, by the rules that Dockerfiles have.

/// The values that variables have.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// An expanded word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The text.
    pub text: String,
    /// Variables that were looked up and have a value; each once, in order of appearance.
    pub matched: Vec<String>,
    /// Variables that were looked up and have none.
    pub unmatched: Vec<String>,
}

/// Why a word cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// A quote that never ends.
    #[error("missing closing {0} quote")]
    UnclosedQuote(char),
}

/// Expands `input` as one word: quotes and escapes go, variables get their values, blanks stay.
pub fn word(input: &str, env: &Lookup<'_>, escape: char) -> Result<Expansion, ExpandError> {
    let _ = (input, env, escape);
    todo!("lexes the word")
}

/// Expands `input` as [`word`] does, then splits it at the blanks that stand outside of quotes.
pub fn words(input: &str, env: &Lookup<'_>, escape: char) -> Result<Vec<String>, ExpandError> {
    let _ = (input, env, escape);
    todo!("lexes the words")
}

/// Expands the variables of a text in which quotes mean nothing: the content of a heredoc.
pub fn text(input: &str, env: &Lookup<'_>, escape: char) -> Result<Expansion, ExpandError> {
    let _ = (input, env, escape);
    todo!("lexes the text")
}
