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
    let Some((tokens, text)) = without_literal_ends(tokens, text) else { return false };
    match tokens {
        [] => text.is_empty(),
        [Token::Star] => !text.contains('/'),
        [Token::Rest] | [Token::Folders, Token::InFolders, Token::Star] => true,
        [Token::Folders, Token::InFolders] => text.is_empty() || text.ends_with('/'),
        _ => follow(tokens, text),
    }
}

/// What is left of both when the characters at the ends of the pattern are compared: most texts differ there, and most
/// patterns have little else.
fn without_literal_ends<'t, 's>(tokens: &'t [Token], text: &'s str) -> Option<(&'t [Token], &'s str)> {
    let (mut tokens, mut text) = (tokens, text);
    while let Some((Token::Char(wanted), others)) = tokens.split_first() {
        text = text.strip_prefix(*wanted)?;
        tokens = others;
    }
    while let Some((Token::Char(wanted), others)) = tokens.split_last() {
        text = text.strip_suffix(*wanted)?;
        tokens = others;
    }
    Some((tokens, text))
}

/// Follows all places side by side.
fn follow(tokens: &[Token], text: &str) -> bool {
    let mut places = vec![false; tokens.len() + 1];
    let mut following = places.clone();
    enter(tokens, &mut places, 0);
    for next in text.chars() {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by trying everything.
    fn tried(tokens: &[Token], text: &str) -> bool {
        let Some((token, others)) = tokens.split_first() else { return text.is_empty() };
        let ends = (0..=text.len()).filter(|end| text.is_char_boundary(*end));
        let one = text.chars().next();
        let behind_one = || &text[one.map_or(0, char::len_utf8)..];
        match token {
            Token::Char(wanted) => one == Some(*wanted) && tried(others, behind_one()),
            Token::AnyChar => one.is_some_and(|one| one != '/') && tried(others, behind_one()),
            Token::Class(class) => one.is_some_and(|one| class.contains(one)) && tried(others, behind_one()),
            Token::Star => {
                ends.filter(|end| !text[..*end].contains('/')).any(|end| tried(others, &text[end..]))
            }
            Token::Rest => ends.into_iter().any(|end| tried(others, &text[end..])),
            Token::Folders => {
                let mut ends = ends.filter(|end| text[..*end].is_empty() || text[..*end].ends_with('/'));
                ends.any(|end| tried(&others[1..], &text[end..]))
            }
            Token::InFolders => false,
        }
    }

    fn token() -> impl Strategy<Value = Vec<Token>> {
        let class = Class { negated: true, ranges: vec![('a', 'b')] };
        prop_oneof![
            3 => "[ab/]".prop_map(|text| text.chars().map(Token::Char).collect()),
            1 => Just(vec![Token::AnyChar]),
            1 => Just(vec![Token::Class(class)]),
            2 => Just(vec![Token::Star]),
            1 => Just(vec![Token::Rest]),
            1 => Just(vec![Token::Folders, Token::InFolders]),
        ]
    }

    proptest! {
        #[test]
        fn following_finds_what_trying_finds(
            tokens in proptest::collection::vec(token(), 0..7),
            text in "[abc/]{0,8}",
        ) {
            let tokens = tokens.concat();
            prop_assert_eq!(matches(&tokens, &text), tried(&tokens, &text));
        }
    }
}
