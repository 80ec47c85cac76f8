//! The standard streams of a container's process.

use std::fmt;
use std::os::fd::OwnedFd;

use crate::terminal::Terminal;

/// Where the process's standard streams lead.
pub enum Stdio {
    /// To the caller's own.
    Inherit,
    /// Nowhere.
    Null,
    /// To these files or pipes, which the caller's process closes once the container has them.
    Piped {
        /// What the process reads; nothing if there is none.
        stdin: Option<OwnedFd>,
        /// Where its output goes.
        stdout: OwnedFd,
        /// Where its errors go.
        stderr: OwnedFd,
    },
    /// To a terminal of the container's own, whose master side is handed to the function before the program starts.
    /// The spec's `process.terminal` must be set, too.
    Terminal(Box<dyn FnOnce(Terminal) + Send>),
}

impl fmt::Debug for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stdio::Inherit => "Inherit",
            Stdio::Null => "Null",
            Stdio::Piped { .. } => "Piped",
            Stdio::Terminal(_) => "Terminal",
        })
    }
}
