//! Archives in: one member after the other, its content in between.

use std::io::{self, BufRead};

use super::field;
use super::pax::{self, Extended};
use super::{BLOCK, HEADER_BYTES_MAX, Kind, Member, TarError, Time, shown};

/// Reads members from a stream that is read once, front to back.
pub(crate) struct TarReader<R> {
    input: R,
    /// Bytes taken from `input` so far.
    offset: u64,
    /// Content of the current member that is still to come.
    left: u64,
    /// Zeros that fill its last block.
    padding: u64,
    /// The current member's name, for errors.
    current: Vec<u8>,
}

impl<R: BufRead> TarReader<R> {
    pub(crate) fn new(input: R) -> TarReader<R> {
        TarReader { input, offset: 0, left: 0, padding: 0, current: Vec::new() }
    }

    /// The next member; what was not read of the last one is skipped. `None` after the last, and then
    /// everything up to the end of the stream has been read.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>, TarError> {
        self.skip_content()?;
        let mut extended = Extended::default();
        let mut extends = false;
        loop {
            let at = self.offset;
            let Some(header) = self.header()? else {
                return match extends {
                    true => Err(TarError::Pax { offset: at, why: "no member follows it" }),
                    false => Ok(None),
                };
            };
            let kind = header.as_old().linkflag[0];
            match kind {
                b'x' | b'X' => {
                    let records = self.records(&header, at)?;
                    extended.add(&records).map_err(|why| TarError::Pax { offset: self.offset, why })?;
                }
                b'g' => self.global(&header, at)?,
                b'L' => extended.path = Some(self.long_name(&header, at)?),
                b'K' => extended.link = Some(self.long_name(&header, at)?),
                _ => return self.member(&header, extended).map(Some),
            }
            extends |= kind != b'g';
        }
    }

    /// Up to a buffer of the current member's content; empty at its end. [`Self::consume`] takes it.
    pub(crate) fn content(&mut self) -> Result<&[u8], TarError> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let bytes = fill(&mut self.input)?;
        if bytes.is_empty() {
            return Err(TarError::Truncated(format!("member {}", shown(&self.current))));
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        Ok(&bytes[..bytes.len().min(wanted)])
    }

    /// Takes `len` bytes of what [`Self::content`] gave.
    pub(crate) fn consume(&mut self, len: usize) {
        debug_assert!(len as u64 <= self.left, "no more than the content is taken");
        self.input.consume(len);
        self.offset += len as u64;
        self.left -= len as u64;
    }

    fn skip_content(&mut self) -> Result<(), TarError> {
        loop {
            let len = self.content()?.len();
            if len == 0 {
                break;
            }
            self.consume(len);
        }
        let mut padding = self.padding;
        while padding > 0 {
            let bytes = fill(&mut self.input)?;
            if bytes.is_empty() {
                return Err(TarError::Truncated(format!("member {}", shown(&self.current))));
            }
            let len = bytes.len().min(usize::try_from(padding).unwrap_or(usize::MAX));
            self.input.consume(len);
            self.offset += len as u64;
            padding -= len as u64;
        }
        self.padding = 0;
        Ok(())
    }

    /// The next header; `None` at the end of the archive, behind which nothing counts.
    fn header(&mut self) -> Result<Option<tar::Header>, TarError> {
        let at = self.offset;
        let Some(block) = self.block()? else { return Ok(None) };
        if is_zero(&block) {
            return match self.block()? {
                Some(second) if !is_zero(&second) => Err(TarError::LoneEnd(at)),
                _ => self.drain().map(|()| None),
            };
        }
        let header = tar::Header::from_byte_slice(&block).clone();
        let wanted = field::unsigned(&header.as_old().cksum);
        if wanted.is_none_or(|sum| !sums(&block).contains(&Some(sum))) {
            return Err(TarError::Checksum(at));
        }
        Ok(Some(header))
    }

    /// A block, or `None` where the stream ends just before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut block = [0; BLOCK];
        let mut have = 0;
        while have < BLOCK {
            let bytes = fill(&mut self.input)?;
            if bytes.is_empty() {
                return match have {
                    0 => Ok(None),
                    _ => Err(TarError::Truncated(format!("the header at byte {}", self.offset))),
                };
            }
            let len = bytes.len().min(BLOCK - have);
            block[have..have + len].copy_from_slice(&bytes[..len]);
            self.input.consume(len);
            have += len;
        }
        self.offset += BLOCK as u64;
        Ok(Some(block))
    }

    fn drain(&mut self) -> Result<(), TarError> {
        loop {
            let len = fill(&mut self.input)?.len();
            if len == 0 {
                return Ok(());
            }
            self.input.consume(len);
            self.offset += len as u64;
        }
    }

    /// The content of an extended header.
    fn records(&mut self, header: &tar::Header, at: u64) -> Result<Vec<u8>, TarError> {
        let size = field::unsigned(&header.as_old().size)
            .ok_or_else(|| TarError::Number { name: "of an extended header".to_owned(), field: "size" })?;
        if size > HEADER_BYTES_MAX {
            return Err(TarError::HeaderTooLarge { offset: at, size });
        }
        self.begin(size, b"extended header");
        let mut records = Vec::new();
        loop {
            let bytes = self.content()?;
            let len = bytes.len();
            if len == 0 {
                break;
            }
            records.extend_from_slice(bytes);
            self.consume(len);
        }
        self.skip_content()?;
        Ok(records)
    }

    fn long_name(&mut self, header: &tar::Header, at: u64) -> Result<Vec<u8>, TarError> {
        let mut name = self.records(header, at)?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    fn global(&mut self, header: &tar::Header, at: u64) -> Result<(), TarError> {
        let records = self.records(header, at)?;
        match pax::first_effective_key(&records) {
            Ok(None) => Ok(()),
            Ok(Some(key)) => Err(TarError::Global(key)),
            Err(why) => Err(TarError::Pax { offset: self.offset, why }),
        }
    }

    fn begin(&mut self, size: u64, name: &[u8]) {
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        self.current = name.to_owned();
    }

    fn member(&mut self, header: &tar::Header, extended: Extended) -> Result<Member, TarError> {
        let path = extended.path.unwrap_or_else(|| header_path(header));
        let kind = kind(header.as_old().linkflag[0], &path)?;
        if extended.sparse {
            return Err(TarError::Sparse(shown(&path)));
        }
        let number = |bytes: &[u8], field: &'static str| {
            field::unsigned(bytes).ok_or_else(|| TarError::Number { name: shown(&path), field })
        };
        let owner = |bytes: &[u8], field: &'static str| {
            let id = u32::try_from(number(bytes, field)?).ok().filter(|id| *id != u32::MAX);
            id.ok_or_else(|| TarError::Number { name: shown(&path), field })
        };
        let old = header.as_old();
        let uid = extended.uid.map_or_else(|| owner(&old.uid, "uid"), Ok)?;
        let gid = extended.gid.map_or_else(|| owner(&old.gid, "gid"), Ok)?;
        let size = extended.size.map_or_else(|| number(&old.size, "size"), Ok)?;
        let mtime = match extended.mtime {
            Some(mtime) => mtime,
            None => Time {
                secs: field::signed(&old.mtime)
                    .ok_or_else(|| TarError::Number { name: shown(&path), field: "mtime" })?,
                nanos: 0,
            },
        };
        let device = match (kind, header.as_ustar()) {
            (Kind::Char | Kind::Block, Some(ustar)) => {
                let part = |bytes: &[u8]| {
                    u32::try_from(number(bytes, "device number")?)
                        .map_err(|_| TarError::Number { name: shown(&path), field: "device number" })
                };
                (part(&ustar.dev_major)?, part(&ustar.dev_minor)?)
            }
            _ => (0, 0),
        };
        // By the standard only files have content, whatever the size field of another member says.
        let size = if kind == Kind::File { size } else { 0 };
        if size > FILE_BYTES_MAX {
            return Err(TarError::Number { name: shown(&path), field: "size" });
        }
        let mode = (number(&old.mode, "mode")? & 0o7777) as u32;
        let link = extended.link.unwrap_or_else(|| until_nul(&old.linkname).to_owned());
        self.begin(size, &path);
        Ok(Member { path, kind, mode, uid, gid, mtime, size, link, device, xattrs: extended.xattrs })
    }
}

