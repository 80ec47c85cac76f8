//! Reference → manifest or index bytes, with their digest checked.

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;
use tug_oci::{Descriptor, Digest, Digester, MANIFEST_BYTES_MAX, MediaType, Reference};

use crate::repository::{Access, Repository};
use crate::session::{RequestError, Session};
use crate::transport::{Failure, Response};

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Of the manifest or index.
    pub descriptor: Descriptor,
    /// The manifest or index, as the registry has it.
    pub bytes: Vec<u8>,
}

/// Why a reference cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve {reference}")]
pub struct ResolveError {
    /// What was asked for.
    reference: Box<Reference>,
    /// What came back.
    #[source]
    source: RequestError,
}

impl ResolveError {
    /// The request that failed.
    pub fn request(&self) -> &RequestError {
        &self.source
    }
}

pub(crate) async fn resolve(session: &Session, reference: &Reference) -> Result<Resolved, ResolveError> {
    let repository = Repository::of(session, reference, Access::Pull);
    let wanted = match reference.digest() {
        Some(digest) => Wanted::Digest(digest),
        None => Wanted::Tag(reference.tag().unwrap_or("latest")),
    };
    let failed = |source| ResolveError { reference: Box::new(reference.clone()), source };
    manifest(&repository, wanted).await.map_err(failed)
}

/// Under what a manifest is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    Tag(&'a str),
    Digest(&'a Digest),
    Descriptor(&'a Descriptor),
}

/// Fetches a manifest or index whole.
pub(crate) async fn manifest(
    repository: &Repository<'_>,
    wanted: Wanted<'_>,
) -> Result<Resolved, RequestError> {
    let name = match wanted {
        Wanted::Tag(tag) => tag.to_owned(),
        Wanted::Digest(digest) => digest.to_string(),
        Wanted::Descriptor(descriptor) => descriptor.digest.to_string(),
    };
    let mut call = repository.manifest(Method::GET, &name);
    for accepted in ACCEPTED {
        call.headers.append(ACCEPT, HeaderValue::from_static(accepted));
    }
    let (response, body) = repository.session.call_whole(&call, MANIFEST_BYTES_MAX).await?;
    let refused = |failure: Failure| repository.session.failed(&call, Some(&response.url), failure.into());
    let digest = check(&response, &body, wanted).map_err(refused)?;
    let media_type = match wanted {
        Wanted::Descriptor(descriptor) => descriptor.media_type.clone(),
        _ => media_type(&response, &body),
    };
    let descriptor = Descriptor::new(media_type, digest, body.len() as u64);
    Ok(Resolved { descriptor, bytes: body.to_vec() })
}

/// Holds the body against what was asked for, and against what the registry says it is.
fn check(response: &Response, body: &[u8], wanted: Wanted<'_>) -> Result<Digest, Failure> {
    let (digest, size) = match wanted {
        Wanted::Tag(_) => (None, None),
        Wanted::Digest(digest) => (Some(digest.clone()), None),
        Wanted::Descriptor(descriptor) => (Some(descriptor.digest.clone()), Some(descriptor.size)),
    };
    if let Some(wanted) = size.filter(|&size| size != body.len() as u64) {
        return Err(Failure::SizeDiffers { found: body.len() as u64, wanted });
    }
    // By tag, the registry's own word is what there is; an algorithm that is not known here is passed over.
    let wanted = digest.or_else(|| response.header(DOCKER_CONTENT_DIGEST).and_then(|text| text.parse().ok()));
    let Some(wanted) = wanted else { return Ok(Digest::of(body)) };
    let mut digester = Digester::new(wanted.algorithm());
    digester.update(body);
    let found = digester.finish();
    match found == wanted {
        true => Ok(found),
        false => Err(Failure::DigestDiffers { found, wanted }),
    }
}

/// The media type of the response; of the bytes themselves where the response names none that means anything.
fn media_type(response: &Response, body: &[u8]) -> MediaType {
    let field = response.header(CONTENT_TYPE).unwrap_or_default();
    let named = field.split(';').next().unwrap_or_default().trim();
    if named.starts_with("application/vnd.") {
        return MediaType::new(named);
    }
    media_type_of(body).unwrap_or_else(|| MediaType::new(named))
}

/// What a manifest's bytes say that they are, or look like.
pub(crate) fn media_type_of(bytes: &[u8]) -> Option<MediaType> {
    match serde_json::from_slice::<Typed>(bytes).ok()? {
        Typed { media_type: Some(media_type), .. } => Some(media_type),
        Typed { manifests: Some(_), .. } => Some(MediaType::OCI_INDEX.into()),
        Typed { config: Some(_), .. } => Some(MediaType::OCI_MANIFEST.into()),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: Option<MediaType>,
    manifests: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

/// The header in which registries name a manifest's digest.
pub(crate) const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

const ACCEPTED: [&str; 4] =
    [MediaType::OCI_MANIFEST, MediaType::OCI_INDEX, MediaType::DOCKER_MANIFEST, MediaType::DOCKER_INDEX];
