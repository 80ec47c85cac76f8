//! `ENV`, `LABEL` and `ARG`.

use crate::diagnostic::Diagnostic;
use crate::instruction::{Arg, ArgPair, Pair};
use crate::parse::flags;
use crate::parse::problem::Problem;
use crate::source::Span;
use crate::syntax::{Arguments, Node};
use crate::word::Word;

pub(super) fn pairs(node: &Node) -> Result<Vec<Pair>, Problem> {
    flags::none(node)?;
    match &node.arguments {
        Arguments::Pairs(pairs) if pairs.is_empty() => Err(Problem::needs(node, "at least one argument")),
        Arguments::Pairs(pairs) => match pairs.iter().find(|pair| pair.name.text.is_empty()) {
            Some(blank) => Err(nameless(node, blank.name.span)),
            None => Ok(pairs.clone()),
        },
        _ => Err(Problem::SAID),
    }
}

/// `ARG`, whose flags were never looked at.
pub(super) fn arg(node: &Node) -> Result<Arg, Problem> {
    let Arguments::Words(words) = &node.arguments else { return Err(Problem::SAID) };
    if words.is_empty() {
        return Err(Problem::needs(node, "at least one argument"));
    }
    let pair = |word: &Word| match word.text.split_once('=') {
        None => Ok(ArgPair { name: word.clone(), default: None }),
        Some(("", _)) => Err(nameless(node, word.span)),
        Some((name, value)) => {
            let span = word.span;
            let name_span = Span::new(span.start, (span.start + name.len()).min(span.end));
            let value_span = Span::new(span.end.saturating_sub(value.len()).max(name_span.end), span.end);
            let default = Some(Word::new(value, value_span));
            Ok(ArgPair { name: Word::new(name, name_span), default })
        }
    };
    Ok(Arg { pairs: words.iter().map(pair).collect::<Result<_, _>>()? })
}

fn nameless(node: &Node, span: Span) -> Problem {
    let keyword = node.keyword.text.to_ascii_uppercase();
    Diagnostic::error(span, format!("{keyword} needs a name in front of '='")).into()
}
