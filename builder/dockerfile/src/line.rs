//! Logical lines: physical lines joined at their continuations, with the way back to where each byte came from.

use std::ops::Range;

use crate::source::Span;
use crate::word::Word;

/// An instruction's text on one line, continuations and the comments between them taken out.
#[derive(Debug)]
pub(crate) struct LogicalLine {
    text: String,
    /// Where the physical lines begin: in the text, and in the source.
    segments: Vec<(usize, usize)>,
    /// All physical lines that were read for it.
    pub(crate) span: Span,
    /// The comments directly above it.
    pub(crate) comments: Vec<Word>,
    /// The last empty line between its continuations.
    pub(crate) empty_continuation: Option<Span>,
}

impl LogicalLine {
    pub(crate) fn piece(&self) -> Piece<'_> {
        Piece { line: self, start: 0, end: self.text.len() }
    }

    fn offset(&self, at: usize) -> usize {
        let after = self.segments.partition_point(|(start, _)| *start <= at);
        let (start, source) = self.segments[after.saturating_sub(1)];
        source + (at - start)
    }
}

/// A part of a logical line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'l> {
    line: &'l LogicalLine,
    start: usize,
    end: usize,
}

impl<'l> Piece<'l> {
    pub(crate) fn text(self) -> &'l str {
        &self.line.text[self.start..self.end]
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(crate) fn span(self) -> Span {
        let start = self.line.offset(self.start);
        match self.is_empty() {
            true => Span::new(start, start),
            false => Span::new(start, self.line.offset(self.end - 1) + 1),
        }
    }

    pub(crate) fn word(self) -> Word {
        Word::new(self.text(), self.span())
    }

    /// The part of it at `range`, in bytes from its own start.
    pub(crate) fn slice(self, range: Range<usize>) -> Piece<'l> {
        Piece { line: self.line, start: self.start + range.start, end: self.start + range.end }
    }

    /// What is left from the byte `at` on.
    pub(crate) fn from(self, at: usize) -> Piece<'l> {
        self.slice(at..self.end - self.start)
    }

    pub(crate) fn trim(self) -> Piece<'l> {
        let text = self.text();
        let start = text.len() - text.trim_start().len();
        self.slice(start..start + text.trim().len())
    }

    /// The first word, and what follows the blanks behind it.
    pub(crate) fn split_first(self) -> (Piece<'l>, Option<Piece<'l>>) {
        let text = self.text();
        let Some(end) = text.find(BLANKS) else { return (self, None) };
        let rest = text[end..].trim_start_matches(BLANKS);
        (self.slice(0..end), Some(self.from(text.len() - rest.len())))
    }

    /// The words between blanks.
    pub(crate) fn split_blanks(self) -> Vec<Piece<'l>> {
        let mut words = Vec::new();
        let mut rest = Some(self).filter(|piece| !piece.is_empty());
        while let Some(piece) = rest {
            let (first, others) = piece.split_first();
            words.push(first);
            rest = others;
        }
        words
    }
}

/// What separates words on a line.
pub(crate) const BLANKS: [char; 5] = [' ', '\t', '\u{b}', '\u{c}', '\r'];

/// A line as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PhysicalLine<'t> {
    /// With its line break.
    pub(crate) text: &'t str,
    pub(crate) start: usize,
}

impl<'t> PhysicalLine<'t> {
    pub(crate) fn without_break(self) -> &'t str {
        self.text.trim_end_matches(['\r', '\n'])
    }

    pub(crate) fn span(self) -> Span {
        // An empty line is its line break, so that it has a place of its own.
        let end = self.without_break().len().max(self.text.len().min(1));
        Span::new(self.start, self.start + end)
    }

    /// What stands behind the `#`, if it is a comment.
    pub(crate) fn comment(self) -> Option<Word> {
        let comment = self.text.trim_start().strip_prefix('#')?;
        let behind = self.start + self.text.len() - comment.len();
        let start = behind + comment.len() - comment.trim_start().len();
        let text = comment.trim();
        Some(Word::new(text, Span::new(start, start + text.len())))
    }
}

/// Reads a source text from its start to its end.
#[derive(Debug)]
pub(crate) struct Reader<'t> {
    text: &'t str,
    at: usize,
    pub(crate) escape: char,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Reader { text, at, escape: '\\' }
    }

    /// The next line, without taking it.
    pub(crate) fn peek(&self) -> Option<PhysicalLine<'t>> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        Some(PhysicalLine { text: &rest[..end], start: self.at })
    }

    pub(crate) fn next_physical(&mut self) -> Option<PhysicalLine<'t>> {
        let line = self.peek()?;
        self.at += line.text.len();
        Some(line)
    }

    pub(crate) fn next_logical(&mut self) -> Option<LogicalLine> {
        let mut comments = Vec::new();
        loop {
            let line = self.next_physical()?;
            match line.comment() {
                Some(comment) if comment.text.is_empty() => comments.clear(),
                Some(comment) => comments.push(comment),
                None if line.text.trim().is_empty() => {}
                None => return Some(self.joined(line, comments)),
            }
        }
    }

    fn joined(&mut self, first: PhysicalLine<'t>, comments: Vec<Word>) -> LogicalLine {
        let text = first.without_break();
        let indent = text.len() - text.trim_start().len();
        let span = Span::new(first.start + indent, first.span().end);
        let mut line = LogicalLine {
            text: String::new(),
            segments: vec![(0, span.start)],
            span,
            comments,
            empty_continuation: None,
        };
        let mut continues = self.push(&mut line, &text[indent..], span.start);
        while let Some(next) = continues.then(|| self.next_physical()).flatten() {
            line.span.end = next.span().end;
            if next.comment().is_some() {
                continue;
            }
            if next.text.trim().is_empty() {
                line.empty_continuation = Some(next.span());
                continue;
            }
            continues = self.push(&mut line, next.without_break(), next.start);
        }
        line
    }

    /// Adds a physical line; whether the next one belongs to it.
    fn push(&self, line: &mut LogicalLine, text: &str, start: usize) -> bool {
        let continued = text
            .trim_end_matches([' ', '\t'])
            .strip_suffix(self.escape)
            .filter(|before| !before.ends_with(self.escape));
        line.segments.push((line.text.len(), start));
        line.text.push_str(continued.unwrap_or(text));
        continued.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joined_line_knows_where_its_parts_come_from() {
        let text = "# about\n  RUN a \\\n# no\n\n   b\\ \nc\nUSER x";
        let mut reader = Reader::new(text);
        let run = reader.next_logical().expect("has a first line");
        assert_eq!(run.piece().text(), "RUN a    bc");
        assert_eq!(run.comments[0].text, "about");
        assert!(run.empty_continuation.is_some());
        let words = run.piece().split_blanks();
        let last = words.last().expect("has words").span();
        assert_eq!(&text[last.range()], "b\\ \nc");
        assert_eq!(&text[run.span.range()], "RUN a \\\n# no\n\n   b\\ \nc");
        assert_eq!(reader.next_logical().expect("has a second line").piece().text(), "USER x");
        assert!(reader.next_logical().is_none());
    }

    #[test]
    fn an_escaped_escape_does_not_continue() {
        let line = Reader::new("ENV a b\\\\\nc").next_logical().expect("has a line");
        assert_eq!(line.piece().text(), "ENV a b\\\\");
    }
}
