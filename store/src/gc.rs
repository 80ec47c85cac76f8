//! Collection: mark from names, images, cache records and leases; sweep the rest.

/// What is let go besides garbage.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Forget images that have no name.
    pub dangling: bool,
    /// Forget all images, named or not, that no container uses.
    pub all_images: bool,
    /// Forget all build cache.
    pub cache: bool,
}
/// What a collection removed.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Images forgotten: names and ids as a person reads them.
    pub images: Vec<String>,
    /// Blobs removed.
    pub blobs: u64,
    /// Layers removed.
    pub layers: u64,
    /// Cache records removed.
    pub records: u64,
    /// Bytes of disk given back.
    pub bytes: u64,
}
/// Why a collection ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {}
