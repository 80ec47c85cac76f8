//! The `--flags` of an instruction.

use crate::diagnostic::Diagnostic;
use crate::parse::problem::Problem;
use crate::source::Span;
use crate::suggest;
use crate::syntax::Node;
use crate::word::Word;

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, or `true` or `false`.
    Switch,
    /// A value.
    Value,
    /// A value, each time it is given.
    Values,
}

/// The flags that an instruction has.
pub(super) type Known = [(&'static str, Takes)];

/// The flags that were given.
pub(super) struct Flags {
    given: Vec<(&'static str, Word)>,
}

impl Flags {
    /// The value of a flag.
    pub(super) fn value(&self, name: &str) -> Option<Word> {
        self.values(name).pop()
    }

    /// All values of a flag.
    pub(super) fn values(&self, name: &str) -> Vec<Word> {
        self.given.iter().filter(|(given, _)| *given == name).map(|(_, value)| value.clone()).collect()
    }

    /// Whether a switch is on; `None` if it was not given.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        self.value(name).map(|value| !value.text.eq_ignore_ascii_case("false"))
    }
}

/// Checks that no flags were given.
pub(super) fn none(node: &Node) -> Result<(), Problem> {
    read(node, &[]).map(drop)
}

/// Reads the flags of an instruction.
pub(super) fn read(node: &Node, known: &Known) -> Result<Flags, Problem> {
    let mut flags = Flags { given: Vec::new() };
    for word in &node.flags {
        let (name, value) = match word.text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.text.as_str(), None),
        };
        let Some((known, takes)) = known.iter().find(|(known, _)| Some(*known) == name.strip_prefix("--"))
        else {
            return Err(unknown(node, word, name, known).into());
        };
        let before = || flags.given.iter().find(|(given, _)| given == known);
        if let Some((_, before)) = (*takes != Takes::Values).then(before).flatten() {
            let problem = Diagnostic::error(word.span, format!("the flag {name} stands here twice"));
            return Err(problem.with_label(before.span, "first here").into());
        }
        check(word, name, value, *takes)?;
        flags.given.push((known, Word::new(value.unwrap_or_default(), value_span(word, value))));
    }
    Ok(flags)
}

fn check(word: &Word, name: &str, value: Option<&str>, takes: Takes) -> Result<(), Problem> {
    let missing = match takes {
        Takes::Switch => value == Some(""),
        Takes::Value | Takes::Values => value.is_none(),
    };
    if missing {
        let problem = Diagnostic::error(word.span, format!("the flag {name} needs a value"));
        let help = match takes {
            Takes::Switch => format!("write {name} or {name}=false"),
            Takes::Value | Takes::Values => format!("write {name}=VALUE"),
        };
        return Err(problem.with_help(help).into());
    }
    let truth = |value: &str| value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
    match value {
        Some(value) if takes == Takes::Switch && !truth(value) => {
            let message = format!("the flag {name} is true or false, not {value:?}");
            Err(Diagnostic::error(value_span(word, Some(value)), message).into())
        }
        _ => Ok(()),
    }
}

/// Where the value stands: at the end of the flag, unless quotes were taken off it.
fn value_span(word: &Word, value: Option<&str>) -> Span {
    match value {
        Some(value) if word.span.end - word.span.start == word.text.len() => {
            Span::new(word.span.end - value.len(), word.span.end)
        }
        _ => word.span,
    }
}

fn unknown(node: &Node, word: &Word, name: &str, known: &Known) -> Diagnostic {
    let keyword = node.keyword.text.to_ascii_uppercase();
    let near = suggest::nearest(name.trim_start_matches('-'), known.iter().map(|(name, _)| *name));
    let help = match (near, known) {
        (Some(near), _) => Some(format!("did you mean --{near}?")),
        (None, []) => Some(format!("{keyword} has no flags")),
        (None, _) => None,
    };
    Diagnostic::error(word.span, format!("{keyword} has no flag {name}")).with_help(help)
}
