//! Checks of a Dockerfile that builds but may not do what its author means: BuildKit's rules.
//!
//! The rules about form look at each instruction alone, up to the first error. The others follow the stages that count,
//! with the variables that the build would have.

mod body;
mod env;
mod findings;
mod form;
mod from;
mod options;
mod platform;
mod reference;
mod rule;
mod settings;
mod stages;
mod state;
mod step;

pub use options::{Options, OptionsError};
pub use rule::Rule;
pub use settings::{Base, Scope, Settings};

use crate::diagnostic::Diagnostic;
use crate::parse;

/// What came of a check.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the rules found, in order of place; each has its rule's name as code.
    pub warnings: Vec<Diagnostic>,
    /// The errors that the Dockerfile has anyway.
    pub errors: Vec<Diagnostic>,
    /// Whether the findings fail the build, as the Dockerfile or the settings ask.
    pub fails: bool,
}

/// Checks a Dockerfile.
pub fn check(text: &str, settings: &Settings<'_>) -> Report {
    let (dockerfile, mut errors) = parse::read(text);
    let directive = &dockerfile.directives.check;
    let options = match (settings.options, directive) {
        (Some(options), _) => options.clone(),
        (None, None) => Options::default(),
        (None, Some(value)) => Options::from_comment(&value.text).unwrap_or_else(|error| {
            errors.push(Diagnostic::error(value.span, error.to_string()));
            Options::default()
        }),
    };
    let fails = options.error;
    let mut findings = findings::Findings::new(options);
    let first_error = errors.iter().filter(|said| said.is_error()).map(|error| error.span.start).min();
    form::check(&dockerfile, first_error, &mut findings);
    if first_error.is_none() {
        stages::check(&dockerfile, settings, &mut findings);
    }
    let warnings = findings.finish();
    Report { fails: fails && !warnings.is_empty(), warnings, errors }
}

#[cfg(test)]
mod tests;
