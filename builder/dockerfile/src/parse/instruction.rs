//! Tells the instructions apart, and reads those that are short.

use crate::diagnostic::Diagnostic;
use crate::instruction::{Instruction, InstructionKind, Onbuild, Statement};
use crate::parse::problem::Problem;
use crate::parse::{command, copy, flags, healthcheck, pairs, run};
use crate::suggest;
use crate::syntax::{Arguments, Node};
use crate::word::Word;

/// Reads an instruction below a `FROM`.
pub(super) fn instruction(node: &Node) -> Result<Instruction, Problem> {
    if let Arguments::Broken = node.arguments {
        return Err(Problem::SAID);
    }
    kind(node).map(|kind| statement(node, kind))
}

/// Reads an instruction that `ONBUILD` keeps for later.
pub(super) fn trigger(node: &Node) -> Result<Instruction, Problem> {
    let keyword = node.keyword.text.to_ascii_uppercase();
    if matches!(keyword.as_str(), "FROM" | "MAINTAINER" | "ONBUILD") {
        let message = format!("{keyword} cannot be kept for later by ONBUILD");
        return Err(Diagnostic::error(node.keyword.span, message).into());
    }
    instruction(node)
}

/// What every instruction has, around what this one says.
pub(super) fn statement<K>(node: &Node, kind: K) -> Statement<K> {
    Statement {
        kind,
        keyword: node.keyword.clone(),
        span: node.span,
        original: node.original.clone(),
        comments: node.comments.clone(),
        empty_continuation: node.empty_continuation,
    }
}

fn kind(node: &Node) -> Result<InstructionKind, Problem> {
    let keyword = node.keyword.text.to_ascii_uppercase();
    Ok(match keyword.as_str() {
        "ADD" => InstructionKind::Add(copy::add(node)?),
        "ARG" => InstructionKind::Arg(pairs::arg(node)?),
        "CMD" => InstructionKind::Cmd(command::plain(node)?),
        "COPY" => InstructionKind::Copy(copy::copy(node)?),
        "ENTRYPOINT" => InstructionKind::Entrypoint(command::plain(node)?),
        "ENV" => InstructionKind::Env(pairs::pairs(node)?),
        "EXPOSE" => InstructionKind::Expose(at_least_one(node)?),
        "HEALTHCHECK" => InstructionKind::Healthcheck(healthcheck::healthcheck(node)?),
        "LABEL" => InstructionKind::Label(pairs::pairs(node)?),
        "MAINTAINER" => InstructionKind::Maintainer(whole(node)?),
        "ONBUILD" => InstructionKind::Onbuild(onbuild(node)?),
        "RUN" => InstructionKind::Run(run::run(node)?),
        "SHELL" => InstructionKind::Shell(shell(node)?),
        // Its flags were never looked at.
        "STOPSIGNAL" => InstructionKind::Stopsignal(first_word(node)?),
        "USER" => InstructionKind::User(whole(node)?),
        "VOLUME" => InstructionKind::Volume(volume(node)?),
        "WORKDIR" => InstructionKind::Workdir(whole(node)?),
        _ => return Err(unknown(node).into()),
    })
}

fn unknown(node: &Node) -> Diagnostic {
    let keyword = &node.keyword;
    Diagnostic::error(keyword.span, format!("unknown instruction {}", keyword.text))
        .with_help(suggest::did_you_mean(&keyword.text, &KEYWORDS))
}

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// The instruction's whole line.
fn whole(node: &Node) -> Result<Word, Problem> {
    flags::none(node)?;
    first_word(node)
}

fn first_word(node: &Node) -> Result<Word, Problem> {
    let Arguments::Words(words) = &node.arguments else { return Err(Problem::SAID) };
    words.first().cloned().ok_or_else(|| Problem::needs(node, "an argument"))
}

fn at_least_one(node: &Node) -> Result<Vec<Word>, Problem> {
    flags::none(node)?;
    match &node.arguments {
        Arguments::Words(words) | Arguments::Json(words) if !words.is_empty() => Ok(words.clone()),
        _ => Err(Problem::needs(node, "at least one argument")),
    }
}

fn volume(node: &Node) -> Result<Vec<Word>, Problem> {
    let mut volumes = at_least_one(node)?;
    for volume in &mut volumes {
        volume.text = volume.text.trim().to_owned();
        if volume.text.is_empty() {
            return Err(Diagnostic::error(volume.span, "a volume's path cannot be empty").into());
        }
    }
    Ok(volumes)
}

fn shell(node: &Node) -> Result<Vec<Word>, Problem> {
    let shell = at_least_one(node)?;
    match &node.arguments {
        Arguments::Json(_) => Ok(shell),
        _ => {
            let span = shell.first().map_or(node.span, |word| word.span);
            Err(Diagnostic::error(span, "SHELL needs a JSON list")
                .with_help("write SHELL [\"PROGRAM\", \"ARGUMENT\"]".to_owned())
                .into())
        }
    }
}

fn onbuild(node: &Node) -> Result<Onbuild, Problem> {
    flags::none(node)?;
    let Arguments::Inner(inner) = &node.arguments else {
        return Err(Problem::needs(node, "an instruction"));
    };
    let instruction = trigger(inner)?;
    let mut trigger = inner.original.clone();
    for heredoc in &inner.heredocs {
        trigger.push('\n');
        trigger.push_str(&heredoc.content);
        trigger.push_str(&heredoc.name);
    }
    Ok(Onbuild { trigger, instruction: Box::new(instruction) })
}
