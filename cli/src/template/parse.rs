//! Text → nodes.

use std::iter::Peekable;
use std::vec;

use serde_json::Value;

use super::{Base, Call, DEPTH_MAX, Node, Operand, Pipeline, Range, TemplateError};

pub(super) fn parse(text: &str) -> Result<Vec<Node>, TemplateError> {
    let mut pieces = split(text)?.into_iter().peekable();
    let (nodes, end) = block(&mut pieces, 0)?;
    match end {
        Stop::Text => Ok(nodes),
        Stop::Else(_) => Err(TemplateError::Unbalanced("else".to_owned())),
        Stop::End => Err(TemplateError::Unbalanced("end".to_owned())),
    }
}

/// Plain text, or the tokens of an action.
enum Piece {
    Text(String),
    Action(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// `.A.B`, or `.` alone as an empty list.
    Field(Vec<String>),
    /// `$x.A`; `$` alone has an empty name.
    Variable(String, Vec<String>),
    Word(String),
    Literal(Value),
    /// One of `|`, `(`, `)`, `,`, `=`; `:=` is `=` too.
    Sign(char),
}

/// What ended a block.
enum Stop {
    Text,
    /// With the rest of the action (`else if …`).
    Else(Vec<Token>),
    End,
}

fn split(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim = false;
    while let Some(at) = rest.find("{{") {
        let mut plain = &rest[..at];
        let mut inner = &rest[at + 2..];
        if trim {
            plain = plain.trim_start();
        }
        if let Some(after) = inner.strip_prefix("- ") {
            plain = plain.trim_end();
            inner = after;
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.to_owned()));
        }
        let (tokens, after, trims) = action(inner)?;
        if !tokens.is_empty() {
            pieces.push(Piece::Action(tokens));
        }
        (rest, trim) = (after, trims);
    }
    let plain = if trim { rest.trim_start() } else { rest };
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain.to_owned()));
    }
    Ok(pieces)
}

/// The tokens up to `}}`, what follows it, and whether that is to be trimmed.
fn action(text: &str) -> Result<(Vec<Token>, &str, bool), TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    if let Some(comment) = rest.strip_prefix("/*") {
        let (_, after) = comment.split_once("*/").ok_or(TemplateError::Unclosed)?;
        rest = after;
    }
    loop {
        let trims = rest.starts_with([' ', '\t', '\n']) && rest.trim_start().starts_with("-}}");
        rest = rest.trim_start();
        if trims {
            return Ok((tokens, &rest[3..], true));
        }
        if let Some(after) = rest.strip_prefix("}}") {
            return Ok((tokens, after, false));
        }
        let (token, after) = token(rest)?;
        tokens.push(token);
        rest = after;
    }
}

fn token(text: &str) -> Result<(Token, &str), TemplateError> {
    let first = text.chars().next().ok_or(TemplateError::Unclosed)?;
    match first {
        '|' | '(' | ')' | ',' | '=' => Ok((Token::Sign(first), &text[1..])),
        ':' if text.starts_with(":=") => Ok((Token::Sign('='), &text[2..])),
        '"' => quoted(text),
        '`' => {
            let inner = &text[1..];
            let unclosed = || TemplateError::UnclosedText(text.to_owned());
            let end = inner.find('`').ok_or_else(unclosed)?;
            Ok((Token::Literal(inner[..end].into()), &inner[end + 1..]))
        }
        '.' => {
            let (path, rest) = path(text);
            Ok((Token::Field(path), rest))
        }
        '$' => {
            let (name, rest) = word(&text[1..]);
            let (path, rest) = path(rest);
            Ok((Token::Variable(name.to_owned(), path), rest))
        }
        '-' | '0'..='9' => number(text),
        c if c.is_alphabetic() || c == '_' => {
            let (name, rest) = word(text);
            let token = match name {
                "true" => Token::Literal(true.into()),
                "false" => Token::Literal(false.into()),
                "nil" => Token::Literal(Value::Null),
                name => Token::Word(name.to_owned()),
            };
            Ok((token, rest))
        }
        other => Err(TemplateError::Unexpected(other.to_string())),
    }
}

fn quoted(text: &str) -> Result<(Token, &str), TemplateError> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Literal(value.into()), &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, other)) => value.push(other),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err(TemplateError::UnclosedText(text.to_owned()))
}

