//! Layers compressed and decompressed. Compression runs on all cores and gives the same bytes on any number of them:
//! the input is cut into blocks of a fixed size that know nothing of each other.

use std::io::{self, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use flate2::{Compress, Crc, FlushCompress, Status};
use tug_oci::Compression;

/// The plain bytes of a compressed stream.
pub(crate) fn decoder(
    compression: Compression,
    input: impl Read + Send + 'static,
) -> io::Result<Box<dyn Read + Send>> {
    let buffered = BufReader::with_capacity(READ_BYTES, input);
    Ok(match compression {
        Compression::None => Box::new(buffered),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
        // The window a frame may ask for is limited to 128 MiB by the library.
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(buffered)?),
    })
}

/// Compresses what `produce` writes. The error of `out` wins over one that `produce` gives because of it.
pub(crate) fn compress<T, E>(
    compression: Compression,
    out: &mut (dyn Write + Send),
    produce: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<Result<T, E>, io::Error> {
    match compression {
        Compression::None => Ok(produce(out)),
        Compression::Gzip => {
            out.write_all(GZIP_HEADER)?;
            let (produced, crc) = in_blocks(deflate_block, GZIP_BLOCK_BYTES, out, produce)?;
            out.write_all(DEFLATE_END)?;
            out.write_all(&crc.sum().to_le_bytes())?;
            out.write_all(&crc.amount().to_le_bytes())?;
            Ok(produced)
        }
        Compression::Zstd => Ok(in_blocks(zstd_block, ZSTD_BLOCK_BYTES, out, produce)?.0),
    }
}

/// A block that came out of a worker, and the check sum of what went in.
struct Packed {
    bytes: Vec<u8>,
    crc: Crc,
}

type Pack = fn(&[u8]) -> io::Result<Packed>;
type Job = (Vec<u8>, SyncSender<io::Result<Packed>>);

fn in_blocks<T, E>(
    pack: Pack,
    block_bytes: usize,
    out: &mut (dyn Write + Send),
    produce: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<(Result<T, E>, Crc), io::Error> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (jobs, todo) = sync_channel::<Job>(threads);
    let (order, results) = sync_channel::<Receiver<io::Result<Packed>>>(2 * threads);
    let todo = Mutex::new(todo);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&todo, pack));
        }
        let writer = scope.spawn(move || write_in_order(&results, out));
        let block = Vec::with_capacity(block_bytes);
        let mut blocks = Blocks { block, block_bytes, sent: false, jobs, order };
        let produced = produce(&mut blocks);
        // Where this fails, the writer has the reason.
        let _ = blocks.finish();
        drop(blocks);
        let crc = match writer.join() {
            Ok(crc) => crc?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        Ok((produced, crc))
    })
}

fn work(todo: &Mutex<Receiver<Job>>, pack: Pack) {
    loop {
        let job = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((block, reply)) = job else { return };
        // Nobody waits for it when the writer has given up.
        let _ = reply.send(pack(&block));
    }
}

fn write_in_order(results: &Receiver<Receiver<io::Result<Packed>>>, out: &mut dyn Write) -> io::Result<Crc> {
    let mut crc = Crc::new();
    for result in results {
        let packed = result.recv().map_err(|_| io::Error::other("a compressing thread ended early"))??;
        out.write_all(&packed.bytes)?;
        crc.combine(&packed.crc);
    }
    Ok(crc)
}

/// Cuts what is written into blocks.
struct Blocks {
    block: Vec<u8>,
    block_bytes: usize,
    sent: bool,
    jobs: SyncSender<Job>,
    order: SyncSender<Receiver<io::Result<Packed>>>,
}

impl Blocks {
    /// Sends the last block; an empty stream has one too, with nothing in it.
    fn finish(&mut self) -> io::Result<()> {
        match self.block.is_empty() && self.sent {
            true => Ok(()),
            false => self.send(),
        }
    }

    fn send(&mut self) -> io::Result<()> {
        self.sent = true;
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the compressed layer could not be written");
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(self.block_bytes));
        let (reply, result) = sync_channel(1);
        self.order.send(result).map_err(|_| gone())?;
        self.jobs.send((block, reply)).map_err(|_| gone())
    }
}

impl Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.block_bytes - self.block.len());
        self.block.extend_from_slice(&bytes[..len]);
        if self.block.len() == self.block_bytes {
            self.send()?;
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Deflate blocks that end on a byte and refer to nothing before them, so that they can stand in a row.
fn deflate_block(block: &[u8]) -> io::Result<Packed> {
    let mut compress = Compress::new(flate2::Compression::new(GZIP_LEVEL), false);
    let mut bytes = Vec::with_capacity(block.len() / 2 + 1024);
    loop {
        let taken = usize::try_from(compress.total_in()).map_err(io::Error::other)?;
        let status = compress.compress_vec(&block[taken..], &mut bytes, FlushCompress::Sync)?;
        let all_in = compress.total_in() == block.len() as u64;
        if all_in && bytes.len() < bytes.capacity() {
            break;
        }
        if status == Status::BufError && bytes.len() < bytes.capacity() {
            return Err(io::Error::other("deflate makes no progress"));
        }
        bytes.reserve(bytes.capacity().max(1024));
    }
    let mut crc = Crc::new();
    crc.update(block);
    Ok(Packed { bytes, crc })
}

fn zstd_block(block: &[u8]) -> io::Result<Packed> {
    let bytes = zstd::bulk::compress(block, ZSTD_LEVEL)?;
    Ok(Packed { bytes, crc: Crc::new() })
}

/// Magic, deflate, no flags, no time, no hint, unknown system.
const GZIP_HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// A last deflate block with nothing in it.
const DEFLATE_END: &[u8] = &[0x03, 0x00];
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;
const GZIP_BLOCK_BYTES: usize = 1 << 20;
const ZSTD_BLOCK_BYTES: usize = 4 << 20;
const READ_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Half text-like, half noise.
            if state & 0x80 == 0 { b'a' + (state >> 28) as u8 } else { (state >> 24) as u8 }
        };
        (0..len).map(|_| next()).collect()
    }

    fn compressed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        compress(compression, &mut out, |out| out.write_all(bytes)).unwrap().unwrap();
        out
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            for len in [0, 1, GZIP_BLOCK_BYTES, 5 * GZIP_BLOCK_BYTES + 7] {
                let bytes = sample(len);
                let packed = compressed(compression, &bytes);
                let mut plain = Vec::new();
                decoder(compression, io::Cursor::new(packed)).unwrap().read_to_end(&mut plain).unwrap();
                assert!(plain == bytes, "{compression:?} of {len} bytes");
            }
        }
    }

    #[test]
    fn gzip_is_one_member() {
        let bytes = sample(3 * GZIP_BLOCK_BYTES);
        let mut plain = Vec::new();
        let packed = compressed(Compression::Gzip, &bytes);
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap();
        assert!(plain == bytes);
    }

    #[test]
    fn a_full_disk_is_reported() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bytes = sample(40 * GZIP_BLOCK_BYTES);
        for compression in [Compression::Gzip, Compression::Zstd] {
            let error = compress(compression, &mut Full, |out| out.write_all(&bytes)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
