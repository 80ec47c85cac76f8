//! Commands in shell form and exec form.

use crate::instruction::CommandForm;
use crate::parse::flags;
use crate::parse::problem::Problem;
use crate::source::Span;
use crate::syntax::{Arguments, Node};
use crate::word::Word;

/// The command of an instruction that has nothing else.
pub(super) fn plain(node: &Node) -> Result<CommandForm, Problem> {
    flags::none(node)?;
    form(&node.arguments, node.keyword.span).ok_or(Problem::SAID)
}

/// The form that arguments have; an empty one stands behind `before`.
pub(super) fn form(arguments: &Arguments, before: Span) -> Option<CommandForm> {
    match arguments {
        Arguments::Json(words) => Some(CommandForm::Exec(words.clone())),
        Arguments::Words(words) => {
            let empty = || Word::new("", Span::new(before.end, before.end));
            Some(CommandForm::Shell(words.first().cloned().unwrap_or_else(empty)))
        }
        _ => None,
    }
}
