//! What a transfer is doing, told to whoever shows it. Nothing is read back.

use tug_oci::Digest;

/// Is told of transfers as they go. Called often and from one thread at a time; should return at once.
pub trait Progress: Send + Sync {
    /// Takes note of one transfer's new state.
    fn report(&self, transfer: Transfer<'_>);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _transfer: Transfer<'_>) {}
}

/// One blob or manifest on its way.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// What is transferred.
    pub digest: &'a Digest,
    /// What that is.
    pub kind: TransferKind,
    /// How it stands.
    pub state: TransferState,
}

/// What a transferred thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferKind {
    /// An image config.
    Config,
    /// A layer.
    Layer,
    /// A manifest or index.
    Manifest,
}

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferState {
    /// Will be transferred when its turn comes.
    Waiting,
    /// Was there already.
    Exists,
    /// Bytes are on their way.
    Bytes {
        /// So far.
        done: u64,
        /// In all.
        total: u64,
    },
    /// Failed, and is tried again.
    Retrying,
    /// The registry took it from another of its repositories.
    Mounted,
    /// Arrived, checked and kept.
    Done,
    /// Will not arrive.
    Failed,
}
