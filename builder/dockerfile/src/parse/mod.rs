//! From the syntax tree to typed instructions. Each problem is reported, and reading goes on behind it.

mod command;
mod copy;
mod flags;
mod from;
mod healthcheck;
mod instruction;
mod pairs;
mod problem;
mod run;

use instruction::statement;
use problem::Problem;

use crate::diagnostic::Diagnostic;
use crate::instruction::{Arg, Dockerfile, From, Instruction, Stage, Statement};
use crate::source::Span;
use crate::syntax::{self, Node};

/// What came of parsing.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The Dockerfile, unless there was an error.
    pub dockerfile: Option<Dockerfile>,
    /// What there is to say, in order of place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a Dockerfile.
pub fn parse(text: &str) -> Parsed {
    let (dockerfile, diagnostics) = read(text);
    let sound = !diagnostics.iter().any(Diagnostic::is_error);
    Parsed { dockerfile: sound.then_some(dockerfile), diagnostics }
}

/// Reads a Dockerfile; what is wrong in it is left out.
pub(crate) fn read(text: &str) -> (Dockerfile, Vec<Diagnostic>) {
    let (tree, diagnostics) = syntax::read(text);
    let mut assembly = Assembly { diagnostics, ..Assembly::default() };
    for node in &tree.nodes {
        assembly.add(node);
    }
    let Assembly { meta_args, stages, mut diagnostics, .. } = assembly;
    if stages.is_empty() && !diagnostics.iter().any(Diagnostic::is_error) {
        let end = Span::new(text.len(), text.len());
        diagnostics.push(
            Diagnostic::error(end, "the Dockerfile has no stage")
                .with_help("begin one with FROM IMAGE".to_owned()),
        );
    }
    diagnostics.extend(tree.nodes.iter().filter_map(|node| replaced(node, text)));
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    (Dockerfile { directives: tree.directives, meta_args, stages }, diagnostics)
}

/// A warning about bytes that were no UTF-8: what is built from them is not what the file holds.
fn replaced(node: &Node, text: &str) -> Option<Diagnostic> {
    let at = node.span.start + text.get(node.span.range())?.find(char::REPLACEMENT_CHARACTER)?;
    let span = Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8());
    let help = "save the file as UTF-8".to_owned();
    Some(Diagnostic::warning(span, "bytes that are no UTF-8 were replaced").with_help(help))
}

/// Reads an `ONBUILD` trigger that a base image's config holds. Spans are those of `text`.
pub fn parse_onbuild_trigger(text: &str) -> Result<Instruction, Vec<Diagnostic>> {
    let (tree, mut diagnostics) = syntax::read(text);
    let mut nodes = tree.nodes.iter();
    let trigger = nodes.next().map(instruction::trigger);
    if let Some(second) = nodes.next() {
        diagnostics
            .push(Diagnostic::error(second.span, "an ONBUILD trigger is one instruction, here is a second"));
    }
    match trigger {
        Some(Ok(instruction)) if diagnostics.is_empty() => Ok(instruction),
        Some(Err(problem)) => {
            diagnostics.extend(problem.into_diagnostic());
            Err(diagnostics)
        }
        _ => Err(diagnostics),
    }
}

#[derive(Default)]
struct Assembly {
    meta_args: Vec<Statement<Arg>>,
    stages: Vec<Stage>,
    diagnostics: Vec<Diagnostic>,
    place: Place,
}

/// Where in the Dockerfile the next instruction stands.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Before the first `FROM`.
    #[default]
    Top,
    /// Before the first `FROM`, which was already said.
    Stray,
    /// In a stage.
    Stage,
    /// In a stage whose `FROM` is wrong.
    BrokenStage,
}

impl Assembly {
    fn add(&mut self, node: &Node) {
        let keyword = node.keyword.text.to_ascii_lowercase();
        let added = match (keyword.as_str(), self.place) {
            ("from", _) => self.add_stage(node),
            ("arg", Place::Top | Place::Stray) => {
                pairs::arg(node).map(|arg| self.meta_args.push(statement(node, arg)))
            }
            _ => self.add_instruction(node),
        };
        self.diagnostics.extend(added.err().and_then(Problem::into_diagnostic));
    }

    fn add_stage(&mut self, node: &Node) -> Result<(), Problem> {
        self.place = Place::BrokenStage;
        let from: Statement<From> = statement(node, from::from(node)?);
        let span = from.span;
        self.stages.push(Stage { from, instructions: Vec::new(), span });
        self.place = Place::Stage;
        Ok(())
    }

    fn add_instruction(&mut self, node: &Node) -> Result<(), Problem> {
        let instruction = instruction::instruction(node)?;
        match (self.place, self.stages.last_mut()) {
            (Place::Stage, Some(stage)) => {
                stage.span = stage.span.to(instruction.span);
                stage.instructions.push(instruction);
            }
            (Place::Top, _) => {
                self.place = Place::Stray;
                let message = format!("{} stands before the first FROM", instruction.kind.name());
                return Err(Diagnostic::error(node.keyword.span, message)
                    .with_help("only ARG may; begin a stage with FROM IMAGE".to_owned())
                    .into());
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
