//! Wildcards as in Go's `filepath.Match`: `*`, `?`, `[a-z]`, `\`; `*` and `?` match no slash.

use crate::wildcard::{self, Class, Token};

/// A pattern that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

/// A pattern that is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed pattern {pattern:?}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let malformed = || PatternError { pattern: text.to_owned() };
        let mut tokens = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(next) = rest.next() {
            tokens.push(match next {
                '*' => Token::Star,
                '?' => Token::AnyChar,
                '[' => Token::Class(Class::read(&mut rest).ok_or_else(malformed)?),
                '\\' => Token::Char(rest.next().ok_or_else(malformed)?),
                plain => Token::Char(plain),
            });
        }
        Ok(Pattern { tokens })
    }

    /// Whether the whole of `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        wildcard::matches(&self.tokens, name)
    }

    /// Whether a text has no wildcard: as a pattern it only matches itself.
    pub fn is_literal(text: &str) -> bool {
        !text.contains(['*', '?', '[', '\\'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, want: bool) {
        let pattern = Pattern::new(pattern).expect("is well formed");
        assert_eq!(pattern.matches(name), want, "{pattern:?} on {name}");
    }

    #[test]
    fn wildcards_stop_at_slashes() {
        check("*.txt", "a.txt", true);
        check("*.txt", "dir/a.txt", false);
        check("dir/*/a?", "dir/x/ab", true);
        check("a?", "a/", false);
        check("*", "", true);
        check("?", "é", true);
    }

    #[test]
    fn classes_hold_ranges_and_escapes() {
        check("[a-c]x", "bx", true);
        check("[^a-c]x", "bx", false);
        check("[\\]a]", "]", true);
        check("[!a]", "!", true);
        check("\\*", "*", true);
        check("\\*", "a", false);
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in ["[", "[]a]", "[a", "[-]", "[x-]", "[a-b-c]", "a\\", "[^]"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = Pattern::new(&"*a".repeat(200)).expect("is well formed");
        assert!(!pattern.matches(&format!("{}b", "a".repeat(2_000))));
    }
}
