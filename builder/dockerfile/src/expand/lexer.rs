//! Reads a word character by character: quotes, escapes, variables and their modifiers.

use super::expansion::{DEPTH_MAX, EXPANDED_BYTES_MAX, ExpandError, Expansion, Lookup};
use super::mode::{Escapes, Mode, Quotes, Unset};
use super::output::{Output, Words};
use super::pattern::{Extent, Pattern};

pub(super) struct Lexer<'a> {
    rest: &'a str,
    env: &'a Lookup<'a>,
    escape: char,
    mode: Mode,
    depth: usize,
    /// How long the text may get.
    bytes_max: usize,
    seen: Expansion,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a str, env: &'a Lookup<'a>, escape: char, mode: Mode) -> Self {
        let bytes_max = input.len() + EXPANDED_BYTES_MAX;
        Lexer { rest: input, env, escape, mode, depth: 0, bytes_max, seen: Expansion::default() }
    }

    /// The whole input as one text.
    pub(super) fn text(mut self) -> Result<Expansion, ExpandError> {
        let text = self.until(None)?;
        Ok(Expansion { text, ..self.seen })
    }

    /// The whole input as words.
    pub(super) fn words(mut self) -> Result<Vec<String>, ExpandError> {
        self.until(None).map(Words::finish)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn next_if(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    /// Reads up to `stop`, which is taken and not part of the result, or up to the end of the input.
    fn until<O: Output>(&mut self, stop: Option<char>) -> Result<O, ExpandError> {
        let mut output = O::default();
        let quotes = self.mode.quotes != Quotes::Text;
        while let Some(next) = self.next() {
            if Some(next) == stop {
                return Ok(output);
            }
            match next {
                '$' => output.push_split(&self.dollar()?),
                '<' => output.push_whole(&self.angle()),
                '\'' if quotes => output.push_whole(&self.single_quoted()?),
                '"' if quotes => output.push_whole(&self.double_quoted()?),
                escape if escape == self.escape => {
                    if self.mode.escapes == Escapes::Keep {
                        output.push_whole(escape.encode_utf8(&mut [0; 4]));
                    }
                    if let Some(escaped) = self.next() {
                        output.push_whole(escaped.encode_utf8(&mut [0; 4]));
                    }
                }
                plain => output.push_split(plain.encode_utf8(&mut [0; 4])),
            }
            if output.size() > self.bytes_max {
                return Err(ExpandError::TooLong);
            }
        }
        match stop {
            None => Ok(output),
            Some('/') => Err(ExpandError::UnclosedPattern),
            Some(_) => Err(ExpandError::UnclosedBrace),
        }
    }

    /// Reads the inner word of a substitution, in which escapes go or stay as told.
    fn inner(&mut self, stop: char, escapes: Escapes) -> Result<String, ExpandError> {
        if self.depth == DEPTH_MAX {
            return Err(ExpandError::TooDeep);
        }
        let before = std::mem::replace(&mut self.mode.escapes, escapes);
        self.depth += 1;
        let inner = self.until(Some(stop));
        self.depth -= 1;
        self.mode.escapes = before;
        inner
    }

    /// After a `<`: a second one belongs to the word that follows it, blanks between them too.
    fn angle(&mut self) -> String {
        let mut text = "<".to_owned();
        if self.next_if('<') {
            text.push('<');
            while let Some(blank @ (' ' | '\t' | '\r')) = self.peek() {
                self.next();
                text.push(blank);
            }
        }
        text
    }

    fn single_quoted(&mut self) -> Result<String, ExpandError> {
        let end = self.rest.find('\'').ok_or(ExpandError::UnclosedQuote('\''))?;
        let inside = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(match self.mode.quotes {
            Quotes::Keep => format!("'{inside}'"),
            _ => inside.to_owned(),
        })
    }

    fn double_quoted(&mut self) -> Result<String, ExpandError> {
        let mut text = String::new();
        while let Some(next) = self.next() {
            match next {
                '"' if self.mode.quotes == Quotes::Keep => return Ok(format!("\"{text}\"")),
                '"' => return Ok(text),
                '$' => text.push_str(&self.dollar()?),
                escape if escape == self.escape => {
                    // One that escapes nothing stands for itself: where escapes are kept, it needs one.
                    if self.mode.escapes == Escapes::Keep {
                        text.push(escape);
                    }
                    let special = self.peek().filter(|&next| next == '"' || next == '$' || next == escape);
                    text.push(special.unwrap_or(escape));
                    if special.is_some() {
                        self.next();
                    }
                }
                plain => text.push(plain),
            }
            if text.len() > self.bytes_max {
                return Err(ExpandError::TooLong);
            }
        }
        Err(ExpandError::UnclosedQuote('"'))
    }

    /// After a `$`.
    fn dollar(&mut self) -> Result<String, ExpandError> {
        if self.next_if('{') {
            return self.braced();
        }
        let name = self.name();
        if name.is_empty() {
            return Ok("$".to_owned());
        }
        match self.look_up(&name) {
            None if self.mode.unset == Unset::AsWritten => Ok(format!("${name}")),
            value => Ok(value.unwrap_or_default()),
        }
    }

    /// After a `${`.
    fn braced(&mut self) -> Result<String, ExpandError> {
        match self.peek() {
            None => return Err(ExpandError::UnclosedBrace),
            Some('{' | '}' | ':') => return Err(ExpandError::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        match self.next() {
            None => Err(ExpandError::UnclosedBrace),
            Some('}') => match self.look_up(&name) {
                None if self.mode.unset == Unset::AsWritten => Ok(format!("${{{name}}}")),
                value => Ok(value.unwrap_or_default()),
            },
            Some('/') => self.replaced(&name),
            Some(end @ ('#' | '%')) => self.cut(&name, end),
            Some(':') => match self.next() {
                Some(modifier @ ('-' | '+' | '?')) => self.replaced_when_absent(&name, ":", modifier),
                other => {
                    let modifier = [Some(':'), other].into_iter().flatten().collect();
                    Err(ExpandError::UnknownModifier { name, modifier })
                }
            },
            Some(modifier @ ('-' | '+' | '?')) => self.replaced_when_absent(&name, "", modifier),
            Some(other) => Err(ExpandError::UnknownModifier { name, modifier: other.to_string() }),
        }
    }

    /// `${name-word}` and its kin; with a colon, an empty value counts as absent.
    fn replaced_when_absent(
        &mut self,
        name: &str,
        colon: &str,
        modifier: char,
    ) -> Result<String, ExpandError> {
        let word = self.inner('}', Escapes::Remove)?;
        let value = self.look_up(name);
        if value.is_none() && self.mode.unset == Unset::AsWritten {
            return Ok(format!("${{{name}{colon}{modifier}{word}}}"));
        }
        let was_set = value.is_some();
        let value = value.filter(|value| colon.is_empty() || !value.is_empty());
        match (modifier, value) {
            ('+', Some(_)) => Ok(word),
            ('+', None) => Ok(String::new()),
            (_, Some(value)) => Ok(value),
            ('-', None) => Ok(word),
            (_, None) => {
                let why = if was_set { "must not be empty" } else { "must be set" };
                let message = if word.is_empty() { why.to_owned() } else { word };
                Err(ExpandError::Missing { name: name.to_owned(), message })
            }
        }
    }

    /// `${name#pattern}`, `${name%pattern}`; doubled, the longest match goes.
    fn cut(&mut self, name: &str, end: char) -> Result<String, ExpandError> {
        let extent = if self.next_if(end) { Extent::Longest } else { Extent::Shortest };
        let pattern = self.inner('}', Escapes::Keep)?;
        let value = self.look_up(name);
        if value.is_none() && self.mode.unset == Unset::AsWritten {
            let doubled = if extent == Extent::Longest { 2 } else { 1 };
            return Ok(format!("${{{name}{}{pattern}}}", end.to_string().repeat(doubled)));
        }
        let pattern = Pattern::new(&pattern)?;
        let value = value.unwrap_or_default();
        Ok(match end {
            '#' => pattern.without_prefix(&value, extent),
            _ => pattern.without_suffix(&value, extent),
        })
    }

    /// `${name/pattern/replacement}`; with two slashes, every match is replaced.
    fn replaced(&mut self, name: &str) -> Result<String, ExpandError> {
        let every = self.next_if('/');
        let pattern = self.inner('/', Escapes::Keep)?;
        let replacement = self.inner('}', Escapes::Keep)?;
        let value = self.look_up(name);
        if value.is_none() && self.mode.unset == Unset::AsWritten {
            return Ok(format!("${{{name}/{pattern}/{replacement}}}"));
        }
        let pattern = Pattern::new(&pattern)?;
        let times = if every { usize::MAX } else { 1 };
        pattern.replaced(&value.unwrap_or_default(), &replacement, times)
    }

    /// A name: digits, or one special character, or letters, digits and underscores; may be empty.
    fn name(&mut self) -> String {
        let first = self.peek();
        if let Some(special @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) = first {
            self.next();
            return special.to_string();
        }
        let digits = first.is_some_and(char::is_numeric);
        let belongs = |next: char| match digits {
            true => next.is_numeric(),
            false => next.is_alphanumeric() || next == '_',
        };
        let end = self.rest.find(|next| !belongs(next)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name.to_owned()
    }

    fn look_up(&mut self, name: &str) -> Option<String> {
        let value = (self.env)(name);
        let seen = if value.is_some() { &mut self.seen.matched } else { &mut self.seen.unmatched };
        if !seen.contains(name) {
            seen.insert(name.to_owned());
        }
        value
    }
}
