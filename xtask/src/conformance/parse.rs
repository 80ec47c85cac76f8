//! `parse/`: the syntax tree, what is refused, and where instructions stand.

use std::path::Path;

use serde::Deserialize;
use tug_dockerfile::instruction::PairForm;
use tug_dockerfile::source::{Source, Span};
use tug_dockerfile::syntax::{self, Arguments, Node};
use tug_dockerfile::{Diagnostic, Word};

use super::{Score, json, json_lines};
use crate::Problem;

#[derive(Deserialize)]
struct TreeRow {
    name: String,
    dockerfile: String,
    result: String,
}

#[derive(Deserialize)]
struct NegativeRow {
    name: String,
    dockerfile: String,
}

#[derive(Deserialize)]
struct LinesRow {
    name: String,
    dockerfile: String,
    file_range: [usize; 2],
    instructions: Vec<[usize; 2]>,
}

#[derive(Deserialize)]
struct CorpusRow {
    id: String,
    dockerfile: String,
    accept: bool,
    escape: Option<char>,
    #[serde(default)]
    instructions: Vec<Instruction>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Instruction {
    name: String,
    flags: Vec<String>,
    args: Vec<String>,
    json: bool,
    heredocs: Vec<String>,
    inner: Option<Box<Instruction>>,
    lines: Option<[usize; 2]>,
}

pub(super) fn run(corpora: &Path) -> Result<Score, Problem> {
    let folder = corpora.join("parse");
    let mut score = Score::default();
    for row in json::<Vec<TreeRow>>(&folder.join("trees.json"))? {
        score.add(format!("tree {}", row.name), tree_difference(&row));
    }
    for row in json::<Vec<NegativeRow>>(&folder.join("negative.json"))? {
        let accepted = tug_dockerfile::parse(&row.dockerfile).dockerfile.is_some();
        score.add(format!("negative {}", row.name), accepted.then(|| "is accepted".to_owned()));
    }
    for row in json::<Vec<LinesRow>>(&folder.join("lines.json"))? {
        score.add(format!("lines {}", row.name), lines_difference(&row));
    }
    for row in json_lines::<CorpusRow>(&folder.join("corpus.jsonl"))? {
        let difference = corpus_difference(&row);
        score.add(row.id, difference);
    }
    Ok(score)
}

fn tree_difference(row: &TreeRow) -> Option<String> {
    let (tree, _) = syntax::read(&row.dockerfile);
    let given: Vec<String> = tree.nodes.iter().map(expression).collect();
    let want: Vec<&str> = row.result.lines().collect();
    let differing = given.iter().zip(&want).find(|(given, want)| given != want);
    match differing {
        Some((given, want)) => Some(format!("want {want}, got {given}")),
        None => {
            (given.len() != want.len()).then(|| format!("want {} lines, got {}", want.len(), given.len()))
        }
    }
}

fn expression(node: &Node) -> String {
    let mut parts = vec![node.keyword.text.to_lowercase()];
    if !node.flags.is_empty() {
        let flags: Vec<String> = node.flags.iter().map(|flag| quoted(&flag.text)).collect();
        parts.push(format!("[{}]", flags.join(" ")));
    }
    match &node.arguments {
        Arguments::Inner(inner) => parts.push(expression(inner)),
        other => parts.extend(arguments(other).iter().map(|argument| quoted(argument))),
    }
    format!("({})", parts.join(" "))
}

/// As Go quotes a string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for next in text.chars() {
        match next {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            control if control < ' ' => quoted.push_str(&format!("\\x{:02x}", u32::from(control))),
            plain => quoted.push(plain),
        }
    }
    quoted + "\""
}

fn arguments(arguments: &Arguments) -> Vec<String> {
    let texts = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect();
    match arguments {
        Arguments::Words(words) | Arguments::Json(words) => texts(words),
        Arguments::Pairs(pairs) => {
            let triple = |pair: &tug_dockerfile::instruction::Pair| {
                let separator = if pair.form == PairForm::Equals { "=" } else { "" };
                [pair.name.text.clone(), pair.value.text.clone(), separator.to_owned()]
            };
            pairs.iter().flat_map(triple).collect()
        }
        Arguments::Typed(kind, inner) => {
            [kind.text.clone()].into_iter().chain(self::arguments(inner)).collect()
        }
        Arguments::Inner(_) | Arguments::Broken => Vec::new(),
    }
}

fn lines_difference(row: &LinesRow) -> Option<String> {
    let source = Source::new("Dockerfile", row.dockerfile.clone());
    let (tree, _) = syntax::read(&row.dockerfile);
    let given: Vec<[usize; 2]> = tree.nodes.iter().map(|node| lines(&source, node.span)).collect();
    let whole = [given.first()?[0], given.last()?[1]];
    let differs = given != row.instructions || whole != row.file_range;
    differs.then(|| format!("want {:?}, got {given:?}", row.instructions))
}

fn lines(source: &Source, span: Span) -> [usize; 2] {
    let (first, last) = source.lines(span);
    [first, last]
}

fn corpus_difference(row: &CorpusRow) -> Option<String> {
    let parsed = tug_dockerfile::parse(&row.dockerfile);
    let errors: Vec<&str> = parsed.diagnostics.iter().filter(|said| said.is_error()).map(message).collect();
    match (row.accept, errors.is_empty()) {
        (true, false) => return Some(format!("is refused: {errors:?}")),
        (false, true) => return Some("is accepted".to_owned()),
        (false, false) => return None,
        (true, true) => {}
    }
    let source = Source::new("Dockerfile", row.dockerfile.clone());
    let (tree, _) = syntax::read(&row.dockerfile);
    if row.escape.unwrap_or('\\') != tree.directives.escape {
        return Some(format!("the escape character is {:?}", tree.directives.escape));
    }
    let given: Vec<Instruction> = tree.nodes.iter().map(|node| instruction(node, &source)).collect();
    let differing = row.instructions.iter().zip(&given).find(|(want, given)| want != given);
    match differing {
        Some((want, given)) => Some(format!("want {want:?}, got {given:?}")),
        None if given.len() != row.instructions.len() => Some(format!("has {} instructions", given.len())),
        None => None,
    }
}

fn message(diagnostic: &Diagnostic) -> &str {
    &diagnostic.message
}

fn instruction(node: &Node, source: &Source) -> Instruction {
    let inner = match &node.arguments {
        Arguments::Inner(inner) => Some(inner),
        _ => None,
    };
    let is_json = |arguments: &Arguments| match arguments {
        Arguments::Json(_) => true,
        Arguments::Typed(_, inner) => matches!(**inner, Arguments::Json(_)),
        _ => false,
    };
    // The heredocs of an inner instruction are recorded with the outer one.
    let heredocs = inner.map_or(&node.heredocs, |inner| &inner.heredocs);
    Instruction {
        name: node.keyword.text.to_lowercase(),
        flags: node.flags.iter().map(|flag| flag.text.clone()).collect(),
        args: arguments(&node.arguments),
        json: is_json(&node.arguments),
        heredocs: heredocs.iter().map(|heredoc| heredoc.content.clone()).collect(),
        inner: inner.map(|inner| {
            Box::new(Instruction { heredocs: Vec::new(), lines: None, ..instruction(inner, source) })
        }),
        lines: Some(lines(source, node.span)),
    }
}
