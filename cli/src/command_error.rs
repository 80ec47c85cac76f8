//! How a command ends when it fails, and how the errors of the other crates become diagnostics.

use std::error::Error;
use std::io;

use tug_registry::RequestError;

use crate::diagnostic::Diagnostic;
use crate::exit::Exit;

/// How a command ends when it does not succeed.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// Something failed and is told.
    Failed(Box<Diagnostic>),
    /// Whoever read our output went away: end quietly.
    BrokenPipe,
    /// A signal asked to end.
    Interrupted(i32),
}

impl CommandError {
    /// What the process ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            CommandError::Failed(diagnostic) => diagnostic.exit,
            CommandError::BrokenPipe => Exit::BROKEN_PIPE,
            CommandError::Interrupted(signal) => Exit::signal(*signal),
        }
    }

    /// An error in writing our output.
    pub(crate) fn output(error: &io::Error) -> CommandError {
        match error.kind() {
            io::ErrorKind::BrokenPipe => CommandError::BrokenPipe,
            _ => Diagnostic::new("cannot write the output").caused_by(error).into(),
        }
    }

    /// Puts what was tried in front.
    pub(crate) fn trying(self, attempt: impl Into<String>) -> CommandError {
        self.map(|diagnostic| diagnostic.trying(attempt))
    }

    /// Changes the diagnostic, if there is one.
    pub(crate) fn map(self, change: impl FnOnce(Diagnostic) -> Diagnostic) -> CommandError {
        match self {
            CommandError::Failed(diagnostic) => CommandError::Failed(Box::new(change(*diagnostic))),
            other => other,
        }
    }
}

impl From<Diagnostic> for CommandError {
    fn from(diagnostic: Diagnostic) -> CommandError {
        CommandError::Failed(Box::new(diagnostic))
    }
}

/// Any error, with the hints that its cause deserves.
impl<E: Error + 'static> From<E> for CommandError {
    fn from(error: E) -> CommandError {
        let mut diagnostic = Diagnostic::of(&error);
        diagnostic.hints = hints(&error);
        diagnostic.into()
    }
}

/// Says what was tried when it fails.
pub(crate) trait Attempt<T> {
    /// Puts what was tried in front of the error.
    fn trying<S: Into<String>>(self, attempt: impl FnOnce() -> S) -> Result<T, CommandError>;
}

impl<T, E: Into<CommandError>> Attempt<T> for Result<T, E> {
    fn trying<S: Into<String>>(self, attempt: impl FnOnce() -> S) -> Result<T, CommandError> {
        self.map_err(|error| error.into().trying(attempt()))
    }
}

/// What to do about an error, judged by what lies at its bottom.
fn hints(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut at = Some(error);
    let mut depth = 0;
    while let Some(cause) = at.filter(|_| depth < DEPTH_MAX) {
        if let Some(hint) = cause.downcast_ref::<RequestError>().and_then(RequestError::hint) {
            return vec![hint];
        }
        if let Some(hint) = cause.downcast_ref::<io::Error>().and_then(io_hint) {
            return vec![hint.to_owned()];
        }
        if cause.source().is_none() && DATABASE_FULL.iter().any(|text| cause.to_string().contains(text)) {
            return vec![DISK_FULL.to_owned()];
        }
        at = cause.source();
        depth += 1;
    }
    Vec::new()
}

fn io_hint(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(DISK_FULL),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("the file system is read-only; `--root DIR` or TUG_ROOT puts the store elsewhere")
        }
        io::ErrorKind::PermissionDenied if !rustix::process::geteuid().is_root() => {
            Some("this version needs root to build, unpack and run images")
        }
        io::ErrorKind::PermissionDenied => Some("check who owns the file, and how it may be used"),
        _ => None,
    }
}

const DISK_FULL: &str =
    "the disk seems full; `tug prune` gives back what no image uses, `tug df` says how much that is";
/// What the records' database says when it cannot grow.
const DATABASE_FULL: [&str; 2] = ["disk I/O error", "database or disk is full"];
const DEPTH_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Colors;

    #[derive(Debug, thiserror::Error)]
    #[error("blob cannot be written")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn a_full_disk_gets_a_hint() {
        let full = io::Error::from_raw_os_error(28);
        let result: Result<(), Wrapped> = Err(Wrapped(full));
        let Err(CommandError::Failed(diagnostic)) = result.trying(|| "cannot pull app:1") else {
            panic!("no diagnostic")
        };
        let text = diagnostic.render(Colors::Off);
        assert!(
            text.starts_with("Error: cannot pull app:1: blob cannot be written: No space left"),
            "{text}"
        );
        assert!(text.contains("tug prune"), "{text}");
    }

    #[test]
    fn a_broken_pipe_is_quiet() {
        let error = CommandError::output(&io::ErrorKind::BrokenPipe.into());
        assert!(matches!(error, CommandError::BrokenPipe));
        assert_eq!(error.exit(), Exit(141));
        assert_eq!(CommandError::Interrupted(2).exit(), Exit(130));
    }
}
