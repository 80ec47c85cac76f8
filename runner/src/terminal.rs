//! Both ends of a terminal session: the container's terminal, and raw mode for the caller's own.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::termios::{OptionalActions, Termios, Winsize};

/// The master side of a container's terminal: what is written is typed, what the container prints is read.
///
/// When the container has ended, reading gives the error `EIO`.
#[derive(Debug)]
pub struct Terminal(OwnedFd);

impl Terminal {
    pub(crate) fn new(master: OwnedFd) -> Terminal {
        Terminal(master)
    }

    /// Tells the container the size of the window.
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(&self.0, size)?)
    }

    /// The terminal as a file, to read and write; more can be cloned from it.
    pub fn into_file(self) -> File {
        self.0.into()
    }

    /// A second handle to the same terminal.
    pub fn try_clone(&self) -> io::Result<Terminal> {
        Ok(Terminal(self.0.try_clone()?))
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Rows and columns of the terminal behind a descriptor.
pub fn window_size(terminal: impl AsFd) -> io::Result<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(terminal)?;
    Ok((size.ws_row, size.ws_col))
}

/// The caller's terminal hands every key on as it is, until this is dropped.
#[derive(Debug)]
pub struct RawMode {
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// Changes the terminal behind a descriptor. An error if it is none.
    pub fn enter(terminal: impl AsFd) -> io::Result<RawMode> {
        let terminal = terminal.as_fd().try_clone_to_owned()?;
        let before = rustix::termios::tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(&terminal, OptionalActions::Flush, &raw)?;
        Ok(RawMode { terminal, before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing is to be done about a terminal that is gone.
        let _ = rustix::termios::tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
