//! Rules about the form of instructions: casing, names, comments, old syntax.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::instruction::{Arg, Dockerfile, From, InstructionKind, Stage, Statement};
use crate::lint::findings::Findings;
use crate::lint::rule::Rule;
use crate::source::Span;
use crate::word::Word;

/// Checks the instructions up to the first error, and the whole where there is none.
pub(super) fn check(dockerfile: &Dockerfile, first_error: Option<usize>, findings: &mut Findings) {
    let end = first_error.unwrap_or(usize::MAX);
    for arg in dockerfile.meta_args.iter().filter(|arg| arg.span.start < end) {
        empty_continuation(arg, findings);
        arg_description(arg, &arg.kind, findings);
    }
    for stage in dockerfile.stages.iter().filter(|stage| stage.span.start < end) {
        empty_continuation(&stage.from, findings);
        from(&stage.from, findings);
        for instruction in stage.instructions.iter().filter(|instruction| instruction.span.start < end) {
            empty_continuation(instruction, findings);
            match &instruction.kind {
                InstructionKind::Maintainer(_) => {
                    let message = "Maintainer instruction is deprecated in favor of using label";
                    let finding = Diagnostic::warning(instruction.keyword.span, message);
                    findings.add(Rule::MaintainerDeprecated, &instruction.comments, finding);
                }
                InstructionKind::Arg(arg) => arg_description(instruction, arg, findings),
                _ => {}
            }
        }
    }
    if first_error.is_none() {
        stage_names(&dockerfile.stages, findings);
        keyword_casing(&dockerfile.stages, findings);
    }
}

fn empty_continuation<K>(statement: &Statement<K>, findings: &mut Findings) {
    if let Some(empty) = statement.empty_continuation {
        let last = Span::new(empty.end, empty.end);
        let finding = Diagnostic::warning(last, "Empty continuation line")
            .with_label(Span::new(empty.start, empty.start), "an empty line in the middle");
        findings.add(Rule::NoEmptyContinuation, &statement.comments, finding);
    }
}

fn from(statement: &Statement<From>, findings: &mut Findings) {
    let Some(alias) = &statement.kind.alias else { return };
    let name = &alias.name;
    if name.text != name.text.to_lowercase() {
        let message = format!("Stage name '{}' should be lowercase", name.text);
        findings.add(Rule::StageNameCasing, &statement.comments, Diagnostic::warning(name.span, message));
    }
    let (from, as_) = (&statement.keyword, &alias.keyword);
    let fits = match casing(&from.text) {
        Some(Casing::Lower) => casing(&as_.text) == Some(Casing::Lower),
        Some(Casing::Upper) => casing(&as_.text) == Some(Casing::Upper),
        // The keyword itself is what is wrong.
        None => true,
    };
    if !fits {
        let message = format!("'{}' and '{}' keywords' casing do not match", as_.text, from.text);
        findings.add(Rule::FromAsCasing, &statement.comments, Diagnostic::warning(as_.span, message));
    }
    description(statement, "FROM", &[name.text.to_lowercase()], findings);
}

fn arg_description<K>(statement: &Statement<K>, arg: &Arg, findings: &mut Findings) {
    let names: Vec<String> = arg.pairs.iter().map(|pair| pair.name.text.clone()).collect();
    description(statement, "ARG", &names, findings);
}

fn description<K>(statement: &Statement<K>, keyword: &str, names: &[String], findings: &mut Findings) {
    let Some(comment) = statement.comments.last() else { return };
    let first = comment.text.split(' ').next().unwrap_or_default();
    if names.iter().any(|name| name == first) {
        return;
    }
    let example = match names {
        [only] => only.as_str(),
        _ => "<arg_key>",
    };
    let message = format!("Comment for {keyword} should follow the format: `# {example} <description>`");
    let finding =
        Diagnostic::warning(statement.keyword.span, message).with_label(comment.span, "this comment");
    findings.add(Rule::InvalidDefinitionDescription, &statement.comments, finding);
}

fn stage_names(stages: &[Stage], findings: &mut Findings) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for stage in stages {
        let Some(alias) = &stage.from.kind.alias else { continue };
        let name = alias.name.text.to_lowercase();
        let comments = &stage.from.comments;
        if matches!(name.as_str(), "scratch" | "context") {
            let message = format!("Stage name should not use the same name as reserved stage {name:?}");
            findings.add(Rule::ReservedStageName, comments, Diagnostic::warning(alias.name.span, message));
        }
        let message = format!("Duplicate stage name {name:?}, stage names should be unique");
        if let Some(before) = seen.insert(name, alias.name.span) {
            let finding = Diagnostic::warning(alias.name.span, message).with_label(before, "first here");
            findings.add(Rule::DuplicateStageName, comments, finding);
        }
    }
}

/// How a keyword is cased, when it is in one way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Casing {
    Lower,
    Upper,
}

fn casing(keyword: &str) -> Option<Casing> {
    let lower = keyword.chars().all(|letter| !letter.is_uppercase());
    let upper = keyword.chars().all(|letter| !letter.is_lowercase());
    match (lower, upper) {
        (true, _) => Some(Casing::Lower),
        (false, true) => Some(Casing::Upper),
        (false, false) => None,
    }
}

fn keyword_casing(stages: &[Stage], findings: &mut Findings) {
    let keywords: Vec<(&Word, &[Word])> = stages.iter().flat_map(keywords).collect();
    let count = |wanted| keywords.iter().filter(|(keyword, _)| casing(&keyword.text) == Some(wanted)).count();
    let (majority, name) = match count(Casing::Lower) > count(Casing::Upper) {
        true => (Casing::Lower, "lowercase"),
        false => (Casing::Upper, "uppercase"),
    };
    for (keyword, comments) in &keywords {
        if casing(&keyword.text) != Some(majority) {
            let message =
                format!("Command '{}' should match the case of the command majority ({name})", keyword.text);
            let finding = Diagnostic::warning(keyword.span, message);
            findings.add(Rule::ConsistentInstructionCasing, comments, finding);
        }
    }
}

fn keywords(stage: &Stage) -> impl Iterator<Item = (&Word, &[Word])> {
    let from = (&stage.from.keyword, stage.from.comments.as_slice());
    let others = stage.instructions.iter();
    let others = others.map(|instruction| (&instruction.keyword, instruction.comments.as_slice()));
    [from].into_iter().chain(others)
}
