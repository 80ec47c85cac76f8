//! A way to stop containers, or to send them signals, from another thread.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::net::SendFlags;

/// Reaches every container that was started with it. Clones are the same thing.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    killed: bool,
    next_id: u64,
    running: Vec<(u64, Arc<OwnedFd>)>,
}

impl Cancel {
    /// A new one, reaching nothing yet.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Kills the running containers; later ones are not started.
    pub fn kill(&self) {
        self.state().killed = true;
        self.signal(nix::libc::SIGKILL);
    }

    /// Sends a signal to the process of each running container.
    ///
    /// As for every first process of a pid namespace, a signal that it has no handler for is ignored; `SIGKILL` works.
    pub fn signal(&self, signal: i32) {
        for (_, control) in &self.state().running {
            // A container that has ended meanwhile needs no signal.
            let _ = send_signal(control, signal);
        }
    }

    /// Whether [`Cancel::kill`] was called.
    pub fn is_killed(&self) -> bool {
        self.state().killed
    }

    /// From now on signals reach the helper behind `control`, until the result is dropped.
    pub(crate) fn register(&self, control: &Arc<OwnedFd>) -> Registration {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        state.running.push((id, Arc::clone(control)));
        if state.killed {
            let _ = send_signal(control, nix::libc::SIGKILL);
        }
        drop(state);
        Registration { cancel: self.clone(), id }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the helper to send a signal on.
pub(crate) fn send_signal(control: &OwnedFd, signal: i32) -> std::io::Result<()> {
    rustix::net::send(control.as_fd(), &signal.to_le_bytes(), SendFlags::NOSIGNAL)?;
    Ok(())
}

/// A container that a [`Cancel`] reaches.
#[derive(Debug)]
pub(crate) struct Registration {
    cancel: Cancel,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.cancel.state().running.retain(|(id, _)| *id != self.id);
    }
}
