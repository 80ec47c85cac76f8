//! Signals that ask to stop (and that the window changed), taken by a thread instead of by chance.

use nix::sys::signal::{SigSet, Signal};

/// Signals that are held back from this thread, and from those it starts from now on.
pub(crate) struct Signals(SigSet);

impl Signals {
    /// Holds the signals back. To be called while there is only one thread.
    pub(crate) fn hold(signals: &[Signal]) -> Signals {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block().expect("the set of signals is valid");
        Signals(set)
    }

    /// Starts a thread that tells of each signal that comes, until the process ends.
    pub(crate) fn watch(self, mut tell: impl FnMut(Signal) + Send + 'static) {
        std::thread::spawn(move || {
            while let Ok(signal) = self.0.wait() {
                tell(signal);
            }
        });
    }
}
