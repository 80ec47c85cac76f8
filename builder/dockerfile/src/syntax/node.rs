//! What the syntax tree is made of.

use crate::directive::Directives;
use crate::heredoc::Heredoc;
use crate::instruction::Pair;
use crate::source::Span;
use crate::word::Word;

/// A Dockerfile as a list of instructions.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The comments at its top that tell how to read it.
    pub directives: Directives,
    /// The instructions, in order.
    pub nodes: Vec<Node>,
}

/// An instruction.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its first word.
    pub keyword: Word,
    /// The `--flags` behind it, without quotes.
    pub flags: Vec<Word>,
    /// The rest of it.
    pub arguments: Arguments,
    /// Its heredocs, in order.
    pub heredocs: Vec<Heredoc>,
    /// All lines that belong to it.
    pub span: Span,
    /// The instruction on one line, without heredocs.
    pub original: String,
    /// The comments directly above it.
    pub comments: Vec<Word>,
    /// From the last empty line between its continuations to the end of what is continued.
    pub empty_continuation: Option<Span>,
}

/// The arguments of an instruction.
#[derive(Clone, Debug)]
pub enum Arguments {
    /// Words; a whole line is one word.
    Words(Vec<Word>),
    /// The strings of a JSON list.
    Json(Vec<Word>),
    /// Names and values.
    Pairs(Vec<Pair>),
    /// `HEALTHCHECK`: the word that tells what kind it is, and its arguments.
    Typed(Word, Box<Arguments>),
    /// `ONBUILD`: another instruction.
    Inner(Box<Node>),
    /// What could not be read; a diagnostic tells why.
    Broken,
}
