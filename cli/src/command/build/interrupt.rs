//! ^C in a build.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use tug_builder::Cancel;

use crate::command_error::CommandError;
use crate::exit::Exit;
use crate::signals::Signals;

/// ^C and SIGTERM: the first asks the build to stop, and a second, or one that is not heeded, ends the process. Whatever
/// it was at, the store stays sound, and its containers end with it.
pub(super) struct Interrupt {
    pub(super) cancel: Cancel,
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    /// Takes both signals from here on. To be called while there is only one thread.
    pub(super) fn watch() -> Interrupt {
        let interrupt = Interrupt { cancel: Cancel::new(), signal: Arc::default() };
        let (cancel, first) = (interrupt.cancel.clone(), Arc::clone(&interrupt.signal));
        Signals::hold(&[Signal::SIGINT, Signal::SIGTERM]).watch(move |signal| {
            let end = move || std::process::exit(Exit::signal(signal as i32).0.into());
            if first.swap(signal as i32, Ordering::SeqCst) != 0 {
                end();
            }
            cancel.set();
            std::thread::spawn(move || {
                std::thread::sleep(GRACE);
                end();
            });
        });
        interrupt
    }

    /// An error when a signal came.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        match self.signal.load(Ordering::SeqCst) {
            0 => Ok(()),
            signal => Err(CommandError::Interrupted(signal)),
        }
    }
}

/// How long a build may take to stop: a transfer that stalls does not see that it is to.
const GRACE: Duration = Duration::from_secs(5);
