//! `FROM`.

use crate::diagnostic::Diagnostic;
use crate::instruction::{Alias, From};
use crate::parse::flags::{self, Takes};
use crate::parse::problem::Problem;
use crate::suggest;
use crate::syntax::{Arguments, Node};
use crate::word::Word;

pub(super) fn from(node: &Node) -> Result<From, Problem> {
    let flags = flags::read(node, &[("platform", Takes::Value)])?;
    let platform = flags.value("platform").filter(|platform| !platform.text.is_empty());
    let words = match &node.arguments {
        Arguments::Words(words) => words.as_slice(),
        _ => &[],
    };
    match words {
        [] => Err(Problem::needs(node, "an image")),
        [base] => Ok(From { base: base.clone(), platform, alias: None }),
        [base, keyword, name] if keyword.text.eq_ignore_ascii_case("as") => {
            let alias = Alias { keyword: keyword.clone(), name: checked(name)? };
            Ok(From { base: base.clone(), platform, alias: Some(alias) })
        }
        [_, wrong, ..] => {
            let near = suggest::nearest(&wrong.text, ["AS"]).filter(|_| words.len() == 3);
            let help = near.map_or("write FROM IMAGE or FROM IMAGE AS NAME".to_owned(), |near| {
                format!("did you mean {near}?")
            });
            let message = "FROM takes an image, and a name behind AS";
            Err(Diagnostic::error(wrong.span, message).with_help(help).into())
        }
    }
}

fn checked(name: &Word) -> Result<Word, Problem> {
    let lower = name.text.to_lowercase();
    let starts = lower.starts_with(|first: char| first.is_ascii_lowercase());
    let sound =
        lower.chars().all(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || "-_.".contains(next));
    if starts && sound {
        return Ok(name.clone());
    }
    let message = format!("{:?} cannot be the name of a stage", name.text);
    let help = "a name is a letter, then letters, digits, '-', '_' and '.'";
    Err(Diagnostic::error(name.span, message).with_help(help.to_owned()).into())
}
