//! What a person is told when a build fails: the instruction, the end of its output, the reason.

use tug_builder::{BuildError, Place, RunError, StepError};
use tug_dockerfile::render;

use crate::command_error::CommandError;
use crate::diagnostic::{Colors, Diagnostic, Style, visible};
use crate::progress::Failure;

/// The error with an excerpt of the Dockerfile and of the failed step's output.
pub(super) fn explain(error: BuildError, failure: Option<Failure>, colors: Colors) -> CommandError {
    let mut excerpt = String::new();
    if let (Some(failure), true) = (&failure, is_exit_code(&error)) {
        excerpt.push_str(&output(failure, colors));
    }
    match &error {
        BuildError::Dockerfile { diagnostics, source_text } => {
            let colors = match colors {
                Colors::On => render::Colors::Ansi,
                Colors::Off => render::Colors::None,
            };
            excerpt.push_str(&render::render(diagnostics, source_text, colors));
        }
        BuildError::Instruction { place, .. }
        | BuildError::Resolve { place, .. }
        | BuildError::Step { place, .. } => excerpt.push_str(&source_lines(place, colors)),
        _ => {}
    }
    reason(error).map(|mut diagnostic| {
        // The place and the reference are told already.
        diagnostic.causes.retain(|cause| !cause.starts_with("cannot get image "));
        diagnostic.excerpt = Some(excerpt).filter(|text| !text.is_empty());
        diagnostic.trying("build failed")
    })
}

/// Whether a step's own process says that it failed.
fn is_exit_code(error: &BuildError) -> bool {
    let BuildError::Step { source, .. } = error else { return false };
    matches!(**source, StepError::Run(RunError::ExitCode { .. }))
}

/// Of a step, the place and what went wrong: the excerpt tells the rest.
fn reason(error: BuildError) -> CommandError {
    let BuildError::Step { place, source, .. } = error else { return error.into() };
    match *source {
        StepError::Run(RunError::ExitCode { exit_code, .. }) => {
            Diagnostic::new(format!("{place}: exit code: {exit_code}")).into()
        }
        source => CommandError::from(source).map(|mut diagnostic| {
            diagnostic.message = format!("{place}: {}", diagnostic.message);
            diagnostic
        }),
    }
}

fn output(failure: &Failure, colors: Colors) -> String {
    if failure.lines.is_empty() {
        return String::new();
    }
    let mut text =
        format!("{}\n", colors.paint(Style::Dim, &format!("--- the end of the output of {}", failure.name)));
    failure.lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    text.push_str(&format!("{}\n", colors.paint(Style::Dim, "---")));
    text
}

/// File, line and column; the lines of the instruction, and carets below the first.
fn source_lines(place: &Place, colors: Colors) -> String {
    let margin = place.last_line.to_string().len();
    let mut text = format!("{:margin$}--> {place}\n{:margin$} |\n", "", "");
    for (at, line) in place.text.lines().enumerate().take(LINES_MAX) {
        text.push_str(&format!("{:margin$} | {}\n", place.line + at, visible(line)));
        if at == 0 {
            let start = place.column.saturating_sub(1);
            let count = line.chars().count().saturating_sub(start).max(1);
            let carets = colors.paint(Style::Error, &"^".repeat(count));
            text.push_str(&format!("{:margin$} | {}{carets}\n", "", " ".repeat(start)));
        }
    }
    text
}

/// The most lines of an instruction that are shown.
const LINES_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_underlined() {
        let place = Place {
            file: "Dockerfile".to_owned(),
            line: 9,
            last_line: 10,
            column: 3,
            text: "  RUN a \\\n  && b".to_owned(),
        };
        let expected = "  --> Dockerfile:9:3\n   |\n 9 |   RUN a \\\n   |   ^^^^^^^\n10 |   && b\n";
        assert_eq!(source_lines(&place, Colors::Off), expected);
    }

    #[test]
    fn the_end_of_the_output() {
        let failure = Failure { name: "[2/2] RUN make".to_owned(), lines: vec!["no rule".to_owned()] };
        let expected = "--- the end of the output of [2/2] RUN make\nno rule\n---\n";
        assert_eq!(output(&failure, Colors::Off), expected);
    }
}
