//! Bytes from one thread to another, in chunks, with a bound on how many are on the way.

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tug_oci::{Digest, Digester};

/// A pipe within the process.
pub(super) fn pipe() -> (Inlet, Outlet) {
    let (sender, receiver) = sync_channel(CHUNKS_MAX);
    let inlet = Inlet { sender, chunk: Vec::with_capacity(CHUNK_BYTES) };
    (inlet, Outlet { receiver, chunk: Vec::new(), at: 0, hash: None })
}

/// The end that is written to. Dropped without [`Inlet::finish`] or [`Inlet::fail`], the stream is cut off, which
/// the reader sees as an error.
pub(super) struct Inlet {
    sender: SyncSender<Message>,
    chunk: Vec<u8>,
}

enum Message {
    Chunk(Vec<u8>),
    End,
    Failed(io::Error),
}

impl Inlet {
    /// Ends the stream. Where the reader is gone this says nothing: it has its own reason.
    pub(super) fn finish(mut self) {
        if self.send_chunk().is_ok() {
            let _ = self.sender.send(Message::End);
        }
    }

    /// Ends the stream with an error.
    pub(super) fn fail(self, error: io::Error) {
        let _ = self.sender.send(Message::Failed(error));
    }

    /// Reads `input` to its end.
    pub(super) fn pump(mut self, mut input: impl Read) {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            match fill(&mut input, &mut chunk) {
                Ok(0) => return self.finish(),
                Ok(len) => {
                    chunk.truncate(len);
                    self.chunk = chunk;
                    if self.send_chunk().is_err() {
                        return;
                    }
                }
                Err(error) => return self.fail(error),
            }
        }
    }

    fn send_chunk(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.sender
            .send(Message::Chunk(chunk))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the reading thread ended"))
    }
}

impl Write for Inlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..len]);
        if self.chunk.len() == CHUNK_BYTES {
            self.send_chunk()?;
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end that is read from.
pub(super) struct Outlet {
    receiver: Receiver<Message>,
    chunk: Vec<u8>,
    at: usize,
    hash: Option<(Digester, u64)>,
}

impl Outlet {
    /// Hashes what comes, a chunk at a time.
    pub(super) fn hashed(mut self) -> Outlet {
        self.hash = Some((Digester::default(), 0));
        self
    }

    /// Digest and size of all that came.
    pub(super) fn digest(&self) -> Option<(Digest, u64)> {
        self.hash.as_ref().map(|(digester, size)| (digester.clone().finish(), *size))
    }
}

impl BufRead for Outlet {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.chunk.len() {
            self.at = 0;
            self.chunk = match self.receiver.recv() {
                Ok(Message::Chunk(chunk)) => chunk,
                Ok(Message::End) => {
                    // Keeps the end an end for who asks again.
                    let (sender, receiver) = sync_channel(1);
                    let _ = sender.send(Message::End);
                    self.receiver = receiver;
                    Vec::new()
                }
                Ok(Message::Failed(error)) => return Err(error),
                Err(_) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream was cut off")),
            };
            if let Some((digester, size)) = &mut self.hash {
                digester.update(&self.chunk);
                *size += self.chunk.len() as u64;
            }
        }
        Ok(&self.chunk[self.at..])
    }

    fn consume(&mut self, len: usize) {
        self.at += len;
    }
}

impl Read for Outlet {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let len = bytes.len().min(out.len());
        out[..len].copy_from_slice(&bytes[..len]);
        self.consume(len);
        Ok(len)
    }
}

/// Reads until the buffer is full or the input ends: decoders give small pieces.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut have = 0;
    while have < buffer.len() {
        match input.read(&mut buffer[have..]) {
            Ok(0) => break,
            Ok(len) => have += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}

const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS_MAX: usize = 8;
