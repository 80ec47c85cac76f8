//! Reads what follows an instruction's flags, as each instruction wants it.

use crate::diagnostic::Diagnostic;
use crate::instruction::{Pair, PairForm};
use crate::json::{self, List};
use crate::line::Piece;
use crate::syntax::node::Arguments;
use crate::word::Word;

/// Reads the arguments of the instruction `name`, given in lower case.
pub(super) fn read(name: &str, rest: Piece<'_>, escape: char) -> Result<Arguments, Box<Diagnostic>> {
    match name {
        "add" | "copy" | "volume" => Ok(json(rest)?.unwrap_or_else(|| words(rest))),
        "cmd" | "entrypoint" | "run" | "shell" => line_or_json(rest),
        "expose" | "from" => Ok(words(rest)),
        "maintainer" | "stopsignal" | "user" | "workdir" => Ok(whole(rest)),
        "arg" => Ok(Arguments::Words(quoted_words(rest, escape).into_iter().map(Piece::word).collect())),
        "env" | "label" => pairs(name, rest, escape),
        "healthcheck" if !rest.is_empty() => {
            let (kind, command) = rest.split_first();
            let command = command.unwrap_or_else(|| rest.from(rest.text().len()));
            Ok(Arguments::Typed(kind.word(), Box::new(line_or_json(command)?)))
        }
        _ => Ok(Arguments::Words(Vec::new())),
    }
}

fn words(rest: Piece<'_>) -> Arguments {
    Arguments::Words(rest.split_blanks().into_iter().map(Piece::word).collect())
}

fn whole(rest: Piece<'_>) -> Arguments {
    Arguments::Words(if rest.is_empty() { Vec::new() } else { vec![rest.word()] })
}

fn line_or_json(rest: Piece<'_>) -> Result<Arguments, Box<Diagnostic>> {
    Ok(json(rest)?.unwrap_or_else(|| whole(rest)))
}

fn json(rest: Piece<'_>) -> Result<Option<Arguments>, Box<Diagnostic>> {
    match json::list(rest.text()) {
        List::NoJson => Ok(None),
        List::Strings(strings) => {
            let word = |(text, place)| Word::new(text, rest.slice(place).span());
            Ok(Some(Arguments::Json(strings.into_iter().map(word).collect())))
        }
        List::NotStrings(place) => {
            let message = "a JSON list of arguments may only hold strings";
            Err(Diagnostic::error(rest.slice(place).span(), message)
                .with_help("put it in double quotes".to_owned())
                .into())
        }
    }
}

/// `name=value name=value`, or `name value` where the first word has no `=`.
fn pairs(instruction: &str, rest: Piece<'_>, escape: char) -> Result<Arguments, Box<Diagnostic>> {
    let instruction = instruction.to_ascii_uppercase();
    let words = quoted_words(rest, escape);
    let Some(first) = words.first() else { return Ok(Arguments::Pairs(Vec::new())) };
    if !first.text().contains('=') {
        let (name, Some(value)) = rest.split_first() else {
            let message = format!("{instruction} {} has no value", first.text());
            let help = format!("write {instruction} {}=VALUE", first.text());
            return Err(Diagnostic::error(first.span(), message).with_help(help).into());
        };
        let pair = Pair { name: name.word(), value: value.word(), form: PairForm::Blank };
        return Ok(Arguments::Pairs(vec![pair]));
    }
    let pair = |word: &Piece<'_>| {
        let Some(at) = word.text().find('=') else {
            let message = format!("{:?} is not of the form name=value", word.text());
            return Err(Diagnostic::error(word.span(), message)
                .with_help("a value with blanks needs quotes around it".to_owned())
                .into());
        };
        let (name, value) = (word.slice(0..at), word.from(at + 1));
        Ok(Pair { name: name.word(), value: value.word(), form: PairForm::Equals })
    };
    words.iter().map(pair).collect::<Result<_, _>>().map(Arguments::Pairs)
}

/// Splits at blanks outside of quotes; quotes and escapes stay. An escape that ends the text escapes nothing: it goes.
fn quoted_words(rest: Piece<'_>, escape: char) -> Vec<Piece<'_>> {
    let text = rest.text();
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut chars = text.char_indices();
    let mut end = text.len();
    while let Some((at, next)) = chars.next() {
        if next.is_whitespace() && quote.is_none() {
            words.extend(start.take().map(|start| rest.slice(start..at)));
            continue;
        }
        start.get_or_insert(at);
        match (next, quote) {
            ('\'' | '"', None) => quote = Some(next),
            (next, Some(open)) if next == open => quote = None,
            (next, quote) if next == escape && quote != Some('\'') && chars.next().is_none() => end = at,
            _ => {}
        }
    }
    words.extend(start.filter(|start| *start < end).map(|start| rest.slice(start..end)));
    words
}
