//! The Dockerfile front end: text becomes a syntax tree with spans, then typed instructions and diagnostics.
//!
//! [`parse`] reads a whole Dockerfile and reports everything it finds wrong in one run. Instructions keep their
//! words as written; [`expand`] puts variables into them when their values are known. [`ignore`] reads
//! `.dockerignore`, [`glob`] matches the wildcards of `COPY` and `ADD`.
//!
//! *Invariant*: nothing here does I/O, panics on any input, or takes more than linear time in its size.
//!
//! ```
//! let parsed = tug_dockerfile::parse("FROM busybox\nRUN echo hello\n");
//! assert!(parsed.diagnostics.is_empty());
//! assert_eq!(parsed.dockerfile.map(|dockerfile| dockerfile.stages.len()), Some(1));
//! ```

pub mod diagnostic;
pub mod directive;
pub mod expand;
pub mod glob;
pub mod heredoc;
pub mod ignore;
pub mod instruction;
pub mod lint;
pub mod render;
pub mod source;
pub mod syntax;
pub mod word;

mod csv;
mod duration;
mod json;
mod line;
mod parse;
mod suggest;
mod value;
mod wildcard;

pub use diagnostic::{Diagnostic, Severity};
pub use directive::Directives;
pub use heredoc::Heredoc;
pub use instruction::{Dockerfile, Instruction, InstructionKind, Stage, Statement};
pub use parse::{Parsed, parse, parse_onbuild_trigger};
pub use render::{Colors, render};
pub use source::{Position, Source, Span};
pub use word::Word;
