//! The syntax tree: each instruction cut into keyword, flags, arguments and heredocs, not yet checked.

mod arguments;
mod node;
mod split;

pub use node::{Arguments, Node, Tree};

use crate::diagnostic::Diagnostic;
use crate::directive;
use crate::heredoc::Opening;
use crate::line::{LogicalLine, Piece, Reader};
use crate::source::Span;

/// Reads a text. What cannot be read stays in the tree as [`Arguments::Broken`].
pub fn read(text: &str) -> (Tree, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut reader = Reader::new(text);
    let directives = directive::read(&mut reader, &mut diagnostics);
    let mut nodes = Vec::new();
    while let Some(line) = reader.next_logical() {
        let mut node = node(&line, line.piece(), directives.escape, &mut diagnostics);
        read_heredocs(&mut node, &line, &mut reader, &mut diagnostics);
        nodes.push(node);
    }
    if nodes.is_empty() {
        let message = "the Dockerfile has no instructions";
        diagnostics.push(Diagnostic::error(Span::default(), message));
    }
    (Tree { directives, nodes }, diagnostics)
}

fn node(line: &LogicalLine, piece: Piece<'_>, escape: char, diagnostics: &mut Vec<Diagnostic>) -> Node {
    let piece = piece.trim();
    let split::Command { keyword, flags, rest } = split::command(piece, escape);
    let name = keyword.text().to_ascii_lowercase();
    let arguments = match name.as_str() {
        "onbuild" if !rest.is_empty() => onbuild(line, rest, escape, diagnostics),
        _ => arguments::read(&name, rest, escape).unwrap_or_else(|problem| {
            diagnostics.push(*problem);
            Arguments::Broken
        }),
    };
    Node {
        keyword: keyword.word(),
        flags,
        arguments,
        heredocs: Vec::new(),
        span: line.span,
        original: piece.text().to_owned(),
        comments: line.comments.clone(),
        empty_continuation: line.empty_continuation.map(|empty| Span::new(empty.start, line.span.end)),
    }
}

/// The instruction behind `ONBUILD`. Chains of them are no instruction, so one look is enough.
fn onbuild(
    line: &LogicalLine,
    rest: Piece<'_>,
    escape: char,
    diagnostics: &mut Vec<Diagnostic>,
) -> Arguments {
    let (keyword, _) = rest.split_first();
    if keyword.text().eq_ignore_ascii_case("onbuild") {
        let message = "ONBUILD cannot hold another ONBUILD";
        diagnostics.push(Diagnostic::error(keyword.span(), message));
        return Arguments::Broken;
    }
    Arguments::Inner(Box::new(node(line, rest, escape, diagnostics)))
}

fn read_heredocs(
    node: &mut Node,
    line: &LogicalLine,
    reader: &mut Reader<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let holder = match &node.arguments {
        Arguments::Inner(inner) => inner,
        _ => &*node,
    };
    if !takes_heredocs(holder) {
        return;
    }
    let mut heredocs = Vec::new();
    for opening in Opening::all(line.piece().text()) {
        let name = opening.name.clone();
        let Some(heredoc) = opening.read(reader) else {
            let help = format!("end it with a line that is just {name}");
            let message = format!("the heredoc {name} is not closed");
            diagnostics.push(Diagnostic::error(line.piece().span(), message).with_help(help));
            break;
        };
        node.span.end = heredoc.span.end + name.len();
        heredocs.push(heredoc);
    }
    match &mut node.arguments {
        Arguments::Inner(inner) => {
            inner.span.end = node.span.end;
            inner.heredocs = heredocs;
        }
        _ => node.heredocs = heredocs,
    }
}

fn takes_heredocs(node: &Node) -> bool {
    let keyword = node.keyword.text.to_ascii_lowercase();
    matches!(keyword.as_str(), "run" | "copy" | "add") && matches!(node.arguments, Arguments::Words(_))
}
