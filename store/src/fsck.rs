//! The store held against its own rules.

/// What was checked and found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Blobs whose digest was computed anew.
    pub blobs: u64,
    /// Layers whose tar was hashed anew.
    pub layers: u64,
    /// Names followed to their layers.
    pub names: u64,
    /// What is wrong, a sentence each. Empty: the store is sound.
    pub problems: Vec<String>,
}
/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsckError {}
