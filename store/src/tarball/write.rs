//! Archives out, in one canonical form: ustar headers with numeric owners and whole seconds; extended records only
//! for what a ustar header cannot hold.

use std::io::{self, Write};

use super::{BLOCK, Kind, Member, XATTR_PREFIX, field, pax};

/// Writes members to a stream.
pub(crate) struct TarWriter<W> {
    out: W,
    written: u64,
    /// Content of the current member that is still to come.
    left: u64,
}

impl<W: Write> TarWriter<W> {
    pub(crate) fn new(out: W) -> TarWriter<W> {
        TarWriter { out, written: 0, left: 0 }
    }

    /// Writes a member's headers. [`Self::content`] has to give exactly `member.size` bytes after it.
    pub(crate) fn member(&mut self, member: &Member) -> io::Result<()> {
        debug_assert_eq!(self.left, 0, "the last member's content is complete");
        let mut records = Vec::new();
        let header = encode(member, &mut records);
        if !records.is_empty() {
            let mut extended = Member::new(PAX_NAME.to_vec(), Kind::File, 0o644);
            extended.size = records.len() as u64;
            let mut block = encode(&extended, &mut Vec::new());
            block.as_old_mut().linkflag = [b'x'];
            block.set_cksum();
            self.put(block.as_bytes())?;
            self.put(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.put(header.as_bytes())?;
        self.left = member.size;
        Ok(())
    }

    /// Writes a part of the current member's content.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "a file grew while it was written to an archive")
        })?;
        self.put(bytes)
    }

    /// Fills up the current member's last block.
    pub(crate) fn end_content(&mut self, member: &Member) -> io::Result<()> {
        if self.left > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "a file shrank while it was written to an archive",
            ));
        }
        self.pad(member.size)
    }

    /// A member whose content is at hand.
    pub(crate) fn whole(&mut self, member: &Member, content: &[u8]) -> io::Result<()> {
        debug_assert_eq!(member.size, content.len() as u64, "the header says how much there is");
        self.member(member)?;
        self.content(content)?;
        self.end_content(member)
    }

    /// Ends the archive; gives its size.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.put(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.written)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = (size.wrapping_neg() % BLOCK as u64) as usize;
        self.put(&[0; BLOCK][..padding])
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// The ustar header of a member. What does not fit goes to `records`, in a fixed order.
fn encode(member: &Member, records: &mut Vec<u8>) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    let fields = header.as_ustar_mut().expect("new_ustar makes a ustar header");
    put_path(fields, member, records);
    if member.link.len() > fields.linkname.len() || needs_record(&member.link) {
        pax::put(records, b"linkpath", &member.link);
    }
    put_text(&mut fields.linkname, &member.link);
    put_number(&mut fields.size, member.size, b"size", records);
    put_number(&mut fields.uid, u64::from(member.uid), b"uid", records);
    put_number(&mut fields.gid, u64::from(member.gid), b"gid", records);
    match u64::try_from(member.mtime.secs) {
        Ok(secs) => put_number(&mut fields.mtime, secs, b"mtime", records),
        Err(_) => {
            pax::put(records, b"mtime", member.mtime.secs.to_string().as_bytes());
            field::put_octal(&mut fields.mtime, 0);
        }
    }
    field::put_octal(&mut fields.mode, u64::from(member.mode & 0o7777));
    fields.typeflag = [type_byte(member.kind)];
    if matches!(member.kind, Kind::Char | Kind::Block) {
        // A kernel's device numbers have 12 and 20 bits.
        field::put_octal(&mut fields.dev_major, u64::from(member.device.0 & 0xfff));
        field::put_octal(&mut fields.dev_minor, u64::from(member.device.1 & 0xf_ffff));
    }
    for (name, value) in &member.xattrs {
        pax::put(records, &[XATTR_PREFIX, name].concat(), value);
    }
    header.set_cksum();
    header
}

fn put_path(fields: &mut tar::UstarHeader, member: &Member, records: &mut Vec<u8>) {
    let path = &member.path;
    let split = match path.len() <= fields.name.len() {
        true => Some((&[][..], &path[..])),
        false => split(path, fields.prefix.len(), fields.name.len()),
    };
    if split.is_none() || needs_record(path) {
        pax::put(records, b"path", path);
    }
    let (prefix, name) = split.unwrap_or((&[], path));
    put_text(&mut fields.prefix, prefix);
    put_text(&mut fields.name, name);
}

