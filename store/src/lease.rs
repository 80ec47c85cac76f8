//! Leases: what a running process makes or uses is kept until it ends.

/// Held by a file lock: a killed process holds nothing. The collector takes the other side of the lock.
pub struct Lease {}
/// Why no lease can be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {}
