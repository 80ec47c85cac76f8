//! The exit codes of tug, in one table. They are Docker's, so that scripts written for `docker` go on working.

/// What the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// All went well.
    pub(crate) const SUCCESS: Exit = Exit(0);
    /// The command failed; also a missing argument or an unknown command.
    pub(crate) const FAILURE: Exit = Exit(1);
    // In `run`, 126 says that the command cannot be executed and 127 that it was not found: those come from the runner.

    /// A flag that does not exist or a value it does not take; in `run`, any failure of tug's own.
    pub(crate) const USAGE: Exit = Exit(125);
    /// Whoever read the output went away (as if killed by SIGPIPE).
    pub(crate) const BROKEN_PIPE: Exit = Exit(141);

    /// Ended by a signal, as shells count: 130 for ^C, 143 for SIGTERM.
    pub(crate) fn signal(number: i32) -> Exit {
        Exit(u8::try_from(128 + number).unwrap_or(u8::MAX))
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.0.into()
    }
}
