//! The person's terminal and the container's, tied together.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tug_runner::terminal::{self, RawMode, Terminal};

/// Whether what is typed reaches the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typing {
    /// It does.
    Forwarded,
    /// It does not.
    Ignored,
}

/// A container's terminal that is shown on the person's.
#[derive(Clone, Default)]
pub(crate) struct Tie(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    terminal: Option<Terminal>,
    output: Option<JoinHandle<()>>,
}

impl Tie {
    /// Shows the terminal until its container ends.
    pub(crate) fn attach(&self, terminal: Terminal, typing: Typing) -> io::Result<()> {
        let output = terminal.try_clone()?.into_file();
        if typing == Typing::Forwarded {
            let input = terminal.try_clone()?.into_file();
            // Ends with the process: nobody can wake it from its read.
            std::thread::spawn(move || copy(io::stdin(), input));
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.output = Some(std::thread::spawn(move || copy(output, io::stdout())));
        state.terminal = Some(terminal);
        drop(state);
        self.resize();
        Ok(())
    }

    /// Gives the container's terminal the size of the person's.
    pub(crate) fn resize(&self) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(terminal), Ok((rows, columns))) = (&state.terminal, terminal::window_size(io::stdout()))
        {
            // A container that has ended needs no size.
            let _ = terminal.resize(rows, columns);
        }
    }

    /// Waits until all that the container printed is shown.
    pub(crate) fn drain(&self) {
        let output = self.0.lock().unwrap_or_else(PoisonError::into_inner).output.take();
        if let Some(output) = output {
            // A panic there was told already.
            let _ = output.join();
        }
    }
}

/// Hands every key on as it is, until dropped; nothing when the standard input is no terminal.
pub(crate) fn raw_mode() -> Option<RawMode> {
    match io::stdin().is_terminal() {
        true => RawMode::enter(io::stdin()).ok(),
        false => None,
    }
}

/// Copies until either side ends; a terminal whose container ended gives an error, which is its way to say so.
fn copy(mut from: impl Read, mut to: impl Write) {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                if to.write_all(&buffer[..count]).and_then(|()| to.flush()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

const BUFFER: usize = 1 << 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_to_the_end() {
        let mut out = Vec::new();
        copy(&b"hello"[..], &mut out);
        assert_eq!(out, b"hello");
    }
}
