//! Image references (distribution's grammar, with Docker's defaults).

use std::fmt;
use std::str::FromStr;

use crate::{Digest, ParseDigestError};

/// `registry/repository[:tag][@digest]`, with the registry and repository filled in as Docker does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// `host[:port]`; `docker.io` for Docker Hub.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path below the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, when there is one (a parsed reference without tag and digest has `latest`).
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, when there is one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository at a tag.
    pub fn with_tag(&self, tag: &str) -> Result<Reference, ParseReferenceError> {
        check_tag(tag, tag)?;
        Ok(Reference { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// The same repository at a digest, without tag.
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The repository as a person writes it: Docker Hub's defaults left out.
    pub fn familiar_repository(&self) -> String {
        match self.registry.as_str() {
            DOCKER_HUB => self.repository.strip_prefix("library/").unwrap_or(&self.repository).to_owned(),
            registry => format!("{registry}/{}", self.repository),
        }
    }

    /// The whole reference as a person writes it.
    pub fn familiar(&self) -> String {
        let mut text = self.familiar_repository();
        self.push_suffix(&mut text);
        text
    }

    fn push_suffix(&self, text: &mut String) {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut suffix = String::new();
        self.push_suffix(&mut suffix);
        write!(f, "{}/{}{suffix}", self.registry, self.repository)
    }
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseReferenceError {
    /// Nothing there.
    #[error("image name is empty")]
    Empty,
    /// The part behind `@`.
    #[error("image name {text:?} has a malformed digest")]
    Digest {
        /// The whole text.
        text: String,
        /// What is wrong with it.
        #[source]
        source: ParseDigestError,
    },
    /// The part behind the last colon.
    #[error("image name {text:?} has a malformed tag {tag:?}: letters, digits, `_`, `.`, `-`, at most 128")]
    Tag {
        /// The whole text.
        text: String,
        /// The tag.
        tag: String,
    },
    /// The registry's host or port.
    #[error("image name {text:?} has a malformed registry {registry:?}")]
    Registry {
        /// The whole text.
        text: String,
        /// The registry.
        registry: String,
    },
    /// Repository names are lower case.
    #[error("image name {0:?} must be lower case")]
    Uppercase(String),
    /// The repository.
    #[error(
        "image name {0:?} is malformed: path parts are lower-case letters and digits, separated by `.`, `_`, `__` or `-`"
    )]
    Repository(String),
    /// Longer than registries take.
    #[error("image name {0:?} is longer than {NAME_LEN_MAX} characters")]
    TooLong(String),
    /// Looks like an image id.
    #[error("image name {0:?} is 64 hex digits, which is an image id, not a name")]
    ImageId(String),
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Reference, ParseReferenceError> {
        if text.is_empty() {
            return Err(ParseReferenceError::Empty);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let wrong = |source| ParseReferenceError::Digest { text: text.to_owned(), source };
                (rest, Some(digest.parse().map_err(wrong)?))
            }
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag {
            check_tag(text, tag)?;
        }
        let (registry, repository) = split_registry(text, name)?;
        check_repository(text, &registry, &repository)?;
        let tag = match (tag, &digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Reference { registry, repository, tag, digest })
    }
}

fn split_registry(text: &str, name: &str) -> Result<(String, String), ParseReferenceError> {
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_registry(first) => (first, path),
        _ => (DOCKER_HUB, name),
    };
    if !is_host(registry) {
        let registry = registry.to_owned();
        return Err(ParseReferenceError::Registry { text: text.to_owned(), registry });
    }
    let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
    let hub_official = registry == DOCKER_HUB && !path.contains('/');
    let repository = if hub_official { format!("library/{path}") } else { path.to_owned() };
    Ok((registry.to_owned(), repository))
}

/// Docker's rule: the first part is a registry if it has a dot or a port, is `localhost`, or has an upper-case
/// letter (which a repository cannot have).
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(|c| c.is_ascii_uppercase())
}

fn is_host(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let hex = |b: u8| b.is_ascii_hexdigit() || b == b':' || b == b'.';
            if address.is_empty() || !address.bytes().all(hex) {
                return false;
            }
            match rest.strip_prefix(':') {
                Some(port) => return is_port(port),
                None => return rest.is_empty(),
            }
        }
        None => match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        },
    };
    let label = |part: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    host.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn check_tag(text: &str, tag: &str) -> Result<(), ParseReferenceError> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut bytes = tag.bytes();
    let fits = bytes.next().is_some_and(word)
        && bytes.all(|b| word(b) || b == b'.' || b == b'-')
        && tag.len() <= TAG_LEN_MAX;
    match fits {
        true => Ok(()),
        false => Err(ParseReferenceError::Tag { text: text.to_owned(), tag: tag.to_owned() }),
    }
}

fn check_repository(text: &str, registry: &str, repository: &str) -> Result<(), ParseReferenceError> {
    let owned = || text.to_owned();
    if repository.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(ParseReferenceError::Uppercase(owned()));
    }
    if !repository.split('/').all(is_path_part) {
        return Err(ParseReferenceError::Repository(owned()));
    }
    if registry.len() + 1 + repository.len() > NAME_LEN_MAX {
        return Err(ParseReferenceError::TooLong(owned()));
    }
    let last = repository.strip_prefix("library/").unwrap_or(repository);
    if registry == DOCKER_HUB && last.len() == 64 && last.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ParseReferenceError::ImageId(owned()));
    }
    Ok(())
}

/// `[a-z0-9]+` runs joined by `.`, `_`, `__` or any number of `-`.
fn is_path_part(part: &str) -> bool {
    let alnum = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let joint = |run: &str| matches!(run, "." | "_" | "__") || run.bytes().all(|b| b == b'-');
    if !part.starts_with(alnum) || !part.ends_with(alnum) {
        return false;
    }
    part.split(alnum).filter(|run| !run.is_empty()).all(joint)
}

const DOCKER_HUB: &str = "docker.io";
const NAME_LEN_MAX: usize = 255;
const TAG_LEN_MAX: usize = 128;

#[cfg(test)]
mod tests;
