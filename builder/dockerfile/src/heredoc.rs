//! Heredocs: the lines that follow an instruction up to a terminator.

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

/// Whether the whole of `word` opens a heredoc.
pub(crate) fn is_heredoc(word: &str) -> bool {
    word.contains("<<")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chomp_cuts_leading_tabs_only() {
        let heredoc = Heredoc {
            name: "EOF".into(),
            content: "\t\ta\tb\n  c\n\n\td".into(),
            expand: true,
            chomp: true,
            file_descriptor: 0,
            span: Span::default(),
        };
        assert_eq!(heredoc.body(), "a\tb\n  c\n\nd");
    }
}
