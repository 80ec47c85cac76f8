//! The patterns of `${name#pattern}` and its kin: `*` is any text, `?` any character, a backslash escapes.
//!
//! A pattern is a list of pieces with a `*` between each two. Where a piece is found first decides the start and the
//! shortest end of a match, where the last piece is found last decides the longest: no backtracking is needed.

use super::expansion::{EXPANDED_BYTES_MAX, ExpandError};

pub(super) struct Pattern {
    /// What stands between the stars; never empty.
    pieces: Vec<Vec<Unit>>,
}

/// One character of a pattern; `None` is any.
type Unit = Option<char>;

/// Which of several matches counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Shortest,
    Longest,
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Result<Self, ExpandError> {
        let mut pieces = Vec::new();
        let mut piece = Vec::new();
        let mut rest = pattern.chars();
        while let Some(next) = rest.next() {
            match next {
                '*' => pieces.push(std::mem::take(&mut piece)),
                '?' => piece.push(None),
                '\\' => match rest.next() {
                    Some(escaped @ ('*' | '?' | '\\' | '/' | '}')) => piece.push(Some(escaped)),
                    _ => return Err(ExpandError::Pattern { pattern: pattern.to_owned() }),
                },
                plain => piece.push(Some(plain)),
            }
        }
        pieces.push(piece);
        Ok(Pattern { pieces })
    }

    /// `value` without the beginning that matches.
    pub(super) fn without_prefix(&self, value: &str, extent: Extent) -> String {
        let chars: Vec<char> = value.chars().collect();
        match self.prefix(&chars, extent) {
            Some(end) => chars[end..].iter().collect(),
            None => value.to_owned(),
        }
    }

    /// `value` without the end that matches.
    pub(super) fn without_suffix(&self, value: &str, extent: Extent) -> String {
        let backwards = |piece: &Vec<Unit>| piece.iter().rev().copied().collect();
        let reversed = Pattern { pieces: self.pieces.iter().rev().map(backwards).collect() };
        let chars: Vec<char> = value.chars().rev().collect();
        match reversed.prefix(&chars, extent) {
            Some(end) => chars[end..].iter().rev().collect(),
            None => value.to_owned(),
        }
    }

    /// `value` with the first `times` longest matches replaced.
    pub(super) fn replaced(
        &self,
        value: &str,
        replacement: &str,
        times: usize,
    ) -> Result<String, ExpandError> {
        let chars: Vec<char> = value.chars().collect();
        let mut result = String::new();
        let mut done = 0;
        let mut from = 0;
        for _ in 0..times {
            let Some((start, end)) = self.find(&chars, from) else { break };
            result.extend(&chars[done..start]);
            // An empty match right behind another one is none.
            if end > done || start == 0 {
                result.push_str(replacement);
            }
            done = end;
            from = if end > start { end } else { end + 1 };
            if result.len() > EXPANDED_BYTES_MAX {
                return Err(ExpandError::TooLong);
            }
        }
        result.extend(&chars[done..]);
        Ok(result)
    }

    /// The end of the match that begins where `text` begins.
    fn prefix(&self, text: &[char], extent: Extent) -> Option<usize> {
        let (first, others) = self.pieces.split_first()?;
        stands_at(first, text, 0).then(|| end_of(others, text, first.len(), extent))?
    }

    /// The leftmost match from `from` on, at its longest.
    fn find(&self, text: &[char], from: usize) -> Option<(usize, usize)> {
        let (first, others) = self.pieces.split_first()?;
        let start = (from..=text.len()).find(|&at| stands_at(first, text, at))?;
        let end = end_of(others, text, start + first.len(), Extent::Longest)?;
        Some((start, end))
    }
}

/// The end of the last of `pieces` when they follow each other from `from` on, any text between them.
fn end_of(pieces: &[Vec<Unit>], text: &[char], from: usize, extent: Extent) -> Option<usize> {
    let Some((last, others)) = pieces.split_last() else { return Some(from) };
    let mut at = from;
    for piece in others {
        at = (at..=text.len()).find(|&at| stands_at(piece, text, at))? + piece.len();
    }
    let mut places = at..=text.len();
    let place = match extent {
        Extent::Shortest => places.find(|&at| stands_at(last, text, at)),
        Extent::Longest => places.rev().find(|&at| stands_at(last, text, at)),
    };
    place.map(|place| place + last.len())
}

fn stands_at(piece: &[Unit], text: &[char], at: usize) -> bool {
    let Some(text) = text.get(at..at + piece.len()) else { return false };
    piece.iter().zip(text).all(|(unit, found)| unit.is_none_or(|wanted| wanted == *found))
}
