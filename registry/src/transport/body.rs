//! Bodies: what is sent, and what comes back read with a limit on its size and on silence.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{HeaderMap, HeaderName};
use hyper::{StatusCode, Uri};
use tokio::sync::mpsc;

use super::failure::Failure;

/// Makes a fresh reader of what is to be sent, from an offset on; asked again for each try.
pub(crate) type OpenSource = dyn Fn(u64) -> io::Result<Box<dyn Read + Send>> + Send + Sync;

/// What a request carries.
#[derive(Clone)]
pub(crate) enum Payload {
    Empty,
    Bytes(Bytes),
    /// A part of a source that is too big for memory.
    Stream {
        open: Arc<OpenSource>,
        from: u64,
        length: u64,
    },
}

/// A request's body on its way out.
pub(crate) struct Outgoing {
    source: Source,
    remaining: u64,
    pulse: Pulse,
}

enum Source {
    Whole(Option<Bytes>),
    Channel(mpsc::Receiver<io::Result<Bytes>>),
}

/// Beats whenever a piece of a body goes out.
#[derive(Clone, Default)]
pub(super) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Payload {
    /// Starts to read what is to be sent. Must be called inside the runtime.
    pub(super) fn start(&self) -> (Outgoing, Pulse) {
        let pulse = Pulse::default();
        let (source, remaining) = match self {
            Payload::Empty => (Source::Whole(None), 0),
            Payload::Bytes(bytes) => (Source::Whole(Some(bytes.clone())), bytes.len() as u64),
            Payload::Stream { open, from, length } => {
                let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
                let (open, from, length) = (Arc::clone(open), *from, *length);
                tokio::task::spawn_blocking(move || pump(&*open, from, length, &sender));
                (Source::Channel(receiver), length)
            }
        };
        (Outgoing { source, remaining, pulse: pulse.clone() }, pulse)
    }
}

/// Reads a source piece by piece until it ends, fails, or nobody wants it any more.
fn pump(open: &OpenSource, from: u64, length: u64, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let mut reader = match open(from) {
        Ok(reader) => reader.take(length),
        Err(error) => return drop(sender.blocking_send(Err(error))),
    };
    loop {
        let mut piece = BytesMut::zeroed(PIECE_BYTES);
        let piece = match fill(&mut reader, &mut piece) {
            Ok(0) => return,
            Ok(count) => Ok(piece.split_to(count).freeze()),
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        if sender.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match reader.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = SourceError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SourceError>>> {
        let piece = match &mut self.source {
            Source::Whole(bytes) => bytes.take().map(Ok),
            Source::Channel(receiver) => match receiver.poll_recv(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(piece) => piece,
            },
        };
        Poll::Ready(match piece {
            Some(Ok(bytes)) => {
                self.remaining = self.remaining.saturating_sub(bytes.len() as u64);
                self.pulse.beat();
                Some(Ok(Frame::data(bytes)))
            }
            Some(Err(error)) => Some(Err(SourceError(error))),
            None if self.remaining > 0 => {
                Some(Err(SourceError(io::Error::new(io::ErrorKind::UnexpectedEof, "shorter than announced"))))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0 && matches!(self.source, Source::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

/// What is to be sent could not be read: our own disk's fault, not the network's.
#[derive(Debug, thiserror::Error)]
#[error("cannot read what is to be sent")]
pub(crate) struct SourceError(#[source] pub(crate) io::Error);

/// A response: its head, and a body that is yet to be read.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The address that answered, after redirects.
    pub(crate) url: Uri,
    body: Incoming,
    stall: Duration,
}

impl Response {
    pub(super) fn new(response: hyper::Response<Incoming>, url: Uri, stall: Duration) -> Response {
        let (head, body) = response.into_parts();
        Response { status: head.status, headers: head.headers, url, body, stall }
    }

    /// A header as text; `None` when it is not there or not ASCII.
    pub(crate) fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers.get(name.into()).and_then(|value| value.to_str().ok())
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = match tokio::time::timeout(self.stall, self.body.frame()).await {
                Err(_) => return Err(Failure::Stalled(self.stall)),
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => frame.map_err(|error| Failure::of(&error, false))?,
            };
            // Trailers say nothing that is wanted here.
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
    }

    /// The whole body, refused when it is longer than `limit`.
    pub(crate) async fn bytes(&mut self, limit: u64) -> Result<Bytes, Failure> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if (whole.len() + piece.len()) as u64 > limit {
                return Err(Failure::TooLong(limit));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// At most the first `limit` bytes of the body, whatever happens to the rest.
    pub(crate) async fn beginning(&mut self, limit: usize) -> Bytes {
        let mut whole = BytesMut::new();
        while let Ok(Some(piece)) = self.piece().await {
            let room = limit.saturating_sub(whole.len());
            whole.extend_from_slice(&piece[..piece.len().min(room)]);
            if whole.len() >= limit {
                break;
            }
        }
        whole.freeze()
    }
}

const PIECE_BYTES: usize = 128 << 10;
const PIECES_AHEAD: usize = 4;
