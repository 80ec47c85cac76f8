//! The exec form: a JSON list of strings.

use std::ops::Range;

/// What a text that may be a list turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// A list of strings, each with its place in the text.
    Strings(Vec<(String, Range<usize>)>),
    /// A list that holds something else, at that place.
    NotStrings(Range<usize>),
    /// No JSON list.
    NoJson,
}

/// Reads a list; the whole text has to be one.
pub(crate) fn list(text: &str) -> List {
    let mut scanner = Scanner { text, at: 0 };
    scanner.list().filter(|_| scanner.at == text.len()).unwrap_or(List::NoJson)
}

/// How deep lists and objects may nest before a text does not count as JSON.
const DEPTH_MAX: usize = 64;

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn list(&mut self) -> Option<List> {
        let mut strings = Vec::new();
        let mut other = None;
        self.token('[')?;
        let mut first = true;
        while self.token(']').is_none() {
            if !first {
                self.token(',')?;
            }
            first = false;
            let start = self.at;
            match self.peek()? {
                '"' => strings.push((self.string()?, start..self.at)),
                _ => {
                    self.value(1)?;
                    other.get_or_insert(start..self.at);
                }
            }
            self.blanks();
        }
        Some(other.map_or(List::Strings(strings), List::NotStrings))
    }

    /// Any value, passed over.
    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.peek()? {
            '"' => self.string().map(drop)?,
            '[' => self.members('[', ']', depth)?,
            '{' => self.members('{', '}', depth)?,
            '-' | '0'..='9' => self.number()?,
            _ => {
                let word =
                    ["true", "false", "null"].into_iter().find(|word| self.rest().starts_with(word))?;
                self.at += word.len();
            }
        }
        self.blanks();
        Some(())
    }

    fn members(&mut self, open: char, close: char, depth: usize) -> Option<()> {
        self.token(open)?;
        if self.token(close).is_some() {
            return Some(());
        }
        loop {
            if open == '{' {
                self.string()?;
                self.blanks();
                self.token(':')?;
            }
            self.value(depth + 1)?;
            if self.token(close).is_some() {
                return Some(());
            }
            self.token(',')?;
        }
    }

    fn number(&mut self) -> Option<()> {
        let rest = self.rest();
        let end = rest.find(|next: char| !matches!(next, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
        let number = &rest[..end.unwrap_or(rest.len())];
        let digits = number.trim_start_matches('-');
        let padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        if padded || number.ends_with('.') || number.contains(".e") || number.parse::<f64>().is_err() {
            return None;
        }
        self.at += number.len();
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        let mut string = String::new();
        if self.next()? != '"' {
            return None;
        }
        loop {
            match self.next()? {
                '"' => return Some(string),
                '\\' => string.push(self.escaped()?),
                control if control < ' ' => return None,
                plain => string.push(plain),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.next()? {
            '"' => '"',
            '\\' => '\\',
            '/' => '/',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => self.code_point()?,
            _ => return None,
        })
    }

    /// Four hexadecimal digits, or two times four for a surrogate pair; a lone half becomes U+FFFD.
    fn code_point(&mut self) -> Option<char> {
        let high = self.hex()?;
        if !(0xd800..0xdc00).contains(&high) || !self.rest().starts_with("\\u") {
            return Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        self.at += 2;
        let low = self.hex()?;
        if !(0xdc00..0xe000).contains(&low) {
            self.at = before;
            return Some(char::REPLACEMENT_CHARACTER);
        }
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        let all_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        all_hex.then(|| u32::from_str_radix(digits, 16).ok())?
    }

    /// A character of the grammar, and the blanks behind it.
    fn token(&mut self, wanted: char) -> Option<()> {
        if self.peek()? != wanted {
            return None;
        }
        self.next();
        self.blanks();
        Some(())
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Option<Vec<String>> {
        match list(text) {
            List::Strings(strings) => Some(strings.into_iter().map(|(string, _)| string).collect()),
            _ => None,
        }
    }

    #[test]
    fn lists_of_strings() {
        assert_eq!(strings("[]"), Some(vec![]));
        assert_eq!(strings("[ \"a\", \"b c\" ] "), Some(vec!["a".into(), "b c".into()]));
        assert_eq!(
            strings(r#"["\"\\\/\b\n\u00e9\ud83d\ude00\ud83d"]"#),
            Some(vec!["\"\\/\u{8}\né😀\u{fffd}".into()])
        );
        assert_eq!(list("[\"ab\"]"), List::Strings(vec![("ab".into(), 1..5)]));
    }

    #[test]
    fn other_lists_are_told_from_no_lists() {
        for text in ["[1]", "[\"a\", [\"b\"]]", "[null, {\"a\": [1.5e3, true]}]"] {
            assert!(matches!(list(text), List::NotStrings(_)), "{text}");
        }
        for text in ["['a']", "[\"a\"", "[\"a]", "[\"a\",]", "[\"a\"] b", "[01]", "[.]", "a", "", "[\"\t\"]"]
        {
            assert_eq!(list(text), List::NoJson, "{text}");
        }
        assert_eq!(list(&"[".repeat(100_000)), List::NoJson);
    }
}
