//! A blob's bytes, in order, whatever the connection does: a transfer that is cut goes on where it stood.

use bytes::Bytes;
use hyper::Method;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, RANGE};
use tokio::sync::mpsc;
use tug_oci::{Descriptor, Digester};

use crate::progress::TransferState;
use crate::repository::Repository;
use crate::session::{Problem, RequestError};
use crate::transport::{Failure, Response};

/// How a blob's bytes came to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// All were delivered.
    Complete,
    /// Nobody takes them any more.
    Unwanted,
}

/// Fetches a small blob whole, its size and digest checked.
pub(crate) async fn whole(repository: &Repository<'_>, wanted: &Descriptor) -> Result<Bytes, RequestError> {
    let call = repository.blob(Method::GET, &wanted.digest);
    let (response, body) = repository.session.call_whole(&call, wanted.size).await?;
    match check(&body, wanted) {
        Ok(()) => Ok(body),
        Err(failure) => Err(repository.session.failed(&call, Some(&response.url), failure.into())),
    }
}

fn check(body: &[u8], wanted: &Descriptor) -> Result<(), Failure> {
    if body.len() as u64 != wanted.size {
        return Err(Failure::SizeDiffers { found: body.len() as u64, wanted: wanted.size });
    }
    let mut digester = Digester::new(wanted.digest.algorithm());
    digester.update(body);
    let found = digester.finish();
    match found == wanted.digest {
        true => Ok(()),
        false => Err(Failure::DigestDiffers { found, wanted: wanted.digest.clone() }),
    }
}

/// Sends a blob's bytes into a channel. Exactly as many as the descriptor says; whoever takes them checks the digest.
pub(crate) async fn stream(
    repository: &Repository<'_>,
    wanted: &Descriptor,
    out: &mpsc::Sender<Bytes>,
    tell: &dyn Fn(TransferState),
) -> Result<Delivery, RequestError> {
    let mut download = Download { repository, wanted, out, tell, done: 0 };
    let mut backoff = repository.session.backoff();
    loop {
        let before = download.done;
        let error = match download.go_on().await {
            Ok(delivery) => return Ok(delivery),
            Err(error) => error,
        };
        if download.done - before >= PROGRESS_BYTES {
            backoff.progress();
        }
        tell(TransferState::Retrying);
        repository.session.pause(&mut backoff, error).await?;
    }
}

struct Download<'a> {
    repository: &'a Repository<'a>,
    wanted: &'a Descriptor,
    out: &'a mpsc::Sender<Bytes>,
    tell: &'a dyn Fn(TransferState),
    /// Bytes delivered.
    done: u64,
}

impl Download<'_> {
    async fn go_on(&mut self) -> Result<Delivery, RequestError> {
        let session = self.repository.session;
        let mut call = self.repository.blob(Method::GET, &self.wanted.digest);
        if self.done > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", self.done));
            call.headers.insert(RANGE, range.expect("a number makes a header"));
        }
        let mut response = session.attempt(&call).await?;
        let result = self.take(&mut response).await;
        result.map_err(|failure| session.failed(&call, Some(&response.url), Problem::from(failure)))
    }

    async fn take(&mut self, response: &mut Response) -> Result<Delivery, Failure> {
        let wanted = self.wanted.size;
        // A server that knows no ranges sends all again; what was delivered already is passed over.
        let mut skip = match response.status {
            StatusCode::PARTIAL_CONTENT => self.check_range(response)?,
            _ => self.check_length(response)?,
        };
        (self.tell)(TransferState::Bytes { done: self.done, total: wanted });
        while let Some(mut piece) = response.piece().await? {
            let passed_over = skip.min(piece.len() as u64);
            skip -= passed_over;
            let piece = piece.split_off(passed_over as usize);
            if piece.is_empty() {
                continue;
            }
            let done = self.done + piece.len() as u64;
            if done > wanted {
                return Err(Failure::TooLong(wanted));
            }
            if self.out.send(piece).await.is_err() {
                return Ok(Delivery::Unwanted);
            }
            self.done = done;
            (self.tell)(TransferState::Bytes { done, total: wanted });
        }
        match self.done == wanted {
            true => Ok(Delivery::Complete),
            false => Err(Failure::Cut { got: self.done, wanted }),
        }
    }

    /// A part must start where we stand and be of a whole of the right size.
    fn check_range(&self, response: &Response) -> Result<u64, Failure> {
        let field = response.header(CONTENT_RANGE).unwrap_or_default();
        let malformed = || Failure::Protocol(format!("Content-Range {field:?}"));
        let (range, total) =
            field.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).ok_or_else(malformed)?;
        let start = range.split_once('-').and_then(|(start, _)| start.parse::<u64>().ok());
        if start.ok_or_else(malformed)? != self.done {
            return Err(malformed());
        }
        match total.parse::<u64>() {
            Ok(found) if found != self.wanted.size => {
                Err(Failure::SizeDiffers { found, wanted: self.wanted.size })
            }
            _ => Ok(0),
        }
    }

    fn check_length(&self, response: &Response) -> Result<u64, Failure> {
        match response.header(CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok()) {
            Some(found) if found != self.wanted.size => {
                Err(Failure::SizeDiffers { found, wanted: self.wanted.size })
            }
            _ => Ok(self.done),
        }
    }
}

/// A try that moved this much counts as progress: failures before it are forgiven.
const PROGRESS_BYTES: u64 = 256 << 10;
