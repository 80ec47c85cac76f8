//! The machine behind `glob` and `ignore`: a list of tokens, matched in one pass over the text.
//!
//! All places in the pattern that the text read so far can have led to are followed side by side, so a match takes
//! time in proportion to pattern times text, whatever the two are.

use std::iter::Peekable;
use std::str::Chars;

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// Any character but a slash.
    AnyChar,
    /// One of a set of characters.
    Class(Class),
    /// Any text without a slash.
    Star,
    /// Any text.
    Rest,
    /// Nothing, or any text that ends with a slash. Always followed by [`Token::InFolders`].
    Folders,
    /// The text that [`Token::Folders`] stands for.
    InFolders,
}

/// A set of characters: `[a-z]`, `[^a-z]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    /// Reads a class whose `[` was just taken; `None` if it is malformed.
    pub(crate) fn read(rest: &mut Peekable<Chars<'_>>) -> Option<Class> {
        let negated = rest.next_if_eq(&'^').is_some();
        let mut ranges = Vec::new();
        while ranges.is_empty() || rest.next_if_eq(&']').is_none() {
            let low = class_char(rest)?;
            let high = match rest.next_if_eq(&'-') {
                Some(_) => class_char(rest)?,
                None => low,
            };
            rest.peek()?;
            ranges.push((low, high));
        }
        Some(Class { negated, ranges })
    }

    /// Whether one of the ranges runs backwards: it holds nothing.
    pub(crate) fn runs_backwards(&self) -> bool {
        self.ranges.iter().any(|(low, high)| low > high)
    }

    fn contains(&self, wanted: char) -> bool {
        self.negated != self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&wanted))
    }
}

fn class_char(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        plain => Some(plain),
    }
}

/// Whether the whole of `text` matches.
pub(crate) fn matches(tokens: &[Token], text: &str) -> bool {
    // Most texts differ in the first few characters: compare those before anything is set up.
    let mut rest = text.chars();
    let mut literals = 0;
    while let Some(Token::Char(wanted)) = tokens.get(literals) {
        if rest.next() != Some(*wanted) {
            return false;
        }
        literals += 1;
    }
    let tokens = &tokens[literals..];
    let mut places = vec![false; tokens.len() + 1];
    let mut following = places.clone();
    enter(tokens, &mut places, 0);
    for next in rest {
        following.fill(false);
        let mut alive = false;
        for (at, token) in tokens.iter().enumerate().filter(|(at, _)| places[*at]) {
            let (stays, passes) = step(token, next);
            if stays {
                enter(tokens, &mut following, at);
            }
            if passes {
                enter(tokens, &mut following, at + 1);
            }
            alive |= stays || passes;
        }
        if !alive {
            return false;
        }
        std::mem::swap(&mut places, &mut following);
    }
    places[tokens.len()]
}

/// Whether the machine stays at a token on a character, and whether it goes on to the next one.
fn step(token: &Token, next: char) -> (bool, bool) {
    match token {
        Token::Char(wanted) => (false, *wanted == next),
        Token::AnyChar => (false, next != '/'),
        Token::Class(class) => (false, class.contains(next)),
        Token::Star => (next != '/', false),
        Token::Rest => (true, false),
        Token::Folders => (false, false),
        Token::InFolders => (true, next == '/'),
    }
}

/// Marks a place, and those that are reached from it without a character.
fn enter(tokens: &[Token], places: &mut [bool], mut at: usize) {
    while !std::mem::replace(&mut places[at], true) {
        match tokens.get(at) {
            Some(Token::Star | Token::Rest) => at += 1,
            Some(Token::Folders) => {
                places[at + 1] = true;
                at += 2;
            }
            _ => return,
        }
    }
}