fn number(text: &str) -> Result<(Token, &str), TemplateError> {
    let end = text[1..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(text.len(), |at| at + 1);
    let digits = &text[..end];
    let value = digits.parse::<i64>().map(Value::from).or_else(|_| digits.parse::<f64>().map(Value::from));
    match value {
        Ok(value) => Ok((Token::Literal(value), &text[end..])),
        Err(_) => Err(TemplateError::Unexpected(digits.to_owned())),
    }
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

/// `.A.B` at the start of the text; empty when there is only a dot or none.
fn path(mut text: &str) -> (Vec<String>, &str) {
    let mut names = Vec::new();
    while let Some(after) = text.strip_prefix('.') {
        let (name, rest) = word(after);
        text = rest;
        if name.is_empty() {
            break;
        }
        names.push(name.to_owned());
    }
    (names, text)
}

type Pieces = Peekable<vec::IntoIter<Piece>>;

fn block(pieces: &mut Pieces, depth: usize) -> Result<(Vec<Node>, Stop), TemplateError> {
    if depth > DEPTH_MAX {
        return Err(TemplateError::TooDeep);
    }
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.next() {
        let tokens = match piece {
            Piece::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Piece::Action(tokens) => tokens,
        };
        match (&tokens[0], tokens.len()) {
            (Token::Word(word), 1) if word == "end" => return Ok((nodes, Stop::End)),
            (Token::Word(word), _) if word == "else" => return Ok((nodes, Stop::Else(tokens[1..].to_vec()))),
            (Token::Word(word), _) if matches!(word.as_str(), "if" | "with" | "range") => {
                nodes.push(nested(word, &tokens[1..], pieces, depth)?);
            }
            (Token::Variable(name, path), _)
                if path.is_empty() && tokens.get(1) == Some(&Token::Sign('=')) =>
            {
                nodes.push(Node::Assign(name.clone(), pipeline(&tokens[2..], depth)?));
            }
            _ => nodes.push(Node::Print(pipeline(&tokens, depth)?)),
        }
    }
    Ok((nodes, Stop::Text))
}

/// A block that ends with `end`, with its `else` parts.
fn nested(word: &str, head: &[Token], pieces: &mut Pieces, depth: usize) -> Result<Node, TemplateError> {
    let unbalanced = || TemplateError::Unbalanced(word.to_owned());
    let (body, end) = block(pieces, depth + 1)?;
    let otherwise = match end {
        Stop::Text => return Err(unbalanced()),
        Stop::End => Vec::new(),
        Stop::Else(rest) if rest.is_empty() => match block(pieces, depth + 1)? {
            (nodes, Stop::End) => nodes,
            _ => return Err(unbalanced()),
        },
        Stop::Else(rest) => match &rest[0] {
            Token::Word(next) if next == "if" || next == "with" => {
                vec![nested(next, &rest[1..], pieces, depth + 1)?]
            }
            _ => return Err(TemplateError::Unexpected("else".to_owned())),
        },
    };
    match word {
        "if" => Ok(Node::If(pipeline(head, depth)?, body, otherwise)),
        "with" => Ok(Node::With(pipeline(head, depth)?, body, otherwise)),
        _ => range(head, body, otherwise, depth),
    }
}

fn range(head: &[Token], body: Vec<Node>, otherwise: Vec<Node>, depth: usize) -> Result<Node, TemplateError> {
    let (key, element, over) = match head {
        [
            Token::Variable(key, _),
            Token::Sign(','),
            Token::Variable(element, _),
            Token::Sign('='),
            over @ ..,
        ] => (Some(key.clone()), Some(element.clone()), over),
        [Token::Variable(element, _), Token::Sign('='), over @ ..] => (None, Some(element.clone()), over),
        over => (None, None, over),
    };
    Ok(Node::Range(Range { key, element, over: pipeline(over, depth)?, body, otherwise }))
}

fn pipeline(tokens: &[Token], depth: usize) -> Result<Pipeline, TemplateError> {
    let mut rest = tokens;
    let calls = calls(&mut rest, depth)?;
    match rest.first() {
        None => Ok(calls),
        Some(_) => Err(TemplateError::Unexpected(")".to_owned())),
    }
}

/// Calls up to the end or a closing parenthesis, which is left.
fn calls(rest: &mut &[Token], depth: usize) -> Result<Pipeline, TemplateError> {
    if depth > DEPTH_MAX {
        return Err(TemplateError::TooDeep);
    }
    let mut calls: Pipeline = Vec::new();
    let mut call: Call = Vec::new();
    while let Some((token, after)) = rest.split_first() {
        if *token == Token::Sign(')') {
            break;
        }
        *rest = after;
        match token {
            Token::Sign('|') if call.is_empty() => return Err(TemplateError::Incomplete),
            Token::Sign('|') => calls.push(std::mem::take(&mut call)),
            Token::Sign('(') => {
                let inner = self::calls(rest, depth + 1)?;
                *rest = rest.split_first().ok_or(TemplateError::Unclosed)?.1;
                let path = match rest.split_first() {
                    Some((Token::Field(path), after)) if !path.is_empty() => {
                        *rest = after;
                        path.clone()
                    }
                    _ => Vec::new(),
                };
                call.push(Operand::Path(Base::Paren(inner), path));
            }
            Token::Sign(sign) => return Err(TemplateError::Unexpected(sign.to_string())),
            Token::Field(path) => call.push(Operand::Path(Base::Dot, path.clone())),
            Token::Variable(name, path) => {
                call.push(Operand::Path(Base::Variable(name.clone()), path.clone()));
            }
            Token::Word(word) => call.push(Operand::Function(word.clone())),
            Token::Literal(value) => call.push(Operand::Literal(value.clone())),
        }
    }
    if call.is_empty() {
        return Err(TemplateError::Incomplete);
    }
    calls.push(call);
    Ok(calls)
}
