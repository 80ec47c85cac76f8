//! What takes how much disk.

/// Sizes in bytes of disk.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Images known.
    pub images: u64,
    /// Bytes that images hold.
    pub image_bytes: u64,
    /// Of these, what images without a name hold.
    pub image_bytes_reclaimable: u64,
    /// Build cache records.
    pub records: u64,
    /// Bytes that only the build cache holds.
    pub cache_bytes: u64,
    /// Bytes that nothing holds.
    pub garbage_bytes: u64,
}
/// Why it could not be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {}
