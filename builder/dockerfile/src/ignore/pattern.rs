//! One pattern of an ignore file.

use crate::glob::{self, PatternError};
use crate::wildcard::{self, Class, Token};

/// Why a list of patterns cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IgnoreError {
    /// A `!` with nothing behind it.
    #[error("no pattern behind \"!\"")]
    EmptyException,
    /// A pattern that is malformed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

#[derive(Clone, Debug)]
pub(super) struct IgnorePattern {
    exception: bool,
    text: String,
    shape: Shape,
}

/// How the text of a pattern is used: most of them need no wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// The path is the text.
    Exact,
    /// `text**`: the path begins with the text.
    Prefix,
    /// `**text`: the path ends with the text; where that begins with a slash, the path may be the rest.
    Suffix,
    /// Anything else.
    Tokens(Vec<Token>),
}

impl IgnorePattern {
    pub(super) fn new(text: &str) -> Result<Self, IgnoreError> {
        let text = clean(text);
        let (exception, text) = match text.strip_prefix('!') {
            Some("") => return Err(IgnoreError::EmptyException),
            Some(path) => (true, path),
            None => (false, text.as_str()),
        };
        glob::Pattern::new(text)?;
        let (shape, text) = shape(text)?;
        Ok(IgnorePattern { exception, text: text.to_owned(), shape })
    }

    pub(super) fn is_exception(&self) -> bool {
        self.exception
    }

    /// Whether it is one that matches every path.
    pub(super) fn matches_everything(&self) -> bool {
        match self.shape {
            Shape::Suffix | Shape::Prefix => self.text.is_empty(),
            Shape::Exact => false,
            Shape::Tokens(_) => matches!(self.text.as_str(), "*" | "**/*"),
        }
    }

    /// Whether it matches the path itself.
    pub(super) fn matches(&self, path: &str) -> bool {
        match &self.shape {
            Shape::Exact => path == self.text,
            Shape::Prefix => path.starts_with(&self.text),
            Shape::Suffix => path.ends_with(&self.text) || self.text.strip_prefix('/') == Some(path),
            Shape::Tokens(tokens) => wildcard::matches(tokens, path),
        }
    }

    /// Whether it matches the path or a folder above it.
    pub(super) fn matches_or_above(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        self.matches(path) || folders.into_iter().any(|folder| self.matches(folder))
    }

    /// Whether it may match something below `folder`. May say yes too often, never no.
    pub(super) fn may_match_below(&self, folder: &str) -> bool {
        let mut parts = match &self.shape {
            Shape::Suffix => return true,
            Shape::Prefix => {
                return folder.starts_with(&self.text) || self.text.starts_with(&format!("{folder}/"));
            }
            Shape::Exact => vec![],
            Shape::Tokens(tokens) => parts(tokens),
        };
        if parts.is_empty() {
            parts = self.text.split('/').map(|part| part.chars().map(Token::Char).collect()).collect();
        }
        let mut names = folder.split('/');
        for part in &parts {
            let anything = part.iter().any(|token| matches!(token, Token::Rest | Token::Folders));
            let Some(name) = names.next().filter(|_| !anything) else { return true };
            if !wildcard::matches(part, name) {
                return false;
            }
        }
        true
    }
}

/// The tokens between slashes.
fn parts(tokens: &[Token]) -> Vec<Vec<Token>> {
    tokens.split(|token| *token == Token::Char('/')).map(<[Token]>::to_vec).collect()
}

/// The shape of a pattern, and the text that the shape uses.
fn shape(text: &str) -> Result<(Shape, &str), PatternError> {
    let has_wildcards = |text: &str| !glob::Pattern::is_literal(text);
    if !has_wildcards(text) {
        return Ok((Shape::Exact, text));
    }
    if let Some(suffix) = text.strip_prefix("**").filter(|suffix| !has_wildcards(suffix)) {
        return Ok((Shape::Suffix, suffix));
    }
    if let Some(prefix) = text.strip_suffix("**").filter(|prefix| !has_wildcards(prefix)) {
        return Ok((Shape::Prefix, prefix));
    }
    Ok((Shape::Tokens(tokens(text)?), text))
}

fn tokens(text: &str) -> Result<Vec<Token>, PatternError> {
    let malformed = || PatternError { pattern: text.to_owned() };
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '*' if rest.next_if_eq(&'*').is_some() => {
                rest.next_if_eq(&'/');
                match rest.peek() {
                    None => tokens.push(Token::Rest),
                    Some(_) => tokens.extend([Token::Folders, Token::InFolders]),
                }
            }
            '*' => tokens.push(Token::Star),
            '?' => tokens.push(Token::AnyChar),
            '[' => {
                let class = Class::read(&mut rest).filter(|class| !class.runs_backwards());
                tokens.push(Token::Class(class.ok_or_else(malformed)?));
            }
            '\\' => tokens.push(Token::Char(rest.next().ok_or_else(malformed)?)),
            plain => tokens.push(Token::Char(plain)),
        }
    }
    Ok(tokens)
}

/// The shortest path that is the same by its text alone: no `.`, no `..` behind a name, no double slash.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            ".." if rooted => {}
            name => names.push(name),
        }
    }
    match (rooted, names.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}
