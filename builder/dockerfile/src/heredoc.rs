//! Heredocs: the lines that follow an instruction up to a terminator.

use crate::expand;
use crate::line::Reader;
use crate::source::Span;

/// A heredoc of `RUN`, `COPY` or `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The terminator, which is also the name of the file.
    pub name: String,
    /// The lines, as written.
    pub content: String,
    /// Whether variables in the content are expanded: no part of the name was quoted.
    pub expand: bool,
    /// Whether leading tabs are cut off each line: `<<-`.
    pub chomp: bool,
    /// The file descriptor in front of `<<`; 0 where there was none.
    pub file_descriptor: u32,
    /// Where the content stands.
    pub span: Span,
}

impl Heredoc {
    /// The content, without leading tabs where the heredoc asks for that.
    pub fn body(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// The word that opens a heredoc: `<<NAME`, `3<<-"NAME"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) name: String,
    expand: bool,
    chomp: bool,
    file_descriptor: u32,
}

impl Opening {
    /// Reads a word; `None` if it does not open a heredoc.
    pub(crate) fn new(word: &str) -> Option<Opening> {
        let (descriptor, rest) = word.split_once("<<")?;
        if !descriptor.bytes().all(|byte| byte.is_ascii_digit()) || rest.contains('<') {
            return None;
        }
        let name = rest.strip_prefix('-').unwrap_or(rest);
        let chomp = name.len() < rest.len();
        let name = name.trim_start();
        let plain = expand::unquote(name)?;
        let quotes = |text: &str| text.matches(['\'', '"']).count();
        let expand = quotes(&plain) == quotes(name);
        Some(Opening { name: plain, expand, chomp, file_descriptor: descriptor.parse().unwrap_or_default() })
    }

    /// The openings in a line, in order.
    pub(crate) fn all(line: &str) -> Vec<Opening> {
        if !line.contains("<<") {
            return Vec::new();
        }
        expand::shell_words(line).iter().filter_map(|word| Opening::new(word)).collect()
    }

    /// Takes the lines up to the terminator; `None` if the text ends before it.
    pub(crate) fn read(self, reader: &mut Reader<'_>) -> Option<Heredoc> {
        let start = reader.peek().map_or(0, |line| line.start);
        let mut content = String::new();
        loop {
            let line = reader.next_physical()?;
            let text = line.without_break();
            if self.name == if self.chomp { text.trim_start_matches('\t') } else { text } {
                let span = Span::new(start, line.start);
                let Opening { name, expand, chomp, file_descriptor } = self;
                return Some(Heredoc { name, content, expand, chomp, file_descriptor, span });
            }
            content.push_str(line.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_tell_name_quotes_and_descriptor() {
        let opening = Opening::new("3<<-\"E O\"").expect("opens");
        assert_eq!(opening, Opening { name: "E O".into(), expand: false, chomp: true, file_descriptor: 3 });
        assert!(Opening::new("<<EOF").expect("opens").expand);
        for word in ["<<", "<<<EOF", "a<<EOF", "\"<<EOF\"", "<<-"] {
            assert_eq!(Opening::new(word), None, "{word}");
        }
        assert_eq!(Opening::all("RUN cat <<A >b && cat << B '<<C' \\<<D").len(), 2);
    }

    #[test]
    fn a_heredoc_ends_at_its_terminator() {
        let mut reader = Reader::new("\ta\tb\n  c\n\tEOF\nrest");
        let heredoc = Opening::new("<<-EOF").expect("opens").read(&mut reader).expect("ends");
        assert_eq!((heredoc.content.as_str(), heredoc.body().as_str()), ("\ta\tb\n  c\n", "a\tb\n  c\n"));
        assert_eq!(reader.peek().map(|line| line.text), Some("rest"));
        assert!(Opening::new("<<EOF").expect("opens").read(&mut Reader::new("a\n EOF\n")).is_none());
    }
}
