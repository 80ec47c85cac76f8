//! Why a node is no instruction.

use crate::diagnostic::Diagnostic;
use crate::syntax::Node;

/// What to say about a node that is no instruction.
pub(super) struct Problem(Option<Box<Diagnostic>>);

impl Problem {
    /// Nothing: the syntax tree's own diagnostics say it.
    pub(super) const SAID: Problem = Problem(None);

    /// An argument that is missing.
    pub(super) fn needs(node: &Node, what: &str) -> Problem {
        let keyword = node.keyword.text.to_ascii_uppercase();
        Diagnostic::error(node.keyword.span, format!("{keyword} needs {what}")).into()
    }

    pub(super) fn into_diagnostic(self) -> Option<Diagnostic> {
        self.0.map(|diagnostic| *diagnostic)
    }
}

impl From<Diagnostic> for Problem {
    fn from(diagnostic: Diagnostic) -> Self {
        Problem(Some(Box::new(diagnostic)))
    }
}
