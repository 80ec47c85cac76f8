//! Diagnostics for a person to read: the message, file, line and column, the line itself, and advice.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Source, Span};

/// Whether what is rendered may hold colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// Escape sequences for a terminal.
    Ansi,
    /// Text alone.
    None,
}

/// Renders diagnostics, a block of lines each, with an empty line between them.
pub fn render(diagnostics: &[Diagnostic], source: &Source, colors: Colors) -> String {
    let renderer = match colors {
        Colors::Ansi => Renderer::styled(),
        Colors::None => Renderer::plain(),
    };
    let mut text = String::new();
    for (at, diagnostic) in diagnostics.iter().take(RENDERED_MAX).enumerate() {
        if at > 0 {
            text.push('\n');
        }
        text.push_str(&renderer.render(&[group(diagnostic, source)]));
        text.push('\n');
    }
    if let Some(more) = diagnostics.len().checked_sub(RENDERED_MAX).filter(|more| *more > 0) {
        text.push_str(&format!("\nand {more} more in {}\n", source.name()));
    }
    text
}

/// How many diagnostics a person can want to see.
const RENDERED_MAX: usize = 20;

fn group<'a>(diagnostic: &'a Diagnostic, source: &'a Source) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut title = level.primary_title(diagnostic.message.as_str());
    if let Some(code) = diagnostic.code {
        title = title.id(code);
    }
    let labels = diagnostic.labels.iter();
    let snippet =
        Snippet::source(source.text())
            .path(source.name())
            .annotation(annotation(AnnotationKind::Primary, diagnostic.span, source))
            .annotations(labels.map(|label| {
                annotation(AnnotationKind::Context, label.span, source).label(label.text.as_str())
            }));
    let notes = diagnostic.notes.iter().map(|note| Level::NOTE.message(note.as_str()));
    let help = diagnostic.help.iter().map(|help| Level::HELP.message(help.as_str()));
    title.element(snippet).elements(notes).elements(help)
}

/// Marks a span; the first line of it where it has many, as the lines would bury the message.
fn annotation<'a>(kind: AnnotationKind, span: Span, source: &Source) -> Annotation<'a> {
    let text = source.text();
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    let line = text[start..end].split('\n').next().unwrap_or_default();
    kind.span(start..start + line.trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn an_error_shows_its_line_and_advice() {
        let text = "FROM scratch\n\nRNU a \\\n  b\n";
        let source = Source::new("Dockerfile", text);
        let rendered = render(&parse(text).diagnostics, &source, Colors::None);
        let want = "\
error: unknown instruction RNU
 --> Dockerfile:3:1
  |
3 | RNU a \\
  | ^^^
  = help: did you mean RUN?
";
        assert_eq!(rendered.replace("  |\n  = help", "  = help"), want);
        assert!(render(&parse(text).diagnostics, &source, Colors::Ansi).contains("\u{1b}["));
    }

    #[test]
    fn spans_of_other_texts_are_harmless() {
        let source = Source::new("Dockerfile", "é\n");
        for span in [Span::new(1, 9), Span::new(7, 9), Span::new(3, 3), Span::default()] {
            let said = Diagnostic::warning(span, "x").with_code("Rule").with_label(span, "y").with_note("z");
            assert!(render(&[said], &source, Colors::None).starts_with("warning[Rule]: x\n"));
        }
        assert!(
            !render(&[Diagnostic::error(Span::default(), "x")], &Source::new("D", ""), Colors::None)
                .is_empty()
        );
    }

    #[test]
    fn a_flood_is_cut() {
        let said = vec![Diagnostic::error(Span::default(), "x"); 25];
        assert!(render(&said, &Source::new("D", "a"), Colors::None).ends_with("and 5 more in D\n"));
    }
}
