//! Parser directives: the `# name=value` comments at the top of a Dockerfile.

use crate::diagnostic::Diagnostic;
use crate::line::{PhysicalLine, Reader};
use crate::source::Span;
use crate::word::Word;

/// The directives of a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// The character that escapes, and continues a line: a backslash or a backtick.
    pub escape: char,
    /// `# syntax=`: the frontend that the author had in mind. The built-in one serves them all.
    pub syntax: Option<Word>,
    /// `# check=`: which lint rules to skip, and whether warnings are errors.
    pub check: Option<Word>,
}

impl Default for Directives {
    fn default() -> Self {
        Directives { escape: '\\', syntax: None, check: None }
    }
}

/// Reads the directives: the first lines, as long as each is one.
pub(crate) fn read(reader: &mut Reader<'_>, diagnostics: &mut Vec<Diagnostic>) -> Directives {
    let mut directives = Directives::default();
    let mut escape = None;
    while let Some((name, value)) = reader.peek().and_then(directive) {
        reader.next_physical();
        let key = name.text.to_ascii_lowercase();
        let place = match key.as_str() {
            "syntax" => &mut directives.syntax,
            "check" => &mut directives.check,
            _ => &mut escape,
        };
        if let Some(before) = place {
            let message = format!("the directive {key} stands here twice");
            diagnostics.push(Diagnostic::error(name.span, message).with_label(before.span, "first here"));
        }
        *place = Some(value);
    }
    if let Some(value) = escape {
        match value.text.as_str() {
            "\\" | "`" => directives.escape = value.text.chars().next().unwrap_or('\\'),
            other => diagnostics.push(
                Diagnostic::error(value.span, format!("the escape character cannot be {other:?}"))
                    .with_help("it is a backslash (\\) or a backtick (`)".to_owned()),
            ),
        }
    }
    reader.escape = directives.escape;
    directives
}

/// Name and value of the directive that a line holds.
fn directive(line: PhysicalLine<'_>) -> Option<(Word, Word)> {
    let comment = line.comment()?;
    let (name, value) = comment.text.split_once('=')?;
    let known = NAMES.iter().any(|known| known.eq_ignore_ascii_case(name.trim_end()));
    let value_start = comment.span.end - value.trim_start().len();
    let value = value.trim();
    if !known || value.is_empty() {
        return None;
    }
    let name = name.trim_end();
    let name_span = Span::new(comment.span.start, comment.span.start + name.len());
    Some((Word::new(name, name_span), Word::new(value, Span::new(value_start, value_start + value.len()))))
}

const NAMES: [&str; 3] = ["syntax", "escape", "check"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (Directives, usize) {
        let mut diagnostics = Vec::new();
        let directives = read(&mut Reader::new(text), &mut diagnostics);
        (directives, diagnostics.len())
    }

    #[test]
    fn directives_stand_first_in_any_order() {
        let (directives, problems) =
            check("#Escape = `\n # syntax=docker/dockerfile:1 \n# x\n# check=skip=all\n");
        assert_eq!((directives.escape, problems), ('`', 0));
        assert_eq!(directives.syntax.map(|word| word.text).as_deref(), Some("docker/dockerfile:1"));
        assert_eq!(directives.check, None);
    }

    #[test]
    fn a_second_one_and_a_wrong_escape_are_errors() {
        assert_eq!(check("# escape=`\n# escape=\\\n").1, 1);
        assert_eq!(check("# escape=x\n").1, 1);
    }
}
