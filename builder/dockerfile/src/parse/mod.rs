//! From text to typed instructions.

use crate::diagnostic::Diagnostic;
use crate::instruction::{Dockerfile, Instruction};

/// What came of parsing.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The Dockerfile, unless there was an error.
    pub dockerfile: Option<Dockerfile>,
    /// What there is to say, in order of place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a Dockerfile.
pub fn parse(text: &str) -> Parsed {
    let _ = text;
    todo!("parses")
}

/// Reads an `ONBUILD` trigger that a base image's config holds. Spans are those of `text`.
pub fn parse_onbuild_trigger(text: &str) -> Result<Instruction, Vec<Diagnostic>> {
    let _ = text;
    todo!("parses")
}
