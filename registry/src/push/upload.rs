//! One blob on its way up: mounted, sent in one piece, or in chunks, and continued where the server says it stands.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RANGE};
use hyper::{Method, StatusCode, Uri};
use tug_oci::Descriptor;

use super::exists;
use crate::auth::Purpose;
use crate::progress::TransferState;
use crate::repository::Repository;
use crate::session::{Call, RequestError, Target};
use crate::transport::redirect::{self, RedirectError};
use crate::transport::{Failure, OpenSource, Outlook, Payload, Response};

pub(super) struct Upload<'a> {
    pub(super) repository: &'a Repository<'a>,
    pub(super) descriptor: &'a Descriptor,
    pub(super) open: Arc<OpenSource>,
    pub(super) tell: &'a (dyn Fn(TransferState) + Sync),
}

/// How the bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// All in the request that ends the upload.
    Whole,
    /// In pieces before it.
    Chunks,
}

/// An upload as the server knows it.
struct Standing {
    location: Uri,
    /// Bytes the server has.
    offset: u64,
    /// Bytes to send at a time.
    chunk: u64,
}

enum Begun {
    Mounted,
    Open(Standing),
}

impl Upload<'_> {
    /// Brings the blob to the registry and says how it came there.
    pub(super) async fn run(&self, mount_from: Option<&str>) -> Result<TransferState, RequestError> {
        let session = self.repository.session;
        let mut backoff = session.backoff();
        let mut upload = match self.begin(mount_from).await? {
            Begun::Mounted => return Ok(TransferState::Mounted),
            Begun::Open(upload) => upload,
        };
        let mut manner = Manner::Whole;
        loop {
            let before = upload.offset;
            let error = match self.send(&mut upload, manner).await {
                Ok(()) => return Ok(TransferState::Done),
                Err(error) => error,
            };
            let refused = error.outlook() == Outlook::Lasting;
            let wants_chunks = error.status().is_some_and(|status| WANTS_CHUNKS.contains(&status));
            if manner == Manner::Whole && wants_chunks {
                manner = Manner::Chunks;
                upload = self.open().await?;
                continue;
            }
            if upload.offset >= before + PROGRESS_BYTES {
                backoff.progress();
            }
            (self.tell)(TransferState::Retrying);
            if refused && is_lost_upload(&error) && upload.offset > 0 {
                // Once more from the start; that too counts as a failure.
                session.pause_for(&mut backoff, Outlook::Passing(None), error).await?;
                upload = self.open().await?;
                continue;
            }
            session.pause(&mut backoff, error).await?;
            // The answer may have been lost rather than the bytes.
            if exists(self.repository, &self.descriptor.digest).await? {
                return Ok(TransferState::Done);
            }
            match self.standing(&upload).await {
                Some(standing) => {
                    if standing.offset >= before + PROGRESS_BYTES {
                        backoff.progress();
                    }
                    (upload, manner) = (standing, Manner::Chunks);
                }
                None => upload = self.open().await?,
            }
        }
    }

    /// Opens an upload, or has the registry take the blob from another repository.
    async fn begin(&self, mount_from: Option<&str>) -> Result<Begun, RequestError> {
        // Whatever hinders a mount, the blob can still be sent.
        if let Some(from) = mount_from
            && let Ok(begun) = self.mount(from).await
        {
            return Ok(begun);
        }
        self.open().await.map(Begun::Open)
    }

    async fn open(&self) -> Result<Standing, RequestError> {
        let call = self.call(Method::POST);
        let response = self.repository.session.call(&call).await?;
        self.opened(&call, &response)
    }

    async fn mount(&self, from: &str) -> Result<Begun, RequestError> {
        let digest = &self.descriptor.digest;
        let purpose = self.repository.purpose();
        let mut scopes = purpose.scopes.to_vec();
        scopes.push(format!("repository:{from}:pull"));
        let rest = format!("blobs/uploads/?mount={digest}&from={from}");
        let mut call = self.repository.call(Method::POST, &rest);
        call.purpose = Purpose { registry: purpose.registry, scopes: &scopes };
        let response = self.repository.session.attempt(&call).await?;
        match response.status {
            StatusCode::CREATED => Ok(Begun::Mounted),
            _ => self.opened(&call, &response).map(Begun::Open),
        }
    }

    fn opened(&self, call: &Call<'_>, response: &Response) -> Result<Standing, RequestError> {
        let location = location(response)
            .map_err(|failure| self.repository.session.failed(call, Some(&response.url), failure.into()))?;
        let least = response.header(CHUNK_MIN_LENGTH).and_then(|text| text.parse::<u64>().ok());
        let chunk = least.map_or(CHUNK_BYTES, |least| least.clamp(CHUNK_BYTES, CHUNK_BYTES_MAX));
        Ok(Standing { location, offset: 0, chunk })
    }

    async fn send(&self, upload: &mut Standing, manner: Manner) -> Result<(), RequestError> {
        if manner == Manner::Whole {
            return self.close(upload, manner).await;
        }
        while upload.offset < self.descriptor.size {
            let end = self.descriptor.size.min(upload.offset + upload.chunk);
            self.chunk(upload, end).await?;
        }
        self.close(upload, manner).await
    }

    /// Sends the bytes up to `end`.
    async fn chunk(&self, upload: &mut Standing, end: u64) -> Result<(), RequestError> {
        let mut headers = octets();
        let range = HeaderValue::try_from(format!("{}-{}", upload.offset, end - 1));
        headers.insert(CONTENT_RANGE, range.expect("numbers make a header"));
        let payload = |open| Payload::Stream { open, from: upload.offset, length: end - upload.offset };
        let response =
            self.transfer(Method::PATCH, upload.location.clone(), (headers, upload.offset), payload).await?;
        let call = Call { target: Target::Url(upload.location.clone()), ..self.call(Method::PATCH) };
        upload.location = location(&response)
            .map_err(|failure| self.repository.session.failed(&call, Some(&response.url), failure.into()))?;
        upload.offset = end;
        Ok(())
    }

    /// Ends the upload, with all bytes or with none.
    async fn close(&self, upload: &Standing, manner: Manner) -> Result<(), RequestError> {
        let text = upload.location.to_string();
        let joint = if text.contains('?') { '&' } else { '?' };
        let text = format!("{text}{joint}digest={}", self.descriptor.digest);
        let url: Uri = match text.parse() {
            Ok(url) => url,
            Err(_) => {
                let failure = Failure::Address(text);
                return Err(self.repository.session.failed(&self.call(Method::PUT), None, failure.into()));
            }
        };
        let length = self.descriptor.size;
        let payload = |open| match manner {
            Manner::Whole => Payload::Stream { open, from: 0, length },
            Manner::Chunks => Payload::Empty,
        };
        let start = if manner == Manner::Whole { 0 } else { length };
        self.transfer(Method::PUT, url, (octets(), start), payload).await.map(drop)
    }

    /// Makes a call and tells how far its body is meanwhile.
    async fn transfer(
        &self,
        method: Method,
        url: Uri,
        (headers, start): (HeaderMap, u64),
        payload: impl FnOnce(Arc<OpenSource>) -> Payload,
    ) -> Result<Response, RequestError> {
        let sent = Arc::new(AtomicU64::new(0));
        let payload = payload(counted(&self.open, &sent));
        let call = Call { target: Target::Url(url), headers, payload, ..self.call(method) };
        let attempt = self.repository.session.attempt(&call);
        tokio::pin!(attempt);
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                result = &mut attempt => return result,
                _ = ticks.tick() => {
                    let (done, total) = (start + sent.load(Ordering::Relaxed), self.descriptor.size);
                    (self.tell)(TransferState::Bytes { done: done.min(total), total });
                }
            }
        }
    }

    /// Asks the server how much of an upload it has. `None` where it does not say: then it begins anew.
    async fn standing(&self, upload: &Standing) -> Option<Standing> {
        let call = Call { target: Target::Url(upload.location.clone()), ..self.call(Method::GET) };
        let response = self.repository.session.attempt(&call).await.ok()?;
        let last =
            response.header(RANGE)?.trim_start_matches("bytes=").split_once('-')?.1.parse::<u64>().ok()?;
        let offset = last.checked_add(1)?;
        // `0-0` means one byte, or none; nothing is lost by beginning anew.
        let useful = offset > 1 && offset <= self.descriptor.size;
        let location = location(&response).unwrap_or_else(|_| upload.location.clone());
        useful.then_some(Standing { location, offset, chunk: upload.chunk })
    }

    fn call(&self, method: Method) -> Call<'_> {
        self.repository.call(method, "blobs/uploads/")
    }
}