/// Splits a path at a slash so that both parts fit; the earliest that does.
fn split(path: &[u8], prefix_max: usize, name_max: usize) -> Option<(&[u8], &[u8])> {
    let from = path.len().checked_sub(name_max + 1)?;
    let at = from + path[from..].iter().position(|byte| *byte == b'/')?;
    let (prefix, name) = (&path[..at], &path[at + 1..]);
    (!prefix.is_empty() && prefix.len() <= prefix_max && !name.is_empty()).then_some((prefix, name))
}

/// ustar text is ASCII, records are UTF-8; bytes that are neither stay in the header where they fit.
fn needs_record(text: &[u8]) -> bool {
    !text.is_ascii() && std::str::from_utf8(text).is_ok()
}

fn put_text(field: &mut [u8], text: &[u8]) {
    let len = text.len().min(field.len());
    field[..len].copy_from_slice(&text[..len]);
}

fn put_number(bytes: &mut [u8], value: u64, key: &[u8], records: &mut Vec<u8>) {
    let fits = field::fits_octal(bytes.len(), value);
    if !fits {
        pax::put(records, key, value.to_string().as_bytes());
    }
    field::put_octal(bytes, if fits { value } else { 0 });
}

fn type_byte(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::Char => b'3',
        Kind::Block => b'4',
        Kind::Dir => b'5',
        Kind::Fifo => b'6',
    }
}

/// A constant: what an extended header is called must not depend on its member.
const PAX_NAME: &[u8] = b"././@PaxHeader";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tarball::{TarReader, Time};

    fn round_trip(member: &Member) -> (Member, u64) {
        let mut bytes = Vec::new();
        let mut writer = TarWriter::new(&mut bytes);
        let mut header = member.clone();
        header.size = 0;
        writer.member(&header).unwrap();
        writer.end_content(&header).unwrap();
        let size = writer.finish().unwrap();
        assert_eq!(size, bytes.len() as u64);
        let mut reader = TarReader::new(&bytes[..]);
        let read = reader.next_member().unwrap().unwrap();
        assert_eq!(reader.next_member().unwrap(), None);
        (read, size)
    }

    fn member(path: &[u8]) -> Member {
        let mut member = Member::new(path.to_vec(), Kind::File, 0o640);
        member.mtime = Time { secs: 1_000_000_000, nanos: 0 };
        member
    }

    #[test]
    fn what_fits_needs_one_header() {
        let long = [&b"d".repeat(120)[..], b"/", &b"n".repeat(100)[..]].concat();
        for path in [&b"a"[..], b"dir/", &b"n".repeat(100), &long] {
            let (read, size) = round_trip(&member(path));
            assert_eq!(read, member(path));
            assert_eq!(size, 3 * 512, "{} bytes of name", path.len());
        }
    }

    #[test]
    fn what_does_not_fit_goes_to_records() {
        let mut odd = member(&b"n".repeat(101));
        odd.uid = 3_000_000_000;
        odd.gid = 0o10000000;
        odd.mtime.secs = -5;
        odd.link = b"t".repeat(3000);
        odd.xattrs = vec![
            (b"security.capability".to_vec(), vec![1, 0, 10, 61]),
            (b"user.note".to_vec(), b"a=b\n".to_vec()),
        ];
        for path in ["caf\u{e9}".as_bytes(), b"\xffbytes", &[&b"\xff"[..], &b"n".repeat(300)].concat()] {
            odd.path = path.to_vec();
            assert_eq!(round_trip(&odd).0, odd);
        }
    }

    #[test]
    fn content_must_be_as_long_as_its_header_says() {
        let mut file = member(b"f");
        file.size = 3;
        let mut writer = TarWriter::new(Vec::new());
        writer.member(&file).unwrap();
        writer.content(b"ab").unwrap();
        assert!(writer.end_content(&file).is_err());
        assert!(writer.content(b"cd").is_err());
    }
}
