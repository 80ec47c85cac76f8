//! Content digests and the identifiers made of them (image spec, "Descriptors" and "Image Layout").

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// A hash function that a digest may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, the field's default.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name that stands before the colon of a digest.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    fn hex_len(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Sha512 => 128,
        }
    }
}

/// `algorithm:hex`, always well formed: a known algorithm and lower-case hex of its length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        let mut digester = Digester::new(Algorithm::Sha256);
        digester.update(bytes);
        digester.finish()
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash as lower-case hex; safe as one path segment.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first 12 hex digits, as Docker prints an image's id.
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.hex)
    }
}

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDigestError {
    /// No colon between the algorithm and the hash.
    #[error("digest {0:?} has no algorithm; write sha256:<64 hex digits>")]
    NoAlgorithm(String),
    /// An algorithm that is not known here.
    #[error("digest algorithm {0:?} is not supported; use sha256 or sha512")]
    UnknownAlgorithm(String),
    /// The hash has a wrong length or characters that are not lower-case hex.
    #[error("digest {0:?} is malformed: {1} takes {2} lower-case hex digits")]
    Malformed(String, &'static str, usize),
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Digest, ParseDigestError> {
        let (name, hex) =
            text.split_once(':').ok_or_else(|| ParseDigestError::NoAlgorithm(text.to_owned()))?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(ParseDigestError::UnknownAlgorithm(name.to_owned())),
        };
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() != algorithm.hex_len() || !hex.bytes().all(lower_hex) {
            return Err(ParseDigestError::Malformed(
                text.to_owned(),
                algorithm.as_str(),
                algorithm.hex_len(),
            ));
        }
        Ok(Digest { algorithm, hex: hex.to_owned() })
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<Digest, ParseDigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

/// Hashes bytes as they come; also an [`io::Write`] sink.
#[derive(Clone)]
pub struct Digester(State);

#[derive(Clone)]
enum State {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Digester {
    /// A fresh hash of the given kind.
    pub fn new(algorithm: Algorithm) -> Digester {
        Digester(match algorithm {
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
        })
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(hash) => Digest { algorithm: Algorithm::Sha256, hex: hex(&hash.finalize()) },
            State::Sha512(hash) => Digest { algorithm: Algorithm::Sha512, hex: hex(&hash.finalize()) },
        }
    }
}

impl Default for Digester {
    fn default() -> Digester {
        Digester::new(Algorithm::Sha256)
    }
}

impl io::Write for Digester {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The digest of a layer's uncompressed tar.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiffId(pub Digest);

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a stack of layers (image spec, "Layer ChainID").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainId(pub Digest);

impl ChainId {
    /// The chain id of layers given from the lowest up; `None` for no layers.
    pub fn of(layers: &[DiffId]) -> Option<ChainId> {
        let (first, rest) = layers.split_first()?;
        let fold = |below: Digest, layer: &DiffId| Digest::of(format!("{below} {layer}").as_bytes());
        Some(ChainId(rest.iter().fold(first.0.clone(), fold)))
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert_eq!(Digest::of(b"").short(), "e3b0c44298fc");
        let mut digester = Digester::new(Algorithm::Sha512);
        digester.update(b"a");
        digester.update(b"bc");
        assert!(digester.finish().to_string().starts_with("sha512:ddaf35a193617abacc417349ae204131"));
    }

    #[test]
    fn only_well_formed_digests_exist() {
        let good = Digest::of(b"").to_string();
        assert_eq!(good.parse::<Digest>().unwrap().to_string(), good);
        for bad in [
            "",
            ":",
            "sha256",
            "sha256:",
            "sha256:abc",
            &good.to_uppercase(),
            &format!("{good}0"),
            &good[..good.len() - 1],
            &good.replace("sha256:", "sha256:/"),
            &good.replace("sha256", "md5"),
            &good.replace("sha256", "sha512"),
            &good.replace('e', "g"),
            "sha256:../../../../../../../../../../../../../../../../../../etc/passwd",
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
            assert!(serde_json::from_value::<Digest>(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn chain_ids_fold_from_the_lowest_layer_up() {
        let (a, b) = (DiffId(Digest::of(b"a")), DiffId(Digest::of(b"b")));
        assert_eq!(ChainId::of(&[]), None);
        assert_eq!(ChainId::of(std::slice::from_ref(&a)), Some(ChainId(a.0.clone())));
        let two = Digest::of(format!("{a} {b}").as_bytes());
        assert_eq!(ChainId::of(&[a, b]), Some(ChainId(two)));
    }
}
