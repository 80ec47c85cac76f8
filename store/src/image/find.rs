//! What a person means by a name, an id or the beginning of one.

use std::collections::HashSet;

use tug_oci::{Descriptor, Digest, ManifestKind, Reference};

use super::{ImageError, Listed, read_manifest};
use crate::content::ContentStore;

pub(super) fn find(
    content: &ContentStore,
    listed: Vec<Listed>,
    text: &str,
) -> Result<Option<Listed>, ImageError> {
    let prefix = Prefix::parse(text);
    match prefix {
        Some(prefix) if prefix.is_whole() => {}
        _ => {
            let named = text.parse().ok().and_then(|name| position(&listed, &name));
            if let Some(at) = named {
                return Ok(listed.into_iter().nth(at));
            }
        }
    }
    match prefix {
        Some(prefix) => by_digest(content, listed, prefix),
        None => Ok(None),
    }
}

/// The image that has the name; for `name@digest` also one of that digest with a name in the same repository.
fn position(listed: &[Listed], wanted: &Reference) -> Option<usize> {
    let exact = listed.iter().position(|image| image.names.contains(wanted));
    let same_repository =
        |name: &Reference| name.registry() == wanted.registry() && name.repository() == wanted.repository();
    exact.or_else(|| {
        let digest = wanted.digest()?;
        listed
            .iter()
            .position(|image| image.target.digest == *digest && image.names.iter().any(same_repository))
    })
}

fn by_digest(
    content: &ContentStore,
    listed: Vec<Listed>,
    prefix: Prefix<'_>,
) -> Result<Option<Listed>, ImageError> {
    let mut fitting: Vec<(Digest, Listed)> = Vec::new();
    for image in listed {
        let known = digests(content, &image.target);
        let matches = known.into_iter().filter(|digest| prefix.fits(digest));
        fitting.extend(matches.map(|digest| (digest, image.clone())));
    }
    let different: HashSet<&Digest> = fitting.iter().map(|(digest, _)| digest).collect();
    if different.len() > 1 {
        let candidates = fitting.iter().map(|(digest, image)| describe(digest, image)).collect();
        return Err(ImageError::Ambiguous { text: prefix.text.to_owned(), candidates });
    }
    // One image may be here in two forms, as it was built and as it was packed; the named one is meant.
    let named = fitting.iter().position(|(_, image)| !image.names.is_empty()).unwrap_or(0);
    Ok(fitting.into_iter().nth(named).map(|(_, image)| image))
}

/// What an image may be called by: its own digest, and the ids and digests of the manifests in it. Parts that cannot
/// be read do not hide the rest of the list.
fn digests(content: &ContentStore, target: &Descriptor) -> Vec<Digest> {
    let mut known = vec![target.digest.clone()];
    match read_manifest(content, target) {
        Ok(ManifestKind::Manifest(manifest)) => known.push(manifest.config.digest),
        Ok(ManifestKind::Index(index)) => {
            for entry in index.manifests.iter().take(ENTRIES_MAX) {
                if let Ok(ManifestKind::Manifest(manifest)) = read_manifest(content, entry) {
                    known.extend([entry.digest.clone(), manifest.config.digest]);
                }
            }
        }
        Err(_) => {}
    }
    known
}

fn describe(digest: &Digest, image: &Listed) -> String {
    let names: Vec<String> = image.names.iter().map(Reference::familiar).collect();
    match names.as_slice() {
        [] => format!("{digest} (no name)"),
        names => format!("{digest} ({})", names.join(", ")),
    }
}

/// The beginning of a digest, or a whole one.
#[derive(Clone, Copy)]
struct Prefix<'a> {
    text: &'a str,
    algorithm: Option<&'a str>,
    hex: &'a str,
}

impl<'a> Prefix<'a> {
    fn parse(text: &'a str) -> Option<Prefix<'a>> {
        let (algorithm, hex) = match text.split_once(':') {
            Some((algorithm @ ("sha256" | "sha512"), hex)) => (Some(algorithm), hex),
            Some(_) => return None,
            None => (None, text),
        };
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let fits = hex.len() >= PREFIX_LEN_MIN && hex.bytes().all(lower_hex);
        fits.then_some(Prefix { text, algorithm, hex })
    }

    /// A whole digest is never taken for a name.
    fn is_whole(self) -> bool {
        self.hex.len() == SHA256_HEX_LEN
    }

    fn fits(self, digest: &Digest) -> bool {
        digest.hex().starts_with(self.hex)
            && self.algorithm.is_none_or(|name| name == digest.algorithm().as_str())
    }
}

const PREFIX_LEN_MIN: usize = 4;
const SHA256_HEX_LEN: usize = 64;
/// How many entries of an index are looked into for an id.
const ENTRIES_MAX: usize = 256;