/// A server that forgot a half-sent upload says so with a status that would otherwise be final.
fn is_lost_upload(error: &RequestError) -> bool {
    matches!(error.status(), Some(404 | 416))
}

fn location(response: &Response) -> Result<Uri, Failure> {
    let field = response.header(LOCATION).ok_or(RedirectError::NoLocation)?;
    Ok(redirect::target(&response.url, field)?)
}

fn octets() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers
}

/// The same source, each byte counted as it is read. Opened again, the count begins anew.
fn counted(open: &Arc<OpenSource>, sent: &Arc<AtomicU64>) -> Arc<OpenSource> {
    let (open, sent) = (Arc::clone(open), Arc::clone(sent));
    Arc::new(move |from| {
        sent.store(0, Ordering::Relaxed);
        Ok(Box::new(Counted { inner: open(from)?, sent: Arc::clone(&sent) }))
    })
}

struct Counted {
    inner: Box<dyn Read + Send>,
    sent: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sent.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// The header in which a registry names the smallest chunk it takes.
const CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");
/// Statuses that tell that a blob is not taken in one piece.
const WANTS_CHUNKS: [u16; 4] = [405, 411, 413, 415];
const CHUNK_BYTES: u64 = 16 << 20;
const CHUNK_BYTES_MAX: u64 = 1 << 30;
const PROGRESS_BYTES: u64 = 256 << 10;
const TICK: Duration = Duration::from_millis(100);
