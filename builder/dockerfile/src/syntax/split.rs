//! Cuts an instruction into keyword, flags and the rest.

use crate::line::Piece;
use crate::source::Span;
use crate::word::Word;

pub(super) struct Command<'l> {
    pub(super) keyword: Piece<'l>,
    pub(super) flags: Vec<Word>,
    pub(super) rest: Piece<'l>,
}

pub(super) fn command(line: Piece<'_>, escape: char) -> Command<'_> {
    let (keyword, rest) = line.split_first();
    let mut rest = rest.unwrap_or_else(|| line.from(line.text().len()));
    let mut flags = Vec::new();
    loop {
        rest = rest.trim();
        if !rest.text().starts_with("--") {
            return Command { keyword, flags, rest };
        }
        let (flag, behind) = flag(rest, escape);
        rest = behind;
        // As for commands, two dashes alone end the flags.
        if flag.text == "--" {
            return Command { keyword, flags, rest: rest.trim() };
        }
        flags.push(flag);
    }
}

/// The word that the text begins with, without its quotes and escapes, and what follows it.
fn flag<'l>(text: Piece<'l>, escape: char) -> (Word, Piece<'l>) {
    let mut flag = String::new();
    let mut quote = None;
    let mut rest = text.text().char_indices();
    let mut end = text.text().len();
    while let Some((at, next)) = rest.next() {
        match (next, quote) {
            (blank, None) if blank.is_whitespace() => {
                end = at;
                break;
            }
            ('\'' | '"', None) => quote = Some(next),
            (next, Some(open)) if next == open => quote = None,
            // At the end there is nothing to escape: it goes.
            (next, _) if next == escape => flag.extend(rest.next().map(|(_, escaped)| escaped)),
            (plain, _) => flag.push(plain),
        }
    }
    let span: Span = text.slice(0..end).span();
    (Word::new(flag, span), text.from(end))
}