impl<R: BufRead> io::Read for TarReader<R> {
    /// The current member's content.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.content().map_err(io::Error::other)?;
        let len = bytes.len().min(out.len());
        out[..len].copy_from_slice(&bytes[..len]);
        self.consume(len);
        Ok(len)
    }
}

fn fill<R: BufRead>(input: &mut R) -> Result<&[u8], TarError> {
    // A loop over one `match` would hold the borrow of its first turn; a signal is rare enough to ask twice.
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(TarError::Read(error)),
        }
    }
    input.fill_buf().map_err(TarError::Read)
}

fn kind(byte: u8, path: &[u8]) -> Result<Kind, TarError> {
    Ok(match byte {
        // Archives from before the standard have no type, and mark a directory by a slash.
        0 if path.ends_with(b"/") => Kind::Dir,
        0 | b'0' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::Char,
        b'4' => Kind::Block,
        b'5' => Kind::Dir,
        b'6' => Kind::Fifo,
        b'S' => return Err(TarError::Sparse(shown(path))),
        other => return Err(TarError::Type { name: shown(path), kind: char::from(other) }),
    })
}

/// The name in the header itself: the ustar prefix, where there is one, and the name field.
fn header_path(header: &tar::Header) -> Vec<u8> {
    let name = until_nul(&header.as_old().name);
    match header.as_ustar().map(|ustar| until_nul(&ustar.prefix)) {
        Some(prefix) if !prefix.is_empty() => [prefix, b"/", name].concat(),
        _ => name.to_owned(),
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// The sum of the bytes with the sum's own field as blanks; also as some old programs added, with signed bytes.
fn sums(block: &[u8; BLOCK]) -> [Option<u64>; 2] {
    let bytes = || block.iter().enumerate().map(|(at, byte)| if CKSUM.contains(&at) { b' ' } else { *byte });
    let plain: u64 = bytes().map(u64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    [Some(plain), u64::try_from(signed).ok()]
}

const CKSUM: std::ops::Range<usize> = 148..156;
/// No file of a layer is larger.
const FILE_BYTES_MAX: u64 = 1 << 50;
