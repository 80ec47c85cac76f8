//! Signals that come to tug and are meant for the container.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use tug_runner::Cancel;

use crate::exit::Exit;
use crate::signals::Signals;
use crate::terminal::Tie;

/// Hands signals on to the container; before there is one, those that ask to end end the process.
pub(super) struct Relay {
    pub(super) cancel: Cancel,
    pub(super) tie: Tie,
    running: Arc<AtomicBool>,
}

impl Relay {
    /// Takes all signals from here on. To be called while there is only one thread.
    pub(super) fn start() -> Relay {
        let relay = Relay { cancel: Cancel::new(), tie: Tie::default(), running: Arc::default() };
        let (cancel, tie, running) = (relay.cancel.clone(), relay.tie.clone(), Arc::clone(&relay.running));
        let mut asked = 0;
        Signals::hold(&FORWARDED).watch(move |signal| match (signal, running.load(Ordering::SeqCst)) {
            (Signal::SIGWINCH, _) => tie.resize(),
            (Signal::SIGUSR1 | Signal::SIGUSR2, false) => {}
            (signal, false) => std::process::exit(Exit::signal(signal as i32).0.into()),
            (signal, true) => {
                cancel.signal(signal as i32);
                asked += usize::from(matches!(signal, Signal::SIGINT | Signal::SIGTERM));
                if asked >= PATIENCE {
                    cancel.kill();
                }
            }
        });
        relay
    }

    /// From here on signals are the container's.
    pub(super) fn container_runs(&self) {
        self.running.store(true, Ordering::SeqCst);
    }
}

const FORWARDED: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];
/// So many requests to end that the container did not heed, and it is killed.
const PATIENCE: usize = 3;
