//! Names with values: `ENV`, `LABEL` and `ARG`.

use crate::word::Word;

/// A pair of `ENV` or `LABEL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: Word,
    /// The value.
    pub value: Word,
    /// How it was written.
    pub form: PairForm,
}

/// How a pair was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairForm {
    /// `name=value`.
    Equals,
    /// `name value`, the old form: one pair, the value is the rest of the line.
    Blank,
}

/// `ARG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The arguments it declares; at least one.
    pub pairs: Vec<ArgPair>,
}

/// An argument that `ARG` declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgPair {
    /// The name.
    pub name: Word,
    /// The value when the build gives none.
    pub default: Option<Word>,
}
