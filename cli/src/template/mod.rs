//! Go templates, as far as people use them in `--format`: fields, `json`, `index`, `range`, `if`, pipes.

mod eval;
mod function;
mod parse;
#[cfg(test)]
mod tests;

use serde_json::Value;

/// A template that was parsed.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
}

/// Why a template is refused, or cannot be applied to a value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum TemplateError {
    /// `{{` without `}}`.
    #[error("action has no closing `}}}}`")]
    Unclosed,
    /// A quoted text without its end.
    #[error("quoted text is not closed: {0}")]
    UnclosedText(String),
    /// Something that no action may hold.
    #[error("unexpected {0:?} in an action")]
    Unexpected(String),
    /// An action that ends too early.
    #[error("action is empty or ends too early")]
    Incomplete,
    /// `range`, `if` or `with` without `end`, or `end` or `else` without them.
    #[error("`{0}` has no partner")]
    Unbalanced(String),
    /// Nested deeper than any sensible template.
    #[error("template is nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// A function that is not known.
    #[error("function {0:?} is not known")]
    UnknownFunction(String),
    /// A field that the value does not have.
    #[error("no field {name:?}; there are {known}")]
    NoField {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A variable that was never set.
    #[error("variable ${0} is not set")]
    NoVariable(String),
    /// A function's arguments do not fit it.
    #[error("`{function}` does not take {given}")]
    Argument {
        /// The function.
        function: String,
        /// What it was given.
        given: String,
    },
    /// `index` beyond the end.
    #[error("index {index} is out of range: there are {len}")]
    OutOfRange {
        /// What was asked for.
        index: String,
        /// How many there are.
        len: usize,
    },
}

impl Template {
    /// Parses a template.
    pub(crate) fn parse(text: &str) -> Result<Template, TemplateError> {
        Ok(Template { nodes: parse::parse(text)? })
    }

    /// The text that the template makes of a value.
    pub(crate) fn render(&self, value: &Value) -> Result<String, TemplateError> {
        eval::render(&self.nodes, value)
    }
}

#[derive(Debug)]
enum Node {
    Text(String),
    Print(Pipeline),
    Assign(String, Pipeline),
    If(Pipeline, Vec<Node>, Vec<Node>),
    With(Pipeline, Vec<Node>, Vec<Node>),
    Range(Range),
}

#[derive(Debug)]
struct Range {
    /// The variable for the index or key.
    key: Option<String>,
    /// The variable for the element.
    element: Option<String>,
    over: Pipeline,
    body: Vec<Node>,
    otherwise: Vec<Node>,
}

/// Calls, each given the result of the one before as its last argument.
type Pipeline = Vec<Call>;

/// A function or value, and arguments.
type Call = Vec<Operand>;

#[derive(Debug, Clone)]
enum Operand {
    /// A path from what the operand stands for: `.A.B`, `$x.A`, `(…).A`.
    Path(Base, Vec<String>),
    Literal(Value),
    Function(String),
}

#[derive(Debug, Clone)]
enum Base {
    Dot,
    Variable(String),
    Paren(Pipeline),
}

/// The deepest nesting of blocks and parentheses.
const DEPTH_MAX: usize = 64;
