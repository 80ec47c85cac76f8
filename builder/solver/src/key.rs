//! Keys: digests of length-prefixed parts.

use std::fmt;

use sha2::Digest;

/// A SHA-256 over parts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key that was made elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// Makes a key of parts. Every part is length-prefixed, so that no two lists of parts give the same bytes.
#[derive(Clone)]
pub struct KeyBuilder(sha2::Sha256);

impl KeyBuilder {
    /// Starts a key; `domain` tells apart what keys are about, and their version.
    pub fn new(domain: &str) -> KeyBuilder {
        let mut builder = KeyBuilder(sha2::Sha256::new());
        builder.bytes(domain.as_bytes());
        builder
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut KeyBuilder {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) -> &mut KeyBuilder {
        self.bytes(text.as_bytes())
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) -> &mut KeyBuilder {
        self.bytes(&number.to_le_bytes())
    }

    /// Adds a list of texts.
    pub fn texts<T: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = T>) -> &mut KeyBuilder {
        let mut count = 0;
        for text in texts {
            self.text(text.as_ref());
            count += 1;
        }
        self.number(count)
    }

    /// Adds another key.
    pub fn key(&mut self, key: &Key) -> &mut KeyBuilder {
        self.bytes(&key.0)
    }

    /// The key.
    pub fn finish(self) -> Key {
        Key(self.0.finalize().into())
    }
}
